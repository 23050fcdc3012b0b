//! Standing still: while nobody calls, no process of a warm environment runs. Timers, sockets and background work go on
//! with the next event, as if no time had passed for them; the wall clock jumps.
//!
//! | the runtime and all extensions wait | |
//! |---|---|
//! | for less than 20 ms | nothing: who calls again at once pays nothing for it |
//! | longer, with extensions | subscribers are sent what telemetry waits for them, and have 40 ms to take it |
//! | longer | all processes stand still |
//! | and there is something to do | they go on first: a call loses none of its time to it |
//!
//! Source: Lambda Developer Guide, "Lambda execution environment lifecycle": the service freezes the environment when the
//! runtime and each extension have completed and there are no pending events. It does not say how soon. Read 2026-11.

use std::time::{Duration, Instant};

use crate::event::Action;
use crate::machine::{Machine, Phase};

/// How long an environment has to be idle. Ours: a freeze and a thaw cost as much as a tenth of a short call.
const IDLE_BEFORE: Duration = Duration::from_millis(20);
/// How much longer subscribers have for what was put out last. What they do not take waits until the next thaw.
const DELIVERY_BEFORE: Duration = Duration::from_millis(40);

/// Whether processes stand still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stillness {
    /// They cannot.
    Never,
    /// They run.
    No,
    /// They will.
    Soon { at: Instant, subscribers_hurried: bool },
    /// They do.
    Frozen,
}

impl Stillness {
    pub(crate) fn next_deadline(self) -> Option<Instant> {
        match self {
            Self::Soon { at, .. } => Some(at),
            Self::Never | Self::No | Self::Frozen => None,
        }
    }
}

impl Machine {
    /// Makes an environment stand still that idles long enough.
    pub fn freezing(self) -> Self {
        Self { stillness: Stillness::No, ..self }
    }

    /// Whether all processes stand still.
    pub fn is_frozen(&self) -> bool {
        self.stillness == Stillness::Frozen
    }

    /// The processes go on already.
    pub fn thawed(&mut self) {
        self.stillness = Stillness::No;
    }

    /// Follows what has just been decided.
    pub(crate) fn freeze_or_thaw(&mut self, now: Instant, actions: &mut Vec<Action>) {
        match (&self.phase, self.stillness) {
            (_, Stillness::Never) | (Phase::Ready, Stillness::Frozen) => {}
            (Phase::Ready, Stillness::No) => {
                self.freeze_at(now + IDLE_BEFORE, self.extensions.is_empty(), actions);
            }
            (Phase::Ready, Stillness::Soon { at, .. }) if now < at => {}
            (Phase::Ready, Stillness::Soon { subscribers_hurried: false, .. }) => {
                actions.push(Action::HurrySubscribers);
                self.freeze_at(now + DELIVERY_BEFORE, true, actions);
            }
            (Phase::Ready, Stillness::Soon { .. }) => {
                self.stillness = Stillness::Frozen;
                actions.push(Action::Freeze);
            }
            (
                Phase::Empty { .. }
                | Phase::Init(_)
                | Phase::Busy(_)
                | Phase::Resetting { .. }
                | Phase::ShuttingDown(_)
                | Phase::Gone,
                stillness,
            ) => {
                if stillness == Stillness::Frozen {
                    // What stands still hears no signal.
                    actions.insert(0, Action::Thaw);
                }
                self.stillness = Stillness::No;
            }
        }
    }

    fn freeze_at(&mut self, at: Instant, subscribers_hurried: bool, actions: &mut Vec<Action>) {
        self.stillness = Stillness::Soon { at, subscribers_hurried };
        actions.push(Action::SetDeadline(at));
    }
}
