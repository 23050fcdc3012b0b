//! CBOR. Times are numbers of seconds with the tag 1.

use ciborium::Value as Cbor;
use serde_json::{Map, Number, Value};

use super::Output;
use crate::error::ApiError;

/// The tag of a time in seconds since 1970.
const EPOCH: u64 = 1;

/// Reads a body. No body is a structure without members.
pub(super) fn read(body: &[u8]) -> Result<Value, ApiError> {
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let mut rest = body;
    let value: Cbor =
        ciborium::from_reader(&mut rest).map_err(|_| ApiError::serialization("The body is not CBOR"))?;
    if !rest.is_empty() {
        return Err(ApiError::serialization("There is something after the CBOR of the body"));
    }
    tree(value)
}

fn tree(value: Cbor) -> Result<Value, ApiError> {
    let wrong = |what: &str| ApiError::serialization(format!("{what} is none of the model's"));
    Ok(match value {
        Cbor::Null => Value::Null,
        Cbor::Bool(value) => value.into(),
        Cbor::Integer(value) => i64::try_from(value).map_err(|_| wrong("A number"))?.into(),
        Cbor::Float(value) => Number::from_f64(value).map(Value::Number).ok_or_else(|| wrong("A number"))?,
        Cbor::Text(value) => value.into(),
        Cbor::Tag(_, value) => tree(*value)?,
        Cbor::Array(values) => Value::Array(values.into_iter().map(tree).collect::<Result<_, _>>()?),
        Cbor::Map(members) => {
            let members = members.into_iter().map(|(name, value)| match name {
                Cbor::Text(name) => Ok((name, tree(value)?)),
                _ => Err(wrong("A name")),
            });
            Value::Object(members.collect::<Result<_, _>>()?)
        }
        _ => return Err(wrong("A value")),
    })
}

/// Writes an answer.
pub(super) fn write(output: &Output) -> Vec<u8> {
    let mut body = Vec::new();
    ciborium::into_writer(&cbor(output), &mut body).expect("memory takes whatever is written to it");
    body
}

fn cbor(output: &Output) -> Cbor {
    match output {
        Output::Text(text) => Cbor::Text(text.clone()),
        Output::Number(number) => Cbor::Float(*number),
        Output::Time(seconds) => Cbor::Tag(EPOCH, Box::new(Cbor::Float(*seconds as f64))),
        Output::List(list) => Cbor::Array(list.iter().map(cbor).collect()),
        Output::Members(members) => Cbor::Map(
            members.iter().map(|(name, value)| (Cbor::Text((*name).to_owned()), cbor(value))).collect(),
        ),
        Output::Map(map) => {
            Cbor::Map(map.iter().map(|(name, value)| (Cbor::Text(name.clone()), cbor(value))).collect())
        }
    }
}
