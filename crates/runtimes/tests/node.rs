//! The runtime client for Node.js, with the host's interpreter: what the comparison with AWS's client (`differential/`)
//! does not show, and one handler of each kind where that comparison cannot run.
#![allow(clippy::disallowed_methods, reason = "the tests start interpreters and look for them")]
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

#[allow(dead_code, reason = "shared with the tests that compare clients")]
mod support;

use std::process::Command;

use expect_test::{Expect, expect};
use support::{Case, Ending, Host, case};

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
    check(vec![(
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
    )]);
}

#[test]
fn callbacks_work_as_they_always_have() {
    check(vec![(
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
    )]);
}

#[test]
fn the_function_sees_its_surroundings() {
    check(vec![
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
                  cause: "TypeError" "boom" 2 frames
                  {"errorType":"TypeError","errorMessage":"boom","trace":["TypeError: boom","    at exports.handler (/var/task/index.js:1:55)","    at Runtime.handleOnceNonStreaming (file:///var/runtime/index.mjs)"]}
                POST invocation/ID1/response
                  "fine"
                stdout "TIME\tID0\tERROR\tInvoke Error \t{\"errorType\":\"TypeError\",\"errorMessage\":\"boom\",\"stack\":[\"TypeError: boom\",\"    at exports.handler (/var/task/index.js:1:55)\",\"    at Runtime.handleOnceNonStreaming (file:///var/runtime/index.mjs)\"]}\n"
                exit 0
            "#]],
        ),
        (
            "a rejection that nobody handled",
            index("exports.handler = async () => { Promise.reject(new Error('lost')); await new Promise((r) => setTimeout(r, 1000)); };"),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/error
                  cause: "Runtime.UnhandledPromiseRejection" "Error: lost" 6 frames
                  {"errorType":"Runtime.UnhandledPromiseRejection","errorMessage":"Error: lost","trace":["Runtime.UnhandledPromiseRejection: Error: lost","    at process.<anonymous> (file:///var/runtime/index.mjs)","    at process.emit (node:events)","    at emitUnhandledRejection (node:internal/process/promises)","    at throwUnhandledRejectionsMode (node:internal/process/promises)","    at processPromiseRejections (node:internal/process/promises)","    at process.processTicksAndRejections (node:internal/process/task_queues)"]}
                stdout "TIME\tID0\tERROR\tUnhandled Promise Rejection \t{\"errorType\":\"Runtime.UnhandledPromiseRejection\",\"errorMessage\":\"Error: lost\",\"reason\":{\"errorType\":\"Error\",\"errorMessage\":\"lost\",\"stack\":[\"Error: lost\",\"    at exports.handler (/var/task/index.js:1:48)\",\"    at Runtime.handleOnceNonStreaming (file:///var/runtime/index.mjs)\"]},\"promise\":{},\"stack\":[\"Runtime.UnhandledPromiseRejection: Error: lost\",\"    at process.<anonymous> (file:///var/runtime/index.mjs)\",\"    at process.emit (node:events)\",\"    at emitUnhandledRejection (node:internal/process/promises)\",\"    at throwUnhandledRejectionsMode (node:internal/process/promises)\",\"    at processPromiseRejections (node:internal/process/promises)\",\"    at process.processTicksAndRejections (node:internal/process/task_queues)\"]}\n"
                exit 128
            "#]],
        ),
    ]);
}

#[test]
fn errors_of_loading_are_reported_as_errors_of_init() {
    check(vec![
        (
            "a module that requires what is missing",
            index("require('missing-thing');"),
            expect![[r#"
                POST init/error
                  function init began
                  lambda-runtime-function-error-type: Runtime.ImportModuleError
                  {"errorType":"Runtime.ImportModuleError","errorMessage":"Error: Cannot find module 'missing-thing'\nRequire stack:\n- /var/task/index.js\n- /var/runtime/index.mjs","trace":["Runtime.ImportModuleError: Error: Cannot find module 'missing-thing'","Require stack:","- /var/task/index.js","- /var/runtime/index.mjs","    at explained (file:///var/runtime/index.mjs)","    at load (file:///var/runtime/index.mjs)","    at start (file:///var/runtime/index.mjs)","    at file:///var/runtime/index.mjs"]}
                stdout "TIME\tundefined\tERROR\tUncaught Exception \t{\"errorType\":\"Runtime.ImportModuleError\",\"errorMessage\":\"Error: Cannot find module 'missing-thing'\\nRequire stack:\\n- /var/task/index.js\\n- /var/runtime/index.mjs\",\"stack\":[\"Runtime.ImportModuleError: Error: Cannot find module 'missing-thing'\",\"Require stack:\",\"- /var/task/index.js\",\"- /var/runtime/index.mjs\",\"    at explained (file:///var/runtime/index.mjs)\",\"    at load (file:///var/runtime/index.mjs)\",\"    at start (file:///var/runtime/index.mjs)\",\"    at file:///var/runtime/index.mjs\"]}\n"
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
                  {"errorType":"Runtime.UnhandledPromiseRejection","errorMessage":"Error: lost","trace":["Runtime.UnhandledPromiseRejection: Error: lost","    at process.<anonymous> (file:///var/runtime/index.mjs)","    at process.emit (node:events)","    at emitUnhandledRejection (node:internal/process/promises)","    at throwUnhandledRejectionsMode (node:internal/process/promises)","    at processPromiseRejections (node:internal/process/promises)","    at process.processTicksAndRejections (node:internal/process/task_queues)"]}
                stdout "TIME\tundefined\tERROR\tUnhandled Promise Rejection \t{\"errorType\":\"Runtime.UnhandledPromiseRejection\",\"errorMessage\":\"Error: lost\",\"reason\":{\"errorType\":\"Error\",\"errorMessage\":\"lost\",\"stack\":[\"Error: lost\",\"    at Object.<anonymous> (/var/task/index.js:1:16)\",\"    at Module._compile (node:internal/modules/cjs/loader)\",\"    at Module._extensions..js (node:internal/modules/cjs/loader)\",\"    at Module.load (node:internal/modules/cjs/loader)\",\"    at Module._load (node:internal/modules/cjs/loader)\",\"    at Module.require (node:internal/modules/cjs/loader)\",\"    at require (node:internal/modules/helpers)\",\"    at requireBundled (file:///var/runtime/index.mjs)\",\"    at findByKind (file:///var/runtime/index.mjs)\",\"    at find (file:///var/runtime/index.mjs)\"]},\"promise\":{},\"stack\":[\"Runtime.UnhandledPromiseRejection: Error: lost\",\"    at process.<anonymous> (file:///var/runtime/index.mjs)\",\"    at process.emit (node:events)\",\"    at emitUnhandledRejection (node:internal/process/promises)\",\"    at throwUnhandledRejectionsMode (node:internal/process/promises)\",\"    at processPromiseRejections (node:internal/process/promises)\",\"    at process.processTicksAndRejections (node:internal/process/task_queues)\"]}\n"
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
    check(vec![(
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
    )]);
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
                stdout "TIME\tID0\tERROR\tInvoke Error \t{\"errorType\":\"Error\",\"errorMessage\":\"mid\",\"stack\":[\"Error: mid\",\"    at Runtime.handler (/var/task/index.js:1:102)\",\"    at Runtime.handleOnceStreaming (file:///var/runtime/index.mjs)\"]}\nTIME\tID1\tERROR\tInvoke Error \t{\"errorType\":\"Error\",\"errorMessage\":\"mid\",\"stack\":[\"Error: mid\",\"    at Runtime.handler (/var/task/index.js:1:102)\",\"    at Runtime.handleOnceStreaming (file:///var/runtime/index.mjs)\"]}\n"
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
                stdout "[ERROR] [MS] LAMBDA_RUNTIME Failed to post handler success response. Http response code: 413.\n"
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
                stdout "[ERROR] [MS] LAMBDA_RUNTIME Failed to post handler success response. Http response code: 413.\n"
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
            index(echo).events(&[]).ending(Ending::Refused(500)),
            expect![[r#"
            GET invocation/next
              function init began
            stdout "TIME\tundefined\tERROR\tThe Runtime API refused /next with status 500: no\n"
            exit 1
        "#]],
        ),
    ]);
}

/// Asks Node.js whether its V8 takes what is in a folder of the client, and how much of the client that is.
const ASK_V8: &str = "
const fs = require('fs');
const at = (name) => `${process.argv[1]}/${name}`;
const cachedData = fs.readFileSync(at('client.cache'));
const source = fs.readFileSync(at('client.js'), 'latin1');
const script = new (require('vm').Script)(source, { cachedData });
console.log(script.cachedDataRejected, cachedData.length > source.length / 4);
";

#[test]
fn the_client_is_compiled_ahead_and_what_v8_refuses_of_it_is_compiled_at_the_start() {
    for runtime in ["nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x"] {
        let Ok(host) = Host::with_code_cache("node-ahead", runtime, None, true) else { continue };
        let case = index("exports.handler = async (event) => ({ got: event });").events(&["1", "2"]);
        let fast = host.run(&case);
        assert!(fast.contains(r#"{"got":1}"#) && fast.ends_with("exit 0\n"), "{fast}");

        let folders = host.client_folders();
        let folder = folders.iter().find(|folder| folder.join("client.cache").is_file()).unwrap();
        let mut node = None;
        host.record(&case, |boot| node = Some(boot.program.clone()));
        let asked = Command::new(node.unwrap()).args(["-e", ASK_V8]).arg(folder).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&asked.stdout), "false true\n", "{runtime}");
        assert!(!folder.join("example.js").exists());

        // Another V8's, cut off, empty, gone.
        let whole = std::fs::read(folder.join("client.cache")).unwrap();
        let mut foreign = whole.clone();
        foreign[4] ^= 0xff;
        for broken in [&foreign, &whole[..whole.len() / 2], b""] {
            std::fs::write(folder.join("client.cache"), broken).unwrap();
            assert_eq!(host.run(&case), fast);
        }
        std::fs::remove_file(folder.join("client.cache")).unwrap();
        assert_eq!(host.run(&case), fast);
    }
}

#[test]
fn a_client_that_is_not_compiled_ahead_does_the_same() {
    for runtime in ["nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x"] {
        let ahead = Host::with_code_cache("node-ahead", runtime, None, true);
        let plain = Host::with_code_cache("node-plain", runtime, None, false);
        let (Ok(ahead), Ok(plain)) = (ahead, plain) else { continue };
        let has_cache =
            |host: &Host| host.client_folders().iter().any(|folder| folder.join("client.cache").is_file());
        assert_eq!((has_cache(&ahead), has_cache(&plain)), (true, false));
        for case in [
            index("exports.handler = async (event) => ({ got: event });").events(&["1", "2"]),
            index("exports.handler = async () => { throw new TypeError('boom'); };"),
            index("exports.handler = () => { setTimeout(() => { throw new Error('late'); }); };"),
            index("throw new Error('at once');"),
            index("exports.handler = (;"),
            index("require('./not-there');"),
            index("exports.other = 1;"),
            case(
                "index.handler",
                &[("index.mjs", "export const handler = async () => import.meta.url.slice(-9);")],
            ),
            case("index.handler", &[("index.mjs", "throw new Error('at once');")]),
            case("index.handler", &[("index.mjs", "import 'not-there';")]),
        ] {
            assert_eq!(ahead.run(&case), plain.run(&case));
        }
    }
}
