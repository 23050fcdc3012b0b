//! The runtime client for Python, with the host's interpreter.
#![allow(clippy::disallowed_methods, reason = "the tests start interpreters and look for them")]
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod support;

use expect_test::{Expect, expect};
use hearth_types::LogLevel;
use support::{Case, Host, case};

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
    check(vec![
        (
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
        ),
        (
            "a module in a folder, named with a slash",
            case("pkg/sub/mod.func", &[("pkg/sub/mod.py", "def func(event, context):\n    return __name__")]),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  "pkg.sub.mod"
                exit 0
            "#]],
        ),
        (
            "a module in a package, named with dots",
            case(
                "pkg.mod.func",
                &[("pkg/__init__.py", ""), ("pkg/mod.py", "def func(event, context):\n    return __name__")],
            ),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  "pkg.mod"
                exit 0
            "#]],
        ),
        (
            "bytes are answered as they are",
            app("def handler(event, context):\n    return b'raw'"),
            expect![[r#"
            GET invocation/next
              function init began
            POST invocation/ID0/response
              content-type: application/unknown
              raw
            exit 0
        "#]],
        ),
        (
            "values of JSON, and those that AWS's client makes into JSON",
            app("import decimal, collections
Point = collections.namedtuple('Point', 'x y')
def handler(event, context):
    if event: return Point(1, 2)
    return [None, True, 1.0, float('nan'), decimal.Decimal('1.10'), b'bytes', (1, 2), {1: 'one'}]")
            .events(&["{}", "1"]),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  [null, true, 1.0, NaN, 1.10, "bytes", [1, 2], {"1": "one"}]
                POST invocation/ID1/response
                  {"x": 1, "y": 2}
                exit 0
            "#]],
        ),
        (
            "an event that is not JSON by its content type is text",
            app("def handler(event, context):\n    return event")
                .events(&["a,b"])
                .headers(&[("Content-Type", "text/csv")]),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  "a,b"
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
            app("def handler(event, context):
    assert 0 < context.get_remaining_time_in_millis() < 4102444800000
    return [context.function_name, context.function_version, context.invoked_function_arn, context.memory_limit_in_mb,
        context.aws_request_id, context.log_group_name, context.log_stream_name, context.tenant_id,
        context.identity.cognito_identity_id, context.client_context.client.app_title, context.client_context.custom]")
            .headers(&[
                ("Lambda-Runtime-Client-Context", r#"{"client":{"app_title":"é"},"custom":{"k":"v"}}"#),
                ("Lambda-Runtime-Cognito-Identity", r#"{"cognitoIdentityId":"me","cognitoIdentityPoolId":"pool"}"#),
                ("Lambda-Runtime-Aws-Tenant-Id", "blue"),
            ]),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  ["greet", "$LATEST", "arn:aws:lambda:eu-west-1:123456789012:function:greet", "128", "ID0", "/aws/lambda/greet", "2026/01/31/[$LATEST]0f3c", "blue", "me", "\u00e9", {"k": "v"}]
                exit 0
            "#]],
        ),
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
            "PYTHONPATH and its sitecustomize",
            case("app.handler", &[
                ("app.py", "import extra\ndef handler(event, context):\n    return [extra.VALUE, extra.customised]"),
                ("lib/extra.py", "VALUE = 1"),
                ("lib/sitecustomize.py", "import extra\nextra.customised = True"),
            ])
            .variable("PYTHONPATH", "lib"),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/response
                  [1, true]
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
        ("a result that is not JSON", app("def handler(event, context):\n    return {1, 2}"), expect![[r#"
            GET invocation/next
              function init began
            POST invocation/ID0/error
              cause: "LambdaValidationError" "Unable to marshal response: Object of type set is not JSON serializable" 0 frames
              {"errorMessage": "Unable to marshal response: Object of type set is not JSON serializable", "errorType": "Runtime.MarshalError", "requestId": "ID0", "stackTrace": []}
            stdout "[ERROR] Runtime.MarshalError: Unable to marshal response: Object of type set is not JSON serializable\rTraceback (most recent call last):\n"
            exit 0
        "#]]),
        (
            "an event that is not JSON",
            app("def handler(event, context):\n    return event").events(&["{"]),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/error
                  cause: "LambdaValidationError" "Unable to unmarshal input: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)" 0 frames
                  {"errorMessage": "Unable to unmarshal input: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)", "errorType": "Runtime.UnmarshalError", "requestId": "ID0", "stackTrace": []}
                stdout "[ERROR] Runtime.UnmarshalError: Unable to unmarshal input: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)\rTraceback (most recent call last):\n"
                exit 0
            "#]],
        ),
        (
            "a client context that is not JSON",
            app("def handler(event, context):\n    return event").headers(&[("Lambda-Runtime-Client-Context", "{")]),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/error
                  cause: "LambdaValidationError" "Unable to parse Client Context JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)" 0 frames
                  {"errorMessage": "Unable to parse Client Context JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)", "errorType": "Runtime.LambdaContextUnmarshalError", "requestId": "ID0", "stackTrace": []}
                stdout "[ERROR] Runtime.LambdaContextUnmarshalError: Unable to parse Client Context JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)\rTraceback (most recent call last):\n"
                exit 0
            "#]],
        ),
        ("the end of the process", app("import sys\ndef handler(event, context):\n    print('bye', end='')\n    sys.exit(3)"), expect![[r#"
            GET invocation/next
              function init began
            stdout "bye"
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
              {"errorMessage": "Unable to import module 'nope': No module named 'nope'", "errorType": "Runtime.ImportModuleError", "requestId": "", "stackTrace": []}
            stdout "[WARNING]\tTIME\t\tLAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function code.\n[ERROR] Runtime.ImportModuleError: Unable to import module 'nope': No module named 'nope'\rTraceback (most recent call last):\n"
            exit 1
        "#]],
        ),
        (
            "a module that imports what is missing",
            app("import missing_thing"),
            expect![[r#"
            POST init/error
              function init began
              lambda-runtime-function-error-type: Runtime.ImportModuleError
              {"errorMessage": "Unable to import module 'app': No module named 'missing_thing'", "errorType": "Runtime.ImportModuleError", "requestId": "", "stackTrace": []}
            stdout "[WARNING]\tTIME\t\tLAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function code.\n[ERROR] Runtime.ImportModuleError: Unable to import module 'app': No module named 'missing_thing'\rTraceback (most recent call last):\n"
            exit 1
        "#]],
        ),
        (
            "no such function",
            app("other = 1"),
            expect![[r#"
            POST init/error
              function init began
              lambda-runtime-function-error-type: Runtime.HandlerNotFound
              {"errorMessage": "Handler 'handler' missing on module 'app'", "errorType": "Runtime.HandlerNotFound", "requestId": "", "stackTrace": []}
            stdout "[WARNING]\tTIME\t\tLAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function code.\n[ERROR] Runtime.HandlerNotFound: Handler 'handler' missing on module 'app'\rTraceback (most recent call last):\n"
            exit 1
        "#]],
        ),
        (
            "a handler without a dot",
            case("app", &[]),
            expect![[r#"
            POST init/error
              function init began
              lambda-runtime-function-error-type: Runtime.MalformedHandlerName
              {"errorMessage": "Bad handler 'app': not enough values to unpack (expected 2, got 1)", "errorType": "Runtime.MalformedHandlerName", "requestId": "", "stackTrace": []}
            stdout "[WARNING]\tTIME\t\tLAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function code.\n[ERROR] Runtime.MalformedHandlerName: Bad handler 'app': not enough values to unpack (expected 2, got 1)\rTraceback (most recent call last):\n"
            exit 1
        "#]],
        ),
        (
            "a built-in module",
            case("sys.exit", &[]),
            expect![[r#"
            POST init/error
              function init began
              lambda-runtime-function-error-type: Runtime.BuiltInModuleConflict
              {"errorMessage": "Cannot use built-in module sys as a handler module", "errorType": "Runtime.BuiltInModuleConflict", "requestId": "", "stackTrace": []}
            stdout "[WARNING]\tTIME\t\tLAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function code.\n[ERROR] Runtime.BuiltInModuleConflict: Cannot use built-in module sys as a handler module\rTraceback (most recent call last):\n"
            exit 1
        "#]],
        ),
        (
            "wrong syntax",
            app("def handler(:\n    pass"),
            expect![[r#"
            POST init/error
              function init began
              lambda-runtime-function-error-type: Runtime.UserCodeSyntaxError
              {"errorMessage": "Syntax error in module 'app': invalid syntax (app.py, line 1)", "errorType": "Runtime.UserCodeSyntaxError", "requestId": "", "stackTrace": ["  File \"/var/task/app.py\" Line 1\n    def handler(:\n"]}
            stdout "[WARNING]\tTIME\t\tLAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function code.\n[ERROR] Runtime.UserCodeSyntaxError: Syntax error in module 'app': invalid syntax (app.py, line 1)\rTraceback (most recent call last):\r\u{a0}\u{a0}File \"/var/task/app.py\" Line 1\r\u{a0}\u{a0}\u{a0}\u{a0}def handler(:\n"
            exit 1
        "#]],
        ),
        (
            "an exception at the top of the module",
            app("raise ValueError('too early')"),
            expect![[r#"
            POST init/error
              function init began
              lambda-runtime-function-error-type: ValueError
              {"errorMessage": "too early", "errorType": "ValueError", "requestId": "", "stackTrace": ["  File \"/var/task/app.py\", line 1, in <module>\n    raise ValueError('too early')\n"]}
            stdout "[WARNING]\tTIME\t\tLAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function code.\n[ERROR] ValueError: too early\rTraceback (most recent call last):\r\u{a0}\u{a0}File \"/var/task/app.py\", line 1, in <module>\r\u{a0}\u{a0}\u{a0}\u{a0}raise ValueError('too early')\n"
            exit 1
        "#]],
        ),
        (
            "the end of the process while loading",
            app("import sys\nsys.exit(7)"),
            expect![[r#"
            exit 7
        "#]],
        ),
    ]);
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
    check(vec![
        (
            "plain, without a descriptor",
            app(source).events(&["1"]),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/error
                  cause: "KeyError" "'k'" 1 frames
                  {"errorMessage": "'k'", "errorType": "KeyError", "requestId": "ID0", "stackTrace": ["  File \"/var/task/app.py\", line 14, in handler\n    if event: raise KeyError('k')\n"]}
                stdout "[WARNING]\tTIME\t\tloading\nbegun [WARNING]\tTIME\tID0\ttwo\nlines\nprinted\n[ERROR]\tTIME\tID0\tfailed\nTraceback (most recent call last):\n  File \"/var/task/app.py\", line 10, in handler\n    1 / 0\n    ~~^~~\nZeroDivisionError: division by zeroby the context[ERROR] KeyError: 'k'\rTraceback (most recent call last):\r\u{a0}\u{a0}File \"/var/task/app.py\", line 14, in handler\r\u{a0}\u{a0}\u{a0}\u{a0}if event: raise KeyError('k')\n"
                exit 0
            "#]],
        ),
        (
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
        ),
        (
            "an error, framed",
            app("def handler(event, context):\n    raise KeyError('k')").framed(),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/error
                  cause: "KeyError" "'k'" 1 frames
                  {"errorMessage": "'k'", "errorType": "KeyError", "requestId": "ID0", "stackTrace": ["  File \"/var/task/app.py\", line 2, in handler\n    raise KeyError('k')\n"]}
                stdout "0xa55a0017 [ERROR] KeyError: 'k'\nTraceback (most recent call last):\n\u{a0}\u{a0}File \"/var/task/app.py\", line 2, in handler\n\u{a0}\u{a0}\u{a0}\u{a0}raise KeyError('k')"
                exit 0
            "#]],
        ),
        (
            "JSON, with a level",
            app(source).events(&["1"]).json(Some(LogLevel::Info)),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/error
                  cause: "KeyError" "'k'" 1 frames
                  {"errorMessage": "'k'", "errorType": "KeyError", "requestId": "ID0", "stackTrace": ["  File \"/var/task/app.py\", line 14, in handler\n    if event: raise KeyError('k')\n"]}
                stdout "{\"timestamp\": \"TIME\", \"level\": \"WARNING\", \"message\": \"loading\", \"logger\": \"shop\", \"requestId\": \"\"}\nbegun {\"timestamp\": \"TIME\", \"level\": \"WARNING\", \"message\": \"two\\nlines\", \"logger\": \"shop\", \"requestId\": \"ID0\", \"order\": 7}\n{\"timestamp\": \"TIME\", \"level\": \"INFO\", \"message\": \"unseen unless asked for\", \"logger\": \"shop\", \"requestId\": \"ID0\"}\nprinted\n{\"timestamp\": \"TIME\", \"level\": \"ERROR\", \"message\": \"failed\", \"logger\": \"shop\", \"stackTrace\": [\"  File \\\"/var/task/app.py\\\", line 10, in handler\\n    1 / 0\\n    ~~^~~\\n\"], \"errorType\": \"ZeroDivisionError\", \"errorMessage\": \"division by zero\", \"requestId\": \"ID0\", \"location\": \"/var/task/app.py:handler:12\"}\nby the context{\"timestamp\": \"TIME\", \"level\": \"ERROR\", \"errorMessage\": \"'k'\", \"errorType\": \"KeyError\", \"requestId\": \"ID0\", \"stackTrace\": [\"  File \\\"/var/task/app.py\\\", line 14, in handler\\n    if event: raise KeyError('k')\\n\"]}\n"
                exit 0
            "#]],
        ),
        (
            "JSON, framed, without a level",
            app(source).events(&["1"]).json(None).framed(),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/error
                  cause: "KeyError" "'k'" 1 frames
                  {"errorMessage": "'k'", "errorType": "KeyError", "requestId": "ID0", "stackTrace": ["  File \"/var/task/app.py\", line 14, in handler\n    if event: raise KeyError('k')\n"]}
                stdout "0xa55a0012 {\"timestamp\": \"TIME\", \"level\": \"WARNING\", \"message\": \"loading\", \"logger\": \"shop\", \"requestId\": \"\"}\n"
                stdout "begun "
                stdout "0xa55a0012 {\"timestamp\": \"TIME\", \"level\": \"WARNING\", \"message\": \"two\\nlines\", \"logger\": \"shop\", \"requestId\": \"ID0\", \"order\": 7}\n"
                stdout "printed\n"
                stdout "0xa55a0016 {\"timestamp\": \"TIME\", \"level\": \"ERROR\", \"message\": \"failed\", \"logger\": \"shop\", \"stackTrace\": [\"  File \\\"/var/task/app.py\\\", line 10, in handler\\n    1 / 0\\n    ~~^~~\\n\"], \"errorType\": \"ZeroDivisionError\", \"errorMessage\": \"division by zero\", \"requestId\": \"ID0\", \"location\": \"/var/task/app.py:handler:12\"}\n"
                stdout "0xa55a0003 by the context"
                stdout "0xa55a0016 {\"timestamp\": \"TIME\", \"level\": \"ERROR\", \"errorMessage\": \"'k'\", \"errorType\": \"KeyError\", \"requestId\": \"ID0\", \"stackTrace\": [\"  File \\\"/var/task/app.py\\\", line 14, in handler\\n    if event: raise KeyError('k')\\n\"]}"
                exit 0
            "#]],
        ),
        (
            "a level alone",
            app(source).events(&["1"]).variable("AWS_LAMBDA_LOG_LEVEL", "ERROR").framed(),
            expect![[r#"
                GET invocation/next
                  function init began
                POST invocation/ID0/error
                  cause: "KeyError" "'k'" 1 frames
                  {"errorMessage": "'k'", "errorType": "KeyError", "requestId": "ID0", "stackTrace": ["  File \"/var/task/app.py\", line 14, in handler\n    if event: raise KeyError('k')\n"]}
                stdout "begun printed\n"
                stdout "0xa55a0017 [ERROR]\tTIME\tID0\tfailed\nTraceback (most recent call last):\n  File \"/var/task/app.py\", line 10, in handler\n    1 / 0\n    ~~^~~\nZeroDivisionError: division by zero"
                stdout "0xa55a0003 by the context"
                stdout "0xa55a0017 [ERROR] KeyError: 'k'\nTraceback (most recent call last):\n\u{a0}\u{a0}File \"/var/task/app.py\", line 14, in handler\n\u{a0}\u{a0}\u{a0}\u{a0}if event: raise KeyError('k')"
                exit 0
            "#]],
        ),
    ]);
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
            app(echo).events(&[]).last_status(500),
            expect![[r#"
            GET invocation/next
              function init began
            stderr "The Runtime API refused /next with status 500: no\n"
            exit 1
        "#]],
        ),
    ]);
}
