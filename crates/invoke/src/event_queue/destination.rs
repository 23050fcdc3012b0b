//! Who hears of the end of an event: the destination that is configured for it, with AWS's record of what happened, and
//! the dead-letter queue of the function, with the event itself.
//!
//! Another function of this server accepts the record as an event of its own. Whatever belongs to another service is kept
//! as a message, and [`super::delivery`] brings it there.

use bytes::Bytes;
use hearth_store::{DeadLetterRecord, DeliveryRecord, EventInvokeConfigRecord, EventProgress, EventRecord};
use hearth_types::limits::ASYNC_PAYLOAD_BYTES_MAX;
use hearth_types::{FunctionArn, FunctionReference, RequestId};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::verdict::Condition;
use crate::InvokeResponse;

/// How much of an error message goes along to a dead-letter queue.
///
/// Source: Lambda Developer Guide, "Adding a dead-letter queue", read 2026-11.
const ERROR_MESSAGE_BYTES_MAX: usize = 1_024;

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
    /// Another service gets this.
    Service(Box<DeliveryRecord>),
    /// It cannot be reached.
    Impossible {
        /// Which one.
        destination: String,
        /// Why not.
        reason: &'static str,
    },
}

/// Returns what is to be done for the destination of an event that ended `now_ms`. `function` is its function, with a
/// qualifier; `has_services` says whether other services can be reached.
pub(super) fn delivery(
    config: Option<&EventInvokeConfigRecord>,
    function: &FunctionArn,
    event: &EventRecord,
    end: &End<'_>,
    has_services: bool,
    now_ms: i64,
) -> Delivery {
    let destination = match end.condition {
        Condition::Success => config.and_then(|config| config.on_success.clone()),
        Condition::RetriesExhausted
        | Condition::EventAgeExceeded
        | Condition::RecursiveInvocation
        | Condition::ZeroReservedConcurrency => config.and_then(|config| config.on_failure.clone()),
    };
    let Some(destination) = destination else { return Delivery::Nobody };
    let payload = record(function, event, end, now_ms);
    if destination.split(':').nth(2) != Some("lambda") {
        return to_service(
            destination,
            Bytes::from(payload),
            None,
            function,
            event,
            end,
            has_services,
            now_ms,
        );
    }
    let Ok(reference) = FunctionReference::parse(&destination) else {
        return Delivery::Impossible { destination, reason: "its ARN names no function" };
    };
    if payload.len() > ASYNC_PAYLOAD_BYTES_MAX {
        return Delivery::Impossible { destination, reason: "the record is larger than an event may be" };
    }
    // The trace that the function was part of: a loop through destinations is one, too.
    let trace = end.response.map(|response| response.trace.as_str().to_owned());
    Delivery::Function(Box::new(EventRecord {
        request_id: RequestId::random().to_string(),
        function: reference.name.to_string(),
        qualifier: reference.qualifier.map(|qualifier| qualifier.to_string()),
        accepted_ms: now_ms,
        client_context: None,
        trace: trace.or_else(|| event.trace.clone()),
        payload: Bytes::from(payload),
        progress: EventProgress { due_ms: now_ms, attempts: 0, backoffs: 0 },
    }))
}

/// Returns what is to be done for the dead-letter queue or topic `target` of an event that failed.
pub(super) fn dead_letter(
    target: String,
    function: &FunctionArn,
    event: &EventRecord,
    end: &End<'_>,
    has_services: bool,
    now_ms: i64,
) -> Delivery {
    let (error_code, message) = match end.response {
        Some(response) => (200, error_message(&response.payload)),
        None => match end.condition {
            Condition::RecursiveInvocation => (400, "Recursive invocation detected".to_owned()),
            Condition::ZeroReservedConcurrency => (429, "Rate Exceeded.".to_owned()),
            _ if event.progress.attempts > 0 => (200, "Maximum event age exceeded".to_owned()),
            _ => (429, "Rate Exceeded.".to_owned()),
        },
    };
    let error_message = cut(message, ERROR_MESSAGE_BYTES_MAX);
    let dead_letter = Some(DeadLetterRecord { error_code, error_message });
    to_service(target, event.payload.clone(), dead_letter, function, event, end, has_services, now_ms)
}

#[allow(clippy::too_many_arguments, reason = "a record has so many members")]
fn to_service(
    destination: String,
    message: Bytes,
    dead_letter: Option<DeadLetterRecord>,
    function: &FunctionArn,
    event: &EventRecord,
    end: &End<'_>,
    has_services: bool,
    now_ms: i64,
) -> Delivery {
    if !has_services {
        return Delivery::Impossible { destination, reason: "no `aws-endpoint` is set" };
    }
    Delivery::Service(Box::new(DeliveryRecord {
        request_id: event.request_id.clone(),
        function_arn: function.to_string(),
        destination,
        condition: end.condition.as_str().to_owned(),
        ended_ms: now_ms,
        dead_letter,
        message,
        due_ms: now_ms,
        backoffs: 0,
    }))
}

/// Returns the message of the error that a function answered.
fn error_message(payload: &[u8]) -> String {
    let error: Option<Value> = serde_json::from_slice(payload).ok();
    match error.as_ref().and_then(|error| error["errorMessage"].as_str()) {
        Some(message) if !message.is_empty() => message.to_owned(),
        _ => "Unhandled".to_owned(),
    }
}

/// Shortens a text to whole characters of at most so many bytes.
fn cut(mut text: String, bytes_max: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes_max));
    text
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_letter_has_the_first_kilobyte_of_the_functions_message() {
        assert_eq!(error_message(b"{\"errorMessage\":\"no\",\"errorType\":\"E\"}"), "no");
        for odd in [&b"\xff"[..], b"null", b"{\"errorMessage\":7}", b"{\"errorMessage\":\"\"}"] {
            assert_eq!(error_message(odd), "Unhandled", "an attribute may not be empty");
        }
        assert_eq!(cut("x".repeat(1_025), ERROR_MESSAGE_BYTES_MAX).len(), 1_024);
        assert_eq!(cut("é".repeat(600), 1_023).len(), 1_022, "whole characters");
    }
}
