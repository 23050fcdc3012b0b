'use strict';
// `console` as Lambda has it: every call is one record with time, request id and level. Records go to the descriptor
// that the service names, framed, so that one of many lines stays together; without one, to standard output.

const fs = require('fs');

const LEVELS = { TRACE: 1, DEBUG: 2, INFO: 3, WARN: 4, ERROR: 5, FATAL: 6 };
const METHODS = { trace: 'TRACE', debug: 'DEBUG', info: 'INFO', log: 'INFO', warn: 'WARN', error: 'ERROR', fatal: 'FATAL' };
// The first word of a frame: text or JSON, with a time; the level is added in bits 2 to 4.
const FRAME_TEXT = 0xa55a0003;
const FRAME_JSON = 0xa55a0002;
const FRAME_HEADER_BYTES = 16;

let requestId;
let tenantId;
let logFd;
let json = false;
// Whether AWS's client is the one up to Node.js 22.
let callbacks;

function patchConsole(isWithCallbacks) {
  callbacks = isWithCallbacks;
  requestId = callbacks ? undefined : '-';
  const fd = parseInt(process.env._LAMBDA_TELEMETRY_LOG_FD, 10);
  delete process.env._LAMBDA_TELEMETRY_LOG_FD;
  if (fd >= 0) logFd = fd;
  json = process.env.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === 'JSON';
  const least = LEVELS[process.env.AWS_LAMBDA_LOG_LEVEL?.toUpperCase()] || LEVELS.TRACE;
  for (const method of Object.keys(METHODS)) {
    const level = METHODS[method];
    console[method] = LEVELS[level] >= least ? (...values) => write(level, values) : () => {};
  }
}

function setRequest(id, tenant) {
  requestId = id;
  tenantId = tenant;
  if (!callbacks) return;
  // Where AWS's client up to Node.js 22 keeps them, and libraries look for them.
  globalThis[Symbol.for('aws.lambda.runtime.requestId')] = id;
  globalThis[Symbol.for('aws.lambda.runtime.tenantId')] = tenant;
}

// Writes the record of an error that ended an invocation, an Init or the process.
function logError(title, thrown) {
  const error = thrown instanceof Error ? thrown : new Error(callbacks ? thrown : String(thrown));
  if (json) console.error(error);
  else console.error(title, `\t${require('./errors.js').describe(error)}`);
}

function write(level, values) {
  const now = new Date();
  const time = now.toISOString();
  const text = json ? jsonRecord(time, level, values) : `${time}\t${requestId}\t${level}\t${format(values)}`;
  if (logFd === undefined) {
    // A record is one line: the service splits standard output at line ends.
    process.stdout.write(`${text.replace(/\n/g, '\r')}\n`);
  } else {
    writeFrame((json ? FRAME_JSON : FRAME_TEXT) + LEVELS[level] * 4, now, json ? text : `${text}\n`);
  }
}

function format(values) {
  if (values.length === 1 && typeof values[0] === 'string') return values[0];
  // `console.log()` is an empty argument list to us, but a missing message to AWS's client.
  const util = require('util');
  const message = values.length === 0 ? [undefined] : values;
  // How it is called shows in the stack of an error in there.
  return callbacks ? util.format(...message) : (0, util.format)(...message);
}

function jsonRecord(timestamp, level, values) {
  const record = { timestamp, level, requestId };
  if (tenantId) record.tenantId = tenantId;
  if (values.length <= 1) {
    record.message = values[0];
    try {
      return JSON.stringify(record, withErrorMembers);
    } catch {
      record.message = format(values);
      return JSON.stringify(record);
    }
  }
  record.message = format(values);
  const error = values.find((value, at) => value instanceof Error && (callbacks || at > 0));
  if (error) {
    record.errorType = error.constructor?.name ?? 'UnknownError';
    record.errorMessage = error.message;
    record.stackTrace = typeof error.stack === 'string' ? error.stack.split('\n') : [];
  }
  return JSON.stringify(record);
}

function withErrorMembers(_name, value) {
  if (!(value instanceof Error)) return value;
  return {
    errorType: value.constructor?.name ?? 'UnknownError',
    errorMessage: value.message,
    stackTrace: typeof value.stack === 'string' ? value.stack.split('\n') : value.stack,
    ...value,
  };
}

function writeFrame(type, now, text) {
  const length = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + length);
  frame.writeUInt32BE(type, 0);
  frame.writeUInt32BE(length, 4);
  frame.writeBigInt64BE(BigInt(now.getTime()) * 1000n, 8);
  frame.utf8Write(text, FRAME_HEADER_BYTES, length);
  // One write, so that nothing of another thread or process gets in between.
  let written = 0;
  while (written < frame.length) {
    try {
      written += fs.writeSync(logFd, frame, written);
    } catch (error) {
      // Whoever reads our logs is gone, and there is nowhere left to say so.
      if (error.code !== 'EAGAIN') return;
      // The pipe is full. It shares its mode with standard output, which Node.js makes non-blocking.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

module.exports = { patchConsole, setRequest, logError };
