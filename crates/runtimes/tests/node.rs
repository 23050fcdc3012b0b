//! The runtime client for Node.js, with the host's interpreter.
#![allow(clippy::disallowed_methods, reason = "the tests start interpreters and look for them")]
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

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
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  {"got":{"a":1}}
                POST invocation/ID1/response
                  {"got":[1.5,null]}
                POST invocation/ID2/response
                  {"got":"é"}
                exit 0
            "#]],
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
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  "esm"
                exit 0
            "#]],
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
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  "/index.js"
                exit 0
            "#]],
        ),
        (
            "a .cjs file",
            case("index.handler", &[("index.cjs", "exports.handler = async () => 'cjs';")]),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  "cjs"
                exit 0
            "#]],
        ),
        (
            "a nested export",
            case("index.a.b", &[("index.js", "exports.a = { b: async () => 'nested' };")]),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  "nested"
                exit 0
            "#]],
        ),
        (
            "a folder",
            case("folder.handler", &[("folder/index.js", "exports.handler = async () => 'folder';")]),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  "folder"
                exit 0
            "#]],
        ),
        (
            "a module of node_modules",
            case(
                "thing.handler",
                &[("node_modules/thing/index.js", "exports.handler = async () => 'module';")],
            ),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  "module"
                exit 0
            "#]],
        ),
        (
            "results without JSON",
            index("exports.handler = async (event) => (event ? undefined : NaN);").events(&["1", "0"]),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  null
                POST invocation/ID1/response
                  null
                exit 0
            "#]],
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
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  "now"
                stdout "TIME\tID0\tINFO\tlater\n"
                exit 0
            "#]],
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
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  1
                POST invocation/ID1/response
                  2
                exit 0
            "#]],
        ),
        (
            "an error",
            index(
                "exports.handler = (event, context, callback) => { setTimeout(() => callback(new RangeError('far')), 1); };",
            ),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/error
                  cause: "RangeError" "far" 3 frames
                  {"errorType":"RangeError","errorMessage":"far","trace":["RangeError: far","    at Timeout._onTimeout (/var/task/index.js:1:77)","    at listOnTimeout (node:internal/timers)","    at process.processTimers (node:internal/timers)"]}
                stdout "TIME\tID0\tERROR\tInvoke Error \t{\"errorType\":\"RangeError\",\"errorMessage\":\"far\",\"stack\":[\"RangeError: far\",\"    at Timeout._onTimeout (/var/task/index.js:1:77)\",\"    at listOnTimeout (node:internal/timers)\",\"    at process.processTimers (node:internal/timers)\"]}\n"
                exit 0
            "#]],
        ),
        (
            "the callback is never called",
            index("exports.handler = () => 5;"),
            expect![[r#"
            GET invocation/next
              function init began
            POST invocation/ID0/response
              null
            exit 0
        "#]],
        ),
        (
            "only the first answer counts",
            index(
                "exports.handler = (event, context, callback) => { context.succeed(1); context.fail(2); callback(3); };",
            ),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  1
                exit 0
            "#]],
        ),
        (
            "context.fail",
            index("exports.handler = (event, context) => { context.fail('why'); };"),
            expect![[r#"
            GET invocation/next
              function init began
            POST invocation/ID0/error
              cause: null null 0 frames
              {"errorType":"string","errorMessage":"why","trace":[]}
            stdout "TIME\tID0\tERROR\tInvoke Error \t{\"errorType\":\"Error\",\"errorMessage\":\"why\",\"stack\":[\"Error: why\",\"    at exports.handler (/var/task/index.js:1:49)\"]}\n"
            exit 0
        "#]],
        ),
        (
            "context.done",
            index("exports.handler = (event, context) => { context.done(null, 'done'); };"),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  "done"
                exit 0
            "#]],
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
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  [true,{"callbackWaitsForEmptyEventLoop":true,"functionVersion":"$LATEST","functionName":"greet","memoryLimitInMB":"128","logGroupName":"/aws/lambda/greet","logStreamName":"2026/01/31/[$LATEST]0f3c","clientContext":{"custom":{"k":"é"}},"identity":{"cognitoIdentityId":"me"},"invokedFunctionArn":"arn:aws:lambda:eu-west-1:123456789012:function:greet","awsRequestId":"ID0","tenantId":"blue"}]
                exit 0
            "#]],
        ),
        (
            "the trace id and the folder",
            index(
                "exports.handler = async () => [process.env._X_AMZN_TRACE_ID.slice(0, 6), process.cwd(),
  process.env._LAMBDA_TELEMETRY_LOG_FD];",
            )
            .framed(),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  ["Root=1","/var/task",null]
                exit 0
            "#]],
        ),
        (
            "the user's options of Node.js",
            index("exports.handler = async () => process.title;").variable("NODE_OPTIONS", "--title=mine"),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  "mine"
                exit 0
            "#]],
        ),
    ]);
}

#[test]
fn errors_of_the_function_are_reported() {
    check(vec![
        (
            "an exception, and the next event after it",
            index("exports.handler = async (event) => { if (event) throw new TypeError('boom'); return 'fine'; };").events(&["1", "0"]),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/error
                  cause: "TypeError" "boom" 1 frames
                  {"errorType":"TypeError","errorMessage":"boom","trace":["TypeError: boom","    at exports.handler (/var/task/index.js:1:55)"]}
                POST invocation/ID1/response
                  "fine"
                stdout "TIME\tID0\tERROR\tInvoke Error \t{\"errorType\":\"TypeError\",\"errorMessage\":\"boom\",\"stack\":[\"TypeError: boom\",\"    at exports.handler (/var/task/index.js:1:55)\"]}\n"
                exit 0
            "#]],
        ),
        ("something that is not an error", index("exports.handler = async () => { throw 'words'; };"), expect![[r#"
            GET invocation/next
              function init began
            POST invocation/ID0/error
              cause: null null 0 frames
              {"errorType":"string","errorMessage":"words","trace":[]}
            stdout "TIME\tID0\tERROR\tInvoke Error \t{\"errorType\":\"Error\",\"errorMessage\":\"words\",\"stack\":[\"Error: words\"]}\n"
            exit 0
        "#]]),
        (
            "an error with members",
            index("exports.handler = async () => { throw Object.assign(new Error('x'), { code: 'E', details: { a: 1 } }); };"),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/error
                  cause: "Error" "x" 1 frames
                  {"errorType":"Error","errorMessage":"x","trace":["Error: x","    at exports.handler (/var/task/index.js:1:53)"]}
                stdout "TIME\tID0\tERROR\tInvoke Error \t{\"errorType\":\"Error\",\"errorMessage\":\"x\",\"code\":\"E\",\"details\":{\"a\":1},\"stack\":[\"Error: x\",\"    at exports.handler (/var/task/index.js:1:53)\"]}\n"
                exit 0
            "#]],
        ),
        ("a result that cannot be JSON", index("exports.handler = async () => { const a = {}; a.a = a; return a; };"), expect![[r#"
            GET invocation/next
              function init began
            POST invocation/ID0/error
              cause: "Error" "Unable to stringify response body" 0 frames
              {"errorType":"Error","errorMessage":"Unable to stringify response body","trace":["Error: Unable to stringify response body"]}
            stdout "TIME\tID0\tERROR\tInvoke Error \t{\"errorType\":\"Error\",\"errorMessage\":\"Unable to stringify response body\",\"stack\":[\"Error: Unable to stringify response body\"]}\n"
            exit 0
        "#]]),
        ("an event that is not JSON", index("exports.handler = async () => 1;").events(&[""]), expect![[r#"
            GET invocation/next
              function init began
            POST invocation/ID0/error
              cause: "SyntaxError" "Unexpected end of JSON input" 1 frames
              {"errorType":"SyntaxError","errorMessage":"Unexpected end of JSON input","trace":["SyntaxError: Unexpected end of JSON input","    at JSON.parse (<anonymous>)"]}
            stdout "TIME\tID0\tERROR\tInvoke Error \t{\"errorType\":\"SyntaxError\",\"errorMessage\":\"Unexpected end of JSON input\",\"stack\":[\"SyntaxError: Unexpected end of JSON input\",\"    at JSON.parse (<anonymous>)\"]}\n"
            exit 0
        "#]]),
        ("a promise that is never settled", index("exports.handler = () => new Promise(() => {});"), expect![[r#"
            GET invocation/next
              function init began
            POST invocation/ID0/error
              cause: "Runtime.NodeJsExit" "The event loop is empty, but the promise of the handler was never settled." 0 frames
              {"errorType":"Runtime.NodeJsExit","errorMessage":"The event loop is empty, but the promise of the handler was never settled.","trace":["Runtime.NodeJsExit: The event loop is empty, but the promise of the handler was never settled."]}
            stdout "TIME\tID0\tERROR\tInvoke Error \t{\"errorType\":\"Runtime.NodeJsExit\",\"errorMessage\":\"The event loop is empty, but the promise of the handler was never settled.\",\"stack\":[\"Runtime.NodeJsExit: The event loop is empty, but the promise of the handler was never settled.\"]}\n"
            exit 0
        "#]]),
        (
            "an exception that nobody caught",
            index("exports.handler = () => new Promise(() => setTimeout(function later() { throw new Error('late'); }, 1));"),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/error
                  cause: "Error" "late" 3 frames
                  {"errorType":"Error","errorMessage":"late","trace":["Error: late","    at Timeout.later [as _onTimeout] (/var/task/index.js:1:79)","    at listOnTimeout (node:internal/timers)","    at process.processTimers (node:internal/timers)"]}
                stdout "TIME\tID0\tERROR\tUncaught Exception \t{\"errorType\":\"Error\",\"errorMessage\":\"late\",\"stack\":[\"Error: late\",\"    at Timeout.later [as _onTimeout] (/var/task/index.js:1:79)\",\"    at listOnTimeout (node:internal/timers)\",\"    at process.processTimers (node:internal/timers)\"]}\n"
                exit 129
            "#]],
        ),
        (
            "a rejection that nobody handled",
            index("exports.handler = async () => { Promise.reject(new Error('lost')); await new Promise((r) => setTimeout(r, 1000)); };"),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/error
                  cause: "Runtime.UnhandledPromiseRejection" "Error: lost" 0 frames
                  {"errorType":"Runtime.UnhandledPromiseRejection","errorMessage":"Error: lost","trace":["Runtime.UnhandledPromiseRejection: Error: lost"]}
                stdout "TIME\tID0\tERROR\tUnhandled Promise Rejection \t{\"errorType\":\"Runtime.UnhandledPromiseRejection\",\"errorMessage\":\"Error: lost\",\"reason\":{\"errorType\":\"Error\",\"errorMessage\":\"lost\",\"stack\":[\"Error: lost\",\"    at exports.handler (/var/task/index.js:1:48)\"]},\"promise\":{},\"stack\":[\"Runtime.UnhandledPromiseRejection: Error: lost\"]}\n"
                exit 128
            "#]],
        ),
        ("the end of the process", index("exports.handler = async () => process.exit(3);"), expect![[r#"
            GET invocation/next
              function init began
            exit 3
        "#]]),
    ]);
}

#[test]
fn errors_of_loading_are_reported_as_errors_of_init() {
    check(vec![
        (
            "no such module",
            case("nope.handler", &[]),
            expect![[r#"
            POST init/error
              function init began
              lambda-runtime-function-error-type: Runtime.ImportModuleError
              {"errorType":"Runtime.ImportModuleError","errorMessage":"Error: Cannot find module 'nope'\nRequire stack:\n- /var/runtime/index.mjs","trace":["Runtime.ImportModuleError: Error: Cannot find module 'nope'","Require stack:","- /var/runtime/index.mjs"]}
            stdout "TIME\tundefined\tERROR\tUncaught Exception \t{\"errorType\":\"Runtime.ImportModuleError\",\"errorMessage\":\"Error: Cannot find module 'nope'\\nRequire stack:\\n- /var/runtime/index.mjs\",\"stack\":[\"Runtime.ImportModuleError: Error: Cannot find module 'nope'\",\"Require stack:\",\"- /var/runtime/index.mjs\"]}\n"
            exit 129
        "#]],
        ),
        (
            "a module that requires what is missing",
            index("require('missing-thing');"),
            expect![[r#"
            POST init/error
              function init began
              lambda-runtime-function-error-type: Runtime.ImportModuleError
              {"errorType":"Runtime.ImportModuleError","errorMessage":"Error: Cannot find module 'missing-thing'\nRequire stack:\n- /var/task/index.js\n- /var/runtime/index.mjs","trace":["Runtime.ImportModuleError: Error: Cannot find module 'missing-thing'","Require stack:","- /var/task/index.js","- /var/runtime/index.mjs"]}
            stdout "TIME\tundefined\tERROR\tUncaught Exception \t{\"errorType\":\"Runtime.ImportModuleError\",\"errorMessage\":\"Error: Cannot find module 'missing-thing'\\nRequire stack:\\n- /var/task/index.js\\n- /var/runtime/index.mjs\",\"stack\":[\"Runtime.ImportModuleError: Error: Cannot find module 'missing-thing'\",\"Require stack:\",\"- /var/task/index.js\",\"- /var/runtime/index.mjs\"]}\n"
            exit 129
        "#]],
        ),
        (
            "no such export",
            index("exports.other = 1;"),
            expect![[r#"
            POST init/error
              function init began
              lambda-runtime-function-error-type: Runtime.HandlerNotFound
              {"errorType":"Runtime.HandlerNotFound","errorMessage":"index.handler is undefined or not exported","trace":["Runtime.HandlerNotFound: index.handler is undefined or not exported"]}
            stdout "TIME\tundefined\tERROR\tUncaught Exception \t{\"errorType\":\"Runtime.HandlerNotFound\",\"errorMessage\":\"index.handler is undefined or not exported\",\"stack\":[\"Runtime.HandlerNotFound: index.handler is undefined or not exported\"]}\n"
            exit 129
        "#]],
        ),
        (
            "an export that is not a function",
            index("exports.handler = 1;"),
            expect![[r#"
            POST init/error
              function init began
              lambda-runtime-function-error-type: Runtime.HandlerNotFound
              {"errorType":"Runtime.HandlerNotFound","errorMessage":"index.handler is not a function","trace":["Runtime.HandlerNotFound: index.handler is not a function"]}
            stdout "TIME\tundefined\tERROR\tUncaught Exception \t{\"errorType\":\"Runtime.HandlerNotFound\",\"errorMessage\":\"index.handler is not a function\",\"stack\":[\"Runtime.HandlerNotFound: index.handler is not a function\"]}\n"
            exit 129
        "#]],
        ),
        (
            "a handler without a dot",
            case("index", &[]),
            expect![[r#"
            POST init/error
              function init began
              lambda-runtime-function-error-type: Runtime.MalformedHandlerName
              {"errorType":"Runtime.MalformedHandlerName","errorMessage":"Bad handler","trace":["Runtime.MalformedHandlerName: Bad handler"]}
            stdout "TIME\tundefined\tERROR\tUncaught Exception \t{\"errorType\":\"Runtime.MalformedHandlerName\",\"errorMessage\":\"Bad handler\",\"stack\":[\"Runtime.MalformedHandlerName: Bad handler\"]}\n"
            exit 129
        "#]],
        ),
        (
            "a handler that leaves the folder",
            case("../index.handler", &[]),
            expect![[r#"
            POST init/error
              function init began
              lambda-runtime-function-error-type: Runtime.MalformedHandlerName
              {"errorType":"Runtime.MalformedHandlerName","errorMessage":"'../index.handler' is not a valid handler name. Use absolute paths when specifying root directories in handler names.","trace":["Runtime.MalformedHandlerName: '../index.handler' is not a valid handler name. Use absolute paths when specifying root directories in handler names."]}
            stdout "TIME\tundefined\tERROR\tUncaught Exception \t{\"errorType\":\"Runtime.MalformedHandlerName\",\"errorMessage\":\"'../index.handler' is not a valid handler name. Use absolute paths when specifying root directories in handler names.\",\"stack\":[\"Runtime.MalformedHandlerName: '../index.handler' is not a valid handler name. Use absolute paths when specifying root directories in handler names.\"]}\n"
            exit 129
        "#]],
        ),
        (
            "wrong syntax",
            index("exports.handler = ("),
            expect![[r#"
            POST init/error
              function init began
              lambda-runtime-function-error-type: Runtime.UserCodeSyntaxError
              {"errorType":"Runtime.UserCodeSyntaxError","errorMessage":"SyntaxError: Unexpected end of input","trace":["Runtime.UserCodeSyntaxError: SyntaxError: Unexpected end of input"]}
            stdout "TIME\tundefined\tERROR\tUncaught Exception \t{\"errorType\":\"Runtime.UserCodeSyntaxError\",\"errorMessage\":\"SyntaxError: Unexpected end of input\",\"stack\":[\"Runtime.UserCodeSyntaxError: SyntaxError: Unexpected end of input\"]}\n"
            exit 129
        "#]],
        ),
        (
            "an exception at the top of the module",
            index("throw new Error('too early');"),
            expect![[r#"
            POST init/error
              function init began
              lambda-runtime-function-error-type: Error
              {"errorType":"Error","errorMessage":"too early","trace":["Error: too early","    at Object.<anonymous> (/var/task/index.js:1:7)","    at Module._compile (node:internal/modules/cjs/loader)","    at Module._extensions..js (node:internal/modules/cjs/loader)","    at Module.load (node:internal/modules/cjs/loader)","    at Module._load (node:internal/modules/cjs/loader)","    at Module.require (node:internal/modules/cjs/loader)","    at require (node:internal/modules/helpers)"]}
            stdout "TIME\tundefined\tERROR\tUncaught Exception \t{\"errorType\":\"Error\",\"errorMessage\":\"too early\",\"stack\":[\"Error: too early\",\"    at Object.<anonymous> (/var/task/index.js:1:7)\",\"    at Module._compile (node:internal/modules/cjs/loader)\",\"    at Module._extensions..js (node:internal/modules/cjs/loader)\",\"    at Module.load (node:internal/modules/cjs/loader)\",\"    at Module._load (node:internal/modules/cjs/loader)\",\"    at Module.require (node:internal/modules/cjs/loader)\",\"    at require (node:internal/modules/helpers)\"]}\n"
            exit 129
        "#]],
        ),
        (
            "an exception at the top of an ES module",
            case("index.handler", &[("index.mjs", "throw new Error('too early');")]),
            expect![[r#"
                POST init/error
                  function init began
                  lambda-runtime-function-error-type: Error
                  {"errorType":"Error","errorMessage":"too early","trace":["Error: too early","    at file:///var/task/index.mjs:1:7","    at ModuleJob.run (node:internal/modules/esm/module_job)","    at async ModuleLoader.import (node:internal/modules/esm/loader)"]}
                stdout "TIME\tundefined\tERROR\tUncaught Exception \t{\"errorType\":\"Error\",\"errorMessage\":\"too early\",\"stack\":[\"Error: too early\",\"    at file:///var/task/index.mjs:1:7\",\"    at ModuleJob.run (node:internal/modules/esm/module_job)\",\"    at async ModuleLoader.import (node:internal/modules/esm/loader)\"]}\n"
                exit 129
            "#]],
        ),
        (
            "a rejection at the top of the module",
            index("Promise.reject(new Error('lost')); exports.handler = async () => 1;"),
            expect![[r#"
                POST init/error
                  function init began
                  lambda-runtime-function-error-type: Runtime.UnhandledPromiseRejection
                  {"errorType":"Runtime.UnhandledPromiseRejection","errorMessage":"Error: lost","trace":["Runtime.UnhandledPromiseRejection: Error: lost"]}
                stdout "TIME\tundefined\tERROR\tUnhandled Promise Rejection \t{\"errorType\":\"Runtime.UnhandledPromiseRejection\",\"errorMessage\":\"Error: lost\",\"reason\":{\"errorType\":\"Error\",\"errorMessage\":\"lost\",\"stack\":[\"Error: lost\",\"    at Object.<anonymous> (/var/task/index.js:1:16)\",\"    at Module._compile (node:internal/modules/cjs/loader)\",\"    at Module._extensions..js (node:internal/modules/cjs/loader)\",\"    at Module.load (node:internal/modules/cjs/loader)\",\"    at Module._load (node:internal/modules/cjs/loader)\",\"    at Module.require (node:internal/modules/cjs/loader)\",\"    at require (node:internal/modules/helpers)\"]},\"promise\":{},\"stack\":[\"Runtime.UnhandledPromiseRejection: Error: lost\"]}\n"
                exit 128
            "#]],
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
        (
            "plain, without a descriptor",
            index(source),
            expect![[r#"
            GET invocation/next
              function init began
            POST invocation/ID0/response
              null
            stdout "TIME\tundefined\tINFO\tloading\nbegun TIME\tID0\tINFO\ttwo\rlines 1 { a: 1 }\nTIME\tID0\tTRACE\ttrace\nTIME\tID0\tDEBUG\tdebug\nTIME\tID0\tINFO\tinfo\nTIME\tID0\tWARN\twarn\nTIME\tID0\tERROR\terror\nTIME\tID0\tFATAL\tfatal\nplain\nTIME\tID0\tINFO\t{ order: 7 }\nTIME\tID0\tERROR\tbecause far\n"
            exit 0
        "#]],
        ),
        (
            "framed, in the order of writing",
            index(source).framed(),
            expect![[r#"
            GET invocation/next
              function init began
            POST invocation/ID0/response
              null
            stdout "0xa55a000f TIME\tundefined\tINFO\tloading\n"
            stdout "begun "
            stdout "0xa55a000f TIME\tID0\tINFO\ttwo\nlines 1 { a: 1 }\n"
            stdout "0xa55a0007 TIME\tID0\tTRACE\ttrace\n"
            stdout "0xa55a000b TIME\tID0\tDEBUG\tdebug\n"
            stdout "0xa55a000f TIME\tID0\tINFO\tinfo\n"
            stdout "0xa55a0013 TIME\tID0\tWARN\twarn\n"
            stdout "0xa55a0017 TIME\tID0\tERROR\terror\n"
            stdout "0xa55a001b TIME\tID0\tFATAL\tfatal\n"
            stdout "plain\n"
            stdout "0xa55a000f TIME\tID0\tINFO\t{ order: 7 }\n"
            stdout "0xa55a0017 TIME\tID0\tERROR\tbecause far\n"
            exit 0
        "#]],
        ),
        (
            "a level",
            index(source).variable("AWS_LAMBDA_LOG_LEVEL", "warn").framed(),
            expect![[r#"
            GET invocation/next
              function init began
            POST invocation/ID0/response
              null
            stdout "begun "
            stdout "0xa55a0013 TIME\tID0\tWARN\twarn\n"
            stdout "0xa55a0017 TIME\tID0\tERROR\terror\n"
            stdout "0xa55a001b TIME\tID0\tFATAL\tfatal\n"
            stdout "plain\n"
            stdout "0xa55a0017 TIME\tID0\tERROR\tbecause far\n"
            exit 0
        "#]],
        ),
        (
            "JSON, with a level",
            index(source).json(Some(LogLevel::Info)),
            expect![[r#"
            GET invocation/next
              function init began
            POST invocation/ID0/response
              null
            stdout "{\"timestamp\":\"TIME\",\"level\":\"INFO\",\"message\":\"loading\"}\nbegun {\"timestamp\":\"TIME\",\"level\":\"INFO\",\"requestId\":\"ID0\",\"message\":\"two\\nlines 1 { a: 1 }\"}\n{\"timestamp\":\"TIME\",\"level\":\"INFO\",\"requestId\":\"ID0\",\"message\":\"info\"}\n{\"timestamp\":\"TIME\",\"level\":\"WARN\",\"requestId\":\"ID0\",\"message\":\"warn\"}\n{\"timestamp\":\"TIME\",\"level\":\"ERROR\",\"requestId\":\"ID0\",\"message\":\"error\"}\n{\"timestamp\":\"TIME\",\"level\":\"FATAL\",\"requestId\":\"ID0\",\"message\":\"fatal\"}\nplain\n{\"timestamp\":\"TIME\",\"level\":\"INFO\",\"requestId\":\"ID0\",\"message\":{\"order\":7}}\n{\"timestamp\":\"TIME\",\"level\":\"ERROR\",\"requestId\":\"ID0\",\"message\":\"because far\"}\n"
            exit 0
        "#]],
        ),
        (
            "JSON, framed",
            index(source).json(None).framed(),
            expect![[r#"
            GET invocation/next
              function init began
            POST invocation/ID0/response
              null
            stdout "0xa55a000e {\"timestamp\":\"TIME\",\"level\":\"INFO\",\"message\":\"loading\"}"
            stdout "begun "
            stdout "0xa55a000e {\"timestamp\":\"TIME\",\"level\":\"INFO\",\"requestId\":\"ID0\",\"message\":\"two\\nlines 1 { a: 1 }\"}"
            stdout "0xa55a0006 {\"timestamp\":\"TIME\",\"level\":\"TRACE\",\"requestId\":\"ID0\",\"message\":\"trace\"}"
            stdout "0xa55a000a {\"timestamp\":\"TIME\",\"level\":\"DEBUG\",\"requestId\":\"ID0\",\"message\":\"debug\"}"
            stdout "0xa55a000e {\"timestamp\":\"TIME\",\"level\":\"INFO\",\"requestId\":\"ID0\",\"message\":\"info\"}"
            stdout "0xa55a0012 {\"timestamp\":\"TIME\",\"level\":\"WARN\",\"requestId\":\"ID0\",\"message\":\"warn\"}"
            stdout "0xa55a0016 {\"timestamp\":\"TIME\",\"level\":\"ERROR\",\"requestId\":\"ID0\",\"message\":\"error\"}"
            stdout "0xa55a001a {\"timestamp\":\"TIME\",\"level\":\"FATAL\",\"requestId\":\"ID0\",\"message\":\"fatal\"}"
            stdout "plain\n"
            stdout "0xa55a000e {\"timestamp\":\"TIME\",\"level\":\"INFO\",\"requestId\":\"ID0\",\"message\":{\"order\":7}}"
            stdout "0xa55a0016 {\"timestamp\":\"TIME\",\"level\":\"ERROR\",\"requestId\":\"ID0\",\"message\":\"because far\"}"
            exit 0
        "#]],
        ),
        (
            "a long record",
            index("exports.handler = async () => { console.log('x'.repeat(300000)); console.log('end'); };")
                .framed(),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  null
                stdout "0xa55a000f TIME\t8476a536-e9f4-11e8-9739-… 300079 bytes"
                stdout "0xa55a000f TIME\tID0\tINFO\tend\n"
                exit 0
            "#]],
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
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  content-type: text/plain
                  lambda-runtime-function-response-mode: streaming
                  transfer-encoding: chunked
                  hello {"a":1} end
                POST invocation/ID1/response
                  content-type: text/plain
                  lambda-runtime-function-response-mode: streaming
                  transfer-encoding: chunked
                  hello {"a":1} end
                exit 0
            "#]],
        ),
        (
            "status and headers",
            index("exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { a: 'b' } });
  stream.write('body');
  stream.end();
});"),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  content-type: application/vnd.awslambda.http-integration-response
                  lambda-runtime-function-response-mode: streaming
                  transfer-encoding: chunked
                  {"statusCode":201,"headers":{"a":"b"}}\0\0\0\0\0\0\0\0body
                exit 0
            "#]],
        ),
        (
            "a pipeline",
            index("const { pipeline } = require('stream/promises'); const { Readable } = require('stream');
exports.handler = awslambda.streamifyResponse(async (event, stream) => pipeline(Readable.from(['a', 'b']), stream));"),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  content-type: application/octet-stream
                  lambda-runtime-function-response-mode: streaming
                  transfer-encoding: chunked
                  ab
                exit 0
            "#]],
        ),
        (
            "an error in the middle",
            index("exports.handler = awslambda.streamifyResponse(async (event, stream) => { stream.write('half'); throw new Error('mid'); });")
                .events(&["1", "2"]),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  content-type: application/octet-stream
                  lambda-runtime-function-response-mode: streaming
                  transfer-encoding: chunked
                  half
                  trailer Lambda-Runtime-Function-Error-Type: Error
                  trailer Lambda-Runtime-Function-Error-Body
                POST invocation/ID1/response
                  content-type: application/octet-stream
                  lambda-runtime-function-response-mode: streaming
                  transfer-encoding: chunked
                  half
                  trailer Lambda-Runtime-Function-Error-Type: Error
                  trailer Lambda-Runtime-Function-Error-Body
                stdout "TIME\tID0\tERROR\tInvoke Error \t{\"errorType\":\"Error\",\"errorMessage\":\"mid\",\"stack\":[\"Error: mid\",\"    at /var/task/index.js:1:102\"]}\nTIME\tID1\tERROR\tInvoke Error \t{\"errorType\":\"Error\",\"errorMessage\":\"mid\",\"stack\":[\"Error: mid\",\"    at /var/task/index.js:1:102\"]}\n"
                exit 0
            "#]],
        ),
        (
            "an error before the first byte",
            index("exports.handler = awslambda.streamifyResponse(async () => { throw new Error('first'); });"),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  content-type: application/octet-stream
                  lambda-runtime-function-response-mode: streaming
                  transfer-encoding: chunked
                  trailer Lambda-Runtime-Function-Error-Type: Error
                  trailer Lambda-Runtime-Function-Error-Body
                stdout "TIME\tID0\tERROR\tInvoke Error \t{\"errorType\":\"Error\",\"errorMessage\":\"first\",\"stack\":[\"Error: first\",\"    at /var/task/index.js:1:67\"]}\n"
                exit 0
            "#]],
        ),
        (
            "a handler that is not async",
            index("exports.handler = awslambda.streamifyResponse((event, stream) => { stream.write('x'); });"),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  content-type: application/octet-stream
                  lambda-runtime-function-response-mode: streaming
                  transfer-encoding: chunked
                  x
                  trailer Lambda-Runtime-Function-Error-Type: string
                  trailer Lambda-Runtime-Function-Error-Body
                stdout "TIME\tID0\tERROR\tInvoke Error \t{\"errorType\":\"Error\",\"errorMessage\":\"Streaming does not support non-async handlers.\",\"stack\":[\"Error: Streaming does not support non-async handlers.\"]}\n"
                exit 0
            "#]],
        ),
        (
            "a content type that comes too late",
            index("exports.handler = awslambda.streamifyResponse(async (event, stream) => { stream.write('x'); stream.setContentType('text/plain'); });"),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  content-type: application/octet-stream
                  lambda-runtime-function-response-mode: streaming
                  transfer-encoding: chunked
                  x
                  trailer Lambda-Runtime-Function-Error-Type: Runtime.InvalidStreamingOperation
                  trailer Lambda-Runtime-Function-Error-Body
                stdout "TIME\tID0\tERROR\tInvoke Error \t{\"errorType\":\"Runtime.InvalidStreamingOperation\",\"errorMessage\":\"Cannot set content-type, too late.\",\"stack\":[\"Runtime.InvalidStreamingOperation: Cannot set content-type, too late.\",\"    at /var/task/index.js:1:100\"]}\n"
                exit 0
            "#]],
        ),
    ]);
}

#[test]
fn the_client_lives_on_whatever_the_runtime_api_answers() {
    let echo = "exports.handler = async (event) => event;";
    check(vec![
        (
            "a response that is refused",
            index(echo).events(&["1", "2"]).response_status(413),
            expect![[r#"
            GET invocation/next
              function init began
            POST invocation/ID0/response
              1
            POST invocation/ID1/response
              2
            exit 0
        "#]],
        ),
        (
            "a large response that is refused",
            index("exports.handler = async () => 'x'.repeat(7000000);")
                .events(&["1", "2"])
                .response_status(413),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx… 7000002 bytes
                POST invocation/ID1/response
                  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx… 7000002 bytes
                exit 0
            "#]],
        ),
        (
            "a server that closes every connection",
            index(echo).events(&["1", "2"]).closes(),
            expect![[r#"
            GET invocation/next
              function init began
            POST invocation/ID0/response
              1
            POST invocation/ID1/response
              2
            exit 0
        "#]],
        ),
        (
            "a refused /next",
            index(echo).events(&[]).last_status(500),
            expect![[r#"
            GET invocation/next
              function init began
            stdout "TIME\tundefined\tERROR\tThe Runtime API refused /next with status 500: no\n"
            exit 1
        "#]],
        ),
    ]);
}
