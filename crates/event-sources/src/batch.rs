//! How much goes into a batch, and what a function says of one.

use std::collections::BTreeSet;

use serde_json::Value;

/// How long the event of a batch may be: the payload of a synchronous invocation.
///
/// Source: Lambda Developer Guide, "Batching behavior", read 2026-11.
pub(crate) const EVENT_BYTES_MAX: usize = 6 << 20;
/// How much of that is kept for what stands around the records. Ours.
const AROUND_BYTES: usize = 1_024;

/// Counts what is in a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    records: usize,
    bytes: usize,
}

impl Room {
    /// Room for a whole batch. `around_bytes` is what the event has besides its records.
    pub(crate) fn new(batch_size: u32, around_bytes: usize) -> Self {
        let bytes = EVENT_BYTES_MAX.saturating_sub(AROUND_BYTES + around_bytes);
        Self { records: batch_size as usize, bytes }
    }

    /// How many more records there is room for.
    pub(crate) fn records(&self) -> usize {
        self.records
    }

    /// Takes the room of a record of `bytes`, if there is as much. A batch that is empty takes any record: it would never
    /// go otherwise.
    pub(crate) fn take(&mut self, bytes: usize, is_empty: bool) -> bool {
        // With a comma.
        let bytes = bytes + 1;
        if self.records == 0 || (bytes > self.bytes && !is_empty) {
            return false;
        }
        self.records -= 1;
        self.bytes = self.bytes.saturating_sub(bytes);
        true
    }
}

/// What a function that reports failures says of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reported {
    /// All is done.
    Nothing,
    /// These records are not done: their places in the batch.
    Failures(BTreeSet<usize>),
    /// What it says makes no sense, so nothing counts as done.
    Everything,
}

/// Reads a response of a function that reports failures. `ids` are those of the records of the batch, in order.
///
/// Source: Lambda Developer Guide, "Reporting batch item failures", read 2026-11.
pub(crate) fn reported<'a>(response: &[u8], ids: impl Iterator<Item = &'a str> + Clone) -> Reported {
    let Ok(response) = serde_json::from_slice::<Value>(response) else { return Reported::Everything };
    let failures = match &response {
        Value::Null => return Reported::Nothing,
        Value::Object(object) if object.is_empty() => return Reported::Nothing,
        Value::Object(object) => match object.get("batchItemFailures") {
            Some(Value::Null) => return Reported::Nothing,
            Some(Value::Array(failures)) => failures,
            Some(_) | None => return Reported::Everything,
        },
        // An empty text is what a handler without a result gives in some runtimes.
        Value::String(text) if text.is_empty() => return Reported::Nothing,
        _ => return Reported::Everything,
    };
    let mut places = BTreeSet::new();
    for failure in failures {
        let id = failure.get("itemIdentifier").and_then(Value::as_str).filter(|id| !id.is_empty());
        let place = id.and_then(|id| ids.clone().position(|known| known == id));
        let Some(place) = place else { return Reported::Everything };
        places.insert(place);
    }
    if places.is_empty() { Reported::Nothing } else { Reported::Failures(places) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(response: &str, expected: Reported) {
        assert_eq!(reported(response.as_bytes(), ["a", "b", "c"].into_iter()), expected, "{response}");
    }

    #[test]
    fn what_says_nothing_is_a_success() {
        for response in
            ["null", "{}", r#"{"batchItemFailures":[]}"#, r#"{"batchItemFailures":null}"#, r#""""#]
        {
            check(response, Reported::Nothing);
        }
    }

    #[test]
    fn failures_are_found_by_their_ids() {
        let one = r#"{"batchItemFailures":[{"itemIdentifier":"c"},{"itemIdentifier":"a"}]}"#;
        check(one, Reported::Failures(BTreeSet::from([0, 2])));
        check(
            r#"{"batchItemFailures":[{"itemIdentifier":"b"}],"x":1}"#,
            Reported::Failures(BTreeSet::from([1])),
        );
    }

    #[test]
    fn what_makes_no_sense_is_a_failure_of_everything() {
        for response in [
            "x",
            "1",
            r#""done""#,
            "[]",
            r#"{"failures":[]}"#,
            r#"{"batchItemFailures":{}}"#,
            r#"{"batchItemFailures":[{}]}"#,
            r#"{"batchItemFailures":["a"]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"z"}]}"#,
            r#"{"batchItemFailures":[{"id":"a"}]}"#,
        ] {
            check(response, Reported::Everything);
        }
    }

    #[test]
    fn a_batch_is_full_by_number_or_by_size_and_takes_one_record_of_any_size() {
        let mut room = Room::new(2, 0);
        assert!(room.take(10, true) && room.take(10, false) && !room.take(10, false));
        let mut room = Room::new(10, 0);
        assert!(room.take(5 << 20, true) && !room.take(1 << 20, false) && room.take(1 << 19, false));
        let mut room = Room::new(10, 0);
        assert!(room.take(9 << 20, true) && !room.take(1, false));
    }
}
