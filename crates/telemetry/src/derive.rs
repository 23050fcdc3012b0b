//! From the record's events to what the platform says of them: the only place where anything is measured.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hearth_types::{InitializationType, RequestId, TraceHeader};

use crate::billing;
use crate::platform_event::{AnswerMeasures, PlatformEvent, Span};
use crate::record::{InitPhase, LifecycleEvent, PhaseStatus, Report, Restore};

/// What has to be remembered from one event to the next.
#[derive(Debug)]
pub(crate) struct Derivation {
    memory_size_mb: u32,
    initialization_type: InitializationType,
    init_started: Option<Instant>,
    /// Set by an Init that went well ahead of an invocation, on demand; the first REPORT takes it. That of a provisioned
    /// environment is billed apart from every invocation.
    init_duration: Option<Duration>,
    /// Set by a restore that went well; the first REPORT takes it.
    restore: Option<Restore>,
    /// When the process ran that is being restored.
    restore_runs: Option<Instant>,
    /// From when the running invocation's duration counts.
    counts_from: Option<Instant>,
    running: Option<Running>,
    /// Whether the end of an invocation waits for extensions.
    extensions_take_part: bool,
}

/// The running invocation.
#[derive(Debug)]
struct Running {
    started: Instant,
    trace: Option<Arc<TraceHeader>>,
    answer: Option<Sent>,
    runtime_done: Option<Instant>,
}

/// The runtime's answer.
#[derive(Debug)]
struct Sent {
    began: Instant,
    ended: Instant,
    bytes: usize,
}

impl Derivation {
    pub(crate) fn new(memory_size_mb: u32, initialization_type: InitializationType) -> Self {
        Self {
            memory_size_mb,
            initialization_type,
            init_started: None,
            init_duration: None,
            restore: None,
            restore_runs: None,
            counts_from: None,
            running: None,
            extensions_take_part: false,
        }
    }

    /// Tells `say` what follows from a step; returns the report, if it ended an invocation.
    pub(crate) fn take(
        &mut self,
        at: Instant,
        event: &LifecycleEvent,
        mut say: impl FnMut(PlatformEvent),
    ) -> Option<Report> {
        match event {
            LifecycleEvent::InitStarted { phase: InitPhase::Restore } => {
                self.init_started = Some(at);
                self.restore_runs = None;
                say(PlatformEvent::RestoreStart);
            }
            LifecycleEvent::RuntimeStarted => self.restore_runs = Some(at),
            LifecycleEvent::RuntimeInitDone { phase: InitPhase::Restore, status } => {
                say(PlatformEvent::RestoreRuntimeDone { status: status.clone() });
            }
            LifecycleEvent::InitDone { phase: InitPhase::Restore, status } => {
                let started = self.init_started.take().unwrap_or(at);
                if *status == PhaseStatus::Success {
                    let billed = at.saturating_duration_since(self.restore_runs.unwrap_or(started));
                    let (duration, billed_ms) = (at - started, billing::billed_ms(billed, None));
                    self.restore = Some(Restore { duration, billed_ms });
                }
                say(PlatformEvent::RestoreReport { status: status.clone(), duration: at - started });
            }
            LifecycleEvent::InitStarted { phase } => {
                self.init_started = Some(at);
                self.extensions_take_part = false;
                if *phase == InitPhase::Invoke {
                    self.counts_from = Some(at);
                }
                say(PlatformEvent::InitStart { phase: *phase });
            }
            LifecycleEvent::ExtensionRegistered { events, .. } => self.extensions_take_part |= events.invoke,
            LifecycleEvent::TelemetrySubscribed { extension, api, types } => {
                say(PlatformEvent::Subscription { name: extension.clone(), api: *api, types: *types });
            }
            LifecycleEvent::RuntimeInitDone { phase, status } => {
                say(PlatformEvent::InitRuntimeDone { phase: *phase, status: status.clone() });
            }
            LifecycleEvent::ExtensionReported { extension, state, events, error_type } => {
                say(PlatformEvent::Extension {
                    name: extension.clone(),
                    state: *state,
                    events: *events,
                    error_type: error_type.clone(),
                });
            }
            LifecycleEvent::InitDone { phase, status } => {
                let duration = self.init_started.take().map_or(Duration::ZERO, |started| at - started);
                let is_on_demand = self.initialization_type == InitializationType::OnDemand;
                if is_on_demand && (status, phase) == (&PhaseStatus::Success, &InitPhase::Init) {
                    self.init_duration = Some(duration);
                }
                say(PlatformEvent::InitReport { phase: *phase, status: status.clone(), duration });
            }
            LifecycleEvent::InvokeStarted { request_id, trace, .. } => {
                self.counts_from.get_or_insert(at);
                let trace = trace.clone().map(Arc::new);
                self.running =
                    Some(Running { started: at, trace: trace.clone(), answer: None, runtime_done: None });
                say(PlatformEvent::Start { request_id: *request_id, trace });
            }
            LifecycleEvent::ResponseSent { began, bytes } => {
                if let Some(running) = &mut self.running {
                    running.answer = Some(Sent { began: *began, ended: at, bytes: *bytes });
                }
            }
            LifecycleEvent::RuntimeDone { request_id, status } => {
                let running = self.running.as_mut();
                let (answer, trace) = running.map_or((None, None), |running| {
                    running.runtime_done = Some(at);
                    (running.measures(at, status), running.trace.clone())
                });
                say(PlatformEvent::RuntimeDone {
                    request_id: *request_id,
                    status: status.clone(),
                    answer,
                    trace,
                });
            }
            LifecycleEvent::InvokeDone { request_id, status, memory_bytes_max } => {
                let report = self.report(at, status, *memory_bytes_max);
                self.say_the_end(at, *request_id, report.clone(), say);
                return Some(report);
            }
            LifecycleEvent::FaultInjected { request_id, fault } => {
                say(PlatformEvent::FaultInjected { request_id: *request_id, fault: fault.clone() });
            }
            LifecycleEvent::ExtensionStarted { .. }
            | LifecycleEvent::ExtensionUsed { .. }
            | LifecycleEvent::ExtensionReady { .. }
            | LifecycleEvent::FunctionInitStarted
            | LifecycleEvent::ExtensionDone { .. }
            | LifecycleEvent::Frozen
            | LifecycleEvent::ResetStarted { .. }
            | LifecycleEvent::ResetDone
            | LifecycleEvent::ShutdownStarted { .. }
            | LifecycleEvent::RuntimeTerminated
            | LifecycleEvent::RuntimeGone { .. }
            | LifecycleEvent::ExtensionShutdownSent { .. }
            | LifecycleEvent::ExtensionGone { .. }
            | LifecycleEvent::ShutdownDone => {}
        }
        None
    }

    fn report(&mut self, at: Instant, status: &PhaseStatus, memory_bytes_max: u64) -> Report {
        let duration = self.counts_from.take().map_or(Duration::ZERO, |from| at - from);
        let init_duration = self.init_duration.take();
        let restore = self.restore.take();
        let billed_restore = restore.map(|restore| Duration::from_millis(restore.billed_ms));
        Report {
            duration,
            billed_ms: billing::billed_ms(duration, init_duration.or(billed_restore)),
            memory_size_mb: self.memory_size_mb,
            // Never above the memory size, as on AWS, also where nothing holds the function to it.
            max_memory_used_mb: memory_bytes_max.div_ceil(1 << 20).min(u64::from(self.memory_size_mb)),
            init_duration,
            restore,
            status: status.clone(),
        }
    }

    fn say_the_end(
        &mut self,
        at: Instant,
        request_id: RequestId,
        report: Report,
        mut say: impl FnMut(PlatformEvent),
    ) {
        let running = self.running.take();
        let is_answered = running.as_ref().is_some_and(|running| running.answer.is_some());
        if !is_answered && matches!(report.status, PhaseStatus::Error { .. } | PhaseStatus::Failure) {
            say(PlatformEvent::Fault { request_id });
        }
        let runtime_done = running.as_ref().and_then(|running| running.runtime_done);
        let extension_overhead = runtime_done
            .filter(|_| self.extensions_take_part)
            .map(|done| Span::new("extensionOverhead", done, at));
        let trace = running.and_then(|running| running.trace);
        say(PlatformEvent::Report { request_id, report, extension_overhead, trace });
    }
}

impl Running {
    /// The measures of an answer, if there was one. A function that ran into its time-out after it has no end that could
    /// be measured.
    fn measures(&self, done: Instant, status: &PhaseStatus) -> Option<AnswerMeasures> {
        let answer = self.answer.as_ref().filter(|_| *status != PhaseStatus::Timeout)?;
        let began = answer.began.max(self.started);
        Some(AnswerMeasures {
            duration: done.saturating_duration_since(self.started),
            produced_bytes: answer.bytes,
            spans: [
                Span::new("responseLatency", self.started, began),
                Span::new("responseDuration", began, answer.ended),
                Span::new("runtimeOverhead", answer.ended, done),
            ],
        })
    }
}
