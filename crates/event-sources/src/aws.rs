//! The JSON protocols that SQS, Kinesis and DynamoDB Streams speak.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hearth_aws_client::{AnswerLimits, Asked, ClientError, Endpoint};
use hearth_invoke::EventClock;
use http::Method;
use serde_json::Value;

/// How much longer than asked for an answer may take. Ours.
const MARGIN: Duration = Duration::from_secs(15);
/// How much of an answer is read. GetRecords gives at most 10 MiB, which are a third more in base64.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// A service and the way it is asked.
pub(crate) struct Service {
    /// As signatures name it.
    name: &'static str,
    content_type: &'static str,
    /// What stands before the operation in `X-Amz-Target`.
    target: &'static str,
}

pub(crate) const SQS: Service =
    Service { name: "sqs", content_type: "application/x-amz-json-1.0", target: "AmazonSQS" };
pub(crate) const KINESIS: Service =
    Service { name: "kinesis", content_type: "application/x-amz-json-1.1", target: "Kinesis_20131202" };
pub(crate) const DYNAMODB_STREAMS: Service = Service {
    name: "dynamodb",
    content_type: "application/x-amz-json-1.0",
    target: "DynamoDBStreams_20120810",
};

/// Services behind an endpoint.
#[derive(Clone)]
pub(crate) struct Aws {
    pub(crate) endpoint: Endpoint,
    pub(crate) clock: Arc<dyn EventClock>,
}

impl Aws {
    /// Asks for an operation.
    pub(crate) async fn ask(
        &self,
        service: &Service,
        operation: &str,
        input: &Value,
    ) -> Result<Value, ClientError> {
        self.ask_waiting(service, operation, input, Duration::ZERO).await
    }

    /// Asks for an operation that may wait for so long before it answers.
    pub(crate) async fn ask_waiting(
        &self,
        service: &Service,
        operation: &str,
        input: &Value,
        wait: Duration,
    ) -> Result<Value, ClientError> {
        let target = format!("{}.{operation}", service.target);
        let asked = Asked {
            service: service.name,
            method: Method::POST,
            path: "/",
            content_type: service.content_type,
            headers: &[("x-amz-target", &target)],
            body: Bytes::from(input.to_string()),
        };
        let limits = AnswerLimits { within: wait + MARGIN, bytes_max: ANSWER_BYTES_MAX };
        let answer = self.endpoint.ask_within(asked, self.clock.epoch_ms(), limits).await?;
        if answer.is_empty() {
            return Ok(Value::Null);
        }
        // Whoever answers so may be a proxy, and AWS be there again later.
        serde_json::from_slice(&answer).map_err(|error| ClientError::Unreachable {
            code: String::new(),
            reason: format!("it does not answer {operation} as AWS does: {error}"),
        })
    }
}
