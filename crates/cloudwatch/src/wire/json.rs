//! JSON 1.0. Times are numbers of seconds.

use serde_json::{Map, Number, Value};

use super::Output;
use crate::error::ApiError;

/// Reads a body. No body is a structure without members.
pub(super) fn read(body: &[u8]) -> Result<Value, ApiError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(Map::new()));
    }
    serde_json::from_slice(body).map_err(|_| ApiError::serialization("The body is not JSON"))
}

/// Writes an answer.
pub(super) fn write(output: &Output) -> Vec<u8> {
    json(output).to_string().into_bytes()
}

fn json(output: &Output) -> Value {
    match output {
        Output::Text(text) => text.as_str().into(),
        Output::Number(number) => Number::from_f64(*number).map_or(Value::Null, Value::Number),
        Output::Time(seconds) => (*seconds).into(),
        Output::List(list) => list.iter().map(json).collect(),
        Output::Members(members) => {
            Value::Object(members.iter().map(|(name, value)| ((*name).to_owned(), json(value))).collect())
        }
        Output::Map(map) => {
            Value::Object(map.iter().map(|(name, value)| (name.clone(), json(value))).collect())
        }
    }
}
