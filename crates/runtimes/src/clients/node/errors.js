'use strict';
// What the Runtime API and the log are told about errors. Loaded when the first one happens.

// The server crops the cause at this size, and more would only endanger the request.
const XRAY_CAUSE_CHARACTERS_MAX = 65536;

function named(name) {
  class RuntimeError extends Error {}
  Object.defineProperty(RuntimeError, 'name', { value: name });
  RuntimeError.prototype.name = `Runtime.${name}`;
  return RuntimeError;
}

class UnhandledPromiseRejection extends named('UnhandledPromiseRejection') {
  constructor(reason, promise) {
    super(reason);
    this.reason = reason;
    this.promise = promise;
  }
}

// Returns what is posted as the body: type, message and stack of whatever was thrown.
function report(error) {
  try {
    const complete = typeof error?.name === 'string' && typeof error?.stack === 'string';
    if (require('util').types.isNativeError(error) || (complete && error.message)) {
      return {
        errorType: withoutDel(error.name),
        errorMessage: withoutDel(error.message),
        trace: withoutDel(withoutClient(error.stack)).split('\n'),
      };
    }
    return { errorType: typeof error, errorMessage: error.toString(), trace: [] };
  } catch {
    return {
      errorType: 'handled',
      errorMessage: 'The handler failed with a value whose name, message or stack cannot be read.',
    };
  }
}

// Returns body and headers of a failed invocation's answer.
function post(error) {
  const cause = xrayCause(error);
  const fits = cause !== '' && cause.length <= XRAY_CAUSE_CHARACTERS_MAX;
  return {
    body: JSON.stringify(report(error)),
    headers: fits ? `Lambda-Runtime-Function-XRay-Error-Cause: ${cause}\r\n` : '',
  };
}

function xrayCause(error) {
  try {
    const stack = [];
    if (error.stack) {
      const frames = withoutDel(withoutClient(error.stack)).split('\n').slice(1);
      for (const frame of frames) stack.push(stackEntry(frame));
    }
    const exception = { type: withoutDel(error.name), message: withoutDel(error.message), stack };
    const paths = [...new Set(stack.map((entry) => entry.path))];
    return JSON.stringify({ working_directory: process.cwd(), exceptions: [exception], paths });
  } catch {
    return '';
  }
}

// Reads `    at label (path:line:column)` and `    at path:line:column`.
function stackEntry(frame) {
  const words = frame.trim().replace(/[()]/g, '');
  const rest = words.slice(words.indexOf(' ') + 1);
  const space = rest.lastIndexOf(' ');
  const label = space > 0 ? rest.slice(0, space) : 'anonymous';
  const [path, line] = rest.slice(space > 0 ? space + 1 : 0).split(':');
  return { path, line: parseInt(line, 10), label };
}

// Returns the JSON that stands in the log: the error with its own members and its stack as a list.
function describe(error) {
  const expand = (_name, value) => {
    if (!(value instanceof Error)) return value;
    const members = { errorType: value.name, errorMessage: value.message, code: value.code, ...value };
    if (typeof value.stack === 'string') members.stack = withoutClient(value.stack).split('\n');
    return members;
  };
  try {
    return JSON.stringify(error, expand);
  } catch {
    return JSON.stringify(report(error));
  }
}

// Cuts off how this client came to call the function: it says nothing about the function.
function withoutClient(stack) {
  const lines = stack.split('\n');
  let end = lines.length;
  for (let at = lines.length - 1; at > 0; at--) {
    if (lines[at].includes(__dirname)) end = at;
    else if (!/^ {4}at .*\bnode:/.test(lines[at])) break;
  }
  return lines
    .slice(0, end)
    .filter((line) => !line.includes(__dirname))
    .join('\n');
}

// DEL is not allowed in a header.
function withoutDel(text) {
  return text === undefined ? undefined : text.replace(/\x7f/g, '%7F');
}

function headerValue(text) {
  return String(text).replace(/[^\x20-\x7e]/g, '_');
}

module.exports = {
  ImportModuleError: named('ImportModuleError'),
  HandlerNotFound: named('HandlerNotFound'),
  MalformedHandlerName: named('MalformedHandlerName'),
  UserCodeSyntaxError: named('UserCodeSyntaxError'),
  MalformedStreamingHandler: named('MalformedStreamingHandler'),
  InvalidStreamingOperation: named('InvalidStreamingOperation'),
  CallbackHandlerDeprecated: named('CallbackHandlerDeprecated'),
  JSONStringifyError: named('JSONStringifyError'),
  NodeJsExit: named('NodeJsExit'),
  UnhandledPromiseRejection,
  report,
  post,
  describe,
  headerValue,
};
