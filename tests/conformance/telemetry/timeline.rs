//! `hearth timeline` of a function with extensions: who worked when, and what each of them costs.

use hearth_tests::{Server, eventually, example_extension, hearth, number_after, python, reports};
use serde_json::{Value, json};

/// How long the slow extension works on each call.
const DELAY_MS: f64 = 300.0;

fn phases(lane: &Value) -> Vec<&str> {
    lane["spans"].as_array().unwrap().iter().map(|span| span["phase"].as_str().unwrap()).collect()
}

/// The only one of these extensions with a name.
fn of<'value>(extensions: &'value Value, name: &str) -> &'value Value {
    let mut found = extensions.as_array().unwrap().iter().filter(|extension| extension["name"] == name);
    let extension = found.next().unwrap_or_else(|| panic!("no {name} in {extensions:#}"));
    assert!(found.next().is_none(), "two of {name} in {extensions:#}");
    extension
}

fn length_ms(span: &Value) -> f64 {
    span["end_ms"].as_f64().unwrap() - span["start_ms"].as_f64().unwrap()
}

#[test]
fn lanes_and_table_show_what_a_slow_and_a_quick_extension_do() {
    let server = Server::start();
    let program = example_extension("events");
    let layer = server.publish_extensions(&[("quick", program.clone()), ("slow", program)]);
    let variables = json!({ "Variables": { "DELAY_MS_slow": DELAY_MS.to_string() } });
    let source = "def handler(event, context): return event\n";
    let new = python("taxed", source).with("Environment", variables).with("Layers", json!([layer]));
    let function = server.create(new);
    for call in 0..2 {
        function.invoke(call.to_string()).success();
        function.wait_until_all_are_ready();
    }
    function.update_configuration(&json!({ "Description": "other", "Timeout": 9 }));
    let document = || hearth(Some(&server), &["timeline", "taxed", "--output", "json"]).json();
    let timeline = eventually("the old environment has ended", || {
        let timeline = document();
        let spans = timeline["environments"][0]["spans"].as_array().unwrap().clone();
        let has_ended = |span: &Value| span["phase"] == "extension-shutdown" && span["end_ms"].is_f64();
        spans.iter().any(has_ended).then_some(timeline)
    });

    // The environment, and a lane for each extension.
    let environment = &timeline["environments"][0];
    let own = phases(environment);
    let calls = own.iter().filter(|phase| ["invoke", "extension-overhead"].contains(phase));
    assert_eq!(
        calls.collect::<Vec<_>>(),
        [&"invoke", &"extension-overhead", &"invoke", &"extension-overhead"]
    );
    assert_eq!(
        (own[0], own[own.len() - 2], own[own.len() - 1]),
        ("extension-init", "runtime-shutdown", "extension-shutdown")
    );
    let lanes = ["quick", "slow"].map(|name| of(&environment["extensions"], name));
    for lane in lanes {
        assert_eq!((&lane["is_external"], &lane["events"]), (&json!(true), &json!(["INVOKE", "SHUTDOWN"])));
        let phases = phases(lane);
        assert_eq!((phases[0], phases[1], phases[phases.len() - 1]), ("registration", "init", "shutdown"));
        assert_eq!(phases.iter().filter(|phase| **phase == "invoke").count(), 2, "{lane:#}");
        let spans = lane["spans"].as_array().unwrap();
        assert!(spans.iter().all(|span| span["killed"] == false && span["status"].is_null()), "{lane:#}");
        let one_after_another = spans.windows(2).all(|pair| pair[0]["end_ms"] == pair[1]["start_ms"]);
        assert!(one_after_another, "{lane:#}");
    }

    // Its numbers are those of the log.
    let log = function.logs_with_reports(2);
    let invocations = timeline["invocations"].as_array().unwrap();
    let with_phase = |lane: &Value, phase: &str, id: &Value| -> Value {
        let mut spans = lane["spans"].as_array().unwrap().iter();
        spans.find(|span| span["phase"] == phase && span["request_id"] == *id).cloned().unwrap_or_default()
    };
    for (invocation, report) in invocations.iter().zip(reports(&log)) {
        let id = &invocation["request_id"];
        assert!(report.contains(id.as_str().unwrap()), "{report}");
        let invoke_ms = length_ms(&with_phase(environment, "invoke", id));
        let overhead_ms = invocation["extension_overhead_ms"].as_f64().unwrap();
        let [quick, slow] = ["quick", "slow"].map(|name| of(&invocation["extensions"], name));
        let after_call_ms = slow["after_call_ms"].as_f64().unwrap();
        // It begins with the call.
        assert!(invoke_ms + after_call_ms >= DELAY_MS, "{invocation:#}");
        assert!(quick["after_call_ms"].as_f64().unwrap() < after_call_ms, "{invocation:#}");
        let span = with_phase(lanes[1], "after-call", id);
        assert!((length_ms(&span) - after_call_ms).abs() < 0.01, "{span}");
        // The slow one is what the environment waits for, and what its REPORT has besides the call.
        assert!((0.0..5.0).contains(&(overhead_ms - after_call_ms)), "{invocation:#}");
        let besides = number_after(report, "\tDuration: ") - invoke_ms;
        assert!((besides - overhead_ms).abs() < 0.02, "{besides} in {report}, {invocation:#}");
    }

    // The picture.
    let text = hearth(Some(&server), &["timeline", "taxed"]).success();
    for (name, glyphs) in [("quick", "r▄S"), ("slow", "r▄▓S")] {
        let lane = text.lines().find(|line| line.trim_start().starts_with(&format!("╰ {name} "))).unwrap();
        assert!(glyphs.chars().all(|glyph| lane.contains(glyph)), "no lane with {glyphs} in\n{text}");
    }
    for entry in [
        "+╌╌ extension overhead",
        "╰ s░░ starts, registers",
        "╰ r▒▒ registered, gets ready",
        "╰ ▄▄▄ works during the call",
        "╰ +▓▓ works after the call",
        "╰ S▂▂ gets SHUTDOWN",
    ] {
        assert!(text.contains(entry), "no `{entry}` in\n{text}");
    }
    let (_, tax) = text.split_once("Extension tax").unwrap();
    let row = |name: &str| tax.lines().find(|line| line.starts_with(name)).unwrap().split_whitespace();
    let [init, after, calls, shutdown] =
        [1, 3, 5, 6].map(|at| row("slow").nth(at).unwrap().parse::<f64>().unwrap());
    assert!(init > 0.0 && shutdown > 0.0, "{tax}");
    let mean = invocations
        .iter()
        .map(|it| of(&it["extensions"], "slow")["after_call_ms"].as_f64().unwrap())
        .sum::<f64>()
        / 2.0;
    assert_eq!(calls, 2.0, "{tax}");
    assert!((after - mean).abs() < 0.01, "{after} is not {mean}:\n{tax}");
    assert_eq!(row("quick").nth(5), Some("2"), "{tax}");
}
