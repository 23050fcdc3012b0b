// The least that a Node.js runtime can do: the Runtime API over a plain socket, nothing checked, nothing logged. Like
// AWS's clients it waits for the reply to its response before it asks for the next event.
import net from "node:net";

const handler = async (event) => event;
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const next = `GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
const socket = net.connect({ host, port: Number(port), noDelay: true }, () => socket.write(next));
let received = Buffer.alloc(0);
let isRunning = false;

socket.on("data", async (bytes) => {
  received = received.length === 0 ? bytes : Buffer.concat([received, bytes]);
  const headEnd = received.indexOf("\r\n\r\n");
  if (headEnd < 0) return;
  const head = received.latin1Slice(0, headEnd);
  const bodyEnd = headEnd + 4 + Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
  if (received.length < bodyEnd) return;
  const body = received.subarray(headEnd + 4, bodyEnd);
  received = received.subarray(bodyEnd);

  if (isRunning) {
    isRunning = false;
    socket.write(next);
    return;
  }
  isRunning = true;
  const id = /^lambda-runtime-aws-request-id: (.+)$/im.exec(head)[1];
  const answer = JSON.stringify(await handler(JSON.parse(body)));
  socket.write(
    `POST /2018-06-01/runtime/invocation/${id}/response HTTP/1.1\r\nHost: ${host}\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(answer)}\r\n\r\n${answer}`,
  );
});
socket.on("error", () => process.exit());
