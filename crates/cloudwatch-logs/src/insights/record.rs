//! A row on its way through the commands of a query.

use super::event::Event;
use super::expression::{Expression, Row};
use super::parse::Column;
use super::run::Failure;
use super::value::Value;

/// How much memory one command may keep.
pub(super) const KEPT_BYTES_MAX: usize = 64 << 20;

/// A row on its way.
pub(super) struct Record {
    /// Where it comes from. What `stats` makes comes from many.
    pub(super) event: Option<Event>,
    pub(super) computed: Vec<(String, Value)>,
    pub(super) aggregates: Vec<Value>,
    pub(super) now_ms: i64,
}

impl Row for Record {
    fn field(&self, name: &str) -> Value {
        let computed = self.computed.iter().rev().find(|(known, _)| known == name);
        match (computed, &self.event) {
            (Some((_, value)), _) => value.clone(),
            (None, Some(event)) => event.field(name),
            (None, None) => Value::Missing,
        }
    }

    fn aggregate(&self, number: usize) -> Value {
        self.aggregates.get(number).cloned().unwrap_or(Value::Missing)
    }

    fn now_ms(&self) -> i64 {
        self.now_ms
    }
}

impl Record {
    /// About how much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        let computed: usize =
            self.computed.iter().map(|(name, value)| name.len() + text_bytes(value) + 64).sum();
        self.event.as_ref().map_or(0, Event::bytes) + computed + 128
    }
}

/// How much room a text takes.
pub(super) fn text_bytes(value: &Value) -> usize {
    if let Value::Text(text) = value { text.len() } else { 0 }
}

/// Adds what columns say to a row.
pub(super) fn compute(columns: &[Column], row: &mut Record) -> Result<(), Failure> {
    for Column { name, expression } in columns {
        // A field is there under its name already.
        if !matches!(expression, Expression::Field(field) if field == name) {
            let value = expression.of(row)?;
            row.computed.push((name.clone(), value));
        }
    }
    Ok(())
}
