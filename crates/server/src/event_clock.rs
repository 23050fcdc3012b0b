//! The time that asynchronous events are accepted at and wait for: the wall clock as it was when the server started, and
//! from there on monotonic, so that a clock that is set neither hurries retries nor holds them up.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use hearth_invoke::EventClock;
use hearth_telemetry::Clock;

/// How long a wait goes on at most before it looks at the clock again: tests move it.
const LOOK_AGAIN: Duration = Duration::from_millis(if fail::has_failpoints() { 20 } else { 60_000 });

pub(crate) struct SteadyClock {
    clock: Clock,
    started: Instant,
    started_ms: i64,
}

impl SteadyClock {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, started: clock.now(), started_ms: clock.epoch_ms() }
    }

    fn steady_ms(&self) -> i64 {
        let since = self.clock.now().saturating_duration_since(self.started);
        self.started_ms.saturating_add(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

impl EventClock for SteadyClock {
    fn epoch_ms(&self) -> i64 {
        // The argument of the fault point is a file that says how far ahead the clock is, in milliseconds.
        fail::fail_point!("server::event_clock", |file| {
            let text = file.and_then(|file| std::fs::read_to_string(file).ok());
            self.steady_ms() + text.and_then(|text| text.trim().parse::<i64>().ok()).unwrap_or(0)
        });
        self.steady_ms()
    }

    fn wait_until(&self, epoch_ms: i64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            loop {
                let left_ms = epoch_ms.saturating_sub(self.epoch_ms());
                let Some(left_ms) = u64::try_from(left_ms).ok().filter(|left_ms| *left_ms > 0) else {
                    return;
                };
                tokio::time::sleep(Duration::from_millis(left_ms).min(LOOK_AGAIN)).await;
            }
        })
    }
}
