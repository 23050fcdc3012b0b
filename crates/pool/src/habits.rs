//! What is known of how a version behaves: how often it is called, what its calls and cold starts take, what memory it has,
//! and how long nobody calls.

use std::time::{Duration, Instant};

use hearth_keep_alive::{Advised, IdleTimes};

use crate::settings::KeepAlive;

/// How much the newest of several times counts.
const NEWEST: f64 = 0.25;

/// The habits of one version of a function.
#[derive(Debug, Default)]
pub(crate) struct Habits {
    /// Since there was no environment.
    calls: u64,
    cold_start_us: Option<f64>,
    call_us: Option<f64>,
    memory_bytes_max: u64,
    /// When the last call ended.
    last_end: Option<Instant>,
    idle_times: Option<Box<IdleTimes>>,
}

/// The mean, in which what was long ago counts less and less.
fn mean(known: Option<f64>, newest: Duration) -> Option<f64> {
    let newest = newest.as_secs_f64() * 1e6;
    Some(known.map_or(newest, |known| known + NEWEST * (newest - known)))
}

fn micros(us: f64) -> Duration {
    Duration::try_from_secs_f64(us / 1e6).unwrap_or_default()
}

impl Habits {
    /// Nothing is known yet, and what this needs will be.
    pub(crate) fn to_know(keep_alive: KeepAlive) -> Self {
        let idle_times = match keep_alive {
            KeepAlive::Fixed => None,
            KeepAlive::Histogram => Some(Box::default()),
        };
        Self { idle_times, ..Self::default() }
    }

    /// A call begins. `is_only`: no other one runs.
    pub(crate) fn called(&mut self, now: Instant, is_only: bool) {
        self.calls += 1;
        if let Some(idle_times) = &mut self.idle_times
            && let Some(last_end) = self.last_end.filter(|_| is_only)
        {
            let idle = now.saturating_duration_since(last_end);
            idle_times.add(u64::try_from(idle.as_micros()).unwrap_or(u64::MAX));
        }
    }

    /// A call has ended, and its environment is free.
    pub(crate) fn ended(&mut self, began: Instant, now: Instant) {
        self.call_us = mean(self.call_us, now.saturating_duration_since(began));
        self.last_end = Some(now);
    }

    /// A cold start has ended with its Init.
    pub(crate) fn started(&mut self, took: Duration) {
        self.cold_start_us = mean(self.cold_start_us, took);
    }

    /// An environment was seen with so much memory.
    pub(crate) fn had(&mut self, memory_bytes: u64) {
        self.memory_bytes_max = self.memory_bytes_max.max(memory_bytes);
    }

    /// Its last environment went: how often it was called before says little.
    pub(crate) fn gone(&mut self) {
        self.calls = 0;
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls
    }

    /// What a cold start takes, if there was one.
    pub(crate) fn cold_start(&self) -> Option<Duration> {
        self.cold_start_us.map(micros)
    }

    pub(crate) fn cold_start_us(&self) -> f64 {
        self.cold_start_us.unwrap_or_default()
    }

    /// What a call takes, if there was one.
    pub(crate) fn call(&self) -> Option<Duration> {
        self.call_us.map(micros)
    }

    /// The most memory that an environment was seen with.
    pub(crate) fn memory_bytes_max(&self) -> Option<u64> {
        (self.memory_bytes_max > 0).then_some(self.memory_bytes_max)
    }

    /// Returns how long an idle environment is kept.
    pub(crate) fn keep_for(&mut self, idle_timeout: Duration) -> Duration {
        let advised = self.idle_times.as_mut().map_or(Advised::Nothing, |idle_times| idle_times.advise());
        match advised {
            Advised::Nothing => idle_timeout,
            // Nothing is made ahead of calls here, so it is kept through the short idle times, too.
            Advised::Keep { for_us } | Advised::MakeAgain { until_us: for_us, .. } => {
                Duration::from_micros(for_us)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_histogram_keeps_a_function_as_long_as_nearly_all_its_idle_times_and_no_longer_than_it_knows() {
        let start = Instant::now();
        let limit = Duration::from_secs(600);
        let keep_for = |gap_s: u64, calls: u32| {
            [KeepAlive::Fixed, KeepAlive::Histogram].map(|keep_alive| {
                let mut habits = Habits::to_know(keep_alive);
                let mut now = start;
                for _ in 0..calls {
                    habits.called(now, true);
                    habits.ended(now, now);
                    now += Duration::from_secs(gap_s);
                }
                habits.keep_for(limit).as_secs()
            })
        };
        assert_eq!(keep_for(5, 30), [600, 11], "called every five seconds");
        assert_eq!(keep_for(1_000, 30), [600, 1_111], "called four times an hour");
        assert_eq!(keep_for(5, 5), [600, 600], "little is known");
        assert_eq!(keep_for(40_000, 30), [600, 600], "nobody waits for that");
    }

    #[test]
    fn a_call_beside_another_is_no_end_of_idling() {
        let start = Instant::now();
        let mut habits = Habits::to_know(KeepAlive::Histogram);
        habits.ended(start, start);
        for _ in 0..30 {
            habits.called(start + Duration::from_secs(5), false);
        }
        assert_eq!(habits.keep_for(Duration::from_secs(600)).as_secs(), 600);
        assert_eq!(habits.calls(), 30);
    }

    #[test]
    fn what_was_long_ago_counts_less() {
        let mut habits = Habits::default();
        assert_eq!(habits.cold_start(), None);
        (0..3).for_each(|_| habits.started(Duration::from_millis(100)));
        assert_eq!(habits.cold_start(), Some(Duration::from_millis(100)));
        (0..20).for_each(|_| habits.started(Duration::from_millis(10)));
        assert!(habits.cold_start_us() < 11_000.0, "{}", habits.cold_start_us());
    }
}
