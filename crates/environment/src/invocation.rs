//! One invocation: what goes in, and what comes back to the caller.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hearth_types::{ColdStart, RequestId, TraceHeader};

/// One call of the function, as an environment needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// Its id; also the caller's `x-amzn-RequestId`.
    pub request_id: RequestId,
    /// The ARN as the caller named it.
    pub invoked_function_arn: String,
    /// The event, untouched.
    pub payload: Bytes,
    /// The caller's content type.
    pub content_type: Option<String>,
    /// The caller's client context: JSON, decoded from base64.
    pub client_context: Option<Bytes>,
    /// The trace it belongs to, as it came.
    pub trace: TraceHeader,
    /// What runtime and extensions are told of it.
    pub delivered_trace: TraceHeader,
    /// How long it may take, counted from its start in the environment.
    pub timeout: Duration,
    /// Whether the caller wants the end of the log with the response.
    pub wants_log_tail: bool,
    /// Why it needs a new environment; `None` when the pool found a warm one.
    pub why_cold: Option<ColdStart>,
    /// When it came to the pool.
    pub arrived: Instant,
}

/// What the runtime gets as the answer to `/next`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub request_id: RequestId,
    /// When it times out, in milliseconds since 1970.
    pub deadline_epoch_ms: i64,
    /// The ARN as the caller named it.
    pub invoked_function_arn: String,
    /// The trace it belongs to.
    pub trace: TraceHeader,
    /// The caller's client context, as JSON.
    pub client_context: Option<Bytes>,
    /// The caller's content type.
    pub content_type: Option<String>,
    /// The event.
    pub payload: Bytes,
}

/// Whether the function did what it was asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerKind {
    /// The function's response.
    Response,
    /// An error: `X-Amz-Function-Error: Unhandled`.
    FunctionError,
}

/// What the caller gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Response or error.
    pub kind: AnswerKind,
    /// The body, byte for byte.
    pub payload: Bytes,
    /// The end of the log, if it was asked for.
    pub log_tail: Option<Vec<u8>>,
    /// Why it was cold; `None` when it was warm.
    pub why_cold: Option<ColdStart>,
}

/// Why an invocation has no answer of the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvokeFailure {
    /// The service failed.
    Service(&'static str),
    /// The function could not be restored from its snapshot.
    Restore(RestoreFailure),
}

/// Why a function could not be restored from its snapshot. Its own hooks are why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoreFailure {
    /// One of them failed.
    Hook {
        /// The sanitised error type.
        error_type: String,
    },
    /// They took too long.
    TimedOut,
}

/// The outcome of an invocation.
pub type InvokeResult = Result<Answer, InvokeFailure>;
