//! The level of a line that a function logs in JSON.

use std::borrow::Cow;
use std::fmt;

use hearth_types::LogLevel;
use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

/// Returns the level of a line; `None` when the line is no JSON object, and so has none.
///
/// It stands under the key `level`, in any case. Python's record of an exception that nobody caught has `log_level`. An
/// object without a level, or with one that nobody knows, counts as `INFO`.
///
/// Source: Lambda Developer Guide, "Log-level filtering", read 2026-11.
pub(crate) fn application_level(line: &[u8]) -> Option<LogLevel> {
    // Most lines that are no objects cost only a look.
    if line.trim_ascii_start().first() != Some(&b'{') {
        return None;
    }
    let mut json = serde_json::Deserializer::from_slice(line);
    let level = json.deserialize_map(LevelVisitor).ok()?;
    json.end().ok()?;
    Some(level.unwrap_or(LogLevel::Info))
}

struct LevelVisitor;

impl<'de> Visitor<'de> for LevelVisitor {
    type Value = Option<LogLevel>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            let is_level = ["level", "log_level"].iter().any(|name| key.eq_ignore_ascii_case(name));
            if is_level && found.is_none() {
                let value: Value = map.next_value()?;
                found = value.as_str().and_then(parse);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Reads a level in any case, also as Python's `logging` names it.
fn parse(level: &str) -> Option<LogLevel> {
    let level = level.trim().to_ascii_uppercase();
    match level.as_str() {
        "WARNING" => Some(LogLevel::Warn),
        "CRITICAL" => Some(LogLevel::Fatal),
        level => LogLevel::parse(level),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_is_found_whatever_its_case() {
        for (line, level) in [
            (r#"{"level":"DEBUG"}"#, LogLevel::Debug),
            ("  {\"message\":{\"level\":\"FATAL\"},\"Level\":\"warn\"}\r\n", LogLevel::Warn),
            (r#"{"level":"WARNING"}"#, LogLevel::Warn),
            (r#"{"level":"CRITICAL"}"#, LogLevel::Fatal),
            (r#"{"log_level":"ERROR"}"#, LogLevel::Error),
            (r#"{"level":3,"LEVEL":"trace"}"#, LogLevel::Trace),
            (r#"{"le\u0076el":"ERROR"}"#, LogLevel::Error),
            (r#"{"level":"loud"}"#, LogLevel::Info),
            ("{}", LogLevel::Info),
        ] {
            assert_eq!(application_level(line.as_bytes()), Some(level), "{line}");
        }
    }

    #[test]
    fn what_is_no_object_has_no_level() {
        let deep = "{\"level\":".repeat(100_000);
        for line in [
            "",
            "\n",
            "plain DEBUG",
            "\"level\"",
            "[{\"level\":\"DEBUG\"}]",
            "{\"level\":\"DEBUG\"",
            "{} {}",
            &deep,
        ] {
            assert_eq!(application_level(line.as_bytes()), None);
        }
    }
}
