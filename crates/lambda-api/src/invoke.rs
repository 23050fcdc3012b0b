//! Invoke, from HTTP to `invoke` and back. From there on no HTTP is known.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hearth_aws_wire::{Body, BodyError, Response, query_pairs, read_body};
use hearth_invoke::InvokeRequest;
use hearth_types::limits::{CLIENT_CONTEXT_BYTES_MAX, SYNC_PAYLOAD_BYTES_MAX};
use hearth_types::{RequestId, TraceHeader};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Request, StatusCode};
use hyper::body::Incoming;
use serde::de::IgnoredAny;
use serde_json::json;

use crate::error::ApiError;
use crate::function_name::target;
use crate::generated::constraints::INVOCATION_REQUEST;
use crate::{LambdaApi, unsupported, validation};

const INVOCATION_TYPE: HeaderName = HeaderName::from_static("x-amz-invocation-type");
const LOG_TYPE: HeaderName = HeaderName::from_static("x-amz-log-type");
const CLIENT_CONTEXT: HeaderName = HeaderName::from_static("x-amz-client-context");
const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

pub(crate) async fn answer(
    api: &LambdaApi,
    request_id: RequestId,
    function_name: String,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let qualifier = request.uri().query().and_then(|query| {
        query_pairs(query).into_iter().find(|(key, _)| key == "Qualifier").map(|(_, value)| value)
    });
    let target = target(api, &INVOCATION_REQUEST, "InvokeFunction", &function_name, qualifier.as_deref())?;
    let headers = request.headers();
    unsupported::check_invoke(headers)?;
    let invocation_type = word(headers, &INVOCATION_TYPE, "InvocationType")?;
    let log_type = word(headers, &LOG_TYPE, "LogType")?;
    let client_context = client_context(headers)?;
    let trace = text(headers, &TRACE_ID).and_then(TraceHeader::from_caller);
    match invocation_type {
        None | Some("RequestResponse" | "DryRun") => {}
        Some(other) => return Err(ApiError::not_implemented(&format!("InvocationType {other}"))),
    }
    let dry_run = invocation_type == Some("DryRun");
    let wants_log_tail = log_type == Some("Tail");
    let payload = payload(request).await?;
    if dry_run {
        let version = api.invoker.dry_run(&target.name, target.qualifier.as_ref())?;
        let mut response = http::Response::new(Body::default());
        *response.status_mut() = StatusCode::NO_CONTENT;
        set(response.headers_mut(), "x-amz-executed-version", &version.to_string());
        return Ok(response);
    }
    let request = InvokeRequest {
        request_id,
        qualifier: target.qualifier,
        payload,
        content_type: None,
        client_context,
        trace,
        wants_log_tail,
    };
    let response = api.invoker.invoke(&target.name, request).await?;

    let mut answer = http::Response::new(Body::new(response.payload));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    set(headers, "x-amz-executed-version", &response.executed_version.to_string());
    set(headers, "x-amzn-remapped-content-length", "0");
    set(headers, "x-amzn-trace-id", response.trace.as_str());
    if response.function_error {
        set(headers, "x-amz-function-error", "Unhandled");
    }
    if let Some(log_tail) = response.log_tail {
        set(headers, "x-amz-log-result", &STANDARD.encode(log_tail));
    }
    Ok(answer)
}

/// Sets a header to plain text of our own.
fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Reads a header that holds a word of the model.
fn word<'a>(headers: &'a HeaderMap, name: &HeaderName, member: &str) -> Result<Option<&'a str>, ApiError> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let value =
        value.to_str().map_err(|_| ApiError::validation(format!("The header {name} is no plain text")))?;
    validation::check_member(&INVOCATION_REQUEST, member, &json!(value))?;
    Ok(Some(value))
}

fn client_context(headers: &HeaderMap) -> Result<Option<Bytes>, ApiError> {
    let Some(value) = headers.get(&CLIENT_CONTEXT) else { return Ok(None) };
    if value.len() > CLIENT_CONTEXT_BYTES_MAX {
        return Err(ApiError::invalid_request_content(format!(
            "Client context must be no more than {CLIENT_CONTEXT_BYTES_MAX} bytes."
        )));
    }
    let wrong =
        || ApiError::invalid_request_content("Client context must be a valid Base64-encoded JSON object.");
    let json = STANDARD.decode(value.as_bytes()).map_err(|_| wrong())?;
    // What is ignored is not looked at closely, so whether it is text has to be asked first.
    let text = std::str::from_utf8(&json).map_err(|_| wrong())?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|_| wrong())?;
    Ok(Some(Bytes::from(json)))
}

/// Reads the event: JSON, at most 6 MB. None is an empty object.
async fn payload(request: Request<Incoming>) -> Result<Bytes, ApiError> {
    let payload = match read_body(request, SYNC_PAYLOAD_BYTES_MAX).await {
        Ok(payload) => payload,
        Err(BodyError::TooLong { bytes }) => return Err(ApiError::payload_too_large(bytes)),
        Err(BodyError::Incomplete(_)) => return Err(ApiError::incomplete_body()),
        Err(BodyError::TooSlow) => return Err(ApiError::slow_body()),
    };
    if payload.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    check_json(&payload)?;
    Ok(payload)
}

/// Checks that a payload is JSON. Clients know AWS's text by its head; the rest tells where it breaks.
fn check_json(payload: &[u8]) -> Result<(), ApiError> {
    const HEAD: &str = "Could not parse request body into json: Could not parse payload into json";
    let text = match std::str::from_utf8(payload) {
        Ok(text) => text,
        Err(error) => {
            let what = not_utf8(&payload[error.valid_up_to()..]);
            let before = &payload[..error.valid_up_to()];
            let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
            let column = 1 + before.iter().rev().take_while(|&&byte| byte != b'\n').count();
            return Err(ApiError::invalid_request_content(format!("{HEAD}: {what}{}", source(line, column))));
        }
    };
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(ApiError::invalid_request_content(format!("{HEAD}: {}", unexpected(payload, &error))))
        }
    }
}

/// Says what keeps `rest` from being UTF-8: its first byte, or one that should go on with the character it begins.
fn not_utf8(rest: &[u8]) -> String {
    let continued = match rest[0] {
        0xc2..=0xdf => 1,
        0xe0..=0xef => 2,
        0xf0..=0xf4 => 3,
        first => return format!("Invalid UTF-8 start byte 0x{first:02x}"),
    };
    match rest[1..].iter().take(continued).find(|&&byte| byte & 0xc0 != 0x80) {
        Some(middle) => format!("Invalid UTF-8 middle byte 0x{middle:02x}"),
        None if rest.len() > continued => format!("Invalid UTF-8 middle byte 0x{:02x}", rest[1]),
        None => "Unexpected end-of-input".to_owned(),
    }
}

/// The place of a mistake, as AWS's JSON parser writes it.
fn source(line: usize, column: usize) -> String {
    format!(
        "\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: {line}, column: \
         {column}]"
    )
}

fn unexpected(payload: &[u8], error: &serde_json::Error) -> String {
    let line_start = payload
        .split_inclusive(|&byte| byte == b'\n')
        .take(error.line().saturating_sub(1))
        .map(<[u8]>::len)
        .sum::<usize>();
    let at = line_start + error.column().saturating_sub(1);
    let text = std::str::from_utf8(payload.get(at..).unwrap_or_default()).unwrap_or_default();
    let what = match (error.is_eof(), text.chars().next()) {
        (false, Some(character)) => format!(
            "Unexpected character ('{character}' (code {})): expected a valid value (JSON String, Number, Array, Object \
             or token 'null', 'true' or 'false')",
            character as u32
        ),
        _ => "Unexpected end-of-input".to_owned(),
    };
    what + &source(error.line(), error.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_that_is_no_json_is_refused_with_its_place() {
        for good in ["{}", " [1, \"a\"]\n", "null", "1.5e3", "\"\\ud83d\\ude00\""] {
            assert!(check_json(good.as_bytes()).is_ok(), "{good}");
        }
        let message = |payload: &[u8]| check_json(payload).unwrap_err().message().to_owned();
        let unexpected = message(b"x");
        assert!(
            unexpected.starts_with(
                "Could not parse request body into json: Could not parse payload into json: Unexpected character ('x' \
                 (code 120)): expected a valid value"
            ),
            "{unexpected}"
        );
        assert!(unexpected.ends_with("line: 1, column: 1]"), "{unexpected}");
        let not_utf8 = message(b"{\n \"a\": \"\x87\"}");
        assert!(not_utf8.contains(": Invalid UTF-8 start byte 0x87\n at [Source: "), "{not_utf8}");
        assert!(not_utf8.ends_with("line: 2, column: 8]"), "{not_utf8}");
        assert!(message(b"\"\xc3x\"").contains("Invalid UTF-8 middle byte 0x78"));
        assert!(message(b"\"\xed\xa0\x80\"").contains("Invalid UTF-8 middle byte 0xa0"), "a surrogate");
        assert!(message(b"\"\xe2\x82").contains("Unexpected end-of-input"));
        assert!(message(b"{\"a\":").contains("Unexpected end-of-input"));
        assert!(message(b"{} {}").contains("Unexpected character ('{'"));
    }
}
