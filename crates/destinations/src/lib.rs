//! Queues, topics, buses and buckets that hear of the end of asynchronous events, at one endpoint that speaks AWS's APIs.
//!
//! Each service has a module, which says what is asked of it. When to try again is not decided here: `invoke` does that, and
//! keeps the messages.

mod event_bridge;
mod s3;
mod sns;
mod sqs;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hearth_aws_client::{ClientError, Endpoint};
use hearth_invoke::{DeliveryError, DeliveryRecord, Destinations, EventClock};
use hearth_types::Arn;
pub use s3::object_key;

/// How long a message may be for a queue, topic or bus. What some of them take less of is theirs to refuse.
///
/// Source: service models of SQS and SNS in botocore 1.44.5: a queue takes 1 MiB, a topic as much if it is set so.
const MESSAGE_BYTES_MAX: usize = 1_048_576;

/// The services behind an endpoint.
pub struct Services {
    endpoint: Endpoint,
    clock: Arc<dyn EventClock>,
}

impl Services {
    /// Reaches services at `endpoint`. `clock` gives the time that requests are signed at.
    pub fn new(endpoint: Endpoint, clock: Arc<dyn EventClock>) -> Self {
        Self { endpoint, clock }
    }

    /// Tells a queue, topic or bucket of records of a stream that are given up. `key` is that of the object in a bucket.
    pub async fn report(&self, destination: &str, message: &Bytes, key: &str) -> Result<(), DeliveryError> {
        let arn = arn_of(destination)?;
        let (endpoint, now_ms) = (&self.endpoint, self.clock.epoch_ms());
        if arn.service == "s3" {
            return s3::put(endpoint, &arn, key, message, now_ms).await;
        }
        let delivery = DeliveryRecord {
            request_id: String::new(),
            function_arn: String::new(),
            destination: destination.to_owned(),
            condition: String::new(),
            ended_ms: now_ms,
            dead_letter: None,
            message: message.clone(),
            due_ms: now_ms,
            backoffs: 0,
        };
        match arn.service {
            "sqs" => sqs::send_message(endpoint, &arn, &delivery, now_ms).await,
            "sns" => sns::publish(endpoint, &delivery, now_ms).await,
            other => Err(DeliveryError::Refused(format!("`{other}` cannot be told of records"))),
        }
    }

    async fn bring(&self, delivery: &DeliveryRecord) -> Result<(), DeliveryError> {
        let arn = arn_of(&delivery.destination)?;
        let is_dead_letter = delivery.dead_letter.is_some();
        let (endpoint, now_ms) = (&self.endpoint, self.clock.epoch_ms());
        if arn.service != "s3" && delivery.message.len() > MESSAGE_BYTES_MAX {
            let bytes = delivery.message.len();
            return Err(DeliveryError::Refused(format!("{bytes} bytes are more than it takes")));
        }
        match arn.service {
            "sqs" => sqs::send_message(endpoint, &arn, delivery, now_ms).await,
            "sns" => sns::publish(endpoint, delivery, now_ms).await,
            "events" if !is_dead_letter => event_bridge::put_events(endpoint, delivery, now_ms).await,
            "s3" if !is_dead_letter => s3::put_object(endpoint, &arn, delivery, now_ms).await,
            other => Err(DeliveryError::Refused(format!("`{other}` cannot be told of the end of events"))),
        }
    }
}

impl Destinations for Services {
    fn deliver<'a>(&'a self, delivery: &'a DeliveryRecord) -> BoxFuture<'a, Result<(), DeliveryError>> {
        Box::pin(self.bring(delivery))
    }
}

/// Reads the ARN of a destination.
fn arn_of(destination: &str) -> Result<Arn<'_>, DeliveryError> {
    let arn = Arn::parse(destination).filter(|arn| !arn.resource.is_empty());
    arn.ok_or_else(|| DeliveryError::Refused("it is no ARN".to_owned()))
}

/// Says what it means for a message that a request has brought nothing.
fn undelivered(error: ClientError) -> DeliveryError {
    match error {
        ClientError::Refused { reason, .. } => DeliveryError::Refused(reason),
        ClientError::Unreachable { reason, .. } => DeliveryError::Unreachable(reason),
    }
}

/// Returns a message as text. What is JSON is.
fn text(delivery: &DeliveryRecord) -> Result<&str, DeliveryError> {
    std::str::from_utf8(&delivery.message).map_err(|_| DeliveryError::Refused("it is not UTF-8".to_owned()))
}

/// Returns what goes along to a dead-letter queue or topic: name, type and value.
///
/// Source: Lambda Developer Guide, "Adding a dead-letter queue", read 2026-11.
fn attributes(delivery: &DeliveryRecord) -> Vec<(&'static str, &'static str, String)> {
    let Some(dead_letter) = &delivery.dead_letter else { return Vec::new() };
    vec![
        ("RequestID", "String", delivery.request_id.clone()),
        ("ErrorCode", "Number", dead_letter.error_code.to_string()),
        ("ErrorMessage", "String", dead_letter.error_message.clone()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_has_a_resource_that_may_have_colons() {
        let arn = arn_of("arn:aws:sns:us-east-1:000000000000:topic:sub").unwrap();
        assert_eq!((arn.service, arn.account, arn.resource), ("sns", "000000000000", "topic:sub"));
        assert_eq!(arn_of("arn:aws:s3:::bucket").unwrap().resource, "bucket");
        for odd in ["", "bucket", "arn:aws:s3::", "arn:aws:s3:::", "x:aws:s3:::bucket"] {
            assert!(arn_of(odd).is_err(), "{odd}");
        }
    }
}
