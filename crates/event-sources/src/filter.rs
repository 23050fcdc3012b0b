//! Which records go to the function: the patterns of a mapping, held against what its source gives.
//!
//! What a producer has sent stands in `body` (SQS) or `data` (Kinesis), and may be JSON or not: a pattern for an object
//! matches only what is JSON, one for plain values only what is not.
//!
//! Source: Lambda Developer Guide, "Control which events Lambda sends to your function", read 2026-11.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use crate::mapping::SourceKind;
use crate::pattern::{Pattern, PatternError};

/// How many patterns a mapping has at most. AWS takes ten on request.
///
/// Source: Lambda Developer Guide, as above.
pub const FILTERS_MAX: usize = 5;

/// Why patterns cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// One of them is none.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// There are more than [`FILTERS_MAX`].
    #[error("there are more than {FILTERS_MAX} patterns")]
    TooMany,
}

/// The patterns of a mapping.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    patterns: Vec<Pattern>,
    /// The member with what a producer has sent.
    sent: Option<&'static str>,
}

impl Filter {
    pub(crate) fn parse(kind: SourceKind, patterns: &[String]) -> Result<Self, FilterError> {
        if patterns.len() > FILTERS_MAX {
            return Err(FilterError::TooMany);
        }
        let patterns = patterns.iter().map(|text| Pattern::parse(text)).collect::<Result<_, _>>()?;
        let sent = match kind {
            SourceKind::SqsStandard | SourceKind::SqsFifo => Some("body"),
            SourceKind::Kinesis => Some("data"),
            SourceKind::DynamoDbStreams => None,
        };
        Ok(Self { patterns, sent })
    }

    /// Whether a record of an event goes to the function.
    pub(crate) fn takes(&self, record: &Value) -> bool {
        if self.patterns.is_empty() {
            return true;
        }
        let mut seen = record.clone();
        // What Kinesis says of a record is one level down.
        if let Some(Value::Object(kinesis)) = record.get("kinesis") {
            for (name, value) in kinesis {
                seen[name] = value.clone();
            }
            seen["data"] = decoded(&kinesis["data"]);
        }
        self.patterns.iter().any(|pattern| self.matches(pattern, &mut seen))
    }

    fn matches(&self, pattern: &Pattern, seen: &mut Value) -> bool {
        let Some(sent) = self.sent else { return pattern.matches(seen) };
        let Some(wants_object) = pattern.wants_object(sent) else { return pattern.matches(seen) };
        let text = seen[sent].take();
        let json = text.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
        let json = json.filter(|json| json.is_object() || json.is_array());
        let matches = match json {
            Some(json) if wants_object => {
                seen[sent] = json;
                pattern.matches(seen)
            }
            None if !wants_object => {
                seen[sent] = text.clone();
                pattern.matches(seen)
            }
            Some(_) | None => false,
        };
        seen[sent] = text;
        matches
    }
}

/// What is not UTF-8 matches no pattern.
fn decoded(data: &Value) -> Value {
    let bytes = data.as_str().and_then(|data| BASE64.decode(data).ok());
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).map_or(Value::Null, Value::String)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn takes(kind: SourceKind, patterns: &[Value], record: &Value) -> bool {
        let patterns: Vec<String> = patterns.iter().map(Value::to_string).collect();
        Filter::parse(kind, &patterns).unwrap().takes(record)
    }

    #[test]
    fn a_body_is_json_or_text_as_its_pattern_wants_it() {
        let message = |body: &str| json!({ "body": body, "attributes": { "SenderId": "me" } });
        let takes = |pattern: Value, body: &str| takes(SourceKind::SqsStandard, &[pattern], &message(body));
        let of_object = json!({ "body": { "a": [1] } });
        assert!(takes(of_object.clone(), r#"{"a":1}"#));
        assert!(!takes(of_object.clone(), r#"{"a":2}"#) && !takes(of_object, "text"));
        let of_text = json!({ "body": [{ "prefix": "te" }] });
        assert!(takes(of_text.clone(), "text"));
        assert!(!takes(of_text.clone(), r#"{"te":1}"#) && !takes(of_text, "other"));
        assert!(takes(json!({ "attributes": { "SenderId": ["me"] } }), "text"));
        assert!(!takes(json!({ "attributes": { "SenderId": ["you"] } }), "text"));
    }

    #[test]
    fn one_pattern_of_several_is_enough_and_none_takes_all() {
        let message = json!({ "body": r#"{"a":2}"# });
        let patterns = [json!({ "body": ["text"] }), json!({ "body": { "a": [2] } })];
        assert!(takes(SourceKind::SqsFifo, &patterns, &message));
        assert!(takes(SourceKind::SqsFifo, &[], &message));
        assert!(!takes(SourceKind::SqsFifo, &patterns[..1], &message));
    }

    #[test]
    fn data_of_kinesis_is_decoded_and_images_of_dynamodb_keep_their_types() {
        let record = json!({ "kinesis": { "data": "eyJhIjoxfQ==", "partitionKey": "k" }, "eventName": "n" });
        assert!(takes(SourceKind::Kinesis, &[json!({ "data": { "a": [1] } })], &record));
        assert!(takes(SourceKind::Kinesis, &[json!({ "partitionKey": ["k"] })], &record));
        assert!(!takes(SourceKind::Kinesis, &[json!({ "data": { "a": [2] } })], &record));
        let binary = json!({ "kinesis": { "data": "/w==" } });
        assert!(!takes(SourceKind::Kinesis, &[json!({ "data": [{ "prefix": "" }] })], &binary));
        let image = json!({ "eventName": "INSERT", "dynamodb": { "NewImage": { "n": { "N": "1" } } } });
        let pattern = json!({ "eventName": ["INSERT"], "dynamodb": { "NewImage": { "n": { "N": ["1"] } } } });
        assert!(takes(SourceKind::DynamoDbStreams, &[pattern], &image));
    }

    #[test]
    fn five_patterns_are_the_most() {
        let patterns = vec![r#"{"a":[1]}"#.to_owned(); 6];
        assert_eq!(Filter::parse(SourceKind::Kinesis, &patterns).err(), Some(FilterError::TooMany));
        assert!(Filter::parse(SourceKind::Kinesis, &patterns[1..]).is_ok());
    }
}
