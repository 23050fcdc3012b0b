//! What comes after an attempt on records of a shard: the next ones, the same again, a part of them, or giving up. No I/O
//! and no clock.
//!
//! Source of the rules: Lambda Developer Guide, "Retain discarded records" and "Partial batch response" for Kinesis and
//! DynamoDB, read 2026-11.

use std::collections::VecDeque;
use std::ops::Range;

/// How records are tried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Further attempts after the first; `None`: any number.
    pub(super) retries_max: Option<u32>,
    /// Whether what fails is split.
    pub(super) bisect: bool,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// All records are worked off.
    Succeeded,
    /// Those before this place are, and this one is not.
    FailedFrom(usize),
    /// None is.
    Failed,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// More is to be done at once.
    GoOn,
    /// The same records are to be tried again, after a while.
    Again,
    /// The records are given up after so many runs.
    GiveUp(u32),
}

/// Records that are tried together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) range: Range<usize>,
    /// How often the function has failed on them, as retries count.
    failures: u32,
    /// How often the function was called with them, alone or with others.
    runs: u32,
}

/// Records of a shard on their way, in order.
#[derive(Debug)]
pub(super) struct Pieces(VecDeque<Piece>);

impl Pieces {
    /// Begins with batches.
    pub(super) fn new(batches: impl IntoIterator<Item = Range<usize>>) -> Self {
        Self(batches.into_iter().map(|range| Piece { range, failures: 0, runs: 0 }).collect())
    }

    /// Returns what is to be tried next.
    pub(super) fn first(&self) -> Option<&Piece> {
        self.0.front()
    }

    /// Gives up the records before `end` without another attempt, and returns them with how often they ran.
    pub(super) fn give_up_before(&mut self, end: usize) -> Option<(Range<usize>, u32)> {
        let piece = self.0.front_mut()?;
        let given_up = piece.range.start..end.min(piece.range.end);
        let runs = piece.runs;
        piece.range.start = given_up.end;
        if piece.range.is_empty() {
            self.0.pop_front();
        }
        Some((given_up, runs))
    }

    /// Says what comes after an attempt on [`Pieces::first`].
    pub(super) fn after(&mut self, attempt: Attempt, limits: &Limits) -> Next {
        let Some(piece) = self.0.front_mut() else { return Next::GoOn };
        piece.runs += 1;
        match attempt {
            Attempt::Succeeded => {
                self.0.pop_front();
                return Next::GoOn;
            }
            Attempt::FailedFrom(place) if piece.range.start < place && place < piece.range.end => {
                // The record that failed was not first before, so none of its retries is used up.
                piece.range.start = place;
                piece.failures = 0;
                if limits.bisect {
                    return Next::GoOn;
                }
            }
            Attempt::FailedFrom(_) | Attempt::Failed => {}
        }
        // Splitting uses up no retry.
        if limits.bisect && piece.range.len() > 1 {
            let middle = piece.range.start + piece.range.len() / 2;
            let second = Piece { range: middle..piece.range.end, ..piece.clone() };
            piece.range.end = middle;
            self.0.insert(1, second);
            return Next::GoOn;
        }
        piece.failures += 1;
        match limits.retries_max {
            Some(retries_max) if piece.failures > retries_max => Next::GiveUp(piece.runs),
            _ => Next::Again,
        }
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "what ran is one range or several")]
mod tests {
    use super::*;

    const POISON: usize = 5;

    /// Tries `records` with a function that fails on [`POISON`], and returns which ranges ran and what was given up.
    fn runs(records: usize, limits: Limits, reports: bool) -> (Vec<Range<usize>>, Vec<Range<usize>>) {
        let all = 0..records;
        let (mut pieces, mut runs, mut given_up) = (Pieces::new([all]), Vec::new(), Vec::new());
        while let Some(piece) = pieces.first() {
            let range = piece.range.clone();
            runs.push(range.clone());
            let attempt = match (range.contains(&POISON), reports) {
                (false, _) => Attempt::Succeeded,
                (true, true) => Attempt::FailedFrom(POISON),
                (true, false) => Attempt::Failed,
            };
            if let Next::GiveUp(_) = pieces.after(attempt, &limits) {
                given_up.push(pieces.give_up_before(range.end).unwrap().0);
            }
            assert!(runs.len() < 100, "{runs:?}");
        }
        (runs, given_up)
    }

    #[test]
    fn a_batch_is_tried_again_until_its_retries_are_used_up() {
        let limits = Limits { retries_max: Some(2), bisect: false };
        assert_eq!(runs(8, limits, false), (vec![0..8, 0..8, 0..8], vec![0..8]));
        let limits = Limits { retries_max: Some(0), bisect: false };
        assert_eq!(runs(8, limits, false), (vec![0..8], vec![0..8]));
        assert_eq!(runs(5, limits, false), (vec![0..5], vec![]));
    }

    #[test]
    fn a_batch_is_split_down_to_the_record_that_fails_without_using_up_retries() {
        let limits = Limits { retries_max: Some(1), bisect: true };
        let expected = vec![0..8, 0..4, 4..8, 4..6, 4..5, 5..6, 5..6, 6..8];
        assert_eq!(runs(8, limits, false), (expected, vec![5..6]));
    }

    #[test]
    fn what_is_before_the_first_reported_record_is_done() {
        let limits = Limits { retries_max: Some(1), bisect: false };
        assert_eq!(runs(8, limits, true), (vec![0..8, 5..8], vec![5..8]));
        let limits = Limits { retries_max: Some(1), bisect: true };
        assert_eq!(runs(8, limits, true), (vec![0..8, 5..8, 5..6, 5..6, 6..8], vec![5..6]));
    }

    #[test]
    fn without_a_limit_it_is_tried_again_and_again() {
        let mut pieces = Pieces::new([0..2, 2..4]);
        let limits = Limits { retries_max: None, bisect: false };
        for _ in 0..1_000 {
            assert_eq!(pieces.after(Attempt::Failed, &limits), Next::Again);
        }
        assert_eq!(pieces.give_up_before(1), Some((0..1, 1_000)));
        assert_eq!(pieces.first().unwrap().range, 1..2);
        assert_eq!(pieces.give_up_before(9), Some((1..2, 1_000)));
        assert_eq!(pieces.first().unwrap().range, 2..4);
    }

    proptest::proptest! {
        #[test]
        fn every_record_is_worked_off_or_given_up_once_and_in_order(
            records in 1usize..40, bisect: bool, retries in 0u32..3, outcomes in proptest::collection::vec(0u8..3, 1..50),
        ) {
            let limits = Limits { retries_max: Some(retries), bisect };
            let mut pieces = Pieces::new([0..records]);
            let mut at = 0;
            let mut outcomes = outcomes.iter().cycle();
            while let Some(piece) = pieces.first() {
                let range = piece.range.clone();
                assert_eq!(range.start, at);
                let attempt = match outcomes.next() {
                    Some(0) => Attempt::Succeeded,
                    Some(1) => Attempt::FailedFrom(range.start + range.len() / 2),
                    _ => Attempt::Failed,
                };
                match pieces.after(attempt, &limits) {
                    Next::GiveUp(runs) => {
                        assert!(runs > 0);
                        at = pieces.give_up_before(range.end).map_or(range.end, |(given_up, _)| given_up.end);
                    }
                    Next::GoOn | Next::Again => at = pieces.first().map_or(records, |piece| piece.range.start),
                }
            }
            assert_eq!(at, records);
        }
    }
}
