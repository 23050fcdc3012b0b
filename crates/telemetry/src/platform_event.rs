//! What the platform says about an environment: one value for each thing it says, before anybody gave it a shape.
//!
//! Text lines ([`crate::lines`]), JSON log lines and telemetry ([`crate::platform_json`]) are three shapes of the same
//! value, so their numbers agree. The values come from [`crate::derive`] alone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hearth_types::{
    ExtensionEvents, ExtensionName, ExtensionState, InjectedFault, LogLevel, RequestId, TraceHeader,
};

use crate::record::{InitPhase, PhaseStatus, Report, SubscriptionApi, TelemetryTypes};

/// One thing that the platform says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PlatformEvent {
    /// Init began.
    InitStart { phase: InitPhase },
    /// A function is being restored from a snapshot.
    RestoreStart,
    /// Its runtime is back, and its hooks have run.
    RestoreRuntimeDone { status: PhaseStatus },
    /// It is restored, or is not.
    RestoreReport { status: PhaseStatus, duration: Duration },
    /// The Init of runtime and function ended.
    InitRuntimeDone { phase: InitPhase, status: PhaseStatus },
    /// Init ended.
    InitReport { phase: InitPhase, status: PhaseStatus, duration: Duration },
    /// An invocation was handed to the runtime.
    Start { request_id: RequestId, trace: Option<Arc<TraceHeader>> },
    /// The runtime is done with an invocation.
    RuntimeDone {
        request_id: RequestId,
        status: PhaseStatus,
        /// Only when there was an answer.
        answer: Option<AnswerMeasures>,
        trace: Option<Arc<TraceHeader>>,
    },
    /// An invocation ended with its process: only the Logs API tells it apart.
    Fault { request_id: RequestId },
    /// An invocation ended. In text it is two lines, and the Logs API has two events for it.
    Report {
        request_id: RequestId,
        report: Report,
        /// Only when an extension has registered for invocations.
        extension_overhead: Option<Span>,
        trace: Option<Arc<TraceHeader>>,
    },
    /// How an extension came out of Init.
    Extension {
        name: ExtensionName,
        state: ExtensionState,
        events: ExtensionEvents,
        error_type: Option<String>,
    },
    /// An extension subscribed to telemetry.
    Subscription { name: ExtensionName, api: SubscriptionApi, types: TelemetryTypes },
    /// A subscriber did not get everything.
    LogsDropped(Dropped),
    /// Something goes wrong on purpose. AWS has nothing like it: only the function's log tells.
    FaultInjected { request_id: Option<RequestId>, fault: InjectedFault },
}

/// What the runtime's answer took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AnswerMeasures {
    /// From the event until the runtime was done.
    pub(crate) duration: Duration,
    pub(crate) produced_bytes: usize,
    /// `responseLatency`, `responseDuration`, `runtimeOverhead`: one begins where the other ends.
    pub(crate) spans: [Span; 3],
}

/// A named stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) name: &'static str,
    pub(crate) began: Instant,
    pub(crate) duration: Duration,
}

impl Span {
    pub(crate) fn new(name: &'static str, began: Instant, ended: Instant) -> Self {
        Self { name, began, duration: ended.saturating_duration_since(began) }
    }
}

/// How much telemetry was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Dropped {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

impl Dropped {
    pub(crate) fn add(&mut self, other: Self) {
        self.records += other.records;
        self.bytes += other.bytes;
    }

    /// Counts one more record.
    pub(crate) fn count(&mut self, bytes: usize) {
        self.add(Self { records: 1, bytes: bytes as u64 });
    }

    pub(crate) fn is_none(&self) -> bool {
        self.records == 0
    }
}

impl PlatformEvent {
    /// Returns the level of its line in the JSON log format. Source: table "System log level event mapping" of the
    /// Lambda Developer Guide, read 2026-11; extensions and subscriptions are not in it.
    pub(crate) fn level(&self, has_runtime_version: bool) -> LogLevel {
        let or_warn = |is_well: bool, level: LogLevel| if is_well { level } else { LogLevel::Warn };
        match self {
            Self::InitStart { .. } | Self::RestoreStart if has_runtime_version => LogLevel::Info,
            Self::InitStart { .. } | Self::RestoreStart => LogLevel::Debug,
            Self::RestoreReport { status, .. } => or_warn(*status == PhaseStatus::Success, LogLevel::Info),
            Self::RestoreRuntimeDone { status }
            | Self::InitRuntimeDone { status, .. }
            | Self::InitReport { status, .. }
            | Self::RuntimeDone { status, .. } => or_warn(*status == PhaseStatus::Success, LogLevel::Debug),
            Self::Start { .. } | Self::Subscription { .. } => LogLevel::Info,
            Self::Report { report, .. } => or_warn(report.status == PhaseStatus::Success, LogLevel::Info),
            Self::Extension { error_type, .. } => or_warn(error_type.is_none(), LogLevel::Info),
            Self::Fault { .. } | Self::LogsDropped(_) | Self::FaultInjected { .. } => LogLevel::Warn,
        }
    }
}
