//! How often something may happen: a bucket of tokens that fills up as time goes by. The clock is handed in.

use std::time::Instant;

/// A limit of a rate. What is not used is kept up to `burst` and no further.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rate {
    /// How often at most at once, and so how many tokens there are at first.
    pub(super) burst: f64,
    /// How many tokens come back each second.
    pub(super) per_second: f64,
}

/// Which part of a burst is taken out at once, so that the clock is not read each time: reading it costs more than the
/// rest of an admission (38 of 100 ns, measured). So much more than a burst may come after a pause.
const PART_OF_BURST: f64 = 128.0;

/// The tokens that are left of a rate.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    /// How many there were, and when. `None`: it is full.
    filled: Option<(f64, Instant)>,
    /// Tokens that were taken out and not used yet.
    taken_out: u32,
}

impl Bucket {
    /// Takes a token, if there is one.
    pub(super) fn take(&mut self, rate: Rate, now: &dyn Fn() -> Instant) -> bool {
        if self.taken_out == 0 {
            let now = now();
            let tokens = match self.filled {
                None => rate.burst,
                Some((tokens, at)) => {
                    let since = now.saturating_duration_since(at).as_secs_f64();
                    (tokens + since * rate.per_second).min(rate.burst)
                }
            };
            let part = (rate.burst / PART_OF_BURST).max(1.0).min(tokens).floor();
            self.taken_out = part as u32;
            self.filled = Some((tokens - part, now));
        }
        let is_there = self.taken_out > 0;
        self.taken_out -= u32::from(is_there);
        is_there
    }

    /// Gives a token back that was taken for nothing.
    pub(super) fn give_back(&mut self) {
        self.taken_out += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_thousand_at_once_then_a_hundred_a_second_and_never_more_than_a_thousand_kept() {
        let rate = Rate { burst: 1_000.0, per_second: 100.0 };
        let start = Instant::now();
        let mut bucket = Bucket::default();
        let mut taken_after = |seconds: u64, asked: usize| {
            let now = start + Duration::from_secs(seconds);
            (0..asked).filter(|_| bucket.take(rate, &|| now)).count()
        };
        assert_eq!(taken_after(0, 1_500), 1_000);
        assert_eq!(taken_after(1, 1_500), 100);
        assert_eq!(taken_after(4, 50), 50);
        assert_eq!(taken_after(4, 1_500), 250);
        assert_eq!(taken_after(3_600, 5_000), 1_000, "a quiet hour counts no more than ten seconds");
    }

    #[test]
    fn a_clock_that_stands_still_gives_nothing() {
        let rate = Rate { burst: 1.0, per_second: 1_000_000.0 };
        let now = Instant::now();
        let mut bucket = Bucket::default();
        assert!(bucket.take(rate, &|| now));
        assert!(!bucket.take(rate, &|| now));
        bucket.give_back();
        assert!(bucket.take(rate, &|| now));
    }
}
