//! Cuts the records of a shard into batches: by number, by size, and where a tumbling window ends.

use std::ops::Range;

use super::stream::StreamRecord;
use super::window;
use crate::batch::Room;

/// Returns the places of each batch. `state_bytes` is how long the state of the window is that goes along.
pub(super) fn batches(
    records: &[StreamRecord],
    batch_size: u32,
    window_seconds: u32,
    state_bytes: usize,
) -> Vec<Range<usize>> {
    let whole = Room::new(batch_size, state_bytes);
    let window_of = |record: &StreamRecord| match window_seconds {
        0 => 0,
        seconds => window::start_of(record.arrival_ms, seconds),
    };
    let mut batches: Vec<Range<usize>> = Vec::new();
    let mut room = whole;
    for (place, record) in records.iter().enumerate() {
        let fits = |batch: &Range<usize>, room: &mut Room| {
            window_of(&records[batch.start]) == window_of(record) && room.take(record.bytes, false)
        };
        match batches.last_mut() {
            Some(batch) if fits(batch, &mut room) => batch.end = place + 1,
            Some(_) | None => {
                room = whole;
                room.take(record.bytes, true);
                batches.push(place..place + 1);
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn records(of: &[(i64, usize)]) -> Vec<StreamRecord> {
        let record = |&(arrival_ms, bytes): &(i64, usize)| StreamRecord {
            sequence_number: String::new(),
            arrival_ms,
            key: 0,
            event: Value::Null,
            bytes,
        };
        of.iter().map(record).collect()
    }

    #[test]
    fn a_batch_has_a_number_of_records() {
        let records = records(&[(0, 1); 7]);
        assert_eq!(batches(&records, 3, 0, 0), [0..3, 3..6, 6..7]);
        assert_eq!(batches(&records, 10, 0, 0), [Range { start: 0, end: 7 }]);
        assert!(batches(&[], 10, 0, 0).is_empty());
    }

    #[test]
    fn a_batch_has_six_megabytes_and_a_record_that_is_larger_goes_alone() {
        let records = records(&[(0, 4 << 20), (0, 1 << 20), (0, 2 << 20), (0, 9 << 20), (0, 1)]);
        assert_eq!(batches(&records, 100, 0, 0), [0..2, 2..3, 3..4, 4..5]);
        assert_eq!(batches(&records, 100, 0, 1 << 20), [0..1, 1..3, 3..4, 4..5], "with a state");
    }

    #[test]
    fn a_batch_is_of_one_window() {
        let records = records(&[(0, 1), (9_999, 1), (10_000, 1), (30_000, 1)]);
        assert_eq!(batches(&records, 100, 10, 0), [0..2, 2..3, 3..4]);
        assert_eq!(batches(&records, 100, 0, 0).len(), 1);
    }
}
