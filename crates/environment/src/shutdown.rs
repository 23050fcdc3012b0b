//! The Shutdown phase: the environment is ended for good.
//!
//! Without extensions the runtime is killed straight away: AWS gives it no time and no `SIGTERM` then (Lambda Developer
//! Guide, "Shutdown phase", read 2026-11). With extensions, the runtime gets `SIGTERM` first and they are told; that
//! comes with them.
//!
//! This module does not decide *when* to shut down. The pool does: idle, replaced, deleted, server stopping.

use hearth_telemetry::{LifecycleEvent, ShutdownReason};

use crate::machine::{Action, Machine, Phase};

impl Machine {
    /// Begins to end the environment. An invocation that still runs is answered: it will not finish.
    pub(crate) fn begin_shutdown(&mut self, reason: ShutdownReason) -> Vec<Action> {
        let mut actions = self.fail_caller("the environment was shut down");
        actions.push(Action::Record(LifecycleEvent::ShutdownStarted { reason }));
        if matches!(self.phase, Phase::Empty { .. }) {
            self.phase = Phase::ShuttingDown;
            actions.extend(self.finish_shutdown());
            return actions;
        }
        self.phase = Phase::ShuttingDown;
        actions.push(Action::KillAll);
        actions
    }

    /// Everything is gone.
    pub(crate) fn finish_shutdown(&mut self) -> Vec<Action> {
        self.phase = Phase::Gone;
        vec![Action::Record(LifecycleEvent::ShutdownDone), Action::Gone]
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
                    actions.push(Action::AnswerFailure(why));
                }
                let status = hearth_telemetry::PhaseStatus::Failure;
                actions
                    .push(Action::Record(crate::invoke::runtime_done(&running.invocation, status.clone())));
                actions.push(Action::Record(crate::invoke::invoke_done(&running.invocation, status)));
            }
            Phase::Init(crate::machine::Initializing { waiting, .. }) | Phase::Resetting { waiting, .. } => {
                if waiting.take().is_some() {
                    actions.push(Action::AnswerFailure(why));
                }
            }
            Phase::Empty { .. } | Phase::Ready | Phase::ShuttingDown | Phase::Gone => {}
        }
        actions
    }
}
