// Reads with the AWS SDK for JavaScript v3 what the function streams, and prints what it saw. Argument: the function.

const net = require("node:net");
const { LambdaClient, InvokeWithResponseStreamCommand } = require("@aws-sdk/client-lambda");

const client = new LambdaClient();
const FunctionName = process.argv[2];

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
  const waiting = [];
  const gate = net.createServer((socket) => waiting.push(socket)).listen(0, "127.0.0.1");
  await new Promise((resolve) => gate.once("listening", resolve));
  const letPass = () => {
    const pass = (socket) => socket.end("!");
    waiting.forEach(pass);
    gate.on("connection", pass);
  };
  const seen = { "first before last": await call({ gate: gate.address().port }, letPass) };
  gate.close();
  const [, , text, complete] = await call({ late: true });
  seen["fails in the middle"] = [text, complete.ErrorCode, JSON.parse(complete.ErrorDetails).errorMessage];
  console.log(JSON.stringify(seen));
}

main();
