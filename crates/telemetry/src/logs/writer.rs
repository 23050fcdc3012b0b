//! The writer: one thread that appends what has gathered to the segments, and that alone changes what is on disk.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;

use hearth_types::{LogGroupName, LogStreamName};

use super::catalogue::Catalogue;
use super::event::Line;
use super::queue::{Put, Queue, Shared};
use super::retention::EXPIRY_INTERVAL;
use super::segment::{Segment, open_segment, segment_path, segments};
use super::{LogStoreError, LogStoreSettings, Position, PutEvent};
use crate::Clock;

/// A segment is closed at this size.
const SEGMENT_BYTES_MAX: u64 = 16 << 20;
/// A segment is closed at this age: what is too old goes with all of its segment.
const SEGMENT_AGE_MS_MAX: i64 = 86_400_000;
/// How many groups the writer keeps open. Opening one costs microseconds, and a server has few descriptors.
const OPEN_GROUPS_MAX: usize = 64;

/// Owns the files that are written to.
pub(super) struct Writer {
    pub(super) settings: LogStoreSettings,
    pub(super) clock: Clock,
    pub(super) shared: Arc<Shared>,
    pub(super) catalogue: Arc<Catalogue>,
    /// Who makes the index of a segment that grows no more.
    pub(super) closed: SyncSender<(PathBuf, u64)>,
    pub(super) open: HashMap<LogGroupName, Segment>,
    pub(super) appends: u64,
    pub(super) buffer: Vec<u8>,
}

impl Writer {
    /// Writes what gathers, until the store is closed.
    pub(super) fn run(&mut self) {
        let shared = self.shared.clone();
        let mut written = 0u64;
        let mut expired = self.clock.now();
        while let Some(Queue { puts, jobs, .. }) = shared.take(EXPIRY_INTERVAL) {
            let bytes = self.write(puts);
            if bytes > 0 {
                written += 1;
                shared.written.send_replace(written);
            }
            shared.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            shared.has_room.notify_waiters();
            for job in jobs {
                job(self);
            }
            if self.clock.now() - expired >= EXPIRY_INTERVAL {
                self.remove_expired();
                expired = self.clock.now();
            }
        }
    }

    /// Writes events to the segments of their groups; returns how much room they took in the queue.
    fn write(&mut self, puts: Vec<Put>) -> usize {
        if puts.is_empty() {
            return 0;
        }
        let now_ms = self.clock.epoch_ms();
        let mut bytes = 0;
        // What has gathered goes to its file in one write a group.
        let mut groups: Vec<(LogGroupName, Vec<u8>)> = Vec::new();
        for Put { group, stream, events } in puts {
            bytes += events.iter().map(PutEvent::bytes_in_queue).sum::<usize>();
            self.encode(&stream, &events, now_ms);
            match groups.iter_mut().find(|(known, _)| *known == group) {
                Some((_, lines)) => lines.append(&mut self.buffer),
                None => groups.push((group, std::mem::take(&mut self.buffer))),
            }
        }
        for (group, lines) in groups {
            if let Err(error) = self.append(&group, &lines, now_ms) {
                tracing::error!(log_group = %group, %error, "cannot write logs; events are lost");
                self.open.remove(&group);
            }
        }
        bytes
    }

    fn encode(&mut self, stream: &LogStreamName, events: &[PutEvent], now_ms: i64) {
        for event in events {
            // Writing to memory does not fail, nor do two strings and two numbers.
            let line = Line::new(event, stream.as_str(), now_ms);
            if serde_json::to_writer(&mut self.buffer, &line).is_ok() {
                self.buffer.push(b'\n');
            }
        }
    }

    /// Appends lines; those that a full segment has no room for go to the next one.
    fn append(&mut self, group: &LogGroupName, mut lines: &[u8], now_ms: i64) -> io::Result<()> {
        let is_done = |segment: &Segment| {
            let age_ms = segment.created_ms.map_or(0, |created_ms| now_ms - created_ms);
            segment.length >= SEGMENT_BYTES_MAX || (segment.length > 0 && age_ms >= SEGMENT_AGE_MS_MAX)
        };
        while !lines.is_empty() {
            if self.open.get(group).is_none_or(is_done) {
                self.open_for(group, now_ms, is_done)?;
            }
            let Some(segment) = self.open.get_mut(group) else { return Ok(()) };
            let (now, later) =
                lines.split_at(end_of_line(lines, SEGMENT_BYTES_MAX.saturating_sub(segment.length)));
            fail::fail_point!("logs::append", |_| Err(io::ErrorKind::StorageFull.into()));
            self.appends += 1;
            segment.last_append = self.appends;
            segment.file.write_all(now)?;
            fail::fail_point!("logs::appended");
            segment.length += now.len() as u64;
            lines = later;
        }
        Ok(())
    }

    /// Opens the newest segment of a group, or the one after it when that `is_done`.
    fn open_for(
        &mut self,
        group: &LogGroupName,
        now_ms: i64,
        is_done: impl Fn(&Segment) -> bool,
    ) -> io::Result<()> {
        self.open.remove(group);
        if self.open.len() >= OPEN_GROUPS_MAX {
            self.close_the_least_recently_used();
        }
        let (folder, segment_min) = self.catalogue.folder_to_write(group, now_ms)?;
        fs::create_dir_all(&folder)?;
        let number = segments(&folder).last().copied().unwrap_or(segment_min);
        fail::fail_point!("logs::open_segment");
        let mut segment = open_segment(&folder, number)?;
        if is_done(&segment) {
            segment = open_segment(&folder, number + 1)?;
            segment.created_ms = Some(now_ms);
            // When it has no time, a reader makes the index.
            let _ = self.closed.try_send((folder, number));
            self.open.insert(group.clone(), segment);
            self.remove_expired_of(group);
        } else {
            if segment.length == 0 {
                segment.created_ms = Some(now_ms);
            }
            self.open.insert(group.clone(), segment);
        }
        Ok(())
    }

    fn close_the_least_recently_used(&mut self) {
        let oldest = self.open.iter().min_by_key(|(_, segment)| segment.last_append);
        if let Some(group) = oldest.map(|(group, _)| group.clone()) {
            self.open.remove(&group);
        }
    }

    /// Deletes a group; its next event makes it again.
    pub(super) fn delete_group(&mut self, group: &LogGroupName) -> Result<(), LogStoreError> {
        self.open.remove(group);
        self.catalogue.delete(group)
    }

    /// Deletes what a stream has had until now.
    pub(super) fn delete_stream(
        &mut self,
        group: &LogGroupName,
        stream: &LogStreamName,
    ) -> Result<(), LogStoreError> {
        let folder = self.catalogue.folder(group).ok_or(LogStoreError::GroupNotFound)?;
        let end = match segments(&folder).last() {
            Some(&segment) => {
                let length = fs::metadata(segment_path(&folder, segment)).map(|metadata| metadata.len());
                let offset = length.map_err(|source| LogStoreError::Io { path: folder, source })?;
                Position { segment, offset }
            }
            None => Position::START,
        };
        self.catalogue.delete_stream(group, stream, end)
    }
}

/// Returns where the line ends that has reached `bytes`, or the last one.
fn end_of_line(lines: &[u8], bytes: u64) -> usize {
    let from = usize::try_from(bytes).unwrap_or(usize::MAX).min(lines.len());
    memchr::memchr(b'\n', &lines[from..]).map_or(lines.len(), |at| from + at + 1)
}
