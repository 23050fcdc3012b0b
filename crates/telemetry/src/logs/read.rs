//! Reading events: forwards or backwards from a place, of some streams and times. A group is never in memory as a whole:
//! indexes say which parts of which segments to look at, and a page has its bounds.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs;
use std::ops::Range;
use std::path::Path;

use hearth_types::LogGroupName;

use super::event::Line;
use super::group::LogStream;
use super::retention::DAY_MS;
use super::segment::{Lines, segment_path, segments};
use super::{LogEvent, LogStore, LogStoreError, Position};

/// Which streams of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamSelection {
    /// All of them.
    All,
    /// Those with these names.
    Named(Vec<String>),
    /// Those whose names begin so.
    Prefix(String),
}

impl StreamSelection {
    fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.iter().any(|wanted| wanted == name),
            Self::Prefix(prefix) => name.starts_with(prefix),
        }
    }
}

/// Which events of a group.
pub struct EventQuery<'a> {
    /// Of which streams.
    pub streams: StreamSelection,
    /// From this time on, in milliseconds since 1970.
    pub start_ms: Option<i64>,
    /// Before this time, in milliseconds since 1970.
    pub end_ms: Option<i64>,
    /// With messages that this accepts.
    pub matches: &'a dyn Fn(&str) -> bool,
}

/// How much is read at once.
#[derive(Debug, Clone, Copy)]
pub struct PageBounds {
    /// Most events of a page.
    pub events_max: usize,
    /// Most bytes of a page: of its messages, and 26 for each event, as AWS counts.
    pub bytes_max: usize,
    /// How much of the disk is read for a page, about.
    pub scanned_bytes_max: u64,
}

/// What an event counts besides its message.
///
/// Source: CloudWatch Logs API reference, "PutLogEvents", read 2026-11.
pub const EVENT_OVERHEAD_BYTES: usize = 26;

/// Some events, in the order of their times; those of the same time in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPage {
    /// The events.
    pub events: Vec<LogEvent>,
    /// Where to go on backwards.
    pub start: Position,
    /// Where to go on forwards.
    pub end: Position,
    /// Whether there is more in the direction of reading, or may be.
    pub has_more: bool,
}

impl EventPage {
    /// `events` in the order of their positions.
    fn new(events: Vec<LogEvent>, start: Position, end: Position, has_more: bool) -> Self {
        let start = events.first().map_or(start, |event| event.position);
        let mut page = Self { events, start, end, has_more };
        page.events.sort_by_key(|event| event.timestamp_ms);
        page
    }
}

/// A query in one group, with what that group hides.
struct Scan<'a> {
    query: &'a EventQuery<'a>,
    deleted: HashMap<String, Position>,
    start_ms: i64,
    end_ms: i64,
}

impl Scan<'_> {
    /// Whether every event is wanted: no index helps then.
    fn is_of_everything(&self) -> bool {
        self.query.streams == StreamSelection::All && self.start_ms == i64::MIN && self.end_ms == i64::MAX
    }

    fn take(&self, position: Position, line: Line<'_>) -> Option<LogEvent> {
        let is_wanted = (self.start_ms..self.end_ms).contains(&line.timestamp_ms)
            && self.query.streams.has(&line.log_stream)
            && self.deleted.get(&*line.log_stream).is_none_or(|deleted| position >= *deleted)
            && (self.query.matches)(&line.message);
        is_wanted.then(|| line.into_event(position))
    }
}

fn bytes_of(event: &LogEvent) -> usize {
    event.message.len() + EVENT_OVERHEAD_BYTES
}

impl LogStore {
    /// Reads events from `from` on, the oldest first. Blocks on the disk.
    pub fn read_forwards(
        &self,
        group: &LogGroupName,
        query: &EventQuery<'_>,
        from: Position,
        bounds: PageBounds,
    ) -> Result<EventPage, LogStoreError> {
        let Some(folder) = self.catalogue.folder(group) else {
            return Ok(EventPage::new(Vec::new(), from, from, false));
        };
        let scan = self.scan(group, query);
        let numbers = segments(&folder);
        let newest = numbers.last().copied().unwrap_or(0);
        // Positions only grow: this one is of a group that was deleted before the server started.
        if !numbers.is_empty() && from.segment > newest {
            return Err(LogStoreError::Cursor(from.to_string()));
        }
        let (mut events, mut bytes, mut scanned) = (Vec::new(), 0, 0);
        let mut at = from;
        for number in numbers.into_iter().filter(|&number| number >= from.segment) {
            if number != at.segment {
                at = Position { segment: number, offset: 0 };
            }
            let path = segment_path(&folder, number);
            // Segments only grow, so this one is another than the one that the position was for.
            if fs::metadata(&path).is_ok_and(|metadata| metadata.len() < at.offset) {
                return Err(LogStoreError::Cursor(from.to_string()));
            }
            let range = self.range(&folder, number, number == newest, &scan)?;
            let begins = range.start.max(at.offset);
            if begins >= range.end {
                continue;
            }
            let io = |source| LogStoreError::Io { path: path.clone(), source };
            let Some(mut lines) = Lines::open(&path, begins).map_err(io)? else { continue };
            while lines.offset() < range.end
                && let Some(offset) = lines.advance().map_err(io)?
            {
                let here = Position { segment: number, offset };
                let event = lines.line().and_then(|line| scan.take(here, line));
                let event_bytes = event.as_ref().map_or(0, bytes_of);
                let is_too_much = bytes + event_bytes > bounds.bytes_max && !events.is_empty();
                if is_too_much || scanned > bounds.scanned_bytes_max {
                    return Ok(EventPage::new(events, from, here, true));
                }
                at.offset = lines.offset();
                scanned += lines.offset() - offset;
                bytes += event_bytes;
                events.extend(event);
                if events.len() >= bounds.events_max {
                    return Ok(EventPage::new(events, from, at, true));
                }
            }
        }
        Ok(EventPage::new(events, from, at, false))
    }

    /// Reads the last events before `before`, or the last ones of all. Blocks on the disk.
    pub fn read_backwards(
        &self,
        group: &LogGroupName,
        query: &EventQuery<'_>,
        before: Option<Position>,
        bounds: PageBounds,
    ) -> Result<EventPage, LogStoreError> {
        let end = before.unwrap_or(Position { segment: u64::MAX, offset: u64::MAX });
        let Some(folder) = self.catalogue.folder(group) else {
            return Ok(EventPage::new(Vec::new(), Position::START, Position::START, false));
        };
        let scan = self.scan(group, query);
        let numbers = segments(&folder);
        let newest = numbers.last().copied().unwrap_or(0);
        let mut found: VecDeque<LogEvent> = VecDeque::new();
        let (mut found_bytes, mut scanned) = (0, 0);
        // Behind what was looked at.
        let mut last = before.unwrap_or_default();
        for number in numbers.into_iter().rev().filter(|&number| number <= end.segment) {
            let range = self.range(&folder, number, number == newest, &scan)?;
            let ends = if number == end.segment { range.end.min(end.offset) } else { range.end };
            if range.start >= ends {
                continue;
            }
            if scanned > bounds.scanned_bytes_max {
                let start = Position { segment: number + 1, offset: 0 };
                return Ok(EventPage { start, ..EventPage::new(found.into(), start, last, true) });
            }
            let path = segment_path(&folder, number);
            let io = |source| LogStoreError::Io { path: path.clone(), source };
            let Some(mut lines) = Lines::open(&path, range.start).map_err(io)? else { continue };
            // The last ones of this segment that there is still room for.
            let (mut ring, mut bytes, mut is_full) = (VecDeque::new(), found_bytes, false);
            while lines.offset() < ends
                && let Some(offset) = lines.advance().map_err(io)?
            {
                let here = Position { segment: number, offset };
                scanned += lines.offset() - offset;
                let Some(event) = lines.line().and_then(|line| scan.take(here, line)) else { continue };
                last = last.max(Position { segment: number, offset: lines.offset() });
                bytes += bytes_of(&event);
                ring.push_back(event);
                while found.len() + ring.len() > bounds.events_max
                    || (bytes > bounds.bytes_max && found.len() + ring.len() > 1)
                {
                    is_full = true;
                    let Some(first) = ring.pop_front() else { break };
                    bytes -= bytes_of(&first);
                }
            }
            found_bytes = bytes;
            while let Some(event) = ring.pop_back() {
                found.push_front(event);
            }
            if is_full || found.len() >= bounds.events_max {
                return Ok(EventPage::new(found.into(), end, last, true));
            }
        }
        Ok(EventPage::new(found.into(), before.unwrap_or_default(), last, false))
    }

    /// Describes all streams of a group, by name. Blocks on the disk.
    pub fn streams(&self, group: &LogGroupName) -> Result<Vec<LogStream>, LogStoreError> {
        let records = self.catalogue.streams(group).ok_or(LogStoreError::GroupNotFound)?;
        let folder = self.catalogue.folder(group).ok_or(LogStoreError::GroupNotFound)?;
        let mut streams: BTreeMap<String, LogStream> = BTreeMap::new();
        for (name, record) in &records {
            if let Some(created_ms) = record.created_ms {
                streams.insert(name.clone(), LogStream::new(name, created_ms));
            }
        }
        let numbers = segments(&folder);
        for &number in &numbers {
            let index = self.index(&folder, number, Some(&number) == numbers.last())?;
            for (name, span) in index.streams() {
                let end = Position { segment: number, offset: span.to };
                if records.get(name).and_then(|record| record.deleted).is_some_and(|deleted| deleted >= end) {
                    continue;
                }
                let stream = streams
                    .entry(name.clone())
                    .or_insert_with(|| LogStream::new(name, span.first_ingestion_ms));
                let first = stream.first_event_ms.map_or(span.first_ms, |first| first.min(span.first_ms));
                let last = stream.last_event_ms.map_or(span.last_ms, |last| last.max(span.last_ms));
                stream.first_event_ms = Some(first);
                stream.last_event_ms = Some(last);
                stream.last_ingestion_ms = Some(span.last_ingestion_ms);
            }
        }
        Ok(streams.into_values().collect())
    }

    /// Says whether a group has a stream of that name. Blocks on the disk.
    pub fn has_stream(&self, group: &LogGroupName, name: &str) -> Result<bool, LogStoreError> {
        let folder = self.catalogue.folder(group).ok_or(LogStoreError::GroupNotFound)?;
        let record = self.catalogue.stream(group, name).unwrap_or_default();
        if record.created_ms.is_some() {
            return Ok(true);
        }
        let numbers = segments(&folder);
        for &number in numbers.iter().rev() {
            let index = self.index(&folder, number, Some(&number) == numbers.last())?;
            if let Some(span) = index.streams().get(name) {
                let end = Position { segment: number, offset: span.to };
                return Ok(record.deleted.is_none_or(|deleted| deleted < end));
            }
        }
        Ok(false)
    }

    fn scan<'a>(&self, group: &LogGroupName, query: &'a EventQuery<'a>) -> Scan<'a> {
        let retention_days = self.catalogue.group(group).and_then(|group| group.retention_days);
        // What is too old is not shown, even while its segment is still there.
        let kept_from = retention_days.map(|days| self.clock.epoch_ms() - i64::from(days) * DAY_MS);
        Scan {
            query,
            deleted: self.catalogue.deletions(group),
            start_ms: query.start_ms.max(kept_from).unwrap_or(i64::MIN),
            end_ms: query.end_ms.unwrap_or(i64::MAX),
        }
    }

    /// Which part of a segment to look at.
    fn range(
        &self,
        folder: &Path,
        number: u64,
        grows: bool,
        scan: &Scan<'_>,
    ) -> Result<Range<u64>, LogStoreError> {
        if scan.is_of_everything() {
            return Ok(0..u64::MAX);
        }
        let index = self.index(folder, number, grows)?;
        let range = index.range(|name| scan.query.streams.has(name), scan.start_ms, scan.end_ms);
        Ok(range.unwrap_or_default())
    }
}
