//! Asynchronous events: a queue on disk. What is in it was acknowledged to somebody, or is about to be.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::{DeliveryStore, EventEnd, Outcome, StoreError};

/// An event, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// The id of the request that brought it, and of every attempt.
    pub request_id: String,
    /// The name of the function.
    pub function: String,
    /// The version or alias that was asked for.
    pub qualifier: Option<String>,
    /// When it was accepted, in milliseconds since 1970.
    pub accepted_ms: i64,
    /// The client context: JSON.
    pub client_context: Option<Bytes>,
    /// The trace that all attempts are part of.
    pub trace: Option<String>,
    /// The event itself: JSON.
    pub payload: Bytes,
    /// How far it has come.
    pub progress: EventProgress,
}

/// How far an event has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventProgress {
    /// When it is to run, in milliseconds since 1970.
    pub due_ms: i64,
    /// How often the function has failed on it.
    pub attempts: u32,
    /// How often in a row it could not be run at all.
    pub backoffs: u32,
}

/// An event of the queue, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedEvent {
    /// Its place in the order of acceptance. Never given twice.
    pub id: i64,
    /// When it is to run, in milliseconds since 1970.
    pub due_ms: i64,
    /// The size of the event itself.
    pub payload_bytes: usize,
    /// The name of the function.
    pub function: String,
    /// The version or alias that was asked for.
    pub qualifier: Option<String>,
}

/// How many events there are, and were.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventCounts {
    /// How many are in the queue.
    pub queued: u64,
    /// How many messages wait to be delivered to a destination or dead-letter queue.
    pub deliveries: u64,
    /// How many were dropped since the folder exists, by reason.
    pub dropped: Vec<(String, u64)>,
}

/// Under which reason the events of a function are counted that are dropped with it.
pub const DROPPED_WITH_FUNCTION: &str = "FunctionDeleted";

/// Under which reason messages to destinations are counted that could not be delivered.
pub const UNDELIVERED: &str = "DestinationDeliveryFailed";

/// The same for dead-letter queues.
pub const UNDELIVERED_DEAD_LETTER: &str = "DeadLetterDeliveryFailed";

/// Which events wait?
///
/// Events go with their function: whatever removes the record of a function removes its events in the same transaction,
/// and counts them, so that none of them runs on a later function of the same name.
pub trait EventStore: EventInvokeConfigStore + DeliveryStore {
    /// Keeps an event; a conflict when its function is not there.
    fn accept(&self, event: EventRecord) -> BoxFuture<'_, Result<Outcome, StoreError>>;

    /// Returns the first `limit` events, by the time they are due and then in the order of acceptance.
    fn first(&self, limit: usize) -> BoxFuture<'_, Result<Vec<QueuedEvent>, StoreError>>;

    /// Returns an event; `None` when it is gone. One that is damaged is [`StoreError::Damaged`].
    fn load(&self, id: i64) -> BoxFuture<'_, Result<Option<EventRecord>, StoreError>>;

    /// Notes how far an event has come; a conflict when it is gone.
    fn postpone(&self, id: i64, progress: EventProgress) -> BoxFuture<'_, Result<Outcome, StoreError>>;

    /// Removes an event, and counts it as dropped when there is a reason; a conflict when it is gone.
    fn finish(&self, id: i64, dropped: Option<&'static str>) -> BoxFuture<'_, Result<Outcome, StoreError>>;

    /// Removes an event, and keeps what takes its place, in one step; a conflict when the event is gone.
    fn end(&self, id: i64, end: EventEnd) -> BoxFuture<'_, Result<Outcome, StoreError>>;

    /// Returns how many events there are, and were.
    fn counts(&self) -> BoxFuture<'_, Result<EventCounts, StoreError>>;
}

/// How asynchronous invocation of a version or alias is configured, as it is kept. What is `None` was not set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventInvokeConfigRecord {
    /// The name of the function.
    pub function: String,
    /// `$LATEST`, a version or an alias.
    pub qualifier: String,
    /// Further attempts when the function fails.
    pub retries_max: Option<u32>,
    /// How old an event may become, in seconds.
    pub age_max_seconds: Option<u32>,
    /// The ARN of where to report success.
    pub on_success: Option<String>,
    /// The ARN of where to report failure.
    pub on_failure: Option<String>,
    /// In milliseconds since 1970.
    pub last_modified_ms: i64,
}

/// How is asynchronous invocation configured? Configurations go with their function, as its events do.
pub trait EventInvokeConfigStore: Send + Sync + 'static {
    /// Keeps a configuration in place of the one that is there; a conflict when the function is not there.
    fn put_config(&self, config: EventInvokeConfigRecord) -> BoxFuture<'_, Result<Outcome, StoreError>>;

    /// Returns the configurations of a function, by qualifier.
    fn configs(&self, function: String) -> BoxFuture<'_, Result<Vec<EventInvokeConfigRecord>, StoreError>>;

    /// Removes a configuration; a conflict when it is not there.
    fn remove_config(
        &self,
        function: String,
        qualifier: String,
    ) -> BoxFuture<'_, Result<Outcome, StoreError>>;
}
