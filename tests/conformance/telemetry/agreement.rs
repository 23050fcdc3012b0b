//! The log, the record and telemetry tell one story: the same calls, the same numbers.

use hearth_tests::{Function, is_of_type, number_after, reports};
use serde_json::Value;

/// Two decimals of what is known to three.
const PRINTED_MS: f64 = 0.005_5;
/// Sums of what has three decimals.
const SUM_MS: f64 = 0.002_5;

/// Checks that every REPORT line of the log has its event and its entry in the record, with its numbers.
pub(super) fn check_agreement(function: &Function<'_>, events: &[String]) {
    let of_type = |kind: &str| -> Vec<Value> {
        let events = events.iter().filter(|event| is_of_type(event, kind));
        events.map(|event| serde_json::from_str::<Value>(event).unwrap()["record"].take()).collect()
    };
    let (told, done) = (of_type("platform.report"), of_type("platform.runtimeDone"));
    let inits = inits_within_calls(events);
    let log = function.logs_with_reports(told.len());
    let lines = reports(&log);
    let timeline = function.server().timeline(function.name());
    let recorded = timeline["invocations"].as_array().unwrap();
    assert_eq!((lines.len(), recorded.len(), done.len()), (told.len(), told.len(), told.len()), "{log:#?}");
    for ((((line, record), told), done), init_ms) in
        lines.iter().zip(recorded).zip(&told).zip(&done).zip(inits)
    {
        let metrics = &told["metrics"];
        let context = || format!("{line}\n{record:#}\n{told:#}\n{done:#}");
        // Who, and how it ended.
        let id = told["requestId"].as_str().unwrap();
        assert!(line.starts_with(&format!("REPORT RequestId: {id}\t")), "{}", context());
        assert_eq!((&record["request_id"], &done["requestId"]), (&told["requestId"], &told["requestId"]));
        assert_eq!((&record["status"], &done["status"]), (&told["status"], &told["status"]));
        assert_eq!((&record["error_type"], &done["errorType"]), (&told["errorType"], &told["errorType"]));
        let status = told["status"].as_str().filter(|status| *status != "success");
        let of_line = line.split_once("\tStatus: ").map(|(_, rest)| rest.split(['\t', '\n']).next().unwrap());
        assert_eq!(of_line, status, "{}", context());
        let of_line = line.split_once("\tError Type: ").map(|(_, error_type)| error_type.trim_end());
        assert_eq!(of_line, told["errorType"].as_str(), "{}", context());

        // The numbers, each to what it is printed with.
        assert_eq!(record["duration_ms"], metrics["durationMs"], "{}", context());
        assert_close(number_after(line, "\tDuration: "), &metrics["durationMs"], PRINTED_MS, context);
        assert_eq!(record["init_ms"], metrics["initDurationMs"], "{}", context());
        assert_eq!(line.contains("Init Duration: "), metrics["initDurationMs"].is_f64(), "{}", context());
        if metrics["initDurationMs"].is_f64() {
            let of_line = number_after(line, "\tInit Duration: ");
            assert_close(of_line, &metrics["initDurationMs"], PRINTED_MS, context);
        }
        for (of_line, of_record, of_telemetry) in [
            ("\tBilled Duration: ", "billed_ms", "billedDurationMs"),
            ("\tMemory Size: ", "memory_size_mb", "memorySizeMB"),
            ("\tMax Memory Used: ", "max_memory_used_mb", "maxMemoryUsedMB"),
        ] {
            assert_eq!(record[of_record], metrics[of_telemetry], "{}", context());
            assert_eq!(Some(number_after(line, of_line) as u64), metrics[of_telemetry].as_u64());
        }

        // What extensions add is what the runtime's own part leaves.
        let overhead = &told["spans"][0];
        assert_eq!(overhead["name"], "extensionOverhead", "{}", context());
        assert_eq!(record["extension_overhead_ms"], overhead["durationMs"], "{}", context());
        if let Some(runtime_ms) = done["metrics"]["durationMs"].as_f64() {
            let sum = init_ms + runtime_ms + overhead["durationMs"].as_f64().unwrap();
            // From the end of an Init within the call to the call itself takes a moment.
            let precision = if init_ms > 0.0 { 20.0 } else { SUM_MS };
            assert_close(sum, &metrics["durationMs"], precision, context);
            let spans = done["spans"].as_array().unwrap();
            let names: Vec<&Value> = spans.iter().map(|span| &span["name"]).collect();
            assert_eq!(names, ["responseLatency", "responseDuration", "runtimeOverhead"]);
            let sum = spans.iter().map(|span| span["durationMs"].as_f64().unwrap()).sum();
            assert_close(sum, &done["metrics"]["durationMs"], SUM_MS, context);
        }
    }
}

/// How long the Init was that each call began with, if it was repeated within the call.
fn inits_within_calls(events: &[String]) -> Vec<f64> {
    let (mut inits, mut init_ms) = (Vec::new(), 0.0);
    for event in events {
        let event: Value = serde_json::from_str(event).unwrap();
        let record = &event["record"];
        match event["type"].as_str().unwrap() {
            "platform.initReport" if record["phase"] == "invoke" => {
                init_ms = record["metrics"]["durationMs"].as_f64().unwrap();
            }
            "platform.report" => inits.push(std::mem::take(&mut init_ms)),
            _ => {}
        }
    }
    inits
}

#[track_caller]
fn assert_close(number: f64, told: &Value, precision: f64, context: impl Fn() -> String) {
    let told = told.as_f64().unwrap();
    assert!((number - told).abs() <= precision, "{number} is not {told}:\n{}", context());
}
