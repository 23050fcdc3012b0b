//! What goes into an invocation and what comes out of it.

use bytes::Bytes;
use hearth_types::{ColdStart, Qualifier, RequestId, TraceHeader, Version};

/// One invocation, checked by the front door it came through.
#[derive(Debug, Clone)]
pub struct InvokeRequest {
    /// Its id; the caller has it as `x-amzn-RequestId`.
    pub request_id: RequestId,
    /// The version or alias that the caller asked for.
    pub qualifier: Option<Qualifier>,
    /// The event: JSON, not empty.
    pub payload: Bytes,
    /// The caller's content type, if it is not JSON.
    pub content_type: Option<String>,
    /// The client context: JSON, decoded from base64.
    pub client_context: Option<Bytes>,
    /// The trace that the caller is part of.
    pub trace: Option<TraceHeader>,
    /// Whether the caller wants the end of the log.
    pub wants_log_tail: bool,
}

/// The response of an invocation, also when the function failed.
#[derive(Debug, Clone)]
pub struct InvokeResponse {
    /// What the function returned, or how it failed.
    pub payload: Bytes,
    /// Whether it failed.
    pub function_error: bool,
    /// Which version ran.
    pub executed_version: Version,
    /// The end of the log: at most 4,096 bytes.
    pub log_tail: Option<Vec<u8>>,
    /// The trace it was part of.
    pub trace: TraceHeader,
    /// Why it was cold, if it was.
    pub why_cold: Option<ColdStart>,
}
