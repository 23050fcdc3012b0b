//! The parts of an index: what a segment has of one stream, which times lie in which block of it, and which bytes to
//! read for some of both.

use std::ops::Range;

/// How much of a segment shares one entry of times, about: as much as one read fetches.
pub(in crate::logs) const BLOCK_BYTES: u64 = 64 << 10;
/// What lies between two events that are wanted is read along when it is no more than this: one read less is worth it.
const GAP_BYTES: u64 = 2 << 10;

/// What a segment has of one stream. Times are in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::logs) struct Span {
    /// Where its first event begins.
    pub(in crate::logs) from: u64,
    /// Where its last event ends.
    pub(in crate::logs) to: u64,
    pub(in crate::logs) first_ms: i64,
    pub(in crate::logs) last_ms: i64,
    pub(in crate::logs) first_ingestion_ms: i64,
    pub(in crate::logs) last_ingestion_ms: i64,
}

/// A stretch of a segment, up to the next block: where it begins, and between which times its events lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::logs) struct Block {
    pub(in crate::logs) offset: u64,
    pub(in crate::logs) first_ms: i64,
    pub(in crate::logs) last_ms: i64,
}

/// Returns which bytes to read for events that lie in `runs` and from `start_ms` until before `end_ms`: in order, each no
/// longer than a block, from the beginning of an event to the end of one. There may be other events among them.
pub(in crate::logs) fn pieces(
    mut runs: Vec<Range<u64>>,
    blocks: &[Block],
    end: u64,
    start_ms: i64,
    end_ms: i64,
) -> Vec<Range<u64>> {
    runs.sort_unstable_by_key(|run| run.start);
    let (mut pieces, mut first) = (Vec::<Range<u64>>::new(), 0);
    for (at, block) in blocks.iter().enumerate() {
        let ends = blocks.get(at + 1).map_or(end, |next| next.offset);
        while runs.get(first).is_some_and(|run| run.end <= block.offset) {
            first += 1;
        }
        if block.last_ms < start_ms || block.first_ms >= end_ms {
            continue;
        }
        let mut piece: Option<Range<u64>> = None;
        for run in runs[first..].iter().take_while(|run| run.start < ends) {
            let part = run.start.max(block.offset)..run.end.min(ends);
            match &mut piece {
                Some(piece) if part.start <= piece.end + GAP_BYTES => piece.end = part.end,
                _ => pieces.extend(piece.replace(part)),
            }
        }
        pieces.extend(piece);
    }
    pieces
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "one piece is an answer")]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_cut_at_blocks_and_leave_out_other_times_and_what_is_far_between() {
        let block = |offset, first_ms, last_ms| Block { offset, first_ms, last_ms };
        let blocks = [block(0, 10, 20), block(100_000, 15, 30), block(200_000, 31, 40)];
        let all: Vec<Range<u64>> = std::iter::once(0..300_000).collect();
        let wanted = |runs: &[Range<u64>], start, end| pieces(runs.to_vec(), &blocks, 300_000, start, end);
        assert_eq!(wanted(&all, i64::MIN, i64::MAX), [0..100_000, 100_000..200_000, 200_000..300_000]);
        assert_eq!(wanted(&all, 21, 31), [100_000..200_000]);
        assert_eq!(wanted(&all, 41, 99), []);
        let runs = [250_000..250_010, 5..10, 20..30, 90_000..110_000];
        assert_eq!(
            wanted(&runs, i64::MIN, i64::MAX),
            [5..30, 90_000..100_000, 100_000..110_000, 250_000..250_010]
        );
        assert_eq!(wanted(&runs, 35, 36), [250_000..250_010]);
    }
}
