//! The Shutdown phase: who is told that the environment ends, why, and how long each may take.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hearth_tests::{
    Folder, Function, Gate, LogEvent, NewFunction, Package, Server, Settings, eventually, is_alive,
    number_after, on_host, position, python, reports, said, scripted, try_http,
};
use serde_json::{Value, json};

/// Tells when it is told to end, and goes on.
const STUBBORN: &str = "
import os, signal
signal.signal(signal.SIGTERM, lambda number, frame: os.write(1, b'runtime: SIGTERM\\n'))
def handler(event, context): return os.getpid()
";

fn ends_well() -> Value {
    json!([{ "register": ["SHUTDOWN"] }, { "events": true }])
}

fn with_extension(server: &Server, steps: &Value) -> NewFunction {
    let layer = server.publish_extensions(&[("told", scripted(steps))]);
    python("ending", STUBBORN).with("Layers", json!([layer]))
}

/// Waits until the extension has been told `times` that the environment ends, and returns its log.
fn wait_until_told(server: &Server, times: usize) -> Vec<LogEvent> {
    server.logs_until("ending", &format!("{times} SHUTDOWN events"), |events| {
        said(events, "told").iter().filter(|line| line.starts_with("SHUTDOWN spindown ")).count() >= times
    })
}

/// The process of the extension that registered last.
fn extension_of(function: &Function<'_>) -> u64 {
    let events = function.logs_until("a registration", |events| !said(events, "told").is_empty());
    let lines = said(&events, "told");
    let registered = lines.iter().rfind(|line| line.starts_with("registered")).unwrap();
    on_host(number_after(registered, "pid ") as u64)
}

/// Waits until a process is gone and returns how long that took.
fn gone_after(pid: u64, since: Instant) -> Duration {
    eventually("it is gone", || (!is_alive(pid)).then(|| since.elapsed()))
}

#[test]
fn an_extension_that_hangs_is_killed_two_seconds_after_the_end_began() {
    let server = Server::start();
    let steps = json!([{ "register": ["SHUTDOWN"] }, { "next": 1 }, { "hang": true }]);
    let function = server.create(with_extension(&server, &steps));
    let runtime = on_host(function.invoke("{}").success().as_u64().unwrap());
    let extension = extension_of(&function);
    function.wait_until_all_are_ready();

    let started = Instant::now();
    function.delete();
    let runtime_gone = gone_after(runtime, started);
    // AWS says 300 ms, its emulator has 600.
    assert!(
        (Duration::from_millis(250)..Duration::from_millis(900)).contains(&runtime_gone),
        "{runtime_gone:?}"
    );
    let extension_gone = gone_after(extension, started);
    let expected = Duration::from_millis(1_950)..Duration::from_millis(2_300);
    assert!(expected.contains(&extension_gone), "killed after {extension_gone:?}");
    wait_until_told(&server, 1);
}

#[test]
fn an_extension_that_did_not_ask_for_the_end_is_killed_with_the_runtime() {
    let server = Server::start();
    let steps = json!([{ "register": ["INVOKE"] }, { "ignore": "SIGTERM" }, { "events": true }]);
    let function = server.create(with_extension(&server, &steps));
    function.invoke("{}").success();
    let extension = extension_of(&function);
    function.wait_until_all_are_ready();
    let started = Instant::now();
    function.delete();
    let gone = gone_after(extension, started);
    assert!(gone < Duration::from_millis(1_200), "killed only after {gone:?}");
    let events = server.logs("ending");
    assert!(!said(&events, "told").iter().any(|line| line.starts_with("SHUTDOWN")), "{events:?}");
}

#[test]
fn without_an_extension_the_runtime_is_killed_at_once_and_not_asked() {
    let server = Server::start();
    let function = server.create(python("ending", STUBBORN));
    let runtime = on_host(function.invoke("{}").success().as_u64().unwrap());
    function.logs_with_reports(1);
    function.wait_until_all_are_ready();
    let started = Instant::now();
    function.delete();
    let gone = gone_after(runtime, started);
    assert!(gone < Duration::from_millis(250), "gone only after {gone:?}");
    let events = server.logs("ending");
    assert!(said(&events, "runtime").is_empty(), "{events:?}");
}

#[test]
fn with_an_extension_the_runtime_is_asked_first_and_then_killed() {
    let server = Server::start();
    let function = server.create(with_extension(&server, &ends_well()));
    let runtime = on_host(function.invoke("{}").success().as_u64().unwrap());
    function.wait_until_all_are_ready();
    let started = Instant::now();
    function.delete();
    let gone = gone_after(runtime, started);
    assert!((Duration::from_millis(250)..Duration::from_millis(900)).contains(&gone), "{gone:?}");
    let events = wait_until_told(&server, 1);
    assert_eq!(said(&events, "runtime"), ["SIGTERM"]);
}

#[test]
fn other_code_other_settings_and_deletion_end_environments_in_order() {
    let server = Server::start();
    let function = server.create(with_extension(&server, &ends_well()));
    function.invoke("{}").success();
    function.update_configuration(&json!({ "Timeout": 9 }));
    wait_until_told(&server, 1);
    function.invoke("{}").success();
    function.update_code(&Package::new().file("app.py", format!("# other code\n{STUBBORN}")));
    wait_until_told(&server, 2);
    function.invoke("{}").success();
    function.delete();
    let events = wait_until_told(&server, 3);
    assert_eq!(said(&events, "runtime"), ["SIGTERM"; 3]);
}

#[test]
fn an_idle_environment_ends_in_order() {
    let server = Settings::new().arguments(&["--idle-timeout-s", "1"]).start();
    let function = server.create(with_extension(&server, &ends_well()));
    function.invoke("{}").success();
    let events = wait_until_told(&server, 1);
    assert_eq!(said(&events, "runtime"), ["SIGTERM"]);
    eventually("the environment is gone", || function.environments().is_empty().then_some(()));
    function.invoke("{}").success();
}

#[test]
fn a_server_that_ends_ends_its_environments_in_order() {
    let data_dir = Arc::new(Folder::new());
    let server = Settings::new().data_dir(&data_dir).start();
    let function = server.create(with_extension(&server, &ends_well()));
    function.invoke("{}").success();
    server.stop();

    let server = Settings::new().data_dir(&data_dir).start();
    let events = server.logs("ending");
    let told = said(&events, "told");
    assert!(told[1].starts_with("SHUTDOWN spindown "), "{told:?}");
    let left = number_after(told[1], "spindown ") - number_after(told[1], "at ");
    assert!((1_000.0..2_000.0).contains(&left), "{left} ms are left");
    assert_eq!(said(&events, "runtime"), ["SIGTERM"]);
}

#[test]
fn a_server_that_ends_lets_extensions_finish_their_work_on_the_last_call() {
    let data_dir = Arc::new(Folder::new());
    let gate = Gate::new();
    let server = Settings::new().data_dir(&data_dir).start();
    let steps = json!([{ "register": ["INVOKE", "SHUTDOWN"] }, { "next": 1 }, { "gate": gate.number() }, { "events": true }]);
    let function = server.create(with_extension(&server, &steps).timeout(60));
    function.invoke("{}").success();
    gate.wait_for(1);
    server.terminate();
    // It has the signal before it refuses connections.
    eventually("the server ends", || {
        try_http(server.address(), "GET", "/_hearth/health", &[], b"").is_err().then_some(())
    });
    gate.open();
    server.stop();

    let server = Settings::new().data_dir(&data_dir).start();
    let events = server.logs("ending");
    let told = said(&events, "told");
    assert!(told[1].starts_with("INVOKE ") && told[2].starts_with("SHUTDOWN spindown "), "{told:?}");
    let report = reports(&events)[0];
    assert!(!report.contains("Status:"), "{report}");
    assert!(position(&events, "REPORT ") < position(&events, "told: SHUTDOWN "), "{events:#?}");
}
