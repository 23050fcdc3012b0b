//! The timeline: the record of environments, read as spans of phases, as lanes of extensions, and as invocations.
//!
//! Everything here is a pure function of the steps that [`EnvironmentRecord::events`] returns; only its oldest steps may
//! be missing. Without extensions the runtime's end of Init and of an invocation is the phase's end, and no span or
//! number says otherwise.
//!
//! [`EnvironmentRecord::events`]: crate::EnvironmentRecord::events

mod extensions;
mod tax;

use std::sync::Arc;
use std::time::{Duration, Instant};

use hearth_types::{
    ColdParticulars, ColdReason, ColdStart, EnvironmentId, ExtensionName, InjectedFault, RequestId,
};

use crate::record::{LifecycleEvent, PhaseStatus, Report};

pub use self::extensions::{ExtensionLane, ExtensionPhase, ExtensionSpan, extensions};
pub use self::tax::{EnvironmentTax, ExtensionTax, tax};

/// A step with its time, and with the report if it ended an invocation.
pub type Step = (Instant, LifecycleEvent, Option<Report>);

/// What an environment does during a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanPhase {
    /// External extensions start and register; the runtime starts after that.
    ExtensionInit,
    /// The runtime starts.
    RuntimeInit,
    /// The function's static code is loaded. Told apart from runtime init only for runtime clients of Hearth.
    FunctionInit,
    /// Runtime and function init, where they cannot be told apart.
    Init,
    /// The runtime is ready, and some extension isn't.
    ExtensionWait,
    /// An invocation runs.
    Invoke,
    /// The runtime is done with the invocation, and some extension isn't. The environment is busy and it is billed.
    ExtensionOverhead,
    /// Nothing happens; the environment is warm.
    Idle,
    /// The environment is warm, and its processes stand still.
    Frozen,
    /// Processes are being ended, to start afresh.
    Reset,
    /// The environment is being ended; it has no external extension.
    Shutdown,
    /// The runtime is being ended, before external extensions are.
    RuntimeShutdown,
    /// The runtime is gone; external extensions are being ended.
    ExtensionShutdown,
}

impl SpanPhase {
    /// Returns the phase as one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ExtensionInit => "extension-init",
            Self::RuntimeInit => "runtime-init",
            Self::FunctionInit => "function-init",
            Self::Init => "init",
            Self::ExtensionWait => "extension-wait",
            Self::Invoke => "invoke",
            Self::ExtensionOverhead => "extension-overhead",
            Self::Idle => "idle",
            Self::Frozen => "frozen",
            Self::Reset => "reset",
            Self::Shutdown => "shutdown",
            Self::RuntimeShutdown => "runtime-shutdown",
            Self::ExtensionShutdown => "extension-shutdown",
        }
    }
}

/// A stretch of one phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// What.
    pub phase: SpanPhase,
    /// From when.
    pub start: Instant,
    /// Until when; `None` while it lasts.
    pub end: Option<Instant>,
    /// During which invocation.
    pub request_id: Option<RequestId>,
    /// How it ended, for Init and Invoke: in their last span, and in the one where the runtime failed.
    pub status: Option<PhaseStatus>,
}

/// One invocation, with the Init it waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvocationSummary {
    /// Which one.
    pub request_id: RequestId,
    /// Where it ran.
    pub environment: EnvironmentId,
    /// When it was handed to the runtime.
    pub start: Instant,
    /// Its report.
    pub report: Report,
    /// How long the runtime waited for external extensions to register, if this invocation waited for that.
    pub extension_init: Option<Duration>,
    /// How long the runtime took to start, if that is known and belongs to this invocation.
    pub runtime_init: Option<Duration>,
    /// How long the function's code took to load, if that is known and belongs to this invocation.
    pub function_init: Option<Duration>,
    /// How long the ready runtime waited for extensions, if this invocation waited for that.
    pub extension_wait: Option<Duration>,
    /// From when the runtime was done until all extensions were; `None` where there is no extension.
    pub extension_overhead: Option<Duration>,
    /// What each extension that hears of invocations took after the runtime was done; in the order of the lanes.
    pub after_call: Vec<(ExtensionName, Duration)>,
    /// Why it was cold.
    pub why_cold: Option<ColdReason>,
    /// What is known of that besides.
    pub particulars: Option<Arc<ColdParticulars>>,
    /// How long the response was, in bytes; 0 where there was none.
    pub response_bytes: u64,
    /// What went wrong on purpose, in it or in the Inits that it waited for.
    pub injected_faults: Vec<InjectedFault>,
}

impl InvocationSummary {
    /// Why it was cold, with what is known besides.
    pub fn cold_start(&self) -> Option<ColdStart> {
        Some(ColdStart { reason: self.why_cold?, particulars: self.particulars.clone() })
    }
}

/// A fault that was injected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultMark {
    /// When.
    pub at: Instant,
    /// In which invocation, or for which one in Init.
    pub request_id: Option<RequestId>,
    /// What.
    pub fault: InjectedFault,
}

/// Reads the faults that were injected into an environment from its steps, oldest first.
pub fn faults(steps: &[Step]) -> Vec<FaultMark> {
    let mark = |(at, event, _): &Step| match event {
        LifecycleEvent::FaultInjected { request_id, fault } => {
            Some(FaultMark { at: *at, request_id: *request_id, fault: fault.clone() })
        }
        _ => None,
    };
    steps.iter().filter_map(mark).collect()
}

/// Reads steps as spans of the environment, oldest first. [`extensions`] has those of its extensions.
pub fn spans(steps: &[Step]) -> Vec<Span> {
    let lanes = extensions(steps);
    let mut runtime = RuntimeLane {
        spans: Vec::new(),
        has_extensions: !lanes.is_empty(),
        has_external: lanes.iter().any(|lane| lane.is_external == Some(true)),
        runtime_started: false,
    };
    for (at, event, _) in steps {
        runtime.take(*at, event);
    }
    // What takes no time is only worth a span where something was to happen.
    runtime.spans.retain(|span| span.end != Some(span.start) || !span.phase.is_between());
    runtime.spans
}

impl SpanPhase {
    /// Returns whether this is what lies between two phases, which has no meaning if it takes no time.
    const fn is_between(self) -> bool {
        match self {
            Self::Idle | Self::Frozen | Self::ExtensionWait | Self::ExtensionOverhead => true,
            Self::ExtensionInit
            | Self::RuntimeInit
            | Self::FunctionInit
            | Self::Init
            | Self::Invoke
            | Self::Reset
            | Self::Shutdown
            | Self::RuntimeShutdown
            | Self::ExtensionShutdown => false,
        }
    }
}

/// The spans of an environment while its steps are read.
struct RuntimeLane {
    spans: Vec<Span>,
    has_extensions: bool,
    has_external: bool,
    /// In this Init.
    runtime_started: bool,
}

impl RuntimeLane {
    fn take(&mut self, at: Instant, event: &LifecycleEvent) {
        match event {
            LifecycleEvent::InitStarted { .. } => {
                self.runtime_started = false;
                self.begin(SpanPhase::Init, at, None);
            }
            LifecycleEvent::ExtensionStarted { .. } => {
                // Nothing but extensions runs in this Init yet.
                if !self.runtime_started {
                    self.rename(SpanPhase::Init, SpanPhase::ExtensionInit);
                }
            }
            LifecycleEvent::RuntimeStarted => {
                self.runtime_started = true;
                if self.last_phase() == Some(SpanPhase::ExtensionInit) {
                    self.begin(SpanPhase::Init, at, None);
                }
            }
            LifecycleEvent::FunctionInitStarted => {
                self.rename(SpanPhase::Init, SpanPhase::RuntimeInit);
                self.begin(SpanPhase::FunctionInit, at, None);
            }
            LifecycleEvent::RuntimeInitDone { status, .. } if self.has_extensions => {
                self.end(at, Some(status));
                self.begin(SpanPhase::ExtensionWait, at, None);
            }
            LifecycleEvent::InvokeStarted { request_id, .. } => {
                self.begin(SpanPhase::Invoke, at, Some(*request_id));
            }
            LifecycleEvent::RuntimeDone { request_id, status } if self.has_extensions => {
                self.end(at, Some(status));
                self.begin(SpanPhase::ExtensionOverhead, at, Some(*request_id));
            }
            LifecycleEvent::InitDone { status, .. } | LifecycleEvent::InvokeDone { status, .. } => {
                self.end_phase(at, status);
                self.begin(SpanPhase::Idle, at, None);
            }
            LifecycleEvent::Frozen => self.begin(SpanPhase::Frozen, at, None),
            LifecycleEvent::ResetStarted { .. } => self.begin(SpanPhase::Reset, at, None),
            LifecycleEvent::ResetDone => self.begin(SpanPhase::Idle, at, None),
            LifecycleEvent::ShutdownStarted { .. } => {
                let phase = if self.has_external { SpanPhase::RuntimeShutdown } else { SpanPhase::Shutdown };
                self.begin(phase, at, None);
            }
            LifecycleEvent::RuntimeGone { .. } => {
                if self.last_phase() == Some(SpanPhase::RuntimeShutdown) {
                    self.begin(SpanPhase::ExtensionShutdown, at, None);
                }
            }
            LifecycleEvent::ShutdownDone => self.end(at, None),
            LifecycleEvent::ExtensionRegistered { .. }
            | LifecycleEvent::TelemetrySubscribed { .. }
            | LifecycleEvent::ExtensionReady { .. }
            | LifecycleEvent::RuntimeInitDone { .. }
            | LifecycleEvent::ExtensionReported { .. }
            | LifecycleEvent::ResponseSent { .. }
            | LifecycleEvent::RuntimeDone { .. }
            | LifecycleEvent::ExtensionDone { .. }
            | LifecycleEvent::RuntimeTerminated
            | LifecycleEvent::ExtensionShutdownSent { .. }
            | LifecycleEvent::FaultInjected { .. }
            | LifecycleEvent::ExtensionUsed { .. }
            | LifecycleEvent::ExtensionGone { .. } => {}
        }
    }

    fn last_phase(&self) -> Option<SpanPhase> {
        self.spans.last().filter(|span| span.end.is_none()).map(|span| span.phase)
    }

    fn rename(&mut self, from: SpanPhase, to: SpanPhase) {
        if self.last_phase() == Some(from)
            && let Some(last) = self.spans.last_mut()
        {
            last.phase = to;
        }
    }

    fn begin(&mut self, phase: SpanPhase, start: Instant, request_id: Option<RequestId>) {
        self.end(start, None);
        self.spans.push(Span { phase, start, end: None, request_id, status: None });
    }

    fn end(&mut self, at: Instant, status: Option<&PhaseStatus>) {
        if let Some(last) = self.spans.last_mut().filter(|span| span.end.is_none()) {
            last.end = Some(at);
            last.status = status.cloned().or(last.status.take());
        }
    }

    /// Ends Init or Invoke. Where that took no longer than the runtime's part, its status is that part's, too.
    fn end_phase(&mut self, at: Instant, status: &PhaseStatus) {
        self.end(at, Some(status));
        if let [.., runtime, extensions] = self.spans.as_mut_slice()
            && matches!(extensions.phase, SpanPhase::ExtensionWait | SpanPhase::ExtensionOverhead)
            && extensions.start == at
        {
            runtime.status = Some(status.clone());
        }
    }
}

/// Reads the finished invocations of an environment from its steps, oldest first.
pub fn invocations(environment: EnvironmentId, steps: &[Step]) -> Vec<InvocationSummary> {
    let lanes = extensions(steps);
    let mut summaries = Vec::new();
    let mut init = InitTimes::default();
    let mut init_parts = InitParts::default();
    let mut running = None;
    let mut runtime_done = None;
    let mut injected_faults = Vec::new();
    let mut response_bytes = 0;
    for (at, event, report) in steps {
        match event {
            LifecycleEvent::InitStarted { .. } => {
                init = InitTimes { started: Some(*at), ..InitTimes::default() };
                init_parts = InitParts::default();
            }
            LifecycleEvent::ExtensionStarted { .. } => init.is_with_external = true,
            LifecycleEvent::RuntimeStarted => init.runtime_started = Some(*at),
            LifecycleEvent::FunctionInitStarted => init.function_init_started = Some(*at),
            LifecycleEvent::RuntimeInitDone { .. } => init.runtime_done = Some(*at),
            LifecycleEvent::InitDone { .. } => init_parts = init.parts(*at, !lanes.is_empty()),
            LifecycleEvent::InvokeStarted { why_cold, particulars, .. } => {
                running = Some((*at, *why_cold, particulars.clone()));
                (runtime_done, response_bytes) = (None, 0);
            }
            LifecycleEvent::ResponseSent { bytes, .. } => response_bytes = *bytes as u64,
            LifecycleEvent::RuntimeDone { .. } => runtime_done = Some(*at),
            LifecycleEvent::FaultInjected { fault, .. } => injected_faults.push(fault.clone()),
            LifecycleEvent::InvokeDone { request_id, .. } => {
                if let (Some((start, why_cold, particulars)), Some(report)) = (running.take(), report) {
                    let overhead = at.saturating_duration_since(runtime_done.unwrap_or(*at));
                    let parts = std::mem::take(&mut init_parts);
                    summaries.push(InvocationSummary {
                        request_id: *request_id,
                        environment,
                        start,
                        report: report.clone(),
                        extension_init: parts.extension_init,
                        runtime_init: parts.runtime_init,
                        function_init: parts.function_init,
                        extension_wait: parts.extension_wait,
                        extension_overhead: (!lanes.is_empty()).then_some(overhead),
                        after_call: lanes
                            .iter()
                            .filter_map(|lane| Some((lane.name.clone(), lane.after_call(*request_id)?)))
                            .collect(),
                        why_cold,
                        injected_faults: std::mem::take(&mut injected_faults),
                        particulars,
                        response_bytes,
                    });
                }
            }
            LifecycleEvent::ExtensionRegistered { .. }
            | LifecycleEvent::TelemetrySubscribed { .. }
            | LifecycleEvent::ExtensionReady { .. }
            | LifecycleEvent::ExtensionReported { .. }
            | LifecycleEvent::ExtensionDone { .. }
            | LifecycleEvent::Frozen
            | LifecycleEvent::ResetStarted { .. }
            | LifecycleEvent::ResetDone
            | LifecycleEvent::ShutdownStarted { .. }
            | LifecycleEvent::RuntimeTerminated
            | LifecycleEvent::RuntimeGone { .. }
            | LifecycleEvent::ExtensionShutdownSent { .. }
            | LifecycleEvent::ExtensionUsed { .. }
            | LifecycleEvent::ExtensionGone { .. }
            | LifecycleEvent::ShutdownDone => {}
        }
    }
    summaries
}

/// The moments of an Init.
#[derive(Debug, Default)]
struct InitTimes {
    started: Option<Instant>,
    is_with_external: bool,
    runtime_started: Option<Instant>,
    function_init_started: Option<Instant>,
    runtime_done: Option<Instant>,
}

/// How long the parts of an Init took, as far as they are known.
#[derive(Debug, Default)]
struct InitParts {
    extension_init: Option<Duration>,
    runtime_init: Option<Duration>,
    function_init: Option<Duration>,
    extension_wait: Option<Duration>,
}

impl InitTimes {
    fn parts(&self, done: Instant, has_extensions: bool) -> InitParts {
        let between = |from: Option<Instant>, to: Option<Instant>| Some(to?.saturating_duration_since(from?));
        let runtime_began = if self.is_with_external { self.runtime_started } else { self.started };
        let runtime_done = self.runtime_done.filter(|_| has_extensions).or(Some(done));
        let function_init = between(self.function_init_started, runtime_done);
        InitParts {
            extension_init: between(self.started, runtime_began).filter(|_| self.is_with_external),
            runtime_init: between(runtime_began, self.function_init_started),
            function_init,
            extension_wait: between(self.runtime_done, Some(done)).filter(|_| has_extensions),
        }
    }
}

#[cfg(test)]
mod tests;
