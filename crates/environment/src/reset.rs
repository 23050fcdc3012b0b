//! Reset: after a crash, a time-out or a failed Init everything in the environment is killed, and the next invocation
//! begins with Init. The environment itself stays: its log stream, its variables, its `/tmp`. Globals are fresh.

use std::time::Instant;

use hearth_telemetry::{LifecycleEvent, ResetReason};
use hearth_types::ColdReason;

use crate::invocation::Invocation;
use crate::machine::{Action, Machine, Phase};

impl Machine {
    /// Begins to kill. `waiting` is the invocation that an Init failed for: it goes on when everything is gone.
    pub(crate) fn reset(
        &mut self,
        reason: ResetReason,
        why_cold: ColdReason,
        waiting: Option<Box<Invocation>>,
    ) -> Vec<Action> {
        // An invocation may come at once: it waits until everything is gone, and stays with this environment.
        let is_free = waiting.is_none();
        self.phase = Phase::Resetting { waiting, why_cold };
        let mut actions = vec![Action::Record(LifecycleEvent::ResetStarted { reason }), Action::KillAll];
        if is_free {
            actions.push(Action::Settled);
        }
        actions
    }

    /// Everything is gone.
    pub(crate) fn finish_reset(&mut self, now: Instant) -> Vec<Action> {
        let Phase::Resetting { waiting, why_cold } = &mut self.phase else { return vec![] };
        let (waiting, why_cold) = (waiting.take(), *why_cold);
        self.phase = Phase::Empty { why_cold: Some(why_cold) };
        let mut actions = vec![Action::Record(LifecycleEvent::ResetDone)];
        if let Some(invocation) = waiting {
            actions.extend(self.begin_init_within_invoke(now, invocation));
        }
        actions
    }
}
