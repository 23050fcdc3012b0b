//! What comes after an attempt: nothing, another one, or the end. No I/O and no clock here.
//!
//! Source of the rules: Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation",
//! read 2026-11.

use std::time::Duration;

use hearth_store::EventProgress;
use hearth_types::Backoff;

/// How long an event waits after its first attempt failed, and after its second.
const RETRY_WAITS: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];
/// How long an event waits that could not be run.
const BACKOFF: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(300) };

/// How often and how long an event is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Further attempts after the first, when the function fails.
    pub(super) retries_max: u32,
    /// From its acceptance on.
    pub(super) age_max: Duration,
}

impl Default for Limits {
    /// What AWS does without a configuration.
    fn default() -> Self {
        Self { retries_max: 2, age_max: Duration::from_secs(21_600) }
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// The function succeeded.
    Succeeded,
    /// The function failed: its error, a time-out, an Init that failed.
    Failed,
    /// The function did not run: no concurrency, or our failure.
    NotRun,
}

/// Why an event is not tried again, as AWS's records call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// The function succeeded.
    Success,
    /// The function has failed as often as it may.
    RetriesExhausted,
    /// The event is too old.
    EventAgeExceeded,
    /// The function called itself, perhaps through others, more often than it may.
    RecursiveInvocation,
    /// The function has reserved no concurrency, so none of its invocations may run.
    ZeroReservedConcurrency,
}

impl Condition {
    /// Returns AWS's word.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::RetriesExhausted => "RetriesExhausted",
            Self::EventAgeExceeded => "EventAgeExceeded",
            // AWS does not document its word. This is that of its exception.
            Self::RecursiveInvocation => "RecursiveInvocation",
            Self::ZeroReservedConcurrency => "ZeroReservedConcurrency",
        }
    }
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    Over(Condition),
    /// Another attempt.
    Again(EventProgress),
}

impl Limits {
    /// Whether an event that was accepted at `accepted_ms` is too old `now_ms`.
    pub(super) fn is_too_old(&self, accepted_ms: i64, now_ms: i64) -> bool {
        now_ms >= self.end_ms(accepted_ms)
    }

    fn end_ms(&self, accepted_ms: i64) -> i64 {
        accepted_ms.saturating_add(millis(self.age_max))
    }

    /// Says what comes after an attempt that ended `now_ms`.
    pub(super) fn after(
        &self,
        attempt: Attempt,
        accepted_ms: i64,
        progress: EventProgress,
        now_ms: i64,
    ) -> Verdict {
        let next = match attempt {
            Attempt::Succeeded => return Verdict::Over(Condition::Success),
            Attempt::Failed if progress.attempts >= self.retries_max => {
                return Verdict::Over(Condition::RetriesExhausted);
            }
            Attempt::Failed => {
                let wait = RETRY_WAITS[(progress.attempts as usize).min(RETRY_WAITS.len() - 1)];
                EventProgress { due_ms: now_ms + millis(wait), attempts: progress.attempts + 1, backoffs: 0 }
            }
            Attempt::NotRun => EventProgress {
                due_ms: now_ms + BACKOFF.after_ms(progress.backoffs),
                attempts: progress.attempts,
                backoffs: progress.backoffs.saturating_add(1),
            },
        };
        // It is looked at again when it gets too old, and not only when its next attempt would be due.
        let due_ms = next.due_ms.min(self.end_ms(accepted_ms).max(now_ms));
        Verdict::Again(EventProgress { due_ms, ..next })
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: EventProgress = EventProgress { due_ms: 0, attempts: 0, backoffs: 0 };

    fn waits(limits: Limits, attempts: &[Attempt]) -> (Vec<i64>, Option<Condition>) {
        let (mut progress, mut now_ms, mut waits) = (START, 0, Vec::new());
        for &attempt in attempts {
            match limits.after(attempt, 0, progress, now_ms) {
                Verdict::Over(condition) => return (waits, Some(condition)),
                Verdict::Again(next) => {
                    waits.push((next.due_ms - now_ms) / 1_000);
                    (progress, now_ms) = (next, next.due_ms);
                }
            }
        }
        (waits, None)
    }

    #[test]
    fn a_function_that_fails_is_tried_again_after_one_and_two_minutes() {
        let exhausted = Some(Condition::RetriesExhausted);
        let failed = [Attempt::Failed; 3];
        assert_eq!(waits(Limits::default(), &failed), (vec![60, 120], exhausted));
        assert_eq!(waits(Limits { retries_max: 1, ..Limits::default() }, &failed), (vec![60], exhausted));
        assert_eq!(waits(Limits { retries_max: 0, ..Limits::default() }, &failed), (vec![], exhausted));
    }

    #[test]
    fn an_event_that_cannot_run_backs_off_to_five_minutes_and_keeps_its_retries() {
        let (backoffs, over) = waits(Limits::default(), &[Attempt::NotRun; 12]);
        assert_eq!(backoffs, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        assert_eq!(over, None);
        use Attempt::{Failed, NotRun};
        let (mixed, over) =
            waits(Limits::default(), &[NotRun, NotRun, Failed, NotRun, Failed, NotRun, Failed]);
        assert_eq!(mixed, [1, 2, 60, 1, 120, 1], "a failure begins the backing off anew");
        assert_eq!(over, Some(Condition::RetriesExhausted));
        let (many, _) = waits(Limits::default(), &[NotRun; 100]);
        assert_eq!(many.iter().sum::<i64>(), 21_600, "and is looked at again when it is too old");
    }

    #[test]
    fn an_event_is_too_old_from_its_age_on() {
        let limits = Limits { age_max: Duration::from_secs(60), ..Limits::default() };
        assert!(!limits.is_too_old(1_000, 60_999));
        assert!(limits.is_too_old(1_000, 61_000));
        let Verdict::Again(next) = limits.after(Attempt::Failed, 0, START, 5_000) else { panic!("one more") };
        assert_eq!(next.due_ms, 60_000, "it will be found too old then");
    }
}
