//! Standing still: while nobody calls, no process of a warm environment runs. Timers, sockets and background work go on
//! with the next event, as if no time had passed for them; the wall clock jumps.
//!
//! | the runtime and all extensions wait | |
//! |---|---|
//! | for less than 20 ms | nothing: who calls again at once pays nothing for it |
//! | longer, with extensions | subscribers are sent what telemetry waits for them, and have 40 ms to take it; up to a second while a batch is on its way |
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
/// How much longer subscribers have for what was put out last, and how often it is asked whether they have taken it.
const DELIVERY_BEFORE: Duration = Duration::from_millis(40);
/// How long they have for it in all. What they do not take by then waits until the next thaw.
const DELIVERY_LIMIT: Duration = Duration::from_secs(1);

/// Whether processes stand still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stillness {
    /// They cannot.
    Never,
    /// They run.
    No,
    /// They will.
    Soon { at: Instant, subscribers: Subscribers },
    /// They do.
    Frozen,
}

/// What subscribers have been sent of what waits for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subscribers {
    /// There are none.
    Nobody,
    /// What was due.
    Unhurried,
    /// Everything, at once.
    Hurried { since: Instant },
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

    /// Whether it depends on its subscribers whether the processes stand still now.
    pub(crate) fn is_about_to_freeze(&self, now: Instant) -> bool {
        matches!(
            self.stillness,
            Stillness::Soon { at, subscribers: Subscribers::Hurried { .. } } if at <= now
        )
    }

    /// Says whether a subscriber is being sent something, and has not taken it.
    pub fn subscribers_take_a_batch(&mut self, is_delivering: bool) {
        self.is_delivering = is_delivering;
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
                let nobody = self.extensions.is_empty();
                let subscribers = if nobody { Subscribers::Nobody } else { Subscribers::Unhurried };
                self.freeze_at(now + IDLE_BEFORE, subscribers, actions);
            }
            (Phase::Ready, Stillness::Soon { at, .. }) if now < at => {}
            (Phase::Ready, Stillness::Soon { subscribers: Subscribers::Unhurried, .. }) => {
                actions.push(Action::HurrySubscribers);
                self.freeze_at(now + DELIVERY_BEFORE, Subscribers::Hurried { since: now }, actions);
            }
            (
                Phase::Ready,
                Stillness::Soon { subscribers: subscribers @ Subscribers::Hurried { since }, .. },
            ) if self.is_delivering && now < since + DELIVERY_LIMIT => {
                self.freeze_at(now + DELIVERY_BEFORE, subscribers, actions);
            }
            (
                Phase::Ready,
                Stillness::Soon { subscribers: Subscribers::Nobody | Subscribers::Hurried { .. }, .. },
            ) => {
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

    fn freeze_at(&mut self, at: Instant, subscribers: Subscribers, actions: &mut Vec<Action>) {
        self.stillness = Stillness::Soon { at, subscribers };
        actions.push(Action::SetDeadline(at));
    }
}
