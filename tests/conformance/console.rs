//! The console's pages in a real browser, on a server with real traffic.

use std::fs;

use expect_test::expect;
use hearth_tests::{
    Function, Gate, NewFunction, PYTHON_WAIT, Server, bash_extension, eventually, needs_browser, needs_node,
    node, python, repository, run_browser,
};
use serde_json::{Value, json};

/// The largest picture that the repository keeps.
const PICTURE_BYTES_MAX: u64 = 300_000;

/// The function of the article.
const EXPERIMENT: &str = "console.log(\"out of handler\");
export const handler = async () => {
  console.log(\"in handler\");
  return \"done\";
};
";

/// An extension that works on for a tenth of a second after each call.
const WORKS_ON: &str = "#!/usr/bin/env python3
import json, os, time, urllib.request

base = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API'] + '/2020-01-01/extension/'
body = json.dumps({'events': ['INVOKE', 'SHUTDOWN']}).encode()
register = urllib.request.Request(base + 'register', body, {'Lambda-Extension-Name': 'works-on'})
identifier = urllib.request.urlopen(register).headers['Lambda-Extension-Identifier']
while True:
    ask = urllib.request.Request(base + 'event/next', headers={'Lambda-Extension-Identifier': identifier})
    if json.load(urllib.request.urlopen(ask))['eventType'] == 'SHUTDOWN':
        break
    time.sleep(0.1)
";

fn greeter(server: &Server) -> NewFunction {
    let layer = server.publish_extensions(&[("in-bash", bash_extension()), ("works-on", WORKS_ON.into())]);
    node("greeter", EXPERIMENT).with("Layers", json!([layer]))
}

fn orders() -> NewFunction {
    let source = format!(
        "{PYTHON_WAIT}
import os
print('loaded')
def handler(event, context):
    print('order', event)
    if event.get('gate'):
        wait_at(event['gate'])
    if event.get('crash'):
        os._exit(3)
    if event.get('fail'):
        raise ValueError('no such order')
    while event.get('hang'):
        pass
    return 'ok'
"
    );
    python("orders", &source).timeout(2)
}

fn hostile() -> NewFunction {
    let source = "def handler(event, context):
    print('\\x1b[31m<script>alert(1)</script> \\u202egnp.exe\\x07 <img src=x onerror=alert(2)>')
    return event
";
    python("hostile", source)
        .with("Description", "<script>alert(4)</script>")
        .with("Environment", json!({ "Variables": { "MARKUP": "<b>" } }))
}

/// Three functions with two extensions: cold, warm, at once, a failure, a crash and a time-out. Returns how many calls.
fn traffic(server: &Server) -> usize {
    let greeter = server.create(greeter(server));
    for _ in 0..3 {
        greeter.invoke("{}");
        greeter.wait_until_all_are_ready();
    }
    let orders = server.create(orders());
    orders.invoke("{}").success();
    let gate = Gate::new();
    let payload = json!({ "gate": gate.number() }).to_string();
    std::thread::scope(|scope| {
        let calls: Vec<_> = (0..3).map(|_| scope.spawn(|| orders.invoke(&payload))).collect();
        gate.wait_for(3);
        gate.open();
        for call in calls {
            call.join().unwrap().success();
        }
    });
    for payload in ["{\"fail\": true}", "{\"crash\": true}", "{}", "{\"hang\": true}", "{}"] {
        orders.wait_until_all_are_ready();
        orders.invoke(payload);
    }
    server.create(hostile()).invoke("{}").success();
    3 + 9 + 1
}

fn request_id(function: &Function<'_>) -> String {
    let path = format!("invocations?function={}", function.name());
    let invocations = function.server().hearth(&path)["invocations"].clone();
    invocations[0]["request_id"].as_str().unwrap().to_owned()
}

fn none(seen: &Value) {
    assert_eq!(*seen, json!([]), "{seen:#}");
}

#[test]
fn every_page_shows_real_traffic_without_a_fault_and_what_strangers_wrote_stays_text() {
    if !needs_browser() || !needs_node() {
        return;
    }
    let server = Server::start();
    let calls = traffic(&server);
    let request = request_id(&server.function("greeter"));
    for colours in ["light", "dark"] {
        let arguments = json!({
            "functions": ["greeter", "orders", "hostile"],
            "request": request,
            "calls": calls,
            "colorScheme": colours,
        });
        let seen = run_browser(&server, "pages.js", &[&arguments.to_string()]).json();
        none(&seen["faults"]);
        none(&seen["barriers"]);
        assert_eq!(seen["intruders"], 0, "{seen:#}");
        assert_eq!(seen["titles"]["lifecycle-orders"], "Lifecycle of orders");
    }
    let lanes = &server.hearth("lanes?function=orders")["lanes"];
    let lanes = lanes.as_array().unwrap();
    assert_eq!(lanes.len(), 3, "three calls at once: {lanes:#?}");
    let calls: usize = lanes.iter().map(|lane| lane["calls"].as_array().unwrap().len()).sum();
    assert_eq!(calls, 9);
}

#[test]
fn what_is_invoked_from_a_page_stays_text_and_a_moment_of_the_picture_can_be_pointed_at() {
    if !needs_browser() {
        return;
    }
    let server = Server::start();
    server.create(orders()).invoke("{}").success();
    server.create(hostile()).invoke("{}").success();
    let seen = run_browser(&server, "hostile.js", &["hostile", "orders", "orders"]).json();
    none(&seen["faults"]);
    none(&seen["barriers"]);
    assert_eq!(seen["intruders"], 0, "{seen:#}");
    assert_eq!(seen["answer"], "\"</textarea><script>alert(3)</script>\"");
    let line = "⟨ESC⟩[31m<script>alert(1)</script> ⟨U+202E⟩gnp.exe⟨U+0007⟩ <img src=x onerror=alert(2)>";
    for place in ["tail", "live"] {
        assert!(seen[place].as_str().unwrap().contains(line), "{place}: {}", seen[place]);
    }
    let configuration = seen["configuration"].as_str().unwrap();
    assert!(configuration.contains("MARKUP") && !configuration.contains("<b>"), "{configuration}");
    assert!(seen["functionError"].as_str().unwrap().starts_with("Function error (Unhandled)"), "{seen:#}");
    let tip = seen["tip"].as_str().unwrap();
    assert!(tip.contains("ms from ") && tip.contains("environment "), "{tip}");
    assert_eq!(seen["before"], "true");
}

#[test]
fn the_console_can_be_walked_with_the_keyboard_alone() {
    if !needs_browser() || !needs_node() {
        return;
    }
    let server = Server::start();
    let function = server.create(node("experiment", EXPERIMENT));
    function.invoke("{}").success();
    function.logs_with_reports(1);
    let seen = run_browser(&server, "keyboard.js", &["experiment"]).json();
    none(&seen["faults"]);
    let order = seen["order"].as_array().unwrap();
    let expected =
        ["Skip to the content", "Hearth", "Functions", "Lifecycle", "Cost and what-if", "Live tail"];
    assert_eq!(order[..6], expected.map(Value::from), "{order:?}");
    assert_eq!(seen["ring"], "solid");
    assert!(seen["first"].as_str().unwrap().contains("nit"), "{}", seen["first"]);
    let call = seen["call"].as_str().unwrap();
    assert!(call.starts_with("Call, ") && call.contains("cold: first call"), "{call}");
    let log = seen["log"].as_str().unwrap();
    // Some milliseconds before are shown, too, but not the beginning of Init.
    assert!(log.contains("in handler") && log.contains("REPORT") && !log.contains("INIT_START"), "{log}");
    assert_eq!([&seen["theme"], &seen["themeAfter"]], ["dark", "dark"]);
}

#[test]
fn open_pages_hear_of_calls_without_being_loaded_again() {
    if !needs_browser() {
        return;
    }
    let server = Server::start();
    let function = server.create(python("echo", "def handler(event, context):\n    return event\n"));
    function.invoke("{}").success();
    let seen = run_browser(&server, "live.js", &["echo"]).json();
    assert_eq!(
        seen,
        json!({ "same": [true, true, true], "filtered": true, "held": true, "faults": [] }),
        "{seen:#}"
    );
}

#[test]
fn three_calls_of_the_experiment_are_one_lane_one_init_and_one_stream_on_one_screen() {
    if !needs_browser() || !needs_node() {
        return;
    }
    let server = Server::start();
    let function = server.create(node("experiment", EXPERIMENT));
    for number in 1..=3 {
        function.invoke("{}").success();
        function.logs_with_reports(number);
        // Between two calls it is warm, and then stands still.
        eventually("the environment is frozen", || {
            let timeline = server.timeline("experiment");
            let spans = timeline["environments"][0]["spans"].as_array().unwrap();
            (spans.last().unwrap()["phase"] == "frozen").then_some(())
        });
    }
    let file = repository().join("docs/images/lifecycle.png");
    let is_updated = std::env::var_os("UPDATE_PICTURES").is_some();
    let file_name = file.to_str().unwrap();
    let arguments = if is_updated { vec!["experiment", file_name] } else { vec!["experiment"] };
    let seen = run_browser(&server, "experiment.js", &arguments).json();
    expect![[r#"
        {
          "barriers": [],
          "calls": "3",
          "cells": [
            {
              "ended": "✓ success",
              "hasInit": true,
              "why": "first call"
            },
            {
              "ended": "✓ success",
              "hasInit": false,
              "why": "warm"
            },
            {
              "ended": "✓ success",
              "hasInit": false,
              "why": "warm"
            }
          ],
          "faults": [],
          "inHandler": 3,
          "inits": "1",
          "isOneScreen": true,
          "lanes": "1",
          "outOfHandler": 1,
          "streams": "1"
        }"#]]
    .assert_eq(&format!("{seen:#}"));
    let kept = fs::metadata(&file).unwrap().len();
    assert!((1..PICTURE_BYTES_MAX).contains(&kept), "{kept} bytes");
}

#[test]
fn the_picture_of_ten_thousand_calls_is_painted_quickly() {
    if !needs_browser() {
        return;
    }
    let server = Server::start();
    let function = server.create(python("echo", "def handler(event, context):\n    return event\n"));
    function.invoke("{}").success();
    // In parts, so that no script runs longer than any may on a busy machine.
    for _ in 0..4 {
        run_browser(&server, "many_calls.js", &["echo", "2500"]).success();
    }
    let seen = run_browser(&server, "many.js", &["echo", "10000"]).json();
    none(&seen["faults"]);
    // A frame of a quiet machine has 16 ms; this one may have much else to do.
    let median = seen["median"].as_f64().unwrap();
    assert!(median < 100.0, "{seen:#}");
}
