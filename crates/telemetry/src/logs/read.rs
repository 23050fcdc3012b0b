//! Reading events: forwards or backwards from a place, of some streams and times. A group is never in memory as a whole:
//! indexes say which parts of which segments to look at, and a page has its bounds.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io;
use std::ops::Range;
use std::path::PathBuf;

use hearth_types::LogGroupName;

use super::index::Wanted;
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
    wanted: Wanted<'a>,
    deleted: HashMap<String, Position>,
    /// Which segments to look into.
    segments: Range<u64>,
}

impl Scan<'_> {
    /// Whether every event is wanted: no index helps then.
    fn is_of_everything(&self) -> bool {
        let Wanted { streams, start_ms, end_ms } = self.wanted;
        *streams == StreamSelection::All && (start_ms, end_ms) == (i64::MIN, i64::MAX)
    }

    /// Takes the line that was gone on to, if it is wanted.
    fn take(&self, position: Position, lines: &Lines) -> Option<LogEvent> {
        let head = lines.head()?;
        // The message is read last: that takes most of the time.
        let is_wanted = (self.wanted.start_ms..self.wanted.end_ms).contains(&head.timestamp_ms)
            && self.query.streams.has(&head.log_stream)
            && self.deleted.get(&*head.log_stream).is_none_or(|deleted| position >= *deleted);
        let line = is_wanted.then(|| lines.line()).flatten()?;
        (self.query.matches)(&line.message).then(|| line.into_event(position))
    }
}

/// What there is of a group on the disk.
pub(super) struct OnDisk {
    pub(super) folder: PathBuf,
    /// The numbers of its segments, ascending.
    pub(super) numbers: Vec<u64>,
}

impl OnDisk {
    /// The segment that is written to.
    pub(super) fn newest(&self) -> Option<u64> {
        self.numbers.last().copied()
    }

    /// Those that grow no more.
    pub(super) fn sealed(&self) -> &[u64] {
        self.numbers.split_last().map_or(&[], |(_, sealed)| sealed)
    }

    pub(super) fn error(&self, number: u64) -> impl Fn(io::Error) -> LogStoreError + use<> {
        let path = segment_path(&self.folder, number);
        move |source| LogStoreError::Io { path: path.clone(), source }
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
        let Some(disk) = self.on_disk(group) else {
            return Ok(EventPage::new(Vec::new(), from, from, false));
        };
        let scan = self.scan(group, &disk, query)?;
        // Positions only grow: this one is of a group that was deleted before the server started.
        if disk.newest().is_some_and(|newest| from.segment > newest) {
            return Err(LogStoreError::Cursor(from.to_string()));
        }
        let (mut events, mut bytes, mut scanned) = (Vec::new(), 0, 0);
        let mut at = from;
        for &number in disk.numbers.iter().filter(|&&number| number >= from.segment) {
            if number != at.segment {
                at = Position { segment: number, offset: 0 };
            }
            let path = segment_path(&disk.folder, number);
            // Segments only grow, so this one is another than the one that the position was for.
            if fs::metadata(&path).is_ok_and(|metadata| metadata.len() < at.offset) {
                return Err(LogStoreError::Cursor(from.to_string()));
            }
            let pieces = if scan.is_of_everything() {
                std::iter::once(0..u64::MAX).collect()
            } else {
                self.pieces(&disk, number, &scan)?
            };
            let wanted_from = at.offset;
            let mut pieces = pieces.into_iter().filter(|piece| piece.end > wanted_from).peekable();
            if pieces.peek().is_none() {
                continue;
            }
            let io = disk.error(number);
            let Some(mut lines) = Lines::open(&path).map_err(&io)? else { continue };
            for piece in pieces {
                lines.go_to(piece.start.max(wanted_from), piece.end);
                while let Some(offset) = lines.advance().map_err(&io)? {
                    let here = Position { segment: number, offset };
                    let event = scan.take(here, &lines);
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
        let Some(disk) = self.on_disk(group) else {
            return Ok(EventPage::new(Vec::new(), Position::START, Position::START, false));
        };
        let scan = self.scan(group, &disk, query)?;
        let mut found: VecDeque<LogEvent> = VecDeque::new();
        let (mut bytes, mut scanned) = (0, 0);
        // Behind what was looked at.
        let mut last = before.unwrap_or_default();
        for &number in disk.numbers.iter().rev().filter(|&&number| number <= end.segment) {
            let pieces = self.pieces(&disk, number, &scan)?;
            let ends = if number == end.segment { end.offset } else { u64::MAX };
            let mut pieces = pieces.into_iter().rev().filter(|piece| piece.start < ends).peekable();
            if pieces.peek().is_none() {
                continue;
            }
            let io = disk.error(number);
            let Some(mut lines) = Lines::open(&segment_path(&disk.folder, number)).map_err(&io)? else {
                continue;
            };
            for piece in pieces {
                let piece = piece.start..piece.end.min(ends);
                if scanned > bounds.scanned_bytes_max {
                    let start = Position { segment: number, offset: piece.end };
                    return Ok(EventPage { start, ..EventPage::new(found.into(), start, last, true) });
                }
                lines.go_to(piece.start, piece.end);
                let mut of_piece = Vec::new();
                while let Some(offset) = lines.advance().map_err(&io)? {
                    let here = Position { segment: number, offset };
                    scanned += lines.offset() - offset;
                    let Some(event) = scan.take(here, &lines) else { continue };
                    last = last.max(Position { segment: number, offset: lines.offset() });
                    of_piece.push(event);
                }
                for event in of_piece.into_iter().rev() {
                    let is_too_much = bytes + bytes_of(&event) > bounds.bytes_max && !found.is_empty();
                    if is_too_much || found.len() >= bounds.events_max {
                        return Ok(EventPage::new(found.into(), end, last, true));
                    }
                    bytes += bytes_of(&event);
                    found.push_front(event);
                }
                if found.len() >= bounds.events_max {
                    return Ok(EventPage::new(found.into(), end, last, true));
                }
            }
        }
        Ok(EventPage::new(found.into(), before.unwrap_or_default(), last, false))
    }

    /// Looks at the folder of a group. `None` when there is no such group.
    pub(super) fn on_disk(&self, group: &LogGroupName) -> Option<OnDisk> {
        let folder = self.catalogue.folder(group)?;
        let numbers = segments(&folder);
        Some(OnDisk { folder, numbers })
    }

    fn scan<'a>(
        &self,
        group: &LogGroupName,
        disk: &OnDisk,
        query: &'a EventQuery<'a>,
    ) -> Result<Scan<'a>, LogStoreError> {
        let retention_days = self.catalogue.group(group).and_then(|group| group.retention_days);
        // What is too old is not shown, even while its segment is still there.
        let kept_from = retention_days.map(|days| self.clock.epoch_ms() - i64::from(days) * DAY_MS);
        let start_ms = query.start_ms.max(kept_from).unwrap_or(i64::MIN);
        let segments = match &query.streams {
            StreamSelection::Named(names) => self.segments_of(disk, names)?,
            StreamSelection::All | StreamSelection::Prefix(_) => 0..u64::MAX,
        };
        Ok(Scan {
            query,
            wanted: Wanted { streams: &query.streams, start_ms, end_ms: query.end_ms.unwrap_or(i64::MAX) },
            deleted: self.catalogue.deletions(group),
            segments,
        })
    }

    /// Which parts of a segment to look at, in order.
    fn pieces(&self, disk: &OnDisk, number: u64, scan: &Scan<'_>) -> Result<Vec<Range<u64>>, LogStoreError> {
        let grows = disk.newest() == Some(number);
        // The one that grows is in no list of segments yet.
        if !grows && !scan.segments.contains(&number) {
            return Ok(Vec::new());
        }
        self.indexes.pieces(&disk.folder, number, grows, &scan.wanted).map_err(disk.error(number))
    }
}
