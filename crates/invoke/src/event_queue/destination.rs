//! Who hears of the end of an event: the destination that is configured for it, with AWS's record of what happened.
//!
//! Another function of this server is reached, and accepts the record as an event of its own. Hearth has no queues,
//! topics, buses or buckets, so nothing is delivered to those, and the log says so.

use bytes::Bytes;
use hearth_store::{EventInvokeConfigRecord, EventProgress, EventRecord};
use hearth_types::limits::ASYNC_PAYLOAD_BYTES_MAX;
use hearth_types::{FunctionArn, FunctionReference, RequestId};
use serde::de::IgnoredAny;
use serde_json::json;

use super::verdict::Condition;
use crate::InvokeResponse;

/// How an event ended.
pub(super) struct End<'a> {
    /// Why it is not tried again.
    pub(super) condition: Condition,
    /// How often the function ran.
    pub(super) runs: u32,
    /// The response of its last attempt, if that was the end of it.
    pub(super) response: Option<&'a InvokeResponse>,
}

/// What is to be done for a destination.
pub(super) enum Delivery {
    /// None is configured.
    Nobody,
    /// A function accepts this.
    Function(Box<EventRecord>),
    /// It cannot be reached.
    Impossible {
        /// Which one.
        destination: String,
        /// Why not.
        reason: &'static str,
    },
}

/// Returns what is to be done for the destination of an event that ended `now_ms`. `function` is its function, with a
/// qualifier.
pub(super) fn delivery(
    config: Option<&EventInvokeConfigRecord>,
    function: &FunctionArn,
    event: &EventRecord,
    end: &End<'_>,
    now_ms: i64,
) -> Delivery {
    let destination = match end.condition {
        Condition::Success => config.and_then(|config| config.on_success.clone()),
        Condition::RetriesExhausted | Condition::EventAgeExceeded | Condition::ZeroReservedConcurrency => {
            config.and_then(|config| config.on_failure.clone())
        }
    };
    let Some(destination) = destination else { return Delivery::Nobody };
    let to_function = destination.split(':').nth(2) == Some("lambda");
    let Some(reference) = FunctionReference::parse(&destination).ok().filter(|_| to_function) else {
        return Delivery::Impossible { destination, reason: "Hearth delivers to functions only" };
    };
    let payload = record(function, event, end, now_ms);
    if payload.len() > ASYNC_PAYLOAD_BYTES_MAX {
        return Delivery::Impossible { destination, reason: "the record is larger than an event may be" };
    }
    Delivery::Function(Box::new(EventRecord {
        request_id: RequestId::random().to_string(),
        function: reference.name.to_string(),
        qualifier: reference.qualifier.map(|qualifier| qualifier.to_string()),
        accepted_ms: now_ms,
        client_context: None,
        trace: event.trace.clone(),
        payload: Bytes::from(payload),
        progress: EventProgress { due_ms: now_ms, attempts: 0, backoffs: 0 },
    }))
}

/// Writes AWS's record. Payloads stand in it as they are, so that no number in them changes.
///
/// Source: Lambda Developer Guide, "Capturing records of Lambda asynchronous invocations", read 2026-11.
fn record(function: &FunctionArn, event: &EventRecord, end: &End<'_>, now_ms: i64) -> String {
    let timestamp = jiff::Timestamp::from_millisecond(now_ms).unwrap_or_default();
    let request_context = json!({
        "requestId": event.request_id,
        "functionArn": function.to_string(),
        "condition": end.condition.as_str(),
        "approximateInvokeCount": end.runs,
    });
    let mut text = format!(
        "{{\"version\":\"1.0\",\"timestamp\":\"{timestamp:.3}\",\"requestContext\":{request_context},\
         \"requestPayload\":{}",
        as_json(&event.payload)
    );
    if let Some(response) = end.response {
        let mut response_context =
            json!({ "statusCode": 200, "executedVersion": response.executed_version.to_string() });
        if response.function_error {
            response_context["functionError"] = "Unhandled".into();
        }
        text += &format!(
            ",\"responseContext\":{response_context},\"responsePayload\":{}",
            as_json(&response.payload)
        );
    }
    text.push('}');
    text
}

/// Returns JSON as it is, and whatever a runtime sent that is none as a string.
fn as_json(payload: &[u8]) -> String {
    match std::str::from_utf8(payload) {
        Ok(text) if serde_json::from_str::<IgnoredAny>(text).is_ok() => text.to_owned(),
        _ => json!(String::from_utf8_lossy(payload)).to_string(),
    }
}
