//! The state machine of an execution environment: every event in every phase, in one place.

use std::time::{Duration, Instant};

use hearth_telemetry::{InitPhase, LifecycleEvent, PhaseStatus, ResetReason};
use hearth_types::ColdReason;

pub use crate::event::{Action, Event, EventHolder, RuntimeAnswer};
use crate::fatal_error::FatalError;
use crate::invocation::Invocation;
use crate::runtime_state::{Rejection, RuntimeState};

/// Where an environment is in its life.
#[derive(Debug)]
pub(crate) enum Phase {
    /// Nothing runs. The next invocation begins with Init.
    Empty { why_cold: Option<ColdReason> },
    /// Runtime and function are being loaded.
    Init(Initializing),
    /// Warm: the runtime waits for an event.
    Ready,
    /// An invocation runs.
    Busy(Running),
    /// The processes are being killed, to start afresh.
    Resetting { waiting: Option<Box<Invocation>>, why_cold: ColdReason },
    /// The processes are being killed, for good.
    ShuttingDown,
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
        self.runtime == RuntimeState::ResponseSent
    }
}

/// The state machine of one environment.
#[derive(Debug)]
pub struct Machine {
    pub(crate) phase: Phase,
    pub(crate) init_limit: Duration,
}

impl Machine {
    /// Begins with nothing running. `init_limit` holds for the Init ahead of an invocation.
    pub fn new(init_limit: Duration) -> Self {
        Self { phase: Phase::Empty { why_cold: None }, init_limit }
    }

    /// Returns the phase as a word for people.
    pub fn phase_name(&self) -> &'static str {
        match self.phase {
            Phase::Empty { .. } | Phase::Ready => "Ready",
            Phase::Init(_) => "Init",
            Phase::Busy(_) => "Busy",
            Phase::Resetting { .. } => "Resetting",
            Phase::ShuttingDown => "ShuttingDown",
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
            | Phase::ShuttingDown
            | Phase::Gone => None,
        }
    }

    /// Returns the invocation that the runtime has, or should have, and has not begun to answer.
    pub fn unanswered(&self) -> Option<&Invocation> {
        match &self.phase {
            Phase::Busy(running) if running.runtime == RuntimeState::Running => Some(&running.invocation),
            Phase::Busy(_)
            | Phase::Empty { .. }
            | Phase::Init(_)
            | Phase::Ready
            | Phase::Resetting { .. }
            | Phase::ShuttingDown
            | Phase::Gone => None,
        }
    }

    /// Whether the caller of the running invocation has its answer, and the runtime has not asked for the next event.
    pub fn has_answered(&self) -> bool {
        matches!(&self.phase, Phase::Busy(running) if running.is_answered())
    }

    /// Returns when [`Event::DeadlineReached`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Init(init) => Some(init.deadline),
            Phase::Busy(running) => Some(running.deadline),
            Phase::Empty { .. }
            | Phase::Ready
            | Phase::Resetting { .. }
            | Phase::ShuttingDown
            | Phase::Gone => None,
        }
    }

    /// Decides. Requests of the runtime get exactly one of `Accept`, `Reject`, `Park` and `Deliver`.
    pub fn on_event(&mut self, now: Instant, event: Event) -> Vec<Action> {
        match (&mut self.phase, event) {
            // The pool begins an environment once.
            (Phase::Empty { why_cold: None }, Event::Init) => self.begin_init(now),
            (
                Phase::Empty { why_cold: Some(_) }
                | Phase::Init(_)
                | Phase::Ready
                | Phase::Busy(_)
                | Phase::Resetting { .. }
                | Phase::ShuttingDown
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
                Phase::Init(_) | Phase::Resetting { .. } | Phase::Busy(_) | Phase::ShuttingDown | Phase::Gone,
                Event::Invoke(_),
            ) => vec![Action::AnswerFailure("the environment cannot take an invocation")],

            // The runtime's process.
            (Phase::Init(_), Event::RuntimeStarted) => vec![Action::Record(LifecycleEvent::RuntimeStarted)],
            (Phase::Init(_), Event::RuntimeStartFailed(error)) => self.fail_init(now, error),
            (Phase::Init(_), Event::RuntimeExited(status)) => self.fail_init(now, FatalError::exited(status)),
            (Phase::Busy(_), Event::RuntimeExited(status)) => {
                self.fail_invoke(now, FatalError::exited(status))
            }
            // A warm environment died while nobody was looking. No invocation is affected; the next one begins with Init.
            (Phase::Ready, Event::RuntimeExited(_)) => {
                self.reset(ResetReason::Failure, ColdReason::RuntimeExited, None)
            }
            (
                Phase::Empty { .. } | Phase::Resetting { .. } | Phase::ShuttingDown | Phase::Gone,
                Event::RuntimeExited(_) | Event::RuntimeStarted | Event::RuntimeStartFailed(_),
            )
            | (Phase::Ready | Phase::Busy(_), Event::RuntimeStarted | Event::RuntimeStartFailed(_)) => vec![],

            // `/next`.
            (Phase::Init(_), Event::Next { function_init_started, .. }) => {
                self.finish_init(now, function_init_started)
            }
            (Phase::Ready, Event::Next { .. }) => vec![Action::Park],
            (Phase::Busy(_), Event::Next { holder, .. }) => self.next_while_busy(holder),
            (
                Phase::Empty { .. } | Phase::Resetting { .. } | Phase::ShuttingDown | Phase::Gone,
                Event::Next { .. }
                | Event::InitErrorBegins
                | Event::InitError { .. }
                | Event::AnswerBegins { .. }
                | Event::AnswerArrived(_),
            ) => vec![Action::Reject(Rejection::Ending)],

            // `/init/error`. The state is checked before the report is read, and once more when it is there.
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
            (Phase::Busy(running), Event::AnswerArrived(answer)) => running.take_answer(now, answer),
            (Phase::Init(_) | Phase::Ready, Event::AnswerBegins { .. } | Event::AnswerArrived(_)) => {
                vec![Action::Reject(Rejection::InvalidRequestId)]
            }

            // The clock.
            (Phase::Init(init), Event::DeadlineReached) if now >= init.deadline => self.time_out_init(now),
            (Phase::Busy(running), Event::DeadlineReached) if now >= running.deadline => {
                self.time_out_invoke(now)
            }
            // The deadline of something that has just ended; or there is a later one by now.
            (
                Phase::Empty { .. }
                | Phase::Init(_)
                | Phase::Ready
                | Phase::Busy(_)
                | Phase::Resetting { .. }
                | Phase::ShuttingDown
                | Phase::Gone,
                Event::DeadlineReached,
            ) => vec![],

            // The sandbox.
            (Phase::Resetting { .. }, Event::AllGone) => self.finish_reset(now),
            (Phase::ShuttingDown, Event::AllGone) => self.finish_shutdown(),
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
                | Phase::ShuttingDown,
                Event::SandboxLost,
            ) => self.lose_sandbox(),
            (Phase::Gone, Event::SandboxLost | Event::ShutDown(_)) => vec![],

            // The pool ends the environment.
            (Phase::ShuttingDown, Event::ShutDown(_)) => vec![],
            (
                Phase::Empty { .. }
                | Phase::Init(_)
                | Phase::Ready
                | Phase::Busy(_)
                | Phase::Resetting { .. },
                Event::ShutDown(reason),
            ) => self.begin_shutdown(reason),
        }
    }
}

pub(crate) fn reject(from: RuntimeState, to: RuntimeState) -> Action {
    Action::Reject(Rejection::InvalidStateTransition { from, to })
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
