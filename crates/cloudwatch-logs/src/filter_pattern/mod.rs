//! Filter patterns: which messages are wanted. Terms (`ERROR -debug`), selectors of JSON (`{ $.level = "error" }`) and of
//! fields between spaces (`[ip, user, status=4*]`), each with regular expressions (`%x%`).
//!
//! What a pattern costs is bounded: its length by the model, its depth and its expressions here.
//!
//! Source: CloudWatch Logs User Guide, "Filter pattern syntax", read 2026-11.

mod comparison;
mod condition;
mod fields;
mod json;
mod scanner;
mod terms;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::error::LogsError;
use fields::Fields;
use json::JsonSelector;
use scanner::Scanner;
use terms::Terms;

/// A filter pattern.
#[derive(Debug)]
pub(crate) struct FilterPattern(Kind);

#[derive(Debug)]
enum Kind {
    Terms(Terms),
    Json(JsonSelector),
    Fields(Fields),
}

impl FilterPattern {
    /// Reads a pattern. An empty one wants everything.
    pub(crate) fn parse(text: &str) -> Result<Self, LogsError> {
        let mut scanner = Scanner::new(text);
        let kind = if scanner.takes("{") {
            JsonSelector::parse(&mut scanner).map(Kind::Json)
        } else if scanner.takes("[") {
            Fields::parse(&mut scanner).map(Kind::Fields)
        } else {
            Terms::parse(&mut scanner).map(Kind::Terms)
        };
        let kind = kind.filter(|_| scanner.is_at_end());
        kind.map(Self).ok_or_else(|| LogsError::invalid_parameter("Invalid filter pattern"))
    }

    /// Says whether a message is wanted.
    pub(crate) fn matches(&self, message: &str) -> bool {
        match &self.0 {
            Kind::Terms(terms) => terms.matches(message),
            Kind::Json(selector) => selector.matches(message),
            Kind::Fields(fields) => fields.matches(message),
        }
    }

    /// Returns what the pattern names in a message: `$.key` of JSON, `$name` of fields.
    pub(crate) fn extracted(&self, message: &str) -> BTreeMap<String, String> {
        match &self.0 {
            Kind::Terms(_) => BTreeMap::new(),
            Kind::Json(selector) => selector.extracted(message),
            Kind::Fields(fields) => fields.extracted(message),
        }
    }
}
