//! Runtimes that break the rules of the Runtime API: only their own environment notices.

use std::time::{Duration, Instant};

use expect_test::expect;
use hearth_tests::{
    Function, NewFunction, Server, Settings, bootstrap, eventually, python, reports, rounds, running,
};
use serde_json::{Value, json};

use crate::silence::wait_until_silence_is_closed;

/// A runtime that does what its events say.
fn hostile(name: &str) -> NewFunction {
    bootstrap(name, include_str!("hostile_runtime.py")).timeout(10)
}

/// The same one, with variables.
fn hostile_with(name: &str, variables: &Value) -> NewFunction {
    hostile(name).with("Environment", json!({ "Variables": variables }))
}

/// Has the runtime take `steps`, and returns what it was answered, one answer a line.
fn answers(function: &Function<'_>, steps: &Value) -> String {
    function.wait_until_all_are_ready();
    let answers = function.invoke(json!({ "steps": steps }).to_string()).success();
    answers
        .as_array()
        .unwrap()
        .iter()
        .map(|answer| answer.as_str().unwrap().trim_end().to_owned() + "\n")
        .collect()
}

/// Has the runtime take `steps`, one of which ends the call, and returns the answer to the caller.
fn ends_with(function: &Function<'_>, steps: &Value) -> hearth_tests::Answer {
    function.wait_until_all_are_ready();
    function.invoke(json!({ "steps": steps, "respond": false }).to_string())
}

/// A plain function next to the hostile one.
fn assert_others_work(server: &Server) {
    let neighbour = server.create(python("neighbour", "def handler(event, context): return event\n"));
    assert_eq!(neighbour.invoke("1").success(), 1);
}

#[test]
fn case_048_a_response_with_a_wrong_id_is_refused_and_the_call_goes_on() {
    let server = Server::start();
    let function = server.create(hostile("foreign"));
    let steps = json!([
        { "ask": "POST {runtime}/invocation/8476a536-e9f4-41e8-9739-2dfe598c3fcd/response", "body": "1" },
        { "ask": "POST {runtime}/invocation/8476a536-e9f4-41e8-9739-2dfe598c3fcd/error", "body": "1" },
        { "ask": "POST {runtime}/invocation/nonsense/response", "body": "1" },
        { "ask": "POST {runtime}/invocation/{last}/response", "bytes": 10_000_000 },
    ]);
    expect![[r#"
        400 application/json: {"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}
        400 application/json: {"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}
        400 application/json: {"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}
        400 application/json: {"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}
    "#]]
    .assert_eq(&answers(&function, &steps));
    // The id of the call before: a late answer.
    let late = json!([{ "ask": "POST {runtime}/invocation/{last}/error", "body": "1" }]);
    expect![[r#"
        400 application/json: {"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}
    "#]]
    .assert_eq(&answers(&function, &late));
}

#[test]
fn case_049_the_first_answer_stands_and_everything_after_it_is_a_wrong_transition() {
    let server = Server::start();
    let function = server.create(hostile("twice"));
    let answer = ends_with(
        &function,
        &json!([
            { "ask": "POST {runtime}/init/error", "body": "{}" },
            { "ask": "POST {runtime}/invocation/{id}/response", "body": "\"first\"" },
            { "ask": "POST {runtime}/invocation/{id}/response", "body": "\"second\"" },
            { "ask": "POST {runtime}/invocation/{id}/error", "body": "{}" },
            { "ask": "POST {runtime}/init/error", "body": "{}" },
        ]),
    );
    assert_eq!(answer.success(), "first");
    expect![[r#"
        403 application/json: {"errorMessage":"State transition from Running to InitError failed for runtime. Error: State transition is not allowed","errorType":"InvalidStateTransition"}
        202 application/json: {"status":"OK"}
        403 application/json: {"errorMessage":"State transition from RuntimeResponseSentState to InvocationResponse failed for runtime. Error: State transition is not allowed","errorType":"InvalidStateTransition"}
        403 application/json: {"errorMessage":"State transition from RuntimeResponseSentState to InvocationErrorResponse failed for runtime. Error: State transition is not allowed","errorType":"InvalidStateTransition"}
        403 application/json: {"errorMessage":"State transition from RuntimeResponseSentState to InitError failed for runtime. Error: State transition is not allowed","errorType":"InvalidStateTransition"}
    "#]]
    .assert_eq(&answers(&function, &json!([])));
    assert_eq!(reports(&function.logs_with_reports(2)).len(), 2, "each call has one REPORT");
}

#[test]
fn case_050_what_is_not_documented_is_404_or_405() {
    let server = Server::start();
    let function = server.create(hostile("paths"));
    let steps: Vec<Value> = [
        "GET /2018-06-01/ping",
        "POST {runtime}/invocation/next",
        "HEAD {runtime}/invocation/next",
        "GET {runtime}/invocation/{id}/response",
        "PUT {runtime}/invocation/{id}/error",
        "GET {runtime}/init/error",
        "GET {runtime}/invocation/next/",
        "GET {runtime}/invocation/{id}",
        "GET {runtime}/restore/next",
        "POST {runtime}/restore/error",
        "GET /2021-04-23/credentials",
        "GET /",
    ]
    .iter()
    .map(|ask| json!({ "ask": ask }))
    .collect();
    expect![[r#"
        200 text/plain; charset=utf-8: pong
        405 no type:
        405 no type:
        405 no type:
        405 no type:
        405 no type:
        404 text/plain; charset=utf-8: 404 page not found
        404 text/plain; charset=utf-8: 404 page not found
        404 text/plain; charset=utf-8: 404 page not found
        404 text/plain; charset=utf-8: 404 page not found
        404 text/plain; charset=utf-8: 404 page not found
        404 text/plain; charset=utf-8: 404 page not found
    "#]]
    .assert_eq(&answers(&function, &json!(steps)));
}

#[test]
fn case_051_a_runtime_that_never_asks_is_cut_after_ten_seconds_and_once_more_inside_the_call_and_killed() {
    let server = Server::start();
    let function = server.create(bootstrap("mute", "#!/bin/sh\nexec sleep 31536051\n").timeout(1));
    let started = Instant::now();
    assert_eq!(
        function.invoke("{}").function_error(),
        r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: <id> Error: Task timed out after 1.00 seconds"}"#
    );
    let elapsed = started.elapsed();
    assert!(
        (11.0..13.0).contains(&elapsed.as_secs_f64()),
        "10 s of Init and 1 s of the call, not {elapsed:?}"
    );
    eventually("it is killed", || (running("31536051") == 0).then_some(()));
    // An Init of its own within each later call; never pending for ever.
    assert!(function.invoke("{}").function_error().contains("Task timed out after 1.00 seconds"));
    eventually("it is killed again", || (running("31536051") == 0).then_some(()));
    assert_others_work(&server);
}

#[test]
fn case_052_threads_that_ask_at_once_get_each_event_once() {
    for variables in [json!({ "THREADS": "2" }), json!({ "THREADS": "3", "ONE_SHOT": "1" })] {
        let server = Server::start();
        let function = server.create(hostile_with("threads", &variables));
        // The first call meets threads that have not asked yet: the others ask while it runs.
        for call in 1..=30 {
            let event = json!({ "times": true, "work": if call % 10 == 1 { 0.2 } else { 0.0 } });
            let answer = function.invoke(event.to_string()).success();
            assert_eq!((&answer["times"], &answer["all"]), (&json!(1), &json!(call)), "{variables} {answer}");
        }
        assert_eq!(reports(&function.logs_with_reports(30)).len(), 30);
    }
}

#[test]
fn a_runtime_that_asks_twice_on_one_connection_gets_the_same_event_again() {
    let server = Server::start();
    let function = server.create(hostile("losing"));
    let answer = function.invoke(r#"{"times": true, "lose": true}"#).success();
    assert_eq!(answer["times"], 2);
    let answer = function.invoke(r#"{"times": true}"#).success();
    assert_eq!(answer["times"], 1);
}

#[test]
fn case_053_a_runtime_that_has_waited_longer_than_every_time_out_gets_its_event_on_the_same_connection() {
    let server = Settings::new().arguments(&["--idle-timeout-s", "7200"]).start();
    let function = server.create(hostile("patient"));
    assert_eq!(answers(&function, &json!([])), "");
    // Each silence lasts as long as a client of the API may be silent: 20 s.
    for _ in 0..rounds(2, 90) {
        wait_until_silence_is_closed(&server);
    }
    let answer = function.invoke(r#"{"times": true}"#).success();
    assert_eq!((&answer["times"], &answer["all"]), (&json!(1), &json!(2)), "the same process");
}

#[test]
fn case_054_a_response_that_dribbles_is_cut_by_the_functions_time_out() {
    let server = Server::start();
    let function = server.create(hostile("dribbling").timeout(1));
    assert_eq!(answers(&function, &json!([])), "");
    let started = Instant::now();
    let answer = ends_with(&function, &json!([{ "dribble": 1_000 }]));
    let elapsed = started.elapsed();
    assert_eq!(
        answer.function_error(),
        r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: <id> Error: Task timed out after 1.00 seconds"}"#
    );
    assert!(elapsed < Duration::from_secs(3), "cut only after {elapsed:?}");
    assert_eq!(answers(&function, &json!([])), "", "the next call is a fresh one");
    assert_others_work(&server);
}

#[test]
fn case_055_any_error_report_reaches_the_caller_as_unhandled_and_its_type_is_one_that_is_known() {
    let server = Server::start();
    let function = server.create(hostile("reporting"));
    let report = |body: Value, headers: Value| {
        let mut step = json!({ "ask": "POST {runtime}/invocation/{id}/error", "headers": headers });
        let key = if body.is_number() { "bytes" } else { "body" };
        step[key] = body;
        ends_with(&function, &json!([step])).function_error() + "\n"
    };
    let typed = |error_type: &str| json!({ "Lambda-Runtime-Function-Error-Type": error_type });
    let cause = json!({ "Content-Type": "application/vnd.aws.lambda.error.cause+json" });
    let mut seen = String::new();
    seen += &report(json!(10_000_000), json!({}));
    seen += &report(json!("no json"), typed("Runtime.ImportModuleError"));
    seen += &report(json!(r#"{"errorType":"T"}"#), json!({}));
    seen += &report(json!(""), typed("Function.SomethingOfMine"));
    seen += &report(json!("{}"), typed("Function.odd"));
    seen += &report(json!("{}"), typed("<script>"));
    seen += &report(json!("{}"), typed("Runtime.Ab\tStatus: success"));
    seen += &report(json!("{}"), typed(&"Runtime.Abc".repeat(50)));
    seen += &report(
        json!(r#"{"errorCause":{"message":"m"},"stackTrace":["l"],"errorType":"T","errorMessage":"<m>"}"#),
        cause.clone(),
    );
    seen += &report(json!("no json"), cause);
    expect![[r#"
        {"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes).","errorType":"Function.ResponseSizeTooLarge"}
        no json
        {"errorType":"T"}

        {}
        {}
        {}
        {}
        {"errorMessage":"\u003cm\u003e","errorType":"T","stackTrace":["l"]}
        "Invalid error body"
    "#]]
    .assert_eq(&seen);

    expect![[r#"
        413 application/json: {"errorMessage":"Exceeded maximum allowed payload size (6291556 bytes).","errorType":"RequestEntityTooLarge"}
        202 application/json: {"status":"OK"}
        202 application/json: {"status":"OK"}
        202 application/json: {"status":"OK"}
        202 application/json: {"status":"OK"}
        202 application/json: {"status":"OK"}
        202 application/json: {"status":"OK"}
        202 application/json: {"status":"OK"}
        202 application/json: {"status":"OK"}
        202 application/json: {"status":"OK"}
    "#]]
    .assert_eq(&answers(&function, &json!([])));
    let events = function.logs_with_reports(11);
    let ends = reports(&events).into_iter().map(|report| {
        report.trim_end().split_once("\tStatus: ").map_or("no status", |(_, status)| status).to_owned() + "\n"
    });
    expect![[r#"
        error	Error Type: Function.ResponseSizeTooLarge
        error	Error Type: Runtime.ImportModuleError
        error	Error Type: Runtime.Unknown
        error	Error Type: Function.SomethingOfMine
        error	Error Type: Function.Unknown
        error	Error Type: Runtime.Unknown
        error	Error Type: Runtime.Unknown
        error	Error Type: Runtime.Unknown
        error	Error Type: Runtime.Unknown
        error	Error Type: Runtime.Unknown
        no status
    "#]]
    .assert_eq(&ends.collect::<String>());
    assert_eq!(function.environments().len(), 1, "the environment is kept through all of it");
}

#[test]
fn responses_that_are_cut_off_too_large_or_in_an_unknown_mode_are_errors_of_the_function() {
    let server = Server::start();
    let function = server.create(hostile("modes"));
    let ask = "POST {runtime}/invocation/{id}/response";
    let with_mode = |mode: &str| json!([{ "ask": ask, "body": "1", "headers": { "Lambda-Runtime-Function-Response-Mode": mode } }]);
    assert_eq!(ends_with(&function, &with_mode("streaming")).success(), 1);
    assert_eq!(ends_with(&function, &with_mode("")).success(), 1);
    let mut seen = String::new();
    for steps in [
        with_mode("buffered"),
        with_mode("Streaming"),
        json!([{ "ask": ask, "bytes": 6_291_557 }]),
        json!([{ "raw": "POST {runtime}/invocation/{id}/response HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n12" }]),
        json!([{ "raw": "POST {runtime}/invocation/{id}/error HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx" }]),
    ] {
        seen += &(ends_with(&function, &steps).function_error() + "\n");
    }
    expect![[r#"
        {"errorType":"Runtime.InvalidResponseModeHeader","errorMessage":"RequestId: <id> Error: Invalid response mode"}
        {"errorType":"Runtime.InvalidResponseModeHeader","errorMessage":"RequestId: <id> Error: Invalid response mode"}
        {"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes).","errorType":"Function.ResponseSizeTooLarge"}
        {"errorType":"Runtime.TruncatedResponse","errorMessage":"RequestId: <id> Error: Response was truncated"}
        {"errorType":"Runtime.TruncatedResponse","errorMessage":"RequestId: <id> Error: Response was truncated"}
    "#]]
    .assert_eq(&seen);
    expect![[r#"
        202 application/json: {"status":"OK"}
        202 application/json: {"status":"OK"}
        400 application/json: {"errorMessage":"Invalid function response mode","errorType":"InvalidFunctionResponseMode"}
        400 application/json: {"errorMessage":"Invalid function response mode","errorType":"InvalidFunctionResponseMode"}
        413 application/json: {"errorMessage":"Exceeded maximum allowed payload size (6291556 bytes).","errorType":"RequestEntityTooLarge"}
        HTTP/1.1 400 Bad Request: {"errorMessage":"HTTP request detected as truncated","errorType":"TruncatedHTTPRequest"}
        HTTP/1.1 400 Bad Request: {"errorMessage":"HTTP request detected as truncated","errorType":"TruncatedHTTPRequest"}
    "#]]
    .assert_eq(&answers(&function, &json!([])));
    assert_eq!(function.environments().len(), 1, "the environment is kept through all of it");
}

#[test]
fn a_report_of_a_failed_init_is_the_answer_whatever_it_holds() {
    let server = Server::start();
    let mut seen = String::new();
    for (number, step) in [
        json!({ "ask": "POST {runtime}/init/error", "body": "no json",
            "headers": { "Lambda-Runtime-Function-Error-Type": "Runtime.MyInit" } }),
        json!({ "ask": "POST {runtime}/init/error", "bytes": 10_000_000,
            "headers": { "Lambda-Runtime-Function-Error-Type": "Function.odd" } }),
    ]
    .iter()
    .enumerate()
    {
        // A response before the first `/next` is to no invocation; a cut off report is none.
        let init = json!([
            { "ask": "POST {runtime}/invocation/8476a536-e9f4-41e8-9739-2dfe598c3fcd/response", "body": "1" },
            { "raw": "POST {runtime}/init/error HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n12" },
            step,
        ]);
        let name = format!("init-{number}");
        let function = server.create(hostile_with(&name, &json!({ "INIT": init.to_string() })));
        seen += &(function.invoke("{}").function_error() + "\n");
        let events = function.logs_with_reports(1);
        let report = reports(&events)[0].trim_end();
        seen += &format!("{}\n", report.rsplit('\t').next().unwrap());
    }
    expect![[r#"
        no json
        Error Type: Runtime.MyInit
        {"errorMessage":"The function reported an error that is too large or cannot be read","errorType":"Function.Unknown"}
        Error Type: Function.Unknown
    "#]]
    .assert_eq(&seen);
}

#[test]
fn case_062_garbage_and_floods_on_the_runtime_api_concern_only_their_own_environment() {
    let server = Server::start();
    let function = server.create(hostile("flooding").timeout(30));
    let before = server.resident_kib();
    let long_header = "GET {runtime}/invocation/next HTTP/1.1\r\nHost: h\r\nX: ";
    let steps = json!([
        { "raw": "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}" },
        { "raw": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" },
        { "raw": "nonsense\r\n\r\n" },
        { "raw": "GET /\r\n" },
        { "raw": long_header, "bytes": 1_100_000 },
        { "flood": 200 },
        // Beyond eight connections heads of 64 KB are the longest.
        { "raw": long_header, "bytes": 100_000 },
        { "ask": "GET /2018-06-01/ping" },
    ]);
    let seen = answers(&function, &steps);
    expect![[r#"
        HTTP/1.1 400 Bad Request:
        closed:
        HTTP/1.1 400 Bad Request:
        HTTP/1.1 400 Bad Request:
        HTTP/1.1 431 Request Header Fields Too Large:
        200 connections
        HTTP/1.1 431 Request Header Fields Too Large:
        200 text/plain; charset=utf-8: pong
    "#]]
    .assert_eq(&seen);
    let grown = server.resident_kib().saturating_sub(before);
    assert!(grown < 32 << 10, "the server has grown by {grown} KiB");
    assert_eq!(answers(&function, &json!([])), "");

    // More connections than an environment may have: the next one waits, and only the time-out of the function helps it.
    let greedy = server.create(hostile("greedy").timeout(2));
    assert_eq!(answers(&greedy, &json!([])), "");
    let steps = json!([{ "flood": 300 }, { "ask": "GET /2018-06-01/ping" }]);
    let error = ends_with(&greedy, &steps).function_error();
    assert!(error.contains("Task timed out after 2.00 seconds"), "{error}");
    assert_eq!(answers(&greedy, &json!([])), "", "the next call is a fresh one");
    assert_others_work(&server);
}
