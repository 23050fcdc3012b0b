//! The query protocol: a form whose names are paths (`Dimensions.member.1.Name`), answered in XML.

use std::collections::BTreeMap;

use hearth_aws_wire::xml::escaped;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::Output;
use crate::error::ApiError;

const NAMESPACE: &str = "http://monitoring.amazonaws.com/doc/2010-08-01/";
/// The version of the API, which each form names.
const VERSION: &str = "2010-08-01";
/// How deep a path may be. The model's deepest has nine parts.
const DEPTH_MAX: usize = 16;

/// What stands at a path of a form.
enum Node {
    Text(String),
    Inside(BTreeMap<String, Self>),
}

/// Reads a form: the name of the operation, and its members. All of their values are texts.
pub(super) fn read(form: &[u8]) -> Result<(String, Value), ApiError> {
    let form = std::str::from_utf8(form).map_err(|_| ApiError::serialization("The form is not UTF-8"))?;
    let (mut action, mut version, mut members) = (String::new(), None, BTreeMap::new());
    for pair in form.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decoded(name)?, decoded(value)?);
        match name.as_str() {
            "Action" => action = value,
            "Version" => version = Some(value),
            _ => put(&mut members, &name, value)?,
        }
    }
    if version.is_some_and(|version| version != VERSION) {
        return Err(ApiError::invalid_value(format!("The version of CloudWatch's API is {VERSION}")));
    }
    Ok((action, tree(Node::Inside(members))))
}

fn decoded(text: &str) -> Result<String, ApiError> {
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text).decode_utf8();
    decoded.map(|text| text.into_owned()).map_err(|_| ApiError::serialization("The form is not UTF-8"))
}

fn put(members: &mut BTreeMap<String, Node>, path: &str, value: String) -> Result<(), ApiError> {
    let wrong = || ApiError::serialization("A name in the form contradicts another one, or is too long");
    let parts: Vec<&str> = path.split('.').collect();
    let Some((last, before)) = parts.split_last().filter(|_| parts.len() <= DEPTH_MAX) else {
        return Err(wrong());
    };
    let mut at = members;
    for part in before {
        let node = at.entry((*part).to_owned()).or_insert_with(|| Node::Inside(BTreeMap::new()));
        let Node::Inside(inside) = node else { return Err(wrong()) };
        at = inside;
    }
    match at.insert((*last).to_owned(), Node::Text(value)) {
        None | Some(Node::Text(_)) => Ok(()),
        Some(Node::Inside(_)) => Err(wrong()),
    }
}

/// Turns what stands below `member` into a list, in the order of its numbers.
fn tree(node: Node) -> Value {
    let mut inside = match node {
        Node::Text(text) => return text.into(),
        Node::Inside(inside) => inside,
    };
    if inside.len() == 1
        && let Some(Node::Inside(list)) = inside.remove("member")
    {
        let numbered =
            list.into_iter().map(|(number, node)| (number.parse().unwrap_or(u32::MAX), tree(node)));
        let mut numbered: Vec<(u32, Value)> = numbered.collect();
        numbered.sort_by_key(|(number, _)| *number);
        return numbered.into_iter().map(|(_, value)| value).collect();
    }
    let members: Map<String, Value> = inside.into_iter().map(|(name, node)| (name, tree(node))).collect();
    Value::Object(members)
}

/// Writes an answer.
pub(super) fn write(operation: &str, output: &Output, request_id: &str) -> Vec<u8> {
    let mut xml = format!("<{operation}Response xmlns=\"{NAMESPACE}\">");
    element(&mut xml, &format!("{operation}Result"), output);
    xml += &format!(
        "<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
    );
    xml.into_bytes()
}

/// Writes an error.
pub(super) fn write_error(error: &ApiError, is_ours: bool, request_id: &str) -> Vec<u8> {
    let fault = if is_ours { "Receiver" } else { "Sender" };
    let (code, message) = (escaped(&error.code), escaped(&error.message));
    format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{fault}</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    .into_bytes()
}

fn element(xml: &mut String, name: &str, output: &Output) {
    xml.push_str(&format!("<{name}>"));
    match output {
        Output::Text(text) => xml.push_str(&escaped(text)),
        Output::Number(number) => xml.push_str(&number.to_string()),
        Output::Time(seconds) => {
            let time = Timestamp::from_second(*seconds).unwrap_or_default();
            xml.push_str(&time.to_string());
        }
        Output::List(list) => list.iter().for_each(|member| element(xml, "member", member)),
        Output::Members(members) => members.iter().for_each(|(name, value)| element(xml, name, value)),
        Output::Map(map) => {
            for (key, value) in map {
                xml.push_str(&format!("<entry><key>{}</key>", escaped(key)));
                element(xml, "value", value);
                xml.push_str("</entry>");
            }
        }
    }
    xml.push_str(&format!("</{name}>"));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_form_becomes_a_tree_with_its_lists_in_the_order_of_their_numbers() {
        let form = b"Action=GetMetricData&Version=2010-08-01&Q.member.10.Id=b&Q.member.2.Id=a+1&Q.member.2.S.P=60&E=";
        let (action, members) = read(form).unwrap();
        assert_eq!(action, "GetMetricData");
        assert_eq!(members, json!({ "Q": [{ "Id": "a 1", "S": { "P": "60" } }, { "Id": "b" }], "E": "" }));
    }

    #[test]
    fn forms_that_contradict_themselves_or_are_too_deep_are_refused() {
        let deep = format!("a{}=1", ".a".repeat(DEPTH_MAX));
        for form in ["a=1&a.b=2", "a.b=2&a=1", "a=%ff", "Version=2009", &deep] {
            assert!(read(form.as_bytes()).is_err(), "{form}");
        }
    }
}
