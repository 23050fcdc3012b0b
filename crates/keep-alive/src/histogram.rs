//! How long a function is idle between calls, counted in bins: what the policy `histogram` learns from.
//!
//! A function whose next call rarely comes within some time need not be kept during it, and one whose next call rarely comes
//! after some time need not be kept longer. The first is where the shortest idle times of the histogram lie: an environment
//! is ended at once, and another is made just before. The second is where the longest ones lie. Idle times that do not fit
//! into the histogram say nothing; when those are the most, or too few are known, a fixed time is the better guess.

/// How wide a bin is.
const BIN_US: u64 = 10_000_000;
/// How many there are: an hour in all.
const BINS: usize = 360;
/// Fewer idle times say nothing.
const KNOWN_MIN: u32 = 10;
/// The share of idle times that are taken for too short to matter.
const SHORT: f64 = 0.05;
/// The share of idle times for which an environment is kept.
const LONG: f64 = 0.99;
/// How much earlier one is made, and how much longer it is kept, than the bins say.
const MARGIN: f64 = 0.1;

/// What to do with an environment that has become idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advised {
    /// Too little is known.
    Nothing,
    /// Keep it so long.
    Keep {
        /// In microseconds.
        for_us: u64,
    },
    /// End it, make another after `after_us`, and keep that until `until_us` are over.
    MakeAgain {
        /// In microseconds.
        after_us: u64,
        /// In microseconds.
        until_us: u64,
    },
}

/// The idle times of one function.
#[derive(Debug, Clone, Default)]
pub struct IdleTimes {
    bins: Vec<u32>,
    known: u32,
    beyond: u32,
    /// What was advised last, until another idle time is known.
    advised: Option<Advised>,
}

impl IdleTimes {
    /// Takes note of one.
    pub fn add(&mut self, idle_us: u64) {
        self.advised = None;
        self.bins.resize(BINS, 0);
        match self.bins.get_mut((idle_us / BIN_US) as usize) {
            Some(bin) => {
                *bin += 1;
                self.known += 1;
            }
            None => self.beyond += 1,
        }
    }

    /// Says what to do with an environment that has become idle.
    pub fn advise(&mut self) -> Advised {
        if let Some(advised) = self.advised {
            return advised;
        }
        let advised = self.look();
        self.advised = Some(advised);
        advised
    }

    fn look(&self) -> Advised {
        if self.known < KNOWN_MIN || self.beyond > self.known {
            return Advised::Nothing;
        }
        let short = self.bin_of(SHORT) as u64 * BIN_US;
        let long = (self.bin_of(LONG) as u64 + 1) * BIN_US;
        let until_us = (long as f64 * (1.0 + MARGIN)) as u64;
        match (short as f64 * (1.0 - MARGIN)) as u64 {
            0 => Advised::Keep { for_us: until_us },
            after_us => Advised::MakeAgain { after_us, until_us },
        }
    }

    /// The first bin up to which there are at least this share of idle times.
    fn bin_of(&self, share: f64) -> usize {
        let wanted = (f64::from(self.known) * share).ceil().max(1.0);
        let mut seen = 0.0;
        self.bins
            .iter()
            .position(|&count| {
                seen += f64::from(count);
                seen >= wanted
            })
            .unwrap_or(BINS - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(seconds: &[u64]) -> Advised {
        let mut idle_times = IdleTimes::default();
        seconds.iter().for_each(|seconds| idle_times.add(seconds * 1_000_000));
        idle_times.advise()
    }

    #[test]
    fn too_few_idle_times_or_too_many_beyond_an_hour_advise_nothing() {
        assert_eq!(of(&[5; 9]), Advised::Nothing);
        assert_eq!(of(&[[5; 10], [4_000; 10]].concat()), Advised::Keep { for_us: 11_000_000 });
        assert_eq!(of(&[vec![5; 10], vec![4_000; 11]].concat()), Advised::Nothing);
    }

    #[test]
    fn calls_that_come_every_five_minutes_have_an_environment_made_just_before() {
        let advised = of(&[300; 20]);
        assert_eq!(advised, Advised::MakeAgain { after_us: 270_000_000, until_us: 341_000_000 });
    }

    #[test]
    fn some_quick_calls_keep_the_environment() {
        let advised = of(&[[300; 18].as_slice(), &[2; 2]].concat());
        assert_eq!(advised, Advised::Keep { for_us: 341_000_000 });
    }
}
