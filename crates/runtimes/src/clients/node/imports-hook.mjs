// The hooks of a profile in a thread of their own: before Node.js 22.15 there is no other way. See `imports.js`.

import modules from './imports-modules.js';

let marking;

export function initialize({ port, key }) {
  marking = new modules.Marking(key, (record) => port.postMessage(record));
}

export async function resolve(specifier, context, next) {
  let found;
  try {
    found = await next(specifier, context);
  } catch (error) {
    marking.unresolved(specifier, context, error);
    throw error;
  }
  return marking.resolved(specifier, context, found);
}

export async function load(url, context, next) {
  return marking.loaded(url, await next(url, context));
}
