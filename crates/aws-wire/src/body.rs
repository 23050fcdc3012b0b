//! Reading a request's body, with a limit that holds while it is read.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

/// Why there is no body.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is longer than allowed. It was not read to its end.
    #[error("the body is too long")]
    TooLong {
        /// The announced length, or how much had come when the limit was passed.
        bytes: u64,
    },
    /// It ended early, or its framing is wrong.
    #[error("the body is not complete")]
    Incomplete(#[source] hyper::Error),
}

/// Reads a body of at most `bytes_max`. Refuses before reading when the announced length is larger.
pub async fn read_body(mut body: Incoming, bytes_max: usize) -> Result<Bytes, BodyError> {
    let announced = body.size_hint().exact();
    if let Some(bytes) = announced.filter(|&bytes| bytes > bytes_max as u64) {
        return Err(BodyError::TooLong { bytes });
    }
    let mut collected = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(BodyError::Incomplete)?.into_data() else { continue };
        // Most bodies come in one piece, and need no copy then.
        if collected.is_empty() && announced == Some(data.len() as u64) {
            return Ok(data);
        }
        let bytes = collected.len() + data.len();
        if bytes > bytes_max {
            return Err(BodyError::TooLong { bytes: bytes as u64 });
        }
        if collected.is_empty() {
            collected.reserve(announced.unwrap_or(0) as usize);
        }
        collected.extend_from_slice(&data);
    }
    Ok(collected.freeze())
}
