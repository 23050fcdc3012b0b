//! Subscribing: who may, when, to what, and where it goes.

use expect_test::{Expect, expect};
use hearth_tests::{
    LOGS_API, Server, Settings, Subscriber, TELEMETRY_API, is_of_type, lines_of, python, redacted, said,
    scripted,
};
use serde_json::{Value, json};

const SOURCE: &str = "def handler(event, context): print('called')\n";

/// What the extension `asking` is answered to these steps, taken between its registration and its first `/next`.
fn answers(steps: &[Value]) -> String {
    let server = Server::start();
    let mut all = vec![json!({ "port": true }), json!({ "register": ["INVOKE"] })];
    all.extend_from_slice(steps);
    all.push(json!({ "events": true }));
    let layer = server.publish_extensions(&[("asking", scripted(&json!(all)))]);
    let function = server.create(python("asked", SOURCE).whole_cpu().with("Layers", json!([layer])));
    function.invoke("{}").success();
    let log = function.logs_with_reports(1);
    let lines = said(&log, "asking");
    let answers = lines.iter().filter(|line| line.contains(" application/json: "));
    answers.map(|line| format!("{line}\n")).collect()
}

/// The body of a good subscription with something else in one place.
fn with(schema: &str, pointer: &str, value: Value) -> Value {
    let mut body = Subscriber::body(schema, &["platform"]);
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap()[name] = value;
    body
}

fn check(api: &str, bodies: &[Value], expected: Expect) {
    let mut steps: Vec<Value> = bodies.iter().map(|body| Subscriber::ask(api, body)).collect();
    let mut no_json = Subscriber::ask(api, &json!({}));
    no_json["body"] = json!("{");
    steps.push(no_json);
    expected.assert_eq(&answers(&steps));
}

#[test]
fn everything_that_is_wrong_with_a_telemetry_subscription_is_named_at_once() {
    let telemetry = |pointer: &str, value: Value| with("2022-12-13", pointer, value);
    let mut several = telemetry("/types", json!([]));
    several["destination"]["URI"] = json!("http://sandbox.localdomain");
    several["buffering"] = json!({ "maxItems": 999, "maxBytes": 1_048_577, "timeoutMs": 24 });
    let http = |uri: &str| telemetry("/destination/URI", json!(uri));
    check(
        TELEMETRY_API,
        &[
            several,
            json!({}),
            json!([]),
            telemetry("/schemaVersion", json!("2021-03-18")),
            telemetry("/types", json!(["platform", "metrics"])),
            telemetry("/buffering", json!(7)),
            telemetry("/destination", json!({ "protocol": "UDP", "port": 1 })),
            telemetry("/destination", json!({ "protocol": "TCP" })),
            telemetry("/destination", json!({ "protocol": "TCP", "port": 65_536 })),
            http("https://sandbox.localdomain:8080"),
            http("http://example.com:8080"),
            http("http://sandbox.localdomain:9001"),
            http("http://sandbox.localdomain:{api}"),
        ],
        expect![[r#"
            400 application/json: {"errorMessage":"URI port is not provided; types should not be empty; maxItems should be between 1000 and 10000; maxBytes should be between 262144 and 1048576; timeoutMs should be between 25 and 30000","errorType":"ValidationError"}
            400 application/json: {"errorMessage":"schemaVersion is not provided; destination is not provided; types is not provided","errorType":"ValidationError"}
            400 application/json: {"errorMessage":"request body should be an object","errorType":"ValidationError"}
            400 application/json: {"errorMessage":"schemaVersion should be one of 2022-07-01, 2022-12-13, 2025-01-29","errorType":"ValidationError"}
            400 application/json: {"errorMessage":"types should be a subset of platform, function, extension","errorType":"ValidationError"}
            400 application/json: {"errorMessage":"buffering should be an object","errorType":"ValidationError"}
            400 application/json: {"errorMessage":"protocol should be HTTP or TCP","errorType":"ValidationError"}
            400 application/json: {"errorMessage":"port is not provided","errorType":"ValidationError"}
            400 application/json: {"errorMessage":"port should be between 1 and 65535","errorType":"ValidationError"}
            400 application/json: {"errorMessage":"URI scheme should be http","errorType":"ValidationError"}
            400 application/json: {"errorMessage":"URI host should be sandbox.localdomain","errorType":"ValidationError"}
            400 application/json: {"errorMessage":"port 9001 is reserved","errorType":"ValidationError"}
            400 application/json: {"errorMessage":"port 9001 is reserved","errorType":"ValidationError"}
            400 application/json: {"errorMessage":"Invalid JSON: EOF while parsing an object at line 1 column 1","errorType":"ValidationError"}
        "#]],
    );
}

#[test]
fn the_logs_api_refuses_in_its_own_words() {
    let logs = |pointer: &str, value: Value| with("2021-03-18", pointer, value);
    check(
        LOGS_API,
        &[
            json!({}),
            logs("/schemaVersion", json!("2022-12-13")),
            logs("/destination/method", json!("GET")),
            logs("/destination/encoding", json!("XML")),
        ],
        expect![[r#"
            400 application/json: {"errorMessage":"destination is not provided; types is not provided","errorType":"Logs.ValidationError"}
            400 application/json: {"errorMessage":"schemaVersion should be one of 2020-08-15, 2021-03-18","errorType":"Logs.ValidationError"}
            400 application/json: {"errorMessage":"method should be POST or PUT","errorType":"Logs.ValidationError"}
            400 application/json: {"errorMessage":"encoding should be JSON","errorType":"Logs.ValidationError"}
            400 application/json: {"errorMessage":"Invalid JSON: EOF while parsing an object at line 1 column 1","errorType":"Logs.ValidationError"}
        "#]],
    );
}

#[test]
fn only_a_registered_extension_subscribes_and_only_by_one_of_the_two_interfaces() {
    let (telemetry, logs) =
        (Subscriber::body("2022-12-13", &["platform"]), Subscriber::body("2021-03-18", &["platform"]));
    let as_whom = |api: &str, headers: &Value| {
        let body = if api == LOGS_API { &logs } else { &telemetry };
        json!({ "ask": api, "headers": headers, "body": body.to_string() })
    };
    let unknown = json!({ "Lambda-Extension-Identifier": "6e2ad6a0-2f0c-4a5e-9a53-4d8b9a1c2f00" });
    let no_id = json!({ "Lambda-Extension-Identifier": "mine" });
    let steps = [
        as_whom(TELEMETRY_API, &json!({})),
        as_whom(TELEMETRY_API, &no_id),
        as_whom(TELEMETRY_API, &unknown),
        as_whom(LOGS_API, &unknown),
        // Who it is counts more than what it sends.
        json!({ "ask": TELEMETRY_API, "headers": unknown, "body": "no JSON" }),
        Subscriber::ask(TELEMETRY_API, &telemetry),
        Subscriber::ask(LOGS_API, &logs),
        // Again is no trouble.
        Subscriber::ask(TELEMETRY_API, &telemetry),
    ];
    expect![[r#"
        403 application/json: {"errorMessage":"Missing Lambda-Extension-Identifier header","errorType":"Extension.MissingExtensionIdentifier"}
        403 application/json: {"errorMessage":"Invalid Lambda-Extension-Identifier","errorType":"Extension.InvalidExtensionIdentifier"}
        403 application/json: {"errorMessage":"Unknown Lambda-Extension-Identifier","errorType":"Extension.UnknownExtensionIdentifier"}
        403 application/json: {"errorMessage":"Unknown Lambda-Extension-Identifier","errorType":"Extension.UnknownExtensionIdentifier"}
        403 application/json: {"errorMessage":"Unknown Lambda-Extension-Identifier","errorType":"Extension.UnknownExtensionIdentifier"}
        200 application/json: "OK"
        400 application/json: {"errorMessage":"The extension asking is already subscribed to the TelemetryAPI. You must either subscribe to the LogsAPI or the TelemetryAPI","errorType":"Logs.AccessDenied"}
        200 application/json: "OK"
    "#]].assert_eq(&answers(&steps));
    let steps = [Subscriber::ask(LOGS_API, &logs), Subscriber::ask(TELEMETRY_API, &telemetry)];
    expect![[r#"
        200 application/json: "OK"
        400 application/json: {"errorMessage":"The extension asking is already subscribed to the LogsAPI. You must either subscribe to the LogsAPI or the TelemetryAPI","errorType":"Telemetry.AccessDenied"}
    "#]].assert_eq(&answers(&steps));
}

#[test]
fn after_init_it_is_too_late() {
    let (telemetry, logs) =
        (Subscriber::body("2022-12-13", &["platform"]), Subscriber::body("2021-03-18", &["platform"]));
    let late =
        [json!({ "next": 1 }), Subscriber::ask(TELEMETRY_API, &telemetry), Subscriber::ask(LOGS_API, &logs)];
    expect![[r#"
        403 application/json: {"errorMessage":"Telemetry API subscription is closed","errorType":"Telemetry.SubscriptionClosed"}
        403 application/json: {"errorMessage":"Logs API subscription is closed","errorType":"Logs.SubscriptionClosed"}
    "#]].assert_eq(&answers(&late));
}

#[test]
fn who_subscribes_again_is_heard_of_at_the_new_place_only() {
    let server = Server::start();
    let (former, latter) = (Subscriber::new(), Subscriber::new());
    let mut patient = Subscriber::body("2022-12-13", &["platform", "function"]);
    // Nothing of it is sent before the second one takes its place.
    patient["buffering"]["timeoutMs"] = json!(30_000);
    let mut steps = former.steps(TELEMETRY_API, &patient);
    steps.extend([
        json!({ "port": true }),
        latter.listen(),
        Subscriber::ask(TELEMETRY_API, &Subscriber::body("2022-12-13", &["platform"])),
        json!({ "follow": true }),
    ]);
    let layer = server.publish_extensions(&[("moving", scripted(&json!(steps)))]);
    let function = server.create(python("moved", SOURCE).whole_cpu().with("Layers", json!([layer])));
    function.invoke("{}").success();
    let events = latter.until(1, "platform.report");
    let subscriptions: Vec<&String> =
        events.iter().filter(|event| is_of_type(event, "platform.telemetrySubscription")).collect();
    expect![[r#"
        {"time":<time>,"type":"platform.telemetrySubscription","record":{"name":"moving","state":"Subscribed","types":["platform","function"]}}
        {"time":<time>,"type":"platform.telemetrySubscription","record":{"name":"moving","state":"Subscribed","types":["platform"]}}
    "#]].assert_eq(&redacted(subscriptions));
    assert!(!events.iter().any(|event| is_of_type(event, "function")), "{events:#?}");
    assert!(events[0].contains("platform.initStart"), "{events:#?}");
    assert_eq!(former.events(), Vec::<String>::new());
    expect![[r#"
        TELEMETRY	Name: moving	State: Subscribed	Types: [Platform, Function]
        TELEMETRY	Name: moving	State: Subscribed	Types: [Platform]
    "#]]
    .assert_eq(&lines_of(&function.logs_with_reports(1), "TELEMETRY").concat());
}

#[test]
fn lines_over_tcp_are_the_same_events() {
    let server = Server::start();
    let (lines, requests) = (Subscriber::new(), Subscriber::new());
    let mut by_tcp = Subscriber::body("2022-12-13", &["platform", "function"]);
    let by_http = by_tcp.clone();
    by_tcp["destination"] = json!({ "protocol": "TCP", "port": "{port}" });
    let mut steps = lines.steps(TELEMETRY_API, &by_tcp);
    steps[1]["as"] = json!("TCP");
    // A number, once the port is known.
    steps[3]["body"] = json!(by_tcp.to_string().replace(r#""{port}""#, "{port}"));
    steps.push(json!({ "follow": true }));
    let layer = server.publish_extensions(&[
        ("by-tcp", scripted(&json!(steps))),
        ("by-http", requests.program(TELEMETRY_API, &by_http, &[])),
    ]);
    let function = server.create(python("sent", SOURCE).whole_cpu().with("Layers", json!([layer])));
    for number in 1..=2 {
        function.invoke("{}").success();
        lines.until(number, "platform.report");
        requests.until(number, "platform.report");
    }
    assert_eq!(lines.events(), requests.events());
    assert_eq!(lines.events().iter().filter(|event| is_of_type(event, "function")).count(), 2);
}

#[test]
fn what_waits_is_sent_before_the_end_and_the_output_of_extensions_is_a_type_of_its_own() {
    // Where environments stand still between calls, what waits is sent before that already.
    let server = Settings::new().without_walls().start();
    let subscriber = Subscriber::new();
    let mut body = Subscriber::body("2022-12-13", &["extension"]);
    body["buffering"]["timeoutMs"] = json!(30_000);
    let mut steps = subscriber.steps(TELEMETRY_API, &body);
    steps.extend([json!({ "next": 2 }), json!({ "received": "INVOKE" })]);
    let layer = server.publish_extensions(&[("patient", scripted(&json!(steps)))]);
    let function = server.create(python("waiting", SOURCE).whole_cpu().with("Layers", json!([layer])));
    let id = function.invoke("{}").request_id();
    function.logs_with_reports(1);
    assert_eq!(subscriber.events(), Vec::<String>::new(), "it waits for company");
    function.delete();
    let events = subscriber.until_enough("its own lines", |events| !events.is_empty());
    let records = events.iter().map(|event| serde_json::from_str::<Value>(event).unwrap()["record"].take());
    // An answer ends with a line feed, and so does what it is told in.
    let records: Vec<Value> = records.filter(|record| *record != "\n").collect();
    let starts = ["patient: registered as patient, pid ", "patient: 200 application/json: \"OK\"\n"];
    for (record, start) in records.iter().zip(starts) {
        assert!(record.as_str().unwrap().starts_with(start), "{events:#?}");
    }
    assert!(records[2].as_str().unwrap().starts_with(&format!("patient: INVOKE {id} at ")), "{events:#?}");
    assert!(events.iter().all(|event| is_of_type(event, "extension")), "{events:#?}");
}

#[test]
fn a_slow_subscriber_has_a_batch_before_it_stands_still() {
    let server = Server::start();
    let subscriber = Subscriber::new();
    // Nothing is sent before the environment is about to stand still.
    let body = with("2022-12-13", "/buffering/timeoutMs", json!(30_000));
    let mut steps = subscriber.steps(TELEMETRY_API, &body);
    steps[1]["slow_ms"] = json!(300);
    steps.push(json!({ "events": true }));
    let layer = server.publish_extensions(&[("slow", scripted(&json!(steps)))]);
    let function = server.create(python("observed", SOURCE).whole_cpu().with("Layers", json!([layer])));
    function.invoke("{}").success();
    subscriber.until(1, "platform.report");
}
