//! `hearth tune`: a function, run for real at several sizes of memory.

use std::process::{Child, Command, Stdio};

use hearth_tests::{
    Folder, Function, Gate, NewFunction, PYTHON_WAIT, Server, aws, eventually, hearth, hearth_binary, python,
    skip, within,
};
use serde_json::{Value, json};

const MARK: &str = "-hearth-tune-";

/// Says whether memory decides about memory and CPU on this host. If not, the test is noted as skipped.
fn is_limited(server: &Server) -> bool {
    let isolation = server.hearth("isolation");
    let facts = isolation["facts"].as_array().unwrap();
    let limits = |what: &str| facts.iter().any(|fact| fact["what"] == what && fact["in_force"] == true);
    let is_limited = limits("CPU") && limits("memory");
    if !is_limited {
        skip("nothing limits memory and CPU here");
    }
    is_limited
}

fn tune(server: &Server, name: &str, memory: &str, calls: &str) -> Value {
    let arguments =
        ["tune", name, "--payload", "{}", "--memory", memory, "--calls", calls, "--yes", "--output", "json"];
    let document = hearth(Some(server), &arguments).json();
    assert_nothing_is_left(server, name);
    document
}

fn functions(server: &Server) -> Vec<String> {
    let listed = server.http("GET", "/2015-03-31/functions", b"").json();
    let functions = listed["Functions"].as_array().unwrap().iter();
    functions.map(|function| function["FunctionName"].as_str().unwrap().to_owned()).collect()
}

fn copies(server: &Server) -> Vec<String> {
    functions(server).into_iter().filter(|name| name.contains(MARK)).collect()
}

fn assert_nothing_is_left(server: &Server, name: &str) {
    assert_eq!(copies(server), Vec::<String>::new());
    let groups = aws(server, &["logs", "describe-log-groups"]).json();
    let of_a_copy =
        |group: &Value| group["logGroupName"].as_str().unwrap().contains(&format!("{name}{MARK}"));
    assert!(!groups["logGroups"].as_array().unwrap().iter().any(of_a_copy), "{groups:#}");
}

fn size(document: &Value, memory_mb: u32) -> &Value {
    let sizes = document["sizes"].as_array().unwrap();
    sizes.iter().find(|size| size["memory_mb"] == memory_mb).unwrap()
}

fn mean_ms(document: &Value, memory_mb: u32) -> f64 {
    let size = size(document, memory_mb);
    size["duration_ms"]["mean"].as_f64().unwrap_or_else(|| panic!("{document:#}"))
}

fn cost(document: &Value, memory_mb: u32) -> f64 {
    size(document, memory_mb)["cost_per_million_calls_usd"].as_f64().unwrap()
}

#[test]
fn a_function_that_computes_is_faster_with_more_memory_and_is_itself_not_touched() {
    let server = Server::start();
    if !is_limited(&server) {
        return;
    }
    let source = "
import os
def handler(event, context):
    assert os.environ['GREETING'] == 'hello'
    return sum(number * number for number in range(1_000_000))
";
    let new = python("computing", source)
        .timeout(60)
        .with("Environment", json!({ "Variables": { "GREETING": "hello" } }));
    let function = server.create(new);
    let before = function.configuration();
    let document = tune(&server, "computing", "1769,128,512,128", "8");
    assert_eq!(document["function_name"], "computing");
    assert_eq!(document["cpu_by_memory"], true);
    assert_eq!(document["sizes"].as_array().unwrap().len(), 3);
    // 4 and 14 times the CPU, if the machine has it to give; a busy one still gives more than the least.
    let p50_ms = |memory_mb| size(&document, memory_mb)["duration_ms"]["p50"].as_f64().unwrap();
    assert!(p50_ms(128) > 1.5 * p50_ms(512).min(p50_ms(1_769)), "{document:#}");
    assert_ne!(document["choices"]["fastest_mb"], 128);
    for memory_mb in [128, 512, 1_769] {
        let size = size(&document, memory_mb);
        assert_eq!(size["failed"], Value::Null);
        assert_eq!(size["cold_calls"], 2, "each round begins with a cold call: {size:#}");
        assert!(size["init_ms"].as_f64().unwrap() > 0.0, "{size:#}");
        assert!(size["max_memory_used_mb"].as_u64().unwrap() > 0, "{size:#}");
    }
    assert_eq!(function.configuration(), before);
    assert!(function.environments().is_empty(), "nobody has called it");
}

#[test]
fn a_function_that_waits_is_cheapest_with_the_least_memory() {
    let server = Server::start();
    let source = "import time\ndef handler(event, context): time.sleep(0.3)\n";
    server.create(python("waiting", source).timeout(60));
    let document = tune(&server, "waiting", "128,1024,3008", "5");
    assert_eq!(document["choices"]["cheapest_mb"], 128, "{document:#}");
    for memory_mb in [128, 1_024, 3_008] {
        assert!(mean_ms(&document, memory_mb) >= 300.0, "{document:#}");
    }
    // 23.5 times the memory, for the same time.
    assert!(cost(&document, 3_008) > 5.0 * cost(&document, 128), "{document:#}");
}

#[test]
fn a_size_in_which_the_function_runs_out_of_memory_is_shown_as_failed_and_never_chosen() {
    let server = Server::start();
    if !is_limited(&server) {
        return;
    }
    let source = "def handler(event, context): return len(b'x' * (300 << 20))\n";
    server.create(python("hungry", source).timeout(60));
    let document = tune(&server, "hungry", "128,256,512", "4");
    for memory_mb in [128, 256] {
        let failed = size(&document, memory_mb);
        let expected = json!({ "memory_mb": memory_mb, "failed": "Runtime.OutOfMemory" });
        assert_eq!(*failed, expected, "{document:#}");
    }
    let choices = json!({ "cheapest_mb": 512, "fastest_mb": 512, "balanced_mb": 512 });
    assert_eq!(document["choices"], choices, "{document:#}");
    assert!(size(&document, 512)["max_memory_used_mb"].as_u64().unwrap() >= 300, "{document:#}");
}

#[test]
fn a_function_that_fails_at_every_size_has_no_choice_and_an_exit_code_of_its_own() {
    let server = Server::start();
    server.create(python("failing", "def handler(event, context): raise ValueError('boom')\n"));
    let slow = "import time\ndef handler(event, context): time.sleep(60)\n";
    server.create(python("slow", slow).timeout(1));
    for (name, why) in [("failing", "ValueError"), ("slow", "timed out")] {
        let arguments = ["tune", name, "--payload", "{}", "--memory", "512,1024", "--calls", "4", "--yes"];
        let finished = hearth(Some(&server), &arguments);
        assert_eq!(finished.status.code(), Some(6), "{}{}", finished.stdout, finished.stderr);
        assert!(finished.stdout.contains(&format!("failed: {why}")), "{}", finished.stdout);
        assert!(finished.stdout.contains("It fails at every size."), "{}", finished.stdout);
        assert_nothing_is_left(&server, name);
    }
}

#[test]
fn nothing_is_called_before_somebody_has_agreed_and_mistakes_are_told_before_that() {
    let server = Server::start();
    server.create(python("greeter", "def handler(event, context): pass\n"));
    let refused = |arguments: &[&str], code: i32, what: &str| {
        let finished = hearth(Some(&server), &[&["tune"], arguments].concat());
        assert_eq!(finished.status.code(), Some(code), "{arguments:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(what) && finished.stdout.is_empty(), "{}", finished.stderr);
        assert_eq!(functions(&server), ["greeter"]);
    };
    refused(&["greeter", "--payload", "{}"], 2, "for real");
    refused(&["greeter", "--payload", "{}"], 2, "--yes agrees");
    refused(&["nobody", "--payload", "{}", "--yes"], 5, "nobody");
    refused(&["greeter", "--payload", "@/does/not/exist", "--yes"], 1, "/does/not/exist");
    refused(&["greeter", "--payload", "{}", "--memory", "64", "--yes"], 2, "64");
    refused(&["greeter", "--yes"], 2, "--payload");
    assert!(server.environments("greeter").is_empty());
}

/// A function that waits at a gate, and a `hearth tune` whose first call has come there.
fn blocked<'server>(server: &'server Server, gate: &Gate) -> (Function<'server>, Child) {
    let source = format!("{PYTHON_WAIT}\ndef handler(event, context):\n    wait_at(event['gate'])\n");
    let function = server.create(NewFunction::timeout(python("blocked", &source), 60));
    let payload = json!({ "gate": gate.number() }).to_string();
    let child = Command::new(hearth_binary())
        .args(["tune", "blocked", "--payload", &payload, "--memory", "512", "--calls", "2", "--yes"])
        .env("HEARTH_ENDPOINT", server.url())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    gate.wait_for(1);
    (function, child)
}

#[test]
fn an_interruption_removes_the_copy() {
    let server = Server::start();
    for signal in ["INT", "TERM"] {
        let gate = Gate::new();
        let (function, child) = blocked(&server, &gate);
        assert_eq!(copies(&server).len(), 1);
        let kill = format!("kill -{signal} {}", child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        let finished = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&finished.stderr);
        assert_eq!(finished.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("interrupted; the copy is removed"), "{stderr}");
        assert!(stderr.contains("still runs, to its end or its time-out; its log group stays"), "{stderr}");
        assert_eq!(copies(&server), Vec::<String>::new());
        gate.open();
        function.delete();
    }
}

#[test]
fn what_a_killed_run_has_left_over_is_removed_by_the_next_one_and_nothing_else() {
    let server = Server::start();
    let gate = Gate::new();
    let (_, mut killed) = blocked(&server, &gate);
    killed.kill().unwrap();
    killed.wait().unwrap();
    gate.open();
    let left_over = copies(&server);
    assert_eq!(left_over.len(), 1);
    // One of a run that goes on, and one whose name only looks like it.
    let going_on = Gate::new();
    let payload = json!({ "gate": going_on.number() }).to_string();
    let folder = Folder::new();
    let event = folder.write("event.json", &payload);
    let mut other = Command::new(hearth_binary())
        .args(["tune", "blocked", "--memory", "512", "--calls", "1", "--yes", "--payload"])
        .arg(format!("@{}", event.display()))
        .env("HEARTH_ENDPOINT", server.url())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    going_on.wait_for(1);
    eventually("the copy that was left over is gone", || {
        (!copies(&server).contains(&left_over[0])).then_some(())
    });
    let source = "def handler(event, context): pass\n";
    server.create(python("mine-hearth-tune-0", source));
    let its_copy = copies(&server).into_iter().find(|name| name.starts_with("blocked")).unwrap();

    server.create(python("greeter", source));
    let arguments = ["tune", "greeter", "--payload", "{}", "--memory", "512", "--calls", "1", "--yes"];
    hearth(Some(&server), &arguments).success();
    let left = copies(&server);
    assert!(left.contains(&its_copy) && left.contains(&"mine-hearth-tune-0".to_owned()), "{left:?}");
    assert_eq!(left.len(), 2);
    going_on.open();
    let status = within(hearth_tests::LIMIT, "the other run ends", || other.try_wait().unwrap());
    assert!(status.success());
    assert_eq!(copies(&server), ["mine-hearth-tune-0"]);
}
