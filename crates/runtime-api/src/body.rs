//! Reading what a runtime sends, without trusting its size.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

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

/// Reads a body and throws it away, so that the connection can be used for the next request.
pub(crate) async fn discard(request: Request<Incoming>) {
    let mut body = request.into_body();
    while let Some(Ok(_)) = body.frame().await {}
}
