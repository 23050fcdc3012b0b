//! The versions of the events' shape, and what they make of a function that logs in JSON.

use expect_test::expect;
use hearth_tests::{LOGS_API, Server, Subscriber, TELEMETRY_API, is_of_type, python, redacted, settled};
use serde_json::{Value, json};

/// Logs below its level, above it, by hand and no JSON at all.
const SOURCE: &str = r#"
def handler(event, context):
    print('{"level":"DEBUG","message":"quiet"}')
    print('{"level": "ERROR", "message": "loud", "nested": {"list": [1, 2.50]}}')
    print('no JSON')
"#;

fn of_types<'events>(
    events: &'events [String],
    kinds: &'events [&str],
) -> impl Iterator<Item = &'events String> {
    events.iter().filter(|event| kinds.iter().any(|kind| is_of_type(event, kind)))
}

#[test]
fn records_of_json_arrive_as_objects_and_levels_are_for_the_log_only() {
    let server = Server::start();
    let schemas = ["2022-07-01", "2022-12-13", "2025-01-29"];
    let subscribers = schemas.map(|_| Subscriber::new());
    let old = Subscriber::new();
    let mut programs: Vec<(&str, Vec<u8>)> = vec![];
    for (schema, subscriber) in schemas.iter().zip(&subscribers) {
        let body = Subscriber::body(schema, &["platform", "function"]);
        programs.push((schema, subscriber.program(TELEMETRY_API, &body, &[])));
    }
    programs.push((
        "logs",
        old.program(LOGS_API, &Subscriber::body("2021-03-18", &["platform", "function"]), &[]),
    ));
    let layer = server.publish_extensions(&programs);
    let logging = json!({ "LogFormat": "JSON", "ApplicationLogLevel": "WARN", "SystemLogLevel": "WARN" });
    let function = server.create(
        python("records", SOURCE).whole_cpu().with("LoggingConfig", logging).with("Layers", json!([layer])),
    );
    function.invoke("{}").success();
    let [first, second, third] = [0, 1, 2].map(|at| subscribers[at].until(1, "platform.report"));
    let old = old.until(1, "platform.report");

    let differing = ["platform.initStart", "function"];
    expect![[r#"
        {"time":<time>,"type":"platform.initStart","record":{"initializationType":"on-demand","phase":"init","runtimeVersion":"python:3.11.v<n>","runtimeArn":"arn:aws:lambda:us-east-1::runtime:<sha256>","functionName":"records","functionVersion":"$LATEST","instanceId":"<stream>","instanceMaxMemory":1854930944}}
        {"time":<time>,"type":"function","record":"{\"level\":\"DEBUG\",\"message\":\"quiet\"}\n"}
        {"time":<time>,"type":"function","record":"{\"level\": \"ERROR\", \"message\": \"loud\", \"nested\": {\"list\": [1, 2.50]}}\n"}
        {"time":<time>,"type":"function","record":"no JSON\n"}
    "#]].assert_eq(&redacted(of_types(&first, &differing)));
    expect![[r#"
        {"time":<time>,"type":"platform.initStart","record":{"initializationType":"on-demand","phase":"init","runtimeVersion":"python:3.11.v<n>","runtimeVersionArn":"arn:aws:lambda:us-east-1::runtime:<sha256>","functionName":"records","functionVersion":"$LATEST","instanceId":"<stream>","instanceMaxMemory":1854930944}}
        {"time":<time>,"type":"function","record":{"level":"DEBUG","message":"quiet"}}
        {"time":<time>,"type":"function","record":{"level": "ERROR", "message": "loud", "nested": {"list": [1, 2.50]}}}
        {"time":<time>,"type":"function","record":"no JSON\n"}
    "#]].assert_eq(&redacted(of_types(&second, &differing)));
    // The last one is only for managed instances, and everything else is the same in all of them.
    assert_eq!(second, third);
    let others = |events: &[String]| -> Vec<String> {
        let is_other = |event: &&String| !differing.iter().any(|kind| is_of_type(event, kind));
        events.iter().filter(is_other).cloned().collect()
    };
    assert_eq!(others(&first), others(&second));
    assert_eq!(redacted(of_types(&old, &["function"])), redacted(of_types(&first, &["function"])));

    // The log has neither what is below the function's level nor what is below the platform's.
    let log =
        function.logs_until("the last line", |events| events.iter().any(|it| it.message == "no JSON\n"));
    let kept: Vec<&str> = log
        .iter()
        .map(|event| event.message.as_str())
        .filter(|it: &&str| !it.starts_with("logs: ") && !it.starts_with("20") && *it != "\n")
        .collect();
    assert_eq!(
        kept,
        ["{\"level\": \"ERROR\", \"message\": \"loud\", \"nested\": {\"list\": [1, 2.50]}}\n", "no JSON\n"]
    );
}

/// The types of the platform's records in the log of a call that goes well and one that fails.
fn system_records(level: &str) -> Vec<String> {
    let server = Server::start();
    let subscriber = Subscriber::new();
    let body = Subscriber::body("2022-12-13", &["platform"]);
    let layer = server.publish_extensions(&[("agent", subscriber.program(TELEMETRY_API, &body, &[]))]);
    let logging = json!({ "LogFormat": "JSON", "SystemLogLevel": level });
    let source = "import os\ndef handler(event, context): return event or os._exit(3)\n";
    let function = server.create(
        python("levels", source).whole_cpu().with("LoggingConfig", logging).with("Layers", json!([layer])),
    );
    function.invoke("1").success();
    subscriber.until(1, "platform.report");
    function.invoke("0").function_error();
    let told = subscriber.until(2, "platform.report");
    let log = function.logs_until("the second report", |events| {
        events.iter().filter(|event| event.message.contains(r#""status":"error""#)).count() >= 2
    });
    // Each is also an event of telemetry, word for word.
    for event in log.iter().filter(|event| event.message.contains(r#""type":"platform."#)) {
        assert!(told.contains(&event.message.trim_end().to_owned()), "{} is not in {told:#?}", event.message);
    }
    let messages: Vec<String> = log.iter().map(|event| event.message.clone()).collect();
    let records: Vec<Value> =
        settled(&messages).iter().filter_map(|message| serde_json::from_str(message).ok()).collect();
    let kinds = records.iter().filter_map(|record| record["type"].as_str());
    kinds.map(|kind| kind.strip_prefix("platform.").unwrap().to_owned()).collect()
}

#[test]
fn the_system_level_decides_which_records_of_the_platform_are_logged() {
    let call = ["start", "runtimeDone", "report"];
    let debug = ["initStart", "telemetrySubscription", "initRuntimeDone", "extension", "initReport"];
    assert_eq!(system_records("DEBUG"), [&debug[..], &call, &call].concat());
    let info = ["initStart", "telemetrySubscription", "extension", "start", "report"];
    assert_eq!(system_records("INFO"), [&info[..], &call].concat());
    assert_eq!(system_records("WARN"), ["runtimeDone", "report"]);
}
