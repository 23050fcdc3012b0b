//! `hearth tax`: what extensions cost is what they were made to cost.

use hearth_tests::{NewFunction, Server, example_extension, hearth, python};
use serde_json::{Value, json};

const PLAIN: &str = "def handler(event, context): return event\n";
const CALLS: u32 = 4;

/// An extension in Python that does something after each call, which it is told of in `work`.
fn working(work: &str) -> Vec<u8> {
    format!(
        r#"#!/usr/bin/env python3
import http.client, json, os, subprocess, sys, time
HOST = os.environ["AWS_LAMBDA_RUNTIME_API"]
kept = []
def ask(method, path, headers, body=None):
    connection = http.client.HTTPConnection(HOST)
    connection.request(method, "/2020-01-01/extension" + path, body, headers)
    response = connection.getresponse()
    return response, response.read().decode()
response, _ = ask("POST", "/register", {{"Lambda-Extension-Name": os.path.basename(sys.argv[0])}}, '{{"events":["INVOKE","SHUTDOWN"]}}')
identifier = {{"Lambda-Extension-Identifier": response.getheader("Lambda-Extension-Identifier")}}
while json.loads(ask("GET", "/event/next", identifier)[1])["eventType"] == "INVOKE":
    {work}
"#
    )
    .into_bytes()
}

fn function(server: &Server, name: &str, extensions: &[(&str, Vec<u8>)]) -> NewFunction {
    let layer = server.publish_extensions(extensions);
    python(name, PLAIN).with("Layers", json!([layer])).whole_cpu()
}

/// Calls a function so often that its extensions can be told apart from chance.
fn call(server: &Server, new: NewFunction) -> hearth_tests::Function<'_> {
    let function = server.create(new);
    for call in 0..CALLS {
        assert_eq!(function.invoke(call.to_string()).success(), call);
        function.wait_until_all_are_ready();
    }
    function
}

fn tax(server: &Server, name: &str) -> Value {
    hearth(Some(server), &["tax", name, "--output", "json"]).json()
}

fn of<'tax>(tax: &'tax Value, name: &str) -> &'tax Value {
    let mut extensions = tax["extensions"].as_array().unwrap().iter();
    extensions.find(|extension| extension["name"] == name).unwrap_or_else(|| panic!("no {name} in {tax:#}"))
}

#[test]
fn an_extension_that_sleeps_a_tenth_of_a_second_after_each_call_costs_that_much_of_each() {
    let server = Server::start();
    let program = example_extension("events");
    let variables = json!({ "Variables": { "DELAY_MS_slow": "100" } });
    let new = function(&server, "sleepy", &[("quick", program.clone()), ("slow", program)]);
    let function = call(&server, new.with("Environment", variables).with("MemorySize", 1_024));
    let tax = tax(&server, "sleepy");
    let slow = of(&tax, "slow");
    assert_eq!((&slow["calls"], &slow["is_external"]), (&json!(CALLS), &json!(true)), "{slow:#}");
    let after = slow["after_call_ms"].as_f64().unwrap();
    // It begins with the call, which takes a millisecond or some.
    assert!((70.0..400.0).contains(&after), "{slow:#}");
    assert!(of(&tax, "quick")["after_call_ms"].as_f64().unwrap() < after / 2.0, "{tax:#}");
    // It sleeps: that is billed, and takes no CPU.
    let billed = slow["billed_ms"].as_f64().unwrap();
    assert!(billed >= 60.0 * f64::from(CALLS), "{slow:#}");
    let cpu = slow["cpu_ms"].as_f64().unwrap();
    assert!(cpu > 0.0 && cpu < billed, "{slow:#}");
    let cost = slow["cost_usd"].as_f64().unwrap();
    let is_arm = function.configuration()["Architectures"] == json!(["arm64"]);
    let price = if is_arm { 0.000_013_333_4 } else { 0.000_016_666_7 };
    // The time is told to the microsecond.
    assert!((cost - billed / 1_000.0 * price).abs() < 1e-10, "{slow:#}");
    assert!(tax["together"]["billed_ms"].as_f64().unwrap() >= billed, "{tax:#}");

    let text = hearth(Some(&server), &["tax", "sleepy"]).success();
    let row = text.lines().find(|line| line.starts_with("slow ")).unwrap();
    assert!(row.contains(&format!("{after:.2} ms")) && row.contains(&format!("{billed:.2} ms")), "{text}");
    assert!(text.contains("an estimate"), "{text}");
    assert_eq!(hearth(Some(&server), &["tax", "unknown"]).status.code(), Some(5));
}

#[test]
fn cpu_time_and_memory_are_those_of_the_extension_that_uses_them_also_when_it_is_gone() {
    let server = Server::start();
    let burns = working("until = time.process_time() + 0.2\n    while time.process_time() < until: pass");
    // A child counts as well.
    let burns_in_a_child = working(
        "subprocess.run([sys.executable, '-c', 'import time\\nwhile time.process_time() < 0.2: pass'])",
    );
    let keeps = working("kept = kept or [b'x' * (30 << 20)]");
    let new = function(
        &server,
        "busy",
        &[
            ("burns", burns),
            ("child", burns_in_a_child),
            ("idle", example_extension("events")),
            ("keeps", keeps),
        ],
    );
    let function = call(&server, new);
    let check = |tax: &Value| {
        for name in ["burns", "child"] {
            let cpu = of(tax, name)["cpu_ms"].as_f64().unwrap();
            assert!(cpu >= 190.0 * f64::from(CALLS), "{tax:#}");
            let of_each = of(tax, name)["cpu_ms_per_invocation"].as_f64().unwrap();
            assert!((of_each - cpu / f64::from(CALLS)).abs() < 0.01, "{tax:#}");
        }
        let idle = of(tax, "idle")["cpu_ms"].as_f64().unwrap();
        assert!(idle < of(tax, "burns")["cpu_ms"].as_f64().unwrap() / 2.0, "{tax:#}");
        let mb = |name| of(tax, name)["max_memory_used_mb"].as_u64().unwrap();
        assert!(mb("keeps") >= 30 && mb("keeps") >= mb("burns") + 25, "{tax:#}");
        assert!(mb("idle") > 0 && mb("idle") < mb("burns"), "{tax:#}");
    };
    check(&tax(&server, "busy"));

    // Its environment ends, and the record has what was used.
    function.update_configuration(&json!({ "Description": "other" }));
    hearth_tests::eventually("the environment has ended", || {
        function.environments().is_empty().then_some(())
    });
    check(&tax(&server, "busy"));
}

#[test]
fn of_an_internal_extension_only_times_are_known_and_a_function_without_any_pays_nothing() {
    let server = Server::start();
    let source = r#"
import http.client, os, threading
HOST = os.environ["AWS_LAMBDA_RUNTIME_API"]
def ask(method, path, headers, body=None):
    connection = http.client.HTTPConnection(HOST)
    connection.request(method, "/2020-01-01/extension" + path, body, headers)
    response = connection.getresponse()
    response.read()
    return response
identifier = ask("POST", "/register", {"Lambda-Extension-Name": "inner"}, '{"events":["INVOKE"]}').getheader("Lambda-Extension-Identifier")
def follow():
    while True:
        ask("GET", "/event/next", {"Lambda-Extension-Identifier": identifier})
threading.Thread(target=follow, daemon=True).start()
def handler(event, context): return event
"#;
    call(&server, python("inside", source));
    let inside = tax(&server, "inside");
    let inner = of(&inside, "inner");
    assert_eq!((&inner["is_external"], &inner["calls"]), (&json!(false), &json!(CALLS)), "{inner:#}");
    assert!(inner["cpu_ms"].is_null() && inner["max_memory_used_mb"].is_null(), "{inner:#}");
    let text = hearth(Some(&server), &["tax", "inside"]).success();
    assert!(text.contains("inner (internal)") && text.contains("not told apart"), "{text}");

    call(&server, python("without", PLAIN));
    let without = tax(&server, "without");
    assert_eq!(
        (&without["extensions"], &without["together"]["billed_ms"]),
        (&json!([]), &json!(0.0)),
        "{without:#}"
    );
}
