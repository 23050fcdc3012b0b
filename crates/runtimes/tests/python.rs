//! The runtime client for Python, with the host's interpreter.
#![allow(clippy::disallowed_methods, reason = "the tests start interpreters and look for them")]
#![allow(missing_docs)]

mod support;

use expect_test::{Expect, expect};
use hearth_types::LogLevel;
use support::{Case, Host, case};

fn check(table: Vec<(&str, Case, Expect)>) {
    let Some(host) = Host::with_one_of("python", &["python3.11", "python3.12", "python3.13", "python3.10"])
    else {
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
            expect![],
        ),
        (
            "a module in a folder, named with a slash",
            case("pkg/sub/mod.func", &[("pkg/sub/mod.py", "def func(event, context):\n    return __name__")]),
            expect![],
        ),
        (
            "a module in a package, named with dots",
            case(
                "pkg.mod.func",
                &[("pkg/__init__.py", ""), ("pkg/mod.py", "def func(event, context):\n    return __name__")],
            ),
            expect![],
        ),
        ("bytes are answered as they are", app("def handler(event, context):\n    return b'raw'"), expect![]),
        (
            "values of JSON, and those that AWS's client makes into JSON",
            app("import decimal, collections
Point = collections.namedtuple('Point', 'x y')
def handler(event, context):
    if event: return Point(1, 2)
    return [None, True, 1.0, float('nan'), decimal.Decimal('1.10'), b'bytes', (1, 2), {1: 'one'}]")
            .events(&["{}", "1"]),
            expect![],
        ),
        (
            "an event that is not JSON by its content type is text",
            app("def handler(event, context):\n    return event")
                .events(&["a,b"])
                .headers(&[("Content-Type", "text/csv")]),
            expect![],
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
            expect![],
        ),
        (
            "the trace id, the path, and no trace of this client",
            app("import os, sys
def handler(event, context):
    return [os.environ['_X_AMZN_TRACE_ID'][:6], sys.path[0], sys.argv[1:], '_LAMBDA_TELEMETRY_LOG_FD' in os.environ,
        os.getcwd(), callable(exit), sys.stdout.encoding]")
            .framed(),
            expect![],
        ),
        (
            "PYTHONPATH and its sitecustomize",
            case("app.handler", &[
                ("app.py", "import extra\ndef handler(event, context):\n    return [extra.VALUE, extra.customised]"),
                ("lib/extra.py", "VALUE = 1"),
                ("lib/sitecustomize.py", "import extra\nextra.customised = True"),
            ])
            .variable("PYTHONPATH", "lib"),
            expect![],
        ),
        (
            "an exec wrapper, named by its path on AWS",
            case("app.handler", &[
                ("app.py", "import os\ndef handler(event, context):\n    return os.environ['WRAPPED']"),
                ("wrapper", "#!/bin/sh\nWRAPPED=yes exec \"$@\"\n"),
            ])
            .variable("AWS_LAMBDA_EXEC_WRAPPER", "/var/task/missing"),
            expect![],
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
            expect![],
        ),
        ("a result that is not JSON", app("def handler(event, context):\n    return {1, 2}"), expect![]),
        (
            "an event that is not JSON",
            app("def handler(event, context):\n    return event").events(&["{"]),
            expect![],
        ),
        (
            "a client context that is not JSON",
            app("def handler(event, context):\n    return event").headers(&[("Lambda-Runtime-Client-Context", "{")]),
            expect![],
        ),
        ("the end of the process", app("import sys\ndef handler(event, context):\n    print('bye', end='')\n    sys.exit(3)"), expect![]),
    ]);
}

#[test]
fn errors_of_loading_are_reported_as_errors_of_init() {
    check(vec![
        ("no such module", case("nope.handler", &[]), expect![]),
        ("a module that imports what is missing", app("import missing_thing"), expect![]),
        ("no such function", app("other = 1"), expect![]),
        ("a handler without a dot", case("app", &[]), expect![]),
        ("a built-in module", case("sys.exit", &[]), expect![]),
        ("wrong syntax", app("def handler(:\n    pass"), expect![]),
        ("an exception at the top of the module", app("raise ValueError('too early')"), expect![]),
        ("the end of the process while loading", app("import sys\nsys.exit(7)"), expect![]),
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
        ("plain, without a descriptor", app(source), expect![]),
        ("framed, in the order of writing", app(source).framed(), expect![]),
        (
            "an error, framed",
            app("def handler(event, context):\n    raise KeyError('k')").framed(),
            expect![],
        ),
        ("JSON, with a level", app(source).json(Some(LogLevel::Info)), expect![]),
        ("JSON, framed, without a level", app(source).json(None).framed(), expect![]),
        ("a level alone", app(source).variable("AWS_LAMBDA_LOG_LEVEL", "ERROR").framed(), expect![]),
    ]);
}

#[test]
fn the_client_lives_on_whatever_the_runtime_api_answers() {
    let echo = "def handler(event, context):\n    return event";
    check(vec![
        ("a response that is refused", app(echo).events(&["1", "2"]).response_status(413), expect![]),
        (
            "a large response that is refused",
            app("def handler(event, context):\n    return 'x' * 7000000")
                .events(&["1", "2"])
                .response_status(413),
            expect![],
        ),
        ("a server that closes every connection", app(echo).events(&["1", "2"]).closes(), expect![]),
        ("a refused /next", app(echo).events(&[]).last_status(500), expect![]),
    ]);
}
