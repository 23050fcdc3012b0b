//! Responses of functions that stream, passed on as they come or collected first.

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use hearth_aws_wire::{Body, CutOff, Response};
use hearth_invoke::{ResponsePart, StreamedResponse};
use hearth_types::limits::RESPONSE_PAYLOAD_BYTES_MAX;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::answer::{self, Head};
use crate::prelude::{self, Prelude, Read};
use crate::refusal;

/// Begins a response whose body is still to come. One that the function breaks off is cut off, so that no client takes it
/// for whole.
pub(crate) async fn begun(response: StreamedResponse) -> Response {
    let StreamedResponse { content_type, mut parts, .. } = response;
    if content_type.as_deref() != Some(prelude::CONTENT_TYPE) {
        return answer::with(plain(content_type.as_deref()), Body::growing(rest(Bytes::new(), parts)));
    }
    let mut prelude = Prelude::default();
    loop {
        match parts.next().await {
            Some(ResponsePart::Piece(piece)) => match prelude.add(&piece) {
                Read::More => {}
                Read::Whole(mut head, first) => {
                    let default = HeaderValue::from_static("application/octet-stream");
                    head.headers.entry(CONTENT_TYPE).or_insert(default);
                    return answer::with(head, Body::growing(rest(first, parts)));
                }
                Read::Wrong => return refusal::bad_gateway(),
            },
            Some(ResponsePart::End(end)) => {
                return end
                    .error
                    .map_or_else(refusal::bad_gateway, |report| refusal::function_failed(&report));
            }
            None => return refusal::bad_gateway(),
        }
    }
}

/// The body from here on.
fn rest(
    first: Bytes,
    parts: BoxStream<'static, ResponsePart>,
) -> impl stream::Stream<Item = Result<Bytes, CutOff>> + Send + 'static {
    let first = stream::iter(Some(first).filter(|first| !first.is_empty()).map(Ok));
    first.chain(stream::unfold(Some(parts), |parts| async move {
        let mut parts = parts?;
        match parts.next().await {
            Some(ResponsePart::Piece(piece)) => Some((Ok(piece), Some(parts))),
            Some(ResponsePart::End(end)) if end.error.is_none() => None,
            Some(ResponsePart::End(_)) | None => Some((Err(CutOff), None)),
        }
    }))
}

/// Waits for a whole response: the URL is not one that streams.
pub(crate) async fn collected(response: StreamedResponse) -> Response {
    let StreamedResponse { content_type, mut parts, .. } = response;
    let mut whole = BytesMut::new();
    loop {
        match parts.next().await {
            Some(ResponsePart::Piece(piece)) if whole.len() + piece.len() <= RESPONSE_PAYLOAD_BYTES_MAX => {
                whole.extend_from_slice(&piece);
            }
            Some(ResponsePart::Piece(_)) | None => return refusal::bad_gateway(),
            Some(ResponsePart::End(end)) => match end.error {
                Some(report) => return refusal::function_failed(&report),
                None => break,
            },
        }
    }
    if content_type.as_deref() != Some(prelude::CONTENT_TYPE) {
        return answer::of_payload(&whole.freeze());
    }
    match Prelude::default().add(&whole) {
        Read::Whole(head, body) => answer::with(head, Body::new(body)),
        Read::More | Read::Wrong => refusal::bad_gateway(),
    }
}

/// The head of a stream that has none of its own.
fn plain(content_type: Option<&str>) -> Head {
    let content_type = content_type.and_then(|value| HeaderValue::from_str(value).ok());
    let mut headers = HeaderMap::new();
    let default = HeaderValue::from_static("application/octet-stream");
    headers.insert(CONTENT_TYPE, content_type.unwrap_or(default));
    Head { status: StatusCode::OK, headers }
}
