'use strict';
// Hearth's runtime client for Node.js 18 and later: loads the function, then asks the Runtime API for events one
// after another and posts what the handler answers. To a function it looks like AWS's own client.
//
// Everything before the first `/next` is part of every cold start, so only `net` is loaded here. What is seldom
// needed is in files of its own: `errors.js` (reports of errors), `streaming.js` (streamed responses) and
// `invoke-store.js` (what SDKs ask for the trace id).
//
// Names of classes and methods that show in the stacks of functions are those of AWS's client.

const { Connection } = require('./connection.js');
const logs = require('./logs.js');

const PREFIX = '/2018-06-01/runtime/';
// From Node.js 24 on, AWS's client is another one: it has no callbacks, does not wait for an empty event loop, and
// leaves uncaught errors to Node.js.
const CALLBACKS = parseInt(process.versions.node, 10) < 24;
const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');
// Larger responses are sent alone: the server may refuse one while it is still being written.
const PIPELINED_CHARACTERS_MAX = 65536;

const errors = () => require('./errors.js');

// Booted ahead of its Init: stands still until somebody wants it. Nothing of the function has been read before.
if (process.argv.at(-1) === '--wait-for-init') {
  process.argv.pop();
  process.kill(process.pid, 'SIGSTOP');
}

// Opened now, so that the kernel connects while the function's code loads.
const connection = new Connection(process.env.AWS_LAMBDA_RUNTIME_API, `hearth-nodejs/${process.versions.node}`);
// Calls the handler with the event of a reply.
let handle;
let functionInitStart;
// What has to happen when nothing is left to do in the event loop. `null` between invocations.
let onDrained = null;
// The invocation that is running.
let current = null;
// Tells which modules are loaded, where a profile of that was asked for.
let profile = null;
// Set once an uncaught error is being reported: the process is about to end, and answers no more.
let ending = false;

// ---- Init -----------------------------------------------------------------------------------------------------

function start() {
  logs.patchConsole(CALLBACKS);
  if (CALLBACKS) {
    process.on('uncaughtException', (error) => die('Uncaught Exception', error, 129));
    process.on('unhandledRejection', (reason, promise) => {
      die('Unhandled Promise Rejection', new (errors().UnhandledPromiseRejection)(reason, promise), 128);
    });
    process.on('beforeExit', () => {
      const drained = onDrained;
      onDrained = null;
      if (drained) drained();
      // Loading is stuck at an `await`: the exit status that Node.js has for it.
      else if (!handle && !ending) process.exit(13);
    });
  }
  if (!/^(1|true)$/.test(process.env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA || '')) provideAwsLambda();

  // On AWS the client is an ES module, and a function finds no main module.
  process.mainModule = undefined;
  const { alongNodePath, load } = require('./handler.js');
  const { AWS_LAMBDA_RUNTIME_API, LAMBDA_TASK_ROOT, _HANDLER } = process.env;
  if (process.argv.at(-1) === '--profile-imports') {
    process.argv.pop();
    const { Profile } = require('./imports.js');
    const { parents } = alongNodePath();
    profile = new Profile(AWS_LAMBDA_RUNTIME_API, LAMBDA_TASK_ROOT, parents, () => {
      functionInitStart = process.hrtime.bigint();
      load(LAMBDA_TASK_ROOT, _HANDLER, CALLBACKS, begin, failInit, profile);
    });
    return;
  }
  functionInitStart = process.hrtime.bigint();
  load(LAMBDA_TASK_ROOT, _HANDLER, CALLBACKS, begin, failInit, null);
}

// Ends the profile, if there is one, before Init ends.
function endProfile(then) {
  const ended = profile;
  profile = null;
  if (ended) ended.end(then);
  else then();
}

function provideAwsLambda() {
  globalThis.awslambda = {
    ...globalThis.awslambda,
    streamifyResponse(streamed, options) {
      streamed[STREAMING] = 'response';
      if (typeof options?.highWaterMark === 'number') streamed[HIGH_WATER_MARK] = Math.trunc(options.highWaterMark);
      return streamed;
    },
    HttpResponseStream: class HttpResponseStream {
      // Puts status and headers before the first byte: their JSON, then eight zero bytes.
      static from(stream, metadata) {
        stream.setContentType('application/vnd.awslambda.http-integration-response');
        const prelude = JSON.stringify(metadata);
        stream._onBeforeFirstWrite = (write) => {
          write(prelude);
          write(new Uint8Array(8));
        };
        return stream;
      }
    },
  };
  if (CALLBACKS) return;
  let store;
  Object.defineProperty(globalThis.awslambda, 'InvokeStore', {
    enumerable: true,
    get: () => (store ??= require('./invoke-store.js').invokeStore(() => current)),
    set: (value) => (store = value),
  });
}

function begin(handler) {
  const streaming = handler[STREAMING];
  if (streaming && streaming !== 'response') {
    throw new (errors().MalformedStreamingHandler)('Only response streaming is supported.');
  }
  if (!streaming && !CALLBACKS && handler.length >= 3) {
    throw new (errors().CallbackHandlerDeprecated)(
      'ERROR: callback-based function handlers are not supported from Node.js 24 on. ' +
        'Return a value or a promise from the handler instead.',
    );
  }
  if (streaming) {
    const highWaterMark = Number(handler[HIGH_WATER_MARK]) || undefined;
    const { logError } = logs;
    const client = { connection, begun, contextOf, waiting, whenDrained, responsePath, goOn, logError };
    handle = require('./streaming.js').processor(handler, CALLBACKS, highWaterMark, client);
  } else if (CALLBACKS) {
    const runtime = new Runtime(handler);
    handle = runtime.handleOnceNonStreaming.bind(runtime);
  } else {
    const processor = new BufferedInvokeProcessor(handler);
    handle = processor.processInvoke.bind(processor);
  }
  // Not at once: a promise that loading left rejected without anybody to see it still fails Init.
  setImmediate(() => {
    if (ending) return;
    endProfile(() => {
      if (!ending) next(`Hearth-Function-Init-Start: ${functionInitStart}\r\n`);
    });
  });
}

function failInit(error) {
  if (CALLBACKS) return die('Uncaught Exception', error, 129);
  logs.logError('Init Error', error);
  // Nobody handles it: Node.js writes it, and ends.
  reportInit(error, () => Promise.reject(error));
}

function reportInit(error, then) {
  const report = errors().report(error);
  const headers =
    `Lambda-Runtime-Function-Error-Type: ${errors().headerValue(report.errorType)}\r\n` +
    `Hearth-Function-Init-Start: ${functionInitStart}\r\n`;
  endProfile(() => connection.postApart(`${PREFIX}init/error`, headers, JSON.stringify(report), then));
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
  // As a job of its own, so that the stacks of a function end where it was called.
  Promise.resolve(reply).then(handle);
}

// Begins an invocation.
function begun({ headers }) {
  const invocation = {
    id: headers['lambda-runtime-aws-request-id'],
    traceId: headers['lambda-runtime-trace-id'],
    answered: false,
  };
  current = invocation;
  logs.setRequest(invocation.id, headers['lambda-runtime-aws-tenant-id']);
  // Nothing of ours may keep the event loop alive while the handler runs: whether it is empty is the handler's.
  connection.unref();
  return invocation;
}

// Calls handlers as AWS's client up to Node.js 22 does.
class Runtime {
  constructor(handler) {
    this.handler = handler;
  }

  handleOnceNonStreaming(reply) {
    const invocation = begun(reply);
    onDrained = () => succeed(invocation, null);
    const context = callbackMembers(invocation);
    try {
      const event = JSON.parse(reply.body);
      const result = this.handler(event, contextOf(reply, context), invocation.callback);
      if (isPromise(result)) result.then(context.succeed, context.fail).catch(context.fail);
    } catch (error) {
      invocation.callback(error);
    }
  }
}

// Calls handlers as AWS's client from Node.js 24 on does.
class BufferedInvokeProcessor {
  constructor(handler) {
    this.handler = handler;
  }

  async processInvoke(reply) {
    const invocation = begun(reply);
    const context = contextOf(reply, {});
    const event = JSON.parse(reply.body);
    try {
      const result = await this.handler(event, context);
      await turn();
      succeed(invocation, result);
    } catch (error) {
      await turn();
      fail(invocation, error);
    }
  }
}

// What the handler has left for the next turn of the event loop comes before the answer.
function turn() {
  return new Promise((resolve) => setImmediate(resolve));
}

// Adds all that a handler is told besides the event, in the order of AWS's two clients: it shows when a function logs
// its context.
function contextOf({ headers }, context) {
  const { env } = process;
  const traceId = headers['lambda-runtime-trace-id'];
  if (traceId) env._X_AMZN_TRACE_ID = traceId;
  else delete env._X_AMZN_TRACE_ID;
  if (CALLBACKS) context.functionVersion = env.AWS_LAMBDA_FUNCTION_VERSION;
  else addHeaders(context, headers);
  context.functionName = env.AWS_LAMBDA_FUNCTION_NAME;
  context.functionVersion = env.AWS_LAMBDA_FUNCTION_VERSION;
  context.memoryLimitInMB = env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE;
  context.logGroupName = env.AWS_LAMBDA_LOG_GROUP_NAME;
  context.logStreamName = env.AWS_LAMBDA_LOG_STREAM_NAME;
  if (CALLBACKS) addHeaders(context, headers);
  return context;
}

function addHeaders(context, headers) {
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  context.clientContext = parsed(headers['lambda-runtime-client-context'], 'ClientContext');
  context.identity = parsed(headers['lambda-runtime-cognito-identity'], 'CognitoIdentity');
  context.invokedFunctionArn = headers['lambda-runtime-invoked-function-arn'];
  context.awsRequestId = headers['lambda-runtime-aws-request-id'];
  context.tenantId = headers['lambda-runtime-aws-tenant-id'];
  if (!CALLBACKS) context.xRayTraceId = headers['lambda-runtime-trace-id'] ?? '';
  context.getRemainingTimeInMillis = () => deadline - Date.now();
}

function parsed(json, name) {
  if (!json) return undefined;
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new Error(`Cannot parse ${name} as json: ${error}`);
  }
}

// Returns a context with whether the next event waits for an empty event loop, which the handler may change.
function waiting(invocation) {
  invocation.waits = true;
  return {
    get callbackWaitsForEmptyEventLoop() {
      return invocation.waits;
    },
    set callbackWaitsForEmptyEventLoop(value) {
      invocation.waits = value;
    },
  };
}

// The members of `context` that belong to the callback style. Only the first call of any of them counts.
function callbackMembers(invocation) {
  const once = (act) => (...values) => {
    if (invocation.settled) return;
    act(...values);
    invocation.settled = true;
  };
  const done = (error, result) => {
    onDrained = null;
    if (error !== undefined && error !== null) fail(invocation, error);
    else succeed(invocation, result);
  };
  invocation.callback = once((error, result) => {
    if ((error !== undefined && error !== null) || !invocation.waits) return done(error, result);
    onDrained = () => setImmediate(succeed, invocation, result);
  });
  const context = waiting(invocation);
  context.succeed = once((result) => done(null, result));
  context.fail = once((error) => done(error ?? 'handled', null));
  context.done = once(done);
  return context;
}

function isPromise(value) {
  return Boolean(value) && typeof value.then === 'function';
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
  if (body === undefined) throw new TypeError('Wrong arguments');
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
    const then = (reply) => {
      posted(reply);
      next();
    };
    connection.post(path, headers, body, then, () => next());
  } else {
    connection.postAndGet(path, headers, body, posted, `${PREFIX}invocation/next`, receive);
  }
}

// An answer that was refused, such as one that is too large (413): the caller has been told by the server, and the log
// says it in the words that people look for.
function posted({ status, body }) {
  if (status >= 200 && status <= 299) return;
  const told = `LAMBDA_RUNTIME Failed to post handler success response. Http response code: ${status}.`;
  process.stdout.write(`[ERROR] [${Date.now()}] ${told}${CALLBACKS ? '' : ` ${body}`}\n`);
}

function whenDrained(act) {
  onDrained = act;
}

// Asks for the next event after a streamed response, which is the answer.
function goOn(invocation) {
  if (invocation.answered || ending) return;
  invocation.answered = true;
  onDrained = null;
  next();
}

start();
