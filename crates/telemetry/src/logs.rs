//! Logs at rest: log groups on disk, in the order in which their events came, with retention.
//!
//! A group is a folder of segments; a segment is a file of JSON lines, only ever appended to. One thread writes; it
//! takes what has gathered since its last write in one go. Nobody who puts an event waits for the disk.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, UNIX_EPOCH};

use hearth_types::{LogGroupName, LogStreamName};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};

use crate::Clock;

/// A segment is closed at this size.
const SEGMENT_BYTES_MAX: u64 = 16 << 20;
/// From this much unwritten log on, functions have to wait with more output.
const WAITING_BYTES_SOFT_MAX: usize = 16 << 20;
/// From this much unwritten log on, events are dropped and counted.
const WAITING_BYTES_HARD_MAX: usize = 64 << 20;
/// How many groups the writer keeps open. Opening one costs microseconds, and a server has few descriptors.
const OPEN_GROUPS_MAX: usize = 64;
/// Characters of a group's name that stay as they are in the name of its folder.
const FOLDER_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// One event to be put: one line, mostly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutEvent {
    /// When, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// What, with its line feed if it had one.
    pub message: Vec<u8>,
}

/// One event as it was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEvent {
    /// When, in milliseconds since 1970.
    #[serde(rename = "t")]
    pub timestamp_ms: i64,
    /// In which stream of the group.
    #[serde(rename = "s")]
    pub log_stream: String,
    /// What; bytes that are not UTF-8 are replaced.
    #[serde(rename = "m")]
    pub message: String,
}

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

/// How long the writer lets events gather. Waking it for each event would cost a short call more than the call itself.
const GATHER: Duration = Duration::from_millis(10);

struct Put {
    group: LogGroupName,
    stream: LogStreamName,
    events: Vec<PutEvent>,
}

/// What waits to be written.
#[derive(Default)]
struct Queue {
    puts: Vec<Put>,
    /// Who waits until everything before is written.
    flushes: Vec<mpsc::SyncSender<()>>,
    closed: bool,
}

/// All log groups of a server.
pub struct LogStore {
    folder: PathBuf,
    writer: Mutex<Option<JoinHandle<()>>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// Rung when the queue is no longer empty, or somebody does not want to wait.
    rung: Condvar,
    waiting_bytes: AtomicUsize,
    dropped_events: AtomicU64,
    has_room: Notify,
    written: watch::Sender<u64>,
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

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to write, lets it gather for a moment unless somebody waits, and takes it all. `None` when the
    /// store is closed and everything is written.
    fn take(&self) -> Option<Queue> {
        let is_quiet = |queue: &mut Queue| queue.puts.is_empty() && queue.flushes.is_empty() && !queue.closed;
        let queue = self.rung.wait_while(self.lock(), is_quiet).unwrap_or_else(PoisonError::into_inner);
        let may_gather = |queue: &mut Queue| queue.flushes.is_empty() && !queue.closed;
        let (mut queue, _) =
            self.rung.wait_timeout_while(queue, GATHER, may_gather).unwrap_or_else(PoisonError::into_inner);
        let taken = Queue { closed: queue.closed, ..std::mem::take(&mut *queue) };
        queue.closed = taken.closed;
        (!taken.puts.is_empty() || !taken.flushes.is_empty() || !taken.closed).then_some(taken)
    }
}

fn folder_name(group: &LogGroupName) -> String {
    utf8_percent_encode(group.as_str(), FOLDER_NAME).to_string()
}

fn segment_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:012}.jsonl"))
}

/// The numbers of a group's segments, ascending.
fn segments(folder: &Path) -> Vec<u64> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let number = |name: &str| name.strip_suffix(".jsonl")?.parse().ok();
    let mut numbers: Vec<u64> =
        entries.flatten().filter_map(|entry| number(entry.file_name().to_str()?)).collect();
    numbers.sort_unstable();
    numbers
}

fn parse_cursor(cursor: &str) -> Result<(u64, u64), LogStoreError> {
    let parts = cursor
        .split_once('-')
        .and_then(|(segment, offset)| Some((segment.parse().ok()?, offset.parse().ok()?)));
    parts.ok_or_else(|| LogStoreError::Cursor(cursor.to_owned()))
}

/// Reads events from `offset` on; returns the offset behind the last one.
fn read_segment(path: &Path, offset: u64, limit: usize, events: &mut Vec<LogEvent>) -> io::Result<u64> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(offset), // retention was faster
        Err(error) => return Err(error),
    };
    file.seek(SeekFrom::Start(offset))?;
    let mut reader = BufReader::new(file);
    let mut offset = offset;
    let mut line = Vec::new();
    while events.len() < limit {
        line.clear();
        let length = reader.read_until(b'\n', &mut line)?;
        // A line without its end is just being written.
        if length == 0 || line.last() != Some(&b'\n') {
            break;
        }
        offset += length as u64;
        match serde_json::from_slice(&line) {
            Ok(event) => events.push(event),
            Err(error) => {
                tracing::warn!(path = %path.display(), offset, %error, "a damaged log event is left out");
            }
        }
    }
    Ok(offset)
}

struct Writer {
    folder: PathBuf,
    settings: LogStoreSettings,
    clock: Clock,
    shared: Arc<Shared>,
    open: HashMap<LogGroupName, Segment>,
    appends: u64,
    buffer: Vec<u8>,
}

struct Segment {
    file: File,
    number: u64,
    length: u64,
    /// Which append of the writer was the last one here.
    last_append: u64,
}

impl Writer {
    fn run(&mut self) {
        let shared = self.shared.clone();
        let mut written = 0u64;
        while let Some(Queue { puts, flushes, .. }) = shared.take() {
            let mut bytes = 0;
            // What has gathered goes to its file in one write a group.
            let mut groups: Vec<(LogGroupName, Vec<u8>)> = Vec::new();
            for Put { group, stream, events } in puts {
                bytes += events.iter().map(|event| event.message.len() + 64).sum::<usize>();
                self.encode(&stream, &events);
                match groups.iter_mut().find(|(known, _)| *known == group) {
                    Some((_, lines)) => lines.append(&mut self.buffer),
                    None => groups.push((group, std::mem::take(&mut self.buffer))),
                }
            }
            for (group, lines) in groups {
                if let Err(error) = self.append(&group, &lines) {
                    tracing::error!(log_group = %group, %error, "cannot write logs; events are lost");
                    self.open.remove(&group);
                }
            }
            if bytes > 0 {
                written += 1;
                shared.written.send_replace(written);
            }
            shared.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            shared.has_room.notify_waiters();
            for done in flushes {
                let _ = done.send(());
            }
        }
    }

    fn encode(&mut self, stream: &LogStreamName, events: &[PutEvent]) {
        for event in events {
            let line = LogEvent {
                timestamp_ms: event.timestamp_ms,
                log_stream: stream.as_str().to_owned(),
                message: String::from_utf8_lossy(&event.message).into_owned(),
            };
            // Writing to memory does not fail, nor do two strings and a number.
            if serde_json::to_writer(&mut self.buffer, &line).is_ok() {
                self.buffer.push(b'\n');
            }
        }
    }

    fn append(&mut self, group: &LogGroupName, lines: &[u8]) -> io::Result<()> {
        if self.open.len() >= OPEN_GROUPS_MAX && !self.open.contains_key(group) {
            self.close_the_least_recently_used();
        }
        let folder = self.folder.join(folder_name(group));
        let is_full = self.open.get(group).is_some_and(|segment| segment.length >= SEGMENT_BYTES_MAX);
        if is_full {
            let next = self.open.remove(group).map_or(1, |segment| segment.number + 1);
            self.open.insert(group.clone(), open_segment(&folder, next)?);
            self.remove_expired_of(&folder);
        } else if !self.open.contains_key(group) {
            fs::create_dir_all(&folder)?;
            let number = segments(&folder).last().copied().unwrap_or(1);
            fail::fail_point!("logs::open_segment");
            self.open.insert(group.clone(), open_segment(&folder, number)?);
        }
        if let Some(segment) = self.open.get_mut(group) {
            fail::fail_point!("logs::append", |_| Err(io::ErrorKind::StorageFull.into()));
            self.appends += 1;
            segment.last_append = self.appends;
            segment.file.write_all(lines)?;
            fail::fail_point!("logs::appended");
            segment.length += lines.len() as u64;
        }
        Ok(())
    }

    fn close_the_least_recently_used(&mut self) {
        let oldest = self.open.iter().min_by_key(|(_, segment)| segment.last_append);
        if let Some(group) = oldest.map(|(group, _)| group.clone()) {
            self.open.remove(&group);
        }
    }

    fn remove_expired(&self) {
        let Ok(groups) = fs::read_dir(&self.folder) else { return };
        for group in groups.flatten() {
            self.remove_expired_of(&group.path());
        }
    }

    /// Removes the segments of a group that are too old, and the oldest while the group is too large.
    fn remove_expired_of(&self, folder: &Path) {
        let numbers = segments(folder);
        let mut kept_bytes = 0;
        for (newer, number) in numbers.iter().rev().enumerate() {
            let path = segment_path(folder, *number);
            let Ok(metadata) = fs::metadata(&path) else { continue };
            kept_bytes += metadata.len();
            let modified_ms = metadata
                .modified()
                .ok()
                .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
                .map_or(0, |since| since.as_millis() as i64);
            let age_ms = self.clock.epoch_ms() - modified_ms;
            // A retention of more than that is for ever.
            let retention_ms = i64::try_from(self.settings.retention.as_millis()).unwrap_or(i64::MAX);
            let too_old = age_ms > retention_ms;
            let too_much = kept_bytes > self.settings.group_bytes_max && newer > 0;
            if (too_old || too_much)
                && let Err(error) = fs::remove_file(&path)
            {
                tracing::warn!(path = %path.display(), %error, "cannot remove expired logs");
            }
        }
    }
}

/// Opens a segment to append to. An event that a crash has cut off in the middle is removed.
fn open_segment(folder: &Path, number: u64) -> io::Result<Segment> {
    let mut file =
        OpenOptions::new().create(true).read(true).append(true).open(segment_path(folder, number))?;
    let length = file.metadata()?.len();
    let whole = end_of_last_line(&mut file, length)?;
    if whole < length {
        file.set_len(whole)?;
    }
    Ok(Segment { file, number, length: whole, last_append: 0 })
}

fn end_of_last_line(file: &mut File, length: u64) -> io::Result<u64> {
    use std::io::Read as _;
    let mut end = length;
    let mut block = [0; 4_096];
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        let part = &mut block[..(end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(part)?;
        if let Some(at) = part.iter().rposition(|&byte| byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("hearth-logs-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn now_ms() -> i64 {
        #[allow(clippy::disallowed_methods, reason = "the clock of these tests")]
        let now = std::time::SystemTime::now();
        now.duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
    }

    fn in_40_days() -> i64 {
        now_ms() + 40 * 86_400_000
    }

    fn open(folder: &Folder, epoch_ms: fn() -> i64) -> Arc<LogStore> {
        let settings =
            LogStoreSettings { retention: Duration::from_secs(30 * 86_400), group_bytes_max: 1 << 30 };
        LogStore::open(&folder.0, settings, Clock::new(Instant::now(), epoch_ms)).unwrap()
    }

    fn put(store: &LogStore, text: &str) {
        let stream = LogStreamName::new("2026/11/25/[$LATEST]aa").unwrap();
        store.put(&group(), &stream, vec![PutEvent { timestamp_ms: 5, message: text.into() }]);
    }

    fn group() -> LogGroupName {
        LogGroupName::new("/aws/lambda/f").unwrap()
    }

    fn messages(page: &LogPage) -> Vec<&str> {
        page.events.iter().map(|event| event.message.as_str()).collect()
    }

    #[test]
    fn events_are_kept_in_order_over_a_restart_and_a_cursor_goes_on_where_it_was() {
        let folder = Folder::new("order");
        let store = open(&folder, now_ms);
        for text in ["one\n", "two\n", "three"] {
            put(&store, text);
        }
        store.flush();
        let first = store.read(&group(), None, 2).unwrap();
        assert_eq!(messages(&first), ["one\n", "two\n"]);
        put(&store, "four ü \u{0}\n");
        store.close();

        let store = open(&folder, now_ms);
        let rest = store.read(&group(), Some(&first.cursor), 100).unwrap();
        assert_eq!(messages(&rest), ["three", "four ü \u{0}\n"]);
        assert!(store.read(&group(), Some(&rest.cursor), 100).unwrap().events.is_empty());
        for bad in ["x", "1-", "-1", "1-99999", "1-18446744073709551615"] {
            assert!(matches!(store.read(&group(), Some(bad), 100), Err(LogStoreError::Cursor(_))), "{bad}");
        }
    }

    #[test]
    fn an_event_cut_by_a_crash_is_removed_and_the_rest_stays() {
        let folder = Folder::new("torn");
        let store = open(&folder, now_ms);
        put(&store, "whole\n");
        store.close();
        let path = segment_path(&folder.0.join(folder_name(&group())), 1);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"t\":5,\"s\":\"x").unwrap();

        let store = open(&folder, now_ms);
        put(&store, "next\n");
        store.flush();
        assert_eq!(messages(&store.read(&group(), None, 100).unwrap()), ["whole\n", "next\n"]);
    }

    #[test]
    fn what_is_older_than_the_retention_is_removed() {
        let folder = Folder::new("retention");
        let store = open(&folder, now_ms);
        put(&store, "old\n");
        store.close();
        assert_eq!(messages(&open(&folder, now_ms).read(&group(), None, 9).unwrap()), ["old\n"]);
        assert!(open(&folder, in_40_days).read(&group(), None, 9).unwrap().events.is_empty());
    }

    #[test]
    fn a_retention_longer_than_time_keeps_everything() {
        let folder = Folder::new("for-ever");
        let settings =
            LogStoreSettings { retention: Duration::from_secs(u64::MAX), group_bytes_max: 1 << 30 };
        let open = || LogStore::open(&folder.0, settings, Clock::new(Instant::now(), in_40_days)).unwrap();
        let store = open();
        put(&store, "old\n");
        store.close();
        assert_eq!(messages(&open().read(&group(), None, 9).unwrap()), ["old\n"]);
    }
}
