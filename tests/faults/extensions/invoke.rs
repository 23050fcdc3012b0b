//! Extensions that end, or put out too much, while calls run or between them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use expect_test::expect;
use hearth_tests::{
    Server, eventually, is_init_of_an_environment, number_after, on_host, processes_of, python, reports,
    rounds, said, scripted, streams,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::{WAITING, reported, trees, wait_until_nothing_runs, with_extension};

/// What the caller gets when the extension takes `step` while the call runs, and how that is reported.
fn ends_in_a_call(steps: &[Value]) -> String {
    let server = Server::start();
    let mut all = vec![json!({ "register": ["INVOKE"] }), json!({ "next": 2 })];
    all.extend_from_slice(steps);
    let layer = server.publish_extensions(&[("bad", scripted(&json!(all)))]);
    let new = python("calling", WAITING).timeout(20).with("Layers", json!([layer]));
    let function = server.create(new);
    let before = function.invoke("{}").success();
    function.wait_until_all_are_ready();
    let started = Instant::now();
    let error = function.invoke(r#"{"wait": true}"#).function_error();
    let elapsed = started.elapsed();
    assert!(elapsed < Duration::from_secs(3), "answered only after {elapsed:?}");
    // The environment starts anew, with all it needs.
    assert_ne!(function.invoke("{}").success(), before);
    let events = function.logs_with_reports(3);
    assert_eq!(streams(&events).len(), 1);
    let report = reports(&events)[1].trim_end();
    let (_, status) = report.split_once("\tStatus: ").unwrap_or((report, "none"));
    format!("{error}\n  {}\n", status.replace('\t', ", "))
}

#[test]
fn an_extension_that_ends_during_a_call_fails_it_at_once_and_resets_the_environment() {
    let mut seen = String::new();
    for steps in [
        vec![json!({ "exit": 0 })],
        vec![json!({ "exit": 1 })],
        vec![json!({ "signal": "SIGKILL" }), json!({ "hang": true })],
        vec![reported("POST {extension}/exit/error", "Extension.LostConnection"), json!({ "hang": true })],
        vec![reported("POST {extension}/exit/error", "nonsense"), json!({ "exit": 1 })],
    ] {
        seen += &ends_in_a_call(&steps);
    }
    expect![[r#"
        {"errorType":"Extension.Crash","errorMessage":"RequestId: <id> Error: exit code 0"}
          error, Error Type: Extension.Crash
        {"errorType":"Extension.Crash","errorMessage":"RequestId: <id> Error: exit status 1"}
          error, Error Type: Extension.Crash
        {"errorType":"Extension.Crash","errorMessage":"RequestId: <id> Error: signal: killed"}
          error, Error Type: Extension.Crash
        {"errorType":"Extension.LostConnection","errorMessage":"RequestId: <id> Error: mine"}
          error, Error Type: Extension.LostConnection
        {"errorType":"Extension.ExitError","errorMessage":"RequestId: <id> Error: mine"}
          error, Error Type: Extension.ExitError
    "#]]
    .assert_eq(&seen);
}

#[test]
fn an_extension_that_dies_between_two_calls_hurts_nobody() {
    let server = Server::start();
    let steps = json!([{ "register": ["INVOKE"] }, { "events": true }]);
    let function = server.create(with_extension(&server, "idle", &steps));
    let before = function.invoke("{}").success();
    let inside = number_after(said(&function.logs_with_reports(1), "bad")[0], "pid ") as u64;
    let extension = on_host(inside) as i32;
    function.wait_until_all_are_ready();
    kill(Pid::from_raw(extension), Signal::SIGKILL).unwrap();
    eventually("the environment knows", || {
        let environment = &function.environments()[0];
        (environment["pid"].is_null() && environment["state"] == "Ready").then_some(())
    });
    assert_ne!(function.invoke("{}").success(), before, "runtime and extension start anew");
    let events = function.logs_with_reports(2);
    assert!(reports(&events).iter().all(|report| !report.contains("Status:")), "{events:#?}");
    assert_eq!(said(&events, "bad").iter().filter(|line| line.starts_with("registered")).count(), 2);
}

#[test]
fn an_extension_that_floods_its_output_costs_the_server_no_memory_and_the_caller_nothing() {
    let server = Server::start();
    let steps =
        json!([{ "register": ["INVOKE"] }, { "next": 1 }, { "print": 128 << 20 }, { "events": true }]);
    let function = server.create(with_extension(&server, "flooding", &steps).timeout(60));
    let before = server.resident_kib();
    let started = Instant::now();
    let pid = function.invoke("{}").success();
    let answered = started.elapsed();
    assert!(answered < Duration::from_secs(3), "answered only after {answered:?}");
    function.wait_until_all_are_ready();
    let grown = server.resident_kib().saturating_sub(before);
    assert!(grown < 96 << 10, "the server has grown by {grown} KiB");
    assert_eq!(function.invoke("{}").success(), pid);
}

/// How many descriptors the server has.
fn descriptors_of(server: &Server) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count()
}

#[test]
fn environments_that_come_and_go_with_extensions_leave_nothing_behind() {
    let server = Server::start();
    let steps = json!([{ "register": ["INVOKE", "SHUTDOWN"] }, { "next": 2 }, { "exit": 1 }]);
    let layer = server.publish_extensions(&[("bad", scripted(&steps))]);
    let new = python("leaking", WAITING).timeout(20).with("Layers", json!([layer]));
    let function = server.create(new);
    let mut at_rest = usize::MAX;
    for round in 0..rounds(6, 500) {
        function.invoke("{}").success();
        function.wait_until_all_are_ready();
        assert!(!processes_of(&trees(&server)).into_iter().all(is_init_of_an_environment));
        let error = function.invoke(r#"{"wait": true}"#).function_error();
        assert!(error.contains("Extension.Crash"), "{error}");
        function.wait_until_all_are_ready();
        // After the first rounds everything is there that stays, once what is kept ready ahead is complete again.
        if round == 1 {
            let (mut last, mut looks) = (0, 0);
            at_rest = eventually("the number of descriptors stays", || {
                let now = descriptors_of(&server);
                looks = if now == last { looks + 1 } else { 0 };
                last = now;
                (looks == 50).then_some(now)
            });
        }
    }
    assert_eq!(function.environments().len(), 1);
    eventually("descriptors are given back", || (descriptors_of(&server) <= at_rest).then_some(()));
    wait_until_nothing_runs(&server);
}

#[test]
fn calls_at_once_on_environments_whose_extensions_die_are_all_answered_and_reported_once() {
    let server = Server::start();
    let steps = json!([{ "register": ["INVOKE", "SHUTDOWN"] }, { "next": 3 }, { "exit": 1 }]);
    let function = server.create(with_extension(&server, "dying", &steps).timeout(20));
    let calls = rounds(8, 400);
    let (threads, failed) = (4, AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..calls {
                    let answer = function.invoke("{}");
                    // It dies with the third event: before the runtime has answered, or after.
                    if answer.0.header("X-Amz-Function-Error").is_some() {
                        let error = answer.function_error();
                        assert!(error.contains("Extension.Crash"), "{error}");
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    function.wait_until_all_are_ready();
    let events = function.logs_with_reports(threads * calls);
    assert_eq!(reports(&events).len(), threads * calls, "each call has one REPORT");
    let with_error = reports(&events).iter().filter(|report| report.contains("Extension.Crash")).count();
    assert!(with_error >= failed.into_inner(), "{with_error} reports tell of it");
    assert!(with_error > 0, "none has died");
    function.invoke("{}");
}
