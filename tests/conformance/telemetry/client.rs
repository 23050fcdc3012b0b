//! A subscriber on AWS's own client for Rust, unmodified.

use std::net::TcpListener;

use expect_test::expect;
use hearth_tests::{FileInside, Server, eventually, example_extension, lines_of, python, redacted, settled};
use regex_lite::Regex;
use serde_json::json;

#[test]
fn awss_rust_client_subscribes_and_understands_every_event() {
    let server = Server::start();
    let received = FileInside::new();
    let layer = server.publish_extensions(&[("telemetry", example_extension("telemetry"))]);
    // The client has to be told a port; this one was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let variables = json!({
        "TELEMETRY_FILE": received.path(),
        "TELEMETRY_PORT": port.to_string(),
        "TELEMETRY_TYPES": "platform,function",
    });
    let source = "def handler(event, context): print('called')\n";
    let new = python("by-aws", source).whole_cpu().with("Environment", json!({ "Variables": variables }));
    let function = server.create(new.with("Layers", json!([layer])));
    function.invoke("{}").success();
    // The client writes times anew, and leaves out milliseconds that are zero.
    let whole_second = Regex::new(r#"(T[0-9]{2}:[0-9]{2}:[0-9]{2})Z""#).unwrap();
    let events: Vec<String> = eventually("a report is received", || {
        let text = received.text();
        let events =
            text.lines().map(|line| whole_second.replace_all(line, "$1.000Z").into_owned()).collect();
        (text.ends_with('\n') && text.contains("platform.report")).then_some(events)
    });
    // It does not hear of calls: nothing waits for it after them.
    expect![[r#"
        {"time":<time>,"type":"platform.initStart","record":{"initializationType":"on-demand","phase":"init","runtimeVersion":"python:3.11.v<n>"}}
        {"time":<time>,"type":"platform.telemetrySubscription","record":{"name":"telemetry","state":"Subscribed","types":["platform","function"]}}
        {"time":<time>,"type":"platform.initRuntimeDone","record":{"initializationType":"on-demand","phase":"init","status":"success","spans":[]}}
        {"time":<time>,"type":"platform.extension","record":{"name":"telemetry","state":"Ready","events":["SHUTDOWN"]}}
        {"time":<time>,"type":"platform.initReport","record":{"initializationType":"on-demand","phase":"init","metrics":{"durationMs":<ms>},"spans":[]}}
        {"time":<time>,"type":"platform.start","record":{"requestId":"<id 1>","version":"$LATEST"}}
        {"time":<time>,"type":"function","record":"called\n"}
        {"time":<time>,"type":"platform.runtimeDone","record":{"requestId":"<id 1>","status":"success","metrics":{"durationMs":<ms>,"producedBytes":4},"spans":[{"durationMs":<ms>,"name":"responseLatency","start":<time>},{"durationMs":<ms>,"name":"responseDuration","start":<time>},{"durationMs":<ms>,"name":"runtimeOverhead","start":<time>}]}}
        {"time":<time>,"type":"platform.report","record":{"requestId":"<id 1>","status":"success","metrics":{"durationMs":<ms>,"billedDurationMs":<n>,"memorySizeMB":1769,"maxMemoryUsedMB":<n>,"initDurationMs":<ms>},"spans":[]}}
    "#]].assert_eq(&redacted(&settled(&events)));
    expect![[r#"
        TELEMETRY	Name: telemetry	State: Subscribed	Types: [Platform, Function]
    "#]]
    .assert_eq(&lines_of(&function.logs_with_reports(1), "TELEMETRY").concat());
}
