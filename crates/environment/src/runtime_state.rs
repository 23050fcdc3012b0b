//! How far the runtime is in its conversation, under the names that error texts of the Runtime API use.

use std::fmt;

use crate::extensions::ExtensionRejection;

/// The runtime's state. Source: state machine of AWS's open runtime interface emulator, read 2026-11.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuntimeState {
    /// Started; it has not asked for an event yet.
    Started,
    /// It has reported that its Init failed.
    InitError,
    /// It waits for an event, or may ask for one.
    Ready,
    /// It has an event and has not answered.
    Running,
    /// It is sending its response.
    InvocationResponse,
    /// It is sending an error.
    InvocationErrorResponse,
    /// It has answered, and has not asked for the next event.
    ResponseSent,
}

impl fmt::Display for RuntimeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Started => "Started",
            Self::InitError => "InitError",
            Self::Ready => "Ready",
            Self::Running => "Running",
            Self::InvocationResponse => "InvocationResponse",
            Self::InvocationErrorResponse => "InvocationErrorResponse",
            Self::ResponseSent => "RuntimeResponseSentState",
        })
    }
}

/// Why a request of the runtime, or of an extension, is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// The request id is not the one of the running invocation.
    InvalidRequestId,
    /// The runtime may not do that now.
    InvalidStateTransition {
        /// Where it is.
        from: RuntimeState,
        /// Where it wanted to go.
        to: RuntimeState,
    },
    /// The response is larger than allowed. The runtime lives on.
    ResponseTooLarge {
        /// How large it may be.
        bytes_max: usize,
    },
    /// The body ended before its announced length.
    Truncated,
    /// The header `Lambda-Runtime-Function-Response-Mode` has an unknown value.
    InvalidResponseMode,
    /// The environment is being reset or ended.
    Ending,
    /// The request of an extension is refused.
    Extension(ExtensionRejection),
}
