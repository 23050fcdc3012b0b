//! `stats`: the groups of rows, in the order in which they came, and what is aggregated for each.

use std::collections::HashMap;

use super::expression::Row as _;
use super::parse::Column;
use super::record::{KEPT_BYTES_MAX, Record, compute};
use super::run::Failure;
use super::stats::{Aggregation, State};
use super::value::Value;

/// The groups of `stats`.
#[derive(Default)]
pub(super) struct Groups {
    columns: Vec<Column>,
    aggregations: Vec<Aggregation>,
    by: Vec<Column>,
    numbers: HashMap<Vec<Option<String>>, usize>,
    groups: Vec<(Vec<Value>, Vec<State>)>,
    bytes: usize,
    until_weighed: usize,
}

impl Groups {
    /// Before the first row.
    pub(super) fn new(columns: Vec<Column>, aggregations: Vec<Aggregation>, by: Vec<Column>) -> Self {
        Self { columns, aggregations, by, ..Self::default() }
    }

    /// Takes a row into account.
    pub(super) fn take(&mut self, row: &Record) -> Result<(), Failure> {
        let by: Result<Vec<Value>, Failure> =
            self.by.iter().map(|column| column.expression.of(row)).collect();
        let by = by?;
        let key: Vec<Option<String>> = by.iter().map(Value::print).collect();
        let number = match self.numbers.get(&key) {
            Some(number) => *number,
            None => {
                self.bytes += 2 * key.iter().flatten().map(String::len).sum::<usize>() + 96 * key.len() + 128;
                self.numbers.insert(key, self.groups.len());
                self.groups.push((by, self.aggregations.iter().map(Aggregation::begin).collect()));
                self.groups.len() - 1
            }
        };
        let at_ms = row.field("@timestamp").number().unwrap_or_default();
        for (aggregation, state) in self.aggregations.iter().zip(&mut self.groups[number].1) {
            aggregation.take(state, row, at_ms)?;
        }
        if self.until_weighed == 0 {
            let states: usize = self.groups.iter().flat_map(|(_, states)| states).map(State::bytes).sum();
            if self.bytes + states > KEPT_BYTES_MAX {
                return Err(Failure::TooLarge);
            }
            // Seldom enough to cost little, often enough not to grow far beyond.
            self.until_weighed = self.groups.len().clamp(64, 4_096);
        }
        self.until_weighed -= 1;
        Ok(())
    }

    /// Returns a row for each group.
    pub(super) fn finish(mut self, now_ms: i64) -> Result<Vec<Record>, Failure> {
        // Without groups there is one row, also of nothing.
        if self.groups.is_empty() && self.by.is_empty() {
            self.groups.push((Vec::new(), self.aggregations.iter().map(Aggregation::begin).collect()));
        }
        let mut rows = Vec::new();
        for (by, states) in self.groups {
            let results =
                self.aggregations.iter().zip(&states).map(|(aggregation, state)| aggregation.result(state));
            let names = self.by.iter().map(|column| column.name.clone());
            let computed = names.zip(by).collect();
            let mut row = Record { event: None, computed, aggregates: results.collect(), now_ms };
            compute(&self.columns, &mut row)?;
            row.aggregates = Vec::new();
            rows.push(row);
        }
        Ok(rows)
    }
}
