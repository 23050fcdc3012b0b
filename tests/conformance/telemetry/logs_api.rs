//! The Logs API, the Telemetry API's predecessor, in both of its versions.

use expect_test::{Expect, expect};
use hearth_tests::{LOGS_API, Server, Subscriber, python, redacted};
use serde_json::{Value, json};

const SOURCE: &str = "
import os, time
def handler(event, context):
    print('called')
    if event == 'crash': os._exit(3)
    if event == 'hang': time.sleep(60)
";

/// What a subscriber receives of a call that goes well, one that runs into its time-out and one that crashes.
fn check(body: &Value, listen: &Value, expected: Expect) {
    let server = Server::start();
    let subscriber = Subscriber::new();
    let mut steps = subscriber.steps(LOGS_API, body);
    steps[1].as_object_mut().unwrap().extend(listen.as_object().unwrap().clone());
    steps.push(json!({ "follow": true }));
    let layer = server.publish_extensions(&[("old", hearth_tests::scripted(&json!(steps)))]);
    let function =
        server.create(python("logged", SOURCE).whole_cpu().timeout(1).with("Layers", json!([layer])));
    for (at, event) in [r#""well""#, r#""hang""#, r#""crash""#].iter().enumerate() {
        function.invoke(event);
        subscriber.until(at + 1, "platform.report");
    }
    expected.assert_eq(&redacted(&subscriber.events()));
}

#[test]
fn the_first_version_is_the_one_without_a_name() {
    let mut body = Subscriber::body("", &["platform", "function"]);
    body.as_object_mut().unwrap().remove("schemaVersion");
    check(
        &body,
        &json!({}),
        expect![[r#"
        {"time":<time>,"type":"platform.logsSubscription","record":{"name":"old","state":"Subscribed","types":["platform","function"]}}
        {"time":<time>,"type":"platform.extension","record":{"name":"old","state":"Ready","events":["INVOKE","SHUTDOWN"]}}
        {"time":<time>,"type":"platform.start","record":{"requestId":"<id 1>","version":"$LATEST"}}
        {"time":<time>,"type":"function","record":"called\n"}
        {"time":<time>,"type":"platform.end","record":{"requestId":"<id 1>"}}
        {"time":<time>,"type":"platform.report","record":{"requestId":"<id 1>","metrics":{"durationMs":<ms>,"billedDurationMs":<n>,"memorySizeMB":1769,"maxMemoryUsedMB":<n>,"initDurationMs":<ms>}}}
        {"time":<time>,"type":"platform.start","record":{"requestId":"<id 2>","version":"$LATEST"}}
        {"time":<time>,"type":"function","record":"called\n"}
        {"time":<time>,"type":"platform.end","record":{"requestId":"<id 2>"}}
        {"time":<time>,"type":"platform.report","record":{"requestId":"<id 2>","metrics":{"durationMs":<ms>,"billedDurationMs":<n>,"memorySizeMB":1769,"maxMemoryUsedMB":<n>}}}
        {"time":<time>,"type":"platform.logsSubscription","record":{"name":"old","state":"Subscribed","types":["platform","function"]}}
        {"time":<time>,"type":"platform.extension","record":{"name":"old","state":"Ready","events":["INVOKE","SHUTDOWN"]}}
        {"time":<time>,"type":"platform.start","record":{"requestId":"<id 3>","version":"$LATEST"}}
        {"time":<time>,"type":"function","record":"called\n"}
        {"time":<time>,"type":"platform.fault","record":"RequestId: <id 3> Process exited before completing request"}
        {"time":<time>,"type":"platform.end","record":{"requestId":"<id 3>"}}
        {"time":<time>,"type":"platform.report","record":{"requestId":"<id 3>","metrics":{"durationMs":<ms>,"billedDurationMs":<n>,"memorySizeMB":1769,"maxMemoryUsedMB":<n>}}}
    "#]],
    );
}

#[test]
fn the_second_version_has_the_runtimes_end_and_put_is_as_good_as_post() {
    let mut body = Subscriber::body("2021-03-18", &["platform", "function"]);
    body["destination"]["URI"] = json!("http://sandbox:{port}/logs?of=mine");
    body["destination"]["method"] = json!("PUT");
    body["destination"]["encoding"] = json!("JSON");
    check(
        &body,
        &json!({ "at": "PUT /logs?of=mine" }),
        expect![[r#"
        {"time":<time>,"type":"platform.logsSubscription","record":{"name":"old","state":"Subscribed","types":["platform","function"]}}
        {"time":<time>,"type":"platform.extension","record":{"name":"old","state":"Ready","events":["INVOKE","SHUTDOWN"]}}
        {"time":<time>,"type":"platform.start","record":{"requestId":"<id 1>","version":"$LATEST"}}
        {"time":<time>,"type":"function","record":"called\n"}
        {"time":<time>,"type":"platform.runtimeDone","record":{"requestId":"<id 1>","status":"success"}}
        {"time":<time>,"type":"platform.end","record":{"requestId":"<id 1>"}}
        {"time":<time>,"type":"platform.report","record":{"requestId":"<id 1>","metrics":{"durationMs":<ms>,"billedDurationMs":<n>,"memorySizeMB":1769,"maxMemoryUsedMB":<n>,"initDurationMs":<ms>}}}
        {"time":<time>,"type":"platform.start","record":{"requestId":"<id 2>","version":"$LATEST"}}
        {"time":<time>,"type":"function","record":"called\n"}
        {"time":<time>,"type":"platform.runtimeDone","record":{"requestId":"<id 2>","status":"timeout"}}
        {"time":<time>,"type":"platform.end","record":{"requestId":"<id 2>"}}
        {"time":<time>,"type":"platform.report","record":{"requestId":"<id 2>","metrics":{"durationMs":<ms>,"billedDurationMs":<n>,"memorySizeMB":1769,"maxMemoryUsedMB":<n>}}}
        {"time":<time>,"type":"platform.logsSubscription","record":{"name":"old","state":"Subscribed","types":["platform","function"]}}
        {"time":<time>,"type":"platform.extension","record":{"name":"old","state":"Ready","events":["INVOKE","SHUTDOWN"]}}
        {"time":<time>,"type":"platform.start","record":{"requestId":"<id 3>","version":"$LATEST"}}
        {"time":<time>,"type":"function","record":"called\n"}
        {"time":<time>,"type":"platform.runtimeDone","record":{"requestId":"<id 3>","status":"error"}}
        {"time":<time>,"type":"platform.fault","record":"RequestId: <id 3> Process exited before completing request"}
        {"time":<time>,"type":"platform.end","record":{"requestId":"<id 3>"}}
        {"time":<time>,"type":"platform.report","record":{"requestId":"<id 3>","metrics":{"durationMs":<ms>,"billedDurationMs":<n>,"memorySizeMB":1769,"maxMemoryUsedMB":<n>}}}
    "#]],
    );
}
