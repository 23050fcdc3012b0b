//! Tumbling windows: the stretches of time that a shard is cut into, and what a function has gathered in one of them.
//!
//! Source: Lambda Developer Guide, "Configuring tumbling windows", read 2026-11.

use hearth_store::TumblingWindowRecord;
use serde_json::{Value, json};

use super::report::seconds;

/// How long a state may be. What is longer ends its window early.
///
/// Source: as above.
pub(super) const STATE_BYTES_MAX: usize = 1_000_000;

/// How a call stands to the end of its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It goes on.
    None,
    /// This is its last call.
    Reached,
    /// This is its last call, because its state has become too long.
    Early,
}

/// Returns when the window begins that a record belongs to.
pub(super) fn start_of(arrival_ms: i64, window_seconds: u32) -> i64 {
    let length_ms = i64::from(window_seconds) * 1_000;
    arrival_ms.div_euclid(length_ms) * length_ms
}

/// Returns when a window ends.
pub(super) fn end_of(start_ms: i64, window_seconds: u32) -> i64 {
    start_ms + i64::from(window_seconds) * 1_000
}

/// Opens a window.
pub(super) fn open(start_ms: i64) -> TumblingWindowRecord {
    TumblingWindowRecord { start_ms, state: "{}".to_owned() }
}

/// Adds to an event what a function is told of its window.
pub(super) fn tell(
    event: &mut Value,
    window: &TumblingWindowRecord,
    window_seconds: u32,
    end: End,
    (shard, stream): (&str, &str),
) {
    let end_ms = end_of(window.start_ms, window_seconds);
    event["window"] = json!({ "start": seconds(window.start_ms), "end": seconds(end_ms) });
    event["state"] = serde_json::from_str(&window.state).unwrap_or_else(|_| json!({}));
    event["shardId"] = shard.into();
    event["eventSourceARN"] = stream.into();
    event["isFinalInvokeForWindow"] = (end != End::None).into();
    event["isWindowTerminatedEarly"] = (end == End::Early).into();
}

/// Returns the state in a response. Without one, the state is empty.
pub(super) fn state_of(response: &[u8]) -> String {
    let response: Value = serde_json::from_slice(response).unwrap_or_default();
    match response.get("state") {
        Some(state) if !state.is_null() => state.to_string(),
        _ => "{}".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_follow_one_another_from_1970_on() {
        assert_eq!(start_of(0, 60), 0);
        assert_eq!(start_of(59_999, 60), 0);
        assert_eq!(start_of(60_000, 60), 60_000);
        assert_eq!(end_of(60_000, 60), 120_000);
    }

    #[test]
    fn an_event_tells_of_its_window() {
        let mut event = json!({ "Records": [] });
        let window = TumblingWindowRecord { start_ms: 1_607_497_475_000, state: "{\"1\":282}".to_owned() };
        tell(&mut event, &window, 120, End::Reached, ("shardId-0", "arn"));
        let expected = json!({
            "Records": [],
            "window": { "start": "2020-12-09T07:04:35Z", "end": "2020-12-09T07:06:35Z" },
            "state": { "1": 282 },
            "shardId": "shardId-0",
            "eventSourceARN": "arn",
            "isFinalInvokeForWindow": true,
            "isWindowTerminatedEarly": false,
        });
        assert_eq!(event, expected);
    }

    #[test]
    fn a_state_is_what_the_function_returns_as_one() {
        assert_eq!(state_of(b"{\"state\":{\"a\":1},\"batchItemFailures\":[]}"), "{\"a\":1}");
        for none in [&b"null"[..], b"{}", b"x", b"{\"state\":null}", b"1"] {
            assert_eq!(state_of(none), "{}");
        }
    }
}
