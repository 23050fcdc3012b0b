//! The state machine of an execution environment: every event in every phase, in one place.

use std::time::{Duration, Instant};

use hearth_telemetry::{InitPhase, PhaseStatus, ResetReason};
use hearth_types::{ColdReason, ColdStart, ExtensionName, RequestId};

pub use crate::event::{
    Action, Event, EventHolder, ExtensionEvent, RuntimeAnswer, ShutdownEventReason, StreamFailure,
};
use crate::extensions::{ExtensionRejection, Extensions};
use crate::fatal_error::FatalError;
use crate::freeze::Stillness;
use crate::injected_fault::{Injected, Victim};
use crate::invocation::{Invocation, InvokeFailure};
use crate::runtime_state::{Rejection, RuntimeState};
use crate::shutdown::Ending;

/// Where an environment is in its life.
#[derive(Debug)]
pub(crate) enum Phase {
    /// Nothing runs. The next invocation begins with Init.
    Empty { why_cold: Option<ColdStart> },
    /// Runtime and function are being loaded.
    Init(Initializing),
    /// Warm: the runtime waits for an event.
    Ready,
    /// An invocation runs.
    Busy(Running),
    /// The processes are being ended, to start afresh.
    Resetting { waiting: Option<Box<Invocation>>, why_cold: ColdStart, ending: Ending },
    /// The processes are being ended, for good.
    ShuttingDown(Ending),
    /// Nothing is left.
    Gone,
}

/// An Init that runs.
#[derive(Debug)]
pub(crate) struct Initializing {
    /// Ahead of an invocation, or as the first part of one.
    pub(crate) phase: InitPhase,
    /// How far the runtime is.
    pub(crate) runtime: RuntimeState,
    /// Whether it was started: extensions come first.
    pub(crate) is_runtime_booted: bool,
    /// Whether it is known to run, one way or the other.
    pub(crate) is_runtime_known_to_run: bool,
    /// The invocation that waits for it.
    pub(crate) waiting: Option<Box<Invocation>>,
    pub(crate) deadline: Instant,
}

/// An invocation that runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) invocation: Box<Invocation>,
    pub(crate) runtime: RuntimeState,
    pub(crate) deadline: Instant,
    /// How it will end, as far as is known: set when the runtime has answered.
    pub(crate) status: PhaseStatus,
    /// When the runtime began to answer.
    pub(crate) answer_began: Option<Instant>,
}

impl Running {
    /// Whether the caller has its answer.
    pub(crate) fn is_answered(&self) -> bool {
        matches!(self.runtime, RuntimeState::ResponseSent | RuntimeState::Ready)
    }
}

/// The state machine of one environment.
#[derive(Debug)]
pub struct Machine {
    pub(crate) phase: Phase,
    pub(crate) init_limit: Duration,
    /// Whether what comes first is no Init, but a restore.
    pub(crate) restores: bool,
    pub(crate) extensions: Extensions,
    /// Whether the runtime's process runs, as far as is known.
    pub(crate) runtime_runs: bool,
    pub(crate) stillness: Stillness,
    /// Whether a subscriber is being sent telemetry, as far as is known.
    pub(crate) is_delivering: bool,
    pub(crate) injected: Injected,
}

impl Machine {
    /// Begins with nothing running. `init_limit` holds for the Init ahead of an invocation; `programs` are the names of the
    /// external extensions, in the order in which they are started.
    pub fn new(init_limit: Duration, programs: Vec<ExtensionName>) -> Self {
        let extensions = Extensions::new(programs);
        Self {
            phase: Phase::Empty { why_cold: None },
            init_limit,
            restores: false,
            extensions,
            runtime_runs: false,
            stillness: Stillness::Never,
            is_delivering: false,
            injected: Injected::default(),
        }
    }

    /// Has the first Init be a restore from a snapshot.
    pub fn restoring(self, restores: bool) -> Self {
        Self { restores, ..self }
    }

    /// Returns the phase as a word for people.
    pub fn phase_name(&self) -> &'static str {
        match self.phase {
            Phase::Empty { .. } | Phase::Ready => "Ready",
            Phase::Init(_) => "Init",
            Phase::Busy(_) => "Busy",
            Phase::Resetting { .. } => "Resetting",
            Phase::ShuttingDown(_) => "ShuttingDown",
            Phase::Gone => "Gone",
        }
    }

    /// Returns the invocation that runs or waits, and its deadline once it has one.
    pub fn running(&self) -> Option<(&Invocation, Instant)> {
        match &self.phase {
            Phase::Busy(running) => Some((&running.invocation, running.deadline)),
            Phase::Empty { .. }
            | Phase::Init(_)
            | Phase::Ready
            | Phase::Resetting { .. }
            | Phase::ShuttingDown(_)
            | Phase::Gone => None,
        }
    }

    /// Returns the invocation that waits for an Init.
    pub(crate) fn waiting(&self) -> Option<&Invocation> {
        match &self.phase {
            Phase::Init(Initializing { waiting, .. }) => waiting.as_deref(),
            Phase::Empty { .. }
            | Phase::Ready
            | Phase::Busy(_)
            | Phase::Resetting { .. }
            | Phase::ShuttingDown(_)
            | Phase::Gone => None,
        }
    }

    /// Returns the invocation that the runtime has, or should have, and has not begun to answer.
    pub fn unanswered(&self) -> Option<&Invocation> {
        match &self.phase {
            Phase::Busy(running)
                if running.runtime == RuntimeState::Running && !self.injected.is_held(Victim::Runtime) =>
            {
                Some(&running.invocation)
            }
            Phase::Busy(_)
            | Phase::Empty { .. }
            | Phase::Init(_)
            | Phase::Ready
            | Phase::Resetting { .. }
            | Phase::ShuttingDown(_)
            | Phase::Gone => None,
        }
    }

    /// Whether the caller of the running invocation has its answer, and the runtime has not asked for the next event.
    pub fn has_answered(&self) -> bool {
        matches!(&self.phase, Phase::Busy(running) if running.runtime == RuntimeState::ResponseSent)
            && !self.injected.is_held(Victim::Runtime)
    }

    /// Returns the id of the invocation that runs or waits.
    pub(crate) fn request_id(&self) -> Option<RequestId> {
        match &self.phase {
            Phase::Busy(running) => Some(running.invocation.request_id),
            Phase::Init(Initializing { waiting, .. }) | Phase::Resetting { waiting, .. } => {
                waiting.as_ref().map(|invocation| invocation.request_id)
            }
            Phase::Empty { .. } | Phase::Ready | Phase::ShuttingDown(_) | Phase::Gone => None,
        }
    }

    /// Whether the runtime waits for an event.
    pub fn is_warm(&self) -> bool {
        matches!(self.phase, Phase::Ready)
    }

    /// Whether the runtime has begun to send its response, and is not done.
    pub fn is_responding(&self) -> bool {
        matches!(&self.phase, Phase::Busy(running) if running.runtime == RuntimeState::InvocationResponse)
    }

    /// Returns when [`Event::DeadlineReached`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        let of_phase = match &self.phase {
            Phase::Init(init) => Some(init.deadline),
            Phase::Busy(running) => Some(running.deadline),
            Phase::Resetting { ending, .. } | Phase::ShuttingDown(ending) => ending.next_deadline(),
            Phase::Ready => self.stillness.next_deadline(),
            Phase::Empty { .. } | Phase::Gone => None,
        };
        of_phase.into_iter().chain(self.injected.next_deadline()).min()
    }

    /// Decides. Requests of runtime and extensions get exactly one of `Accept`, `Reject`, `Park` and `Deliver`.
    pub fn on_event(&mut self, now: Instant, event: Event) -> Vec<Action> {
        let mut actions = match event {
            Event::DeadlineReached => self.let_go_on(now),
            _ => vec![],
        };
        actions.extend(self.decide(now, event));
        self.freeze_or_thaw(now, &mut actions);
        actions
    }

    fn decide(&mut self, now: Instant, event: Event) -> Vec<Action> {
        match (&mut self.phase, event) {
            // The pool begins an environment once.
            (Phase::Empty { why_cold: None }, Event::Init) => self.begin_init(now),
            (
                Phase::Empty { why_cold: Some(_) }
                | Phase::Init(_)
                | Phase::Ready
                | Phase::Busy(_)
                | Phase::Resetting { .. }
                | Phase::ShuttingDown(_)
                | Phase::Gone,
                Event::Init,
            ) => vec![],

            // An invocation: warm, waiting for Init, or Init first.
            (Phase::Ready, Event::Invoke(invocation)) => self.begin_invoke(now, invocation),
            (Phase::Empty { .. }, Event::Invoke(invocation)) => {
                self.begin_init_within_invoke(now, invocation)
            }
            (
                Phase::Init(Initializing { waiting, .. }) | Phase::Resetting { waiting, .. },
                Event::Invoke(invocation),
            ) if waiting.is_none() => {
                *waiting = Some(invocation);
                vec![]
            }
            // The pool gives one invocation at a time; a second one has a caller all the same.
            (
                Phase::Init(_)
                | Phase::Resetting { .. }
                | Phase::Busy(_)
                | Phase::ShuttingDown(_)
                | Phase::Gone,
                Event::Invoke(_),
            ) => vec![Action::AnswerFailure(InvokeFailure::Service(
                "the environment cannot take an invocation",
            ))],

            // The processes of external extensions.
            (Phase::Init(_), Event::ExtensionStarted(program)) => self.extension_started(now, program),
            (Phase::Init(_), Event::ExtensionStartFailed { program, errno }) => {
                match self.extensions.of_program(program).map(|extension| extension.fail_to_launch(errno)) {
                    Some(error) => self.fail_init(now, error),
                    None => vec![],
                }
            }
            (Phase::Init(_), Event::ExtensionExited { program, status, was_out_of_memory }) => {
                let was_out_of_memory =
                    was_out_of_memory || self.injected.is_out_of_memory(Victim::Extension(program));
                match self
                    .extensions
                    .of_program(program)
                    .map(|extension| extension.crash(status, was_out_of_memory))
                {
                    Some(error) => self.fail_init(now, error),
                    None => vec![],
                }
            }
            (Phase::Busy(_), Event::ExtensionExited { program, status, was_out_of_memory }) => {
                let was_out_of_memory =
                    was_out_of_memory || self.injected.is_out_of_memory(Victim::Extension(program));
                match self
                    .extensions
                    .of_program(program)
                    .map(|extension| extension.crash(status, was_out_of_memory))
                {
                    Some(error) => self.fail_invoke(now, error.why_cold(ColdReason::ExtensionFailed), error),
                    None => vec![],
                }
            }
            // AWS notices it at the next invocation and fails that; here no invocation is affected, as with a runtime that
            // exits while it waits.
            (Phase::Ready, Event::ExtensionExited { program, status, was_out_of_memory }) => {
                let error = self
                    .extensions
                    .of_program(program)
                    .map(|extension| extension.crash(status, was_out_of_memory));
                let reason = ColdReason::ExtensionFailed;
                let why_cold = error.map_or_else(|| reason.into(), |error| error.why_cold(reason));
                self.reset(now, ResetReason::Failure, why_cold, None)
            }
            (
                Phase::Resetting { ending, .. } | Phase::ShuttingDown(ending),
                Event::ExtensionExited { program, .. } | Event::ExtensionStartFailed { program, .. },
            ) => ending.extension_gone(program, &mut self.extensions),
            (
                Phase::Empty { .. } | Phase::Gone,
                Event::ExtensionStarted(_)
                | Event::ExtensionStartFailed { .. }
                | Event::ExtensionExited { .. },
            )
            | (
                Phase::Ready | Phase::Busy(_) | Phase::Resetting { .. } | Phase::ShuttingDown(_),
                Event::ExtensionStarted(_),
            )
            | (Phase::Ready | Phase::Busy(_), Event::ExtensionStartFailed { .. }) => vec![],

            // What extensions say. Nothing of an environment without processes can say anything.
            (
                Phase::Empty { .. } | Phase::Gone,
                Event::ExtensionRegisters { .. }
                | Event::ExtensionNext(_)
                | Event::ExtensionReports { .. }
                | Event::SubscriptionBegins { .. }
                | Event::ExtensionSubscribes { .. },
            ) => vec![Action::Reject(Rejection::Ending)],
            (
                Phase::Init(_)
                | Phase::Ready
                | Phase::Busy(_)
                | Phase::Resetting { .. }
                | Phase::ShuttingDown(_),
                Event::ExtensionRegisters { name, id, events },
            ) => self.register_extension(now, &name, id, &events),
            (Phase::Init(_), Event::ExtensionNext(id)) => self.next_of_extension_in_init(now, id),
            (
                Phase::Ready | Phase::Busy(_) | Phase::Resetting { .. } | Phase::ShuttingDown(_),
                Event::ExtensionNext(id),
            ) => self.next_of_extension(id),
            (
                Phase::Init(_)
                | Phase::Ready
                | Phase::Busy(_)
                | Phase::Resetting { .. }
                | Phase::ShuttingDown(_),
                Event::ExtensionReports { id, report, error_type, message },
            ) => self.take_report_of_extension(now, id, report, error_type, message),
            // Who subscribes is checked before the subscription is read, and once more when it is there.
            (Phase::Init(_), Event::SubscriptionBegins { id, api }) => {
                match self.extensions.may_subscribe(id, api) {
                    Ok(()) => vec![Action::Accept],
                    Err(rejection) => vec![Action::Reject(Rejection::Extension(rejection))],
                }
            }
            (Phase::Init(_), Event::ExtensionSubscribes { id, api, types }) => {
                self.subscribe_extension(id, api, types)
            }
            (
                Phase::Ready | Phase::Busy(_) | Phase::Resetting { .. } | Phase::ShuttingDown(_),
                Event::SubscriptionBegins { id, api } | Event::ExtensionSubscribes { id, api, .. },
            ) => {
                let known = self.extensions.of_id(id).map(drop);
                let rejection = known.err().unwrap_or(ExtensionRejection::SubscriptionClosed(api));
                vec![Action::Reject(Rejection::Extension(rejection))]
            }

            // The runtime's process.
            (Phase::Init(_), Event::RuntimeStarted) => self.runtime_started(now),
            (Phase::Init(_), Event::RuntimeStartFailed(error)) => {
                self.runtime_runs = false;
                self.fail_init(now, error)
            }
            (Phase::Init(_), Event::RuntimeExited { status, was_out_of_memory }) => {
                let was_out_of_memory = was_out_of_memory || self.injected.is_out_of_memory(Victim::Runtime);
                self.runtime_runs = false;
                self.fail_init(now, FatalError::exited(status).because_out_of_memory(was_out_of_memory))
            }
            (Phase::Busy(_), Event::RuntimeExited { status, was_out_of_memory }) => {
                let was_out_of_memory = was_out_of_memory || self.injected.is_out_of_memory(Victim::Runtime);
                self.runtime_runs = false;
                let error = FatalError::exited(status).because_out_of_memory(was_out_of_memory);
                self.fail_invoke(now, error.why_cold(ColdReason::RuntimeExited), error)
            }
            // A warm environment died while nobody was looking. No invocation is affected; the next one begins with Init.
            (Phase::Ready, Event::RuntimeExited { status, was_out_of_memory }) => {
                self.runtime_runs = false;
                let error = FatalError::exited(status).because_out_of_memory(was_out_of_memory);
                let why_cold = error.why_cold(ColdReason::RuntimeExited);
                self.reset(now, ResetReason::Failure, why_cold, None)
            }
            (
                Phase::Resetting { ending, .. } | Phase::ShuttingDown(ending),
                Event::RuntimeExited { .. } | Event::RuntimeStartFailed(_),
            ) => {
                self.runtime_runs = false;
                ending.runtime_gone(&mut self.extensions)
            }
            (
                Phase::Empty { .. } | Phase::Gone,
                Event::RuntimeExited { .. } | Event::RuntimeStarted | Event::RuntimeStartFailed(_),
            )
            | (Phase::Ready | Phase::Busy(_), Event::RuntimeStarted | Event::RuntimeStartFailed(_))
            | (Phase::Resetting { .. } | Phase::ShuttingDown(_), Event::RuntimeStarted) => vec![],

            // `/next`.
            (Phase::Init(_), Event::Next { function_init_started, .. }) => {
                self.finish_runtime_init(now, function_init_started)
            }
            (Phase::Ready, Event::Next { .. }) => vec![Action::Park],
            (Phase::Busy(_), Event::Next { holder, .. }) => self.next_while_busy(now, holder),
            (
                Phase::Empty { .. } | Phase::Resetting { .. } | Phase::ShuttingDown(_) | Phase::Gone,
                Event::Next { .. }
                | Event::InitErrorBegins
                | Event::InitError { .. }
                | Event::AnswerBegins { .. }
                | Event::AnswerArrived(_),
            ) => vec![Action::Reject(Rejection::Ending)],

            // `/init/error`. The state is checked before the report is read, and once more when it is there.
            (Phase::Init(init), Event::InitErrorBegins | Event::InitError { .. })
                if init.runtime == RuntimeState::Ready =>
            {
                vec![reject(RuntimeState::Ready, RuntimeState::InitError)]
            }
            (Phase::Init(_), Event::InitErrorBegins) => vec![Action::Accept],
            (Phase::Init(_), Event::InitError { function_init_started, error_type, payload }) => {
                self.fail_init_as_reported(now, function_init_started, error_type, payload)
            }
            (Phase::Ready, Event::InitErrorBegins | Event::InitError { .. }) => {
                vec![reject(RuntimeState::Ready, RuntimeState::InitError)]
            }
            (Phase::Busy(running), Event::InitErrorBegins | Event::InitError { .. }) => {
                vec![reject(running.runtime, RuntimeState::InitError)]
            }

            // `/response` and `/error`.
            (Phase::Busy(running), Event::AnswerBegins { request_id, kind }) => {
                running.begin_answer(now, request_id, kind)
            }
            (Phase::Busy(_), Event::AnswerArrived(answer)) => self.take_answer(now, answer),
            (Phase::Init(_) | Phase::Ready, Event::AnswerBegins { .. } | Event::AnswerArrived(_)) => {
                vec![Action::Reject(Rejection::InvalidRequestId)]
            }

            // The clock.
            (Phase::Init(init), Event::DeadlineReached) if now >= init.deadline => self.time_out_init(now),
            (Phase::Busy(running), Event::DeadlineReached) if now >= running.deadline => {
                self.time_out_invoke(now)
            }
            (Phase::Resetting { ending, .. } | Phase::ShuttingDown(ending), Event::DeadlineReached) => {
                ending.deadline_reached(now, &mut self.extensions)
            }
            // The deadline of something that has just ended; or there is a later one by now.
            (
                Phase::Empty { .. } | Phase::Init(_) | Phase::Ready | Phase::Busy(_) | Phase::Gone,
                Event::DeadlineReached,
            ) => vec![],

            // The sandbox.
            (Phase::Resetting { .. }, Event::AllGone) => self.finish_reset(now),
            (Phase::ShuttingDown(_), Event::AllGone) => self.finish_shutdown(),
            // The answer to a killing that nobody waits for any more.
            (
                Phase::Empty { .. } | Phase::Init(_) | Phase::Ready | Phase::Busy(_) | Phase::Gone,
                Event::AllGone,
            ) => vec![],
            (
                Phase::Empty { .. }
                | Phase::Init(_)
                | Phase::Ready
                | Phase::Busy(_)
                | Phase::Resetting { .. }
                | Phase::ShuttingDown(_),
                Event::SandboxLost,
            ) => self.lose_sandbox(),
            (Phase::Gone, Event::SandboxLost | Event::ShutDown(_)) => vec![],

            // The pool ends the environment.
            (Phase::ShuttingDown(_), Event::ShutDown(_)) => vec![],
            (
                Phase::Empty { .. }
                | Phase::Init(_)
                | Phase::Ready
                | Phase::Busy(_)
                | Phase::Resetting { .. },
                Event::ShutDown(reason),
            ) => self.begin_shutdown(now, reason),
        }
    }
}

pub(crate) fn reject(from: RuntimeState, to: RuntimeState) -> Action {
    Action::Reject(Rejection::InvalidStateTransition { from, to })
}

#[cfg(test)]
mod tests;
