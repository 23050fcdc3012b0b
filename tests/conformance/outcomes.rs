//! What the caller sees for each way an invocation can end, and what becomes of the environment.

use std::time::{Duration, Instant};

use expect_test::expect;
use hearth_tests::{
    Function, LogEvent, Server, eventually, needs_node, node, on_host, python, reports, streams, transcript,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

/// A function that fails in the way the event asks for. Its answer says how many calls this process has had.
const FAILING: &str = r#"
import os, signal, sys
calls = 0
def handler(event, context):
    global calls
    calls += 1
    match event.get("do"):
        case "raise": raise ValueError("boom")
        case "exit": os._exit(event["code"])
        case "sys.exit": sys.exit(event["code"])
        case "signal": os.kill(os.getpid(), event["signal"])
        case "loop":
            while True: pass
        case "answer": return "x" * event["bytes"]
    return calls
"#;

/// Calls again, and returns how many calls the process has had that answers: 1 tells that it is a new one.
fn calls_of_this_process(function: &Function<'_>) -> u64 {
    function.wait_until_all_are_ready();
    function.invoke("{}").success().as_u64().unwrap()
}

#[test]
fn case_039_an_exception_answers_the_caller_and_keeps_the_environment() {
    let server = Server::start();
    let function = server.create(python("failing", FAILING));
    assert_eq!(calls_of_this_process(&function), 1);

    let answer = function.invoke(json!({ "do": "raise" }).to_string());
    let error = answer.function_error();
    let error: serde_json::Value = serde_json::from_str(&error).unwrap();
    assert_eq!(error["errorMessage"], "boom");
    assert_eq!(error["errorType"], "ValueError");
    assert_eq!(error["requestId"], "<id>");
    let trace = error["stackTrace"][0].as_str().unwrap();
    assert!(trace.contains("app.py\", line 8, in handler\n"), "{trace}");

    assert_eq!(calls_of_this_process(&function), 3, "the process goes on");
    let events = function.logs_with_reports(3);
    expect![[r#"
        INIT_START Runtime Version: python:3.11.v<n>⇥Runtime Version ARN: arn:aws:lambda:us-east-1::runtime:<sha256>
        START RequestId: <id 1> Version: $LATEST
        END RequestId: <id 1>
        REPORT RequestId: <id 1>⇥Duration: <ms> ms⇥Billed Duration: <n> ms⇥Memory Size: 128 MB⇥Max Memory Used: <n> MB⇥Init Duration: <ms> ms⇥
        START RequestId: <id 2> Version: $LATEST
        [ERROR] ValueError: boom↵Traceback (most recent call last):↵␣␣File "<task>/app.py", line 8, in handler↵␣␣␣␣case "raise": raise ValueError("boom")¶
        END RequestId: <id 2>
        REPORT RequestId: <id 2>⇥Duration: <ms> ms⇥Billed Duration: <n> ms⇥Memory Size: 128 MB⇥Max Memory Used: <n> MB⇥Status: error⇥Error Type: Runtime.Unknown
        START RequestId: <id 3> Version: $LATEST
        END RequestId: <id 3>
        REPORT RequestId: <id 3>⇥Duration: <ms> ms⇥Billed Duration: <n> ms⇥Memory Size: 128 MB⇥Max Memory Used: <n> MB⇥
    "#]]
    .assert_eq(&transcript(&events));
}

#[test]
fn case_041_a_runtime_that_exits_answers_exit_error_and_the_next_call_starts_it_again_in_the_same_environment()
 {
    let server = Server::start();
    let function = server.create(python("failing", FAILING));
    let mut seen = String::new();
    for (name, event) in [
        ("exit 0", json!({ "do": "exit", "code": 0 })),
        ("exit 7", json!({ "do": "exit", "code": 7 })),
        ("sys.exit 7", json!({ "do": "sys.exit", "code": 7 })),
        ("SIGSEGV", json!({ "do": "signal", "signal": 11 })),
        ("SIGKILL", json!({ "do": "signal", "signal": 9 })),
    ] {
        let answer = function.invoke(event.to_string());
        // Whether there is a core dump depends on the host.
        seen.push_str(&format!("{name}: {}\n", answer.function_error().replace(" (core dumped)", "")));
        seen.push_str(&format!("next: {}\n", calls_of_this_process(&function)));
    }
    expect![[r#"
        exit 0: {"errorType":"Runtime.ExitError","errorMessage":"RequestId: <id> Error: Runtime exited without providing a reason"}
        next: 1
        exit 7: {"errorType":"Runtime.ExitError","errorMessage":"RequestId: <id> Error: Runtime exited with error: exit status 7"}
        next: 1
        sys.exit 7: {"errorType":"Runtime.ExitError","errorMessage":"RequestId: <id> Error: Runtime exited with error: exit status 7"}
        next: 1
        SIGSEGV: {"errorType":"Runtime.ExitError","errorMessage":"RequestId: <id> Error: Runtime exited with error: signal: segmentation fault"}
        next: 1
        SIGKILL: {"errorType":"Runtime.ExitError","errorMessage":"RequestId: <id> Error: Runtime exited with error: signal: killed"}
        next: 1
    "#]]
    .assert_eq(&seen);

    let events = function.logs_with_reports(10);
    assert_eq!(streams(&events).len(), 1, "a reset keeps the environment and its log stream");
    // The first crash and the call after it: no Init Duration, because Init ran again inside the call.
    let first: Vec<LogEvent> =
        events.iter().take_while(|event| !event.message.contains("exit status")).cloned().collect();
    let end =
        first.iter().enumerate().filter(|(_, event)| event.message.starts_with("REPORT ")).nth(1).unwrap().0;
    expect![[r#"
        INIT_START Runtime Version: python:3.11.v<n>⇥Runtime Version ARN: arn:aws:lambda:us-east-1::runtime:<sha256>
        START RequestId: <id 1> Version: $LATEST
        END RequestId: <id 1>
        REPORT RequestId: <id 1>⇥Duration: <ms> ms⇥Billed Duration: <n> ms⇥Memory Size: 128 MB⇥Max Memory Used: <n> MB⇥Init Duration: <ms> ms⇥Status: error⇥Error Type: Runtime.ExitError
        START RequestId: <id 2> Version: $LATEST
        END RequestId: <id 2>
        REPORT RequestId: <id 2>⇥Duration: <ms> ms⇥Billed Duration: <n> ms⇥Memory Size: 128 MB⇥Max Memory Used: <n> MB⇥
    "#]]
    .assert_eq(&transcript(&first[..=end]));
    let timeline = server.timeline("failing");
    assert_eq!(timeline["invocations"][1]["why_cold"], "runtime-exited");
    assert_eq!(timeline["invocations"][0]["error_type"], "Runtime.ExitError");
}

#[test]
fn case_042_an_endless_loop_is_cut_at_the_time_out_and_the_next_call_has_fresh_globals_and_the_same_tmp() {
    let server = Server::start();
    let source = r#"
import os, pathlib, tempfile
calls = 0
mark = pathlib.Path(tempfile.gettempdir()) / "mark"
def handler(event, context):
    global calls
    calls += 1
    if event.get("loop"):
        mark.write_text("written before the time-out")
        while True: pass
    return [calls, mark.read_text() if mark.exists() else None]
"#;
    let function = server.create(python("looping", source).timeout(1));
    assert_eq!(function.invoke("{}").success(), json!([1, null]));
    function.wait_until_all_are_ready();

    let started = Instant::now();
    let answer = function.invoke(r#"{"loop": true}"#);
    let elapsed = started.elapsed();
    assert_eq!(
        answer.function_error(),
        r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: <id> Error: Task timed out after 1.00 seconds"}"#
    );
    assert!(elapsed >= Duration::from_secs(1), "cut after {elapsed:?}");
    assert!(elapsed < Duration::from_millis(1_500), "cut only after {elapsed:?}");

    function.wait_until_all_are_ready();
    assert_eq!(function.invoke("{}").success(), json!([1, "written before the time-out"]));
    let events = function.logs_with_reports(3);
    assert_eq!(streams(&events).len(), 1);
    expect![[r#"
        INIT_START Runtime Version: python:3.11.v<n>⇥Runtime Version ARN: arn:aws:lambda:us-east-1::runtime:<sha256>
        START RequestId: <id 1> Version: $LATEST
        END RequestId: <id 1>
        REPORT RequestId: <id 1>⇥Duration: <ms> ms⇥Billed Duration: <n> ms⇥Memory Size: 128 MB⇥Max Memory Used: <n> MB⇥Init Duration: <ms> ms⇥
        START RequestId: <id 2> Version: $LATEST
        END RequestId: <id 2>
        REPORT RequestId: <id 2>⇥Duration: <ms> ms⇥Billed Duration: <n> ms⇥Memory Size: 128 MB⇥Max Memory Used: <n> MB⇥Status: timeout
        START RequestId: <id 3> Version: $LATEST
        END RequestId: <id 3>
        REPORT RequestId: <id 3>⇥Duration: <ms> ms⇥Billed Duration: <n> ms⇥Memory Size: 128 MB⇥Max Memory Used: <n> MB⇥
    "#]]
    .assert_eq(&transcript(&events));
    let timeline = server.timeline("looping");
    assert_eq!(timeline["invocations"][1]["status"], "timeout");
    assert_eq!(timeline["invocations"][2]["why_cold"], "timed-out");
    let billed = timeline["invocations"][1]["billed_ms"].as_f64().unwrap();
    assert!((1_000.0..1_500.0).contains(&billed), "billed {billed} ms");
}

#[test]
fn case_037_a_response_that_is_too_large_is_an_error_of_the_function_and_keeps_the_environment() {
    let server = Server::start();
    let function = server.create(python("large", FAILING).timeout(30));
    // The two quotes of the JSON string count.
    let answer_of = |bytes: usize| {
        function.wait_until_all_are_ready();
        function.invoke(json!({ "do": "answer", "bytes": bytes - 2 }).to_string())
    };

    let largest = answer_of(6_291_556);
    assert_eq!(largest.success().as_str().unwrap().len(), 6_291_554);
    let too_large: serde_json::Value = serde_json::from_str(&answer_of(6_291_557).function_error()).unwrap();
    assert_eq!(
        too_large,
        json!({
            "errorType": "Function.ResponseSizeTooLarge",
            "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        })
    );
    assert_eq!(calls_of_this_process(&function), 3, "the process goes on");
}

#[test]
fn an_unhandled_rejection_ends_the_node_process_with_aws_error_type() {
    if !needs_node() {
        return;
    }
    let server = Server::start();
    let source = "
let calls = 0;
export const handler = async (event) => {
  calls += 1;
  if (event.reject) {
    Promise.reject(new Error('nobody listens'));
    await new Promise(() => setTimeout(() => {}, 60_000));
  }
  return calls;
};\n";
    let function = server.create(node("rejecting", source).timeout(30));
    assert_eq!(calls_of_this_process(&function), 1);
    let error = function.invoke(r#"{"reject": true}"#).function_error();
    let error: serde_json::Value = serde_json::from_str(&error).unwrap();
    assert_eq!(error["errorType"], "Runtime.UnhandledPromiseRejection");
    assert_eq!(error["errorMessage"], "Error: nobody listens");
    assert_eq!(calls_of_this_process(&function), 1, "the process that was rejected is gone");
}

#[test]
fn a_runtime_that_dies_between_two_calls_hurts_nobody() {
    let server = Server::start();
    let source = "
import os
def handler(event, context): return os.getpid()
";
    let function = server.create(python("dying", source));
    let pid = function.invoke("{}").success().as_u64().unwrap();
    function.wait_until_all_are_ready();
    // From outside: by itself it does nothing while it stands still.
    kill(Pid::from_raw(on_host(pid) as i32), Signal::SIGKILL).unwrap();
    eventually("the environment knows", || {
        let environment = &function.environments()[0];
        (environment["pid"].is_null() && environment["state"] == "Ready").then_some(())
    });
    let next = function.invoke("{}").success().as_u64().unwrap();
    assert_ne!(next, pid);
    let events = function.logs_with_reports(2);
    assert!(reports(&events).iter().all(|report| !report.contains("Status:")), "{}", transcript(&events));
}
