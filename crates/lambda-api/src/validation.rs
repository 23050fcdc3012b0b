//! The constraints of the service model, and the texts in which AWS says that one is broken.
//!
//! `2 validation errors detected: Value '…' at 'functionName' failed to satisfy constraint: Member must …; Value …`

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use regex_lite::Regex;
use serde_json::Value;

use crate::error::ApiError;
use crate::generated::{Member, Shape};

/// Checks `input` against the model. Wrong types come before broken constraints, as a deserializer comes before a
/// validator.
pub(crate) fn check(shape: &'static Shape, input: &Value) -> Result<(), ApiError> {
    check_type(shape, input)?;
    let mut violations = Vec::new();
    collect(shape, input, "", &mut violations);
    match violations.len() {
        0 => Ok(()),
        1 => Err(ApiError::validation(format!("1 validation error detected: {}", violations[0]))),
        count => Err(ApiError::validation(format!(
            "{count} validation errors detected: {}",
            violations.join("; ")
        ))),
    }
}

/// Checks one member alone.
pub(crate) fn check_member(shape: &'static Shape, name: &str, value: &Value) -> Result<(), ApiError> {
    let Shape::Structure(members) = shape else { return Ok(()) };
    let Some(member) = members.iter().find(|member| member.name == name) else { return Ok(()) };
    let mut violations = Vec::new();
    collect(member.shape, value, &member_path("", name), &mut violations);
    match violations.first() {
        Some(first) => Err(ApiError::validation(format!("1 validation error detected: {first}"))),
        None => Ok(()),
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
        // Any JSON number is a number; whether it is in range is a constraint.
        (Shape::Integer { .. }, Value::Number(number)) if number.as_i64().is_some() => Ok(()),
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

fn collect(shape: &'static Shape, value: &Value, path: &str, violations: &mut Vec<String>) {
    let mut broken = |constraint: String| {
        violations
            .push(format!("Value '{}' at '{path}' failed to satisfy constraint: {constraint}", shown(value)));
    };
    match (shape, value) {
        (Shape::Structure(members), Value::Object(object)) => {
            for member in *members {
                let path = member_path(path, member.name);
                match object.get(member.name) {
                    None | Some(Value::Null) if member.required => violations.push(format!(
                        "Value null at '{path}' failed to satisfy constraint: Member must not be null"
                    )),
                    None | Some(Value::Null) => {}
                    Some(value) => collect(member.shape, value, &path, violations),
                }
            }
        }
        (Shape::List { min, max, member }, Value::Array(items)) => {
            let length = items.len() as i64;
            of_length(*min, *max, length).into_iter().for_each(&mut broken);
            if items.iter().any(|item| !of_scalar(member, item).is_empty()) {
                broken(of_elements("Member must satisfy constraint", member));
            } else if let Shape::Structure(_) = member {
                for (index, item) in items.iter().enumerate() {
                    collect(member, item, &format!("{path}.{}.member", index + 1), violations);
                }
            }
        }
        (Shape::Map { key, value: value_shape }, Value::Object(entries)) => {
            let is_broken = |key_text: &String| !of_scalar(key, &Value::String(key_text.clone())).is_empty();
            if entries.keys().any(is_broken) {
                broken(of_elements("Map keys must satisfy constraint", key));
            }
            if entries.values().any(|entry| !of_scalar(value_shape, entry).is_empty()) {
                broken(of_elements("Map value must satisfy constraint", value_shape));
            }
        }
        _ => of_scalar(shape, value).into_iter().for_each(&mut broken),
    }
}

fn of_length(min: Option<i64>, max: Option<i64>, length: i64) -> Vec<String> {
    let mut broken = Vec::new();
    if let Some(max) = max.filter(|&max| length > max) {
        broken.push(format!("Member must have length less than or equal to {max}"));
    }
    if let Some(min) = min.filter(|&min| length < min) {
        broken.push(format!("Member must have length greater than or equal to {min}"));
    }
    broken
}

/// The constraints that a text, a number or a list inside a list breaks.
fn of_scalar(shape: &'static Shape, value: &Value) -> Vec<String> {
    match (shape, value) {
        (Shape::String { min, max, pattern, matched, words }, Value::String(text)) => {
            // AWS counts as Java does: in UTF-16.
            let mut broken = of_length(*min, *max, text.encode_utf16().count() as i64);
            if let (Some(pattern), Some(matched)) = (pattern, matched)
                && !matches(matched, text)
            {
                broken.push(format!("Member must satisfy regular expression pattern: {pattern}"));
            }
            if !words.is_empty() && !words.contains(&text.as_str()) {
                broken.push(format!("Member must satisfy enum value set: [{}]", words.join(", ")));
            }
            broken
        }
        (Shape::Integer { min, max }, Value::Number(number)) => {
            let number = number.as_i64().unwrap_or(i64::MAX);
            let mut broken = Vec::new();
            if let Some(max) = max.filter(|&max| number > max) {
                broken.push(format!("Member must have value less than or equal to {max}"));
            }
            if let Some(min) = min.filter(|&min| number < min) {
                broken.push(format!("Member must have value greater than or equal to {min}"));
            }
            broken
        }
        (Shape::Double { min, max }, Value::Number(number)) => {
            let number = number.as_f64().unwrap_or(f64::MAX);
            let mut broken = Vec::new();
            if let Some(max) = max.filter(|&max| number > max) {
                broken.push(format!("Member must have value less than or equal to {max:?}"));
            }
            if let Some(min) = min.filter(|&min| number < min) {
                broken.push(format!("Member must have value greater than or equal to {min:?}"));
            }
            broken
        }
        _ => Vec::new(),
    }
}

/// All constraints of an element, in the order in which AWS lists them.
fn of_elements(head: &str, shape: &'static Shape) -> String {
    let mut all = Vec::new();
    match shape {
        Shape::String { min, max, pattern, words, .. } => {
            all.extend(max.map(|max| format!("Member must have length less than or equal to {max}")));
            all.extend(min.map(|min| format!("Member must have length greater than or equal to {min}")));
            all.extend(
                pattern.map(|pattern| format!("Member must satisfy regular expression pattern: {pattern}")),
            );
            if !words.is_empty() {
                all.push(format!("Member must satisfy enum value set: [{}]", words.join(", ")));
            }
        }
        Shape::Integer { min, max } => {
            all.extend(max.map(|max| format!("Member must have value less than or equal to {max}")));
            all.extend(min.map(|min| format!("Member must have value greater than or equal to {min}")));
        }
        Shape::Double { .. }
        | Shape::Boolean
        | Shape::Blob
        | Shape::List { .. }
        | Shape::Map { .. }
        | Shape::Structure(_) => {}
    }
    all.push("Member must not be null".to_owned());
    format!("{head}: [{}]", all.join(", "))
}

/// Whether the whole of `text` matches. A pattern is compiled once.
fn matches(pattern: &'static str, text: &str) -> bool {
    static COMPILED: LazyLock<Mutex<BTreeMap<&'static str, Option<Regex>>>> = LazyLock::new(Mutex::default);
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let regex = compiled.entry(pattern).or_insert_with(|| Regex::new(&format!(r"^(?:{pattern})$")).ok());
    regex.as_ref().is_none_or(|regex| regex.is_match(text))
}

/// A value as AWS prints it.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) => {
            let pairs: Vec<String> =
                entries.iter().map(|(key, value)| format!("{key}={}", shown(value))).collect();
            format!("{{{}}}", pairs.join(", "))
        }
        other => other.to_string(),
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
mod tests {
    use serde_json::json;

    use super::*;
    use crate::generated::constraints::{CREATE_FUNCTION_REQUEST, LIST_FUNCTIONS_REQUEST};

    fn of_create(change: Value) -> String {
        let mut input = json!({
            "FunctionName": "f", "Role": "arn:aws:iam::000000000000:role/r", "Code": { "ZipFile": "" }
        });
        for (key, value) in change.as_object().unwrap() {
            input[key] = value.clone();
        }
        match check(&CREATE_FUNCTION_REQUEST, &input) {
            Ok(()) => "ok".to_owned(),
            Err(error) => format!("{}: {}", error.error_type(), error.message()),
        }
    }

    #[test]
    fn every_pattern_of_the_model_can_be_compiled() {
        fn all(shape: &'static Shape, found: &mut Vec<&'static str>) {
            match shape {
                Shape::String { matched, .. } => found.extend(matched),
                Shape::List { member, .. } => all(member, found),
                Shape::Map { key, value } => [*key, *value].into_iter().for_each(|shape| all(shape, found)),
                Shape::Structure(members) => members.iter().for_each(|member| all(member.shape, found)),
                Shape::Integer { .. } | Shape::Double { .. } | Shape::Boolean | Shape::Blob => {}
            }
        }
        let mut patterns = Vec::new();
        all(&CREATE_FUNCTION_REQUEST, &mut patterns);
        assert!(patterns.len() > 10);
        for pattern in patterns {
            assert!(Regex::new(pattern).is_ok(), "{pattern}");
        }
    }

    #[test]
    fn texts_are_those_of_aws() {
        assert_eq!(of_create(json!({})), "ok");
        assert_eq!(
            of_create(json!({ "Role": "r1" })),
            "ValidationException: 1 validation error detected: Value 'r1' at 'role' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: \
             arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+"
        );
        assert_eq!(
            of_create(json!({ "Architectures": ["X86_64"] })),
            "ValidationException: 1 validation error detected: Value '[X86_64]' at 'architectures' failed to satisfy \
             constraint: Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], \
             Member must not be null]"
        );
        assert_eq!(
            of_create(json!({ "Architectures": ["x86_64", "arm64"] })),
            "ValidationException: 1 validation error detected: Value '[x86_64, arm64]' at 'architectures' failed to \
             satisfy constraint: Member must have length less than or equal to 1"
        );
        assert_eq!(
            of_create(json!({ "Role": null, "Timeout": 0 })),
            "ValidationException: 2 validation errors detected: Value null at 'role' failed to satisfy constraint: \
             Member must not be null; Value '0' at 'timeout' failed to satisfy constraint: \
             Member must have value greater than or equal to 1"
        );
    }

    #[test]
    fn a_wrong_type_is_a_serialization_error() {
        assert_eq!(
            of_create(json!({ "MemorySize": "big" })),
            "SerializationException: STRING_VALUE can not be converted to an Integer"
        );
        assert_eq!(
            of_create(json!({ "Environment": { "Variables": { "A": 1 } } })),
            "SerializationException: NUMBER_VALUE can not be converted to a String"
        );
    }

    #[test]
    fn bounds_of_a_query_are_checked() {
        let error = check(&LIST_FUNCTIONS_REQUEST, &json!({ "MaxItems": 0 })).unwrap_err();
        assert_eq!(
            error.message(),
            "1 validation error detected: Value '0' at 'maxItems' failed to satisfy constraint: \
             Member must have value greater than or equal to 1"
        );
    }
}
