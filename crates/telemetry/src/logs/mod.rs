//! Logs at rest: log groups on disk, in the order in which their events came, with retention.
//!
//! A group is a folder of segments; a segment is a file of JSON lines, only ever appended to. One thread writes; it
//! takes what has gathered since its last write in one go. Nobody who puts an event waits for the disk.

mod catalogue;
mod event;
mod group;
mod index;
mod position;
mod queue;
mod read;
mod retention;
mod segment;
mod streams;
mod writer;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use hearth_types::{LogGroupName, LogStreamName};
use tokio::sync::watch;

use crate::Clock;
use catalogue::Catalogue;
use index::Indexes;
use queue::{Put, Shared};
use segment::{segment_path, segments};
use writer::Writer;

pub use event::{LogEvent, PutEvent};
pub use group::{LogGroup, LogStream};
pub use position::Position;
pub use read::{EVENT_OVERHEAD_BYTES, EventPage, EventQuery, PageBounds, StreamSelection};

/// From this much unwritten log on, functions have to wait with more output.
const WAITING_BYTES_SOFT_MAX: usize = 16 << 20;
/// From this much unwritten log on, events are dropped and counted.
const WAITING_BYTES_HARD_MAX: usize = 64 << 20;
/// How many bytes of events one [`LogStore::read`] returns at most, if it is more than one event.
const READ_BYTES_MAX: usize = 4 << 20;
/// How many full segments wait for their index. One that finds no place gets it from its first reader.
const CLOSED_SEGMENTS_MAX: usize = 64;

/// Some events of a group, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage {
    /// Oldest first.
    pub events: Vec<LogEvent>,
    /// Give it to the next [`LogStore::read`].
    pub cursor: String,
}

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub struct LogStoreSettings {
    /// Segments whose last event is older than this are removed.
    pub retention: Duration,
    /// When a group is larger, its oldest segments are removed.
    pub group_bytes_max: u64,
}

/// Why logs cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum LogStoreError {
    /// The disk refuses.
    #[error("failed to use the log folder `{}`", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The cursor is none of ours.
    #[error("`{0}` is not a cursor")]
    Cursor(String),
    /// There is no such group.
    #[error("the log group does not exist")]
    GroupNotFound,
    /// There is such a group already.
    #[error("the log group exists already")]
    GroupExists,
    /// The group has no such stream.
    #[error("the log stream does not exist")]
    StreamNotFound,
    /// The group has such a stream already.
    #[error("the log stream exists already")]
    StreamExists,
    /// The group is protected against deletion.
    #[error("the log group is protected against deletion")]
    Protected,
    /// There are as many groups, or streams of the group, as there may be.
    #[error("there are too many log groups or log streams")]
    TooMany,
    /// The store is closed.
    #[error("the logs are closed")]
    Closed,
}

/// All log groups of a server.
pub struct LogStore {
    clock: Clock,
    catalogue: Arc<Catalogue>,
    indexes: Arc<Indexes>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    shared: Arc<Shared>,
}

impl LogStore {
    /// Opens the groups below `folder`, and starts the writer.
    pub fn open(folder: &Path, settings: LogStoreSettings, clock: Clock) -> Result<Arc<Self>, LogStoreError> {
        let io = |source| LogStoreError::Io { path: folder.to_owned(), source };
        let catalogue = Arc::new(Catalogue::load(folder).map_err(io)?);
        let (shared, indexes) = (Arc::new(Shared::default()), Arc::new(Indexes::default()));
        let (closed, closed_segments) = mpsc::sync_channel(CLOSED_SEGMENTS_MAX);
        let mut writer = Writer {
            settings,
            clock,
            shared: shared.clone(),
            catalogue: catalogue.clone(),
            closed,
            open: HashMap::new(),
            appends: 0,
            buffer: Vec::new(),
        };
        writer.remove_expired();
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(io)
        };
        // It ends after the writer, which holds the other end.
        let made = indexes.clone();
        let indexer = spawn("log-indexer", Box::new(move || made.make(&closed_segments)))?;
        let writer = spawn("log-writer", Box::new(move || writer.run()))?;
        let threads = Mutex::new(vec![writer, indexer]);
        Ok(Arc::new(Self { clock, catalogue, indexes, threads, shared }))
    }

    /// Keeps `events`, in this order. Never waits. When the disk is so slow that the queue is full, they are dropped
    /// and counted; `false` says so.
    pub fn put(&self, group: &LogGroupName, stream: &LogStreamName, events: Vec<PutEvent>) -> bool {
        if events.is_empty() {
            return true;
        }
        let bytes: usize = events.iter().map(PutEvent::bytes_in_queue).sum();
        if self.shared.waiting_bytes.load(Ordering::Relaxed) + bytes > WAITING_BYTES_HARD_MAX {
            let dropped = self.shared.dropped_events.fetch_add(events.len() as u64, Ordering::Relaxed);
            if dropped == 0 {
                tracing::warn!(log_group = %group, "the disk is too slow for the logs; events are dropped");
            }
            return false;
        }
        self.shared.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        let put = Put { group: group.clone(), stream: stream.clone(), events };
        let mut queue = self.shared.lock();
        queue.puts.push(put);
        let was_empty = queue.puts.len() == 1;
        drop(queue);
        if was_empty {
            self.shared.rung.notify_one();
        }
        true
    }

    /// Waits until there is room for more output of functions. Platform lines do not wait.
    pub async fn room(&self) {
        loop {
            let has_room = self.shared.has_room.notified();
            if self.shared.waiting_bytes.load(Ordering::Relaxed) < WAITING_BYTES_SOFT_MAX {
                return;
            }
            has_room.await;
        }
    }

    /// Returns how many events were dropped since the start.
    pub fn dropped_events(&self) -> u64 {
        self.shared.dropped_events.load(Ordering::Relaxed)
    }

    /// Returns something that changes whenever events were written to any group.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.written.subscribe()
    }

    /// Reads up to `limit` events after `cursor`, or from the oldest on, in the order in which they came; fewer when they are
    /// long, and none only at the end. Blocks on the disk.
    pub fn read(
        &self,
        group: &LogGroupName,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<LogPage, LogStoreError> {
        let from = match cursor {
            Some(cursor) => {
                Position::parse(cursor).ok_or_else(|| LogStoreError::Cursor(cursor.to_owned()))?
            }
            None => Position::START,
        };
        let query =
            EventQuery { streams: StreamSelection::All, start_ms: None, end_ms: None, matches: &|_| true };
        let bounds = PageBounds { events_max: limit, bytes_max: READ_BYTES_MAX, scanned_bytes_max: u64::MAX };
        let mut page = self.read_forwards(group, &query, from, bounds)?;
        page.events.sort_by_key(|event| event.position);
        Ok(LogPage { events: page.events, cursor: page.end.to_string() })
    }

    /// Describes a group.
    pub fn group(&self, name: &LogGroupName) -> Result<LogGroup, LogStoreError> {
        self.catalogue.group(name).ok_or(LogStoreError::GroupNotFound)
    }

    /// Describes up to `limit` groups that are `wanted` and come after the name `after`, by name.
    pub fn groups(
        &self,
        after: Option<&str>,
        limit: usize,
        wanted: impl Fn(&LogGroup) -> bool,
    ) -> Vec<LogGroup> {
        self.catalogue.list(after, limit, wanted)
    }

    /// Returns how many bytes the events of a group take on the disk. Blocks on it.
    pub fn stored_bytes(&self, name: &LogGroupName) -> u64 {
        let Some(folder) = self.catalogue.folder(name) else { return 0 };
        let bytes = |number| fs::metadata(segment_path(&folder, number)).map_or(0, |metadata| metadata.len());
        segments(&folder).into_iter().map(bytes).sum()
    }

    /// Makes a group. Functions need not: the first event of a group makes it. Blocks on the disk.
    pub fn create_group(&self, group: LogGroup) -> Result<(), LogStoreError> {
        self.on_writer(|writer| writer.catalogue.create(group))?
    }

    /// Changes a group: how long it is kept, its tags. Segments that it keeps no longer are removed. Blocks on the disk.
    pub fn change_group(
        &self,
        name: &LogGroupName,
        change: impl FnOnce(&mut LogGroup) + Send + 'static,
    ) -> Result<(), LogStoreError> {
        let name = name.clone();
        self.on_writer(move |writer| {
            writer.catalogue.change(&name, change)?;
            writer.remove_expired_of(&name);
            Ok(())
        })?
    }

    /// Deletes a group with all its events. Its next event makes it again. Blocks on the disk.
    pub fn delete_group(&self, name: &LogGroupName) -> Result<(), LogStoreError> {
        let name = name.clone();
        self.on_writer(move |writer| writer.delete_group(&name))?
    }

    /// Makes a stream without events. Blocks on the disk.
    pub fn create_stream(&self, group: &LogGroupName, stream: &LogStreamName) -> Result<(), LogStoreError> {
        if self.has_stream(group, stream.as_str())? {
            return Err(LogStoreError::StreamExists);
        }
        let (group, stream, now_ms) = (group.clone(), stream.clone(), self.clock.epoch_ms());
        self.on_writer(move |writer| writer.catalogue.create_stream(&group, &stream, now_ms))?
    }

    /// Deletes a stream with all its events. Its next event makes it again. Blocks on the disk.
    pub fn delete_stream(&self, group: &LogGroupName, stream: &LogStreamName) -> Result<(), LogStoreError> {
        if !self.has_stream(group, stream.as_str())? {
            return Err(LogStoreError::StreamNotFound);
        }
        let (group, stream) = (group.clone(), stream.clone());
        self.on_writer(move |writer| writer.delete_stream(&group, &stream))?
    }

    /// Waits until everything put so far is in its file. Blocks.
    pub fn flush(&self) {
        // A closed store has written everything.
        let _ = self.on_writer(|_| ());
    }

    /// Has the writer do something after all that was put before, and waits for it.
    fn on_writer<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Writer) -> T + Send + 'static,
    ) -> Result<T, LogStoreError> {
        let (done, wait) = mpsc::sync_channel(1);
        {
            let mut queue = self.shared.lock();
            if queue.closed {
                return Err(LogStoreError::Closed);
            }
            queue.jobs.push(Box::new(move |writer| {
                let _ = done.send(job(writer));
            }));
        }
        self.shared.rung.notify_one();
        wait.recv().map_err(|_| LogStoreError::Closed)
    }

    /// Writes what was put, and ends the writer. What is put afterwards is lost.
    pub fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.rung.notify_one();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            let name = thread.thread().name().unwrap_or_default().to_owned();
            if thread.join().is_err() {
                tracing::error!(thread = name, "a thread of the logs panicked");
            }
        }
    }
}

#[cfg(test)]
mod tests;
