//! The runtime client for Python, with the host's interpreter: what the comparison with AWS's client (`differential/`)
//! does not show, and one handler of each kind where that comparison cannot run.
#![allow(clippy::disallowed_methods, reason = "the tests start interpreters and look for them")]
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

#[allow(dead_code, reason = "shared with the tests that compare clients")]
mod support;

use expect_test::{Expect, expect};
use support::{Case, Ending, Host, case};

fn check(table: Vec<(&str, Case, Expect)>) {
    let Some(host) = Host::with_one_of("python", &["python3.11"]) else {
        return;
    };
    for (behaviour, case, expected) in table {
        eprintln!("{behaviour}");
        expected.assert_eq(&host.run(&case));
    }
}

fn app(source: &str) -> Case {
    case("app.handler", &[("app.py", source)])
}

#[test]
fn handlers_are_found_and_answer() {
    check(vec![(
        "the event comes in, the result goes out, one after the other",
        app("def handler(event, context):\n    return {'got': event}").events(&[
            r#"{"a": 1}"#,
            " [1.5, null] ",
            "\"é\"",
        ]),
        expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  {"got": {"a": 1}}
                POST invocation/ID1/response
                  {"got": [1.5, null]}
                POST invocation/ID2/response
                  {"got": "\u00e9"}
                exit 0
            "#]],
    )]);
}

#[test]
fn the_function_sees_its_surroundings() {
    check(vec![
        (
            "the trace id, the path, and no trace of this client",
            app("import os, sys
def handler(event, context):
    return [os.environ['_X_AMZN_TRACE_ID'][:6], sys.path[0], sys.argv[1:], '_LAMBDA_TELEMETRY_LOG_FD' in os.environ,
        os.getcwd(), callable(exit), sys.stdout.encoding]")
            .framed(),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  ["Root=1", "/var/task", [], false, "/var/task", true, "utf-8"]
                exit 0
            "#]],
        ),
        (
            "an exec wrapper, named by its path on AWS",
            case("app.handler", &[
                ("app.py", "import os\ndef handler(event, context):\n    return os.environ['WRAPPED']"),
                ("wrapper", "#!/bin/sh\nWRAPPED=yes exec \"$@\"\n"),
            ])
            .variable("AWS_LAMBDA_EXEC_WRAPPER", "/var/task/wrapper"),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  "yes"
                exit 0
            "#]],
        ),
        (
            "an exec wrapper that is missing",
            app("").variable("AWS_LAMBDA_EXEC_WRAPPER", "/var/task/missing"),
            expect![[r#"
                stderr "/var/task/missing: 1: exec: /var/task/missing: not found\n"
                exit 127
            "#]],
        ),
    ]);
}

#[test]
fn errors_of_the_function_are_reported() {
    check(vec![
        (
            "an exception, and the next event after it",
            app("def inner():\n    raise TypeError('boom')\ndef handler(event, context):\n    return inner() if event else 'fine'")
                .events(&["1", "0"]),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/error
                  cause: "TypeError" "boom" 2 frames
                  {"errorMessage": "boom", "errorType": "TypeError", "requestId": "ID0", "stackTrace": ["  File \"/var/task/app.py\", line 4, in handler\n    return inner() if event else 'fine'\n", "  File \"/var/task/app.py\", line 2, in inner\n    raise TypeError('boom')\n"]}
                POST invocation/ID1/response
                  "fine"
                stdout "[ERROR] TypeError: boom\rTraceback (most recent call last):\r\u{a0}\u{a0}File \"/var/task/app.py\", line 4, in handler\r\u{a0}\u{a0}\u{a0}\u{a0}return inner() if event else 'fine'\r\u{a0}\u{a0}File \"/var/task/app.py\", line 2, in inner\r\u{a0}\u{a0}\u{a0}\u{a0}raise TypeError('boom')\n"
                exit 0
            "#]],
        ),
    ]);
}

#[test]
fn errors_of_loading_are_reported_as_errors_of_init() {
    check(vec![(
        "no such module",
        case("nope.handler", &[]),
        expect![[r#"
            POST init/error
              function init began
              lambda-runtime-function-error-type: Runtime.ImportModuleError
              {"errorMessage": "Unable to import module 'nope': No module named 'nope'", "errorType": "Runtime.ImportModuleError", "requestId": "", "stackTrace": []}
            stdout "[WARNING]\tTIME\t\tLAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function code.\n[ERROR] Runtime.ImportModuleError: Unable to import module 'nope': No module named 'nope'\rTraceback (most recent call last):\n"
            exit 1
        "#]],
    )]);
}

#[test]
fn logs_are_written_as_on_lambda() {
    let source = "import logging, sys
logger = logging.getLogger('shop')
logger.warning('loading')
def handler(event, context):
    sys.stdout.write('begun ')
    logger.warning('two\\nlines', extra={'order': 7})
    logger.info('unseen unless asked for')
    print('printed')
    try:
        1 / 0
    except ZeroDivisionError:
        if event: logger.exception('failed')
    context.log('by the context')
    if event: raise KeyError('k')
";
    check(vec![(
        "framed, in the order of writing",
        app(source).events(&["1"]).framed(),
        expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/error
                  cause: "KeyError" "'k'" 1 frames
                  {"errorMessage": "'k'", "errorType": "KeyError", "requestId": "ID0", "stackTrace": ["  File \"/var/task/app.py\", line 14, in handler\n    if event: raise KeyError('k')\n"]}
                stdout "0xa55a0003 [WARNING]\tTIME\t\tloading\n"
                stdout "begun "
                stdout "0xa55a0003 [WARNING]\tTIME\tID0\ttwo\nlines\n"
                stdout "printed\n"
                stdout "0xa55a0003 [ERROR]\tTIME\tID0\tfailed\nTraceback (most recent call last):\n  File \"/var/task/app.py\", line 10, in handler\n    1 / 0\n    ~~^~~\nZeroDivisionError: division by zero"
                stdout "0xa55a0003 by the context"
                stdout "0xa55a0017 [ERROR] KeyError: 'k'\nTraceback (most recent call last):\n\u{a0}\u{a0}File \"/var/task/app.py\", line 14, in handler\n\u{a0}\u{a0}\u{a0}\u{a0}if event: raise KeyError('k')"
                exit 0
            "#]],
    )]);
}

#[test]
fn the_client_lives_on_whatever_the_runtime_api_answers() {
    let echo = "def handler(event, context):\n    return event";
    check(vec![
        (
            "a response that is refused",
            app(echo).events(&["1", "2"]).response_status(413),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  1
                POST invocation/ID1/response
                  2
                stdout "[ERROR] [MS] LAMBDA_RUNTIME Failed to post handler success response. Http response code: 413. {\"status\":\"OK\"}\n\n"
                exit 0
            "#]],
        ),
        (
            "a large response that is refused",
            app("def handler(event, context):\n    return 'x' * 7000000")
                .events(&["1", "2"])
                .response_status(413),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx… 7000002 bytes
                POST invocation/ID1/response
                  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx… 7000002 bytes
                stdout "[ERROR] [MS] LAMBDA_RUNTIME Failed to post handler success response. Http response code: 413. {\"status\":\"OK\"}\n\n"
                exit 0
            "#]],
        ),
        (
            "a server that closes every connection",
            app(echo).events(&["1", "2"]).closes(),
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
            app(echo).events(&[]).ending(Ending::Refused(500)),
            expect![[r#"
            GET invocation/next
              function init began
            stderr "The Runtime API refused /next with status 500: no\n"
            exit 1
        "#]],
        ),
    ]);
}
