'use strict';
// What the Runtime API and the log are told about errors. Loaded when the first one happens.

// The server crops the cause at this size, and more would only endanger the request.
const XRAY_CAUSE_CHARACTERS_MAX = 65536;
// The frame of the client's file itself (see `clients.rs`): below it is only how Node.js has started it.
const CLIENT_FILE = '\n    at Object.<anonymous> (file:///var/runtime/index.mjs:';
// AWS's client from Node.js 24 on takes less for an error.
const STRICT = parseInt(process.versions.node, 10) >= 24;

// JSON logs show the names of classes, of which some end in `Error` in AWS's client from Node.js 24 on.
function named(name, className = name) {
  class RuntimeError extends Error {
    constructor(message) {
      super(message);
      if (STRICT) this.name = `Runtime.${name}`;
    }
  }
  Object.defineProperty(RuntimeError, 'name', { value: STRICT ? className : name });
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
    if (isError(error)) {
      const { stack } = error;
      return {
        errorType: withoutDel(error.name),
        errorMessage: withoutDel(error.message),
        trace: STRICT && !stack ? [] : withoutDel(withoutStart(stack)).split('\n'),
      };
    }
    return { errorType: typeof error, errorMessage: STRICT ? String(error) : error.toString(), trace: [] };
  } catch {
    return {
      errorType: 'handled',
      errorMessage: 'The handler failed with a value whose name, message or stack cannot be read.',
      ...(STRICT ? { trace: [] } : {}),
    };
  }
}

function isError(error) {
  if (STRICT) return error instanceof Error;
  if (require('util').types.isNativeError(error)) return true;
  return [error.name, error.message, error.stack].every((member) => member && typeof member === 'string');
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
      const frames = withoutDel(withoutStart(error.stack)).split('\n').slice(1);
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
    if (typeof value.stack === 'string') members.stack = withoutStart(value.stack).split('\n');
    return members;
  };
  try {
    return JSON.stringify(error, expand);
  } catch {
    return JSON.stringify(report(error));
  }
}

// Cuts off how this client was started: it says nothing about the function.
function withoutStart(stack) {
  const start = stack.indexOf(CLIENT_FILE);
  return start < 0 ? stack : stack.slice(0, start);
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
  HandlerNotFound: named('HandlerNotFound', 'HandlerNotFoundError'),
  MalformedHandlerName: named('MalformedHandlerName', 'MalformedHandlerNameError'),
  UserCodeSyntaxError: named('UserCodeSyntaxError'),
  MalformedStreamingHandler: named('MalformedStreamingHandler'),
  InvalidStreamingOperation: named('InvalidStreamingOperation'),
  CallbackHandlerDeprecated: named('CallbackHandlerDeprecated', 'CallbackHandlerDeprecatedError'),
  JSONStringifyError: named('JSONStringifyError'),
  UnhandledPromiseRejection,
  report,
  post,
  describe,
  headerValue,
};
