//! Why an invocation was cold: the reason with its particulars, in every place where it is told.

use std::sync::Arc;
use std::thread;

use hearth_tests::{
    Folder, Function, Gate, PYTHON_WAIT, Package, Server, Settings, eventually, hearth, lines_of, node,
    python,
};
use serde_json::{Value, json};

/// The header of a cold answer.
const HEADER: &str = "X-Hearth-Cold-Start";

/// Answers; does what the event says.
fn actor(server: &Server) -> Function<'_> {
    let source = format!(
        "{PYTHON_WAIT}
import os, time
def handler(event, context):
    if 'gate' in event:
        wait_at(event['gate'])
    if 'exit' in event:
        os._exit(event['exit'])
    if 'kill' in event:
        os.kill(os.getpid(), event['kill'])
    if 'sleep' in event:
        time.sleep(event['sleep'])
    return 'ok'
"
    );
    server.create(python("actor", &source).timeout(60))
}

/// What the journal says of the last call of a function.
fn last(function: &Function<'_>) -> Value {
    let path = format!("invocations?function={}&limit=1", function.name());
    function.server().hearth(&path)["invocations"][0].clone()
}

/// Calls, and returns what the header and the journal say. They have to agree.
fn why_cold(function: &Function<'_>) -> Value {
    let answer = function.invoke("{}");
    answer.success();
    let header = answer.0.header(HEADER).map(str::to_owned);
    let entry = eventually("the call is in the journal", || {
        let entry = last(function);
        (entry["request_id"] == answer.request_id()).then_some(entry)
    });
    let cold = entry["cold_start"].clone();
    let said =
        cold["reason"].as_str().map(|reason| format!("{reason}: {}", cold["explanation"].as_str().unwrap()));
    assert_eq!(said, header);
    assert_eq!(entry["why_cold"], cold["reason"]);
    cold
}

#[test]
fn the_first_call_is_told_whether_the_function_or_the_server_is_new_and_a_warm_one_is_told_nothing() {
    let folder = Arc::new(Folder::new());
    let server = Settings::new().data_dir(&folder).start();
    let function = actor(&server);
    let first = why_cold(&function);
    assert_eq!(first["explanation"], "first invocation (since the function was deployed)");
    assert_eq!((&first["reason"], &first["since"]), (&json!("first-invocation"), &json!("deployed")));
    assert!(first["deployed_epoch_ms"].as_i64() > Some(1_700_000_000_000));
    assert_eq!(why_cold(&function), Value::Null);
    server.stop();
    let server = Settings::new().data_dir(&folder).start();
    let first = why_cold(&server.function("actor"));
    assert_eq!(first["explanation"], "first invocation (since the server started)");
    assert_eq!(first["since"], "server-start");
    // What was before the server is in the journal still.
    let all = server.hearth("invocations?function=actor");
    assert_eq!(all["invocations"].as_array().unwrap().len(), 3, "{all:#}");
}

#[test]
fn a_call_that_finds_all_environments_busy_is_told_how_many_there_are() {
    let server = Server::start();
    let function = actor(&server);
    let gate = Gate::new();
    let wait = json!({ "gate": gate.number() }).to_string();
    thread::scope(|scope| {
        let mut calls = Vec::new();
        for busy in 0..3 {
            calls.push(scope.spawn(|| function.invoke(&wait)));
            gate.wait_for(busy + 1);
        }
        let cold = why_cold(&function);
        assert_eq!((&cold["reason"], &cold["busy_environments"]), (&json!("all-busy"), &json!(3)));
        assert_eq!(cold["explanation"], "all environments busy (3)");
        gate.open();
        for call in calls {
            call.join().unwrap().success();
        }
    });
}

#[test]
fn after_an_update_it_is_told_what_is_new() {
    let server = Server::start();
    let function = actor(&server);
    why_cold(&function);
    function.update_configuration(&json!({ "MemorySize": 256 }));
    let cold = why_cold(&function);
    assert_eq!((&cold["reason"], &cold["changed"]), (&json!("function-updated"), &json!("configuration")));
    function.update_code(&Package::new().file("app.py", "def handler(event, context): return 'new'\n"));
    let cold = why_cold(&function);
    assert_eq!(cold["explanation"], "function updated (new code)");
    assert!(cold["changed_epoch_ms"].as_i64() > Some(1_700_000_000_000));
}

#[test]
fn after_idling_it_is_told_for_how_long_and_what_the_limit_is() {
    let server = Settings::new().arguments(&["--idle-timeout-s", "1"]).start();
    let function = actor(&server);
    why_cold(&function);
    eventually("the environment has idled out", || function.environments().is_empty().then_some(()));
    let cold = why_cold(&function);
    assert_eq!((&cold["reason"], &cold["idle_limit_s"]), (&json!("idle-timeout"), &json!(1.0)));
    assert!(cold["idle_s"].as_f64() >= Some(1.0), "{cold}");
}

#[test]
fn an_evicted_environment_names_the_function_that_took_its_place() {
    let server = Settings::new().arguments(&["--concurrency", "1"]).start();
    let function = actor(&server);
    why_cold(&function);
    function.wait_until_all_are_ready();
    let greedy = server.create(python("greedy", "def handler(event, context): return 1\n"));
    greedy.invoke("{}").success();
    greedy.wait_until_all_are_ready();
    eventually("the other is gone", || function.environments().is_empty().then_some(()));
    let cold = why_cold(&function);
    assert_eq!((&cold["reason"], &cold["evicted_for"]), (&json!("evicted"), &json!("greedy")));
    assert_eq!(cold["explanation"], "evicted for another function (greedy)");
}

#[test]
fn after_a_crash_it_is_told_how_the_runtime_ended() {
    let server = Server::start();
    let function = actor(&server);
    for (event, how) in [(r#"{"exit": 3}"#, "exit status 3"), (r#"{"kill": 9}"#, "signal: killed")] {
        function.invoke(event).function_error();
        let cold = why_cold(&function);
        assert_eq!((&cold["reason"], &cold["failure"]), (&json!("runtime-exited"), &json!(how)));
    }
}

#[test]
fn after_a_time_out_it_is_told_what_the_limit_was() {
    let server = Server::start();
    let function = actor(&server);
    why_cold(&function);
    function.update_configuration(&json!({ "Timeout": 1 }));
    function.invoke(r#"{"sleep": 30}"#).function_error();
    let cold = why_cold(&function);
    assert_eq!((&cold["reason"], &cold["timeout_s"]), (&json!("timed-out"), &json!(1.0)));
}

#[test]
fn after_an_init_that_failed_it_is_told_with_which_error() {
    let server = Server::start();
    // The first Init fails, and the second, within the call, goes well.
    let source = "import os, sys
flag = '/tmp/was-here'
if not os.path.exists(flag):
    open(flag, 'w').close()
    sys.exit(7)
def handler(event, context): return 'ok'
";
    let function = server.create(python("shaky", source));
    let cold = why_cold(&function);
    // The pool had a reason of its own to make the environment, and that came first.
    assert_eq!(cold["reason"], "first-invocation");
    let broken =
        server.create(python("broken", "raise ValueError('no')\ndef handler(event, context): pass\n"));
    broken.invoke("{}").function_error();
    let answer = broken.invoke("{}");
    answer.function_error();
    let header = answer.0.header(HEADER).unwrap();
    // As INIT_REPORT names what the runtime has reported.
    assert_eq!(header, "init-failed: init failed before (Runtime.Unknown)");
}

#[test]
fn the_log_tells_of_cold_starts_only_where_the_operator_asks_for_it() {
    let quiet = Server::start();
    let function = actor(&quiet);
    function.invoke("{}").success();
    assert_eq!(lines_of(&function.logs_with_reports(1), "COLD_START "), [""; 0]);

    let server = Settings::new().arguments(&["--log-cold-starts"]).start();
    let function = actor(&server);
    let id = function.invoke("{}").request_id();
    function.invoke("{}").success();
    let events = function.logs_with_reports(2);
    assert_eq!(
        lines_of(&events, "COLD_START "),
        [format!(
            "COLD_START RequestId: {id}\tVersion: $LATEST\tReason: first-invocation\tDetail: first invocation (since \
             the function was deployed)\n"
        )]
    );
    let json_logs = node("json", "export const handler = async () => 1;\n")
        .with("LoggingConfig", json!({ "LogFormat": "JSON" }));
    let function = server.create(json_logs);
    let id = function.invoke("{}").request_id();
    let events = function.logs_until("a cold start", |events| {
        !lines_of(events, "{\"record").is_empty()
            || events.iter().any(|event| event.message.contains("platform.coldStart"))
    });
    let line = events.iter().find(|event| event.message.contains("platform.coldStart")).unwrap();
    let line: Value = serde_json::from_str(&line.message).unwrap();
    assert_eq!(line["record"]["requestId"], id);
    assert_eq!(line["record"]["reason"], "first-invocation");
}

#[test]
fn the_command_line_explains_a_call_and_the_timeline_lists_the_reasons() {
    let server = Server::start();
    let function = actor(&server);
    let invoke = || hearth(Some(&server), &["invoke", "actor", "--explain"]).stderr;
    assert_eq!(invoke(), "cold: first invocation (since the function was deployed)\n");
    function.wait_until_all_are_ready();
    assert_eq!(invoke(), "warm\n");
    function.invoke(r#"{"exit": 5}"#).function_error();
    assert_eq!(invoke(), "cold: runtime exited before (exit status 5)\n");
    let timeline = hearth(Some(&server), &["timeline", "actor"]).success();
    assert!(timeline.contains("runtime exited before (exit status 5)"), "{timeline}");
    let json = server.timeline("actor");
    let last = json["invocations"].as_array().unwrap().last().unwrap();
    assert_eq!(last["cold_start"]["failure"], "exit status 5");
}
