//! Reading a request's body, with limits on its size and on how long it may take.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Request;
use http::header::EXPECT;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

/// How long the next piece of a body may take. A client that has stopped sending keeps what it sent in our memory.
const PIECE_LIMIT: Duration = Duration::from_secs(30);

/// How much of a body that is too long is read and dropped. Clients that listen only after they have sent everything
/// see a broken connection instead of the refusal when nobody reads the rest.
const DROPPED_BYTES_MAX: u64 = 256 << 20;

/// How long reading and dropping may take. Then the connection is broken after all.
const DROPPED_LIMIT: Duration = Duration::from_secs(10);

/// Why there is no body.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is longer than allowed. What had come was dropped.
    #[error("the body is too long")]
    TooLong {
        /// The announced length, or how much had come when the limit was passed.
        bytes: u64,
    },
    /// It ended early, or its framing is wrong.
    #[error("the body is not complete")]
    Incomplete(#[source] hyper::Error),
    /// The client has stopped sending.
    #[error("the body takes too long")]
    TooSlow,
}

/// Reads a body of at most `bytes_max`. A larger announced length is refused before anything is kept.
pub async fn read_body(request: Request<Incoming>, bytes_max: usize) -> Result<Bytes, BodyError> {
    let waits_for_us = request.headers().contains_key(EXPECT);
    let mut body = request.into_body();
    let announced = body.size_hint().exact();
    if let Some(bytes) = announced.filter(|&bytes| bytes > bytes_max as u64) {
        // Who asks first whether to send (`Expect: 100-continue`) has sent nothing, and reading would ask for it.
        if !waits_for_us {
            drop_rest(body).await;
        }
        return Err(BodyError::TooLong { bytes });
    }
    let mut collected = BytesMut::new();
    while let Some(frame) =
        tokio::time::timeout(PIECE_LIMIT, body.frame()).await.map_err(|_| BodyError::TooSlow)?
    {
        let Ok(data) = frame.map_err(BodyError::Incomplete)?.into_data() else { continue };
        // Most bodies come in one piece, and need no copy then.
        if collected.is_empty() && announced == Some(data.len() as u64) {
            return Ok(data);
        }
        let bytes = collected.len() + data.len();
        if bytes > bytes_max {
            drop(collected);
            drop_rest(body).await;
            return Err(BodyError::TooLong { bytes: bytes as u64 });
        }
        if collected.is_empty() {
            collected.reserve(announced.unwrap_or(0) as usize);
        }
        collected.extend_from_slice(&data);
    }
    Ok(collected.freeze())
}

async fn drop_rest(mut body: Incoming) {
    let dropping = async {
        let mut left = DROPPED_BYTES_MAX;
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
            match left.checked_sub(bytes) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    let _ = tokio::time::timeout(DROPPED_LIMIT, dropping).await;
}
