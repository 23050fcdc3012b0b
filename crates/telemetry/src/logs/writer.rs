//! The writer: one thread that appends what has gathered to the segments.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hearth_types::{LogGroupName, LogStreamName};

use super::queue::{Put, Queue, Shared};
use super::segment::{Segment, folder_name, open_segment, segments};
use super::{LogEvent, LogStoreSettings, PutEvent};
use crate::Clock;

/// A segment is closed at this size.
const SEGMENT_BYTES_MAX: u64 = 16 << 20;
/// How many groups the writer keeps open. Opening one costs microseconds, and a server has few descriptors.
const OPEN_GROUPS_MAX: usize = 64;

/// Owns the files that are written to.
pub(super) struct Writer {
    pub(super) folder: PathBuf,
    pub(super) settings: LogStoreSettings,
    pub(super) clock: Clock,
    pub(super) shared: Arc<Shared>,
    pub(super) open: HashMap<LogGroupName, Segment>,
    pub(super) appends: u64,
    pub(super) buffer: Vec<u8>,
}

impl Writer {
    /// Writes what gathers, until the store is closed.
    pub(super) fn run(&mut self) {
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
}
