//! Output of functions and extensions, as events.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::IgnoredAny;

use super::{Schema, TelemetryKind};
use crate::{PutEvent, platform_json};

/// How deep an object may be nested. Ours: a deeper one is a string, since its batch would be lost on listeners whose
/// parsers refuse such depths.
const DEPTH_MAX: usize = 100;

/// Writes an event for a line, without a line feed. The record is the line with its line feed or, for a function that
/// logs in JSON, the object that the line is.
pub(super) fn event(schema: Schema, kind: TelemetryKind, event: &PutEvent, logs_json: bool) -> Vec<u8> {
    let (time, kind) = (platform_json::time(event.timestamp_ms), kind.as_str());
    if logs_json
        && schema.has_objects()
        && let Some(object) = as_object(&event.message)
    {
        let mut json = format!("{{\"time\":\"{time}\",\"type\":\"{kind}\",\"record\":").into_bytes();
        json.extend(object);
        json.push(b'}');
        return json;
    }
    let record = String::from_utf8_lossy(&event.message);
    serde_json::to_vec(&Line { time, kind, record }).expect("strings become JSON")
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    #[serde(rename = "type")]
    kind: &'static str,
    record: Cow<'a, str>,
}

/// Returns a line as JSON on one line, if it is an object.
fn as_object(line: &[u8]) -> Option<impl Iterator<Item = u8>> {
    let object = std::str::from_utf8(line).ok()?.trim();
    let is_object = object.starts_with('{')
        && serde_json::from_str::<IgnoredAny>(object).is_ok()
        && depth(object.as_bytes()) <= DEPTH_MAX;
    // Line feeds in JSON are between its words: inside of a string they are escaped.
    is_object.then(|| object.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }))
}

/// Returns how deep objects and arrays of valid JSON are nested.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut is_escaped) = (false, false);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(schema: Schema, logs_json: bool, message: &[u8], record: &str) {
        let put = PutEvent { timestamp_ms: 1_000, message: message.to_vec() };
        let json = event(schema, TelemetryKind::Function, &put, logs_json);
        let json = String::from_utf8(json).unwrap();
        assert_eq!(
            json,
            format!(r#"{{"time":"1970-01-01T00:00:01.000Z","type":"function","record":{record}}}"#)
        );
        serde_json::from_str::<serde_json::Value>(&json).unwrap();
        assert!(!json.contains('\n'));
    }

    #[test]
    fn a_line_is_a_string_with_its_line_feed() {
        for schema in Schema::ALL {
            check(schema, false, b"hello \"you\"\n", r#""hello \"you\"\n""#);
            check(schema, false, b"{\"level\":\"INFO\"}\n", r#""{\"level\":\"INFO\"}\n""#);
            check(schema, true, b"no JSON\n", r#""no JSON\n""#);
            check(schema, true, b"42\n", r#""42\n""#);
            check(schema, true, b"{\"cut\":\n", r#""{\"cut\":\n""#);
            check(schema, true, b"\xff\0\x1b[0m", "\"\u{fffd}\\u0000\\u001b[0m\"");
        }
    }

    #[test]
    fn a_json_object_is_an_object_from_2022_12_13_on() {
        let line = b" {\"b\":1,\n \"a\":\"x\\n\"}\r\n";
        let as_text = r#"" {\"b\":1,\n \"a\":\"x\\n\"}\r\n""#;
        check(Schema::Telemetry20220701, true, line, as_text);
        check(Schema::Logs20210318, true, line, as_text);
        check(Schema::Telemetry20221213, true, line, r#"{"b":1,  "a":"x\n"}"#);
        check(Schema::Telemetry20250129, true, line, r#"{"b":1,  "a":"x\n"}"#);
    }

    #[test]
    fn a_deeply_nested_object_is_a_string() {
        assert_eq!(depth(br#"{"a":[{"b\\":"\"}[{"}],"c":{}}"#), 3);
        let line = "{\"a\":".repeat(100_000) + "1" + &"}".repeat(100_000);
        let put = PutEvent { timestamp_ms: 0, message: line.into_bytes() };
        let json = event(Schema::LATEST, TelemetryKind::Function, &put, true);
        assert!(json.starts_with(br#"{"time":"1970-01-01T00:00:00.000Z","type":"function","record":"{"#));
    }
}
