// Runs once in each execution environment, during function init.
console.log("outside of the handler");

// Runs once for each invocation.
export const handler = async (event) => {
  console.log("inside of the handler");
  if (event.pause_ms) await new Promise((resolve) => setTimeout(resolve, event.pause_ms));
  return { greeting: `Hello, ${event.name ?? "world"}!` };
};
