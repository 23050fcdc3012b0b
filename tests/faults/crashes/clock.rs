//! A wall clock that jumps: an hour ahead, then an hour back. Everything that waits goes by the monotonic clock.

use std::time::{Duration, Instant};

use hearth_tests::{Settings, python};
use serde_json::json;

/// The wall clock that the server reads: right at first, then ahead, then behind, then ahead of behind.
const JUMPS: &str = "server::wall_clock=6*off->12*return(3600000)->12*return(-3600000)->return(0)";

#[test]
fn case_116_a_wall_clock_that_jumps_cuts_no_call_short_and_drops_no_environment() {
    let server = Settings::new().faults(JUMPS).start();
    let source = "
import time
calls = 0
def handler(event, context):
    global calls
    calls += 1
    until = time.monotonic() + event.get('seconds', 0)
    while time.monotonic() < until: pass
    return calls
";
    let function = server.create(python("steady", source).timeout(2));
    let mut times = Vec::new();
    for call in 1..=12 {
        let answer = function.invoke(json!({ "seconds": 0.2 }).to_string());
        assert_eq!(answer.success(), call, "no early time-out, and the same environment all the time");
        let events = function.logs_with_reports(call);
        times.extend(events.last().map(|event| event.timestamp_ms));
        function.wait_until_all_are_ready();
    }
    let (first, last) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    assert!(last - first > 3_600_000, "the clock of the log has jumped: {times:?}");
    let records = server.timeline("steady")["invocations"].clone();
    for record in records.as_array().unwrap() {
        let billed = record["billed_ms"].as_f64().unwrap();
        assert!((200.0..2_000.0).contains(&billed), "billed {billed} ms");
    }
    // A time-out is still one, and after its own time.
    let started = Instant::now();
    let error = function.invoke(json!({ "seconds": 60 }).to_string()).function_error();
    assert!(error.contains("Task timed out after 2.00 seconds"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}
