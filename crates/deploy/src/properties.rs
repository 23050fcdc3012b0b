//! Reading the properties of a resource: each is taken once, and what nobody takes is told.

use serde_json::{Number, Value};

use crate::finding::Finding;
use crate::yaml::{Kind, Node};

/// Resolved properties, and what is wrong with them.
pub(crate) struct Properties<'findings> {
    entries: Vec<(String, Node)>,
    findings: &'findings mut Vec<Finding>,
}

impl<'findings> Properties<'findings> {
    pub(crate) fn new(node: Option<Node>, findings: &'findings mut Vec<Finding>) -> Self {
        let entries = match node.map(|node| node.kind) {
            Some(Kind::Map(entries)) => entries,
            _ => Vec::new(),
        };
        Self { entries, findings }
    }

    /// Where what is wrong is gathered.
    pub(crate) fn findings(&mut self) -> &mut Vec<Finding> {
        self.findings
    }

    pub(crate) fn wrong(&mut self, line: usize, message: impl Into<String>) {
        self.findings.push(Finding::new(line, message));
    }

    /// Takes a property; one without a value is not there.
    pub(crate) fn take(&mut self, name: &str) -> Option<Node> {
        let at = self.entries.iter().position(|(known, _)| known == name)?;
        let (_, node) = self.entries.remove(at);
        (node.kind != Kind::Null).then_some(node)
    }

    pub(crate) fn text(&mut self, name: &str) -> Option<(usize, String)> {
        let node = self.take(name)?;
        match node.text() {
            Some(text) => Some((node.line, text.to_owned())),
            None => {
                self.wrong(node.line, format!("`{name}` has to be a text, not {}", node.what()));
                None
            }
        }
    }

    /// Takes a whole number, which may be quoted.
    pub(crate) fn integer(&mut self, name: &str) -> Option<(usize, u64)> {
        let (line, text) = self.text(name)?;
        match text.parse() {
            Ok(number) => Some((line, number)),
            Err(_) => {
                self.wrong(line, format!("`{name}` has to be a whole number, not `{text}`"));
                None
            }
        }
    }

    pub(crate) fn texts(&mut self, name: &str) -> Option<(usize, Vec<String>)> {
        let node = self.take(name)?;
        let items: Option<Vec<String>> =
            node.list().and_then(|items| items.iter().map(|item| item.text().map(str::to_owned)).collect());
        if items.is_none() {
            self.wrong(node.line, format!("`{name}` has to be a list of texts"));
        }
        Some((node.line, items?))
    }

    pub(crate) fn map(&mut self, name: &str) -> Option<Node> {
        let node = self.take(name)?;
        if node.map().is_none() {
            self.wrong(node.line, format!("`{name}` has to be a map, not {}", node.what()));
            return None;
        }
        Some(node)
    }

    pub(crate) fn put_back(&mut self, name: &str, node: Node) {
        self.entries.push((name.to_owned(), node));
    }

    /// Returns what nobody has taken.
    pub(crate) fn rest(&mut self) -> Vec<(String, Node)> {
        std::mem::take(&mut self.entries)
    }
}

/// Returns a value as the Lambda API wants it: whole numbers and booleans as such, also when they are quoted, for the
/// members that are named.
pub(crate) fn request_value(node: &Node, numbers: &[&str], booleans: &[&str]) -> Value {
    match &node.kind {
        Kind::Map(entries) => {
            let members = entries.iter().map(|(name, value)| {
                let text = value.text();
                let json = match text {
                    Some(text) if numbers.contains(&name.as_str()) => {
                        text.parse::<Number>().map_or_else(|_| Value::from(text), Value::Number)
                    }
                    Some(text) if booleans.contains(&name.as_str()) => {
                        text.to_lowercase().parse::<bool>().map_or_else(|_| Value::from(text), Value::Bool)
                    }
                    Some(text) => Value::from(text),
                    None => request_value(value, numbers, booleans),
                };
                (name.clone(), json)
            });
            Value::Object(members.collect())
        }
        Kind::List(items) => {
            Value::Array(items.iter().map(|item| request_value(item, numbers, booleans)).collect())
        }
        Kind::Null => Value::Null,
        Kind::Scalar { text, .. } => Value::from(text.as_str()),
    }
}
