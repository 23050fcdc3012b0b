//! How many calls run at once, how fast they may come, and environments that are there before them: reserved and provisioned
//! concurrency, rates, and what a client hears when there is no more.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::thread;

use expect_test::expect;
use hearth_tests::{
    Answer, Call, Folder, Function, Gate, NewFunction, PYTHON_WAIT, Package, Server, Settings, eventually,
    lines_of, python, reports, rounds, run_python,
};
use serde_json::{Value, json};

/// Waits at the gate of its event, if it names one, and returns how its environment was initialized. It can die, too.
fn source() -> String {
    format!(
        "{PYTHON_WAIT}
import os
print('LOADED')
def handler(event, context):
    if 'gate' in event:
        wait_at(event['gate'])
    if 'die' in event:
        os._exit(1)
    return os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']
"
    )
}

fn gated() -> NewFunction {
    python("gated", &source()).timeout(60)
}

fn wait_at(gate: &Gate) -> String {
    json!({ "gate": gate.number() }).to_string()
}

fn send(server: &Server, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = server.http(method, path, body.as_bytes());
    assert!(answer.status < 300, "{method} {path}: {}", answer.text());
    (answer.status, if answer.body.is_empty() { Value::Null } else { answer.json() })
}

fn reserve(server: &Server, count: u32) {
    let body = json!({ "ReservedConcurrentExecutions": count });
    send(server, "PUT", "/2017-10-31/functions/gated/concurrency", &body);
}

fn provisioned_path(qualifier: &str) -> String {
    format!("/2019-09-30/functions/gated/provisioned-concurrency?Qualifier={qualifier}")
}

fn provision(server: &Server, qualifier: &str, count: u32) {
    let body = json!({ "ProvisionedConcurrentExecutions": count });
    let (status, put) = send(server, "PUT", &provisioned_path(qualifier), &body);
    assert_eq!((status, &put["Status"]), (202, &json!("IN_PROGRESS")));
}

/// Waits until what was asked for is there.
fn until_provisioned(server: &Server, qualifier: &str, count: u32) {
    eventually(&format!("{count} are provisioned of {qualifier}"), || {
        let (_, now) = send(server, "GET", &provisioned_path(qualifier), &Value::Null);
        let is_ready = now["Status"] == "READY" && now["AllocatedProvisionedConcurrentExecutions"] == count;
        is_ready.then_some(())
    });
}

/// Publishes what `$LATEST` is.
fn publish(function: &Function<'_>) -> String {
    let path = format!("/2015-03-31/functions/{}/versions", function.name());
    let (_, published) = send(function.server(), "POST", &path, &json!({}));
    let version = published["Version"].as_str().unwrap().to_owned();
    eventually("the version is active", || {
        let path = format!("/2015-03-31/functions/{}/configuration?Qualifier={version}", function.name());
        (send(function.server(), "GET", &path, &Value::Null).1["State"] == "Active").then_some(())
    });
    version
}

fn call(function: &Function<'_>, qualifier: &str, payload: &str) -> Answer {
    let query = format!("Qualifier={qualifier}");
    function.call(&Call { query: &query, payload: payload.as_bytes(), ..Call::default() })
}

/// How many environments of a version are ready, by why they were made.
fn ready(function: &Function<'_>, version: &str) -> BTreeMap<String, usize> {
    let mut ready = BTreeMap::new();
    for environment in function.environments() {
        if environment["state"] == "Ready" && environment["version"] == version {
            *ready.entry(environment["why_cold"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    ready
}

fn provisioned(count: usize) -> BTreeMap<String, usize> {
    BTreeMap::from([("provisioned".to_owned(), count)])
}

fn reason(answer: &Answer) -> Value {
    assert_eq!(answer.status(), 429, "{}", answer.text());
    assert_eq!(answer.0.header("x-amzn-ErrorType"), Some("TooManyRequestsException"));
    let body = answer.json();
    assert_eq!((&body["Type"], &body["message"]), (&json!("User"), &json!("Rate Exceeded.")));
    body["Reason"].clone()
}

#[test]
fn case_133_boto3_reserves_ten_and_of_two_hundred_calls_at_once_never_more_than_ten_run() {
    let server = Server::start();
    let folder = Folder::new();
    let package = folder.write("shared.zip", Package::new().file("app.py", source()).zip());
    let (reserved, spilled) = (Gate::new(), Gate::new());
    let refused = folder.path().join("refused");
    let arguments = [
        package.display().to_string(),
        reserved.number().to_string(),
        refused.display().to_string(),
        spilled.number().to_string(),
    ];
    let seen = thread::scope(|scope| {
        let client = scope.spawn(|| {
            run_python(&server, "concurrency.py", &arguments.each_ref().map(String::as_str)).json()
        });
        reserved.wait_for(10);
        eventually("all others are refused", || refused.exists().then_some(()));
        assert_eq!(server.environments("shared").len(), 10);
        reserved.open();
        spilled.wait_for(3);
        spilled.open();
        client.join().unwrap()
    });
    expect![[r#"
        {
          "another version": "on-demand",
          "answers": {
            "429 ReservedFunctionConcurrentInvocationLimitExceeded": 190,
            "on-demand": 10
          },
          "deleted": "404 ProvisionedConcurrencyConfigNotFoundException: No Provisioned Concurrency Config found for this function",
          "given back": [
            false,
            1000
          ],
          "latest": "400 InvalidParameterValueException: Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
          "listed": [
            [
              "arn:aws:lambda:us-east-1:000000000000:function:shared:1",
              "READY"
            ]
          ],
          "none": "404 ProvisionedConcurrencyConfigNotFoundException: No Provisioned Concurrency Config found for this function",
          "nothing reserved": null,
          "put": [
            202,
            "IN_PROGRESS"
          ],
          "ready": [
            "READY",
            2,
            2,
            2
          ],
          "reserved": [
            10,
            10,
            {
              "ReservedConcurrentExecutions": 10
            },
            990
          ],
          "three at once": [
            "on-demand",
            "provisioned-concurrency",
            "provisioned-concurrency"
          ],
          "too much": "400 InvalidParameterValueException: Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100].",
          "zero": "429 ReservedFunctionConcurrentInvocationLimitExceeded"
        }
    "#]].assert_eq(&format!("{seen:#}\n"));
}

#[test]
fn case_076_many_cold_starts_at_once_make_no_more_environments_than_the_limit() {
    let (limit, calls) = (rounds(15, 50), rounds(150, 500));
    let server = Settings::new().variable("HEARTH_CONCURRENCY", &limit.to_string()).start();
    let function = server.create(gated());
    let gate = Gate::new();
    let payload = wait_at(&gate);
    let answers: Vec<Answer> = thread::scope(|scope| {
        let call = || function.call(&Call { payload: payload.as_bytes(), ..Call::default() });
        let calls: Vec<_> = (0..calls).map(|_| scope.spawn(call)).collect();
        gate.wait_for(limit);
        eventually("the others are refused", || {
            (calls.iter().filter(|call| call.is_finished()).count() == calls.len() - limit).then_some(())
        });
        assert_eq!(function.environments().len(), limit);
        gate.open();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let served = answers.iter().filter(|answer| answer.status() == 200).count();
    assert_eq!(served, limit);
    for refused in answers.iter().filter(|answer| answer.status() != 200) {
        assert_eq!(reason(refused), "ConcurrentInvocationLimitExceeded");
    }
    function.wait_until_all_are_ready();
    assert_eq!(function.environments().len(), limit);
}

#[test]
fn what_is_reserved_counts_after_a_restart_and_events_of_a_function_without_any_are_dropped() {
    let data = Arc::new(Folder::new());
    let server = Settings::new().data_dir(&data).start();
    server.create(gated());
    reserve(&server, 0);
    server.stop();
    let server = Settings::new().data_dir(&data).start();
    let function = server.function("gated");
    let throttled = function.call(&Call { payload: b"{}", ..Call::default() });
    assert_eq!(reason(&throttled), "ReservedFunctionConcurrentInvocationLimitExceeded");
    let event = function.call(&Call {
        headers: &[("X-Amz-Invocation-Type", "Event")],
        payload: b"{}",
        ..Call::default()
    });
    assert_eq!(event.status(), 202, "events are taken all the same");
    eventually("the event is dropped", || {
        let events = server.hearth("events");
        (events["dropped"]["ZeroReservedConcurrency"] == 1 && events["queued"] == 0).then_some(())
    });
    send(&server, "DELETE", "/2017-10-31/functions/gated/concurrency", &Value::Null);
    assert_eq!(function.invoke("{}").success(), "on-demand");
}

#[test]
fn requests_that_come_too_fast_are_throttled_and_those_after_them_are_not() {
    let server = Settings::new().variable("HEARTH_REQUESTS_PER_CONCURRENCY", "1").start();
    let function = server.create(gated());
    reserve(&server, 2);
    let call = || function.call(&Call { payload: b"{}", ..Call::default() });
    let throttled =
        eventually("calls come too fast", || Some(call()).filter(|answer| answer.status() == 429));
    assert_eq!(reason(&throttled), "ReservedFunctionInvocationRateLimitExceeded");
    eventually("time has passed", || (call().status() == 200).then_some(()));
}

#[test]
fn a_function_that_scales_too_fast_is_throttled() {
    let server = Settings::new().arguments(&["--environments-per-10-s", "1"]).start();
    let function = server.create(gated());
    let gate = Gate::new();
    let payload = wait_at(&gate);
    thread::scope(|scope| {
        let first = scope.spawn(|| function.invoke(&payload));
        gate.wait_for(1);
        let second = function.call(&Call { payload: b"{}", ..Call::default() });
        assert_eq!(reason(&second), "FunctionInvocationRateLimitExceeded");
        gate.open();
        first.join().unwrap().success();
    });
    function.wait_until_all_are_ready();
    function.invoke("{}").success();
}

#[test]
fn provisioned_environments_are_initialized_ahead_stay_and_are_made_anew() {
    let server = Settings::new().variable("HEARTH_IDLE_TIMEOUT_S", "1").start();
    let function = server.create(gated());
    let version = publish(&function);
    provision(&server, &version, 2);
    until_provisioned(&server, &version, 2);
    assert_eq!(ready(&function, &version), provisioned(2));
    let log = function.logs_until("two Inits", |events| lines_of(events, "INIT_REPORT ").len() == 2);
    assert_eq!(lines_of(&log, "LOADED").len(), 2);
    for line in lines_of(&log, "INIT_REPORT ") {
        assert!(line.ends_with(" ms\tPhase: init\n") || line.ends_with(" ms\tPhase: init"), "{line:?}");
    }

    // Two calls find them, the third one spills over.
    let gate = Gate::new();
    let payload = wait_at(&gate);
    thread::scope(|scope| {
        let calls = [(); 3].map(|()| scope.spawn(|| call(&function, &version, &payload).success()));
        gate.wait_for(3);
        gate.open();
        let mut found: Vec<Value> = calls.into_iter().map(|call| call.join().unwrap()).collect();
        found.sort_by_key(ToString::to_string);
        assert_eq!(found, ["on-demand", "provisioned-concurrency", "provisioned-concurrency"]);
    });
    let log = function.logs_with_reports(3);
    let with_init = reports(&log).iter().filter(|report| report.contains("\tInit Duration: ")).count();
    assert_eq!(with_init, 1, "only who was cold waited for Init, and is billed for it");

    // Idle time ends the one on demand, and no other.
    eventually("the third environment is ended", || {
        (ready(&function, &version) == provisioned(2) && function.environments().len() == 2).then_some(())
    });
    // Whoever dies is replaced, and nobody waits for that.
    let before: Vec<Value> = function.environments();
    call(&function, &version, "{\"die\":1}").function_error();
    until_provisioned(&server, &version, 2);
    eventually("another one is there", || {
        let now = function.environments();
        let others = now
            .iter()
            .filter(|one| before.iter().all(|before| before["environment_id"] != one["environment_id"]));
        (others.count() == 1 && ready(&function, &version) == provisioned(2)).then_some(())
    });
    assert_eq!(call(&function, &version, "{}").success(), "provisioned-concurrency");

    provision(&server, &version, 1);
    eventually("one is left", || (function.environments().len() == 1).then_some(()));
    until_provisioned(&server, &version, 1);
    send(&server, "DELETE", &provisioned_path(&version), &Value::Null);
    eventually("none is left", || function.environments().is_empty().then_some(()));
    assert_eq!(call(&function, &version, "{}").success(), "on-demand");
}

#[test]
fn what_is_provisioned_settles_at_what_was_asked_for_last() {
    let server = Server::start();
    let function = server.create(gated());
    let version = publish(&function);
    for count in [5, 1, 4, 2, 6, 1, 3] {
        provision(&server, &version, count);
        if count == 4 {
            until_provisioned(&server, &version, 4);
        }
    }
    until_provisioned(&server, &version, 3);
    eventually("three are left", || {
        (function.environments().len() == 3 && ready(&function, &version) == provisioned(3)).then_some(())
    });
    // Those that die while nothing runs in them are made anew as well.
    let before = function.environments();
    for environment in &before {
        let pid = environment["pid"].as_i64().unwrap();
        assert!(Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap().success());
    }
    eventually("three others are there", || {
        let is_new = |one: &Value| before.iter().all(|old| old["environment_id"] != one["environment_id"]);
        (ready(&function, &version) == provisioned(3) && function.environments().iter().all(is_new))
            .then_some(())
    });
    until_provisioned(&server, &version, 3);
    assert_eq!(call(&function, &version, "{}").success(), "provisioned-concurrency");
}

#[test]
fn what_is_provisioned_of_an_alias_moves_with_it_and_is_there_after_a_restart() {
    let data = Arc::new(Folder::new());
    let server = Settings::new().data_dir(&data).start();
    let function = server.create(gated());
    let one = publish(&function);
    function.update_configuration(&json!({ "Description": "another" }));
    let two = publish(&function);
    let aliases = "/2015-03-31/functions/gated/aliases";
    send(&server, "POST", aliases, &json!({ "Name": "live", "FunctionVersion": one }));
    provision(&server, "live", 2);
    until_provisioned(&server, "live", 2);
    assert_eq!(ready(&function, &one), provisioned(2));
    send(&server, "PUT", &format!("{aliases}/live"), &json!({ "FunctionVersion": two }));
    until_provisioned(&server, "live", 2);
    eventually("those of the first version are ended", || {
        (ready(&function, &two) == provisioned(2) && function.environments().len() == 2).then_some(())
    });
    assert_eq!(call(&function, "live", "{}").success(), "provisioned-concurrency");
    server.stop();

    let server = Settings::new().data_dir(&data).start();
    let function = server.function("gated");
    until_provisioned(&server, "live", 2);
    assert_eq!(ready(&function, &two), provisioned(2));
    assert_eq!(call(&function, "live", "{}").success(), "provisioned-concurrency");
    function.delete();
    eventually("none is left", || function.environments().is_empty().then_some(()));
}

#[test]
fn an_init_that_fails_fails_what_is_provisioned_and_is_tried_again() {
    // It looks for a file of the test's.
    let server = Settings::new().without_walls().start();
    let folder = Folder::new();
    let marker = folder.path().join("works");
    let source = format!(
        "import os
if not os.path.exists({:?}): raise Exception('not yet')
def handler(event, context): return os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']
",
        marker.to_str().unwrap()
    );
    let function = server.create(python("gated", &source));
    let version = publish(&function);
    provision(&server, &version, 1);
    eventually("it has failed", || {
        let (_, now) = send(&server, "GET", &provisioned_path(&version), &Value::Null);
        let expected = [json!("FAILED"), json!("FUNCTION_ERROR_INIT_FAILURE"), json!(0)];
        let names = ["Status", "StatusReason", "AllocatedProvisionedConcurrentExecutions"];
        (names.map(|name| now[name].clone()) == expected).then_some(())
    });
    folder.write("works", "");
    until_provisioned(&server, &version, 1);
    assert_eq!(call(&function, &version, "{}").success(), "provisioned-concurrency");
}

#[test]
fn whatever_ends_a_call_gives_its_concurrency_back_once() {
    let server = Server::start();
    let source = format!(
        "{PYTHON_WAIT}
import os
def handler(event, context):
    if 'gate' in event: wait_at(event['gate'])
    if 'exit' in event: os._exit(event['exit'])
    if 'raise' in event: raise Exception('on purpose')
    while 'hang' in event: pass
    return 'fine'
"
    );
    let function = server.create(python("gated", &source).timeout(1));
    reserve(&server, 3);
    for event in ["{}", "{\"raise\":1}", "{\"exit\":0}", "{\"exit\":1}", "{\"hang\":1}"] {
        for _ in 0..2 {
            function.invoke(event);
            function.wait_until_all_are_ready();
        }
    }
    // Callers that hang up.
    for _ in 0..5 {
        let mut caller = TcpStream::connect(server.address()).unwrap();
        let head =
            "POST /2015-03-31/functions/gated/invocations HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n";
        write!(caller, "{head}{{\"hang\":1}}").unwrap();
    }
    // New code, which does not load; and new code again.
    function.update_code(&Package::new().file("app.py", "raise Exception('at once')\n"));
    eventually("those that hang have ended, and Init fails", || {
        let answer = function.call(&Call { payload: b"{}", ..Call::default() });
        (answer.status() == 200 && answer.0.header("X-Amz-Function-Error").is_some()).then_some(())
    });
    function.update_code(&Package::new().file("app.py", source.as_str()));
    function.update_configuration(&json!({ "Timeout": 60 }));
    function.wait_until_all_are_ready();

    let gate = Gate::new();
    let payload = wait_at(&gate);
    thread::scope(|scope| {
        let calls = [(); 3].map(|()| scope.spawn(|| function.invoke(&payload)));
        gate.wait_for(3);
        let fourth = function.call(&Call { payload: b"{}", ..Call::default() });
        assert_eq!(reason(&fourth), "ReservedFunctionConcurrentInvocationLimitExceeded");
        gate.open();
        for call in calls {
            assert_eq!(call.join().unwrap().success(), "fine");
        }
    });
}
