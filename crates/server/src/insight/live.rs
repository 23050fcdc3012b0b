//! What functions do now and have done today: counted as it happens, so that whoever looks each second costs nothing.

use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hearth_cost::{BillingRule, Money, Prices, of_call};
use hearth_telemetry::journal::{Journal, JournalEntry, JournalQuery};
use hearth_telemetry::{Clock, FinishedInvocation, Listener, News};
use hearth_types::FunctionName;

const DAY_MS: i64 = 86_400_000;
/// From how many of the last calls percentiles are taken.
const RECENT_MAX: usize = 1_000;
/// How old those may be.
const RECENT_AGE: Duration = Duration::from_secs(300);
/// Over which time calls a second are counted.
const RATE_OVER: Duration = Duration::from_secs(10);
/// How many functions are counted. Those that nobody has called today go first.
const FUNCTIONS_MAX: usize = 10_000;

/// Counts by function.
pub(crate) struct Live {
    clock: Clock,
    prices: Arc<Prices>,
    functions: Mutex<HashMap<FunctionName, Counts>>,
}

/// What a function does.
#[derive(Default)]
struct Counts {
    day: i64,
    today: Today,
    /// When it ended, and its Duration: the oldest first.
    recent: VecDeque<(Instant, u64)>,
}

/// What a function has done since midnight, in UTC.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Today {
    /// How many invocations have ended.
    pub(crate) calls: u64,
    /// How many were cold.
    pub(crate) cold: u64,
    /// How many did not go well.
    pub(crate) errors: u64,
    /// What they cost.
    pub(crate) cost: Money,
}

/// What is seen of a function.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) today: Today,
    pub(crate) calls_per_s: f64,
    /// Of the last calls, in microseconds.
    pub(crate) p50_us: Option<u64>,
    pub(crate) p99_us: Option<u64>,
}

impl Live {
    pub(crate) fn new(clock: Clock, prices: Arc<Prices>) -> Arc<Self> {
        Arc::new(Self { clock, prices, functions: Mutex::default() })
    }

    /// Returns who counts: to be added to the feed, once.
    pub(crate) fn counter(self: &Arc<Self>) -> impl Listener + use<> {
        Counter(self.clone())
    }

    /// Counts what was before this server today. Blocks on the disk, for a while after a busy day.
    pub(crate) fn count_what_was_before(&self, journal: &Journal, started_epoch_ms: i64) {
        let midnight = started_epoch_ms.div_euclid(DAY_MS) * DAY_MS;
        let query = JournalQuery {
            from_epoch_ms: Some(midnight),
            to_epoch_ms: Some(started_epoch_ms),
            ..JournalQuery::default()
        };
        let scanned = journal.scan(&query, |call| {
            self.count(&call, None);
            ControlFlow::Continue(())
        });
        if let Err(error) = scanned {
            tracing::warn!(%error, "what functions did earlier today cannot be read");
        }
    }

    /// Returns what functions do, as it is at `now`.
    pub(crate) fn seen(&self, now: Instant) -> Vec<(FunctionName, Seen)> {
        let day = self.clock.epoch_ms().div_euclid(DAY_MS);
        let functions = self.functions();
        functions.iter().map(|(name, counts)| (name.clone(), counts.seen(now, day))).collect()
    }

    fn functions(&self) -> MutexGuard<'_, HashMap<FunctionName, Counts>> {
        self.functions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Counter(Arc<Live>);

impl Listener for Counter {
    fn hear(&mut self, news: &News) {
        for invocation in &news.invocations {
            self.0.count(&JournalEntry::of(invocation), Some(invocation));
        }
    }
}

impl Live {
    /// Counts a call; `now` has it if it has just ended.
    fn count(&self, call: &JournalEntry, now: Option<&FinishedInvocation>) {
        let day = call.started_epoch_ms.div_euclid(DAY_MS);
        let cost = of_call(call, &self.prices, BillingRule::Today).total();
        let mut functions = self.functions();
        if functions.len() >= FUNCTIONS_MAX && !functions.contains_key(&call.function) {
            functions.retain(|_, counts| counts.day >= day);
            if functions.len() >= FUNCTIONS_MAX {
                return;
            }
        }
        let counts = functions.entry(call.function.clone()).or_default();
        if counts.day < day {
            (counts.day, counts.today) = (day, Today::default());
        }
        if counts.day == day {
            counts.today.calls += 1;
            counts.today.cold += u64::from(call.why_cold.is_some());
            counts.today.errors += u64::from(call.status != "success");
            counts.today.cost += cost;
        }
        if let Some(now) = now {
            if counts.recent.len() == RECENT_MAX {
                counts.recent.pop_front();
            }
            counts.recent.push_back((now.ended, call.duration_us));
        }
    }
}

impl Counts {
    fn seen(&self, now: Instant, day: i64) -> Seen {
        let age = |at: &Instant| now.saturating_duration_since(*at);
        let recent = self.recent.iter().filter(|(at, _)| age(at) <= RECENT_AGE);
        let mut durations: Vec<u64> = recent.map(|(_, us)| *us).collect();
        durations.sort_unstable();
        let percentile = |percent: usize| {
            let rank = (durations.len() * percent).div_ceil(100);
            durations.get(rank.saturating_sub(1)).copied()
        };
        // Where more calls came than are kept, those that are kept tell how fast they come.
        let in_time = self.recent.iter().filter(|(at, _)| age(at) <= RATE_OVER);
        let (count, oldest) = in_time
            .fold((0_u32, Duration::ZERO), |(count, oldest), (at, _)| (count + 1, oldest.max(age(at))));
        let over =
            if count as usize == RECENT_MAX { oldest.max(Duration::from_millis(1)) } else { RATE_OVER };
        Seen {
            today: if self.day == day { self.today } else { Today::default() },
            calls_per_s: f64::from(count) / over.as_secs_f64(),
            p50_us: percentile(50),
            p99_us: percentile(99),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_and_rates_are_those_of_the_last_calls() {
        let now = Instant::now();
        let mut counts = Counts { day: 5, ..Counts::default() };
        assert_eq!((counts.seen(now, 5).p50_us, counts.seen(now, 5).calls_per_s), (None, 0.0));
        counts.recent = (1..=100).map(|us| (now, us)).collect();
        let seen = counts.seen(now, 5);
        assert_eq!((seen.p50_us, seen.p99_us, seen.calls_per_s), (Some(50), Some(99), 10.0));
        let later = counts.seen(now + Duration::from_secs(11), 5);
        assert_eq!((later.p50_us, later.calls_per_s), (Some(50), 0.0));
        assert_eq!(counts.seen(now + RECENT_AGE * 2, 5).p99_us, None);
        // A thousand calls in half a second.
        counts.recent = (0..RECENT_MAX).map(|_| (now, 1)).collect();
        assert_eq!(counts.seen(now + Duration::from_millis(500), 5).calls_per_s, 2_000.0);
        counts.today.calls = 7;
        assert_eq!(counts.seen(now, 5).today.calls, 7);
        assert_eq!(counts.seen(now, 6).today.calls, 0, "another day");
    }
}
