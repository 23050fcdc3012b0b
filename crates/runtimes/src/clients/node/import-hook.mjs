// Finds packages along NODE_PATH for `import`, in Node.js before 22.15: there, only a thread of its own can.
// `handler.js` starts it when an import has failed for the want of it.

let parents;
let mark;

export function initialize(data) {
  ({ parents, mark } = data);
}

export async function resolve(specifier, context, next) {
  let found;
  try {
    found = await next(specifier, context);
  } catch (error) {
    if (error?.code !== 'ERR_MODULE_NOT_FOUND' || /^([./]|[a-z]+:)/i.test(specifier)) throw error;
    for (const parentURL of parents) {
      try {
        found = await next(specifier, { ...context, parentURL });
        break;
      } catch {
        // It is not there either.
      }
    }
    if (!found) throw error;
  }
  // Under another name Node.js loads again what it remembers as failed.
  const isOfFunction = found.url.startsWith('file:') && !found.url.includes('/node_modules/');
  return isOfFunction && !found.url.includes('#') ? { ...found, url: found.url + mark } : found;
}
