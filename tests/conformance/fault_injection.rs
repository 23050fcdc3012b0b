//! `hearth fault`: what goes wrong on purpose really does, once for each time that was asked for, and says so.

use std::thread;
use std::time::Instant;

use hearth_tests::{
    Answer, Call, Function, LogEvent, NewFunction, Server, Settings, eventually, example_extension, hearth,
    hearth_with, lines_of, number_after, python, reports,
};
use serde_json::{Value, json};

const PLAIN: &str = "def handler(event, context): return event\n";

/// The time-out of functions that are made to hang, in seconds.
const TIMEOUT: u32 = 3;

fn allowing() -> Server {
    Settings::new().arguments(&["--allow-fault-injection"]).start()
}

/// A function with an external extension `agent`, on AWS's client for Rust.
fn with_agent(server: &Server, name: &str) -> NewFunction {
    let layer = server.publish_extensions(&[("agent", example_extension("events"))]);
    python(name, PLAIN).with("Layers", json!([layer])).timeout(TIMEOUT)
}

/// Runs `hearth fault add FUNCTION …`.
fn add(function: &Function<'_>, words: &str) -> Value {
    let words = format!("fault add {} {words} --output json", function.name());
    hearth(Some(function.server()), &words.split(' ').collect::<Vec<_>>()).json()
}

/// Returns the lines that tell of faults, with the request's id as `<id>` and without what stands before them.
fn told(events: &[LogEvent], id: &str) -> Vec<String> {
    let lines = lines_of(events, "HEARTH_FAULT ").into_iter();
    lines.map(|line| line.replace(id, "<id>").trim_end().to_owned()).collect()
}

/// Adds a fault to a warm function, calls it, and returns the answer, its REPORT and what the log says of the fault. Checks
/// that the next call is healthy.
fn one_call(function: &Function<'_>, words: &str) -> (Answer, String, Vec<String>) {
    function.wait_until_all_are_ready();
    add(function, words);
    let answer = function.invoke("7");
    let id = answer.request_id();
    let events = function.logs_until(&format!("the REPORT of {id}"), |events| {
        reports(events).iter().any(|report| report.contains(&id))
    });
    let report = reports(&events).into_iter().find(|report| report.contains(&id)).unwrap().to_owned();
    let told = told(&events, &id).into_iter().filter(|line| line.contains("<id>")).collect();
    assert_eq!(function.invoke("8").success(), 8, "the call after {words}");
    (answer, report, told)
}

fn line(phase: &str, deed: &str) -> Vec<String> {
    vec![format!("HEARTH_FAULT RequestId: <id>\tPhase: {phase}\tDo: {deed}")]
}

#[test]
fn nothing_is_injected_unless_the_server_allows_it() {
    let server = Server::start();
    server.create(python("unharmed", PLAIN));
    let refused = hearth(Some(&server), &["fault", "add", "unharmed", "--phase", "invoke", "--do", "kill"]);
    assert_eq!(refused.status.code(), Some(5), "{}", refused.stderr);
    assert!(refused.stderr.contains("--allow-fault-injection"), "{}", refused.stderr);
    for (method, path) in [("POST", "/_hearth/faults"), ("DELETE", "/_hearth/faults")] {
        assert_eq!(server.http(method, path, b"{}").status, 403, "{method}");
    }
    assert_eq!(server.hearth("faults"), json!({ "allowed": false, "faults": [] }));
    // A variable allows it as the flag does.
    let server = Settings::new().variable("HEARTH_ALLOW_FAULT_INJECTION", "true").start();
    assert_eq!(server.hearth("faults"), json!({ "allowed": true, "faults": [] }));
}

#[test]
fn what_makes_no_sense_is_refused_with_what_would() {
    let server = allowing();
    server.create(python("asked", PLAIN));
    let ask = |change: &Value| {
        let mut request = json!({ "function_name": "asked", "phase": "invoke", "do": "kill" });
        for (name, value) in change.as_object().unwrap() {
            request[name] = value.clone();
        }
        let answer = server.http("POST", "/_hearth/faults", request.to_string().as_bytes());
        (answer.status, answer.json()["message"].as_str().unwrap_or_default().to_owned())
    };
    for (change, status, says) in [
        (json!({ "phase": "shutdown" , "do": "fail" }), 400, "hang, delay, kill"),
        (json!({ "phase": "runtime-init", "do": "throttle" }), 400, "fail, hang, delay, kill, oom"),
        (json!({ "phase": "init" }), 400, "extension-init, runtime-init, function-init"),
        (json!({ "do": "explode" }), 400, "oom, throttle"),
        (json!({ "do": "delay" }), 400, "delay_ms, from 1 to 900000"),
        (json!({ "do": "delay", "delay_ms": 900_001 }), 400, "delay_ms"),
        (json!({ "delay_ms": 5 }), 400, "only a delay"),
        (json!({ "phase": "function-init", "extension": "agent" }), 400, "no extension"),
        (json!({ "do": "throttle", "extension": "agent" }), 400, "not extensions"),
        (json!({ "extension": "a\nb" }), 400, "no name of an extension"),
        (json!({ "times": 0 }), 400, "from 1 to"),
        (json!({ "times": 1_000_001 }), 400, "from 1 to"),
        (json!({ "times": -1 }), 400, "invalid value"),
        (json!({ "often": 2 }), 400, "unknown field"),
        (json!({ "qualifier": "no way" }), 400, "qualifier"),
        (json!({ "function_name": "a b" }), 400, "a b"),
        (json!({ "function_name": "unknown" }), 404, "unknown"),
        (json!({ "qualifier": "7" }), 404, "asked:7"),
        (json!({ "qualifier": "prod" }), 404, "prod"),
    ] {
        let (found, message) = ask(&change);
        assert_eq!(found, status, "{change}: {message}");
        assert!(message.contains(says), "{change}: {message}");
    }
    let plain = hearth_tests::http(
        server.address(),
        "POST",
        "/_hearth/faults",
        &[("Content-Type", "text/plain")],
        b"{}",
    );
    assert_eq!(plain.status, 415);
    assert_eq!(server.http("DELETE", "/_hearth/faults/1", b"").status, 404);
    assert_eq!(server.hearth("faults")["faults"], json!([]));
}

#[test]
fn an_invoke_fails_dies_runs_out_of_memory_waits_and_hangs_and_the_next_one_is_healthy() {
    let server = allowing();
    let function = server.create(python("invoked", PLAIN).timeout(TIMEOUT));
    function.invoke("0").success();

    let (answer, report, told) = one_call(&function, "--phase invoke --do fail");
    assert_eq!(
        answer.function_error(),
        r#"{"errorType":"Function.InjectedFault","errorMessage":"RequestId: <id> Error: injected fault: fail at invoke"}"#
    );
    assert!(report.ends_with("Status: error\tError Type: Function.InjectedFault\n"), "{report}");
    assert_eq!(told, line("invoke", "fail"));

    let exited = r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: <id> Error: Runtime exited with error: signal: killed"}"#;
    let (answer, report, told) = one_call(&function, "--phase invoke --do kill");
    assert_eq!(answer.function_error(), exited);
    assert!(report.ends_with("Status: error\tError Type: Runtime.ExitError\n"), "{report}");
    assert_eq!(told, line("invoke", "kill"));

    let (answer, report, told) = one_call(&function, "--phase invoke --do oom");
    assert_eq!(answer.function_error(), exited);
    assert!(report.contains("Memory Size: 128 MB\tMax Memory Used: 128 MB\t"), "{report}");
    assert!(report.ends_with("Status: error\tError Type: Runtime.OutOfMemory\n"), "{report}");
    assert_eq!(told, line("invoke", "oom"));

    let (answer, report, told) = one_call(&function, "--phase invoke --do delay 700");
    assert_eq!(answer.success(), 7);
    assert!(number_after(&report, "\tDuration: ") >= 700.0 && !report.contains("Status:"), "{report}");
    assert_eq!(told, line("invoke", "delay 700"));

    let (answer, report, told) = one_call(&function, "--phase invoke --do hang");
    assert_eq!(
        answer.function_error(),
        r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: <id> Error: Task timed out after 3.00 seconds"}"#
    );
    assert!(report.ends_with("Status: timeout\n"), "{report}");
    assert_eq!(told, line("invoke", "hang"));
}

#[test]
fn a_throttled_call_has_awss_exception_with_the_reason_and_an_event_comes_later() {
    let server = allowing();
    let function = server.create(python("throttled", PLAIN));
    add(&function, "--phase invoke --do throttle --times 2");
    for _ in 0..2 {
        let answer = function.call(&Call { payload: b"1", ..Call::default() });
        assert_eq!(answer.status(), 429);
        assert_eq!(answer.0.header("x-amzn-ErrorType"), Some("TooManyRequestsException"));
        let body = answer.json();
        assert_eq!(body["Reason"], "ConcurrentInvocationLimitExceeded", "{body}");
        assert_eq!(body["message"], "Rate Exceeded.", "{body}");
    }
    assert_eq!(function.invoke("1").success(), 1);

    let concurrency = server.http(
        "PUT",
        "/2017-10-31/functions/throttled/concurrency",
        br#"{"ReservedConcurrentExecutions":5}"#,
    );
    assert_eq!(concurrency.status, 200, "{}", concurrency.text());
    add(&function, "--phase invoke --do throttle");
    let answer = function.call(&Call { payload: b"1", ..Call::default() });
    assert_eq!(answer.json()["Reason"], "ReservedFunctionConcurrentInvocationLimitExceeded");

    // Nobody waits for an event: it backs off, and runs.
    add(&function, "--phase invoke --do throttle");
    let event = [("X-Amz-Invocation-Type", "Event")];
    assert_eq!(function.call(&Call { headers: &event, payload: b"2", ..Call::default() }).status(), 202);
    function.logs_with_reports(2);
    let faults = server.hearth("faults");
    let happened: Vec<&Value> =
        faults["faults"].as_array().unwrap().iter().map(|fault| &fault["happened"]).collect();
    assert_eq!(happened, [2, 1, 1]);
}

#[test]
fn after_an_invoke_the_caller_has_its_answer_and_the_report_has_what_went_wrong() {
    let server = allowing();
    let function = server.create(python("answered", PLAIN).timeout(TIMEOUT));
    function.invoke("0").success();
    for (deed, ending) in [
        ("fail", "Status: error\tError Type: Runtime.InjectedFault\n"),
        ("kill", "Status: error\tError Type: Runtime.ExitError\n"),
        ("oom", "Status: error\tError Type: Runtime.OutOfMemory\n"),
        ("hang", "Status: timeout\n"),
        ("delay 700", " MB\t\n"),
    ] {
        let (answer, report, told) = one_call(&function, &format!("--phase after-invoke --do {deed}"));
        assert_eq!(answer.success(), 7, "{deed}");
        if deed == "delay 700" {
            assert!(
                !report.contains("Status:") && number_after(&report, "\tDuration: ") >= 700.0,
                "{report}"
            );
        } else {
            assert!(report.ends_with(ending), "{deed}: {report}");
        }
        assert_eq!(told, line("after-invoke", deed));
    }
}

/// Adds a fault of Init to a new function, calls it, and returns the first answer and the whole log.
fn cold_call(server: &Server, new: NewFunction, words: &str) -> (Answer, Vec<LogEvent>) {
    let function = server.create(new);
    add(&function, words);
    let answer = function.invoke("7");
    let events = function.logs_with_reports(1);
    assert_eq!(
        lines_of(&events, "HEARTH_FAULT ").len(),
        1.max(number_of_times(words)),
        "{words}: {events:#?}"
    );
    function.wait_until_all_are_ready();
    assert_eq!(function.invoke("8").success(), 8, "the call after {words}");
    (answer, events)
}

fn number_of_times(words: &str) -> usize {
    words.split_once("--times ").map_or(1, |(_, times)| times.parse().unwrap())
}

#[test]
fn an_init_that_fails_once_is_repeated_within_the_call_and_one_that_fails_twice_is_its_error() {
    let server = allowing();
    for (phase, who) in [("runtime-init", "Runtime"), ("function-init", "Function")] {
        for (deed, error_type, message) in [
            ("fail", format!("{who}.InjectedFault"), format!("injected fault: fail at {phase}")),
            ("kill", "Runtime.ExitError".to_owned(), "Runtime exited with error: signal: killed".to_owned()),
            ("oom", "Runtime.OutOfMemory".to_owned(), "Runtime exited with error: signal: killed".to_owned()),
        ] {
            let words = format!("--phase {phase} --do {deed}");
            let new = |times| python(&format!("{phase}-{deed}-{times}"), PLAIN);
            let (answer, events) = cold_call(&server, new(1), &words);
            assert_eq!(answer.success(), 7, "{words}");
            let init = lines_of(&events, "INIT_REPORT ");
            assert!(
                init[0].ends_with(&format!("Phase: init\tStatus: error\tError Type: {error_type}\n")),
                "{init:?}"
            );

            let (answer, events) = cold_call(&server, new(2), &format!("{words} --times 2"));
            let told_as = error_type.replace("Runtime.OutOfMemory", "Runtime.ExitError");
            assert_eq!(
                answer.function_error(),
                format!(r#"{{"errorType":"{told_as}","errorMessage":"RequestId: <id> Error: {message}"}}"#)
            );
            assert!(reports(&events)[0].ends_with(&format!("Error Type: {error_type}\n")), "{events:#?}");
        }
    }
}

#[test]
fn an_init_that_is_delayed_takes_longer_and_one_that_hangs_runs_into_its_limit() {
    let server = allowing();
    let layer = server.publish_extensions(&[("agent", example_extension("events"))]);
    let with_layer = |name: &str| python(name, PLAIN).with("Layers", json!([layer])).timeout(30);
    for phase in ["extension-init", "runtime-init", "function-init"] {
        let words = format!("--phase {phase} --do delay 900");
        let (answer, events) = cold_call(&server, with_layer(&format!("{phase}-delayed")), &words);
        assert_eq!(answer.success(), 7, "{words}");
        assert!(number_after(reports(&events)[0], "Init Duration: ") >= 900.0, "{events:#?}");
    }
    thread::scope(|scope| {
        for phase in ["extension-init", "runtime-init", "function-init"] {
            let (server, new) = (&server, with_layer(&format!("{phase}-hangs")));
            scope.spawn(move || {
                let began = Instant::now();
                let (answer, events) = cold_call(server, new, &format!("--phase {phase} --do hang"));
                assert_eq!(answer.success(), 7, "{phase}");
                assert!(began.elapsed().as_secs() >= 10, "Init has ten seconds");
                let init = lines_of(&events, "INIT_REPORT ");
                assert!(init[0].ends_with("Phase: init\tStatus: timeout\n"), "{init:?}");
            });
        }
    });
}

#[test]
fn an_extension_that_fails_or_dies_in_its_init_fails_init() {
    let server = allowing();
    for (deed, error_type) in
        [("fail", "Extension.InjectedFault"), ("kill", "Extension.Crash"), ("oom", "Runtime.OutOfMemory")]
    {
        // The first extension is meant when none is named.
        for named in ["", " --extension agent"] {
            let name = format!("agent-{deed}-{}", named.len());
            let words = format!("--phase extension-init --do {deed}{named}");
            let (answer, events) = cold_call(&server, with_agent(&server, &name), &words);
            assert_eq!(answer.success(), 7, "{words}");
            let init = lines_of(&events, "INIT_REPORT ");
            assert!(init[0].ends_with(&format!("Status: error\tError Type: {error_type}\n")), "{init:?}");
            let fault = lines_of(&events, "HEARTH_FAULT ");
            assert!(
                fault[0].ends_with(&format!("Phase: extension-init\tDo: {deed}\tExtension: agent\n")),
                "{fault:?}"
            );
        }
    }
}

#[test]
fn an_extension_that_goes_wrong_at_an_invoke_or_after_it_is_what_the_report_names() {
    let server = allowing();
    let function = server.create(with_agent(&server, "agents"));
    function.invoke("0").success();
    for (deed, error_type, message) in [
        ("fail", "Extension.InjectedFault", "injected fault: fail at invoke"),
        ("kill", "Extension.Crash", "signal: killed"),
        ("oom", "Extension.Crash", "signal: killed"),
    ] {
        let recorded = if deed == "oom" { "Runtime.OutOfMemory" } else { error_type };
        let ending = format!("Status: error\tError Type: {recorded}\n");
        let (answer, report, told) =
            one_call(&function, &format!("--phase invoke --do {deed} --extension agent"));
        assert_eq!(
            answer.function_error(),
            format!(r#"{{"errorType":"{error_type}","errorMessage":"RequestId: <id> Error: {message}"}}"#)
        );
        assert!(report.ends_with(&ending), "{report}");
        assert_eq!(told, line("invoke", &format!("{deed}\tExtension: agent")));

        let (answer, report, told) =
            one_call(&function, &format!("--phase after-invoke --do {deed} --extension agent"));
        assert_eq!(answer.success(), 7, "{deed}");
        assert!(report.ends_with(&ending), "{report}");
        assert_eq!(told, line("after-invoke", &format!("{deed}\tExtension: agent")));
    }
    for phase in ["invoke", "after-invoke"] {
        let (answer, report, _) =
            one_call(&function, &format!("--phase {phase} --do delay 700 --extension agent"));
        assert_eq!(answer.success(), 7);
        assert!(number_after(&report, "\tDuration: ") >= 700.0 && !report.contains("Status:"), "{report}");
        let (answer, report, _) =
            one_call(&function, &format!("--phase {phase} --do hang --extension agent"));
        assert_eq!(answer.success(), 7);
        assert!(report.ends_with("Status: timeout\n"), "{report}");
    }
}

/// Ends the environment of a function, and returns the lane of `agent` once it is gone.
fn ended(function: &Function<'_>) -> (Value, Value) {
    let before = function.server().timeline(function.name())["environments"].as_array().unwrap().len();
    function.update_configuration(&json!({ "Description": format!("after {before}") }));
    eventually("the environment has ended", || {
        let timeline = function.server().timeline(function.name());
        let environment = timeline["environments"][before - 1].clone();
        let spans = environment["spans"].as_array().unwrap();
        let last = spans.last().unwrap();
        let is_over = last["phase"] == "extension-shutdown" && !last["end_ms"].is_null();
        let lane = environment["extensions"][0]["spans"].as_array().unwrap().last().unwrap().clone();
        is_over.then_some((environment, lane))
    })
}

#[test]
fn in_a_shutdown_an_extension_hangs_until_it_is_killed_is_delayed_or_dies() {
    let server = allowing();
    let function = server.create(with_agent(&server, "ending"));
    let length = |span: &Value| span["end_ms"].as_f64().unwrap() - span["start_ms"].as_f64().unwrap();
    for (deed, killed) in [("hang", true), ("delay 600", false), ("kill", true)] {
        assert_eq!(function.invoke("1").success(), 1);
        function.wait_until_all_are_ready();
        add(&function, &format!("--phase shutdown --do {deed}"));
        let (environment, lane) = ended(&function);
        assert_eq!(lane["killed"], killed, "{deed}: {lane}");
        // Who is killed first of all, before the runtime ends, does not hear of it any more.
        assert!(lane["phase"] == "shutdown" || deed == "kill", "{deed}: {lane}");
        let spans = environment["spans"].as_array().unwrap();
        let shutdown_ms: f64 = spans[spans.len() - 2..].iter().map(length).sum();
        match deed {
            "hang" => assert!(shutdown_ms >= 1_950.0, "{shutdown_ms}: {environment:#}"),
            "delay 600" => assert!(shutdown_ms >= 600.0, "{shutdown_ms}: {environment:#}"),
            _ => assert!(shutdown_ms < 1_950.0, "{shutdown_ms}: {environment:#}"),
        }
        let fault = &environment["injected_faults"][0];
        assert_eq!((&fault["phase"], &fault["extension"]), (&json!("shutdown"), &json!("agent")), "{fault}");
    }
}

#[test]
fn in_a_shutdown_without_external_extensions_the_runtime_hangs_until_it_is_killed() {
    let server = allowing();
    let source = r#"
import http.client, os, threading
HOST = os.environ["AWS_LAMBDA_RUNTIME_API"]
def ask(method, path, headers, body=None):
    connection = http.client.HTTPConnection(HOST)
    connection.request(method, "/2020-01-01/extension" + path, body, headers)
    response = connection.getresponse()
    response.read()
    return response.getheader("Lambda-Extension-Identifier")
identifier = ask("POST", "/register", {"Lambda-Extension-Name": "inner"}, '{"events":[]}')
follow = lambda: ask("GET", "/event/next", {"Lambda-Extension-Identifier": identifier})
threading.Thread(target=follow, daemon=True).start()
def handler(event, context): return event
"#;
    let function = server.create(python("inner", source));
    assert_eq!(function.invoke("1").success(), 1);
    function.wait_until_all_are_ready();
    add(&function, "--phase shutdown --do hang");
    function.update_configuration(&json!({ "Description": "other" }));
    let span = eventually("the environment has ended", || {
        let spans = server.timeline("inner")["environments"][0]["spans"].clone();
        let last = spans.as_array().unwrap().last().unwrap().clone();
        (last["phase"] == "shutdown" && !last["end_ms"].is_null()).then_some(last)
    });
    let took_ms = span["end_ms"].as_f64().unwrap() - span["start_ms"].as_f64().unwrap();
    assert!(took_ms >= 500.0, "{span}");
}

#[test]
fn who_may_only_look_sees_faults_and_cannot_add_any() {
    let server = allowing();
    server.create(python("guarded", PLAIN));
    let data_dir = server.data_dir().path().to_str().unwrap().to_owned();
    let key = |policy: &str| {
        let words =
            ["credentials", "add", policy, "--policy", policy, "--data-dir", &data_dir, "--output", "json"];
        let key = hearth_with(&[], &words).json();
        let text = |member: &str| key[member].as_str().unwrap().to_owned();
        (text("AccessKeyId"), text("SecretAccessKey"))
    };
    let (reader, admin) = (key("read-only"), key("admin"));
    eventually("the server asks for a key", || {
        (server.http("GET", "/_hearth/faults", b"").status == 403).then_some(())
    });
    let said = |(id, secret): &(String, String), words: &str| {
        let url = server.url();
        let environment =
            [("HEARTH_ENDPOINT", url.as_str()), ("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret)];
        hearth_with(&environment, &words.split(' ').collect::<Vec<_>>())
    };
    let add = "fault add guarded --phase invoke --do kill";
    let refused = said(&reader, add);
    assert_eq!(refused.status.code(), Some(5), "{}", refused.stderr);
    said(&admin, add).success();
    let listed = said(&reader, "fault list").success();
    assert!(listed.contains("guarded"), "{listed}");
    assert_eq!(said(&reader, "fault remove --all").status.code(), Some(5));
}

#[test]
fn two_times_are_two_of_eight_calls_at_once() {
    let server = allowing();
    let function = server.create(python(
        "eight",
        "import time\ndef handler(event, context):\n    time.sleep(0.2)\n    return event\n",
    ));
    add(&function, "--phase invoke --do fail --times 2");
    let answers: Vec<Answer> = thread::scope(|scope| {
        let calls: Vec<_> = (0..8).map(|_| scope.spawn(|| function.invoke("1"))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let failed = answers.iter().filter(|answer| answer.0.header("X-Amz-Function-Error").is_some()).count();
    assert_eq!(failed, 2);
    let listed = hearth(Some(&server), &["fault", "list"]).success();
    assert!(listed.lines().nth(1).is_some_and(|row| row.ends_with("2 of 2")), "{listed}");
    let timeline = server.timeline("eight");
    let marked: Vec<&Value> = timeline["invocations"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|invocation| invocation["injected_faults"] != json!([]))
        .collect();
    assert_eq!(marked.len(), 2, "{timeline:#}");
    assert!(marked.iter().all(|invocation| invocation["error_type"] == "Function.InjectedFault"));
}

#[test]
fn only_the_version_that_was_named_is_hit() {
    let server = allowing();
    let function = server.create(python("versioned", PLAIN));
    let published = server.http("POST", "/2015-03-31/functions/versioned/versions", b"{}");
    assert_eq!(published.status, 201, "{}", published.text());
    let alias = br#"{"Name":"prod","FunctionVersion":"1"}"#;
    assert_eq!(server.http("POST", "/2015-03-31/functions/versioned/aliases", alias).status, 201);
    let fault = add(&function, "--phase invoke --do fail --qualifier prod");
    assert_eq!(fault["version"], "1");
    let call = |query| function.call(&Call { query, payload: b"1", ..Call::default() });
    assert_eq!(function.invoke("1").success(), 1);
    eventually("version 1 is Active", || (call("Qualifier=1").status() == 200).then_some(()));
    assert_eq!(server.hearth("faults")["faults"][0]["happened"], 1);
    assert_eq!(call("Qualifier=1").success(), 1);
}

#[test]
fn faults_that_were_removed_or_whose_function_was_deleted_do_not_happen() {
    let server = allowing();
    let function = server.create(python("deleted", PLAIN));
    let first = add(&function, "--phase invoke --do kill")["id"].to_string();
    add(&function, "--phase invoke --do kill --times 9");
    let removed = hearth(Some(&server), &["fault", "remove", &first]).success();
    assert_eq!(removed, "1 removed\n");
    assert_eq!(hearth(Some(&server), &["fault", "remove", &first]).status.code(), Some(5));
    assert_eq!(hearth(Some(&server), &["fault", "remove", "--all"]).success(), "1 removed\n");
    assert_eq!(function.invoke("1").success(), 1);

    add(&function, "--phase invoke --do kill --times 9");
    function.delete();
    assert_eq!(server.hearth("faults")["faults"], json!([]));
    let function = server.create(python("deleted", PLAIN));
    assert_eq!(function.invoke("1").success(), 1);
}

#[test]
fn timeline_and_json_log_say_what_was_injected() {
    let server = allowing();
    let format = json!({ "LogFormat": "JSON" });
    let function = server.create(python("shown", PLAIN).with("LoggingConfig", format));
    function.invoke("0").success();
    function.wait_until_all_are_ready();
    add(&function, "--phase invoke --do delay 300");
    let id = function.invoke("1").request_id();
    let events = function
        .logs_until("a fault", |events| events.iter().any(|event| event.message.contains("hearth.fault")));
    let record: Value = events
        .iter()
        .filter_map(|event| serde_json::from_str(&event.message).ok())
        .find(|record: &Value| record["type"] == "hearth.fault")
        .unwrap();
    assert_eq!(
        record["record"],
        json!({ "requestId": id, "phase": "invoke", "do": "delay", "delayMs": 300.0 })
    );
    function.wait_until_all_are_ready();
    let text = hearth(Some(&server), &["timeline", "shown"]).success();
    assert!(text.contains("success (injected: delay 300 at invoke)"), "{text}");
    let (_, faults) =
        text.split_once("Injected fault").unwrap_or_else(|| panic!("no table of faults in\n{text}"));
    assert!(faults.contains("delay 300 at invoke") && faults.contains(&id[..8]), "{text}");
}
