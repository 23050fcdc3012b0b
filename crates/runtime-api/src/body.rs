//! Reading what a runtime sends, without trusting its size.

use bytes::{Bytes, BytesMut};
use hearth_environment::ResponseSender;
use hearth_environment::machine::{RuntimeAnswer, StreamFailure};
use hearth_types::limits::STREAMED_RESPONSE_BYTES_MAX;
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

use crate::error_type;

/// What a body turned out to be.
pub(crate) enum Body {
    /// Complete and within the limit.
    Whole { payload: Bytes, trailers: Option<HeaderMap> },
    /// Longer than it may be. The rest was read and thrown away: the runtime lives on with its connection.
    TooLarge,
    /// It ended before its announced length.
    Truncated,
}

/// Reads a body. Keeps no more than `bytes_max`.
pub(crate) async fn read(request: Request<Incoming>, bytes_max: usize) -> Body {
    let mut body = request.into_body();
    let announced = body.size_hint().exact();
    let mut first: Option<Bytes> = None;
    let mut collected = BytesMut::new();
    let mut trailers = None;
    let mut too_large = false;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Body::Truncated };
        match frame.into_data() {
            Ok(data) => {
                let length = first.as_ref().map_or(0, Bytes::len) + collected.len() + data.len();
                if length > bytes_max {
                    too_large = true;
                    first = None;
                    collected = BytesMut::new();
                }
                if too_large {
                    continue;
                }
                // Most responses come in one piece, and need no copy then.
                if first.is_none() && collected.is_empty() && announced == Some(data.len() as u64) {
                    first = Some(data);
                } else {
                    if collected.is_empty() {
                        // At once, rather than copied again and again as it grows. What does not come is not touched.
                        let announced = announced.and_then(|bytes| usize::try_from(bytes).ok());
                        collected.reserve(announced.unwrap_or_default().min(bytes_max));
                    }
                    collected.extend_from_slice(&data);
                }
            }
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    if too_large {
        return Body::TooLarge;
    }
    Body::Whole { payload: first.unwrap_or_else(|| collected.freeze()), trailers }
}

/// Reads a body and hands it on as it comes. Beyond the limit the rest is read and thrown away, as in [`read`].
pub(crate) async fn stream(request: Request<Incoming>, mut sender: ResponseSender) -> RuntimeAnswer {
    let mut body = request.into_body();
    let (mut bytes, mut failure) = (0, None);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            failure.get_or_insert(StreamFailure::Truncated);
            break;
        };
        match frame.into_data() {
            Ok(mut piece) if failure.is_none() => {
                if bytes + piece.len() > STREAMED_RESPONSE_BYTES_MAX {
                    piece.truncate(STREAMED_RESPONSE_BYTES_MAX - bytes);
                    failure = Some(StreamFailure::TooLarge);
                }
                bytes += piece.len();
                if !piece.is_empty() {
                    sender.send(piece).await;
                }
            }
            Ok(_) => {}
            Err(frame) => {
                let reported = frame.into_trailers().ok().as_ref().and_then(error_type::of_trailers);
                if let (Some((error_type, payload)), None) = (reported, &failure) {
                    failure = Some(StreamFailure::Reported { error_type, payload });
                }
            }
        }
    }
    RuntimeAnswer::Streamed { bytes, failure }
}

/// Reads a body and throws it away, so that the connection can be used for the next request.
pub(crate) async fn discard(request: Request<Incoming>) {
    let mut body = request.into_body();
    while let Some(Ok(_)) = body.frame().await {}
}
