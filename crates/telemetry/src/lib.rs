//! What is recorded around an invocation: lifecycle events, the log lines and bills derived from them, the output of
//! functions, and the logs on disk.
//!
//! Every phase change is one [`LifecycleEvent`] with a monotonic time. Everything else reads those: the platform lines
//! ([`lines`]), the telemetry of subscribers ([`Subscription`]), billing ([`billing`]), the timeline ([`timeline`]), and by way
//! of the [`Feed`] the journal of invocations ([`journal`]), metrics and traces. Nothing is measured twice. What an Init
//! imports is told by the runtime client, where somebody asks for it ([`imports`]).

mod application_level;
pub mod billing;
mod capture;
mod clock;
mod cold_start_line;
mod derive;
mod environment;
mod feed;
mod function_log;
pub mod imports;
pub mod journal;
pub mod lines;
mod logs;
mod platform_event;
mod platform_json;
#[cfg(test)]
mod platform_tests;
mod record;
mod subscription;
pub mod timeline;

pub use capture::OutputCapture;
pub use clock::Clock;
pub use environment::{EnvironmentTelemetry, FunctionIdentity};
pub use feed::{EnvironmentStep, Feed, FinishedInvocation, Listener, News};
pub use logs::{
    EVENT_OVERHEAD_BYTES, EventPage, EventQuery, LogEvent, LogGroup, LogPage, LogStore, LogStoreError,
    LogStoreSettings, LogStream, PageBounds, Position, PutEvent, StreamSelection,
};
pub use record::{
    EnvironmentFacts, EnvironmentRecord, InitPhase, LifecycleEvent, PhaseStatus, Recorder, Report,
    ResetReason, Restore, ShutdownReason, SubscriptionApi, TelemetryTypes,
};
pub use subscription::{OpenSocket, Subscription, SubscriptionError};
