//! InvokeWithResponseStream: an invocation whose response comes as event-stream messages, while the function still works.
//!
//! | what happens | the caller sees |
//! |---|---|
//! | the function streams | a `PayloadChunk` for each piece as it comes, then `InvokeComplete` |
//! | it answers at once | one `PayloadChunk`, then `InvokeComplete` |
//! | it fails before the first byte | `InvokeComplete` with the ErrorCode `Unhandled`, and the report as ErrorDetails |
//! | it fails in the middle | what came; `InvokeComplete` with the type of the error as ErrorCode, and the report |
//! | there is no concurrency, no function, … | an HTTP error, as Invoke has it |
//!
//! Which ErrorCode AWS has for which failure is not recorded in full.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use hearth_aws_wire::{Body, CutOff, EVENT_STREAM, Response, event};
use hearth_invoke::{BegunResponse, ResponseEnd, ResponsePart};
use hearth_types::RequestId;
use http::Request;
use http::header::{CONTENT_TYPE, HeaderValue};
use hyper::body::Incoming;
use serde_json::{Map, Value};

use crate::LambdaApi;
use crate::error::ApiError;
use crate::invoke::{self, set};
use crate::routes::Call;

/// What the payload is, when the function does not say so.
const BYTES: &str = "application/octet-stream";

/// Answers InvokeWithResponseStream.
pub(crate) async fn answer(
    api: &LambdaApi,
    request_id: RequestId,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let function_name = labels.into_iter().next().map(|(_, name)| name).unwrap_or_default();
    let head = invoke::head(api, operation.name, operation.input, function_name, &request);
    // Read before anything is refused: a client that sends everything first would not hear why.
    let payload = invoke::read(request, "RequestResponse").await;
    let head = head?;
    let payload = invoke::checked(payload?)?;
    if head.is_dry_run {
        return invoke::dry_run(api, &head.target);
    }
    let (name, request) = head.with(request_id, payload);
    let (version, trace, content_type, body) = match api.invoker.invoke_streaming(&name, request).await? {
        BegunResponse::Whole(response) => {
            let end = |error| ResponseEnd { error, log_tail: response.log_tail };
            let messages = match response.function_error {
                true => complete(Some("Unhandled"), &end(Some(response.payload))).into(),
                false if response.payload.is_empty() => complete(None, &end(None)).into(),
                false => [chunk(response.payload), complete(None, &end(None))].concat(),
            };
            let body = Body::growing(stream::iter(messages.into_iter().map(Ok)));
            (response.executed_version, response.trace, None, body)
        }
        BegunResponse::Streamed(streamed) => {
            let messages = streamed.parts.map(|part| match part {
                ResponsePart::Piece(piece) => (chunk(piece), false),
                ResponsePart::End(end) => {
                    let code = end.error.as_deref().map(error_type);
                    (complete(code.as_deref(), &end), true)
                }
            });
            let body = Body::growing(until_complete(messages));
            (streamed.executed_version, streamed.trace, streamed.content_type, body)
        }
    };
    let mut answer = http::Response::new(body);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
    set(headers, "x-amzn-remapped-content-type", content_type.as_deref().unwrap_or(BYTES));
    set(headers, "x-amz-executed-version", &version.to_string());
    set(headers, "x-amzn-trace-id", trace.as_str());
    Ok(answer)
}

/// Returns the pieces of the messages. Without the last one something of ours broke: the connection is cut then.
fn until_complete(
    messages: impl stream::Stream<Item = ([Bytes; 3], bool)> + Send + 'static,
) -> impl stream::Stream<Item = Result<Bytes, CutOff>> + Send + 'static {
    let messages = messages.map(Some).chain(stream::once(async { None }));
    messages
        .scan(false, |is_complete, message| {
            let pieces: Vec<Result<Bytes, CutOff>> = match message {
                Some((message, is_last)) => {
                    *is_complete = is_last;
                    message.into_iter().map(Ok).collect()
                }
                None if *is_complete => Vec::new(),
                None => vec![Err(CutOff)],
            };
            async move { Some(stream::iter(pieces)) }
        })
        .flatten()
}

fn chunk(payload: Bytes) -> [Bytes; 3] {
    event("PayloadChunk", BYTES, payload)
}

fn complete(code: Option<&str>, end: &ResponseEnd) -> [Bytes; 3] {
    let mut members = Map::new();
    if let (Some(code), Some(report)) = (code, &end.error) {
        members.insert("ErrorCode".to_owned(), code.into());
        members.insert("ErrorDetails".to_owned(), String::from_utf8_lossy(report).into());
    }
    if let Some(log_tail) = &end.log_tail {
        members.insert("LogResult".to_owned(), STANDARD.encode(log_tail).into());
    }
    event("InvokeComplete", "application/json", Bytes::from(Value::Object(members).to_string()))
}

/// Returns the type that a report names.
fn error_type(report: &[u8]) -> String {
    let report: Option<Value> = serde_json::from_slice(report).ok();
    let named = report.as_ref().and_then(|report| report["errorType"].as_str());
    named.filter(|name| !name.is_empty()).unwrap_or("Unhandled").to_owned()
}
