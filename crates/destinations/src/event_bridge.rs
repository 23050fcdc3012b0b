//! PutEvents of EventBridge, in its JSON protocol.

use bytes::Bytes;
use hearth_invoke::{DeliveryError, DeliveryRecord};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{text, undelivered};
use hearth_aws_client::{Asked, Endpoint, is_passing};

/// Puts a record on a bus.
///
/// Source: Lambda Developer Guide, "Capturing records of Lambda asynchronous invocations", read 2026-11.
pub(crate) async fn put_events(
    endpoint: &Endpoint,
    delivery: &DeliveryRecord,
    now_ms: i64,
) -> Result<(), DeliveryError> {
    let kind = if delivery.condition == "Success" { "Success" } else { "Failure" };
    let entry = json!({
        "Source": "lambda",
        "DetailType": format!("Lambda Function Invocation Result - {kind}"),
        "Detail": text(delivery)?,
        "EventBusName": delivery.destination,
        "Resources": [delivery.destination, delivery.function_arn],
        "Time": delivery.ended_ms as f64 / 1_000.0,
    });
    let asked = Asked {
        service: "events",
        method: Method::POST,
        path: "/",
        content_type: "application/x-amz-json-1.1",
        headers: &[("x-amz-target", "AWSEvents.PutEvents")],
        body: Bytes::from(json!({ "Entries": [entry] }).to_string()),
    };
    judged(&endpoint.ask(asked, now_ms).await.map_err(undelivered)?)
}

/// Says what an answer means. It is 200 also when the entry was not taken.
fn judged(answer: &[u8]) -> Result<(), DeliveryError> {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    match answer["FailedEntryCount"].as_u64() {
        Some(0) => Ok(()),
        Some(_) => {
            let entry = &answer["Entries"][0];
            let code = entry["ErrorCode"].as_str().unwrap_or_default();
            let reason = format!("{code}: {}", entry["ErrorMessage"].as_str().unwrap_or_default());
            if is_passing(StatusCode::OK, code) {
                Err(DeliveryError::Unreachable(reason))
            } else {
                Err(DeliveryError::Refused(reason))
            }
        }
        None => Err(DeliveryError::Refused("it does not answer as EventBridge does".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_is_not_taken_is_no_success() {
        assert!(judged(b"{\"FailedEntryCount\":0,\"Entries\":[{\"EventId\":\"1\"}]}").is_ok());
        let failed = |code: &str| {
            let entry = json!({ "ErrorCode": code, "ErrorMessage": "m" });
            judged(json!({ "FailedEntryCount": 1, "Entries": [entry] }).to_string().as_bytes())
        };
        assert!(matches!(failed("ThrottlingException"), Err(DeliveryError::Unreachable(_))));
        assert!(matches!(failed("NotAuthorizedForSourceException"), Err(DeliveryError::Refused(_))));
        assert!(matches!(judged(b"<html>"), Err(DeliveryError::Refused(_))));
    }
}
