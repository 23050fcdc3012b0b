// Reads with the AWS SDK for JavaScript v3 what the function streams, and prints what it saw. Arguments: the
// function; a gate that it waits at; a file to make as soon as the first byte is here.

const fs = require("node:fs");
const { LambdaClient, InvokeWithResponseStreamCommand } = require("@aws-sdk/client-lambda");

const client = new LambdaClient();
const [FunctionName, gate, first] = process.argv.slice(2);

async function call(event, onFirst = () => {}) {
  const answer = await client.send(
    new InvokeWithResponseStreamCommand({ FunctionName, Payload: JSON.stringify(event) }));
  let text = "";
  let complete = null;
  for await (const event of answer.EventStream) {
    if (event.PayloadChunk) {
      if (!text) onFirst();
      text += Buffer.from(event.PayloadChunk.Payload).toString();
    }
    if (event.InvokeComplete) complete = event.InvokeComplete;
  }
  return [answer.StatusCode, answer.ExecutedVersion, text, complete];
}

async function main() {
  const made = () => fs.writeFileSync(first, "");
  const seen = { "first before last": await call({ gate: Number(gate) }, made) };
  const [, , text, complete] = await call({ late: true });
  seen["fails in the middle"] = [text, complete.ErrorCode, JSON.parse(complete.ErrorDetails).errorMessage];
  console.log(JSON.stringify(seen));
}

main();
