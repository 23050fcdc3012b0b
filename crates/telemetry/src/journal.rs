//! The journal: one entry for each invocation that has ended, and one for each environment, on disk, so that what was
//! slow, why and at what cost can still be asked after days and after restarts.
//!
//! It listens to the [`Feed`](crate::Feed). What is asked of it is read from disk, from the newest entry on and no
//! further than needed: segments of JSON lines ([`segments`]), read backwards ([`backwards`]). A line that is damaged is
//! passed over and counted. What is older than the journal's retention goes, and the oldest when it takes too much room.

mod backwards;
mod cold_line;
mod entry;
mod life;
mod segments;
#[cfg(test)]
mod tests;
mod writer;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hearth_types::FunctionName;

use self::backwards::{Backwards, Line};
use self::segments::{DAY_MS, Kind, newest_first};
use self::writer::JournalWriter;
use crate::Clock;
use crate::feed::Listener;

pub use self::entry::JournalEntry;
pub use self::life::{EnvironmentLife, why_ended};

/// How many entries are held at once, also when more are asked for: about half a gigabyte. [`Journal::scan`] holds one.
const ENTRIES_MAX: usize = 1_000_000;
/// How far the clock may have been set back without entries being missed.
const CLOCK_SLACK_MS: i64 = 3_600_000;

/// How much of the past is kept.
#[derive(Debug, Clone, Copy)]
pub struct JournalSettings {
    /// For so long, in whole days.
    pub retention: Duration,
    /// In so many bytes, about.
    pub bytes_max: u64,
}

impl Default for JournalSettings {
    fn default() -> Self {
        Self { retention: Duration::from_secs(30 * 86_400), bytes_max: 4 << 30 }
    }
}

/// Which entries are asked for.
#[derive(Debug, Clone, Default)]
pub struct JournalQuery {
    /// Of one function, or of all.
    pub function: Option<FunctionName>,
    /// Started at this moment or later, in milliseconds since 1970.
    pub from_epoch_ms: Option<i64>,
    /// Started before this moment.
    pub to_epoch_ms: Option<i64>,
    /// At most so many, the latest.
    pub limit: Option<usize>,
}

/// What became of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scanned {
    /// How many lines could not be read, and were passed over.
    pub damaged: u64,
}

/// The journal of a data folder.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    settings: JournalSettings,
}

impl Journal {
    /// Opens the journal in `folder`, and makes it if it is not there.
    pub fn open(folder: &Path) -> io::Result<Arc<Self>> {
        Self::open_with(folder, JournalSettings::default())
    }

    /// The same, with limits of one's own.
    pub fn open_with(folder: &Path, settings: JournalSettings) -> io::Result<Arc<Self>> {
        fs::create_dir_all(folder)?;
        Ok(Arc::new(Self { folder: folder.to_owned(), settings }))
    }

    /// Returns who writes it: to be added to the feed, once.
    pub fn writer(self: &Arc<Self>, clock: Clock) -> impl Listener + use<> {
        JournalWriter::new(self, clock)
    }

    /// Returns entries, oldest first, at most [`JournalQuery::limit`] and never more than a million. Blocks on the disk.
    pub fn entries(&self, query: &JournalQuery) -> io::Result<Vec<JournalEntry>> {
        Ok(self.entries_and_damage(query)?.0)
    }

    /// The same, and how many lines could not be read.
    pub fn entries_and_damage(&self, query: &JournalQuery) -> io::Result<(Vec<JournalEntry>, Scanned)> {
        let limit = query.limit.unwrap_or(ENTRIES_MAX).min(ENTRIES_MAX);
        // Lines are in the order in which invocations ended; which are the latest is said of their starts.
        let mut latest: BinaryHeap<Reverse<ByStart>> = BinaryHeap::new();
        let mut number = 0_u64;
        let scanned = self.scan(query, |entry| {
            if limit == 0 {
                return ControlFlow::Break(());
            }
            if latest.len() == limit {
                let Some(Reverse(earliest)) = latest.peek() else { return ControlFlow::Break(()) };
                // Whatever is left ended before this one did, and so began before.
                if entry.ended_epoch_ms() < earliest.entry.started_epoch_ms {
                    return ControlFlow::Break(());
                }
            }
            number += 1;
            latest.push(Reverse(ByStart { number: Reverse(number), entry: Box::new(entry) }));
            if latest.len() > limit {
                latest.pop();
            }
            ControlFlow::Continue(())
        })?;
        let mut entries: Vec<ByStart> = latest.into_iter().map(|Reverse(entry)| entry).collect();
        entries.sort_unstable();
        Ok((entries.into_iter().map(|entry| *entry.entry).collect(), scanned))
    }

    /// Shows entries one by one, those that ended last first, until there are no more or `visit` has seen enough; the
    /// query's limit does not count. Blocks on the disk, and holds nothing.
    pub fn scan(
        &self,
        query: &JournalQuery,
        mut visit: impl FnMut(JournalEntry) -> ControlFlow<()>,
    ) -> io::Result<Scanned> {
        let head = query.function.as_ref().map(entry::head);
        self.lines(Kind::Calls, query, head.as_deref(), entry::read, |entry| {
            let ended_epoch_ms = entry.ended_epoch_ms();
            if query.wants(&entry) {
                visit(entry)?;
            } else if query.from_epoch_ms.is_some_and(|from| ended_epoch_ms < from - CLOCK_SLACK_MS) {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })
    }

    /// Returns the environments that lived at some time between `from_epoch_ms` and `to_epoch_ms` of the query and have
    /// ended, those that ended first first; of provisioned ones also those that were still there when it was noted last.
    /// Blocks on the disk.
    pub fn environments(&self, query: &JournalQuery) -> io::Result<(Vec<EnvironmentLife>, Scanned)> {
        let limit = query.limit.unwrap_or(ENTRIES_MAX).min(ENTRIES_MAX);
        let head = query.function.as_ref().map(entry::head);
        let mut lives = Vec::new();
        // Of a life that was noted more than once, the last note says it all.
        let mut seen = HashSet::new();
        // It may have ended after the query's end.
        let until = JournalQuery { to_epoch_ms: None, ..query.clone() };
        let scanned = self.lines(Kind::Environments, &until, head.as_deref(), life::read, |life| {
            let (made, ended) = (life.made_epoch_ms, life.ended_epoch_ms);
            if query.from_epoch_ms.is_some_and(|from| ended < from - CLOCK_SLACK_MS) || lives.len() >= limit {
                return ControlFlow::Break(());
            }
            let lived = query.from_epoch_ms.is_none_or(|from| ended >= from)
                && query.to_epoch_ms.is_none_or(|to| made < to);
            if lived && seen.insert(life.environment) {
                lives.push(life);
            }
            ControlFlow::Continue(())
        })?;
        lives.reverse();
        Ok((lives, scanned))
    }

    /// Reads lines that begin with `head`, the newest first, and passes over those that cannot be read.
    fn lines<T>(
        &self,
        kind: Kind,
        query: &JournalQuery,
        head: Option<&[u8]>,
        read: impl Fn(&[u8]) -> Option<T>,
        mut visit: impl FnMut(T) -> ControlFlow<()>,
    ) -> io::Result<Scanned> {
        let mut scanned = Scanned::default();
        for segment in newest_first(&self.folder, kind)? {
            // A line belongs to the day on which an invocation ended; it may have begun the day before.
            let begins = segment.day.saturating_mul(DAY_MS);
            let is_before = query.to_epoch_ms.is_some_and(|to| begins.saturating_sub(DAY_MS) >= to);
            let is_after = query.from_epoch_ms.is_some_and(|from| begins.saturating_add(DAY_MS) <= from);
            if is_before || is_after {
                continue;
            }
            let mut lines = match Backwards::open(&segment.path(&self.folder)) {
                Ok(lines) => lines,
                // It was too old, and went meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            while let Some(line) = lines.line()? {
                let line = match line {
                    Line::Whole(line) => line,
                    Line::TooLong => {
                        scanned.damaged += 1;
                        continue;
                    }
                };
                if head.is_some_and(|head| line.starts_with(b"{\"f\":\"") && !line.starts_with(head)) {
                    continue;
                }
                let Some(item) = read(line) else {
                    scanned.damaged += u64::from(!line.is_empty());
                    continue;
                };
                if visit(item).is_break() {
                    return Ok(scanned);
                }
            }
        }
        Ok(scanned)
    }
}

impl JournalQuery {
    fn wants(&self, entry: &JournalEntry) -> bool {
        self.function.as_ref().is_none_or(|function| entry.function == *function)
            && self.from_epoch_ms.is_none_or(|from| entry.started_epoch_ms >= from)
            && self.to_epoch_ms.is_none_or(|to| entry.started_epoch_ms < to)
    }
}

/// An entry in the order of starts, and of lines where those are the same.
struct ByStart {
    /// Lines are read backwards.
    number: Reverse<u64>,
    entry: Box<JournalEntry>,
}

impl ByStart {
    fn key(&self) -> (i64, Reverse<u64>) {
        (self.entry.started_epoch_ms, self.number)
    }
}

impl PartialEq for ByStart {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for ByStart {}

impl PartialOrd for ByStart {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ByStart {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}
