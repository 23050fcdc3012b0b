//! The record: every phase change of every environment, as typed events with monotonic times, bounded.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hearth_types::{
    Architecture, ColdParticulars, ColdReason, EnvironmentId, ExtensionEvents, ExtensionName, ExtensionState,
    FunctionName, InitializationType, InjectedFault, LogGroupName, LogStreamName, ProcessUsage, RequestId,
    Runtime, TraceHeader, Version,
};

/// How many events an environment keeps; older ones go first. About 50 bytes each, so 25 KiB an environment.
const EVENTS_MAX: usize = 512;
/// How many ended environments are kept for the timeline.
const ENDED_ENVIRONMENTS_MAX: usize = 256;

/// In which phase an Init runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InitPhase {
    /// Ahead of the first invocation, under Init's own limit.
    Init,
    /// Repeated as the first part of an invocation, under the function's time-out.
    Invoke,
    /// No Init at all, but what takes its place: an initialised function is restored from a snapshot.
    Restore,
}

impl InitPhase {
    /// Returns the word AWS uses for it in logs and telemetry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Invoke => "invoke",
            Self::Restore => "restore",
        }
    }
}

/// How a phase ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PhaseStatus {
    /// As it should.
    Success,
    /// Its limit was reached.
    Timeout,
    /// The runtime or the function failed.
    Error {
        /// Such as `Runtime.ExitError`.
        error_type: String,
    },
    /// The service failed.
    Failure,
}

impl PhaseStatus {
    /// Returns the word AWS uses for it in telemetry.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Timeout => "timeout",
            Self::Error { .. } => "error",
            Self::Failure => "failure",
        }
    }

    /// Returns the error type, if there is one.
    pub fn error_type(&self) -> Option<&str> {
        match self {
            Self::Error { error_type } => Some(error_type),
            Self::Success | Self::Timeout | Self::Failure => None,
        }
    }
}

/// Why an environment was shut down, as the pool says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShutdownReason {
    /// Nobody called for the idle time-out.
    IdleTimeout,
    /// The function has new code or configuration.
    FunctionUpdated,
    /// The function is gone.
    FunctionDeleted,
    /// Another function needed the room.
    Evicted,
    /// The server stops.
    ServerStops,
    /// The sandbox broke.
    SandboxLost,
    /// It was provisioned, and is no longer wanted, or has to be made anew.
    Unprovisioned,
    /// It was made for its Init to be measured, and that is done.
    Measured,
    /// It was made for a snapshot to be taken of it, and that is done.
    SnapshotTaken,
}

/// Why the processes of an environment are ended, to start afresh with the next invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetReason {
    /// Init or an invocation took too long.
    Timeout,
    /// Something failed: runtime, extension or Init.
    Failure,
}

impl ResetReason {
    /// Returns the reason of a reset after a phase that ended like this.
    pub fn of(status: &PhaseStatus) -> Self {
        match status {
            PhaseStatus::Timeout => Self::Timeout,
            PhaseStatus::Success | PhaseStatus::Error { .. } | PhaseStatus::Failure => Self::Failure,
        }
    }
}

/// With which of its two interfaces an extension asks for telemetry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionApi {
    /// The Telemetry API.
    Telemetry,
    /// The Logs API, which came before it.
    Logs,
}

/// Which telemetry an extension asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TelemetryTypes {
    /// What the platform says.
    pub platform: bool,
    /// What the function puts out.
    pub function: bool,
    /// What extensions put out.
    pub extension: bool,
}

impl TelemetryTypes {
    /// Returns their names as telemetry spells them, in AWS's order.
    pub fn names(self) -> Vec<&'static str> {
        let all = [(self.platform, "platform"), (self.function, "function"), (self.extension, "extension")];
        all.into_iter().filter(|(wanted, _)| *wanted).map(|(_, name)| name).collect()
    }
}

/// What an invocation used: the numbers of its REPORT line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// From the start of the event's delivery until the runtime was done; a repeated Init counts.
    pub duration: Duration,
    /// What is billed, in ms.
    pub billed_ms: u64,
    /// What the function is configured with, in MB.
    pub memory_size_mb: u32,
    /// The high-water mark of the environment, in MB; never above the memory size.
    pub max_memory_used_mb: u64,
    /// The Init phase before it: only in the first invocation of an environment.
    pub init_duration: Option<Duration>,
    /// The restore before it: only in the first invocation of an environment that began from a snapshot.
    pub restore: Option<Restore>,
    /// How it ended.
    pub status: PhaseStatus,
}

/// What it took to restore a function from a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restore {
    /// All of it.
    pub duration: Duration,
    /// What of it is billed, in ms: from when its process ran.
    pub billed_ms: u64,
}

/// One step in the life of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LifecycleEvent {
    /// Init began.
    InitStarted {
        /// Ahead of an invocation or within one.
        phase: InitPhase,
    },
    /// The process of an external extension runs.
    ExtensionStarted {
        /// Which one.
        extension: ExtensionName,
    },
    /// An extension has registered.
    ExtensionRegistered {
        /// Which one.
        extension: ExtensionName,
        /// Whether it is a process of its own.
        is_external: bool,
        /// What for.
        events: ExtensionEvents,
    },
    /// An extension has subscribed to telemetry.
    TelemetrySubscribed {
        /// Which one.
        extension: ExtensionName,
        /// How.
        api: SubscriptionApi,
        /// To what.
        types: TelemetryTypes,
    },
    /// An extension asked for its first event: its Init is done.
    ExtensionReady {
        /// Which one.
        extension: ExtensionName,
    },
    /// The runtime's process runs.
    RuntimeStarted,
    /// The runtime began to load the function's code; only runtime clients of Hearth tell.
    FunctionInitStarted,
    /// The Init of runtime and function ended. Extensions may not be ready yet.
    RuntimeInitDone {
        /// Ahead of an invocation or within one.
        phase: InitPhase,
        /// How.
        status: PhaseStatus,
    },
    /// How an extension came out of Init; one for each, right before [`Self::InitDone`].
    ExtensionReported {
        /// Which one.
        extension: ExtensionName,
        /// How far it is.
        state: ExtensionState,
        /// What it has registered for.
        events: ExtensionEvents,
        /// Such as `Extension.Crash`, if it failed.
        error_type: Option<String>,
    },
    /// Init ended.
    InitDone {
        /// Ahead of an invocation or within one.
        phase: InitPhase,
        /// How.
        status: PhaseStatus,
    },
    /// An invocation was handed to the runtime.
    InvokeStarted {
        /// Which one.
        request_id: RequestId,
        /// Why it had to wait for Init; `None` when it was warm.
        why_cold: Option<ColdReason>,
        /// What is known of that besides.
        particulars: Option<Arc<ColdParticulars>>,
        /// The trace it belongs to, if that is sampled.
        trace: Option<TraceHeader>,
        /// When it came to the pool of environments.
        arrived: Instant,
    },
    /// The runtime has answered; the caller has the response.
    ResponseSent {
        /// When its first byte came.
        began: Instant,
        /// How long it is, in bytes.
        bytes: usize,
    },
    /// The runtime is done with the invocation: it waits for the next one, or will never. Extensions may still work.
    RuntimeDone {
        /// Which one.
        request_id: RequestId,
        /// How.
        status: PhaseStatus,
    },
    /// An extension is done with the invocation: it waits for the next event.
    ExtensionDone {
        /// Which one.
        extension: ExtensionName,
    },
    /// The invocation ended.
    InvokeDone {
        /// Which one.
        request_id: RequestId,
        /// How.
        status: PhaseStatus,
        /// The environment's memory high-water mark, in bytes.
        memory_bytes_max: u64,
    },
    /// Nobody calls: all processes stand still, until something is to be done.
    Frozen,
    /// The processes are being ended, to start afresh with the next invocation.
    ResetStarted {
        /// Why.
        reason: ResetReason,
    },
    /// Nothing runs in the environment any more.
    ResetDone,
    /// The environment is being ended.
    ShutdownStarted {
        /// Why.
        reason: ShutdownReason,
    },
    /// The runtime was told to end (`SIGTERM`).
    RuntimeTerminated,
    /// The runtime is gone, in a shutdown or reset.
    RuntimeGone {
        /// Whether it had to be killed.
        killed: bool,
    },
    /// An extension was told to end: it has the event `SHUTDOWN`, or will have it when it asks.
    ExtensionShutdownSent {
        /// Which one.
        extension: ExtensionName,
        /// When it is killed.
        deadline: Instant,
    },
    /// The process of an external extension is gone, in a shutdown or reset.
    ExtensionGone {
        /// Which one.
        extension: ExtensionName,
        /// Whether it had to be killed.
        killed: bool,
    },
    /// Somebody wanted something to go wrong, and it does from here on.
    FaultInjected {
        /// The invocation that runs, or that waits for Init.
        request_id: Option<RequestId>,
        /// What.
        fault: InjectedFault,
    },
    /// The process of an external extension has ended, and this is what it used.
    ExtensionUsed {
        /// Which one.
        extension: ExtensionName,
        /// What.
        usage: ProcessUsage,
    },
    /// The environment is gone.
    ShutdownDone,
}

/// What an environment is made for and with: it stays so for all of its life.
#[derive(Debug, Clone)]
pub struct EnvironmentFacts {
    /// Its id.
    pub id: EnvironmentId,
    /// Whose environment it is.
    pub function: FunctionName,
    /// Which version it runs.
    pub version: Version,
    /// Where its log stream is.
    pub log_group: LogGroupName,
    /// Its log stream.
    pub log_stream: LogStreamName,
    /// When it was made, in milliseconds since 1970.
    pub created_epoch_ms: i64,
    /// Why it had to be made.
    pub why_created: ColdReason,
    /// Whether it was made for a call or ahead of calls.
    pub initialization_type: InitializationType,
    /// What its function is built for.
    pub architecture: Architecture,
    /// What it is configured with, in MB.
    pub memory_size_mb: u32,
    /// The size of its `/tmp`, in MB.
    pub ephemeral_storage_mb: u32,
    /// What runs the handler.
    pub runtime: Runtime,
    /// Whether its runtime had been booted ahead of its first Init.
    pub is_prebooted: bool,
}

/// The record of one environment.
#[derive(Debug)]
pub struct EnvironmentRecord {
    /// What it is made for and with.
    pub facts: EnvironmentFacts,
    invocations: AtomicU64,
    events: Mutex<VecDeque<(Instant, LifecycleEvent, Option<Report>)>>,
}

impl EnvironmentRecord {
    /// Adds a step, with the report that was derived from it if it ended an invocation.
    pub(crate) fn push(&self, at: Instant, event: LifecycleEvent, report: Option<Report>) {
        if matches!(event, LifecycleEvent::InvokeStarted { .. }) {
            self.invocations.fetch_add(1, Ordering::Relaxed);
        }
        let mut events = self.lock();
        if events.len() == EVENTS_MAX {
            events.pop_front();
        }
        events.push_back((at, event, report));
    }

    /// Returns how many invocations it has had.
    pub fn invocations(&self) -> u64 {
        self.invocations.load(Ordering::Relaxed)
    }

    /// Returns the steps that are kept, oldest first.
    pub fn events(&self) -> Vec<(Instant, LifecycleEvent, Option<Report>)> {
        self.lock().iter().cloned().collect()
    }

    /// Returns the last step.
    pub fn last_event(&self) -> Option<LifecycleEvent> {
        self.lock().back().map(|(_, event, _)| event.clone())
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Instant, LifecycleEvent, Option<Report>)>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The records of all environments: those that live, and the last ones that ended.
#[derive(Debug, Default)]
pub struct Recorder {
    environments: Mutex<VecDeque<Arc<EnvironmentRecord>>>,
}

impl Recorder {
    /// Begins the record of a new environment.
    pub fn begin(&self, facts: EnvironmentFacts) -> Arc<EnvironmentRecord> {
        let record =
            Arc::new(EnvironmentRecord { facts, invocations: AtomicU64::new(0), events: Mutex::default() });
        let mut environments = self.lock();
        let has_ended =
            |record: &EnvironmentRecord| matches!(record.last_event(), Some(LifecycleEvent::ShutdownDone));
        if environments.len() > ENDED_ENVIRONMENTS_MAX {
            // Looks from the oldest on, and finds one at once unless that many environments live.
            if let Some(at) = environments.iter().position(|record| has_ended(record)) {
                environments.remove(at);
            }
        }
        environments.push_back(record.clone());
        record
    }

    /// Returns the records of a function, or of all, in the order in which the environments were made.
    pub fn environments(&self, function: Option<&FunctionName>) -> Vec<Arc<EnvironmentRecord>> {
        let of_function =
            |record: &&Arc<EnvironmentRecord>| function.is_none_or(|name| record.facts.function == *name);
        self.lock().iter().filter(of_function).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<EnvironmentRecord>>> {
        self.environments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
