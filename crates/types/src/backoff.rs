//! How long to wait after something failed: twice as long each time in a row.

use std::time::Duration;

/// Waits that double.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait.
    pub first: Duration,
    /// No wait is longer.
    pub longest: Duration,
}

impl Backoff {
    /// Returns how long to wait when so many waits in a row came before.
    pub fn after(self, waits: u32) -> Duration {
        // No further than any `longest` needs, so that nothing overflows.
        self.first.saturating_mul(1 << waits.min(20)).min(self.longest)
    }

    /// The same, in milliseconds.
    pub fn after_ms(self, waits: u32) -> i64 {
        i64::try_from(self.after(waits).as_millis()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let backoff = Backoff { first: Duration::from_millis(250), longest: Duration::from_secs(30) };
        let waits: Vec<i64> = (0..9).map(|waits| backoff.after_ms(waits)).collect();
        assert_eq!(waits, [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        assert_eq!(backoff.after(u32::MAX), backoff.longest);
    }
}
