//! How many calls of a queue's batches run at once: few to begin with, more while there is enough to do.
//!
//! Source: Lambda Developer Guide, "Configuring scaling behavior for SQS event source mappings", read 2026-11: five to
//! begin with, up to 300 more a minute, at most 1,250.

use std::time::Duration;

use tokio::time::Instant;

/// How many to begin with.
const AT_ONCE_FIRST: usize = 5;
/// How many at most, without a limit of the mapping's own.
const AT_ONCE_MAX: usize = 1_250;
/// After which time of having enough to do there is room for one more: 300 a minute.
pub(super) const STEP: Duration = Duration::from_millis(200);

pub(super) struct Ramp {
    at_once: usize,
    max: usize,
    /// Since when all that is allowed runs.
    full_since: Option<Instant>,
}

impl Ramp {
    pub(super) fn new(concurrency_max: Option<u32>) -> Self {
        let max = concurrency_max.map_or(AT_ONCE_MAX, |max| max as usize);
        Self { at_once: AT_ONCE_FIRST.min(max), max, full_since: None }
    }

    /// Returns how many may run, asked by somebody who has one more.
    pub(super) fn at_once(&mut self, now: Instant) -> usize {
        let since = *self.full_since.get_or_insert(now);
        if now.saturating_duration_since(since) >= STEP && self.at_once < self.max {
            self.at_once += 1;
            self.full_since = Some(now);
        }
        self.at_once
    }

    /// There was nothing in the queue.
    pub(super) fn idle(&mut self) {
        self.full_since = None;
        self.at_once = AT_ONCE_FIRST.min(self.max);
    }

    /// A call has ended. One that could not run is a sign that fewer should.
    pub(super) fn ended(&mut self, could_run: bool) {
        if !could_run {
            self.at_once = (self.at_once / 2).max(1);
            self.full_since = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_more_while_there_is_enough_to_do() {
        let now = Instant::now();
        let mut ramp = Ramp::new(None);
        assert_eq!(ramp.at_once(now), 5);
        for step in 1..=10 {
            assert_eq!(ramp.at_once(now + STEP * step), 5 + step as usize);
        }
        ramp.ended(true);
        assert_eq!(ramp.at_once(now + STEP * 10), 15);
        ramp.ended(false);
        assert_eq!(ramp.at_once(now + STEP * 10), 7);
        ramp.idle();
        assert_eq!(ramp.at_once(now + STEP * 11), 5);
    }

    #[test]
    fn a_mapping_may_have_a_limit_of_its_own() {
        let now = Instant::now();
        let mut ramp = Ramp::new(Some(2));
        assert_eq!((0..20).map(|step| ramp.at_once(now + STEP * step)).max(), Some(2));
    }
}
