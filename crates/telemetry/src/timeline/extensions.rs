//! The lanes of extensions: what each of them did while its environment lived.

use std::time::{Duration, Instant};

use hearth_types::{ExtensionEvents, ExtensionName, FaultPhase, InjectedFault, RequestId};

use super::Step;
use crate::record::{LifecycleEvent, PhaseStatus};

/// What an extension does during a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtensionPhase {
    /// Its process runs and has not registered; the runtime waits for that. Only external ones.
    Registration,
    /// It has registered, and gets ready.
    Init,
    /// It works alongside the runtime on an invocation.
    Invoke,
    /// It still works on an invocation with which the runtime is done.
    AfterCall,
    /// It waits for an event.
    Idle,
    /// It was told to end.
    Shutdown,
}

impl ExtensionPhase {
    /// Returns the phase as one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::Init => "init",
            Self::Invoke => "invoke",
            Self::AfterCall => "after-call",
            Self::Idle => "idle",
            Self::Shutdown => "shutdown",
        }
    }
}

/// A stretch of one phase of an extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtensionSpan {
    /// What.
    pub phase: ExtensionPhase,
    /// From when.
    pub start: Instant,
    /// Until when; `None` while it lasts.
    pub end: Option<Instant>,
    /// During which invocation.
    pub request_id: Option<RequestId>,
    /// How it ended, if that was not as it should: the extension failed, or was not done when the time was over.
    pub failure: Option<PhaseStatus>,
    /// Whether the process had to be killed at the end of it.
    pub killed: bool,
}

/// One extension of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtensionLane {
    /// Its name.
    pub name: ExtensionName,
    /// Whether it is a process of its own; `None` where the record no longer says.
    pub is_external: Option<bool>,
    /// What it registered for; `None` if it never did, or where the record no longer says.
    pub events: Option<ExtensionEvents>,
    /// What it did, oldest first. Nothing is between two of them while its process does not run.
    pub spans: Vec<ExtensionSpan>,
}

impl ExtensionLane {
    fn new(name: &ExtensionName) -> Self {
        Self { name: name.clone(), is_external: None, events: None, spans: Vec::new() }
    }

    /// Returns how long it worked on an invocation after the runtime was done; `None` if it does not hear of it.
    pub fn after_call(&self, request_id: RequestId) -> Option<Duration> {
        let of_call = || self.spans.iter().filter(|span| span.request_id == Some(request_id));
        of_call().next()?;
        let after = of_call().filter(|span| span.phase == ExtensionPhase::AfterCall);
        Some(after.filter_map(|span| Some(span.end?.saturating_duration_since(span.start))).sum())
    }

    fn hears_of_invocations(&self) -> bool {
        self.events.is_some_and(|events| events.invoke)
    }

    /// What it does now; `None` while it does not run.
    fn phase(&self) -> Option<ExtensionPhase> {
        self.spans.last().filter(|span| span.end.is_none()).map(|span| span.phase)
    }

    fn begin(&mut self, phase: ExtensionPhase, start: Instant, request_id: Option<RequestId>) {
        self.end(start, None, false);
        self.spans.push(ExtensionSpan { phase, start, end: None, request_id, failure: None, killed: false });
    }

    fn end(&mut self, at: Instant, failure: Option<&PhaseStatus>, killed: bool) {
        if let Some(last) = self.spans.last_mut().filter(|span| span.end.is_none()) {
            // The runtime tells some moments only later: time does not go back because of that.
            last.end = Some(at.max(last.start));
            last.failure = failure.filter(|status| **status != PhaseStatus::Success).cloned();
            last.killed = killed;
        }
    }
}

/// Reads steps as lanes of extensions, in the order in which they appear. A name has one lane, also over a reset.
pub fn extensions(steps: &[Step]) -> Vec<ExtensionLane> {
    let mut lanes = known(steps);
    if lanes.is_empty() {
        return lanes;
    }
    let has_begun = |event: &LifecycleEvent| matches!(event, LifecycleEvent::InitStarted { .. });
    if let Some((first, event, _)) = steps.first()
        && !has_begun(event)
    {
        // The record has lost its beginning, in which they became ready.
        for lane in &mut lanes {
            lane.begin(ExtensionPhase::Idle, *first, None);
        }
    }
    let mut request_id = None;
    for (at, event, _) in steps {
        take(&mut lanes, &mut request_id, *at, event);
    }
    for lane in &mut lanes {
        lane.spans.retain(|span| span.phase != ExtensionPhase::Idle || span.end != Some(span.start));
    }
    lanes
}

/// Returns all extensions that occur in steps, with what is known of them.
fn known(steps: &[Step]) -> Vec<ExtensionLane> {
    let mut lanes: Vec<ExtensionLane> = Vec::new();
    for (_, event, _) in steps {
        let Some(name) = extension(event) else { continue };
        let at = lanes.iter().position(|lane| lane.name == *name).unwrap_or_else(|| {
            lanes.push(ExtensionLane::new(name));
            lanes.len() - 1
        });
        let lane = &mut lanes[at];
        match event {
            LifecycleEvent::ExtensionRegistered { is_external, events, .. } => {
                lane.is_external = Some(*is_external);
                lane.events = Some(*events);
            }
            LifecycleEvent::ExtensionDone { .. } => {
                lane.events.get_or_insert_default().invoke = true;
            }
            LifecycleEvent::ExtensionShutdownSent { .. } => {
                lane.is_external = Some(true);
                lane.events.get_or_insert_default().shutdown = true;
            }
            LifecycleEvent::ExtensionStarted { .. }
            | LifecycleEvent::ExtensionUsed { .. }
            | LifecycleEvent::FaultInjected { .. }
            | LifecycleEvent::ExtensionGone { .. } => {
                lane.is_external = Some(true);
            }
            // `ExtensionReported` has events also of an extension that failed before it had any.
            _ => {}
        }
    }
    lanes
}

/// Returns the extension that a step is about.
fn extension(event: &LifecycleEvent) -> Option<&ExtensionName> {
    match event {
        LifecycleEvent::ExtensionStarted { extension }
        | LifecycleEvent::ExtensionRegistered { extension, .. }
        | LifecycleEvent::TelemetrySubscribed { extension, .. }
        | LifecycleEvent::ExtensionReady { extension }
        | LifecycleEvent::ExtensionReported { extension, .. }
        | LifecycleEvent::ExtensionDone { extension }
        | LifecycleEvent::ExtensionShutdownSent { extension, .. }
        | LifecycleEvent::ExtensionUsed { extension, .. }
        | LifecycleEvent::FaultInjected { fault: InjectedFault { extension: Some(extension), .. }, .. }
        | LifecycleEvent::ExtensionGone { extension, .. } => Some(extension),
        LifecycleEvent::InitStarted { .. }
        | LifecycleEvent::RuntimeStarted
        | LifecycleEvent::FunctionInitStarted
        | LifecycleEvent::RuntimeInitDone { .. }
        | LifecycleEvent::InitDone { .. }
        | LifecycleEvent::InvokeStarted { .. }
        | LifecycleEvent::ResponseSent { .. }
        | LifecycleEvent::RuntimeDone { .. }
        | LifecycleEvent::InvokeDone { .. }
        | LifecycleEvent::Frozen
        | LifecycleEvent::ResetStarted { .. }
        | LifecycleEvent::ResetDone
        | LifecycleEvent::ShutdownStarted { .. }
        | LifecycleEvent::RuntimeTerminated
        | LifecycleEvent::RuntimeGone { .. }
        | LifecycleEvent::FaultInjected { .. }
        | LifecycleEvent::ShutdownDone => None,
    }
}

/// Takes one step; `request_id` is the invocation that runs.
fn take(
    lanes: &mut [ExtensionLane],
    request_id: &mut Option<RequestId>,
    at: Instant,
    event: &LifecycleEvent,
) {
    use ExtensionPhase::{AfterCall, Idle, Init, Invoke, Registration, Shutdown};

    let of = |lanes: &mut [ExtensionLane], name: &ExtensionName, act: &dyn Fn(&mut ExtensionLane)| {
        lanes.iter_mut().filter(|lane| lane.name == *name).for_each(act);
    };
    let in_phases = |lanes: &mut [ExtensionLane],
                     phases: &[ExtensionPhase],
                     act: &dyn Fn(&mut ExtensionLane)| {
        let matching = |lane: &&mut ExtensionLane| lane.phase().is_some_and(|phase| phases.contains(&phase));
        lanes.iter_mut().filter(matching).for_each(act);
    };
    match event {
        LifecycleEvent::ExtensionStarted { extension } => {
            of(lanes, extension, &|lane| lane.begin(Registration, at, None));
        }
        LifecycleEvent::ExtensionRegistered { extension, .. } => {
            of(lanes, extension, &|lane| lane.begin(Init, at, None));
        }
        LifecycleEvent::ExtensionReady { extension } => {
            of(lanes, extension, &|lane| lane.begin(Idle, at, None));
        }
        LifecycleEvent::ExtensionReported { extension, error_type: Some(error_type), .. } => {
            let failure = PhaseStatus::Error { error_type: error_type.clone() };
            of(lanes, extension, &|lane| {
                // It failed before anything of it was recorded: its process did not start.
                if lane.phase().is_none() {
                    lane.begin(Registration, at, None);
                }
                lane.end(at, Some(&failure), false);
            });
        }
        LifecycleEvent::InitDone { status, .. } => {
            // Who failed was reported. A time-out is everybody's who was not ready; another failure is not.
            let failure = Some(status).filter(|status| **status == PhaseStatus::Timeout);
            in_phases(lanes, &[Registration, Init], &|lane| lane.end(at, failure, false));
        }
        LifecycleEvent::InvokeStarted { request_id: started, .. } => {
            *request_id = Some(*started);
            in_phases(lanes, &[Idle], &|lane| {
                if lane.hears_of_invocations() {
                    lane.begin(Invoke, at, Some(*started));
                }
            });
        }
        LifecycleEvent::RuntimeDone { .. } => {
            in_phases(lanes, &[Invoke], &|lane| lane.begin(AfterCall, at, *request_id));
        }
        LifecycleEvent::ExtensionDone { extension } => {
            of(lanes, extension, &|lane| {
                if matches!(lane.phase(), Some(Invoke | AfterCall)) {
                    lane.begin(Idle, at, None);
                }
            });
        }
        LifecycleEvent::InvokeDone { status, .. } => {
            *request_id = None;
            in_phases(lanes, &[AfterCall], &|lane| {
                let is_overhang = lane.spans.last().is_some_and(|span| span.start != at);
                let is_extensions = status.error_type().is_some_and(|of| of.starts_with("Extension."));
                lane.end(at, Some(status).filter(|_| is_overhang || is_extensions), false);
                // Where a failure ended the invocation at once, there is no time after the call.
                if !is_overhang
                    && let Some(after) = lane.spans.pop()
                    && let Some(during) = lane.spans.last_mut()
                {
                    during.failure = after.failure;
                }
                lane.begin(Idle, at, None);
            });
        }
        LifecycleEvent::ExtensionShutdownSent { extension, .. } => {
            of(lanes, extension, &|lane| lane.begin(Shutdown, at, None));
        }
        LifecycleEvent::ExtensionGone { extension, killed } => {
            of(lanes, extension, &|lane| lane.end(at, None, *killed));
        }
        // An internal one is gone with its process, and none outlives the end of everything.
        LifecycleEvent::RuntimeGone { .. } => lanes
            .iter_mut()
            .filter(|lane| lane.is_external == Some(false))
            .for_each(|lane| lane.end(at, None, false)),
        LifecycleEvent::ResetDone | LifecycleEvent::ShutdownDone => {
            lanes.iter_mut().for_each(|lane| lane.end(at, None, false));
        }
        // It had been done, and is kept from it.
        LifecycleEvent::FaultInjected {
            fault: InjectedFault { phase: FaultPhase::AfterInvoke, extension: Some(extension), .. },
            ..
        } => {
            of(lanes, extension, &|lane| {
                if lane.phase() == Some(Idle) {
                    lane.begin(AfterCall, at, *request_id);
                }
            });
        }
        LifecycleEvent::InitStarted { .. }
        | LifecycleEvent::FaultInjected { .. }
        | LifecycleEvent::ExtensionUsed { .. }
        | LifecycleEvent::TelemetrySubscribed { .. }
        | LifecycleEvent::RuntimeStarted
        | LifecycleEvent::FunctionInitStarted
        | LifecycleEvent::RuntimeInitDone { .. }
        | LifecycleEvent::ExtensionReported { error_type: None, .. }
        | LifecycleEvent::ResponseSent { .. }
        | LifecycleEvent::Frozen
        | LifecycleEvent::ResetStarted { .. }
        | LifecycleEvent::ShutdownStarted { .. }
        | LifecycleEvent::RuntimeTerminated => {}
    }
}
