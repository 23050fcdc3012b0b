// Runs once in an environment: in its Init phase.
console.log('outside of the handler: a new environment');
let invocations = 0;

// Runs for every event.
export const handler = async (event, context) => {
  invocations += 1;
  console.log(`inside of the handler: invocation ${invocations} of this environment`);
  if (event.pause_ms) await new Promise((resolve) => setTimeout(resolve, event.pause_ms));
  return { message: `Hello, ${event.name ?? 'world'}!`, invocations, logStream: context.logStreamName };
};
