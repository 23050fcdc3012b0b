//! Logs at rest: log groups on disk, in the order in which their events came, with retention.
//!
//! A group is a folder of segments; a segment is a file of JSON lines, only ever appended to. One thread writes; it
//! takes what has gathered since its last write in one go. Nobody who puts an event waits for the disk.

mod event;
mod queue;
mod retention;
mod segment;
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
use queue::{Put, Shared};
use segment::{folder_name, parse_cursor, read_segment, segment_path, segments};
use writer::Writer;

pub use event::{LogEvent, PutEvent};

/// From this much unwritten log on, functions have to wait with more output.
const WAITING_BYTES_SOFT_MAX: usize = 16 << 20;
/// From this much unwritten log on, events are dropped and counted.
const WAITING_BYTES_HARD_MAX: usize = 64 << 20;

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
}

/// All log groups of a server.
pub struct LogStore {
    folder: PathBuf,
    writer: Mutex<Option<JoinHandle<()>>>,
    shared: Arc<Shared>,
}

impl LogStore {
    /// Opens the groups below `folder`, and starts the writer.
    pub fn open(folder: &Path, settings: LogStoreSettings, clock: Clock) -> Result<Arc<Self>, LogStoreError> {
        fs::create_dir_all(folder).map_err(|source| LogStoreError::Io { path: folder.to_owned(), source })?;
        let shared = Arc::new(Shared::default());
        let mut writer = Writer {
            folder: folder.to_owned(),
            settings,
            clock,
            shared: shared.clone(),
            open: HashMap::new(),
            appends: 0,
            buffer: Vec::new(),
        };
        writer.remove_expired();
        let thread = std::thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|source| LogStoreError::Io { path: folder.to_owned(), source })?;
        Ok(Arc::new(Self { folder: folder.to_owned(), writer: Mutex::new(Some(thread)), shared }))
    }

    /// Keeps `events`, in this order. Never waits. When the disk is so slow that the queue is full, they are dropped
    /// and counted.
    pub fn put(&self, group: &LogGroupName, stream: &LogStreamName, events: Vec<PutEvent>) {
        if events.is_empty() {
            return;
        }
        let bytes: usize = events.iter().map(|event| event.message.len() + 64).sum();
        if self.shared.waiting_bytes.load(Ordering::Relaxed) + bytes > WAITING_BYTES_HARD_MAX {
            let dropped = self.shared.dropped_events.fetch_add(events.len() as u64, Ordering::Relaxed);
            if dropped == 0 {
                tracing::warn!(log_group = %group, "the disk is too slow for the logs; events are dropped");
            }
            return;
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

    /// Reads up to `limit` events after `cursor`, or from the oldest on. Blocks on the disk.
    pub fn read(
        &self,
        group: &LogGroupName,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<LogPage, LogStoreError> {
        let folder = self.folder.join(folder_name(group));
        let (mut segment, mut offset) = match cursor {
            Some(cursor) => parse_cursor(cursor)?,
            None => (0, 0),
        };
        let mut events = Vec::new();
        let numbers: Vec<u64> = segments(&folder).into_iter().filter(|&number| number >= segment).collect();
        for number in numbers {
            if number != segment {
                (segment, offset) = (number, 0);
            }
            let path = segment_path(&folder, number);
            // Segments only grow, so this one is another than the one that the cursor was for.
            if fs::metadata(&path).is_ok_and(|metadata| metadata.len() < offset) {
                return Err(LogStoreError::Cursor(cursor.unwrap_or_default().to_owned()));
            }
            offset = read_segment(&path, offset, limit, &mut events)
                .map_err(|source| LogStoreError::Io { path, source })?;
            if events.len() == limit {
                break;
            }
        }
        Ok(LogPage { events, cursor: format!("{segment}-{offset}") })
    }

    /// Waits until everything put so far is in its file. Blocks.
    pub fn flush(&self) {
        let (done, wait) = mpsc::sync_channel(1);
        {
            let mut queue = self.shared.lock();
            if queue.closed {
                return;
            }
            queue.flushes.push(done);
        }
        self.shared.rung.notify_one();
        let _ = wait.recv();
    }

    /// Writes what was put, and ends the writer. What is put afterwards is lost.
    pub fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.rung.notify_one();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer
            && writer.join().is_err()
        {
            tracing::error!("the log writer panicked");
        }
    }
}

#[cfg(test)]
mod tests;
