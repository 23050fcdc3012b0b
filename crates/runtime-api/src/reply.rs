//! The replies, with AWS's statuses and texts.

use bytes::Bytes;
use hearth_environment::{Delivery, Rejection};
use hearth_types::limits::RESPONSE_PAYLOAD_BYTES_MAX;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Hands over an event. Every official client needs a content type, the request id and the deadline.
pub(crate) fn event(delivery: Delivery) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(delivery.payload));
    let headers = response.headers_mut();
    let content_type = delivery.content_type.and_then(|value| HeaderValue::from_str(&value).ok());
    headers.insert(CONTENT_TYPE, content_type.unwrap_or(JSON));
    let mut set = |name: &'static str, value: &str| {
        // Ids, numbers, ARNs and traces are plain text; they were checked when they came in.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("lambda-runtime-aws-request-id", &delivery.request_id.to_string());
    set("lambda-runtime-deadline-ms", &delivery.deadline_epoch_ms.to_string());
    set("lambda-runtime-invoked-function-arn", &delivery.invoked_function_arn);
    set("lambda-runtime-trace-id", delivery.trace.as_str());
    if let Some(context) = delivery.client_context.as_deref().and_then(header_of_json) {
        headers.insert(HeaderName::from_static("lambda-runtime-client-context"), context);
    }
    response
}

/// Puts JSON into a header. Line breaks between tokens are allowed in JSON, not in a header.
fn header_of_json(json: &[u8]) -> Option<HeaderValue> {
    HeaderValue::from_bytes(json).ok().or_else(|| {
        let value: serde_json::Value = serde_json::from_slice(json).ok()?;
        HeaderValue::from_bytes(value.to_string().as_bytes()).ok()
    })
}

/// Says that a report or response was taken.
pub(crate) fn accepted() -> Response<Full<Bytes>> {
    json(StatusCode::ACCEPTED, Bytes::from_static(b"{\"status\":\"OK\"}\n"))
}

/// Says why a request is refused.
pub(crate) fn rejected(rejection: Rejection) -> Response<Full<Bytes>> {
    match rejection {
        Rejection::InvalidRequestId => {
            error(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID")
        }
        Rejection::InvalidStateTransition { from, to } => error(
            StatusCode::FORBIDDEN,
            "InvalidStateTransition",
            &format!(
                "State transition from {from} to {to} failed for runtime. Error: State transition is not allowed"
            ),
        ),
        Rejection::ResponseTooLarge => error(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            &format!("Exceeded maximum allowed payload size ({RESPONSE_PAYLOAD_BYTES_MAX} bytes)."),
        ),
        Rejection::Truncated => {
            error(StatusCode::BAD_REQUEST, "TruncatedHTTPRequest", "HTTP request detected as truncated")
        }
        Rejection::InvalidResponseMode => {
            error(StatusCode::BAD_REQUEST, "InvalidFunctionResponseMode", "Invalid function response mode")
        }
        Rejection::Ending => {
            error(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "Internal Server Error")
        }
    }
}

/// Says that the environment is there.
pub(crate) fn pong() -> Response<Full<Bytes>> {
    text(StatusCode::OK, "pong")
}

/// As the router of AWS's implementation answers.
pub(crate) fn not_found() -> Response<Full<Bytes>> {
    text(StatusCode::NOT_FOUND, "404 page not found\n")
}

fn text(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

pub(crate) fn method_not_allowed() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

/// Texts here are ours and need no escaping.
fn error(status: StatusCode, error_type: &str, message: &str) -> Response<Full<Bytes>> {
    let body = format!("{{\"errorMessage\":\"{message}\",\"errorType\":\"{error_type}\"}}\n");
    json(status, Bytes::from(body))
}

fn json(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}
