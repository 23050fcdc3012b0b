//! What is discovered in a line that Lambda or a runtime wrote: `@type`, `@requestId`, and the figures of a REPORT.

use serde_json::{Map, Value as Json};

use super::value::Value;

/// Returns a field of a line of text.
pub(super) fn field(message: &str, name: &str) -> Option<Value> {
    let first = ["START", "END", "REPORT"]
        .into_iter()
        .find(|kind| message.strip_prefix(kind).is_some_and(|rest| rest.starts_with(" RequestId: ")));
    let Some(kind) = first else {
        return (name == "@requestId").then(|| request_id_of_output(message)).flatten();
    };
    let label = match name {
        "@type" => return Some(Value::Text(kind.to_owned())),
        "@requestId" => "RequestId: ",
        _ if kind != "REPORT" => return None,
        "@duration" => "Duration: ",
        "@billedDuration" => "Billed Duration: ",
        "@initDuration" => "Init Duration: ",
        "@memorySize" => "Memory Size: ",
        "@maxMemoryUsed" => "Max Memory Used: ",
        "@xrayTraceId" => "XRAY TraceId: ",
        "@xraySegmentId" => "SegmentId: ",
        _ => return None,
    };
    let parts = message.split(['\t', '\n']).map(|part| part.strip_prefix("REPORT ").unwrap_or(part));
    let text = match kind {
        "REPORT" => parts.filter_map(|part| part.strip_prefix(label)).next()?,
        _ => message.split_once(label)?.1,
    };
    let text = text.split_whitespace().next()?;
    Some(match name {
        "@requestId" | "@xrayTraceId" | "@xraySegmentId" => Value::Text(text.to_owned()),
        // AWS counts them in bytes, a thousand thousands to the megabyte.
        "@memorySize" | "@maxMemoryUsed" => Value::of_number(text.parse::<f64>().ok()? * 1e6),
        _ => Value::of_number(text.parse().ok()?),
    })
}

/// Runtimes write it as one of the first words between tabulators.
fn request_id_of_output(message: &str) -> Option<Value> {
    let id = message.split('\t').take(3).find(|word| is_request_id(word))?;
    Some(Value::Text(id.to_owned()))
}

fn is_request_id(word: &str) -> bool {
    word.len() == 36
        && word.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Returns a field of a record of JSON, as functions with JSON logs have them.
pub(super) fn field_of_json(members: &Map<String, Json>, name: &str) -> Option<Value> {
    let platform = members.get("type").and_then(Json::as_str).and_then(|kind| kind.strip_prefix("platform."));
    let record = members.get("record").filter(|_| platform.is_some());
    let text = |value: Option<&Json>| value.and_then(Json::as_str).map(|text| Value::Text(text.to_owned()));
    let metric = |name: &str, times: f64| {
        let metrics = record.filter(|_| platform == Some("report"))?.get("metrics")?;
        metrics.get(name)?.as_f64().map(|number| Value::of_number(number * times))
    };
    match name {
        "@type" => match platform? {
            "start" => Some(Value::Text("START".to_owned())),
            "report" => Some(Value::Text("REPORT".to_owned())),
            _ => None,
        },
        "@requestId" => text(record.and_then(|record| record.get("requestId")))
            .or_else(|| text(members.get("requestId")))
            .or_else(|| text(members.get("AWSRequestId"))),
        "@duration" => metric("durationMs", 1.0),
        "@billedDuration" => metric("billedDurationMs", 1.0),
        "@initDuration" => metric("initDurationMs", 1.0),
        "@memorySize" => metric("memorySizeMB", 1e6),
        "@maxMemoryUsed" => metric("maxMemoryUsedMB", 1e6),
        _ => None,
    }
}
