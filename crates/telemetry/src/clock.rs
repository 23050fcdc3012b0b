//! The two clocks: a monotonic one for durations and order, the wall clock for people.

use std::time::{Duration, Instant};

/// Both clocks of a running server. Made once, by `server`, and handed to whoever needs the time.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    epoch_ms: fn() -> i64,
}

impl Clock {
    /// Starts at `started`; `epoch_ms` reads the wall clock, in milliseconds since 1970.
    pub fn new(started: Instant, epoch_ms: fn() -> i64) -> Self {
        Self { started, epoch_ms }
    }

    /// Returns the monotonic time now.
    pub fn now(&self) -> Instant {
        Instant::now()
    }

    /// Returns how long after the start of the server `at` was.
    pub fn since_start(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.started)
    }

    /// Returns the wall clock now, in milliseconds since 1970.
    pub fn epoch_ms(&self) -> i64 {
        (self.epoch_ms)()
    }

    /// Returns what the wall clock will show at `at`, if nobody sets it.
    pub fn epoch_ms_at(&self, at: Instant, now: Instant) -> i64 {
        shift(self.epoch_ms(), now, at)
    }
}

/// Returns what a wall clock that showed `epoch_ms` at `now` showed, or will show, at `at`.
pub(crate) fn shift(epoch_ms: i64, now: Instant, at: Instant) -> i64 {
    let ahead = at.saturating_duration_since(now).as_millis() as i64;
    // Both round down: a clock that shows milliseconds shows the one that has begun.
    let behind = now.saturating_duration_since(at).as_nanos().div_ceil(1_000_000) as i64;
    epoch_ms + ahead - behind
}
