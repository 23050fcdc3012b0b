//! A response that is passed on while the function still produces it.

use bytes::Bytes;
use futures_util::stream::BoxStream;
use hearth_types::{TraceHeader, Version};

use crate::InvokeResponse;

/// How an invocation answers a caller who takes the response as it comes.
pub enum BegunResponse {
    /// All at once: the function does not stream, or it failed before it began to.
    Whole(InvokeResponse),
    /// Bit by bit.
    Streamed(StreamedResponse),
}

/// A response that has begun.
pub struct StreamedResponse {
    /// Which version runs.
    pub executed_version: Version,
    /// The trace it is part of.
    pub trace: TraceHeader,
    /// What the function says it is.
    pub content_type: Option<String>,
    /// Its bytes, then its end. A stream that has no end was left by us, not by the function. When it is dropped, the
    /// function runs on.
    pub parts: BoxStream<'static, ResponsePart>,
}

/// A part of a response.
#[derive(Debug)]
pub enum ResponsePart {
    /// The next bytes.
    Piece(Bytes),
    /// There are no more.
    End(ResponseEnd),
}

/// How a response ended.
#[derive(Debug, Default)]
pub struct ResponseEnd {
    /// Why it is not complete: the report of an error, as JSON.
    pub error: Option<Bytes>,
    /// The end of the log, if it was asked for.
    pub log_tail: Option<Vec<u8>>,
}
