//! The constraints of the service model, and the texts in which AWS says that one is broken.
//!
//! `2 validation errors detected: Value '…' at 'functionName' failed to satisfy constraint: Member must …; Value …`
//!
//! Members are reported in the order of the model, mostly ([`in_order`]). Within one: the largest length or value, the least, the pattern, the
//! enumeration.

use hearth_types::Runtime;
use serde_json::Value;

use crate::error::ApiError;
use crate::generated::{Member, Shape};
use crate::patterns;

/// How many broken constraints are written out; the count in front is of all. Ours: a list of a million wrong elements
/// must not make an answer of a gigabyte.
const SHOWN_MAX: usize = 64;

/// How much of a value is repeated, in bytes. Ours: longer than every value that a person mistypes.
const VALUE_BYTES_MAX: usize = 16_384;

/// How many times its largest length a text may have before its pattern is not looked at any more.
const HOPELESS: i64 = 256;

/// Checks `input` against the model. Wrong types come before broken constraints, as a deserializer comes before a
/// validator.
pub(crate) fn check(shape: &'static Shape, input: &Value) -> Result<(), ApiError> {
    check_type(shape, input)?;
    let mut violations = Violations::default();
    violations.collect(shape, input, "");
    match violations.count {
        0 => Ok(()),
        1 => Err(ApiError::validation(format!("1 validation error detected: {}", violations.shown[0]))),
        count => Err(ApiError::validation(format!(
            "{count} validation errors detected: {}",
            violations.shown.join("; ")
        ))),
    }
}

fn check_type(shape: &'static Shape, value: &Value) -> Result<(), ApiError> {
    let found = match value {
        Value::Null => return Ok(()),
        Value::Bool(_) => "TRUE_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
        Value::Array(_) => "START_ARRAY",
        Value::Object(_) => "START_OBJECT",
    };
    let wrong =
        |wanted: &str| Err(ApiError::serialization(format!("{found} can not be converted to {wanted}")));
    match (shape, value) {
        (Shape::String { .. }, Value::String(_)) | (Shape::Blob, Value::String(_)) => Ok(()),
        // Whether it is in range is a constraint.
        (Shape::Integer { min, max }, Value::Number(number))
            if number.is_i64() || (min.is_some() && max.is_some() && integer(number).is_some()) =>
        {
            Ok(())
        }
        (Shape::Double { .. }, Value::Number(_)) | (Shape::Boolean, Value::Bool(_)) => Ok(()),
        (Shape::List { member, .. }, Value::Array(items)) => {
            items.iter().try_for_each(|item| check_type(member, item))
        }
        (Shape::Map { value: shape, .. }, Value::Object(entries)) => {
            entries.values().try_for_each(|entry| check_type(shape, entry))
        }
        (Shape::Structure(members), Value::Object(object)) => {
            let given = |member: &&'static Member| object.get(member.name).map(|value| (member.shape, value));
            members
                .iter()
                .filter_map(|member| given(&member))
                .try_for_each(|(shape, value)| check_type(shape, value))
        }
        (Shape::String { .. }, _) => wrong("a String"),
        (Shape::Blob, _) => wrong("a Blob"),
        (Shape::Integer { .. }, _) => wrong("an Integer"),
        (Shape::Double { .. }, _) => wrong("a Double"),
        (Shape::Boolean, _) => wrong("a Boolean"),
        (Shape::List { .. }, _) => wrong("a List"),
        (Shape::Map { .. }, _) => wrong("a Map"),
        (Shape::Structure(_), _) => wrong("a Structure"),
    }
}

/// Reads a whole number of any size; one that is too large for us is as large as it can be. Nothing with a fraction.
fn integer(number: &serde_json::Number) -> Option<i64> {
    match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(number), _, _) => Some(number),
        (None, Some(_), _) => Some(i64::MAX),
        // `9e99` and thirty digits in a row are read as the same thing.
        (None, None, Some(number)) if number >= i64::MAX as f64 => Some(i64::MAX),
        (None, None, Some(number)) if number <= i64::MIN as f64 => Some(i64::MIN),
        _ => None,
    }
}

/// What is broken so far.
#[derive(Default)]
struct Violations {
    count: usize,
    shown: Vec<String>,
}

impl Violations {
    fn add(&mut self, text: impl FnOnce() -> String) {
        self.count += 1;
        if self.shown.len() < SHOWN_MAX {
            self.shown.push(text());
        }
    }

    fn collect(&mut self, shape: &'static Shape, value: &Value, path: &str) {
        let Shape::Structure(members) = shape else { return };
        for member in in_order(members) {
            let path = member_path(path, member.name);
            match value.get(member.name) {
                None | Some(Value::Null) if member.required => self.add(|| {
                    format!("Value null at '{path}' failed to satisfy constraint: Member must not be null")
                }),
                None | Some(Value::Null) => {}
                Some(value) => self.collect_member(member, value, &path),
            }
        }
    }

    fn collect_member(&mut self, member: &'static Member, value: &Value, path: &str) {
        let shape = member.shape;
        let mut broken = |constraint: String| {
            self.add(|| {
                // Secrets are kept out of texts, quotation marks and all.
                let shown = match member.sensitive {
                    true => "Value".to_owned(),
                    false => format!("Value '{}'", cut(printed(shape, value))),
                };
                format!("{shown} at '{path}' failed to satisfy constraint: {constraint}")
            });
        };
        if is_unknown_runtime_of_a_layer(member.name, value) {
            let all: Vec<&str> = Runtime::all().map(Runtime::as_str).collect();
            broken(one_of(&all));
        }
        match (shape, value) {
            (Shape::Structure(_), _) => self.collect(shape, value, path),
            (Shape::List { member: element, .. }, Value::Array(items)) => {
                of_value(shape, value).into_iter().for_each(&mut broken);
                if items.iter().any(|item| is_broken(element, item)) {
                    broken(of_elements("Member must satisfy constraint", element, true));
                } else if let Shape::Structure(_) = element {
                    for (index, item) in items.iter().enumerate() {
                        self.collect(element, item, &format!("{path}.{}.member", index + 1));
                    }
                }
            }
            (Shape::Map { key, value: entry, .. }, Value::Object(entries)) => {
                of_value(shape, value).into_iter().for_each(&mut broken);
                if entries.keys().any(|name| !of_text(key, name).is_empty()) {
                    // The key of a map cannot be null, and nothing is said about it.
                    broken(of_elements("Map keys must satisfy constraint", key, false));
                }
                if entries.values().any(|value| is_broken(entry, value)) {
                    broken(of_elements("Map value must satisfy constraint", entry, true));
                }
            }
            _ => of_value(shape, value).into_iter().for_each(&mut broken),
        }
    }
}

/// Whether a layer is said, or asked, to be for a runtime that AWS does not know. In the model these are the same as the
/// runtime of a function, of which the service says so itself; for layers the framework was recorded to do it, and not in
/// the way of other lists. A layer may be for runtimes that this host has not, or AWS not any more.
fn is_unknown_runtime_of_a_layer(member: &str, value: &Value) -> bool {
    let is_unknown = |value: &Value| value.as_str().is_some_and(|runtime| Runtime::parse(runtime).is_err());
    match member {
        "CompatibleRuntime" => is_unknown(value),
        "CompatibleRuntimes" => value.as_array().is_some_and(|runtimes| runtimes.iter().any(is_unknown)),
        _ => false,
    }
}

fn is_broken(element: &'static Shape, value: &Value) -> bool {
    value.is_null() || !of_value(element, value).is_empty()
}

fn length_at_most(max: i64) -> String {
    format!("Member must have length less than or equal to {max}")
}

fn length_at_least(min: i64) -> String {
    format!("Member must have length greater than or equal to {min}")
}

fn at_most(max: impl std::fmt::Debug) -> String {
    format!("Member must have value less than or equal to {max:?}")
}

fn at_least(min: impl std::fmt::Debug) -> String {
    format!("Member must have value greater than or equal to {min:?}")
}

fn matching(pattern: &str) -> String {
    format!("Member must satisfy regular expression pattern: {pattern}")
}

fn one_of(words: &[&str]) -> String {
    format!("Member must satisfy enum value set: [{}]", words.join(", "))
}

/// The constraints that a value breaks, without those of its elements.
fn of_value(shape: &'static Shape, value: &Value) -> Vec<String> {
    match (shape, value) {
        (Shape::String { .. }, Value::String(text)) => of_text(shape, text),
        (Shape::List { min, max, .. }, Value::Array(items)) => of_length(*min, *max, items.len() as i64),
        (Shape::Map { min, max, .. }, Value::Object(entries)) => of_length(*min, *max, entries.len() as i64),
        (Shape::Integer { min, max }, Value::Number(number)) => {
            let number = integer(number).unwrap_or(i64::MAX);
            let above = max.filter(|&max| number > max).map(at_most);
            let below = min.filter(|&min| number < min).map(at_least);
            above.into_iter().chain(below).collect()
        }
        (Shape::Double { min, max }, Value::Number(number)) => {
            let number = number.as_f64().unwrap_or(f64::MAX);
            let above = max.filter(|&max| number > max).map(at_most);
            let below = min.filter(|&min| number < min).map(at_least);
            above.into_iter().chain(below).collect()
        }
        _ => Vec::new(),
    }
}

fn of_length(min: Option<i64>, max: Option<i64>, length: i64) -> Vec<String> {
    let above = max.filter(|&max| length > max).map(length_at_most);
    let below = min.filter(|&min| length < min).map(length_at_least);
    above.into_iter().chain(below).collect()
}

fn of_text(shape: &'static Shape, text: &str) -> Vec<String> {
    let Shape::String { min, max, pattern, words } = shape else { return Vec::new() };
    // AWS counts as Java does: in UTF-16.
    let length = text.encode_utf16().count() as i64;
    let mut broken = of_length(*min, *max, length);
    let is_hopeless = max.is_some_and(|max| length / HOPELESS > max);
    if let Some(pattern) = pattern.filter(|pattern| !is_hopeless && !patterns::matches(pattern, text)) {
        broken.push(matching(pattern));
    }
    if !words.is_empty() && !words.contains(&text) {
        broken.push(one_of(words));
    }
    broken
}

/// Returns members in the order in which AWS looks at them: that of the model, but for those of a layer that were
/// recorded the other way round.
fn in_order(members: &'static [Member]) -> impl Iterator<Item = &'static Member> {
    let is_at = |at: usize, name: &str| members.get(at).is_some_and(|member| member.name == name);
    members.iter().enumerate().map(move |(at, member)| match member.name {
        "CompatibleArchitectures" if is_at(at + 1, "CompatibleRuntimes") => &members[at + 1],
        "CompatibleRuntimes" if at > 0 && is_at(at - 1, "CompatibleArchitectures") => &members[at - 1],
        _ => member,
    })
}

/// All constraints of an element, whichever is broken, in the order in which AWS lists them.
fn of_elements(head: &str, shape: &'static Shape, can_be_null: bool) -> String {
    let mut all = Vec::new();
    match shape {
        Shape::String { min, max, pattern, words } => {
            all.extend(max.map(length_at_most));
            all.extend(min.map(length_at_least));
            all.extend(pattern.map(matching));
            if !words.is_empty() {
                all.push(one_of(words));
            }
        }
        Shape::Integer { min, max } => {
            all.extend(max.map(at_most));
            all.extend(min.map(at_least));
        }
        Shape::Double { min, max } => {
            all.extend(max.map(at_most));
            all.extend(min.map(at_least));
        }
        Shape::List { min, max, .. } | Shape::Map { min, max, .. } => {
            all.extend(max.map(length_at_most));
            all.extend(min.map(length_at_least));
        }
        Shape::Boolean | Shape::Blob | Shape::Structure(_) => {}
    }
    if can_be_null {
        all.push("Member must not be null".to_owned());
    }
    format!("{head}: [{}]", all.join(", "))
}

/// Returns `text`, or what can be repeated of it.
pub(crate) fn cut(mut text: String) -> String {
    if text.len() > VALUE_BYTES_MAX {
        let end = (0..=VALUE_BYTES_MAX).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// A value as AWS prints it.
fn printed(shape: &'static Shape, value: &Value) -> String {
    match (shape, value) {
        (_, Value::String(text)) => text.clone(),
        (Shape::List { member, .. }, Value::Array(items)) => {
            format!("[{}]", items.iter().map(|item| printed(member, item)).collect::<Vec<_>>().join(", "))
        }
        (Shape::Map { value: shape, .. }, Value::Object(entries)) => {
            let pairs: Vec<String> =
                entries.iter().map(|(key, value)| format!("{key}={}", printed(shape, value))).collect();
            format!("{{{}}}", pairs.join(", "))
        }
        // A whole number, too, is printed with a fraction where the model has one.
        (Shape::Double { .. }, Value::Number(number)) => format!("{:?}", number.as_f64().unwrap_or(f64::MAX)),
        (_, other) => other.to_string(),
    }
}

/// `vpcConfig` + `SubnetIds` -> `vpcConfig.subnetIds`.
fn member_path(path: &str, member: &str) -> String {
    let mut characters = member.chars();
    let first = characters.next().map(|first| first.to_ascii_lowercase());
    let camel: String = first.into_iter().chain(characters).collect();
    if path.is_empty() { camel } else { format!("{path}.{camel}") }
}

#[cfg(test)]
#[path = "validation_tests.rs"]
mod tests;
