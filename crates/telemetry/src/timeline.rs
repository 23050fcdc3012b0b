//! The timeline: the record of environments, read as spans of phases and as invocations.

use std::time::Instant;

use hearth_types::{ColdReason, EnvironmentId, RequestId};

use crate::record::{EnvironmentRecord, LifecycleEvent, PhaseStatus, Report};

/// What an environment does during a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanPhase {
    /// The runtime starts.
    RuntimeInit,
    /// The function's static code is loaded. Told apart from runtime init only for runtime clients of Hearth.
    FunctionInit,
    /// Runtime and function init, where they cannot be told apart.
    Init,
    /// An invocation runs.
    Invoke,
    /// Nothing happens; the environment is warm.
    Idle,
    /// Processes are being ended, to start afresh.
    Reset,
    /// The environment is being ended.
    Shutdown,
}

impl SpanPhase {
    /// Returns the phase as one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RuntimeInit => "runtime-init",
            Self::FunctionInit => "function-init",
            Self::Init => "init",
            Self::Invoke => "invoke",
            Self::Idle => "idle",
            Self::Reset => "reset",
            Self::Shutdown => "shutdown",
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
    /// How it ended, for Init and Invoke.
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
    /// How long the runtime took to start, if that is known and belongs to this invocation.
    pub runtime_init: Option<std::time::Duration>,
    /// How long the function's code took to load, if that is known and belongs to this invocation.
    pub function_init: Option<std::time::Duration>,
    /// Why it was cold.
    pub why_cold: Option<ColdReason>,
}

/// Reads a record as spans, oldest first.
pub fn spans(record: &EnvironmentRecord) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let begin = |spans: &mut Vec<Span>, phase, start, request_id| {
        end(spans, start, None);
        spans.push(Span { phase, start, end: None, request_id, status: None });
    };
    for (at, event, _) in record.events() {
        match event {
            LifecycleEvent::InitStarted { .. } => begin(&mut spans, SpanPhase::Init, at, None),
            LifecycleEvent::FunctionInitStarted => {
                if let Some(init) = spans.last_mut().filter(|span| span.phase == SpanPhase::Init) {
                    init.phase = SpanPhase::RuntimeInit;
                }
                begin(&mut spans, SpanPhase::FunctionInit, at, None);
            }
            LifecycleEvent::InitDone { status, .. } => {
                end(&mut spans, at, Some(status));
                spans.push(Span {
                    phase: SpanPhase::Idle,
                    start: at,
                    end: None,
                    request_id: None,
                    status: None,
                });
            }
            LifecycleEvent::InvokeStarted { request_id, .. } => {
                begin(&mut spans, SpanPhase::Invoke, at, Some(request_id));
            }
            LifecycleEvent::InvokeDone { status, .. } => {
                end(&mut spans, at, Some(status));
                spans.push(Span {
                    phase: SpanPhase::Idle,
                    start: at,
                    end: None,
                    request_id: None,
                    status: None,
                });
            }
            LifecycleEvent::ResetStarted { .. } => begin(&mut spans, SpanPhase::Reset, at, None),
            LifecycleEvent::ResetDone => begin(&mut spans, SpanPhase::Idle, at, None),
            LifecycleEvent::ShutdownStarted { .. } => begin(&mut spans, SpanPhase::Shutdown, at, None),
            LifecycleEvent::ShutdownDone => end(&mut spans, at, None),
            LifecycleEvent::ExtensionStarted { .. }
            | LifecycleEvent::ExtensionRegistered { .. }
            | LifecycleEvent::TelemetrySubscribed { .. }
            | LifecycleEvent::ExtensionReady { .. }
            | LifecycleEvent::RuntimeStarted
            | LifecycleEvent::RuntimeInitDone { .. }
            | LifecycleEvent::ExtensionReported { .. }
            | LifecycleEvent::ResponseSent { .. }
            | LifecycleEvent::RuntimeDone { .. }
            | LifecycleEvent::ExtensionDone { .. }
            | LifecycleEvent::RuntimeTerminated
            | LifecycleEvent::RuntimeGone { .. }
            | LifecycleEvent::ExtensionShutdownSent { .. }
            | LifecycleEvent::ExtensionGone { .. } => {}
        }
    }
    spans.retain(|span| span.phase != SpanPhase::Idle || span.end != Some(span.start));
    spans
}

fn end(spans: &mut [Span], at: Instant, status: Option<PhaseStatus>) {
    if let Some(last) = spans.last_mut()
        && last.end.is_none()
    {
        last.end = Some(at);
        last.status = status.or(last.status.take());
    }
}

/// Reads the finished invocations from a record, oldest first.
pub fn invocations(record: &EnvironmentRecord) -> Vec<InvocationSummary> {
    let mut summaries = Vec::new();
    let mut init_started = None;
    let mut function_init_started = None;
    let mut init_parts = (None, None);
    let mut running = None;
    for (at, event, report) in record.events() {
        match event {
            LifecycleEvent::InitStarted { .. } => {
                (init_started, function_init_started, init_parts) = (Some(at), None, (None, None));
            }
            LifecycleEvent::FunctionInitStarted => function_init_started = Some(at),
            LifecycleEvent::InitDone { .. } => {
                if let (Some(started), Some(function)) = (init_started, function_init_started) {
                    init_parts = (Some(function - started), Some(at - function));
                }
            }
            LifecycleEvent::InvokeStarted { why_cold, .. } => running = Some((at, why_cold)),
            LifecycleEvent::InvokeDone { request_id, .. } => {
                if let (Some((start, why_cold)), Some(report)) = (running.take(), report) {
                    let (runtime_init, function_init) = std::mem::take(&mut init_parts);
                    summaries.push(InvocationSummary {
                        request_id,
                        environment: record.id,
                        start,
                        report,
                        runtime_init,
                        function_init,
                        why_cold,
                    });
                }
            }
            LifecycleEvent::ExtensionStarted { .. }
            | LifecycleEvent::ExtensionRegistered { .. }
            | LifecycleEvent::TelemetrySubscribed { .. }
            | LifecycleEvent::ExtensionReady { .. }
            | LifecycleEvent::RuntimeStarted
            | LifecycleEvent::RuntimeInitDone { .. }
            | LifecycleEvent::ExtensionReported { .. }
            | LifecycleEvent::ResponseSent { .. }
            | LifecycleEvent::RuntimeDone { .. }
            | LifecycleEvent::ExtensionDone { .. }
            | LifecycleEvent::ResetStarted { .. }
            | LifecycleEvent::ResetDone
            | LifecycleEvent::ShutdownStarted { .. }
            | LifecycleEvent::RuntimeTerminated
            | LifecycleEvent::RuntimeGone { .. }
            | LifecycleEvent::ExtensionShutdownSent { .. }
            | LifecycleEvent::ExtensionGone { .. }
            | LifecycleEvent::ShutdownDone => {}
        }
    }
    summaries
}
