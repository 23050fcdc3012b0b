//! How much memory the environments of this host have together, and how much they may: a [`Room`] each.
//!
//! Numbers only. Who measures is in `pressure.rs`, who has to go in `eviction.rs`, and who waits in `admission.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use hearth_telemetry::Clock;

/// What one environment is taken to need at most before anything is known of its function, as a share of all: a guess that
/// is too high would keep calls waiting that have room, and 32 cold starts run at once by default.
const UNKNOWN_SHARE: u64 = 32;
/// Less than this is never guessed, unless the function may have less: what a function has that says nothing.
const UNKNOWN_BYTES_MIN: u64 = 128 << 20;

/// The memory of all environments.
#[derive(Debug)]
pub(crate) struct Memory {
    clock: Clock,
    /// So much they may have together; `None`: nobody counts.
    bytes_max: Option<u64>,
    held: AtomicU64,
    /// Whether the host itself has little left, whoever has it.
    is_host_short: AtomicBool,
    /// Of Greedy-Dual: the bits of what the environment was worth that had to go last.
    worth_clock: AtomicU64,
    /// Calls that found no room since somebody was told.
    refused: AtomicU64,
}

/// What one environment has of it. Given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Room {
    memory: Arc<Memory>,
    bytes: AtomicU64,
    /// When it was taken: a cold start begins.
    since: Instant,
    /// Whether it was measured since the environment was busy last.
    is_measured: AtomicBool,
}

impl Memory {
    pub(crate) fn new(clock: Clock, bytes_max: Option<u64>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            bytes_max,
            held: AtomicU64::new(0),
            is_host_short: AtomicBool::new(false),
            worth_clock: AtomicU64::new(0.0_f64.to_bits()),
            refused: AtomicU64::new(0),
        })
    }

    pub(crate) fn bytes_max(&self) -> Option<u64> {
        self.bytes_max
    }

    /// Returns what an environment of a function needs that may have `bytes_limit`. `seen`: the most that one had.
    pub(crate) fn needed(&self, bytes_limit: u64, seen: Option<u64>) -> u64 {
        let Some(bytes_max) = self.bytes_max else { return 0 };
        let unknown = (bytes_max / UNKNOWN_SHARE).max(UNKNOWN_BYTES_MIN);
        // The next one may have a little more.
        let needed = seen.map_or(unknown, |seen| seen.saturating_add(seen / 10));
        needed.min(bytes_limit).min(bytes_max)
    }

    /// Takes room, if there is some. A function that needs more than there is has room when nobody else has any.
    pub(crate) fn try_take(self: &Arc<Self>, bytes: u64) -> Option<Room> {
        if let Some(bytes_max) = self.bytes_max {
            if self.is_host_short.load(Ordering::Relaxed) && self.held() > 0 {
                return None;
            }
            let more = |held: u64| held.checked_add(bytes).filter(|sum| *sum <= bytes_max);
            self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        }
        Some(self.room(bytes))
    }

    /// Takes room whether there is some or not.
    pub(crate) fn take(self: &Arc<Self>, bytes: u64) -> Room {
        self.held.fetch_add(bytes, Ordering::Relaxed);
        self.room(bytes)
    }

    fn room(self: &Arc<Self>, bytes: u64) -> Room {
        let bytes = AtomicU64::new(if self.bytes_max.is_some() { bytes } else { 0 });
        Room { memory: self.clone(), bytes, since: self.clock.now(), is_measured: AtomicBool::new(false) }
    }

    pub(crate) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// Returns what has to be freed before somebody can have `bytes`.
    pub(crate) fn missing_for(&self, bytes: u64) -> u64 {
        self.bytes_max.map_or(0, |bytes_max| self.held().saturating_add(bytes).saturating_sub(bytes_max))
    }

    pub(crate) fn set_host_short(&self, is_short: bool) {
        self.is_host_short.store(is_short, Ordering::Relaxed);
    }

    pub(crate) fn worth_clock(&self) -> f64 {
        f64::from_bits(self.worth_clock.load(Ordering::Relaxed))
    }

    /// An environment had to go that was worth this much. The clock never goes back.
    pub(crate) fn went(&self, worth: f64) {
        if worth > self.worth_clock() {
            self.worth_clock.store(worth.to_bits(), Ordering::Relaxed);
        }
    }

    pub(crate) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how many calls were refused since this was asked last.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.swap(0, Ordering::Relaxed)
    }
}

impl Room {
    /// Returns when the cold start began.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    pub(crate) fn now(&self) -> Instant {
        self.memory.clock.now()
    }

    pub(crate) fn worth_clock(&self) -> f64 {
        self.memory.worth_clock()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// It has so much now.
    pub(crate) fn set(&self, bytes: u64) {
        if self.memory.bytes_max.is_none() {
            return;
        }
        // First more, then less, so that the sum is never too low.
        self.memory.held.fetch_add(bytes, Ordering::Relaxed);
        let before = self.bytes.swap(bytes, Ordering::Relaxed);
        self.memory.held.fetch_sub(before, Ordering::Relaxed);
    }

    /// Whether what it has was measured since the environment was busy last.
    pub(crate) fn is_measured(&self) -> bool {
        self.is_measured.load(Ordering::Relaxed)
    }

    pub(crate) fn set_measured(&self, is_measured: bool) {
        self.is_measured.store(is_measured, Ordering::Relaxed);
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.memory.held.fetch_sub(*self.bytes.get_mut(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;

    fn memory(bytes_max: Option<u64>) -> Arc<Memory> {
        Memory::new(Clock::new(Instant::now(), || 0), bytes_max)
    }

    #[test]
    fn room_is_there_until_all_is_taken_and_comes_back() {
        let memory = memory(Some(300 * MB));
        let one = memory.try_take(200 * MB).unwrap();
        assert!(memory.try_take(101 * MB).is_none());
        assert_eq!((memory.missing_for(101 * MB), memory.missing_for(100 * MB)), (MB, 0));
        let two = memory.try_take(100 * MB).unwrap();
        one.set(50 * MB);
        assert_eq!((memory.held(), one.bytes()), (150 * MB, 50 * MB));
        drop((one, two));
        assert_eq!(memory.held(), 0);
    }

    #[test]
    fn nobody_counts_without_a_limit() {
        let memory = memory(None);
        let rooms: Vec<_> = (0..9).map(|_| memory.try_take(u64::MAX).unwrap()).collect();
        rooms.iter().for_each(|room| room.set(u64::MAX));
        assert_eq!((memory.held(), memory.missing_for(u64::MAX), memory.needed(MB, None)), (0, 0, 0));
    }

    #[test]
    fn a_host_that_is_short_has_room_for_nobody_but_the_only_one() {
        let memory = memory(Some(300 * MB));
        memory.set_host_short(true);
        let only = memory.try_take(MB).unwrap();
        assert!(memory.try_take(MB).is_none());
        drop(only);
        assert!(memory.try_take(MB).is_some());
    }

    #[test]
    fn what_is_needed_is_a_guess_until_one_was_seen() {
        let memory = memory(Some(6_400 * MB));
        assert_eq!(memory.needed(10_240 * MB, None), 200 * MB);
        assert_eq!(memory.needed(128 * MB, None), 128 * MB);
        assert_eq!(memory.needed(10_240 * MB, Some(1_000 * MB)), 1_100 * MB);
        assert_eq!(memory.needed(1_024 * MB, Some(1_000 * MB)), 1_024 * MB);
        assert_eq!(memory.needed(10_240 * MB, Some(9_000 * MB)), 6_400 * MB, "alone it fits");
    }
}
