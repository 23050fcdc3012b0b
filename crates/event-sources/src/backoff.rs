//! How long a poller waits after something failed, as often as it fails in a row.

use std::time::Duration;

use hearth_types::Backoff;

/// The waits of a poller, one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waits {
    backoff: Backoff,
    in_a_row: u32,
}

impl Waits {
    /// For an endpoint that is away, a function that is not there, a throttle. Ours.
    pub(crate) const fn of_services() -> Self {
        Self::new(Backoff { first: Duration::from_millis(250), longest: Duration::from_secs(30) })
    }

    /// For a function that fails on a batch of a stream, which holds its shard up. Ours: AWS does not say how long it waits.
    pub(crate) const fn of_function_errors() -> Self {
        Self::new(Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(60) })
    }

    const fn new(backoff: Backoff) -> Self {
        Self { backoff, in_a_row: 0 }
    }

    /// Returns how long to wait now.
    pub(crate) fn wait(&mut self) -> Duration {
        let wait = self.backoff.after(self.in_a_row);
        self.in_a_row = self.in_a_row.saturating_add(1);
        wait
    }

    /// Begins anew.
    pub(crate) fn reset(&mut self) {
        self.in_a_row = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_begin_anew() {
        let mut backoff = Waits::of_services();
        let waits: Vec<u128> = (0..9).map(|_| backoff.wait().as_millis()).collect();
        assert_eq!(waits, [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        backoff.reset();
        assert_eq!(backoff.wait().as_millis(), 250);
    }
}
