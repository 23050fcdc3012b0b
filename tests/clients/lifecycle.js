// The AWS SDK for JavaScript v3 takes a function through its life.
// Arguments: runtime, handler, first package, second package.

const fs = require("node:fs");
const {
  LambdaClient, CreateFunctionCommand, GetFunctionCommand, InvokeCommand, UpdateFunctionCodeCommand,
  DeleteFunctionCommand, waitUntilFunctionActiveV2, waitUntilFunctionUpdatedV2,
} = require("@aws-sdk/client-lambda");

const [runtime, handler, first, second] = process.argv.slice(2);
const client = new LambdaClient();
const FunctionName = "lifecycle";
const waiter = { client, maxWaitTime: 60, minDelay: 1 };

async function call() {
  const answer = await client.send(new InvokeCommand({ FunctionName, Payload: JSON.stringify({ name: "js" }) }));
  return {
    StatusCode: answer.StatusCode,
    ExecutedVersion: answer.ExecutedVersion,
    FunctionError: answer.FunctionError ?? null,
    Payload: JSON.parse(Buffer.from(answer.Payload).toString()),
  };
}

async function main() {
  const created = await client.send(new CreateFunctionCommand({
    FunctionName,
    Runtime: runtime,
    Handler: handler,
    Role: "arn:aws:iam::000000000000:role/lambda",
    Code: { ZipFile: fs.readFileSync(first) },
  }));
  await waitUntilFunctionActiveV2(waiter, { FunctionName });
  const before = await call();
  const updated = await client.send(
    new UpdateFunctionCodeCommand({ FunctionName, ZipFile: fs.readFileSync(second) }));
  await waitUntilFunctionUpdatedV2(waiter, { FunctionName });
  const after = await call();
  const deleted = await client.send(new DeleteFunctionCommand({ FunctionName }));
  const gone = await client.send(new GetFunctionCommand({ FunctionName })).then(
    () => "still there", (error) => `${error.name}: ${error.message}`);

  console.log(JSON.stringify({
    created: [created.State, created.StateReasonCode, created.FunctionArn],
    before,
    updated: updated.LastUpdateStatus,
    "code changed": created.CodeSha256 !== updated.CodeSha256,
    after,
    deleted: deleted.$metadata.httpStatusCode,
    gone,
  }));
}

main();
