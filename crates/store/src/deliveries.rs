//! What is to be delivered to queues, topics, buses and buckets: the ends of events, from the moment at which the event is
//! gone until whoever was to hear of it has it.

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::{EventRecord, Outcome, StoreError};

/// A message to a destination or a dead-letter queue, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// The id of the request that brought the event.
    pub request_id: String,
    /// The ARN of the function, with the qualifier that was asked for.
    pub function_arn: String,
    /// The ARN of where to deliver it.
    pub destination: String,
    /// How the event ended, as AWS's records call it.
    pub condition: String,
    /// When the event ended, in milliseconds since 1970.
    pub ended_ms: i64,
    /// What goes along to a dead-letter queue; `None` for a destination.
    pub dead_letter: Option<DeadLetterRecord>,
    /// The message: JSON.
    pub message: Bytes,
    /// When it is to be delivered, in milliseconds since 1970.
    pub due_ms: i64,
    /// How often in a row it could not be delivered.
    pub backoffs: u32,
}

/// What a dead-letter queue is told besides the event itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterRecord {
    /// An HTTP status: 200 when the function failed.
    pub error_code: u16,
    /// What went wrong.
    pub error_message: String,
}

/// A message that waits, without its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueuedDelivery {
    /// Its place in the order of acceptance. Never given twice.
    pub id: i64,
    /// When it is to be delivered, in milliseconds since 1970.
    pub due_ms: i64,
}

/// What takes the place of an event that has ended, in one step with its removal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventEnd {
    /// Under which reasons it is counted.
    pub dropped: Vec<&'static str>,
    /// An event of another function. When that is not there, it is counted as [`crate::UNDELIVERED`].
    pub next: Option<Box<EventRecord>>,
    /// What is to be delivered.
    pub deliveries: Vec<DeliveryRecord>,
}

/// Which messages wait? Unlike events, they stay when their function is removed: the event has ended, and somebody is to
/// hear of it.
pub trait DeliveryStore: Send + Sync + 'static {
    /// Returns the first `limit` messages, by the time they are due and then in the order of acceptance.
    fn first_deliveries(&self, limit: usize) -> BoxFuture<'_, Result<Vec<QueuedDelivery>, StoreError>>;

    /// Returns a message; `None` when it is gone. One that is damaged is [`StoreError::Damaged`].
    fn load_delivery(&self, id: i64) -> BoxFuture<'_, Result<Option<DeliveryRecord>, StoreError>>;

    /// Notes when a message is to be delivered again; a conflict when it is gone.
    fn postpone_delivery(
        &self,
        id: i64,
        due_ms: i64,
        backoffs: u32,
    ) -> BoxFuture<'_, Result<Outcome, StoreError>>;

    /// Removes a message, and counts it when there is a reason; a conflict when it is gone.
    fn finish_delivery(
        &self,
        id: i64,
        dropped: Option<&'static str>,
    ) -> BoxFuture<'_, Result<Outcome, StoreError>>;
}
