'use strict';
// Hearth's runtime client for Node.js 18 and later: loads the function, then asks the Runtime API for events one
// after another and posts what the handler answers. To a function it looks like AWS's own client.
//
// Everything before the first `/next` is part of every cold start, so only `net` is loaded here. What is seldom
// needed is in files of its own: `errors.js` (reports of errors) and `streaming.js` (streamed responses).

const { Connection } = require('./connection.js');
const logs = require('./logs.js');

const PREFIX = '/2018-06-01/runtime/';
// From Node.js 24 on, AWS's client has no callbacks, does not wait for an empty event loop, and leaves uncaught
// errors to Node.js.
const CALLBACKS = parseInt(process.versions.node, 10) < 24;
const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');
// Larger responses are sent alone: the server may refuse one while it is still being written.
const PIPELINED_CHARACTERS_MAX = 65536;

const errors = () => require('./errors.js');

// Opened now, so that the kernel connects while the function's code loads.
const connection = new Connection(process.env.AWS_LAMBDA_RUNTIME_API, `hearth-nodejs/${process.versions.node}`);
let handler;
let functionInitStart;
// What has to happen when nothing is left to do in the event loop. `null` between invocations.
let onDrained = null;
// The invocation that is running.
let current = null;
// Set once an uncaught error is being reported: the process is about to end, and answers no more.
let ending = false;

// ---- Init -----------------------------------------------------------------------------------------------------

function start() {
  logs.patchConsole(CALLBACKS ? 'undefined' : '-');
  if (CALLBACKS) {
    process.on('uncaughtException', (error) => die('Uncaught Exception', error, 129));
    process.on('unhandledRejection', (reason, promise) => {
      die('Unhandled Promise Rejection', new (errors().UnhandledPromiseRejection)(reason, promise), 128);
    });
  }
  process.on('beforeExit', () => {
    const drained = onDrained;
    onDrained = null;
    if (drained) drained();
  });
  if (!/^(1|true)$/.test(process.env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA || '')) provideAwsLambda();

  functionInitStart = process.hrtime.bigint();
  const { load } = require('./handler.js');
  load(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER, CALLBACKS, begin, failInit);
}

function provideAwsLambda() {
  globalThis.awslambda = {
    ...globalThis.awslambda,
    streamifyResponse(streamed, options) {
      streamed[STREAMING] = 'response';
      if (typeof options?.highWaterMark === 'number') streamed[HIGH_WATER_MARK] = Math.trunc(options.highWaterMark);
      return streamed;
    },
    HttpResponseStream: {
      // Puts status and headers before the first byte: their JSON, then eight zero bytes.
      from(stream, metadata) {
        stream.setContentType('application/vnd.awslambda.http-integration-response');
        stream._onBeforeFirstWrite = (write) => {
          write(JSON.stringify(metadata));
          write(new Uint8Array(8));
        };
        return stream;
      },
    },
  };
}

function begin(loaded) {
  handler = loaded;
  const streaming = handler[STREAMING];
  if (streaming && streaming !== 'response') {
    throw new (errors().MalformedStreamingHandler)('Only response streaming is supported.');
  }
  if (streaming) {
    const highWaterMark = Number(handler[HIGH_WATER_MARK]) || undefined;
    const { ResponseStream } = require('./streaming.js');
    invoke = (event, context, invocation) => {
      stream(event, context, invocation, new ResponseStream(connection, responsePath(invocation), highWaterMark));
    };
  } else if (!CALLBACKS && handler.length >= 3) {
    throw new (errors().CallbackHandlerDeprecated)(
      'ERROR: callback-based function handlers are not supported from Node.js 24 on. ' +
        'Return a value or a promise from the handler instead.',
    );
  }
  // Not at once: a promise that loading left rejected without anybody to see it still fails Init.
  setImmediate(() => {
    if (!ending) next(`Hearth-Function-Init-Start: ${functionInitStart}\r\n`);
  });
}

function failInit(error) {
  if (CALLBACKS) return die('Uncaught Exception', error, 129);
  logs.logError('Init Error', error);
  reportInit(error, () => {
    throw error;
  });
}

function reportInit(error, then) {
  const report = errors().report(error);
  const headers =
    `Lambda-Runtime-Function-Error-Type: ${errors().headerValue(report.errorType)}\r\n` +
    `Hearth-Function-Init-Start: ${functionInitStart}\r\n`;
  connection.postApart(`${PREFIX}init/error`, headers, JSON.stringify(report), then);
}

// Ends the process after an error that nobody caught; whoever waits for an answer gets it as the answer.
function die(title, error, exitCode) {
  if (ending) return;
  ending = true;
  logs.logError(title, error);
  const exit = () => process.exit(exitCode);
  if (!current) return reportInit(error, exit);
  const { body, headers } = errors().post(error);
  connection.postApart(`${PREFIX}invocation/${current.id}/error`, headers, body, exit);
}

// ---- Invoke ---------------------------------------------------------------------------------------------------

function next(headers = '') {
  connection.get(`${PREFIX}invocation/next`, headers, receive);
}

function receive(reply) {
  if (reply.status < 200 || reply.status > 299) {
    console.error(`The Runtime API refused /next with status ${reply.status}: ${reply.body}`);
    process.exit(1);
  }
  const { headers } = reply;
  const invocation = { id: headers['lambda-runtime-aws-request-id'], answered: false, pending: false };
  current = invocation;
  logs.setRequest(invocation.id, headers['lambda-runtime-aws-tenant-id']);
  // Nothing of ours may keep the event loop alive while the handler runs: whether it is empty is the handler's.
  connection.unref();
  onDrained = () => drained(invocation);
  try {
    const context = contextOf(headers, invocation);
    invoke(JSON.parse(reply.body), context, invocation);
  } catch (error) {
    fail(invocation, error);
  }
}

function contextOf(headers, invocation) {
  const traceId = headers['lambda-runtime-trace-id'];
  if (traceId) process.env._X_AMZN_TRACE_ID = traceId;
  else delete process.env._X_AMZN_TRACE_ID;
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const context = CALLBACKS ? callbackMembers(invocation) : {};
  context.functionVersion = process.env.AWS_LAMBDA_FUNCTION_VERSION;
  context.functionName = process.env.AWS_LAMBDA_FUNCTION_NAME;
  context.memoryLimitInMB = process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE;
  context.logGroupName = process.env.AWS_LAMBDA_LOG_GROUP_NAME;
  context.logStreamName = process.env.AWS_LAMBDA_LOG_STREAM_NAME;
  context.clientContext = parsed(headers['lambda-runtime-client-context'], 'ClientContext');
  context.identity = parsed(headers['lambda-runtime-cognito-identity'], 'CognitoIdentity');
  context.invokedFunctionArn = headers['lambda-runtime-invoked-function-arn'];
  context.awsRequestId = invocation.id;
  context.tenantId = headers['lambda-runtime-aws-tenant-id'];
  if (!CALLBACKS) context.xRayTraceId = traceId;
  context.getRemainingTimeInMillis = () => deadline - Date.now();
  return context;
}

function parsed(json, name) {
  if (!json) return undefined;
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new Error(`Cannot parse ${name} as json: ${error}`);
  }
}

// The members of `context` that belong to the callback style. Only the first call of any of them counts.
function callbackMembers(invocation) {
  const once = (act) => (...values) => {
    if (invocation.settled) return;
    act(...values);
    invocation.settled = true;
  };
  const done = (error, result) => {
    if (error !== undefined && error !== null) fail(invocation, error);
    else succeed(invocation, result);
  };
  invocation.waits = true;
  invocation.callback = once((error, result) => {
    if ((error !== undefined && error !== null) || !invocation.waits) return done(error, result);
    onDrained = () => setImmediate(succeed, invocation, result);
  });
  return {
    get callbackWaitsForEmptyEventLoop() {
      return invocation.waits;
    },
    set callbackWaitsForEmptyEventLoop(value) {
      invocation.waits = value;
    },
    succeed: once((result) => done(null, result)),
    fail: once((error) => done(error ?? 'handled', null)),
    done: once(done),
  };
}

let invoke = CALLBACKS
  ? (event, context, invocation) => {
      const result = handler(event, context, invocation.callback);
      if (!isPromise(result)) return;
      invocation.pending = true;
      result.then(context.succeed, context.fail).catch(context.fail);
    }
  : (event, context, invocation) => {
      const result = handler(event, context);
      if (!isPromise(result)) return succeed(invocation, result);
      invocation.pending = true;
      result.then((value) => succeed(invocation, value)).catch((error) => fail(invocation, error));
    };

function isPromise(value) {
  return Boolean(value) && typeof value.then === 'function';
}

// The event loop is empty and the handler has not answered.
function drained(invocation) {
  if (!invocation.pending) return succeed(invocation, null);
  fail(
    invocation,
    new (errors().NodeJsExit)('The event loop is empty, but the promise of the handler was never settled.'),
  );
}

function responsePath(invocation) {
  return `${PREFIX}invocation/${invocation.id}/response`;
}

function succeed(invocation, result) {
  if (invocation.answered) {
    console.error('The invocation has been answered already: a second answer is ignored.');
    return;
  }
  let body;
  try {
    body = JSON.stringify(result === undefined ? null : result);
  } catch {
    const UnableToStringify = CALLBACKS ? Error : errors().JSONStringifyError;
    throw new UnableToStringify('Unable to stringify response body');
  }
  // A function or a symbol has no JSON.
  if (body === undefined) body = 'null';
  answer(invocation, responsePath(invocation), '', body);
}

function fail(invocation, error) {
  if (invocation.answered) return;
  logs.logError('Invoke Error', error);
  const { body, headers } = errors().post(error);
  answer(invocation, `${PREFIX}invocation/${invocation.id}/error`, headers, body);
}

function answer(invocation, path, headers, body) {
  invocation.answered = true;
  if (ending) return;
  onDrained = null;
  if (body.length > PIPELINED_CHARACTERS_MAX) {
    // Whether it was taken or refused (413): the caller has been told by the server.
    connection.post(path, headers, body, () => next(), () => next());
  } else {
    connection.postAndGet(path, headers, body, `${PREFIX}invocation/next`, receive);
  }
}

// ---- Streamed responses -----------------------------------------------------------------------------------------

async function stream(event, context, invocation, response) {
  if (CALLBACKS) {
    for (const member of ['succeed', 'fail', 'done']) delete context[member];
  }
  onDrained = () => goOn(invocation);
  try {
    const result = handler(event, response, context);
    if (!isPromise(result)) throw errorOf('Streaming does not support non-async handlers.');
    if ((await result) !== undefined) console.warn('Streaming handlers ignore return values.');
    await response.replied;
    connection.unref();
    if (!response.writableFinished) throw errorOf('Response stream is not finished.');
  } catch (error) {
    logs.logError('Invoke Error', error);
    await response.fail(errors().report(error));
    return goOn(invocation);
  }
  if (invocation.waits) onDrained = () => setImmediate(goOn, invocation);
  else goOn(invocation);
}

// AWS's client reports these as text up to Node.js 22 and as errors from 24 on.
function errorOf(message) {
  return CALLBACKS ? message : new Error(message);
}

function goOn(invocation) {
  if (invocation.answered || ending) return;
  invocation.answered = true;
  onDrained = null;
  next();
}

start();
