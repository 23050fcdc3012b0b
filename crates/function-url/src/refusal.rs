//! What callers of a URL are told when there is no response of the function.
//!
//! | what happens | status |
//! |---|---|
//! | there is no such URL | 404 |
//! | the caller may not | 403 |
//! | the request is larger than 6 MB | 413 |
//! | there is no concurrency left | 429 |
//! | the function failed, or answered what is no response | 502 |
//! | the function ran out of time | 504 |
//! | the server stops | 503 |

use bytes::Bytes;
use hearth_aws_wire::{Body, ERROR_TYPE, Response, json_response};
use hearth_functions::ResolveError;
use hearth_invoke::InvokeError;
use hearth_types::limits::SYNC_PAYLOAD_BYTES_MAX;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

fn refuse(status: StatusCode, error_type: &'static str, body: &Value) -> Response {
    let mut response = json_response(status, body.to_string());
    response.headers_mut().insert(ERROR_TYPE, HeaderValue::from_static(error_type));
    response
}

pub(crate) fn no_such_url() -> Response {
    refuse(StatusCode::NOT_FOUND, "ResourceNotFoundException", &json!({ "Message": null }))
}

pub(crate) fn forbidden() -> Response {
    refuse(StatusCode::FORBIDDEN, "AccessDeniedException", &json!({ "Message": "Forbidden" }))
}

pub(crate) fn too_large() -> Response {
    let message = format!(
        "Request must be smaller than {SYNC_PAYLOAD_BYTES_MAX} bytes for the InvokeFunction operation"
    );
    refuse(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLargeException", &json!({ "Message": message }))
}

pub(crate) fn incomplete() -> Response {
    let message = "The request body is not complete";
    refuse(StatusCode::BAD_REQUEST, "SerializationException", &json!({ "Message": message }))
}

pub(crate) fn too_slow() -> Response {
    let message = "The request body did not arrive in time";
    refuse(StatusCode::REQUEST_TIMEOUT, "RequestTimeoutException", &json!({ "Message": message }))
}

/// The function has failed, and its caller is not told how. `report` says whether it ran out of time.
pub(crate) fn function_failed(report: &[u8]) -> Response {
    let report: Option<Value> = serde_json::from_slice(report).ok();
    match report.as_ref().and_then(|report| report["errorType"].as_str()) {
        Some("Sandbox.Timedout") => text(StatusCode::GATEWAY_TIMEOUT, "Gateway Timeout"),
        Some(_) | None => bad_gateway(),
    }
}

/// The function has failed, or has answered what is no response.
pub(crate) fn bad_gateway() -> Response {
    text(StatusCode::BAD_GATEWAY, "Internal Server Error")
}

fn text(status: StatusCode, text: &'static str) -> Response {
    let mut response = http::Response::new(Body::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// The function was not run.
pub(crate) fn of(error: &InvokeError) -> Response {
    match error {
        InvokeError::Throttled { reason } => refuse(
            StatusCode::TOO_MANY_REQUESTS,
            "TooManyRequestsException",
            &json!({ "Reason": reason.to_string(), "Type": "User", "message": "Rate Exceeded." }),
        ),
        InvokeError::Recursive { .. } => refuse(
            StatusCode::BAD_REQUEST,
            "RecursiveInvocationException",
            &json!({
                "Message": format!("{error}. Lambda stopped it as a recursive loop."),
                "Type": "User",
            }),
        ),
        // Its alias has gone in this moment, or points to a version that has.
        InvokeError::Resolve(ResolveError::NotFound { .. }) => no_such_url(),
        InvokeError::Resolve(ResolveError::Pending { .. } | ResolveError::Failed { .. }) => bad_gateway(),
        InvokeError::SnapStart { .. } | InvokeError::SnapStartTimeout => bad_gateway(),
        InvokeError::Draining => text(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
        other => {
            tracing::error!(error = other as &dyn std::error::Error, "a call of a function URL failed");
            text(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
        }
    }
}
