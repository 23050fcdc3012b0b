//! Event source mappings as they are kept, and how far their pollers have come.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::{Outcome, StoreError};

/// An event source mapping. The texts are those of AWS's API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSourceMappingRecord {
    /// Its UUID, the key.
    pub uuid: String,
    /// Fresh after each change; [`EventSourceMappingStore::replace`] compares it.
    pub revision_id: String,
    /// The name of the function.
    pub function: String,
    /// The version or alias that is called, when one is named.
    pub qualifier: Option<String>,
    /// The ARN of the queue or stream.
    pub event_source_arn: String,
    /// Whether the source is polled.
    pub enabled: bool,
    /// Whether it is about to be removed: it was answered that it is.
    pub deleting: bool,
    /// When it was last changed, in milliseconds since 1970.
    pub last_modified_ms: i64,
    /// How many records a batch has at most.
    pub batch_size: u32,
    /// How long records are gathered, in seconds.
    pub window_seconds: u32,
    /// Patterns, one of which a record has to match.
    pub filters: Vec<String>,
    /// `ReportBatchItemFailures`, or nothing.
    pub response_types: Vec<String>,
    /// How many calls of a queue's batches run at once; `None`: as many as there is room for.
    pub concurrency_max: Option<u32>,
    /// How many batches of a shard run at once.
    pub parallelization_factor: u32,
    /// `LATEST`, `TRIM_HORIZON` or `AT_TIMESTAMP`; `None` for queues.
    pub starting_position: Option<String>,
    /// Where `AT_TIMESTAMP` is, in milliseconds since 1970.
    pub starting_timestamp_ms: Option<i64>,
    /// The ARN of who hears of records that are given up.
    pub on_failure: Option<String>,
    /// How old a record may be, in seconds; -1: any age.
    pub record_age_seconds_max: i64,
    /// How often a batch is tried again; -1: until its records are too old.
    pub retries_max: i64,
    /// Whether a batch that fails is split.
    pub bisect: bool,
    /// How long a tumbling window is, in seconds; 0: there is none.
    pub tumbling_window_seconds: u32,
    /// The tags.
    pub tags: BTreeMap<String, String>,
}

/// How far a shard of a stream has been read for a mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardPositionRecord {
    /// The UUID of the mapping.
    pub mapping: String,
    /// The shard.
    pub shard: String,
    /// From where to read on.
    pub position: ShardPosition,
    /// The tumbling window that is open.
    pub window: Option<TumblingWindowRecord>,
}

/// From where to read a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ShardPosition {
    /// From its first record that is there.
    TrimHorizon,
    /// From the first record that came at this time or later, in milliseconds since 1970.
    Since(i64),
    /// Behind the record of this sequence number.
    After(String),
    /// Not at all: it is closed, and everything in it has been worked off.
    Finished,
}

/// What a function has gathered in a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TumblingWindowRecord {
    /// When it began, in milliseconds since 1970.
    pub start_ms: i64,
    /// Its state, as JSON.
    pub state: String,
}

impl ShardPositionRecord {
    /// Returns the text under which the record is kept.
    pub fn key(&self) -> String {
        format!("{}/{}", self.mapping, self.shard)
    }
}

/// Which event source mappings are there, and how far have their streams been read?
pub trait EventSourceMappingStore: Send + Sync + 'static {
    /// Returns every mapping, in no order that means anything.
    fn mappings(&self) -> BoxFuture<'_, Result<Vec<EventSourceMappingRecord>, StoreError>>;

    /// Keeps a new mapping; a conflict when its UUID is taken.
    fn insert_mapping(&self, record: EventSourceMappingRecord) -> BoxFuture<'_, Result<Outcome, StoreError>>;

    /// Replaces a mapping whose revision is `expected`; a conflict when it has another, or is gone.
    fn replace_mapping(
        &self,
        expected: String,
        record: EventSourceMappingRecord,
    ) -> BoxFuture<'_, Result<Outcome, StoreError>>;

    /// Removes a mapping and its positions. Not an error when it is not there.
    fn remove_mapping(&self, uuid: String) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Returns the positions of a mapping, by shard.
    fn positions(&self, mapping: String) -> BoxFuture<'_, Result<Vec<ShardPositionRecord>, StoreError>>;

    /// Keeps positions, all or none, in the place of those of the same shards.
    fn put_positions(&self, records: Vec<ShardPositionRecord>) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Removes the position of a shard that the stream has no more. Not an error when it is not there.
    fn remove_position(&self, key: String) -> BoxFuture<'_, Result<(), StoreError>>;
}
