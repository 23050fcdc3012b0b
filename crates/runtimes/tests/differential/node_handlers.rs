//! The handlers in JavaScript.

use hearth_types::LogLevel;

use crate::support::{Case, case};
use crate::{Chapter, Handler};

fn index(source: &str) -> Case {
    case("index.handler", &[("index.js", source)])
}

/// An async handler with one statement.
fn does(statement: &str) -> Case {
    index(&format!("exports.handler = async (event, context) => {{ {statement} }};\n"))
}

/// Many async handlers in one process, called one after the other: each is one statement.
fn each(statements: &[&str]) -> Case {
    let mut source = String::from("const handlers = [\n");
    for statement in statements {
        source.push_str(&format!("async (event, context) => {{ {statement} }},\n"));
    }
    source.push_str("];\nexports.handler = (event, context) => handlers[event](event, context);\n");
    let numbers: Vec<_> = (0..statements.len()).map(|number| number.to_string()).collect();
    index(&source).events(&numbers.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A handler with a callback and one statement.
fn calls_back(statement: &str) -> Case {
    index(&format!("exports.handler = (event, context, callback) => {{ {statement} }};\n"))
}

fn streams(body: &str) -> Case {
    index(&format!(
        "exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {{ {body} }});\n"
    ))
}

const LOGS: &str = "console.log('loading');
exports.handler = async (event, context) => {
  process.stdout.write('begun ');
  console.log('two\\nlines %s %d %j', 'é', 1.5, { j: 1 }, { a: [1, { b: { c: { d: 1 } } }] }, null, undefined);
  for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal']) console[level](level);
  process.stdout.write('plain\\n');
  process.stderr.write('to stderr\\n');
  console.log();
  console.log('');
  console.log({ order: 7, when: new Date(0), map: new Map([[1, 2]]), big: 1n }, [1], 'x');
  console.log({ order: 7 });
  console.log(10n);
  console.log([1, 'two', { three: 3 }]);
  console.log(undefined);
  console.log(Symbol('s'), () => 1);
  const circle = {}; circle.circle = circle;
  console.log(circle);
  console.error('because', new RangeError('far').message);
  console.table([{ a: 1 }]);
  console.dir({ dir: 1 });
  console.assert(false, 'asserted');
  console.group('grouped'); console.log('inside'); console.groupEnd();
  console.count();
};
";

const LOGGED_ERRORS: &str =
    "class ShopError extends Error { constructor(m) { super(m); this.name = 'Shop'; this.code = 'E1'; } }
exports.handler = async () => {
  const error = new ShopError('é\\nsecond', { cause: new Error('first') });
  console.error(error);
  console.error('with words', error);
  console.error({ nested: error });
  console.error(error, 'behind');
  const bare = new Error('bare'); bare.stack = undefined;
  console.error(bare);
  console.error('x', bare);
};
";

/// Returns the chapters of handlers.
pub(crate) fn chapters() -> Vec<Chapter> {
    vec![
        ("values", values()),
        ("loading", loading()),
        ("callbacks", callbacks()),
        ("surroundings", surroundings()),
        ("errors", errors()),
        ("ends", ends()),
        ("logs", logs()),
        ("json", crate::node_json_handlers::handlers()),
        ("json while loading", crate::node_json_handlers::loading()),
        ("streaming", streaming()),
    ]
}

fn values() -> Vec<Handler> {
    vec![
        (
            "several events, one after the other",
            index(
                "let seen = 0;
exports.handler = async (event) => [++seen, event];
",
            )
            .events(&[
                "{\"a\": 1}",
                " [1.5, null, true] ",
                "\"é\\ud83d\\ude00\"",
                "1e400",
                "-0",
                "12345678901234567890",
            ]),
        ),
        (
            "values",
            each(&[
                "",
                "return null;",
                "return [1, 1.5, -0, 1e21, 1e-7, NaN, Infinity, 2 ** 53];",
                "return ['é', '\\u2028', '😀', '\\u0000\\u001f\\u007f', '\\ud83d', '\\\\ \" / <&>'];",
                "return { n: 10n };",
                "return { d: new Date(0), b: Buffer.from('hi'), u: new Uint8Array(2), m: new Map([[1, 2]]), s: new Set([1]), r: /x/, \
            f: () => 1, y: Symbol('y'), n: undefined, e: new Error('x'), j: { toJSON: () => 'told' } };",
                "return () => 1;",
                "return Symbol('s');",
                "return { toJSON() { throw new TypeError('no'); } };",
                "const a = {}; a.a = a; return a;",
                "return 'x'.repeat(200000);",
            ]),
        ),
        (
            "an object that can be awaited",
            index("exports.handler = () => ({ then: (resolve) => resolve('then') });"),
        ),
        ("a value that is not promised", index("exports.handler = () => 5;")),
        ("events that are not JSON", does("return event;").events(&["{", "", "nope", "1"])),
        (
            "an event of other bytes",
            does("return event;").events(&["[1]"]).headers(&[("Content-Type", "text/csv")]),
        ),
    ]
}

fn loading() -> Vec<Handler> {
    vec![
        (
            "an ES module with a top-level await",
            case(
                "index.handler",
                &[(
                    "index.mjs",
                    "const word = await Promise.resolve('esm');\nexport const handler = async () => [word, typeof require, import.meta.url.slice(-10)];",
                )],
            ),
        ),
        (
            "an ES module by package.json",
            case(
                "src/index.handler",
                &[
                    ("package.json", r#"{"type": "module"}"#),
                    ("src/index.js", "export const handler = async () => typeof module;"),
                ],
            ),
        ),
        (
            "a broken package.json",
            case("index.handler", &[("package.json", "{"), ("index.js", "exports.handler = async () => 1;")]),
        ),
        (
            "a default export",
            case("index.handler", &[("index.mjs", "export default { handler: async () => 'default' };")]),
        ),
        ("a .cjs file", case("index.handler", &[("index.cjs", "exports.handler = async () => 'cjs';")])),
        (
            "a folder",
            case("folder.handler", &[("folder/index.js", "exports.handler = async () => 'folder';")]),
        ),
        ("a nested export", case("index.a.b", &[("index.js", "exports.a = { b: async () => 'nested' };")])),
        (
            "a file in a folder",
            case("src/deep/app.handler", &[("src/deep/app.js", "exports.handler = async () => __filename;")]),
        ),
        (
            "a module of node_modules",
            case(
                "thing.handler",
                &[("node_modules/thing/index.js", "exports.handler = async () => 'module';")],
            ),
        ),
        (
            "a file without an extension",
            case("index.handler", &[("index", "exports.handler = async () => 'bare';")]),
        ),
        ("ES syntax in a CommonJS file", index("export const handler = async () => 1;")),
        ("no such module", case("nope.handler", &[])),
        ("no such module in a folder", case("src/nope.handler", &[("src/index.js", "")])),
        ("a module that requires what is missing", index("require('missing-thing');")),
        (
            "an ES module that imports what is missing",
            case("index.handler", &[("index.mjs", "import 'missing-thing';")]),
        ),
        (
            "an ES module that imports a name that is missing",
            case("index.handler", &[("index.mjs", "import { nope } from 'fs';")]),
        ),
        ("no such export", index("exports.other = 1;")),
        ("an export that is not a function", index("exports.handler = 1;")),
        ("a handler without a dot", case("index", &[("index.js", "")])),
        ("a handler that leaves the folder", case("../index.handler", &[])),
        ("wrong syntax", index("exports.handler = (")),
        (
            "wrong syntax of a required file",
            case("index.handler", &[("index.js", "require('./other.js');"), ("other.js", "let let = 1;")]),
        ),
        ("wrong syntax in an ES module", case("index.handler", &[("index.mjs", "export const = 1;")])),
        (
            "an exception at the top of the module",
            index("function fail() { throw new Error('too early'); }\nfail();").framed(),
        ),
        (
            "an exception at the top of an ES module",
            case("index.handler", &[("index.mjs", "throw new TypeError('too early');")]),
        ),
        ("text thrown at the top of the module", index("throw 'words';")),
        ("null thrown at the top of the module", index("throw null;")),
        (
            "a top-level await that never ends",
            case("index.handler", &[("index.mjs", "await new Promise(() => {});")]),
        ),
        ("the end of the process while loading", index("console.log('bye'); process.exit(7);")),
        (
            "an exception of a timer while loading",
            case(
                "index.handler",
                &[(
                    "index.mjs",
                    "setTimeout(() => { throw new Error('timer'); }, 1); await new Promise((r) => setTimeout(r, 10000)); export const handler = async () => 1;",
                )],
            ),
        ),
        (
            "what is required is there",
            index(
                "exports.handler = async () => [typeof require.main, module.parent && typeof module.parent, module.paths[0], require.resolve('./index.js')];",
            ),
        ),
    ]
}

fn callbacks() -> Vec<Handler> {
    vec![
        ("a callback", calls_back("callback(null, { a: 1 });")),
        ("a callback that waits for an empty event loop", calls_back("setTimeout(() => console.log('later'), 20); callback(null, 'now');")),
        ("a callback that does not wait", calls_back("context.callbackWaitsForEmptyEventLoop = false; if (event === 1) setTimeout(() => console.log('much later'), 1000000); callback(null, event);").events(&["1", "2"])),
        ("a callback with an error", calls_back("setTimeout(() => callback(new RangeError('far')), 1);").framed()),
        ("a callback with text as the error", calls_back("callback('why');").events(&["1", "2"])),
        ("a callback that is never called", calls_back("")),
        ("a callback that is called twice", calls_back("callback(null, 1); callback(null, 2);")),
        ("a callback of an async handler", index("exports.handler = async (event, context, callback) => { callback(null, 'called back'); return 'returned'; };").events(&["1", "2"])),
        ("an answer after an answer", index("exports.handler = async (event, context, callback) => { context.callbackWaitsForEmptyEventLoop = false; callback(null, 'called back'); return 'returned'; };").events(&["1", "2"])),
        ("context.succeed", index("exports.handler = (event, context) => { context.succeed(event); };").events(&["1", "2"])),
        ("context.succeed of a circle", index("exports.handler = (event, context) => { const a = {}; a.a = a; context.succeed(a); };")),
        ("context.fail", index("exports.handler = (event, context) => { context.fail('why'); };")),
        ("context.fail without a reason", index("exports.handler = (event, context) => { context.fail(); };")),
        ("context.done", index("exports.handler = (event, context) => { context.done(null, 'done'); };")),
        ("context.done with an error", index("exports.handler = (event, context) => { context.done(new Error('undone'), 'done'); };")),
        ("only the first answer counts", calls_back("context.succeed(1); context.fail(2); callback(3);")),
        ("a callback and then an exception", calls_back("callback(null, 1); throw new Error('then');").events(&["1", "2"])),
        ("an exception of a handler with a callback", calls_back("throw new Error('at once');")),
        ("the handler's this", index("exports.handler = async function () { return [this === undefined, this && this.constructor.name, arguments.length]; };")),
    ]
}

fn surroundings() -> Vec<Handler> {
    const CONTEXT: &str = "exports.handler = async (event, context) => {
  const left = context.getRemainingTimeInMillis();
  return [typeof left, Number.isInteger(left), Object.keys(context), context];
};";
    vec![
        ("the context", index(CONTEXT)),
        ("the context with everything", index(CONTEXT).headers(&[
            ("Lambda-Runtime-Client-Context", r#"{"custom":{"k":"é"}}"#),
            ("Lambda-Runtime-Cognito-Identity", r#"{"cognitoIdentityId":"me"}"#),
            ("Lambda-Runtime-Aws-Tenant-Id", "blue"),
        ])),
        ("a client context that is not JSON", index(CONTEXT).headers(&[("Lambda-Runtime-Client-Context", "{")])),
        ("the environment", does("const { AWS_LAMBDA_RUNTIME_API, ...rest } = process.env; return Object.entries(rest).sort();").framed()),
        ("the trace id", does("return process.env._X_AMZN_TRACE_ID;").events(&["1", "2"])),
        ("no trace id", does("return [process.env._X_AMZN_TRACE_ID, context.xRayTraceId];").headers(&[("Lambda-Runtime-Trace-Id", "")])),
        ("the global awslambda", does("return [Object.keys(globalThis.awslambda), typeof awslambda.HttpResponseStream, Object.keys(awslambda.HttpResponseStream)];")),
        ("no global awslambda", does("return typeof globalThis.awslambda;").variable("AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA", "true")),
        ("the request id beside the context", does("return [globalThis[Symbol.for('aws.lambda.runtime.requestId')], globalThis[Symbol.for('aws.lambda.runtime.tenantId')], \
            awslambda.InvokeStore && [awslambda.InvokeStore.getRequestId(), awslambda.InvokeStore.getXRayTraceId(), awslambda.InvokeStore.getTenantId(), awslambda.InvokeStore.hasContext()]];")),
        ("listeners of the process", does("return ['uncaughtException', 'unhandledRejection', 'beforeExit', 'SIGTERM', 'exit'].map((name) => process.listenerCount(name));")),
    ]
}

fn errors() -> Vec<Handler> {
    vec![
        ("an exception, and the next event after it", index("function inner() { throw new TypeError('boom'); }
exports.handler = async (event) => { if (event) inner(); return 'fine'; };").events(&["1", "0"])),
        ("an exception after a pause", does("await new Promise((r) => setTimeout(r, 1)); throw new TypeError('boom');").framed()),
        ("an exception of a handler that is not async", index("exports.handler = () => { throw new TypeError('boom'); };")),
        ("an exception of an ES module", case("index.handler", &[("index.mjs", "export const handler = async () => { throw new Error('esm'); };")])),
        ("a class of its own", index("class ShopError extends Error { constructor(m) { super(m); this.name = 'Shop'; this.code = 'E1'; this.items = [1]; } }
exports.handler = async () => { throw new ShopError('é\\n second'); };").framed()),
        ("exceptions", each(&[
            "throw new Error('second', { cause: new Error('first') });",
            "throw new Error();",
            "const error = new Error('x'); error.self = error; throw error;",
            "throw Object.assign(new Error('x'), { n: 1n });",
            "throw new Error('a\\u007fb');",
            "throw new AggregateError([new Error('a'), 'b'], 'many');",
            "require('fs').readFileSync('/nope');",
            "throw 'words';",
            "throw 42;",
            "throw null;",
            "throw undefined;",
            "throw { code: 1, message: 'm' };",
            "throw { name: 'N', message: 'M', stack: 'N: M\\n    at there (file.js:1:2)' };",
            "throw require('vm').runInNewContext('new RangeError(\"other\")');",
            "return new Error('seen').stack.split('\\n');",
        ])),
        ("an exception without a stack", does("const error = new Error('x'); error.stack = undefined; throw error;")),
        ("an exception whose name is not text", does("throw Object.assign(new Error('x'), { name: 5 });")),
        ("a long exception", does("throw new Error('x'.repeat(100000));").framed()),
        ("an object without a prototype", does("throw Object.create(null);")),
        ("a symbol as the error", does("throw Symbol('s');")),
        ("a handler that rejects", index("exports.handler = () => Promise.reject(new Error('rejected'));")),
        ("an error that is logged by the function", does("console.error(new Error('logged'));").framed()),
        ("an error in JSON", does("throw Object.assign(new RangeError('far'), { code: 'E' });").json(None)),
        ("an error in JSON, framed", does("throw Object.assign(new RangeError('far'), { code: 'E' });").json(None).framed()),
        ("text as the error, in JSON", does("throw 'words';").json(None).framed()),
    ]
}

fn ends() -> Vec<Handler> {
    vec![
        (
            "a promise that is never settled",
            index("exports.handler = () => new Promise(() => {});").events(&["1", "2"]),
        ),
        (
            "an exception that nobody caught",
            index(
                "exports.handler = () => new Promise(() => setTimeout(function later() { throw new Error('late'); }, 1));",
            ),
        ),
        (
            "text that nobody caught",
            index("exports.handler = () => new Promise(() => setTimeout(() => { throw 'words'; }, 1));"),
        ),
        (
            "a rejection that nobody handled",
            does("Promise.reject(new Error('lost')); await new Promise((r) => setTimeout(r, 1000));"),
        ),
        (
            "text that was rejected and nobody handled",
            does("Promise.reject('lost'); await new Promise((r) => setTimeout(r, 1000));").framed(),
        ),
        (
            "a rejection that nobody handled, in JSON",
            does("Promise.reject(new Error('lost')); await new Promise((r) => setTimeout(r, 1000));")
                .json(None),
        ),
        (
            "an exception that the function catches itself",
            index(
                "process.on('uncaughtException', (error) => console.log('caught', error.message));
exports.handler = () => new Promise(() => setTimeout(() => { throw new Error('late'); }, 1));",
            ),
        ),
        ("the end of the process", does("console.log('bye'); process.exit(3);")),
        ("the end of the process by exitCode", does("process.exitCode = 4; return 1;")),
        (
            "a signal",
            does(
                "console.log('bye'); process.kill(process.pid, 'SIGTERM'); await new Promise((r) => setTimeout(r, 1000));",
            ),
        ),
        (
            "a promise that is settled in the next invocation",
            index(
                "let settle;
exports.handler = (event) => {
  if (event === 1) return new Promise((resolve) => (settle = resolve));
  settle('late');
  return new Promise((resolve) => setTimeout(resolve, 10, 'two'));
};",
            )
            .events(&["1", "2"]),
        ),
        (
            "an id of the invocation",
            does("return 1;").headers(&[("Lambda-Runtime-Invocation-Id", "id-of-invocation")]),
        ),
        (
            "a timer that goes on after the answer",
            index(
                "let running;
let rung;
exports.handler = async (event) => {
  running = event;
  if (event === 2) return rung;
  rung = new Promise((resolve) => {
    const timer = setInterval(() => {
      if (running !== 2) return;
      clearInterval(timer);
      console.log('later');
      resolve('rung');
    }, 5);
  });
};",
            )
            .events(&["1", "2"]),
        ),
        ("an answer that is refused", does("return event;").events(&["1", "2"]).response_status(413)),
        ("an interval that goes on", does("setInterval(() => {}, 1000); return event;").events(&["1", "2"])),
    ]
}

fn logs() -> Vec<Handler> {
    vec![
        ("logs", index(LOGS)),
        ("logs, framed", index(LOGS).framed()),
        ("logs of a level", index(LOGS).variable("AWS_LAMBDA_LOG_LEVEL", "warn").framed()),
        ("logs of the level FATAL", index(LOGS).variable("AWS_LAMBDA_LOG_LEVEL", "FATAL").framed()),
        ("logs of a level that nobody has", index(LOGS).variable("AWS_LAMBDA_LOG_LEVEL", "LOUD").framed()),
        ("logs in JSON", index(LOGS).json(Some(LogLevel::Info))),
        ("logs in JSON, framed", index(LOGS).json(None).framed()),
        (
            "logs in JSON of a tenant",
            does("console.log('one'); console.info({ a: 1 }, 2);")
                .json(None)
                .framed()
                .headers(&[("Lambda-Runtime-Aws-Tenant-Id", "blue")]),
        ),
        ("logged errors", index(LOGGED_ERRORS)),
        ("logged errors, framed", index(LOGGED_ERRORS).framed()),
        ("logged errors in JSON", index(LOGGED_ERRORS).json(None)),
        ("a huge line", does("console.log('x'.repeat(300000)); console.log('end');").framed()),
        ("a line of no end", does("process.stdout.write('no end');")),
    ]
}

fn streaming() -> Vec<Handler> {
    vec![
        ("a stream of pieces of several kinds", streams("stream.setContentType('text/plain'); stream.write('hello '); stream.write({ a: 1 }); stream.write(new Uint8Array([33])); stream.write(Buffer.from('é')); stream.end();").events(&["1", "2"])),
        ("a stream that ends with a piece", streams("stream.write('x'); stream.end('last');")),
        ("a stream with status and headers", streams("stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { a: 'b' }, cookies: ['c=d'] }); stream.write('body'); stream.end();")),
        ("a stream with status and no body", streams("stream = awslambda.HttpResponseStream.from(stream, { statusCode: 204 }); stream.end();")),
        ("a stream with status that ends with a piece", streams("stream = awslambda.HttpResponseStream.from(stream, { statusCode: 204 }); stream.end('x');")),
        ("an empty stream", streams("stream.end();")),
        ("a stream of a pipeline", index("const { pipeline } = require('stream/promises'); const { Readable } = require('stream');
exports.handler = awslambda.streamifyResponse(async (event, stream) => pipeline(Readable.from(['a', 'b']), stream));")),
        ("a stream with an error in the middle", streams("stream.write('half'); throw new RangeError('mid');").events(&["1", "2"])),
        ("a stream with an error before the first byte", streams("throw new Error('first');")),
        ("a stream with text as the error", streams("throw 'words';")),
        ("a stream of a handler that is not async", index("exports.handler = awslambda.streamifyResponse((event, stream) => { stream.write('x'); stream.end(); });")),
        ("a stream and a value", streams("stream.end(); return 1;")),
        ("a stream with a content type that comes too late", streams("stream.write('x'); stream.setContentType('text/plain'); stream.end();")),
        ("what a stream is", streams("stream.write(JSON.stringify([Object.keys(stream).sort(), typeof stream.pipe, stream.writableHighWaterMark, stream.writable, stream.writableEnded, stream.constructor.name, Object.keys(context)])); stream.end();")),
        ("the water mark of a stream", index("exports.handler = awslambda.streamifyResponse(async (event, stream) => { stream.write(String(stream.writableHighWaterMark)); stream.end(); }, { highWaterMark: 100.9 });")),
        ("writes that call back", streams("await new Promise((r) => stream.write('a', r)); await new Promise((r) => stream.write('b', 'utf8', r)); stream.end(() => console.log('ended')); ")),
        ("a handler of another mode", index("exports.handler = async () => 1; exports.handler[Symbol.for('aws.lambda.runtime.handler.streaming')] = 'request';")),
    ]
}
