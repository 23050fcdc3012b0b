//! What a field or an expression is: a number, a text, a time, a truth, or nothing.

use std::cmp::Ordering;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// There is no such field, or no result.
    Missing,
    Boolean(bool),
    Number(f64),
    /// In milliseconds since 1970.
    Time(i64),
    Text(String),
}

impl Value {
    /// The number that it is, or that its text says.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Missing => None,
            Self::Boolean(value) => Some(f64::from(u8::from(*value))),
            Self::Number(number) => Some(*number),
            Self::Time(ms) => Some(*ms as f64),
            Self::Text(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        }
    }

    /// Whether a condition that comes out as this holds.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Missing => false,
            Self::Boolean(value) => *value,
            Self::Number(number) => *number != 0.0,
            Self::Time(_) => true,
            Self::Text(text) => text == "true" || text == "1",
        }
    }

    /// As results show it; nothing of what is missing.
    pub(super) fn print(&self) -> Option<String> {
        match self {
            Self::Missing => None,
            Self::Boolean(value) => Some(value.to_string()),
            Self::Number(number) => Some(print_number(*number)),
            Self::Time(ms) => Some(print_time(*ms)),
            Self::Text(text) => Some(text.clone()),
        }
    }

    /// Compares as Insights does: as numbers where both are, else as texts. Nothing compares with what is missing.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        if let (Some(one), Some(other)) = (self.number(), other.number()) {
            return one.partial_cmp(&other);
        }
        Some(self.print()?.cmp(&other.print()?))
    }

    /// A result that is no number is none.
    pub(super) fn of_number(number: f64) -> Self {
        if number.is_finite() { Self::Number(number) } else { Self::Missing }
    }
}

/// Whole numbers as such, others with up to four digits behind the point, as on AWS.
fn print_number(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        return format!("{number:.0}");
    }
    let text = format!("{number:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// `2026-11-30 12:34:56.789`, in UTC. A time outside of the calendar is its number.
pub(super) fn print_time(ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S.%3f").to_string(),
        Err(_) => ms.to_string(),
    }
}
