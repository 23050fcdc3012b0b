//! The Shutdown phase: the runtime is ended first, then the extensions, and nothing is left.
//!
//! | registered | time in all | the runtime | the extensions |
//! |---|---|---|---|
//! | none | none | is killed at once | |
//! | only internal | 500 ms | gets `SIGTERM`, and is killed when the time is up | end with it |
//! | an external one | 2,000 ms | gets `SIGTERM`, and is killed after 300 ms | get the event `SHUTDOWN`, and are killed when the time is up; who has not registered for it is killed at once |
//!
//! A reset goes the same way, but for the runtime: it has failed, and is killed at once.
//!
//! Source: Lambda Developer Guide, "Shutdown phase", read 2026-11.
//!
//! This module does not decide *when* to shut down. The pool does: idle, replaced, deleted, server stopping.

use std::time::Instant;

use hearth_telemetry::{LifecycleEvent, PhaseStatus, ShutdownReason};
use hearth_types::limits::{SHUTDOWN_LIMIT_EXTERNAL, SHUTDOWN_LIMIT_INTERNAL, SHUTDOWN_LIMIT_RUNTIME};

use crate::event::{Action, ExtensionEvent, ShutdownEventReason};
use crate::extensions::{Extensions, ProgramNumber};
use crate::injected_fault::Victim;
use crate::invocation::InvokeFailure;
use crate::machine::{Initializing, Machine, Phase};

/// How far the ending of all processes is, in a shutdown or a reset.
#[derive(Debug)]
pub(crate) struct Ending {
    step: Step,
    reason: ShutdownEventReason,
    /// When whatever is left is killed.
    deadline: Instant,
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// The runtime has been asked to end.
    Runtime { until: Instant },
    /// The extensions have been told.
    Extensions,
    /// Everything is being killed.
    Killing,
}

impl Ending {
    /// Begins to end every process.
    pub(crate) fn begin(
        now: Instant,
        reason: ShutdownEventReason,
        extensions: &mut Extensions,
        runtime_runs: bool,
    ) -> (Self, Vec<Action>) {
        if extensions.is_empty() {
            let ending = Self { step: Step::Killing, reason, deadline: now };
            return (ending, vec![Action::KillAll]);
        }
        let (limit, runtime_limit) = if extensions.has_external() {
            (SHUTDOWN_LIMIT_EXTERNAL, SHUTDOWN_LIMIT_RUNTIME)
        } else {
            (SHUTDOWN_LIMIT_INTERNAL, SHUTDOWN_LIMIT_INTERNAL)
        };
        let until = now + runtime_limit;
        let mut ending = Self { step: Step::Runtime { until }, reason, deadline: now + limit };
        let actions = match (runtime_runs, reason) {
            (false, _) => ending.tell_extensions(extensions),
            (true, ShutdownEventReason::Spindown) => vec![
                Action::TerminateRuntime,
                Action::Record(LifecycleEvent::RuntimeTerminated),
                Action::SetDeadline(until),
            ],
            (true, ShutdownEventReason::Timeout | ShutdownEventReason::Failure) => {
                ending.kill_runtime(extensions)
            }
        };
        (ending, actions)
    }

    /// Returns when it goes on by itself.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        match self.step {
            Step::Runtime { until } => Some(until),
            Step::Extensions => Some(self.deadline),
            Step::Killing => None,
        }
    }

    /// The runtime's process ended.
    pub(crate) fn runtime_gone(&mut self, extensions: &mut Extensions) -> Vec<Action> {
        if !matches!(self.step, Step::Runtime { .. }) {
            return vec![];
        }
        let mut actions = vec![Action::Record(LifecycleEvent::RuntimeGone { killed: false })];
        actions.extend(self.tell_extensions(extensions));
        actions
    }

    /// The process of an external extension ended.
    pub(crate) fn extension_gone(
        &mut self,
        program: ProgramNumber,
        extensions: &mut Extensions,
    ) -> Vec<Action> {
        let Some(extension) = extensions.of_program(program).filter(|extension| extension.is_alive) else {
            return vec![];
        };
        extension.is_alive = false;
        let gone =
            LifecycleEvent::ExtensionGone { extension: extension.name.clone(), killed: extension.was_killed };
        let mut actions = vec![Action::Record(gone)];
        if self.step == Step::Extensions && !extensions.is_one_alive() {
            actions.extend(self.kill_all());
        }
        actions
    }

    /// It may be time for the next step.
    pub(crate) fn deadline_reached(&mut self, now: Instant, extensions: &mut Extensions) -> Vec<Action> {
        match self.step {
            Step::Runtime { until } if now >= until => self.kill_runtime(extensions),
            Step::Extensions if now >= self.deadline => {
                for extension in extensions.iter_mut().filter(|extension| extension.is_alive) {
                    extension.was_killed = true;
                }
                self.kill_all()
            }
            Step::Runtime { .. } | Step::Extensions | Step::Killing => vec![],
        }
    }

    fn kill_runtime(&mut self, extensions: &mut Extensions) -> Vec<Action> {
        let gone = LifecycleEvent::RuntimeGone { killed: true };
        let mut actions = vec![Action::KillRuntime, Action::Record(gone)];
        actions.extend(self.tell_extensions(extensions));
        actions
    }

    /// The runtime is gone, or as good as gone. Who wants to hear of it is told, the others are killed.
    fn tell_extensions(&mut self, extensions: &mut Extensions) -> Vec<Action> {
        if !extensions.is_one_alive() {
            return self.kill_all();
        }
        self.step = Step::Extensions;
        let mut actions = Vec::new();
        for extension in extensions.iter_mut().filter(|extension| extension.is_alive) {
            match extension.id.filter(|_| extension.hears_of_shutdown()) {
                Some(id) => {
                    let event = ExtensionEvent::Shutdown { reason: self.reason, deadline: self.deadline };
                    actions.push(Action::Notify { extension: id, event });
                    actions.push(Action::Record(LifecycleEvent::ExtensionShutdownSent {
                        extension: extension.name.clone(),
                        deadline: self.deadline,
                    }));
                }
                None => {
                    extension.was_killed = true;
                    actions.extend(extension.program.map(Action::KillExtension));
                }
            }
        }
        actions.push(Action::SetDeadline(self.deadline));
        actions
    }

    fn kill_all(&mut self) -> Vec<Action> {
        self.step = Step::Killing;
        vec![Action::KillAll]
    }
}

impl Machine {
    /// Begins to end the environment. An invocation that still runs is answered: it will not finish.
    pub(crate) fn begin_shutdown(&mut self, now: Instant, reason: ShutdownReason) -> Vec<Action> {
        let mut actions = self.fail_caller("the environment was shut down");
        actions.push(Action::Record(LifecycleEvent::ShutdownStarted { reason }));
        match std::mem::replace(&mut self.phase, Phase::Gone) {
            Phase::Empty { .. } => actions.extend(self.finish_shutdown()),
            // The processes are being ended already; only nothing is started afterwards.
            Phase::Resetting { ending, .. } => self.phase = Phase::ShuttingDown(ending),
            Phase::Init(_) | Phase::Ready | Phase::Busy(_) | Phase::ShuttingDown(_) | Phase::Gone => {
                let spindown = ShutdownEventReason::Spindown;
                actions.extend(self.inject_into_shutdown(now));
                let (ending, mut first) =
                    Ending::begin(now, spindown, &mut self.extensions, self.runtime_runs);
                if self.injected.is_held(Victim::Runtime) {
                    // It hears of the end when it goes on, if it ever does.
                    first.retain(|action| *action != Action::TerminateRuntime);
                }
                self.phase = Phase::ShuttingDown(ending);
                actions.extend(first);
            }
        }
        actions
    }

    /// Everything is gone.
    pub(crate) fn finish_shutdown(&mut self) -> Vec<Action> {
        let mut actions = self.forget_processes();
        self.phase = Phase::Gone;
        actions.extend([Action::Record(LifecycleEvent::ShutdownDone), Action::Gone]);
        actions
    }

    /// Records the ends that nobody has reported: when everything is gone, they are gone, too.
    pub(crate) fn forget_processes(&mut self) -> Vec<Action> {
        let gone = |extension: &mut crate::extensions::Extension| {
            let (extension, killed) = (extension.name.clone(), true);
            Action::Record(LifecycleEvent::ExtensionGone { extension, killed })
        };
        let actions = self.extensions.iter_mut().filter(|extension| extension.is_alive).map(gone).collect();
        self.extensions.forget();
        self.injected.forget_processes();
        self.runtime_runs = false;
        actions
    }

    /// The sandbox broke, and with it everything inside.
    pub(crate) fn lose_sandbox(&mut self) -> Vec<Action> {
        let mut actions = self.fail_caller("the sandbox of the environment broke");
        let reason = ShutdownReason::SandboxLost;
        actions.push(Action::Record(LifecycleEvent::ShutdownStarted { reason }));
        actions.extend(self.finish_shutdown());
        actions
    }

    fn fail_caller(&mut self, why: &'static str) -> Vec<Action> {
        let mut actions = Vec::new();
        match &mut self.phase {
            Phase::Busy(running) => {
                if !running.is_answered() {
                    actions.push(Action::AnswerFailure(InvokeFailure::Service(why)));
                }
                actions.extend(running.ended(PhaseStatus::Failure));
            }
            Phase::Init(Initializing { waiting, .. }) | Phase::Resetting { waiting, .. } => {
                if waiting.take().is_some() {
                    actions.push(Action::AnswerFailure(InvokeFailure::Service(why)));
                }
            }
            Phase::Empty { .. } | Phase::Ready | Phase::ShuttingDown(_) | Phase::Gone => {}
        }
        actions
    }
}
