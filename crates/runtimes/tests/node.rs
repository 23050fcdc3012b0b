//! The runtime client for Node.js, with the host's interpreter.
#![allow(clippy::disallowed_methods, reason = "the tests start interpreters and look for them")]
#![allow(missing_docs)]

mod support;

use expect_test::{Expect, expect};
use hearth_types::LogLevel;
use support::{Case, Host, case};

fn check(table: Vec<(&str, Case, Expect)>) {
    let Some(host) = Host::with_one_of("node", &["nodejs20.x", "nodejs22.x", "nodejs18.x"]) else { return };
    for (behaviour, case, expected) in table {
        eprintln!("{behaviour}");
        expected.assert_eq(&host.run(&case));
    }
}

fn index(source: &str) -> Case {
    case("index.handler", &[("index.js", source)])
}

#[test]
fn handlers_are_found_and_answer() {
    check(vec![
        (
            "CommonJS, one event after the other",
            index("exports.handler = async (event) => ({ got: event });").events(&[
                r#"{"a": 1}"#,
                "[1.5,null]",
                "\"é\"",
            ]),
            expect![],
        ),
        (
            "an ES module with a top-level await",
            case(
                "index.handler",
                &[(
                    "index.mjs",
                    "const word = await Promise.resolve('esm');\nexport const handler = async () => word;",
                )],
            ),
            expect![],
        ),
        (
            "an ES module by package.json",
            case(
                "src/index.handler",
                &[
                    ("package.json", r#"{"type": "module"}"#),
                    ("src/index.js", "export const handler = async () => import.meta.url.slice(-9);"),
                ],
            ),
            expect![],
        ),
        (
            "a .cjs file",
            case("index.handler", &[("index.cjs", "exports.handler = async () => 'cjs';")]),
            expect![],
        ),
        (
            "a nested export",
            case("index.a.b", &[("index.js", "exports.a = { b: async () => 'nested' };")]),
            expect![],
        ),
        (
            "a folder",
            case("folder.handler", &[("folder/index.js", "exports.handler = async () => 'folder';")]),
            expect![],
        ),
        (
            "a module of node_modules",
            case(
                "thing.handler",
                &[("node_modules/thing/index.js", "exports.handler = async () => 'module';")],
            ),
            expect![],
        ),
        (
            "results without JSON",
            index("exports.handler = async (event) => (event ? undefined : NaN);").events(&["1", "0"]),
            expect![],
        ),
    ]);
}

#[test]
fn callbacks_work_as_they_always_have() {
    check(vec![
        (
            "the callback waits for an empty event loop",
            index(
                "exports.handler = (event, context, callback) => {
  setTimeout(() => console.log('later'), 20);
  callback(null, 'now');
};",
            ),
            expect![],
        ),
        (
            "unless it is told not to",
            index(
                "exports.handler = (event, context, callback) => {
  context.callbackWaitsForEmptyEventLoop = false;
  if (event === 1) setTimeout(() => console.log('much later'), 1000000);
  callback(null, event);
};",
            )
            .events(&["1", "2"]),
            expect![],
        ),
        (
            "an error",
            index(
                "exports.handler = (event, context, callback) => { setTimeout(() => callback(new RangeError('far')), 1); };",
            ),
            expect![],
        ),
        ("the callback is never called", index("exports.handler = () => 5;"), expect![]),
        (
            "only the first answer counts",
            index(
                "exports.handler = (event, context, callback) => { context.succeed(1); context.fail(2); callback(3); };",
            ),
            expect![],
        ),
        ("context.fail", index("exports.handler = (event, context) => { context.fail('why'); };"), expect![]),
        (
            "context.done",
            index("exports.handler = (event, context) => { context.done(null, 'done'); };"),
            expect![],
        ),
    ]);
}

#[test]
fn the_function_sees_its_surroundings() {
    check(vec![
        (
            "the context",
            index(
                "exports.handler = async (event, context) => {
  const { getRemainingTimeInMillis, ...rest } = context;
  return [context.getRemainingTimeInMillis() > 0, rest];
};",
            )
            .headers(&[
                ("Lambda-Runtime-Client-Context", r#"{"custom":{"k":"é"}}"#),
                ("Lambda-Runtime-Cognito-Identity", r#"{"cognitoIdentityId":"me"}"#),
                ("Lambda-Runtime-Aws-Tenant-Id", "blue"),
            ]),
            expect![],
        ),
        (
            "the trace id and the folder",
            index(
                "exports.handler = async () => [process.env._X_AMZN_TRACE_ID.slice(0, 6), process.cwd(),
  process.env._LAMBDA_TELEMETRY_LOG_FD];",
            )
            .framed(),
            expect![],
        ),
        (
            "the user's options of Node.js",
            index("exports.handler = async () => process.title;").variable("NODE_OPTIONS", "--title=mine"),
            expect![],
        ),
    ]);
}

#[test]
fn errors_of_the_function_are_reported() {
    check(vec![
        (
            "an exception, and the next event after it",
            index("exports.handler = async (event) => { if (event) throw new TypeError('boom'); return 'fine'; };").events(&["1", "0"]),
            expect![],
        ),
        ("something that is not an error", index("exports.handler = async () => { throw 'words'; };"), expect![]),
        (
            "an error with members",
            index("exports.handler = async () => { throw Object.assign(new Error('x'), { code: 'E', details: { a: 1 } }); };"),
            expect![],
        ),
        ("a result that cannot be JSON", index("exports.handler = async () => { const a = {}; a.a = a; return a; };"), expect![]),
        ("an event that is not JSON", index("exports.handler = async () => 1;").events(&["{"]), expect![]),
        ("a promise that is never settled", index("exports.handler = () => new Promise(() => {});"), expect![]),
        (
            "an exception that nobody caught",
            index("exports.handler = () => new Promise(() => setTimeout(function later() { throw new Error('late'); }, 1));"),
            expect![],
        ),
        (
            "a rejection that nobody handled",
            index("exports.handler = async () => { Promise.reject(new Error('lost')); await new Promise((r) => setTimeout(r, 1000)); };"),
            expect![],
        ),
        ("the end of the process", index("exports.handler = async () => process.exit(3);"), expect![]),
    ]);
}

#[test]
fn errors_of_loading_are_reported_as_errors_of_init() {
    check(vec![
        ("no such module", case("nope.handler", &[]), expect![]),
        ("a module that requires what is missing", index("require('missing-thing');"), expect![]),
        ("no such export", index("exports.other = 1;"), expect![]),
        ("an export that is not a function", index("exports.handler = 1;"), expect![]),
        ("a handler without a dot", case("index", &[]), expect![]),
        ("a handler that leaves the folder", case("../index.handler", &[]), expect![]),
        ("wrong syntax", index("exports.handler = ("), expect![]),
        ("an exception at the top of the module", index("throw new Error('too early');"), expect![]),
        (
            "an exception at the top of an ES module",
            case("index.handler", &[("index.mjs", "throw new Error('too early');")]),
            expect![],
        ),
        (
            "a rejection at the top of the module",
            index("Promise.reject(new Error('lost')); exports.handler = async () => 1;"),
            expect![],
        ),
    ]);
}

#[test]
fn logs_are_written_as_on_lambda() {
    let source = "console.log('loading');
exports.handler = async (event) => {
  process.stdout.write('begun ');
  console.log('two\\nlines %s', 1, { a: 1 });
  for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal']) console[level](level);
  process.stdout.write('plain\\n');
  console.log({ order: 7 });
  console.error('because', new RangeError('far').message);
};";
    check(vec![
        ("plain, without a descriptor", index(source), expect![]),
        ("framed, in the order of writing", index(source).framed(), expect![]),
        ("a level", index(source).variable("AWS_LAMBDA_LOG_LEVEL", "warn").framed(), expect![]),
        ("JSON, with a level", index(source).json(Some(LogLevel::Info)), expect![]),
        ("JSON, framed", index(source).json(None).framed(), expect![]),
        (
            "a long record",
            index("exports.handler = async () => { console.log('x'.repeat(300000)); console.log('end'); };")
                .framed(),
            expect![],
        ),
    ]);
}

#[test]
fn responses_are_streamed() {
    check(vec![
        (
            "pieces of several kinds, and the next event",
            index("exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
  stream.setContentType('text/plain');
  stream.write('hello ');
  stream.write({ a: 1 });
  stream.end(Buffer.from(' end'));
});").events(&["1", "2"]),
            expect![],
        ),
        (
            "status and headers",
            index("exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { a: 'b' } });
  stream.write('body');
  stream.end();
});"),
            expect![],
        ),
        (
            "a pipeline",
            index("const { pipeline } = require('stream/promises'); const { Readable } = require('stream');
exports.handler = awslambda.streamifyResponse(async (event, stream) => pipeline(Readable.from(['a', 'b']), stream));"),
            expect![],
        ),
        (
            "an error in the middle",
            index("exports.handler = awslambda.streamifyResponse(async (event, stream) => { stream.write('half'); throw new Error('mid'); });")
                .events(&["1", "2"]),
            expect![],
        ),
        (
            "an error before the first byte",
            index("exports.handler = awslambda.streamifyResponse(async () => { throw new Error('first'); });"),
            expect![],
        ),
        (
            "a handler that is not async",
            index("exports.handler = awslambda.streamifyResponse((event, stream) => { stream.write('x'); });"),
            expect![],
        ),
        (
            "a content type that comes too late",
            index("exports.handler = awslambda.streamifyResponse(async (event, stream) => { stream.write('x'); stream.setContentType('text/plain'); });"),
            expect![],
        ),
    ]);
}

#[test]
fn the_client_lives_on_whatever_the_runtime_api_answers() {
    let echo = "exports.handler = async (event) => event;";
    check(vec![
        ("a response that is refused", index(echo).events(&["1", "2"]).response_status(413), expect![]),
        (
            "a large response that is refused",
            index("exports.handler = async () => 'x'.repeat(7000000);")
                .events(&["1", "2"])
                .response_status(413),
            expect![],
        ),
        ("a server that closes every connection", index(echo).events(&["1", "2"]).closes(), expect![]),
        ("a refused /next", index(echo).events(&[]).last_status(500), expect![]),
    ]);
}
