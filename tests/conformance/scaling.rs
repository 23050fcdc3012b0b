//! When environments are made, reused, throttled and ended.

use std::collections::BTreeMap;
use std::thread;

use hearth_tests::{
    Call, Function, Gate, PYTHON_WAIT, Server, Settings, eventually, lines_of, python, reports, streams,
};
use serde_json::json;

/// Waits at the gate of the event, if it names one; answers the log stream of its environment.
fn gated(server: &Server) -> Function<'_> {
    let source = format!(
        "{PYTHON_WAIT}
import os
def handler(event, context):
    if 'gate' in event:
        wait_at(event['gate'])
    return os.environ['AWS_LAMBDA_LOG_STREAM_NAME']
"
    );
    server.create(python("gated", &source).timeout(60))
}

fn wait_at(gate: &Gate) -> String {
    json!({ "gate": gate.number() }).to_string()
}

#[test]
fn fifty_cold_calls_at_once_make_fifty_environments_and_all_are_answered() {
    let server = Server::start();
    let function = gated(&server);
    let gate = Gate::new();
    let payload = wait_at(&gate);
    thread::scope(|scope| {
        let calls: Vec<_> = (0..50).map(|_| scope.spawn(|| function.invoke(&payload))).collect();
        gate.wait_for(50);
        gate.open();
        for call in calls {
            call.join().unwrap().success();
        }
    });
    let events = function.logs_with_reports(50);
    assert_eq!(streams(&events).len(), 50);
    assert_eq!(lines_of(&events, "INIT_START ").len(), 50);
    assert!(reports(&events).iter().all(|report| report.contains("\tInit Duration: ")));

    let timeline = server.timeline("gated");
    let mut why_cold = BTreeMap::new();
    for invocation in timeline["invocations"].as_array().unwrap() {
        *why_cold.entry(invocation["why_cold"].as_str().unwrap_or("warm").to_owned()).or_insert(0) += 1;
    }
    assert_eq!(why_cold, BTreeMap::from([("all-busy".to_owned(), 49), ("first-invocation".to_owned(), 1)]));

    function.wait_until_all_are_ready();
    assert_eq!(function.environments().len(), 50);
}

#[test]
fn the_environment_that_was_used_last_is_used_first() {
    let server = Server::start();
    let function = gated(&server);
    let (early, late) = (Gate::new(), Gate::new());
    thread::scope(|scope| {
        let first = scope.spawn(|| function.invoke(wait_at(&early)).success());
        early.wait_for(1);
        let second = scope.spawn(|| function.invoke(wait_at(&late)).success());
        late.wait_for(1);
        early.open();
        let first = first.join().unwrap();
        eventually("the first environment is Ready", || {
            let environments = function.environments();
            environments.iter().any(|one| one["log_stream"] == first && one["state"] == "Ready").then_some(())
        });
        late.open();
        let second = second.join().unwrap();
        function.wait_until_all_are_ready();
        assert_ne!(first, second);
        for _ in 0..3 {
            assert_eq!(function.invoke("{}").success(), second);
            function.wait_until_all_are_ready();
        }
    });
}

#[test]
fn a_call_over_the_concurrency_of_the_account_is_throttled() {
    let server = Settings::new().variable("HEARTH_CONCURRENCY", "2").start();
    let function = gated(&server);
    let gate = Gate::new();
    let payload = wait_at(&gate);
    thread::scope(|scope| {
        let calls = [scope.spawn(|| function.invoke(&payload)), scope.spawn(|| function.invoke(&payload))];
        gate.wait_for(2);
        let refused = function.call(&Call { payload: b"{}", ..Call::default() });
        assert_eq!(refused.status(), 429);
        assert_eq!(refused.0.header("x-amzn-ErrorType"), Some("TooManyRequestsException"));
        assert_eq!(
            refused.json(),
            json!({ "Reason": "ConcurrentInvocationLimitExceeded", "Type": "User", "message": "Rate Exceeded." })
        );
        gate.open();
        for call in calls {
            call.join().unwrap().success();
        }
    });
    function.wait_until_all_are_ready();
    function.invoke("{}").success();
    // A call that was throttled never started.
    assert_eq!(reports(&function.logs_with_reports(3)).len(), 3);
    server.stop();

    let by_flag = Settings::new().arguments(&["--concurrency", "1"]).start();
    let function = gated(&by_flag);
    let gate = Gate::new();
    thread::scope(|scope| {
        scope.spawn(|| function.invoke(wait_at(&gate)));
        gate.wait_for(1);
        assert_eq!(function.call(&Call { payload: b"{}", ..Call::default() }).status(), 429);
        gate.open();
    });
}

#[test]
fn an_idle_environment_is_ended_and_the_next_call_says_so() {
    let server = Settings::new().variable("HEARTH_IDLE_TIMEOUT_S", "1").start();
    let function = gated(&server);
    let first = function.invoke("{}").success();
    eventually("the idle environment is ended", || function.environments().is_empty().then_some(()));
    let second = function.invoke("{}").success();
    assert_ne!(first, second, "another environment, another log stream");
    function.logs_with_reports(2);
    let timeline = server.timeline("gated");
    assert_eq!(timeline["invocations"][0]["why_cold"], "first-invocation");
    assert_eq!(timeline["invocations"][1]["why_cold"], "idle-timeout");
    let phases: Vec<&str> = timeline["environments"][0]["spans"]
        .as_array()
        .unwrap()
        .iter()
        .map(|span| span["phase"].as_str().unwrap())
        .collect();
    assert!(phases.contains(&"invoke") && phases.contains(&"idle"), "{phases:?}");
    assert_eq!(phases.last(), Some(&"shutdown"), "{phases:?}");
}
