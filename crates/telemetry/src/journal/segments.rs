//! The files of the journal: segments of lines, some for each day, the oldest of which go when there is too much.
//!
//! A line belongs to the day on which it was written. Segments are only appended to. What a crash has left of a line is
//! ended when the segment is opened again, so that it spoils nothing but itself.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::JournalSettings;

/// How long a day is.
pub(super) const DAY_MS: i64 = 86_400_000;
/// How long a segment gets. Small enough that removing the oldest one frees what is needed and little more.
const SEGMENT_BYTES_MAX: u64 = 16 << 20;

/// What stands in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Invocations.
    Calls,
    /// Environments.
    Environments,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Calls, Self::Environments];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Environments => "environments",
        }
    }
}

/// A segment, in the order of days and numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Segment {
    pub(super) day: i64,
    number: u32,
    kind: Kind,
}

impl Segment {
    pub(super) fn path(self, folder: &Path) -> PathBuf {
        folder.join(format!("{}-{:06}-{:05}.jsonl", self.kind.as_str(), self.day, self.number))
    }

    fn parse(name: &str) -> Option<Self> {
        let (name, number) = name.strip_suffix(".jsonl")?.rsplit_once('-')?;
        let (kind, day) = name.rsplit_once('-')?;
        let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind)?;
        Some(Self { day: day.parse().ok()?, number: number.parse().ok()?, kind })
    }
}

/// Returns the segments of one kind, the newest first.
pub(super) fn newest_first(folder: &Path, kind: Kind) -> io::Result<Vec<Segment>> {
    let mut segments = all(folder)?;
    segments.retain(|segment| segment.kind == kind);
    segments.reverse();
    Ok(segments)
}

/// All segments, the oldest first.
fn all(folder: &Path) -> io::Result<Vec<Segment>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(folder)? {
        segments.extend(entry?.file_name().to_str().and_then(Segment::parse));
    }
    segments.sort_unstable();
    Ok(segments)
}

/// Removes what is older than it may be, and then the oldest until the rest is small enough.
pub(super) fn remove_old(folder: &Path, settings: &JournalSettings, today: i64) -> io::Result<()> {
    let days = i64::try_from(settings.retention.as_millis()).unwrap_or(i64::MAX) / DAY_MS;
    let length = |segment: &Segment| fs::metadata(segment.path(folder)).map_or(0, |file| file.len());
    let segments = all(folder)?;
    let mut total: u64 = segments.iter().map(length).sum();
    for (at, segment) in segments.iter().enumerate() {
        let is_old = segment.day < today.saturating_sub(days);
        // The newest one of its kind may be open.
        let is_newest = !segments[at + 1..].iter().any(|later| later.kind == segment.kind);
        if !is_old && (total <= settings.bytes_max || is_newest) {
            continue;
        }
        total = total.saturating_sub(length(segment));
        match fs::remove_file(segment.path(folder)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Appends lines of one kind.
#[derive(Debug)]
pub(super) struct Appender {
    folder: PathBuf,
    kind: Kind,
    settings: JournalSettings,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    segment: Segment,
    file: File,
    length: u64,
}

impl Appender {
    pub(super) fn new(folder: &Path, kind: Kind, settings: JournalSettings) -> Self {
        Self { folder: folder.to_owned(), kind, settings, open: None }
    }

    /// Appends whole lines to the newest segment of `day`.
    pub(super) fn append(&mut self, day: i64, lines: &[u8]) -> io::Result<()> {
        let bytes_max = SEGMENT_BYTES_MAX.min(self.settings.bytes_max / 4).max(1);
        let is_full = |open: &Open| open.segment.day != day || open.length >= bytes_max;
        if self.open.as_ref().is_none_or(is_full) {
            self.open = None;
            let mut open = self.open_newest(day)?;
            if open.length >= bytes_max {
                let number = open.segment.number.saturating_add(1);
                open = self.open_segment(Segment { number, ..open.segment })?;
            }
            self.open = Some(open);
            remove_old(&self.folder, &self.settings, day)?;
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        fail::fail_point!("journal::append", |_| Err(io::ErrorKind::StorageFull.into()));
        if let Err(error) = open.file.write_all(lines) {
            // Opened again, it begins with a new line, whatever has been written of this one.
            self.open = None;
            return Err(error);
        }
        open.length += lines.len() as u64;
        Ok(())
    }

    fn open_newest(&self, day: i64) -> io::Result<Open> {
        let newest = newest_first(&self.folder, self.kind)?.into_iter().find(|segment| segment.day == day);
        self.open_segment(newest.unwrap_or(Segment { day, number: 0, kind: self.kind }))
    }

    fn open_segment(&self, segment: Segment) -> io::Result<Open> {
        let path = segment.path(&self.folder);
        let mut file = OpenOptions::new().create(true).append(true).read(true).open(path)?;
        let mut length = file.metadata()?.len();
        let mut last = [b'\n'];
        if length > 0 {
            file.read_exact_at(&mut last, length - 1)?;
        }
        if last != [b'\n'] {
            file.write_all(b"\n")?;
            length += 1;
        }
        Ok(Open { segment, file, length })
    }
}
