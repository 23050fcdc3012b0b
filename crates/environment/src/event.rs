//! What can happen to an environment, and what can be done about it.

use std::time::Instant;

use bytes::Bytes;
use hearth_sandbox::ExitStatus;
use hearth_telemetry::{LifecycleEvent, ShutdownReason, SubscriptionApi, TelemetryTypes};
use hearth_types::{ExtensionId, ExtensionName, RequestId};

use crate::extensions::{ExtensionReport, ProgramNumber};
use crate::fatal_error::FatalError;
use crate::injected_fault::Victim;
use crate::invocation::{AnswerKind, Invocation, InvokeFailure};
use crate::runtime_state::Rejection;

/// What can happen to an environment. Runtime, kernel, clock and pool speak in any order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The pool has made the environment.
    Init,
    /// The pool gives it an invocation.
    Invoke(Box<Invocation>),
    /// The process of an external extension runs.
    ExtensionStarted(ProgramNumber),
    /// The process of an external extension could not be started.
    ExtensionStartFailed {
        /// Which one.
        program: ProgramNumber,
        /// The error number of the system call that failed.
        errno: i32,
    },
    /// The process of an external extension ended.
    ExtensionExited {
        /// Which one.
        program: ProgramNumber,
        /// How.
        status: ExitStatus,
        /// Whether because memory had run out.
        was_out_of_memory: bool,
    },
    /// An extension registers.
    ExtensionRegisters {
        /// With this name.
        name: ExtensionName,
        /// What it will be known by.
        id: ExtensionId,
        /// For these events, as it writes them.
        events: Vec<String>,
    },
    /// An extension asks for an event.
    ExtensionNext(ExtensionId),
    /// An extension reports an error.
    ExtensionReports {
        /// Which one.
        id: ExtensionId,
        /// In Init, or because it is going to exit.
        report: ExtensionReport,
        /// The sanitised error type.
        error_type: String,
        /// What it says, for the caller.
        message: Option<String>,
    },
    /// An extension begins to subscribe to telemetry: whether it may.
    SubscriptionBegins {
        /// Which one.
        id: ExtensionId,
        /// How.
        api: SubscriptionApi,
    },
    /// An extension subscribes to telemetry.
    ExtensionSubscribes {
        /// Which one.
        id: ExtensionId,
        /// How.
        api: SubscriptionApi,
        /// To what.
        types: TelemetryTypes,
    },
    /// The runtime's process runs.
    RuntimeStarted,
    /// The runtime's process could not be started.
    RuntimeStartFailed(FatalError),
    /// The runtime's process ended.
    RuntimeExited {
        /// How.
        status: ExitStatus,
        /// Whether because memory had run out.
        was_out_of_memory: bool,
    },
    /// The runtime asks for an event.
    Next {
        /// When it began to load the function's code, if it says so.
        function_init_started: Option<Instant>,
        /// Who has the event of the running invocation, if one runs.
        holder: EventHolder,
    },
    /// The runtime begins to report that Init failed.
    InitErrorBegins,
    /// The runtime reports that Init failed.
    InitError {
        /// When it began to load the function's code, if it says so.
        function_init_started: Option<Instant>,
        /// The sanitised error type.
        error_type: String,
        /// The report, for the caller.
        payload: Bytes,
    },
    /// The runtime begins to send a response or an error for a request id.
    AnswerBegins {
        /// The id, if it was one.
        request_id: Option<RequestId>,
        /// Response or error.
        kind: AnswerKind,
    },
    /// The response or error is complete.
    AnswerArrived(RuntimeAnswer),
    /// It may be time for the deadline.
    DeadlineReached,
    /// Nothing runs in the sandbox any more.
    AllGone,
    /// The sandbox broke.
    SandboxLost,
    /// The pool ends the environment.
    ShutDown(ShutdownReason),
}

/// What an extension is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExtensionEvent {
    /// An invocation begins.
    Invoke(Box<Invocation>),
    /// The environment ends, or is reset.
    Shutdown {
        /// Why.
        reason: ShutdownEventReason,
        /// When it is killed.
        deadline: Instant,
    },
}

/// Why extensions are shut down, as the event `SHUTDOWN` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShutdownEventReason {
    /// The environment is not needed any more.
    Spindown,
    /// Init or an invocation took too long.
    Timeout,
    /// Something failed.
    Failure,
}

impl ShutdownEventReason {
    /// Returns the word of the event.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Spindown => "spindown",
            Self::Timeout => "timeout",
            Self::Failure => "failure",
        }
    }
}

/// Who has the event of the running invocation, seen from a connection that asks for an event.
///
/// The connection is all that tells a runtime that has lost its event from one with threads. Whether it is still open says
/// nothing: many clients use a new one for each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventHolder {
    /// The connection that asks; or nobody, because there was no connection to hand it to.
    AskerOrNobody,
    /// Another connection.
    Another,
}

/// What the runtime sent after [`Event::AnswerBegins`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuntimeAnswer {
    /// A whole response.
    Response(Bytes),
    /// A whole error report.
    Error {
        /// The sanitised error type.
        error_type: String,
        /// The report, for the caller.
        payload: Bytes,
    },
    /// The end of a response that went to the caller as it came.
    Streamed {
        /// How many bytes of it came.
        bytes: usize,
        /// Why it is not complete, if it is not.
        failure: Option<StreamFailure>,
    },
    /// A response over the limit.
    TooLarge,
    /// A body that ended early.
    Truncated,
    /// A response with an unknown response mode.
    InvalidResponseMode,
}

/// Why a response that went to the caller as it came is not complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamFailure {
    /// The runtime says so, in trailers.
    Reported {
        /// The sanitised error type.
        error_type: String,
        /// The report, for the caller.
        payload: Bytes,
    },
    /// It grew over the limit.
    TooLarge,
    /// It ended early.
    Truncated,
}

/// What has to be done about it, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Processes are going to be started: what earlier ones still say counts no more.
    Renew,
    /// Start the program of an external extension.
    StartExtension(ProgramNumber),
    /// Start the runtime.
    Boot,
    /// Ask the runtime to end, with `SIGTERM`.
    TerminateRuntime,
    /// Kill the runtime.
    KillRuntime,
    /// Kill an external extension.
    KillExtension(ProgramNumber),
    /// Stop a process, with `SIGSTOP`.
    Stop(Victim),
    /// Let a stopped process go on.
    Continue(Victim),
    /// Kill every process; [`Event::AllGone`] has to follow.
    KillAll,
    /// Hand the running invocation to a parked `/next`.
    Deliver(Box<Invocation>),
    /// Hand an event to an extension: to its parked `event/next`, or to the next one.
    Notify {
        /// Which one.
        extension: ExtensionId,
        /// What.
        event: ExtensionEvent,
    },
    /// Let an extension have the telemetry that it asks for.
    Subscribe(ExtensionName),
    /// Answer the caller.
    Answer {
        /// Response or error.
        kind: AnswerKind,
        /// The body.
        payload: Bytes,
    },
    /// Tell the caller that the service failed.
    AnswerFailure(InvokeFailure),
    /// Make all processes stand still, and record it.
    Freeze,
    /// Let all processes go on.
    Thaw,
    /// Send subscribers of telemetry what waits for them.
    HurrySubscribers,
    /// Record a step.
    Record(LifecycleEvent),
    /// Record a step that happened a little earlier.
    RecordAt(Instant, LifecycleEvent),
    /// See to it that [`Event::DeadlineReached`] comes at this time.
    SetDeadline(Instant),
    /// The request of the runtime or an extension is accepted.
    Accept,
    /// The request of the runtime or an extension is refused.
    Reject(Rejection),
    /// The `/next` or `event/next` waits until there is an event.
    Park,
    /// The invocation is over: the pool may give another one.
    Settled,
    /// The environment is gone: the pool has to forget it.
    Gone,
}
