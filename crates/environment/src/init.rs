//! The Init phase: the runtime starts, loads the function's code, and asks for its first event.
//!
//! | what happens | then |
//! |---|---|
//! | every external extension has registered | the runtime is started |
//! | the runtime asks for an event, and every extension too | Init is done; the waiting invocation begins |
//! | runtime or extension exits, reports an error, cannot be started, or 10 s pass | the environment is reset, and Init runs a second time as the first part of the invocation, under the function's time-out |
//! | a restore fails | if by the function's hooks, the caller is told so; otherwise as a first Init that failed |
//! | the second Init fails too | its error is the caller's answer; the next invocation tries again |

use std::time::Instant;

use bytes::Bytes;
use hearth_telemetry::{InitPhase, LifecycleEvent, PhaseStatus, ResetReason};
use hearth_types::{ColdParticulars, ColdReason, ColdStart, FaultDeed, FaultPhase, limits};

use crate::fatal_error::{COLD_DETAIL_MAX, FatalError};
use crate::injected_fault::{Hit, Victim};
use crate::invocation::{AnswerKind, Invocation, InvokeFailure, RestoreFailure};
use crate::machine::{Action, Initializing, Machine, Phase};
use crate::runtime_state::RuntimeState;

impl Machine {
    /// Starts the runtime ahead of an invocation.
    pub(crate) fn begin_init(&mut self, now: Instant) -> Vec<Action> {
        match std::mem::take(&mut self.restores) {
            true => self.boot(now, InitPhase::Restore, None, now + limits::RESTORE_LIMIT),
            false => self.boot(now, InitPhase::Init, None, now + self.init_limit),
        }
    }

    /// Starts the runtime as the first part of an invocation.
    pub(crate) fn begin_init_within_invoke(
        &mut self,
        now: Instant,
        mut invocation: Box<Invocation>,
    ) -> Vec<Action> {
        if let Phase::Empty { why_cold } = &mut self.phase {
            invocation.why_cold = invocation.why_cold.or(why_cold.take());
        }
        let deadline = now + invocation.timeout;
        self.boot(now, InitPhase::Invoke, Some(invocation), deadline)
    }

    fn boot(
        &mut self,
        now: Instant,
        phase: InitPhase,
        waiting: Option<Box<Invocation>>,
        deadline: Instant,
    ) -> Vec<Action> {
        let programs = self.extensions.begin();
        self.injected.forget_processes();
        self.phase = Phase::Init(Initializing {
            phase,
            runtime: RuntimeState::Started,
            is_runtime_booted: false,
            is_runtime_known_to_run: false,
            waiting,
            deadline,
        });
        let mut actions = vec![
            Action::Record(LifecycleEvent::InitStarted { phase }),
            Action::SetDeadline(deadline),
            Action::Renew,
        ];
        if let Some(error) = self.extensions.refuse_surplus() {
            // None was started.
            self.extensions.iter_mut().for_each(|extension| extension.is_alive = false);
            actions.extend(self.fail_init(now, error));
            return actions;
        }
        actions.extend(programs.into_iter().map(Action::StartExtension));
        actions.extend(self.boot_when_registered());
        actions
    }

    /// Starts the runtime once every external extension has registered.
    pub(crate) fn boot_when_registered(&mut self) -> Option<Action> {
        let Phase::Init(init) = &mut self.phase else { return None };
        if init.is_runtime_booted || !self.extensions.have_registered() {
            return None;
        }
        init.is_runtime_booted = true;
        self.runtime_runs = true;
        Some(Action::Boot)
    }

    /// The runtime's process runs.
    pub(crate) fn runtime_started(&mut self, now: Instant) -> Vec<Action> {
        let mut actions = vec![Action::Record(LifecycleEvent::RuntimeStarted)];
        actions.extend(self.inject_into_runtime_init(now));
        actions
    }

    /// The runtime is known to run, for the first time: something may go wrong in its Init.
    fn inject_into_runtime_init(&mut self, now: Instant) -> Vec<Action> {
        let Phase::Init(init) = &mut self.phase else { return vec![] };
        if std::mem::replace(&mut init.is_runtime_known_to_run, true) {
            return vec![];
        }
        self.inject_into_init(now, FaultPhase::RuntimeInit, "Runtime")
    }

    fn inject_into_init(&mut self, now: Instant, phase: FaultPhase, who: &str) -> Vec<Action> {
        let Some(Hit { deed, mut actions }) = self.inject(now, phase, Victim::Runtime) else { return vec![] };
        if deed == FaultDeed::Fail {
            actions.extend(self.fail_init(now, FatalError::injected(who, phase)));
        }
        actions
    }

    /// The runtime asked for its first event: its Init is done, unless something goes wrong at the last moment.
    pub(crate) fn finish_runtime_init(
        &mut self,
        now: Instant,
        function_init_started: Option<Instant>,
    ) -> Vec<Action> {
        let Phase::Init(init) = &self.phase else { return vec![] };
        // It has threads, or lost its connection; extensions are not ready yet.
        if init.runtime == RuntimeState::Ready || self.injected.leaves_unanswered(Victim::Runtime) {
            return vec![Action::Park];
        }
        let mut actions = function_init_record(function_init_started);
        // A quick one asks before the sandbox has told that it was started.
        let mut injected = self.inject_into_runtime_init(now);
        if injected.is_empty() {
            injected = self.inject_into_init(now, FaultPhase::FunctionInit, "Function");
        }
        if injected.is_empty() {
            let mut done = self.runtime_init_done(now).into_iter();
            actions.extend(done.next());
            actions.push(Action::Park);
            actions.extend(done);
        } else {
            self.injected.leaves_unanswered(Victim::Runtime);
            actions.push(Action::Park);
            actions.extend(injected);
        }
        actions
    }

    /// The Init of runtime and function is over.
    pub(crate) fn runtime_init_done(&mut self, now: Instant) -> Vec<Action> {
        let Phase::Init(init) = &mut self.phase else { return vec![] };
        init.runtime = RuntimeState::Ready;
        let (phase, status) = (init.phase, PhaseStatus::Success);
        let mut actions = vec![Action::Record(LifecycleEvent::RuntimeInitDone { phase, status })];
        self.extensions.close_registration();
        actions.extend(self.complete_init(now));
        actions
    }

    /// Ends Init when the runtime and every extension wait for an event.
    pub(crate) fn complete_init(&mut self, now: Instant) -> Vec<Action> {
        let Phase::Init(init) = &mut self.phase else { return vec![] };
        if init.runtime != RuntimeState::Ready || !self.extensions.are_ready() {
            return vec![];
        }
        let (phase, deadline, waiting) = (init.phase, init.deadline, init.waiting.take());
        let mut actions: Vec<Action> = self.extensions.reports().map(Action::Record).collect();
        actions.push(Action::Record(LifecycleEvent::InitDone { phase, status: PhaseStatus::Success }));
        self.phase = Phase::Ready;
        match (waiting, phase) {
            (None, _) => actions.push(Action::Settled),
            (Some(invocation), InitPhase::Init | InitPhase::Restore) => {
                actions.extend(self.begin_invoke(now, invocation))
            }
            // The time that Init took counts to the function's time-out.
            (Some(invocation), InitPhase::Invoke) => {
                actions.extend(self.begin_invoke_until(now, deadline, invocation))
            }
        }
        actions
    }

    /// Init failed: by an exit, or because the program could not be started.
    pub(crate) fn fail_init(&mut self, now: Instant, error: FatalError) -> Vec<Action> {
        // What the runtime has reported came first, and the first error counts: its Init has ended already then.
        self.end_init(now, error.status(), None, |invocation| {
            Bytes::from(error.payload(invocation.request_id))
        })
    }

    /// Init failed, and the runtime says why. Its report is the caller's answer, byte for byte.
    pub(crate) fn fail_init_as_reported(
        &mut self,
        now: Instant,
        function_init_started: Option<Instant>,
        error_type: String,
        payload: Bytes,
    ) -> Vec<Action> {
        let mut actions = vec![Action::Accept];
        actions.extend(function_init_record(function_init_started));
        let failure = RestoreFailure::Hook { error_type: error_type.clone() };
        actions.extend(self.end_init(now, PhaseStatus::Error { error_type }, Some(failure), |_| payload));
        actions
    }

    /// Init took too long.
    pub(crate) fn time_out_init(&mut self, now: Instant) -> Vec<Action> {
        self.end_init(now, PhaseStatus::Timeout, Some(RestoreFailure::TimedOut), |invocation| {
            Bytes::from(FatalError::timed_out(invocation.timeout).payload(invocation.request_id))
        })
    }

    /// Ends an Init that failed. Ahead of an invocation nobody is told: it will be repeated. Within an invocation, the
    /// caller is. Of a restore the caller hears when the function's hooks failed or took too long, which is `of_hooks`; if
    /// it did not come that far, Init is in its place.
    fn end_init(
        &mut self,
        now: Instant,
        status: PhaseStatus,
        of_hooks: Option<RestoreFailure>,
        payload: impl FnOnce(&Invocation) -> Bytes,
    ) -> Vec<Action> {
        let Phase::Init(init) = &mut self.phase else { return vec![] };
        let (phase, waiting) = (init.phase, init.waiting.take());
        let reason = ResetReason::of(&status);
        let mut actions = Vec::new();
        if init.runtime != RuntimeState::Ready {
            actions.push(Action::Record(LifecycleEvent::RuntimeInitDone { phase, status: status.clone() }));
        }
        actions.extend(self.extensions.reports().map(Action::Record));
        actions.push(Action::Record(LifecycleEvent::InitDone { phase, status: status.clone() }));
        let failed = |status: &PhaseStatus| {
            let how = status.error_type().unwrap_or(status.as_str());
            let how = how.chars().take(COLD_DETAIL_MAX).collect();
            ColdStart::new(ColdReason::InitFailed, ColdParticulars::Failed { how })
        };
        let why_cold = failed(&status);
        match (phase, waiting) {
            (InitPhase::Restore, Some(waiting)) if let Some(failure) = of_hooks => {
                drop(waiting);
                actions.push(Action::AnswerFailure(InvokeFailure::Restore(failure)));
                actions.extend(self.reset(now, reason, why_cold, None));
            }
            (InitPhase::Init | InitPhase::Restore, waiting) => {
                actions.extend(self.reset(now, reason, why_cold, waiting))
            }
            (InitPhase::Invoke, None) => actions.extend(self.reset(now, reason, why_cold, None)),
            (InitPhase::Invoke, Some(invocation)) => {
                actions
                    .push(Action::Answer { kind: AnswerKind::FunctionError, payload: payload(&invocation) });
                actions.push(Action::RecordAt(now, crate::invoke::invoke_started(&invocation)));
                actions.push(Action::Record(crate::invoke::runtime_done(&invocation, status.clone())));
                actions.push(Action::Record(crate::invoke::invoke_done(&invocation, status)));
                let why_cold = match reason {
                    ResetReason::Timeout => {
                        let particulars = ColdParticulars::TimedOut { limit: invocation.timeout };
                        ColdStart::new(ColdReason::TimedOut, particulars)
                    }
                    ResetReason::Failure => why_cold,
                };
                actions.extend(self.reset(now, reason, why_cold, None));
            }
        }
        actions
    }
}

fn function_init_record(started: Option<Instant>) -> Vec<Action> {
    started.map(|at| Action::RecordAt(at, LifecycleEvent::FunctionInitStarted)).into_iter().collect()
}
