//! `hearth whatif`: recorded calls, replayed under other policies. What the simulation says of the policy that was in force is
//! what the real scheduler did.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::thread;

use hearth_tests::{Function, Gate, PYTHON_WAIT, Server, Settings, eventually, hearth, python};
use serde_json::{Map, Value, json};

const IDLE_TIMEOUT_S: u64 = 4;

/// Waits at the gate of its event, or sleeps for so long, or dies.
fn planned(server: &Server) -> Function<'_> {
    let source = format!(
        "{PYTHON_WAIT}
import os, time
def handler(event, context):
    if 'gate' in event:
        wait_at(event['gate'])
    if 'die' in event:
        os._exit(1)
    time.sleep(event.get('sleep_s', 0))
"
    );
    server.create(python("planned", &source).timeout(60).whole_cpu())
}

/// Calls it so often at once: none ends before all have come.
fn at_once(function: &Function<'_>, number: usize) {
    let gate = Gate::new();
    let payload = json!({ "gate": gate.number() }).to_string();
    thread::scope(|scope| {
        let calls: Vec<_> = (0..number).map(|_| scope.spawn(|| function.invoke(&payload))).collect();
        gate.wait_for(number);
        gate.open();
        calls.into_iter().for_each(|call| drop(call.join().unwrap().success()));
    });
    function.wait_until_all_are_ready();
}

fn whatif(server: &Server, query: &str) -> Value {
    server.hearth(&format!("functions/planned/whatif?{query}"))
}

fn entries(server: &Server) -> Vec<Value> {
    server.hearth("invocations?function=planned")["invocations"].as_array().unwrap().clone()
}

/// The outcome if environments were kept for so long.
fn kept(document: &Value, seconds: u64) -> Value {
    let policies = document["policies"].as_array().unwrap();
    let is_it = |outcome: &&Value| outcome["policy"] == "fixed" && outcome["keep_alive_s"] == seconds as f64;
    policies.iter().find(is_it).unwrap_or_else(|| panic!("no {seconds} s in {document:#}")).clone()
}

#[test]
fn the_simulation_of_the_policy_in_force_has_as_many_cold_calls_as_the_real_scheduler() {
    let server = Settings::new().arguments(&["--idle-timeout-s", &IDLE_TIMEOUT_S.to_string()]).start();
    let function = planned(&server);
    let idle_out = || {
        eventually("idle environments are ended", || function.environments().is_empty().then_some(()));
    };
    // One after another, as soon as there is an answer, and with a pause in the function.
    (0..15).for_each(|_| drop(function.invoke("{}").success()));
    (0..5).for_each(|_| drop(function.invoke(r#"{"sleep_s": 0.05}"#).success()));
    at_once(&function, 2);
    at_once(&function, 4);
    (0..5).for_each(|_| drop(function.invoke("{}").success()));
    idle_out();
    at_once(&function, 3);
    at_once(&function, 3);
    function.update_configuration(&json!({ "Description": "another" }));
    (0..3).for_each(|_| drop(function.invoke("{}").success()));
    function.invoke(r#"{"die": 1}"#).function_error();
    function.wait_until_all_are_ready();
    (0..3).for_each(|_| drop(function.invoke("{}").success()));
    idle_out();
    (0..3).for_each(|_| drop(function.invoke("{}").success()));

    let document = whatif(&server, "policies=fixed");
    let entries = entries(&server);
    let cold_for = |reasons: &[&str]| {
        let is_it = |entry: &&Value| reasons.iter().any(|reason| entry["why_cold"] == *reason);
        entries.iter().filter(is_it).count() as u64
    };
    let cold = entries.iter().filter(|entry| !entry["why_cold"].is_null()).count() as u64;
    assert_eq!(document["recorded"]["calls"], entries.len());
    assert_eq!(document["recorded"]["cold_calls"], cold);
    assert_eq!(document["recorded"]["concurrency_max"], 4);
    assert_eq!(document["idle_timeout_s"], IDLE_TIMEOUT_S as f64);
    // What was planned. On a busy machine, who calls again at once may find the environment busy for longer than calls wait.
    assert_eq!(cold_for(&["first-invocation"]), 1, "{entries:#?}");
    assert_eq!(cold_for(&["function-updated"]), 1, "{entries:#?}");
    assert_eq!(cold_for(&["runtime-exited"]), 1, "{entries:#?}");
    assert_eq!(cold_for(&["idle-timeout"]), 2, "{entries:#?}");
    assert!(cold_for(&["all-busy"]) >= 5, "{entries:#?}");

    // Each call was either far from the end of the idle time, or it came after the real environment was seen to be gone.
    let simulated = kept(&document, IDLE_TIMEOUT_S);
    assert_eq!(simulated["cold_calls"], cold, "{simulated:#}\n{entries:#?}");
    assert_eq!(simulated["throttled"], 0);
    // Kept for an hour, the calls after the two idle times are warm: three at once, and one.
    let for_an_hour = kept(&document, 3_600)["cold_calls"].as_u64().unwrap();
    assert!(for_an_hour <= cold - 4, "{document:#}");
    // As many at once as there ever were, provisioned: nobody is cold.
    let document = whatif(&server, "policies=provisioned");
    let last = document["policies"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["provisioned"], &last["cold_calls"]), (&json!(4), &json!(0)), "{last:#}");
    assert!(last["cost_usd"]["provisioned"].as_f64().unwrap() > 0.0, "{last:#}");
}

#[test]
fn whatif_has_every_policy_as_a_table_and_as_json_and_advises_nothing_from_a_few_calls() {
    let server = Server::start();
    let function = planned(&server);
    (0..3).for_each(|_| drop(function.invoke("{}").success()));
    server.create(python("other", "def handler(event, context): pass\n")).invoke("{}").success();

    let text = hearth(Some(&server), &["whatif", "planned"]).success();
    for part in [
        "planned: 3 calls in ",
        "1 cold (33.3 %)",
        "kept 0 s",
        "kept 10 min (now)",
        "kept 1 h",
        "kept as the histogram of idle times says",
        "Greedy-Dual in ",
        "0 provisioned",
        "1 provisioned",
        "No advice: only 3 calls are recorded",
        "AWS does not say how long it keeps idle environments",
    ] {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
    let arguments =
        ["whatif", "planned", "--last", "1h", "--policies", "fixed,provisioned", "--output", "json"];
    let document = hearth(Some(&server), &arguments).json();
    assert_eq!(document["advice"]["kind"], "refused");
    let kinds: Vec<&Value> =
        document["policies"].as_array().unwrap().iter().map(|outcome| &outcome["policy"]).collect();
    assert!(kinds.iter().all(|kind| **kind == "fixed" || **kind == "provisioned"), "{kinds:?}");
    assert_eq!(kept(&document, 600)["cold_calls"], 1);
}

#[test]
fn a_question_that_cannot_be_answered_is_refused_in_words() {
    let server = Server::start();
    let function = planned(&server);
    let ask = |path: &str| {
        let answer = server.http("GET", &format!("/_hearth/functions/{path}"), b"");
        (answer.status, answer.json()["message"].as_str().unwrap().to_owned())
    };
    let refused = |path: &str, status: u16, what: &str| {
        let (answered, message) = ask(path);
        assert_eq!(answered, status, "{path}: {message}");
        assert!(message.contains(what), "{path}: {message}");
    };
    refused("planned/whatif", 404, "no call of it is recorded");
    refused("nobody/whatif", 404, "nobody");
    refused("planned/whatif?policies=lru", 400, "`lru`");
    refused("planned/whatif?from_ms=yesterday", 400, "`from_ms`");
    refused("planned/whatif?from_ms=5&to_ms=5", 400, "not before");
    function.invoke("{}").success();
    function.wait_until_all_are_ready();
    let first = entries(&server)[0]["started_epoch_ms"].as_u64().unwrap();
    refused(&format!("planned/whatif?to_ms={first}"), 404, "no call of it is recorded");
    function.invoke("{}").success();
    let warm_only = format!("planned/whatif?from_ms={}", first + 1);
    refused(&warm_only, 409, "no cold start of it is recorded");

    for (arguments, code, what) in [
        (&["whatif", "nobody"][..], 5, "nobody"),
        (&["whatif", "planned", "--policies", "lru"], 5, "`lru`"),
        (&["whatif", "planned", "--last", "soon"], 2, "soon"),
    ] {
        let finished = hearth(Some(&server), arguments);
        assert_eq!(finished.status.code(), Some(code), "{arguments:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(what) && finished.stdout.is_empty(), "{}", finished.stderr);
    }
}

/// A line of the journal: the function comes first, and then the time.
fn line_of(mut members: Map<String, Value>) -> String {
    let (function, time) = (members.remove("f").unwrap(), members.remove("t").unwrap());
    let rest = Value::Object(members).to_string();
    format!("{{\"f\":{function},\"t\":{time},{}", rest.strip_prefix('{').unwrap())
}

#[test]
fn entries_of_the_journal_whose_numbers_cannot_be_are_left_out_and_counted() {
    let server = Server::start();
    let function = planned(&server);
    (0..3).for_each(|_| drop(function.invoke("{}").success()));
    let number = eventually("three entries", || {
        let entries = entries(&server);
        (entries.len() == 3).then_some(entries.len())
    });
    let folder = server.data_dir().path().join("journal");
    let is_of_calls = |file: &PathBuf| file.to_str().unwrap().contains("calls");
    let mut files = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
    let file = files.find(is_of_calls).unwrap();
    let line = fs::read_to_string(&file).unwrap().lines().next().unwrap().to_owned();
    let sound: Map<String, Value> = serde_json::from_str(&line).unwrap();
    let mut journal = OpenOptions::new().append(true).open(&file).unwrap();
    let huge = json!(u64::MAX);
    // What a call waited and took, its Init, what extensions took after it, and its memory.
    let hostile = [
        ("w", huge.clone()),
        ("d", huge.clone()),
        ("i", huge.clone()),
        ("o", huge),
        ("m", json!(0)),
        ("m", json!(u32::MAX)),
    ];
    for (member, value) in &hostile {
        let mut members = sound.clone();
        members.insert((*member).to_owned(), value.clone());
        writeln!(journal, "{}", line_of(members)).unwrap();
    }
    // A line that is cut, and one that is none.
    writeln!(journal, "{}\nnot JSON", &line[..line.len() / 2]).unwrap();
    let document = whatif(&server, "");
    assert_eq!(document["recorded"]["calls"], number);
    assert_eq!(document["recorded"]["left_out"], hostile.len());
    let notes = document["notes"].to_string();
    assert!(notes.contains("6 entries of the journal are left out"), "{notes}");
}
