//! The reset after a time-out or a crash: extensions hear of it, and start anew with the next call.

use hearth_tests::{LogEvent, Server, lines_of, python, reports, said, scripted, streams};
use serde_json::json;

/// Does what its event says, and counts the calls of this process. `/tmp` is `TMPDIR` here.
const FAILING: &str = "
import os, pathlib, tempfile, time
mark = pathlib.Path(tempfile.gettempdir(), 'mark')
calls = 0
def handler(event, context):
    global calls
    calls += 1
    if event.get('do') == 'hang': mark.write_text('kept'); time.sleep(60)
    if event.get('do') == 'crash': mark.write_text('kept'); os._exit(3)
    return [calls, mark.exists()]
";

/// What becomes of an environment with two extensions after a call that ends with `event` and `reason`.
fn check(event: &str, error_type: &str, reason: &str) -> Vec<LogEvent> {
    let server = Server::start();
    let steps = json!([{ "register": ["INVOKE", "SHUTDOWN"] }, { "events": true }]);
    let silent = json!([{ "register": ["INVOKE"] }, { "events": true }]);
    let layer = server.publish_extensions(&[("told", scripted(&steps)), ("killed", scripted(&silent))]);
    let function = server.create(python("reset", FAILING).timeout(1).with("Layers", json!([layer])));
    assert_eq!(function.invoke("{}").success(), json!([1, false]));
    function.wait_until_all_are_ready();
    let error: serde_json::Value = serde_json::from_str(&function.invoke(event).function_error()).unwrap();
    assert_eq!(error["errorType"], error_type, "{error}");
    // The next call finds fresh processes in the old environment.
    assert_eq!(function.invoke("{}").success(), json!([1, true]));
    function.wait_until_all_are_ready();
    assert_eq!(function.invoke("{}").success(), json!([2, true]));
    let events = function.logs_with_reports(4);
    assert_eq!(streams(&events).len(), 1, "{events:#?}");
    let told: Vec<String> = said(&events, "told")
        .iter()
        .map(|line| {
            line.split(' ')
                .take(if line.starts_with("SHUTDOWN") { 2 } else { 1 })
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    let end = format!("SHUTDOWN {reason}");
    assert_eq!(told, ["registered", "INVOKE", "INVOKE", &end, "registered", "INVOKE", "INVOKE"]);
    let killed = said(&events, "killed");
    assert_eq!(killed.iter().filter(|line| line.starts_with("registered")).count(), 2);
    assert!(!killed.iter().any(|line| line.starts_with("SHUTDOWN")), "{killed:?}");
    assert_eq!(lines_of(&events, "EXTENSION").len(), 4, "{events:#?}");
    events
}

#[test]
fn a_time_out_is_told_to_extensions_as_timeout() {
    let events = check(r#"{"do": "hang"}"#, "Sandbox.Timedout", "timeout");
    assert!(reports(&events)[1].ends_with("\tStatus: timeout\n"), "{events:#?}");
}

#[test]
fn a_crash_is_told_to_extensions_as_failure() {
    let events = check(r#"{"do": "crash"}"#, "Runtime.ExitError", "failure");
    assert!(reports(&events)[1].ends_with("\tStatus: error\tError Type: Runtime.ExitError\n"), "{events:#?}");
}

#[test]
fn an_error_of_the_handler_resets_nothing() {
    let server = Server::start();
    let steps = json!([{ "register": ["INVOKE", "SHUTDOWN"] }, { "events": true }]);
    let layer = server.publish_extensions(&[("told", scripted(&steps))]);
    let source = "def handler(event, context): raise ValueError('mine')\n";
    let function = server.create(python("raising", source).with("Layers", json!([layer])));
    for _ in 0..2 {
        assert!(function.invoke("{}").function_error().contains("ValueError"));
        function.wait_until_all_are_ready();
    }
    let events = function.logs_with_reports(2);
    let told: Vec<&str> =
        said(&events, "told").into_iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(told, ["registered", "INVOKE", "INVOKE"]);
}

#[test]
fn an_init_that_fails_is_told_to_extensions_as_failure_and_repeated_within_the_call() {
    let server = Server::start();
    let steps = json!([{ "register": ["INVOKE", "SHUTDOWN"] }, { "events": true }]);
    let layer = server.publish_extensions(&[("told", scripted(&steps))]);
    let source = "import no_such_module\n";
    let function = server.create(python("importing", source).with("Layers", json!([layer])));
    let error = function.invoke("{}").function_error();
    assert!(error.contains("Runtime.ImportModuleError"), "{error}");
    let events = function.logs_until("two SHUTDOWN events", |events| {
        said(events, "told").iter().filter(|line| line.starts_with("SHUTDOWN")).count() >= 2
    });
    let told: Vec<String> = said(&events, "told")
        .iter()
        .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        told,
        ["registered as", "SHUTDOWN failure", "registered as", "SHUTDOWN failure"],
        "no invocation has reached them"
    );
}
