//! Subscribers of telemetry that are not there, or do not read. Nobody but they notices.

use std::time::{Duration, Instant};

use hearth_tests::{
    Function, Gate, Server, Subscriber, TELEMETRY_API, eventually, is_of_type, python, rounds, scripted,
};
use serde_json::{Value, json};

/// Puts out so many lines of 100 bytes. They are below the level of the log, which subscribers do not care about.
const SOURCE: &str = r#"
import sys
def handler(lines, context):
    sys.stdout.write('{"level":"DEBUG","message":"%s"}\n' % ('x' * 69) * lines)
    return lines
"#;
/// More than twice as much as may wait for one subscriber.
const LINES: u64 = 12_000;

/// Calls functions in turns, `calls` times each, and returns how long each one's callers waited, the median.
fn latencies<const N: usize>(functions: [&Function<'_>; N], calls: usize) -> [Duration; N] {
    let mut times = [(); N].map(|()| Vec::new());
    for _ in 0..calls {
        for (function, times) in functions.iter().zip(&mut times) {
            function.wait_until_all_are_ready();
            let started = Instant::now();
            assert_eq!(function.invoke(LINES.to_string()).success(), LINES);
            times.push(started.elapsed());
        }
    }
    times.map(|mut times| {
        times.sort();
        times[calls / 2]
    })
}

/// What a subscriber has received of the function's lines, and of how many it was told that they are lost.
fn accounted(events: &[String]) -> (u64, u64) {
    let arrived = events.iter().filter(|event| is_of_type(event, "function")).count() as u64;
    let lost = events.iter().filter(|event| is_of_type(event, "platform.logsDropped")).map(|event| {
        let event: Value = serde_json::from_str(event).unwrap();
        event["record"]["droppedRecords"].as_u64().unwrap()
    });
    (arrived, lost.sum())
}

#[test]
fn case_061_a_subscriber_that_is_not_there_or_never_reads_slows_no_call_and_is_told_what_it_missed() {
    let calls = rounds(10, 200);
    let server = Server::start();
    let logging = json!({ "LogFormat": "JSON", "ApplicationLogLevel": "INFO" });
    let plain = server.create(python("plain", SOURCE).with("LoggingConfig", logging.clone()));
    plain.invoke("0").success();
    latencies([&plain], 3);
    let usual_kib = server.resident_kib();

    for (name, trouble) in [("closed", json!(null)), ("silent", json!({ "hold": true }))] {
        let (subscriber, gate) = (Subscriber::new(), Gate::new());
        let body = Subscriber::body("2022-12-13", &["function"]);
        let mut steps = subscriber.steps(TELEMETRY_API, &body);
        // At first nobody listens there; when the gate opens, somebody does.
        let listen = std::mem::replace(&mut steps[1], trouble);
        steps.retain(|step| !step.is_null());
        let up = json!([{ "gate": gate.number() }, listen]);
        steps.extend([json!({ "background": up }), json!({ "events": true })]);
        let layer = server.publish_extensions(&[(name, scripted(&json!(steps)))]);
        let function = server.create(
            python(name, SOURCE).with("Layers", json!([layer])).with("LoggingConfig", logging.clone()),
        );
        function.invoke("0").success();
        gate.wait_for(1);
        let [usual, time] = latencies([&plain, &function], calls);
        // Who waited for the subscriber would wait for its retries, 0.7 s, or for its silence, 5 s.
        assert!(time < usual * 5 + Duration::from_millis(250), "{time:?}, without a subscriber {usual:?}");
        // Less than 4 MiB wait for it. Kept without a limit, what was put out would take 20.
        let kib = server.resident_kib();
        assert!(kib < usual_kib + 12 * 1_024, "{kib} KiB, without a subscriber {usual_kib} KiB");

        // Every line has arrived, or been counted.
        gate.open();
        let mut put_out = LINES * calls as u64;
        let (arrived, lost) = eventually("it is told of its loss", || {
            function.invoke("1").success();
            put_out += 1;
            Some(accounted(&subscriber.events())).filter(|(_, lost)| *lost > 0)
        });
        assert!(lost > arrived, "{lost} lines are lost, {arrived} have arrived");
        let (arrived, lost) = eventually("every line is accounted for", || {
            // While nobody calls, it stands still, and receives nothing.
            function.invoke("0").success();
            Some(accounted(&subscriber.events())).filter(|(arrived, lost)| arrived + lost >= put_out)
        });
        assert_eq!(arrived + lost, put_out);
        // The log tells of the same loss, at the end of a call.
        function.invoke("0").success();
        let told = |events: &[hearth_tests::LogEvent]| {
            let messages = events.iter().map(|event| event.message.trim_end().to_owned());
            let dropped: Vec<String> =
                messages.filter(|message| is_of_type(message, "platform.logsDropped")).collect();
            accounted(&dropped).1
        };
        let log = function.logs_until("all of the loss", |events| told(events) >= lost);
        assert_eq!(told(&log), lost);
        function.delete();
    }
}
