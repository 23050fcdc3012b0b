//! The replies, with AWS's statuses and texts.

use bytes::Bytes;
use hearth_environment::{Delivery, ExtensionRejection, Rejection};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
// Names that are constants are not read again for each event.
const REQUEST_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-request-id");
const DEADLINE_MS: HeaderName = HeaderName::from_static("lambda-runtime-deadline-ms");
const FUNCTION_ARN: HeaderName = HeaderName::from_static("lambda-runtime-invoked-function-arn");
const TRACE_ID: HeaderName = HeaderName::from_static("lambda-runtime-trace-id");
const CLIENT_CONTEXT: HeaderName = HeaderName::from_static("lambda-runtime-client-context");

/// Hands over an event. Every official client needs a content type, the request id and the deadline.
pub(crate) fn event(delivery: Delivery) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(delivery.payload));
    let headers = response.headers_mut();
    let content_type = delivery.content_type.and_then(|value| HeaderValue::from_str(&value).ok());
    headers.insert(CONTENT_TYPE, content_type.unwrap_or(JSON));
    let mut set = |name: HeaderName, value: &str| {
        // Ids, numbers, ARNs and traces are plain text; they were checked when they came in.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(REQUEST_ID, &delivery.request_id.to_string());
    set(DEADLINE_MS, &delivery.deadline_epoch_ms.to_string());
    set(FUNCTION_ARN, &delivery.invoked_function_arn);
    set(TRACE_ID, delivery.trace.as_str());
    if let Some(context) = delivery.client_context.as_deref().and_then(header_of_json) {
        headers.insert(CLIENT_CONTEXT, context);
    }
    response
}

/// Puts JSON into a header, in ASCII: clients do not agree on what other bytes of a header mean, and line breaks
/// between tokens and a DEL in a string are JSON, but no header. What is no JSON is handed on as it is, if it can be.
fn header_of_json(json: &[u8]) -> Option<HeaderValue> {
    let is_json = || serde_json::from_slice::<serde_json::Value>(json).is_ok();
    match std::str::from_utf8(json) {
        Ok(text) if !(json.is_ascii() && HeaderValue::from_bytes(json).is_ok()) && is_json() => {
            HeaderValue::from_str(&in_ascii(text)).ok()
        }
        _ => HeaderValue::from_bytes(json).ok(),
    }
}

/// Escapes in valid JSON what a header cannot have. All else stays as it is: numbers of any size, keys in any order and
/// twice.
fn in_ascii(json: &str) -> String {
    let mut line = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            // Only between tokens: inside strings JSON has them escaped already.
            '\n' | '\r' | '\t' => line.push(' '),
            ' '..='~' => line.push(character),
            _ => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    line.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    line
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
        Rejection::ResponseTooLarge { bytes_max } => error(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            &format!("Exceeded maximum allowed payload size ({bytes_max} bytes)."),
        ),
        Rejection::Truncated => {
            error(StatusCode::BAD_REQUEST, "TruncatedHTTPRequest", "HTTP request detected as truncated")
        }
        Rejection::InvalidResponseMode => {
            error(StatusCode::BAD_REQUEST, "InvalidFunctionResponseMode", "Invalid function response mode")
        }
        Rejection::Extension(rejection) => {
            let status = match rejection {
                ExtensionRejection::OtherApiInUse { .. } => StatusCode::BAD_REQUEST,
                _ => StatusCode::FORBIDDEN,
            };
            error_of(status, rejection.error_type(), &rejection.to_string())
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

/// An error whose text may have come from outside.
pub(crate) fn error_of(status: StatusCode, error_type: &str, message: &str) -> Response<Full<Bytes>> {
    #[derive(serde::Serialize)]
    #[serde(rename_all = "camelCase")]
    struct ErrorBody<'a> {
        error_message: &'a str,
        error_type: &'a str,
    }
    json_of(status, &ErrorBody { error_message: message, error_type })
}

/// A line of JSON.
pub(crate) fn json_of(status: StatusCode, body: &impl serde::Serialize) -> Response<Full<Bytes>> {
    // Structures of texts and numbers can always be written.
    let mut line = serde_json::to_vec(body).unwrap_or_default();
    line.push(b'\n');
    json(status, Bytes::from(line))
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

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use hearth_environment::RuntimeState;
    use hearth_types::{RequestId, TraceHeader};
    use http_body_util::BodyExt as _;

    use super::*;

    async fn shown(response: Response<Full<Bytes>>) -> String {
        let mut text = format!("{}\n", response.status().as_u16());
        for (name, value) in response.headers() {
            text += &format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()));
        }
        let body = response.into_body().collect().await.unwrap().to_bytes();
        text + &format!("{:?}\n", String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn every_refusal_is_one_line_of_json_as_on_aws() {
        let transition = Rejection::InvalidStateTransition {
            from: RuntimeState::ResponseSent,
            to: RuntimeState::InvocationErrorResponse,
        };
        let mut table = shown(accepted()).await;
        for rejection in [
            Rejection::InvalidRequestId,
            transition,
            Rejection::ResponseTooLarge { bytes_max: 6_291_556 },
            Rejection::Truncated,
            Rejection::InvalidResponseMode,
            Rejection::Ending,
        ] {
            table += &shown(rejected(rejection)).await;
        }
        expect![[r#"
            202
            content-type: application/json
            "{\"status\":\"OK\"}\n"
            400
            content-type: application/json
            "{\"errorMessage\":\"Invalid request ID\",\"errorType\":\"InvalidRequestID\"}\n"
            403
            content-type: application/json
            "{\"errorMessage\":\"State transition from RuntimeResponseSentState to InvocationErrorResponse failed for runtime. Error: State transition is not allowed\",\"errorType\":\"InvalidStateTransition\"}\n"
            413
            content-type: application/json
            "{\"errorMessage\":\"Exceeded maximum allowed payload size (6291556 bytes).\",\"errorType\":\"RequestEntityTooLarge\"}\n"
            400
            content-type: application/json
            "{\"errorMessage\":\"HTTP request detected as truncated\",\"errorType\":\"TruncatedHTTPRequest\"}\n"
            400
            content-type: application/json
            "{\"errorMessage\":\"Invalid function response mode\",\"errorType\":\"InvalidFunctionResponseMode\"}\n"
            500
            content-type: application/json
            "{\"errorMessage\":\"Internal Server Error\",\"errorType\":\"InternalServerError\"}\n"
        "#]].assert_eq(&table);
    }

    #[test]
    fn a_client_context_is_delivered_in_ascii_and_means_the_same() {
        let shown = |json: &str| {
            header_of_json(json.as_bytes())
                .map(|value| value.to_str().unwrap().to_owned())
                .unwrap_or_default()
        };
        let contexts = [
            r#"{"plain": [1, 2.50, 12345678901234567890123], "plain": 2}"#,
            "{\r\n\t\"custom\": {\n\t\t\"k\": \"v\"}}",
            "{\"\u{e4}\u{f6}\": \"\u{1f600} \u{2028}\"}",
            "{\"del\": \"a\u{7f}b\", \"c1\": \"\u{85}\", \"escaped\": \"\\u0000\\n\"}",
            "\"\u{10ffff}\"",
        ];
        let mut table = String::new();
        for context in contexts {
            let header = shown(context);
            let [before, after] =
                [context, &header].map(|json| serde_json::from_str::<serde_json::Value>(json).unwrap());
            assert_eq!(before, after, "{header}");
            table += &format!("{header}\n");
        }
        // Not JSON, and no header either.
        table += &format!("{:?}\n", header_of_json(b"{\n"));
        table += &format!("{:?}\n", header_of_json(b"\"\xff\n\""));
        expect![[r#"
            {"plain": [1, 2.50, 12345678901234567890123], "plain": 2}
            {   "custom": {   "k": "v"}}
            {"\u00e4\u00f6": "\ud83d\ude00 \u2028"}
            {"del": "a\u007fb", "c1": "\u0085", "escaped": "\u0000\n"}
            "\udbff\udfff"
            None
            None
        "#]]
        .assert_eq(&table);
    }

    #[tokio::test]
    async fn an_event_has_the_headers_that_official_clients_need_and_none_that_is_empty() {
        let mut delivery = Delivery {
            request_id: RequestId::parse("8476a536-e9f4-41e8-9739-2dfe598c3fcd").unwrap(),
            deadline_epoch_ms: 1_764_000_000_000,
            invoked_function_arn: "arn:aws:lambda:us-east-1:000000000000:function:f:live".to_owned(),
            trace: TraceHeader::from_caller("Root=1-5759e988-bd862e3fe1be46a994272793").unwrap(),
            client_context: None,
            content_type: None,
            payload: Bytes::from_static(b"{}"),
        };
        let mut table = shown(event(delivery.clone())).await;
        // Line breaks between tokens are JSON, and no header; letters beyond ASCII are not read alike by all clients.
        delivery.client_context = Some(Bytes::from("{\n\"custom\": \"\u{e4}\"}"));
        delivery.content_type = Some("text/plain".to_owned());
        table += &shown(event(delivery)).await;
        expect![[r#"
            200
            content-type: application/json
            lambda-runtime-aws-request-id: 8476a536-e9f4-41e8-9739-2dfe598c3fcd
            lambda-runtime-deadline-ms: 1764000000000
            lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:000000000000:function:f:live
            lambda-runtime-trace-id: Root=1-5759e988-bd862e3fe1be46a994272793
            "{}"
            200
            content-type: text/plain
            lambda-runtime-aws-request-id: 8476a536-e9f4-41e8-9739-2dfe598c3fcd
            lambda-runtime-deadline-ms: 1764000000000
            lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:000000000000:function:f:live
            lambda-runtime-trace-id: Root=1-5759e988-bd862e3fe1be46a994272793
            lambda-runtime-client-context: { "custom": "\u00e4"}
            "{}"
        "#]]
        .assert_eq(&table);
    }
}
