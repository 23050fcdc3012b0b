//! The Invoke phase: what waits for extensions, and what does not.

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

use hearth_tests::{
    Call, LogEvent, Server, example_extension, number_after, position, python, reports, said, streams,
};
use regex_lite::Regex;
use serde_json::json;

const PLAIN: &str = "def handler(event, context): return event\n";

/// Two extensions on AWS's client: `quick`, and `slow`, which works for `delay_ms` on each invocation.
fn slow_function(name: &str, delay_ms: u32) -> hearth_tests::NewFunction {
    let variables = json!({ "Variables": { "DELAY_MS_slow": delay_ms.to_string() } });
    python(name, PLAIN).with("Environment", variables)
}

fn layer(server: &Server) -> String {
    let program = example_extension("events");
    server.publish_extensions(&[("quick", program.clone()), ("slow", program)])
}

#[test]
fn who_works_on_after_a_call_delays_neither_its_caller_nor_is_it_forgotten_in_the_report() {
    let server = Server::start();
    let layer = layer(&server);
    let function = server.create(slow_function("worked", 700).with("Layers", json!([layer])));
    function.invoke("0");
    function.wait_until_all_are_ready();
    let started = Instant::now();
    assert_eq!(function.invoke("1").success(), 1);
    let latency = started.elapsed();
    assert!(latency < Duration::from_millis(500), "the caller waited {latency:?}");
    let state = &function.environments()[0]["state"];
    assert_ne!(state, "Ready", "the environment is busy until the extension is done");

    let events = function.logs_with_reports(2);
    for report in reports(&events) {
        assert!(!report.contains("Status:"), "{report}");
        let (duration, billed) =
            (number_after(report, "\tDuration: "), number_after(report, "Billed Duration: "));
        assert!((700.0..1_500.0).contains(&duration), "{report}");
        assert!(billed >= duration, "{report}");
    }
}

/// Checks that each environment took one call at a time, and that each call's extensions were done before its END.
fn check_one_at_a_time(events: &[LogEvent]) -> HashMap<&str, usize> {
    let id = Regex::new("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").unwrap();
    let mut calls = HashMap::new();
    for stream in streams(events) {
        let events: Vec<&LogEvent> = events.iter().filter(|event| event.log_stream == stream).collect();
        let mut running: Option<(&str, [usize; 2])> = None;
        for event in events {
            let message = event.message.as_str();
            let found = id.find(message).map(|found| found.as_str());
            if message.starts_with("START ") {
                assert_eq!(running, None, "{message}");
                running = Some((found.unwrap(), [0, 0]));
            } else if message.starts_with("END ") {
                let (id, seen) = running.take().unwrap();
                assert_eq!((Some(id), seen), (found, [2, 1]), "{message}");
                *calls.entry(stream).or_default() += 1;
            } else if let Some(id) = found.filter(|_| !message.starts_with("REPORT ")) {
                let (running, seen) = running.as_mut().unwrap();
                assert_eq!(*running, id, "{message}");
                seen[usize::from(message.contains(": done with "))] += 1;
            }
        }
    }
    calls
}

#[test]
fn the_next_call_waits_for_a_slow_extension_or_goes_to_another_environment() {
    let server = Server::start();
    let layer = layer(&server);
    let function = server.create(slow_function("next", 300).with("Layers", json!([layer])));
    // One after another, and then three at once, again and again without a pause.
    for call in 0..3 {
        assert_eq!(function.invoke(call.to_string()).success(), call);
    }
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| (0..3).for_each(|call| drop(function.invoke(call.to_string()).success())));
        }
    });
    let events = function.logs_with_reports(12);
    let calls = check_one_at_a_time(&events);
    assert_eq!(calls.values().sum::<usize>(), 12, "{calls:?}");
}

#[test]
fn an_extension_that_overruns_the_time_out_costs_the_caller_nothing_and_the_environment_is_reset() {
    let server = Server::start();
    let layer = layer(&server);
    let function = server.create(slow_function("overrun", 60_000).timeout(1).with("Layers", json!([layer])));
    let started = Instant::now();
    assert_eq!(function.invoke("1").success(), 1);
    let answered = started.elapsed();
    let events = function.logs_with_reports(1);
    let report = reports(&events)[0];
    assert!(report.ends_with("\tStatus: timeout\n"), "{report:?}");
    let duration = number_after(report, "\tDuration: ");
    assert!((1_000.0..1_500.0).contains(&duration), "{report}");
    assert!(
        answered.as_secs_f64() * 1_000.0 < duration + number_after(report, "Init Duration: "),
        "{answered:?}"
    );

    // The quick one is told why. The next call finds a fresh runtime and fresh extensions in the same environment.
    function.wait_until_all_are_ready();
    assert_eq!(function.invoke("2").success(), 2);
    let events = function.logs_with_reports(2);
    assert_eq!(streams(&events).len(), 1);
    let registered = "quick: registered with overrun";
    let again = events.iter().rposition(|event| event.message.starts_with(registered)).unwrap();
    let told = position(&events, "quick: SHUTDOWN timeout ");
    assert!(position(&events, registered) < told && told < again, "{events:#?}");
    assert_eq!(said(&events, "slow").iter().filter(|line| line.starts_with("registered")).count(), 2);
}

#[test]
fn the_tail_of_a_cold_call_has_the_lines_of_extensions() {
    let server = Server::start();
    let layer = layer(&server);
    let function = server.create(slow_function("tail", 0).with("Layers", json!([layer])));
    let call = Call { headers: &[("X-Amz-Log-Type", "Tail")], payload: b"1", ..Call::default() };
    let tail = function.call(&call).log_tail();
    let extensions: Vec<&str> = tail.lines().filter(|line| line.starts_with("EXTENSION")).collect();
    assert_eq!(
        extensions,
        ["quick", "slow"]
            .map(|name| format!("EXTENSION\tName: {name}\tState: Ready\tEvents: [INVOKE, SHUTDOWN]"))
    );
    let start = tail.find("START RequestId: ").unwrap();
    assert!(tail.rfind("EXTENSION\t").unwrap() < start, "{tail}");
    assert!(tail.lines().next_back().unwrap().starts_with("REPORT RequestId: "), "{tail}");
    // A warm one has only its own.
    function.wait_until_all_are_ready();
    let tail = function.call(&call).log_tail();
    assert!(tail.starts_with("START RequestId: ") && !tail.contains("EXTENSION"), "{tail}");
}

#[test]
fn extensions_that_did_not_ask_for_invocations_are_not_waited_for() {
    let server = Server::start();
    let steps = json!([{ "register": ["SHUTDOWN"] }, { "events": true }]);
    let layer = server.publish_extensions(&[("only-the-end", hearth_tests::scripted(&steps))]);
    let function = server.create(python("unasked", PLAIN).with("Layers", json!([layer])));
    for call in 0..3 {
        assert_eq!(function.invoke(call.to_string()).success(), call);
        function.wait_until_all_are_ready();
    }
    function.logs_with_reports(3);
    function.delete();
    let events = function.logs_until("SHUTDOWN", |events| said(events, "only-the-end").len() >= 2);
    let lines = said(&events, "only-the-end");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[1].starts_with("SHUTDOWN spindown "), "{lines:?}");
}
