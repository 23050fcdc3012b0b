//! Init that fails: what is logged, and what the call that waits for it gets.

use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use hearth_tests::{NewFunction, Package, Server, bootstrap, needs_node, python, reports, transcript};
use regex_lite::Regex;

/// Creates a function whose Init fails, calls it once, and shows the answer and the log.
fn check(new: NewFunction, expected: &Expect) {
    let server = Server::start();
    let function = server.create(new);
    let error = function.invoke("{}").function_error();
    let events = function.logs_with_reports(1);
    // Stack traces are compared where the runtime clients are tested; here it matters that there is one.
    let traces = Regex::new(r#""(stackTrace|trace)": ?\[.*\]"#).unwrap();
    let error = traces.replace_all(&error, "\"$1\": [...]");
    expected.assert_eq(&format!("{error}\n{}", transcript(&events)));
}

#[test]
fn case_040_an_import_error_fails_init_twice_and_answers_what_the_second_one_posted() {
    check(
        python("importing", "import no_such_module\ndef handler(event, context): pass\n"),
        &expect![[r#"
            {"errorMessage": "Unable to import module 'app': No module named 'no_such_module'", "errorType": "Runtime.ImportModuleError", "requestId": "", "stackTrace": [...]}
            INIT_START Runtime Version: python:3.11.v<n>⇥Runtime Version ARN: arn:aws:lambda:us-east-1::runtime:<sha256>
            [WARNING]⇥<time>⇥⇥LAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function code.
            [ERROR] Runtime.ImportModuleError: Unable to import module 'app': No module named 'no_such_module'↵Traceback (most recent call last):¶
            INIT_REPORT Init Duration: <ms> ms⇥Phase: init⇥Status: error⇥Error Type: Runtime.ImportModuleError
            [WARNING]⇥<time>⇥⇥LAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function code.
            [ERROR] Runtime.ImportModuleError: Unable to import module 'app': No module named 'no_such_module'↵Traceback (most recent call last):¶
            INIT_REPORT Init Duration: <ms> ms⇥Phase: invoke⇥Status: error⇥Error Type: Runtime.ImportModuleError
            START RequestId: <id 1> Version: $LATEST
            END RequestId: <id 1>
            REPORT RequestId: <id 1>⇥Duration: <ms> ms⇥Billed Duration: <n> ms⇥Memory Size: 128 MB⇥Max Memory Used: <n> MB⇥Status: error⇥Error Type: Runtime.ImportModuleError
        "#]],
    );
}

#[test]
fn case_040_a_handler_that_is_not_in_the_module_is_handler_not_found() {
    check(
        python("missing", "def other(event, context): pass\n"),
        &expect![[r#"
            {"errorMessage": "Handler 'handler' missing on module 'app'", "errorType": "Runtime.HandlerNotFound", "requestId": "", "stackTrace": [...]}
            INIT_START Runtime Version: python:3.11.v<n>⇥Runtime Version ARN: arn:aws:lambda:us-east-1::runtime:<sha256>
            [WARNING]⇥<time>⇥⇥LAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function code.
            [ERROR] Runtime.HandlerNotFound: Handler 'handler' missing on module 'app'↵Traceback (most recent call last):¶
            INIT_REPORT Init Duration: <ms> ms⇥Phase: init⇥Status: error⇥Error Type: Runtime.HandlerNotFound
            [WARNING]⇥<time>⇥⇥LAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function code.
            [ERROR] Runtime.HandlerNotFound: Handler 'handler' missing on module 'app'↵Traceback (most recent call last):¶
            INIT_REPORT Init Duration: <ms> ms⇥Phase: invoke⇥Status: error⇥Error Type: Runtime.HandlerNotFound
            START RequestId: <id 1> Version: $LATEST
            END RequestId: <id 1>
            REPORT RequestId: <id 1>⇥Duration: <ms> ms⇥Billed Duration: <n> ms⇥Memory Size: 128 MB⇥Max Memory Used: <n> MB⇥Status: error⇥Error Type: Runtime.HandlerNotFound
        "#]],
    );
}

#[test]
fn case_040_a_syntax_error_in_node_is_a_user_code_syntax_error() {
    if !needs_node() {
        return;
    }
    let server = Server::start();
    let package = Package::new().file("index.js", "exports.handler = async () => {{;\n");
    let function = server.create(NewFunction::new("syntax", "nodejs20.x", "index.handler", package));
    let error = function.invoke("{}").function_error();
    let error: serde_json::Value = serde_json::from_str(&error).unwrap();
    assert_eq!(error["errorType"], "Runtime.UserCodeSyntaxError");
    assert!(error["errorMessage"].as_str().unwrap().starts_with("SyntaxError: "), "{error}");
    let events = function.logs_with_reports(1);
    let report = reports(&events)[0];
    assert!(report.ends_with("\tStatus: error\tError Type: Runtime.UserCodeSyntaxError\n"), "{report:?}");
}

#[test]
fn case_040_a_syntax_error_in_python_is_a_user_code_syntax_error() {
    let server = Server::start();
    let function = server.create(python("syntax", "def handler(event, context:\n"));
    let error = function.invoke("{}").function_error();
    let error: serde_json::Value = serde_json::from_str(&error).unwrap();
    assert_eq!(error["errorType"], "Runtime.UserCodeSyntaxError");
    assert!(error["errorMessage"].as_str().unwrap().starts_with("Syntax error in module 'app': "), "{error}");
}

#[test]
fn an_init_that_exits_is_an_exit_error() {
    check(
        bootstrap("exiting", "#!/bin/sh\necho about to exit\nexit 3\n"),
        &expect![[r#"
            {"errorType":"Runtime.ExitError","errorMessage":"RequestId: <id> Error: Runtime exited with error: exit status 3"}
            INIT_START Runtime Version: provided:al2023.v<n>⇥Runtime Version ARN: arn:aws:lambda:us-east-1::runtime:<sha256>
            about to exit
            INIT_REPORT Init Duration: <ms> ms⇥Phase: init⇥Status: error⇥Error Type: Runtime.ExitError
            about to exit
            INIT_REPORT Init Duration: <ms> ms⇥Phase: invoke⇥Status: error⇥Error Type: Runtime.ExitError
            START RequestId: <id 1> Version: $LATEST
            END RequestId: <id 1>
            REPORT RequestId: <id 1>⇥Duration: <ms> ms⇥Billed Duration: <n> ms⇥Memory Size: 128 MB⇥Max Memory Used: <n> MB⇥Status: error⇥Error Type: Runtime.ExitError
        "#]],
    );
}

#[test]
fn a_package_without_a_bootstrap_is_an_invalid_entrypoint() {
    let server = Server::start();
    let package = Package::new().file("readme.txt", "no bootstrap here\n");
    let function = server.create(NewFunction::new("empty", "provided.al2023", "main", package));
    assert_eq!(
        function.invoke("{}").function_error(),
        "{\"errorType\":\"Runtime.InvalidEntrypoint\",\"errorMessage\":\"RequestId: <id> Error: \
         Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]\"}"
    );
}

#[test]
fn case_043_an_import_of_12_seconds_is_cut_at_10_and_repeated_inside_the_call() {
    let server = Server::start();
    let source = "import time\ntime.sleep(12)\ndef handler(event, context): return 'done'\n";
    let function = server.create(python("slow", source).timeout(30));
    let started = Instant::now();
    assert_eq!(function.invoke("{}").success(), "done");
    let elapsed = started.elapsed();
    assert!(elapsed >= Duration::from_secs(22), "10 s of Init and 12 s of the next one, not {elapsed:?}");
    assert!(elapsed < Duration::from_secs(27), "{elapsed:?}");

    let events = function.logs_with_reports(1);
    expect![[r#"
        INIT_START Runtime Version: python:3.11.v<n>⇥Runtime Version ARN: arn:aws:lambda:us-east-1::runtime:<sha256>
        INIT_REPORT Init Duration: <ms> ms⇥Phase: init⇥Status: timeout
        START RequestId: <id 1> Version: $LATEST
        END RequestId: <id 1>
        REPORT RequestId: <id 1>⇥Duration: <ms> ms⇥Billed Duration: <n> ms⇥Memory Size: 128 MB⇥Max Memory Used: <n> MB⇥
    "#]]
    .assert_eq(&transcript(&events));
    let milliseconds = |line: &str, field: &str| -> f64 {
        let rest = line.split_once(field).unwrap().1;
        rest.split_once(" ms").unwrap().0.parse().unwrap()
    };
    let cut = milliseconds(&events[1].message, "Init Duration: ");
    assert!((9_900.0..10_500.0).contains(&cut), "Init was cut after {cut} ms");
    let duration = milliseconds(reports(&events)[0], "\tDuration: ");
    assert!((12_000.0..15_000.0).contains(&duration), "Duration holds the repeated Init: {duration} ms");
}
