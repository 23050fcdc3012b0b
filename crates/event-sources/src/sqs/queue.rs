//! A queue of SQS: what a poller asks of it.

use std::sync::Arc;
use std::time::Duration;

use hearth_aws_client::ClientError;
use serde_json::{Value, json};

use super::event::Message;
use crate::aws::{Aws, SQS};
use crate::mapping::Source;

/// How many messages one request receives, deletes or changes at most.
///
/// Source: Amazon SQS API Reference, read 2026-11.
pub(super) const MESSAGES_MAX: usize = 10;

/// A queue that was found.
pub(super) struct Queue {
    aws: Arc<Aws>,
    source: Source,
    url: String,
    /// How long a message that was received is hidden from others.
    pub(super) visibility_timeout: Duration,
}

/// Returns the URL of a queue. Only SQS knows it.
pub(crate) async fn url(aws: &Aws, source: &Source) -> Result<String, ClientError> {
    let asked = json!({ "QueueName": source.resource, "QueueOwnerAWSAccountId": source.account });
    let found = aws.ask(&SQS, "GetQueueUrl", &asked).await?;
    let url = found["QueueUrl"].as_str().map(str::to_owned);
    url.ok_or_else(|| unlike_sqs("GetQueueUrl"))
}

impl Queue {
    /// Looks for a queue.
    pub(super) async fn find(aws: Arc<Aws>, source: Source) -> Result<Self, ClientError> {
        let url = url(&aws, &source).await?;
        let asked = json!({ "QueueUrl": url, "AttributeNames": ["VisibilityTimeout"] });
        let found = aws.ask(&SQS, "GetQueueAttributes", &asked).await?;
        let seconds = found["Attributes"]["VisibilityTimeout"].as_str().and_then(|text| text.parse().ok());
        let visibility_timeout =
            Duration::from_secs(seconds.ok_or_else(|| unlike_sqs("GetQueueAttributes"))?);
        Ok(Self { aws, source, url, visibility_timeout })
    }

    /// Receives up to `number` messages, waiting for so many seconds for the first.
    pub(super) async fn receive(
        &self,
        number: usize,
        wait_seconds: u64,
    ) -> Result<Vec<Message>, ClientError> {
        let asked = json!({
            "QueueUrl": self.url,
            "MaxNumberOfMessages": number.clamp(1, MESSAGES_MAX),
            "WaitTimeSeconds": wait_seconds,
            "AttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        });
        let wait = Duration::from_secs(wait_seconds);
        let answer = self.aws.ask_waiting(&SQS, "ReceiveMessage", &asked, wait).await?;
        let messages = answer["Messages"].as_array().map_or(&[][..], Vec::as_slice);
        let read = messages.iter().map(|message| Message::read(message, &self.source));
        read.map(|message| message.ok_or_else(|| unlike_sqs("ReceiveMessage"))).collect()
    }

    /// Deletes messages. Those that could not be deleted come again.
    pub(super) async fn delete(&self, messages: &[&Message]) -> Result<(), ClientError> {
        self.in_batches("DeleteMessageBatch", messages, |_| {}).await
    }

    /// Lets others receive messages at once.
    pub(super) async fn give_back(&self, messages: &[&Message]) -> Result<(), ClientError> {
        self.in_batches("ChangeMessageVisibilityBatch", messages, |entry| {
            entry["VisibilityTimeout"] = 0.into();
        })
        .await
    }

    async fn in_batches(
        &self,
        operation: &str,
        messages: &[&Message],
        complete: impl Fn(&mut Value),
    ) -> Result<(), ClientError> {
        for messages in messages.chunks(MESSAGES_MAX) {
            let entries = messages.iter().enumerate().map(|(number, message)| {
                let mut entry = json!({ "Id": number.to_string(), "ReceiptHandle": message.receipt_handle });
                complete(&mut entry);
                entry
            });
            let asked = json!({ "QueueUrl": self.url, "Entries": entries.collect::<Vec<_>>() });
            let answer = self.aws.ask(&SQS, operation, &asked).await?;
            // A message that is hidden no more may be in somebody else's hands: it comes again.
            for failed in answer["Failed"].as_array().into_iter().flatten() {
                let queue = &self.source.arn;
                tracing::warn!(queue, operation, failure = %failed, "SQS did not do as asked with a message");
            }
        }
        Ok(())
    }
}

fn unlike_sqs(operation: &str) -> ClientError {
    ClientError::Refused {
        code: String::new(),
        reason: format!("it does not answer {operation} as SQS does"),
    }
}
