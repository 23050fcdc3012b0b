//! What is kept: traits by question, and the embedded engine behind them.
//!
//! [`FunctionStore`] keeps the records of functions, [`LayerStore`] those of layers,
//! [`EventStore`] the queue of asynchronous events, [`DurableStore`] durable executions, [`BlobStore`] keeps packages as they came. A change is durable when
//! its method returns, and wholly there or wholly absent after any crash.

mod blobs;
mod bucket_records;
pub mod conformance;
mod deliveries;
mod durable_executions;
pub mod embedded;
mod event_source_mapping_records;
mod events;
mod function_url_records;
pub mod memory;
mod policy_records;
mod records;
mod role_records;
mod schedule_records;
mod session_records;

use std::ops::Range;
use std::path::PathBuf;

use bytes::Bytes;
use futures_util::future::BoxFuture;

pub use blobs::LocalBlobStore;
pub use bucket_records::{
    BucketChange, BucketRecord, BucketRecords, BucketStore, ChecksumRecord, ObjectDescription, ObjectRecord,
    PartRecord, PieceRecord, UploadRecord,
};
pub use deliveries::{DeadLetterRecord, DeliveryRecord, DeliveryStore, EventEnd, QueuedDelivery};
pub use durable_executions::{
    Details, DueExecution, DurableChange, DurableStore, ErrorObject, EventDetails, EventType,
    ExecutionFilter, ExecutionRecord, ExecutionStatus, HistoryRecord, LastCheckpoint, LoadedExecution,
    OperationRecord, OperationStatus, PauseRecord,
};
pub use event_source_mapping_records::{
    EventSourceMappingRecord, EventSourceMappingStore, ShardPosition, ShardPositionRecord,
    TumblingWindowRecord,
};
pub use events::{
    DROPPED_WITH_FUNCTION, EventCounts, EventInvokeConfigRecord, EventInvokeConfigStore, EventProgress,
    EventRecord, EventStore, QueuedEvent, UNDELIVERED, UNDELIVERED_DEAD_LETTER,
};
pub use function_url_records::{CorsRecord, FunctionUrlRecord};
pub use policy_records::{PolicyRecord, StatementRecord};
pub use records::{
    AliasRecord, CodeSigningConfigRecord, DurableConfigRecord, FileSystemRecord, FunctionLayerRecord,
    FunctionRecord, LayerStatementRecord, LayerVersionRecord, ProvisionedConcurrencyRecord, VpcRecord,
};
pub use role_records::{RoleRecord, RoleStore};
pub use schedule_records::{ScheduleGroupRecord, ScheduleRecord, ScheduleStore};
pub use session_records::{SessionRecord, SessionStore};

/// The wall clock, handed in.
pub trait Clock: Send + Sync + 'static {
    /// Returns milliseconds since 1970.
    fn epoch_ms(&self) -> i64;
}

/// Why something could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk refuses.
    #[error("failed to use `{}`", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database refuses.
    #[error("failed to use the database `{}`", path.display())]
    Database {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The database is damaged.
    #[error("the database `{}` is damaged: {finding}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What was found.
        finding: String,
    },
    /// The database was written by a newer release.
    #[error("the database `{}` has schema version {found}, and this release knows {known}", path.display())]
    TooNew {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// Another server uses the folder.
    #[error("another server uses the data folder `{}`", path.display())]
    InUse {
        /// Which folder.
        path: PathBuf,
    },
    /// A record cannot be read.
    #[error("the record `{name}` cannot be read")]
    Record {
        /// Which one.
        name: String,
        /// Why.
        source: serde_json::Error,
    },
    /// A blob cannot be kept or read.
    #[error("failed to use the object `{key}`")]
    Object {
        /// Which one.
        key: String,
        /// Why.
        source: object_store::Error,
    },
    /// The store has ended, or its disk failed to keep something. After that nothing is acknowledged any more: what a
    /// later attempt reports as kept could be lost all the same.
    #[error("the store has stopped")]
    Stopped,
}

impl StoreError {
    /// What the operator can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::InUse { .. } => Some("stop the other server, or name another folder with `--data-dir`"),
            Self::Damaged { .. } => Some(
                "restore the file from a backup, or move it away to begin empty; nothing was changed in it",
            ),
            Self::TooNew { .. } => Some("use the release that wrote it, or a newer one"),
            Self::Io { .. } | Self::Database { .. } => {
                Some("check that the folder exists, is writable and has room")
            }
            Self::Record { .. } | Self::Object { .. } | Self::Stopped => None,
        }
    }

    /// Whether a change may have been kept although this error came back.
    pub fn leaves_doubt(&self) -> bool {
        match self {
            Self::Io { .. } | Self::Object { .. } | Self::Stopped => true,
            // What does not fit on the disk was rolled back.
            Self::Database { source, .. } => {
                source.sqlite_error_code() != Some(rusqlite::ErrorCode::DiskFull)
            }
            Self::Damaged { .. } | Self::TooNew { .. } | Self::InUse { .. } | Self::Record { .. } => false,
        }
    }
}

/// Whether a change went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is durable.
    Done,
    /// It was not made: the record is there already, is not there, or has another revision by now.
    Conflict,
}

/// Which functions and versions of functions are there?
pub trait FunctionStore: Send + Sync + 'static {
    /// Returns every record, in no order that means anything.
    fn load_all(&self) -> BoxFuture<'_, Result<Vec<FunctionRecord>, StoreError>>;

    /// Keeps a new record; a conflict when its key is taken.
    fn insert(&self, record: FunctionRecord) -> BoxFuture<'_, Result<Outcome, StoreError>>;

    /// Replaces a record whose revision is `expected`; a conflict when it has another, or is gone.
    fn replace(&self, expected: String, record: FunctionRecord)
    -> BoxFuture<'_, Result<Outcome, StoreError>>;

    /// Removes the record of a [`FunctionRecord::key`], that of a function with all of its versions; a conflict when it is
    /// not there.
    fn remove(&self, key: String) -> BoxFuture<'_, Result<Outcome, StoreError>>;
}

/// Which layer versions are there?
pub trait LayerStore: Send + Sync + 'static {
    /// Returns every record, in no order that means anything.
    fn load_all(&self) -> BoxFuture<'_, Result<Vec<LayerVersionRecord>, StoreError>>;

    /// Keeps a new record; a conflict when its name and number are taken.
    fn insert(&self, record: LayerVersionRecord) -> BoxFuture<'_, Result<Outcome, StoreError>>;

    /// Replaces a record whose revision is `expected`; a conflict when it has another, or is gone.
    fn replace(
        &self,
        expected: String,
        record: LayerVersionRecord,
    ) -> BoxFuture<'_, Result<Outcome, StoreError>>;

    /// Removes the record of a [`LayerVersionRecord::key`]; a conflict when it is not there.
    fn remove(&self, key: String) -> BoxFuture<'_, Result<Outcome, StoreError>>;
}

/// Which code signing configurations are there?
pub trait CodeSigningStore: Send + Sync + 'static {
    /// Returns every record, in no order that means anything.
    fn load_all(&self) -> BoxFuture<'_, Result<Vec<CodeSigningConfigRecord>, StoreError>>;

    /// Keeps a new record; a conflict when its id is taken.
    fn insert(&self, record: CodeSigningConfigRecord) -> BoxFuture<'_, Result<Outcome, StoreError>>;

    /// Replaces a record whose revision is `expected`; a conflict when it has another, or is gone.
    fn replace(
        &self,
        expected: String,
        record: CodeSigningConfigRecord,
    ) -> BoxFuture<'_, Result<Outcome, StoreError>>;

    /// Removes the record of an id; a conflict when it is not there.
    fn remove(&self, id: String) -> BoxFuture<'_, Result<Outcome, StoreError>>;
}

/// Which bytes are behind a key?
pub trait BlobStore: Send + Sync + 'static {
    /// Keeps `bytes` unless the key is there already: keys are digests of their content.
    fn put(&self, key: String, bytes: Bytes) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Keeps the content of a file unless the key is there already, without holding all of it in memory.
    fn put_file(&self, key: String, file: PathBuf) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Returns what is behind a key.
    fn get(&self, key: String) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>>;

    /// Writes what is behind a key to a new file, without holding all of it in memory; says whether it was there.
    fn get_file(&self, key: String, file: PathBuf) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// Begins to write a blob that comes piece by piece. Nobody sees it before it is finished.
    fn write(&self, key: String) -> BoxFuture<'_, Result<Box<dyn BlobWriter>, StoreError>>;

    /// Returns a range of what is behind a key.
    fn read(&self, key: String, range: Range<u64>) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>>;

    /// Removes a key. Not an error when it is not there.
    fn delete(&self, key: String) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Returns every key.
    fn list(&self) -> BoxFuture<'_, Result<Vec<String>, StoreError>>;
}

/// A blob that is being written. Dropping it leaves nothing.
pub trait BlobWriter: Send {
    /// Adds bytes at the end.
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Makes the blob durable and visible.
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<(), StoreError>>;
}
