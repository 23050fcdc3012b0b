//! A message of SQS, as functions see it.
//!
//! Source: Lambda Developer Guide, "Using Lambda with Amazon SQS", and recorded events, read 2026-11.

use hearth_types::TraceHeader;
use serde_json::{Map, Value, json};

use crate::mapping::Source;

/// A message that was received.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) receipt_handle: String,
    /// The record of the event.
    pub(super) record: Value,
    /// How long the record is as JSON.
    pub(super) bytes: usize,
    pub(super) trace: Option<TraceHeader>,
}

impl Message {
    /// Reads a message of a ReceiveMessage answer. `None` when it is not one.
    pub(super) fn read(message: &Value, source: &Source) -> Option<Self> {
        let text = |member: &str| message[member].as_str().map(str::to_owned);
        let (id, receipt_handle) = (text("MessageId")?, text("ReceiptHandle")?);
        let attributes = message["Attributes"].as_object().cloned().unwrap_or_default();
        let trace = attributes.get("AWSTraceHeader").and_then(Value::as_str);
        let trace = trace.and_then(TraceHeader::from_caller);
        let record = json!({
            "messageId": id,
            "receiptHandle": receipt_handle,
            "body": text("Body")?,
            "attributes": attributes,
            "messageAttributes": message_attributes(&message["MessageAttributes"]),
            "md5OfMessageAttributes": message["MD5OfMessageAttributes"],
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": source.arn,
            "awsRegion": source.region,
        });
        let bytes = record.to_string().len();
        Some(Self { id, receipt_handle, record, bytes, trace })
    }
}

/// Lists are always there, and always empty: SQS has none.
fn message_attributes(attributes: &Value) -> Value {
    let mut shown = Map::new();
    for (name, attribute) in attributes.as_object().into_iter().flatten() {
        let mut value = Map::new();
        for (wire, member) in [("StringValue", "stringValue"), ("BinaryValue", "binaryValue")] {
            if let Some(text) = attribute[wire].as_str() {
                value.insert(member.to_owned(), text.into());
            }
        }
        value.insert("stringListValues".to_owned(), json!([]));
        value.insert("binaryListValues".to_owned(), json!([]));
        value.insert("dataType".to_owned(), attribute["DataType"].clone());
        shown.insert(name.clone(), value.into());
    }
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_exactly_the_members_of_aws() {
        let source = Source::parse("arn:aws:sqs:eu-west-1:000000000000:q").unwrap();
        let received = json!({
            "MessageId": "id",
            "ReceiptHandle": "handle",
            "MD5OfBody": "md5",
            "Body": "text",
            "Attributes": { "ApproximateReceiveCount": "1", "SenderId": "me" },
            "MessageAttributes": {
                "s": { "StringValue": "x", "DataType": "String" },
                "b": { "BinaryValue": "eA==", "DataType": "Binary" },
            },
            "MD5OfMessageAttributes": "md5a",
        });
        let message = Message::read(&received, &source).unwrap();
        let lists = |mut value: Value| {
            value["stringListValues"] = json!([]);
            value["binaryListValues"] = json!([]);
            value
        };
        let expected = json!({
            "messageId": "id",
            "receiptHandle": "handle",
            "body": "text",
            "attributes": { "ApproximateReceiveCount": "1", "SenderId": "me" },
            "messageAttributes": {
                "s": lists(json!({ "stringValue": "x", "dataType": "String" })),
                "b": lists(json!({ "binaryValue": "eA==", "dataType": "Binary" })),
            },
            "md5OfMessageAttributes": "md5a",
            "md5OfBody": "md5",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-west-1:000000000000:q",
            "awsRegion": "eu-west-1",
        });
        assert_eq!(message.record, expected);
        let plain = json!({ "MessageId": "id", "ReceiptHandle": "handle", "Body": "", "MD5OfBody": "m" });
        let plain = Message::read(&plain, &source).unwrap();
        assert_eq!(plain.record["md5OfMessageAttributes"], Value::Null);
        assert_eq!(plain.record["messageAttributes"], json!({}));
        assert!(Message::read(&json!({ "MessageId": "id" }), &source).is_none());
    }
}
