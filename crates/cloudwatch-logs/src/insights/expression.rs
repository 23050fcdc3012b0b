//! Expressions, and what comes out of them for a row.

use std::cmp::Ordering;

use super::functions::{Function, call};
use super::period::Period;
use super::run::Failure;
use super::value::Value;
use crate::regex::Regex;

#[derive(Debug, Clone)]
pub(super) enum Expression {
    Literal(Value),
    Field(String),
    /// The result of an aggregation of `stats`, by its number.
    Aggregate(usize),
    Negated(Box<Self>),
    Arithmetic(Arithmetic, Box<Self>, Box<Self>),
    Compared(Comparison, Box<Self>, Box<Self>),
    Like(Box<Self>, Likeness),
    In(Box<Self>, Vec<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Call(Function, Vec<Self>),
    /// `bin`, `datefloor`, `dateceil`.
    Rounded {
        at: Box<Self>,
        period: Period,
        up: bool,
    },
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What `like` and `=~` have on their right.
#[derive(Debug, Clone)]
pub(super) enum Likeness {
    Contains(String),
    Matches(Regex),
}

/// What an expression is evaluated for.
pub(super) trait Row {
    /// Returns a field, computed or discovered.
    fn field(&self, name: &str) -> Value;
    /// Returns the result of an aggregation.
    fn aggregate(&self, number: usize) -> Value;
    /// The time of the query, in milliseconds since 1970.
    fn now_ms(&self) -> i64;
}

impl Expression {
    /// Evaluates it. Fails only when a result takes too much room.
    pub(super) fn of(&self, row: &dyn Row) -> Result<Value, Failure> {
        Ok(match self {
            Self::Literal(value) => value.clone(),
            Self::Field(name) => row.field(name),
            Self::Aggregate(number) => row.aggregate(*number),
            Self::Negated(one) => {
                one.of(row)?.number().map_or(Value::Missing, |number| Value::Number(-number))
            }
            Self::Arithmetic(operator, one, other) => {
                match (one.of(row)?.number(), other.of(row)?.number()) {
                    (Some(one), Some(other)) => Value::of_number(operator.of(one, other)),
                    _ => Value::Missing,
                }
            }
            Self::Compared(operator, one, other) => {
                Value::Boolean(operator.holds(one.of(row)?.compare(&other.of(row)?)))
            }
            Self::Like(one, likeness) => Value::Boolean(likeness.is_of(&one.of(row)?)),
            Self::In(one, list) => {
                let one = one.of(row)?;
                for item in list {
                    if one.compare(&item.of(row)?) == Some(Ordering::Equal) {
                        return Ok(Value::Boolean(true));
                    }
                }
                Value::Boolean(false)
            }
            Self::All(all) => {
                for one in all {
                    if !one.of(row)?.is_true() {
                        return Ok(Value::Boolean(false));
                    }
                }
                Value::Boolean(true)
            }
            Self::Any(all) => {
                for one in all {
                    if one.of(row)?.is_true() {
                        return Ok(Value::Boolean(true));
                    }
                }
                Value::Boolean(false)
            }
            Self::Not(one) => Value::Boolean(!one.of(row)?.is_true()),
            Self::Call(function, arguments) => {
                let arguments: Result<Vec<Value>, Failure> =
                    arguments.iter().map(|one| one.of(row)).collect();
                call(*function, &arguments?, row.now_ms())?
            }
            Self::Rounded { at, period, up } => {
                let at_ms = at.of(row)?.number().map(|number| number as i64);
                let rounded = at_ms.and_then(|at| if *up { period.ceil(at) } else { period.floor(at) });
                rounded.map_or(Value::Missing, Value::Time)
            }
        })
    }
}

impl Arithmetic {
    fn of(self, one: f64, other: f64) -> f64 {
        match self {
            Self::Add => one + other,
            Self::Subtract => one - other,
            Self::Multiply => one * other,
            Self::Divide => one / other,
            Self::Remainder => one % other,
            Self::Power => one.powf(other),
        }
    }
}

impl Comparison {
    /// What is missing is not equal to anything, and has no order.
    fn holds(self, order: Option<Ordering>) -> bool {
        match self {
            Self::Equal => order == Some(Ordering::Equal),
            Self::NotEqual => order != Some(Ordering::Equal),
            Self::Less => order.is_some_and(Ordering::is_lt),
            Self::LessOrEqual => order.is_some_and(Ordering::is_le),
            Self::Greater => order.is_some_and(Ordering::is_gt),
            Self::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
        }
    }
}

impl Likeness {
    fn is_of(&self, value: &Value) -> bool {
        value.print().is_some_and(|text| match self {
            Self::Contains(part) => text.contains(part),
            Self::Matches(expression) => expression.is_in(&text),
        })
    }
}
