//! `GET /_hearth/lanes`: what environments did in a span of time, as it was recorded, and after a restart as the journal
//! tells it.

use expect_test::expect;
use hearth_tests::{Server, Settings, python};
use serde_json::{Value, json};

const ECHO: &str = "def handler(event, context):\n    return event\n";

fn lanes(server: &Server, query: &str) -> Vec<Value> {
    server.hearth(&format!("lanes?{query}"))["lanes"].as_array().unwrap().clone()
}

/// The phases of a lane that take part in a call, with the status of each.
fn phases(lane: &Value) -> String {
    let spans = lane["spans"].as_array().unwrap();
    let told = spans.iter().filter(|span| !["idle", "frozen"].contains(&span[0].as_str().unwrap()));
    told.map(|span| format!("{} {}\n", span[0].as_str().unwrap(), span[4].as_str().unwrap_or("-"))).collect()
}

/// Spans follow each other, and calls stand where their spans do.
fn is_in_order(lane: &Value) {
    let spans = lane["spans"].as_array().unwrap();
    for pair in spans.windows(2) {
        let [end, start] = [pair[0][2].as_f64().unwrap(), pair[1][1].as_f64().unwrap()];
        assert!(end <= start + 1.0, "{lane:#}");
    }
    for call in lane["calls"].as_array().unwrap() {
        let invoke = spans.iter().find(|span| span[0] == "invoke" && span[3] == call["request_id"]).unwrap();
        assert_eq!(invoke[1], call["start_ms"], "{lane:#}");
    }
}

#[test]
fn a_lane_tells_the_same_calls_before_and_after_a_restart() {
    let server = Server::start();
    let function = server.create(python("echo", ECHO));
    server.create(python("other", ECHO)).invoke("{}").success();
    for _ in 0..3 {
        function.invoke("{}").success();
        function.wait_until_all_are_ready();
    }
    let recorded = lanes(&server, "function=echo");
    let [lane] = recorded.as_slice() else { panic!("{recorded:#?}") };
    is_in_order(lane);
    expect![[r#"
        runtime-init -
        function-init success
        invoke success
        invoke success
        invoke success
    "#]]
    .assert_eq(&phases(lane));
    assert_eq!((&lane["is_recorded"], &lane["ended_ms"]), (&json!(true), &Value::Null));
    assert_eq!(lane["calls"][0]["why_cold"], "first-invocation");
    assert_eq!(lanes(&server, "").len(), 2);

    // A span of time has what reaches into it.
    let has = |window: &str, number: usize| {
        let wanted = &lane["calls"][number]["request_id"];
        let within = lanes(&server, &format!("function=echo&{window}"));
        within
            .iter()
            .any(|lane| lane["calls"].as_array().unwrap().iter().any(|call| call["request_id"] == *wanted))
    };
    let first = &lane["calls"][0];
    let ended = first["start_ms"].as_f64().unwrap() + first["duration_ms"].as_f64().unwrap();
    assert!(!has(&format!("from_ms={}", ended as u64 + 2), 0));
    assert!(has(&format!("from_ms={}", ended as u64 - 1), 0));
    let third = lane["calls"][2]["start_ms"].as_f64().unwrap();
    assert!(!has(&format!("to_ms={}", third as u64 - 1), 2));
    assert!(has(&format!("to_ms={}", third as u64 + 2), 2));
    assert_eq!(lanes(&server, "function=echo&to_ms=1000"), Vec::<Value>::new());
    assert_eq!(server.http("GET", "/_hearth/lanes?function=no%20name", b"").status, 400);

    let folder = server.data_dir().clone();
    server.stop();
    let server = Settings::new().data_dir(&folder).start();
    let kept = lanes(&server, "function=echo");
    is_in_order(&kept[0]);
    assert_eq!(phases(&kept[0]).matches("invoke success").count(), 3);
    assert_eq!(kept[0]["is_recorded"], false);
    for member in ["request_id", "duration_ms", "init_ms", "billed_ms", "journal_ms", "why_cold", "status"] {
        for number in 0..3 {
            assert_eq!(kept[0]["calls"][number][member], lane["calls"][number][member], "{member}");
        }
    }
    assert_eq!(kept[0]["log_stream"], lane["log_stream"]);
}
