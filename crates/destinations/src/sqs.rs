//! SendMessage of SQS, in its JSON protocol.

use bytes::Bytes;
use hearth_aws_client::{Asked, Endpoint};
use hearth_invoke::{DeliveryError, DeliveryRecord};
use hearth_types::Arn;
use http::Method;
use serde_json::{Map, Value, json};

use crate::{attributes, text, undelivered};

/// Sends a message to a queue. Where the queue is, only SQS knows, so it is asked first.
pub(crate) async fn send_message(
    endpoint: &Endpoint,
    queue: &Arn<'_>,
    delivery: &DeliveryRecord,
    now_ms: i64,
) -> Result<(), DeliveryError> {
    let asked = json!({ "QueueName": queue.resource, "QueueOwnerAWSAccountId": queue.account });
    let found = ask(endpoint, "AmazonSQS.GetQueueUrl", &asked, now_ms).await?;
    let found: Value = serde_json::from_slice(&found).unwrap_or_default();
    let Some(url) = found["QueueUrl"].as_str() else {
        return Err(DeliveryError::Refused("it does not answer as SQS does".to_owned()));
    };
    let mut message = json!({ "QueueUrl": url, "MessageBody": text(delivery)? });
    let attributes = attributes(delivery).into_iter().map(|(name, data_type, value)| {
        (name.to_owned(), json!({ "DataType": data_type, "StringValue": value }))
    });
    let attributes: Map<String, Value> = attributes.collect();
    if !attributes.is_empty() {
        message["MessageAttributes"] = attributes.into();
    }
    ask(endpoint, "AmazonSQS.SendMessage", &message, now_ms).await?;
    Ok(())
}

async fn ask(endpoint: &Endpoint, target: &str, body: &Value, now_ms: i64) -> Result<Bytes, DeliveryError> {
    let asked = Asked {
        service: "sqs",
        method: Method::POST,
        path: "/",
        content_type: "application/x-amz-json-1.0",
        headers: &[("x-amz-target", target)],
        body: Bytes::from(body.to_string()),
    };
    endpoint.ask(asked, now_ms).await.map_err(undelivered)
}
