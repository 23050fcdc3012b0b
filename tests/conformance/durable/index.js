// Durable functions on AWS's SDK for JavaScript, unmodified. The event says which one runs.
const { withDurableExecution, retryPresets } = require("@aws/durable-execution-sdk-js");

const runs = {
  async steps(event, context) {
    const doubled = await context.step("double", async () => event.number * 2);
    const retried = await context.step(
      "retried",
      async (step) => {
        const marker = `/tmp/durable-${event.mark}`;
        const fs = require("node:fs");
        const before = fs.existsSync(marker) ? Number(fs.readFileSync(marker)) : 0;
        fs.writeFileSync(marker, String(before + 1));
        if (before < 1) throw new Error("not yet");
        return before + 1;
      },
      { retryStrategy: (error, attempt) => ({ shouldRetry: attempt < 3, delay: { seconds: 1 } }) },
    );
    return { doubled, retried };
  },
  async waits(event, context) {
    await context.wait("nap", { seconds: 1 });
    return event.number + 1;
  },
  async callback(event, context) {
    const [promise, id] = await context.createCallback("answer", { timeout: { seconds: 60 } });
    await context.step("tell", async () => console.log(`callback ${id}`));
    return { answer: await promise };
  },
  async parallel(event, context) {
    const both = await context.parallel("both", [
      async (child) => child.step("one", async () => 1),
      async (child) => child.step("two", async () => 2),
    ]);
    const mapped = await context.map("items", [5, 6], async (child, item, index) =>
      child.step("add", async () => item + index),
    );
    return { both: both.getResults(), mapped: mapped.getResults() };
  },
  async child(event, context) {
    return context.runInChildContext("outer", async (inner) => {
      const one = await inner.step("one", async () => 1);
      return inner.step("two", async () => one + 1);
    });
  },
  async invokes(event, context) {
    return { other: await context.invoke("other", event.function, event.payload) };
  },
  async fails() {
    throw new TypeError("on purpose");
  },
};

exports.handler = withDurableExecution(async (event, context) => runs[event.run](event, context));
