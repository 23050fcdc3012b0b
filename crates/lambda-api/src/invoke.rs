//! Invoke, from HTTP to `invoke` and back. From there on no HTTP is known.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hearth_aws_wire::{Body, BodyError, Response, json_response, query_pairs, read_body};
use hearth_invoke::InvokeRequest;
use hearth_types::limits::{ASYNC_PAYLOAD_BYTES_MAX, CLIENT_CONTEXT_BYTES_MAX, SYNC_PAYLOAD_BYTES_MAX};
use hearth_types::{ColdStart, FunctionName, Qualifier, RequestId, TraceHeader};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Request, StatusCode};
use hyper::body::Incoming;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::error::ApiError;
use crate::function_name::{Target, target};
use crate::generated::Shape;
use crate::generated::constraints::INVOCATION_REQUEST;
use crate::routes::Call;
use crate::{LambdaApi, durable_invoke, input, unsupported, validation};

const INVOCATION_TYPE: HeaderName = HeaderName::from_static("x-amz-invocation-type");
const LOG_TYPE: HeaderName = HeaderName::from_static("x-amz-log-type");
const CLIENT_CONTEXT: HeaderName = HeaderName::from_static("x-amz-client-context");
const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");
const EXECUTED_VERSION: HeaderName = HeaderName::from_static("x-amz-executed-version");
const REMAPPED_CONTENT_LENGTH: HeaderName = HeaderName::from_static("x-amzn-remapped-content-length");
const TENANT_ID: HeaderName = HeaderName::from_static("x-amz-tenant-id");
const DURABLE_EXECUTION_NAME: HeaderName = HeaderName::from_static("x-amz-durable-execution-name");

/// What stands outside the payload.
pub(crate) struct Head {
    pub(crate) target: Target,
    pub(crate) is_dry_run: bool,
    wants_log_tail: bool,
    client_context: Option<Bytes>,
    trace: Option<TraceHeader>,
    pub(crate) durable_execution_name: Option<String>,
}

impl Head {
    /// Returns the invocation that is asked for.
    pub(crate) fn with(self, request_id: RequestId, payload: Bytes) -> (FunctionName, InvokeRequest) {
        let request = InvokeRequest {
            request_id,
            qualifier: self.target.qualifier,
            payload,
            content_type: None,
            client_context: self.client_context,
            trace: self.trace,
            wants_log_tail: self.wants_log_tail,
        };
        (self.target.name, request)
    }
}

pub(crate) async fn answer(
    api: &LambdaApi,
    request_id: RequestId,
    function_name: String,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let invocation_type = text(request.headers(), INVOCATION_TYPE).unwrap_or_default().to_owned();
    let head = head(api, "InvokeFunction", &INVOCATION_REQUEST, function_name, &request);
    // Read before anything is refused: a client that sends everything first would not hear why.
    let payload = read(request, &invocation_type).await;
    let head = head?;
    let payload = checked(payload?)?;
    let durable = durable_invoke::find(api, &head)?;
    if head.is_dry_run {
        return dry_run(api, &head.target);
    }
    let execution_name = head.durable_execution_name.clone();
    let (name, request) = head.with(request_id, payload);
    if let Some(durable) = durable {
        return Box::pin(durable_invoke::answer(api, durable, execution_name, &invocation_type, request))
            .await;
    }
    if invocation_type == "Event" {
        let trace = Box::pin(api.events.accept(&name, request)).await?;
        let mut accepted = http::Response::new(Body::default());
        *accepted.status_mut() = StatusCode::ACCEPTED;
        set(accepted.headers_mut(), "x-amzn-remapped-content-length", "0");
        set(accepted.headers_mut(), "x-amzn-trace-id", trace.as_str());
        return Ok(accepted);
    }
    let response = api.invoker.invoke(&name, request).await?;

    let mut answer = http::Response::new(Body::new(response.payload));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(REMAPPED_CONTENT_LENGTH, HeaderValue::from_static("0"));
    for (name, value) in
        [(EXECUTED_VERSION, &*response.executed_version.to_string()), (TRACE_ID, response.trace.as_str())]
    {
        // Plain text, both of them.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    if response.function_error {
        set(headers, "x-amz-function-error", "Unhandled");
    }
    if let Some(log_tail) = response.log_tail {
        set(headers, "x-amz-log-result", &STANDARD.encode(log_tail));
    }
    if let Some(why_cold) = response.why_cold {
        set_why_cold(headers, &why_cold);
    }
    Ok(answer)
}

/// Answers that the function could be invoked.
pub(crate) fn dry_run(api: &LambdaApi, target: &Target) -> Result<Response, ApiError> {
    let version = api.invoker.dry_run(&target.name, target.qualifier.as_ref())?;
    let mut response = http::Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    set(response.headers_mut(), "x-amz-executed-version", &version.to_string());
    Ok(response)
}

/// Answers InvokeAsync, the deprecated way to send an event.
pub(crate) async fn answer_async(
    api: &LambdaApi,
    request_id: RequestId,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let head = input::head(operation.input, labels, &request);
    let payload = read(request, "Event").await;
    let mut input = head?;
    // It has to be there, and may be empty.
    input.insert("InvokeArgs".to_owned(), Value::String(String::new()));
    let input = Value::Object(input);
    validation::check(operation.input, &input)?;
    let target = target(api, "InvokeAsync", input["FunctionName"].as_str().unwrap_or_default(), None)?;
    let request = InvokeRequest {
        request_id,
        qualifier: target.qualifier,
        payload: checked(payload?)?,
        content_type: None,
        client_context: None,
        trace: None,
        wants_log_tail: false,
    };
    api.events.accept(&target.name, request).await?;
    Ok(json_response(StatusCode::ACCEPTED, "{\"Status\":202}"))
}

/// Says that an invocation was cold, and why. AWS says nothing of it.
fn set_why_cold(headers: &mut HeaderMap, why_cold: &ColdStart) {
    // What a runtime or an extension has reported may be anything.
    let is_plain = |character: char| matches!(character, ' '..='~');
    let text = why_cold.to_string();
    let text: String = text.chars().map(|it| if is_plain(it) { it } else { '?' }).take(512).collect();
    set(headers, "x-hearth-cold-start", &text);
}

/// Sets a header to plain text of our own.
pub(crate) fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Reads what stands outside the payload. `action` is the operation as policies name it.
pub(crate) fn head(
    api: &LambdaApi,
    action: &str,
    shape: &'static Shape,
    function_name: String,
    request: &Request<Incoming>,
) -> Result<Head, ApiError> {
    let headers = request.headers();
    let query = request.uri().query().unwrap_or("");
    if !is_plain(api, &function_name, query, headers) {
        let labels = vec![("FunctionName", function_name.clone())];
        let input = input::head(shape, labels, request)?;
        validation::check(shape, &Value::Object(input))?;
    }
    let mut pairs = query_pairs(query).into_iter();
    let qualifier = pairs.find(|(key, _)| key == "Qualifier").map(|(_, value)| value);
    let target = target(api, action, &function_name, qualifier.as_deref())?;
    check_content_type(headers)?;
    unsupported::check_invoke(headers)?;
    Ok(Head {
        target,
        is_dry_run: text(headers, INVOCATION_TYPE) == Some("DryRun"),
        wants_log_tail: text(headers, LOG_TYPE) == Some("Tail"),
        client_context: client_context(headers)?,
        trace: text(headers, TRACE_ID).and_then(TraceHeader::from_caller),
        durable_execution_name: text(headers, DURABLE_EXECUTION_NAME).map(str::to_owned),
    })
}

/// Whether a request is so plain that the model cannot have anything against it. Most are, and looking is faster than
/// matching patterns.
fn is_plain(api: &LambdaApi, function_name: &str, query: &str, headers: &HeaderMap) -> bool {
    let name = match function_name.strip_prefix("arn:aws:lambda:") {
        Some(arn) => {
            let ours = api.functions.settings();
            let name = arn.strip_prefix(ours.region.as_str()).and_then(|rest| rest.strip_prefix(':'));
            let name = name.and_then(|rest| rest.strip_prefix(ours.account.as_str()));
            name.and_then(|rest| rest.strip_prefix(":function:")).unwrap_or(function_name)
        }
        None => function_name,
    };
    let (name, qualifier) = name.split_once(':').map_or((name, None), |(name, end)| (name, Some(end)));
    let known = |name: HeaderName, words: &[&str]| match headers.get(name) {
        None => true,
        Some(value) => words.iter().any(|word| value == word),
    };
    FunctionName::new(name).is_ok()
        && qualifier.is_none_or(|qualifier| Qualifier::parse(qualifier).is_ok())
        && query.is_empty()
        && known(INVOCATION_TYPE, &["RequestResponse"])
        && known(LOG_TYPE, &["None", "Tail"])
        && !headers.contains_key(TENANT_ID)
        && !headers.contains_key(DURABLE_EXECUTION_NAME)
}

/// Refuses a payload that says it is in another format. AWS documents 415 for whatever is not JSON, but its own SDKs
/// send none, `application/octet-stream` or `binary/octet-stream`, and curl calls everything a form: those say nothing
/// about the format, and whether the bytes are JSON is seen when they are read.
fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(content_type) = text(headers, CONTENT_TYPE) else { return Ok(()) };
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let Some((kind, format)) = essence.split_once('/') else { return Ok(()) };
    let is_another = match kind {
        "text" => !matches!(format, "plain" | "json"),
        "audio" | "font" | "image" | "multipart" | "video" => true,
        _ => ["xml", "yaml", "csv", "protobuf", "zip"].iter().any(|other| {
            format == *other
                || format.strip_prefix("x-") == Some(other)
                || format.ends_with(&format!("+{other}"))
        }),
    };
    if is_another { Err(ApiError::unsupported_media_type(content_type)) } else { Ok(()) }
}

fn client_context(headers: &HeaderMap) -> Result<Option<Bytes>, ApiError> {
    let Some(value) = headers.get(CLIENT_CONTEXT) else { return Ok(None) };
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

/// Reads the event.
pub(crate) async fn read(request: Request<Incoming>, invocation_type: &str) -> Result<Bytes, ApiError> {
    let (name, bytes_max) = match invocation_type {
        "Event" => ("Event", ASYNC_PAYLOAD_BYTES_MAX),
        _ => ("RequestResponse", SYNC_PAYLOAD_BYTES_MAX),
    };
    read_body(request, bytes_max).await.map_err(|error| match error {
        BodyError::TooLong { bytes } => ApiError::payload_too_large(bytes, name, bytes_max),
        BodyError::Incomplete(_) => ApiError::incomplete_body(),
        BodyError::TooSlow => ApiError::slow_body(),
    })
}

/// Returns an event that is JSON. None is an empty object.
pub(crate) fn checked(payload: Bytes) -> Result<Bytes, ApiError> {
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
