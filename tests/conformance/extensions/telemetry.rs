//! The Telemetry API, as AWS's client for Rust reads it: unmodified, and strict about the shape of what it gets.

use std::net::TcpListener;

use hearth_tests::{
    FileInside, Function, NewFunction, Server, eventually, example_extension, lines_of, python,
};
use serde_json::{Value, json};

const PRINTING: &str = "
def handler(event, context):
    print('from the function')
    if event.get('fail'): raise ValueError('mine')
    return 1
";

/// A function with an extension that writes the telemetry it gets into `file`.
fn subscribed(server: &Server, file: &FileInside, types: &str) -> NewFunction {
    let layer = server.publish_extensions(&[("telemetry", example_extension("telemetry"))]);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let variables = json!({
        "TELEMETRY_FILE": file.path(),
        "TELEMETRY_PORT": port.to_string(),
        "TELEMETRY_TYPES": types,
    });
    python("told", PRINTING)
        .whole_cpu()
        .with("Layers", json!([layer]))
        .with("Environment", json!({ "Variables": variables }))
}

/// Waits until `reports` calls are reported in `file`, and returns all that is in it.
fn telemetry(file: &FileInside, reports: usize) -> Vec<Value> {
    eventually(&format!("{reports} reports"), || {
        let text = file.text();
        let events: Vec<Value> = text.lines().map_while(|line| serde_json::from_str(line).ok()).collect();
        let reported = events.iter().filter(|event| event["type"] == "platform.report").count();
        (reported >= reports).then_some(events)
    })
}

fn ids_of(events: &[Value], kind: &str) -> Vec<Value> {
    events
        .iter()
        .filter(|event| event["type"] == kind)
        .map(|event| event["record"]["requestId"].clone())
        .collect()
}

#[test]
fn awss_rust_client_reads_all_of_the_telemetry_of_init_and_calls() {
    let server = Server::start();
    let file = FileInside::new();
    let function: Function<'_> = server.create(subscribed(&server, &file, "platform,function"));
    let first = function.invoke("{}");
    first.success();
    let second = function.invoke(r#"{"fail": true}"#);
    second.function_error();
    // Somebody has to thaw the environment, or end it, for the last of it to come.
    function.logs_with_reports(2);
    let events = telemetry(&file, 2);
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    // The runtime starts as soon as the extension has registered, while it subscribes.
    let subscribed = kinds.iter().position(|kind| *kind == "platform.telemetrySubscription").unwrap();
    let init: Vec<&str> = kinds.iter().copied().take_while(|kind| *kind != "platform.start").collect();
    assert!((1..init.len()).contains(&subscribed), "{events:#?}");
    let init: Vec<&str> = init.into_iter().filter(|kind| *kind != "platform.telemetrySubscription").collect();
    assert_eq!(
        init,
        ["platform.initStart", "platform.initRuntimeDone", "platform.extension", "platform.initReport"],
        "{events:#?}"
    );
    let ids = [json!(first.request_id()), json!(second.request_id())];
    for kind in ["platform.start", "platform.runtimeDone", "platform.report"] {
        assert_eq!(ids_of(&events, kind), ids, "{kind} in {events:#?}");
    }
    let of_function: Vec<&Value> =
        events.iter().filter(|event| event["type"] == "function").map(|event| &event["record"]).collect();
    assert_eq!(of_function[0], "from the function\n");
    assert!(of_function.iter().any(|line| line.as_str().unwrap().contains("ValueError")), "{of_function:?}");
    let reports: Vec<&Value> = events
        .iter()
        .filter(|event| event["type"] == "platform.report")
        .map(|event| &event["record"])
        .collect();
    assert_eq!((&reports[0]["status"], &reports[1]["status"]), (&json!("success"), &json!("error")));
    assert!(reports[0]["metrics"]["durationMs"].as_f64().unwrap() > 0.0, "{reports:?}");
    let events = function.logs_with_reports(2);
    assert_eq!(
        lines_of(&events, "TELEMETRY"),
        ["TELEMETRY\tName: telemetry\tState: Subscribed\tTypes: [Platform, Function]\n"]
    );
}

#[test]
fn who_subscribes_to_the_function_alone_gets_nothing_else() {
    let server = Server::start();
    let file = FileInside::new();
    let function = server.create(subscribed(&server, &file, "function"));
    for _ in 0..3 {
        function.invoke("{}").success();
    }
    let lines = eventually("three lines", || {
        let text = file.text();
        (text.lines().count() >= 3).then_some(text)
    });
    for line in lines.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&event["type"], &event["record"]), (&json!("function"), &json!("from the function\n")));
    }
}
