//! The members of a request, read one by one, whatever protocol they came in.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::error::ApiError;

/// Members of a structure, and where it stands.
pub(crate) struct Input {
    members: Map<String, Value>,
    /// Whether all values are texts.
    is_loose: bool,
    /// Such as `MetricDataQueries.member.1.`.
    path: String,
}

impl Input {
    /// Of a protocol in which numbers are numbers.
    pub(crate) fn strict(value: Value) -> Self {
        Self::of(value, false, String::new())
    }

    /// Of the query protocol, in which everything is text.
    pub(crate) fn loose(value: Value) -> Self {
        Self::of(value, true, String::new())
    }

    fn of(value: Value, is_loose: bool, path: String) -> Self {
        let members = match value {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        Self { members, is_loose, path }
    }

    /// Returns how a member is called in texts.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("{}{name}", self.path)
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.members.remove(name).filter(|value| !value.is_null())
    }

    fn wrong_type(&self, name: &str) -> ApiError {
        ApiError::serialization(format!("{} is not of its type", self.path(name)))
    }

    /// Reads a text of at most so many characters.
    pub(crate) fn text(&mut self, name: &str, max: usize) -> Result<Option<String>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.is_empty() || text.chars().count() > max => {
                let path = self.path(name);
                Err(ApiError::invalid_value(format!(
                    "The parameter {path} must be between 1 and {max} characters long."
                )))
            }
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong_type(name)),
        }
    }

    /// Reads a text that has to be there.
    pub(crate) fn required_text(&mut self, name: &str, max: usize) -> Result<String, ApiError> {
        self.text(name, max)?.ok_or_else(|| ApiError::missing(&self.path(name)))
    }

    /// Reads a whole number.
    pub(crate) fn integer(&mut self, name: &str) -> Result<Option<i64>, ApiError> {
        let number = match self.take(name) {
            None => return Ok(None),
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) if self.is_loose => text.parse().ok(),
            Some(_) => None,
        };
        number.map(Some).ok_or_else(|| self.wrong_type(name))
    }

    /// Reads a truth.
    pub(crate) fn boolean(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(Value::String(text)) if self.is_loose && text == "true" => Ok(Some(true)),
            Some(Value::String(text)) if self.is_loose && text == "false" => Ok(Some(false)),
            Some(_) => Err(self.wrong_type(name)),
        }
    }

    /// Reads a time that has to be there, in seconds since 1970.
    pub(crate) fn required_time(&mut self, name: &str) -> Result<i64, ApiError> {
        let seconds = match self.take(name) {
            None => return Err(ApiError::missing(&self.path(name))),
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(text)) if self.is_loose => time(&text),
            Some(_) => None,
        };
        // Further off there is nothing, and sums of times stay in range.
        let in_range = seconds.filter(|seconds| seconds.is_finite() && seconds.abs() < 1e11);
        in_range.map(|seconds| seconds.floor() as i64).ok_or_else(|| self.wrong_type(name))
    }

    /// Reads a structure.
    pub(crate) fn inside(&mut self, name: &str) -> Result<Option<Self>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(value @ Value::Object(_)) => {
                Ok(Some(Self::of(value, self.is_loose, format!("{}.", self.path(name)))))
            }
            Some(_) => Err(self.wrong_type(name)),
        }
    }

    /// Reads a list of structures.
    pub(crate) fn list(&mut self, name: &str) -> Result<Option<Vec<Self>>, ApiError> {
        let Some(values) = self.values(name)? else { return Ok(None) };
        let of = |(at, value): (usize, Value)| match value {
            Value::Object(_) => {
                let path = format!("{}.member.{}.", self.path(name), at + 1);
                Ok(Self::of(value, self.is_loose, path))
            }
            _ => Err(self.wrong_type(name)),
        };
        values.into_iter().enumerate().map(of).collect::<Result<_, _>>().map(Some)
    }

    /// Reads a list of texts.
    pub(crate) fn texts(&mut self, name: &str) -> Result<Vec<String>, ApiError> {
        let values = self.values(name)?.unwrap_or_default();
        let of = |value| match value {
            Value::String(text) => Ok(text),
            _ => Err(self.wrong_type(name)),
        };
        values.into_iter().map(of).collect()
    }

    fn values(&mut self, name: &str) -> Result<Option<Vec<Value>>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(values)) => Ok(Some(values)),
            // How the query protocol writes a list with nothing in it.
            Some(Value::String(text)) if self.is_loose && text.is_empty() => Ok(Some(Vec::new())),
            Some(_) => Err(self.wrong_type(name)),
        }
    }
}

/// Reads a time of ISO 8601. Without an offset it is UTC, as for AWS.
fn time(text: &str) -> Option<f64> {
    let timestamp = text.parse::<Timestamp>().or_else(|_| {
        let civil: jiff::civil::DateTime = text.parse()?;
        civil.to_zoned(jiff::tz::TimeZone::UTC).map(|zoned| zoned.timestamp())
    });
    timestamp.ok().map(|timestamp| timestamp.as_second() as f64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_numbers_or_texts_of_the_query_protocol() {
        let seconds = |value: Value, is_loose| {
            let members = json!({ "T": value });
            let mut input = if is_loose { Input::loose(members) } else { Input::strict(members) };
            input.required_time("T").ok()
        };
        assert_eq!(seconds(json!(1_700_000_000.9), false), Some(1_700_000_000));
        for text in ["2023-11-14T22:13:20Z", "2023-11-14T23:13:20+01:00", "2023-11-14T22:13:20"] {
            assert_eq!(seconds(json!(text), true), Some(1_700_000_000), "{text}");
            assert_eq!(seconds(json!(text), false), None, "{text}");
        }
        for wrong in [json!("soon"), json!(1e300), json!(null), json!([])] {
            assert_eq!(seconds(wrong.clone(), true), None, "{wrong}");
        }
    }
}
