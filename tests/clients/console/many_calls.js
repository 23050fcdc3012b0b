// Calls a function a great many times, eight at once. Arguments: its name, and how often.

const http = require("node:http");

const [name, number] = process.argv.slice(2);
const server = process.env.AWS_ENDPOINT_URL;

function callOne(agent) {
  return new Promise((resolve, reject) => {
    const request = http.request(`${server}/2015-03-31/functions/${name}/invocations`, { method: "POST", agent }, (answer) => {
      answer.resume();
      answer.on("end", () => (answer.statusCode === 200 ? resolve() : reject(new Error(`status ${answer.statusCode}`))));
    });
    request.on("error", reject);
    request.end("{}");
  });
}

async function callAll() {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
  let left = Number(number);
  const caller = async () => {
    while (left > 0) {
      left -= 1;
      await callOne(agent);
    }
  };
  await Promise.all(Array.from({ length: 8 }, caller));
  agent.destroy();
}

callAll().catch((error) => {
  console.error(error);
  process.exit(1);
});
