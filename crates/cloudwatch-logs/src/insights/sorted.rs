//! `sort`: keeps rows until there are no more; of those that nobody wants, only as many as cost little.

use std::cmp::Ordering;

use super::parse::SortKey;
use super::record::{KEPT_BYTES_MAX, Record, text_bytes};
use super::run::Failure;
use super::value::Value;

/// Rows that are being sorted.
pub(super) struct Sorted {
    keys: Vec<SortKey>,
    wanted: Option<usize>,
    rows: Vec<(Vec<Value>, Record)>,
    bytes: usize,
}

impl Sorted {
    /// Of all rows, or of the first ones.
    pub(super) fn new(keys: Vec<SortKey>, wanted: Option<usize>) -> Self {
        Self { keys, wanted, rows: Vec::new(), bytes: 0 }
    }

    /// Takes a row.
    pub(super) fn take(&mut self, mut row: Record) -> Result<(), Failure> {
        let key: Result<Vec<Value>, Failure> = self.keys.iter().map(|key| key.of.of(&row)).collect();
        if let Some(event) = &mut row.event {
            event.compact();
        }
        let key = key?;
        self.bytes += row.bytes() + key.iter().map(|value| text_bytes(value) + 32).sum::<usize>();
        self.rows.push((key, row));
        let is_too_many = self.wanted.is_some_and(|wanted| self.rows.len() >= 2 * wanted + 1_000);
        if is_too_many || self.bytes > KEPT_BYTES_MAX {
            self.sort();
            let size = |(key, row): &(Vec<Value>, Record)| {
                row.bytes() + key.iter().map(|value| text_bytes(value) + 32).sum::<usize>()
            };
            self.bytes = self.rows.iter().map(size).sum();
            // With some room, or it would sort for every row.
            if self.bytes > KEPT_BYTES_MAX / 4 * 3 {
                return Err(Failure::TooLarge);
            }
        }
        Ok(())
    }

    fn sort(&mut self) {
        let keys = &self.keys;
        self.rows.sort_by(|(one, one_row), (other, other_row)| {
            let ordered = keys.iter().zip(one.iter().zip(other)).map(|(key, (one, other))| {
                let order = order(one, other);
                // What is missing comes last either way.
                let is_there = *one != Value::Missing && *other != Value::Missing;
                if key.descending && is_there { order.reverse() } else { order }
            });
            // The newest first, among equal ones.
            let newest =
                |row: &Record| row.event.as_ref().map(|event| (event.timestamp_ms(), event.position()));
            ordered
                .fold(Ordering::Equal, Ordering::then)
                .then_with(|| newest(other_row).cmp(&newest(one_row)))
        });
        self.rows.truncate(self.wanted.unwrap_or(usize::MAX));
    }

    /// Returns the rows in their order.
    pub(super) fn finish(&mut self) -> Vec<Record> {
        self.sort();
        std::mem::take(&mut self.rows).into_iter().map(|(_, row)| row).collect()
    }
}

/// A total order: numbers before texts before what is missing.
fn order(one: &Value, other: &Value) -> Ordering {
    match (one.number(), other.number()) {
        (Some(one), Some(other)) => one.total_cmp(&other),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => match (one.print(), other.print()) {
            (Some(one), Some(other)) => one.cmp(&other),
            (one, other) => one.is_none().cmp(&other.is_none()),
        },
    }
}
