//! Reset: after a crash, a time-out or a failed Init everything in the environment is ended, and the next invocation
//! begins with Init. The environment itself stays: its log stream, its variables, its `/tmp`. Globals are fresh.
//!
//! Extensions are told, as in the Shutdown phase, with the reason `timeout` or `failure`.

use std::time::Instant;

use hearth_telemetry::{LifecycleEvent, ResetReason};
use hearth_types::ColdStart;

use crate::event::{Action, ShutdownEventReason};
use crate::invocation::Invocation;
use crate::machine::{Machine, Phase};
use crate::shutdown::Ending;

impl Machine {
    /// Begins to end the processes. `waiting` is the invocation that an Init failed for: it goes on when everything is gone.
    pub(crate) fn reset(
        &mut self,
        now: Instant,
        reason: ResetReason,
        why_cold: ColdStart,
        waiting: Option<Box<Invocation>>,
    ) -> Vec<Action> {
        let event_reason = match reason {
            ResetReason::Timeout => ShutdownEventReason::Timeout,
            ResetReason::Failure => ShutdownEventReason::Failure,
        };
        let (ending, first) = Ending::begin(now, event_reason, &mut self.extensions, self.runtime_runs);
        // An invocation may come at once: it waits until everything is gone, and stays with this environment.
        let is_free = waiting.is_none();
        self.phase = Phase::Resetting { waiting, why_cold, ending };
        let mut actions = vec![Action::Record(LifecycleEvent::ResetStarted { reason })];
        actions.extend(first);
        if is_free {
            actions.push(Action::Settled);
        }
        actions
    }

    /// Everything is gone.
    pub(crate) fn finish_reset(&mut self, now: Instant) -> Vec<Action> {
        let Phase::Resetting { waiting, why_cold, .. } = &mut self.phase else { return vec![] };
        let (waiting, why_cold) = (waiting.take(), why_cold.clone());
        let mut actions = self.forget_processes();
        self.phase = Phase::Empty { why_cold: Some(why_cold) };
        actions.push(Action::Record(LifecycleEvent::ResetDone));
        if let Some(invocation) = waiting {
            actions.extend(self.begin_init_within_invoke(now, invocation));
        }
        actions
    }
}
