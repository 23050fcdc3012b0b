//! Greedy-Dual: which environment goes when memory runs short.
//!
//! An environment is worth what its function's cold starts take, as often as it is called, by the memory that it has; and
//! what has not been used for long is worth less than what was used since, because each starts from what the last one was
//! worth that had to go.

/// An idle environment that may go.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate<K> {
    /// Which one.
    pub key: K,
    /// What it is worth: see [`worth`].
    pub worth: f64,
    /// What its end frees.
    pub bytes: u64,
}

/// Returns what an environment is worth. `clock` is what the environment that had to go last was worth when this one was
/// used last.
pub fn worth(clock: f64, calls: u64, cold_start_us: f64, memory_mb: f64) -> f64 {
    clock + calls as f64 * cold_start_us / memory_mb.max(1.0)
}

/// Returns those that are worth least, until their ends free `bytes`: nothing if all of them together do not.
pub fn choose<K>(mut candidates: Vec<Candidate<K>>, bytes: u64) -> Vec<Candidate<K>> {
    let all = candidates.iter().fold(0_u64, |sum, candidate| sum.saturating_add(candidate.bytes));
    if bytes == 0 || all < bytes {
        return Vec::new();
    }
    candidates.sort_by(|one, other| one.worth.total_cmp(&other.worth));
    let mut freed = 0_u64;
    let enough = candidates.iter().position(|candidate| {
        freed = freed.saturating_add(candidate.bytes);
        freed >= bytes
    });
    candidates.truncate(enough.map_or(0, |last| last + 1));
    candidates
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn candidates(of: &[(f64, u64)]) -> Vec<Candidate<usize>> {
        of.iter().enumerate().map(|(key, &(worth, bytes))| Candidate { key, worth, bytes }).collect()
    }

    #[test]
    fn what_is_called_often_starts_slowly_or_is_small_is_worth_more() {
        let usual = worth(0.0, 10, 200_000.0, 100.0);
        assert!(worth(0.0, 11, 200_000.0, 100.0) > usual);
        assert!(worth(0.0, 10, 300_000.0, 100.0) > usual);
        assert!(worth(0.0, 10, 200_000.0, 50.0) > usual);
        assert!(worth(1.0, 10, 200_000.0, 100.0) > usual, "it was used later");
        assert!(worth(0.0, 10, 200_000.0, 0.0).is_finite());
    }

    #[test]
    fn what_was_valuable_long_ago_goes_in_the_end() {
        let old = worth(0.0, 100, 1_000.0, 10.0);
        let mut clock = 0.0;
        let mut rounds = 0;
        // Others come, are used once each, and go. Each leaves the clock where its own worth was.
        while worth(clock, 1, 1_000.0, 10.0) <= old {
            clock = worth(clock, 1, 1_000.0, 10.0);
            rounds += 1;
            assert!(rounds <= 100);
        }
        assert!(rounds >= 99, "it went after {rounds} others");
    }

    proptest! {
        #[test]
        fn the_chosen_free_enough_or_nobody_goes(
            of in prop::collection::vec((0.0..1e9_f64, 0_u64..1_000), 0..40), bytes in 0_u64..20_000,
        ) {
            let all: u64 = of.iter().map(|(_, bytes)| bytes).sum();
            let chosen = choose(candidates(&of), bytes);
            let freed: u64 = chosen.iter().map(|chosen| chosen.bytes).sum();
            prop_assert_eq!(chosen.is_empty(), bytes == 0 || all < bytes);
            prop_assert!(chosen.is_empty() || freed >= bytes);
            // Nobody goes beyond need.
            if let Some((last, before)) = chosen.split_last() {
                prop_assert!(before.iter().map(|chosen| chosen.bytes).sum::<u64>() < bytes);
                prop_assert!(freed - last.bytes < bytes);
            }
        }

        #[test]
        fn nobody_goes_who_is_worth_more_than_one_who_stays(
            of in prop::collection::vec((0.0..1e9_f64, 1_u64..1_000), 1..40), bytes in 1_u64..20_000,
        ) {
            let chosen = choose(candidates(&of), bytes);
            let most = chosen.iter().map(|chosen| chosen.worth).fold(f64::MIN, f64::max);
            let stays = |key: &usize| chosen.iter().all(|chosen| chosen.key != *key);
            for key in (0..of.len()).filter(stays) {
                prop_assert!(chosen.is_empty() || of[key].0 >= most);
            }
        }
    }
}
