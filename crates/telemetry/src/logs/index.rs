//! What is where in a segment: which streams, and which times. Made by whoever reads, never by the writer: the path of an
//! invocation does not pay for it. All of it follows from the segments, so it may be lost at any time.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use serde::{Deserialize, Serialize};

use super::segment::{Lines, segment_path};

/// How far apart the times are that an index notes.
const CHECKPOINT_BYTES: u64 = 256 << 10;
/// How many indexes are kept in memory. One is a few kilobytes; one of a thousand streams is 150.
const CACHED_MAX: usize = 128;

/// What is where in one segment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SegmentIndex {
    /// Up to where the segment was read.
    scanned: u64,
    /// The length of the file then.
    file_bytes: u64,
    streams: BTreeMap<String, Span>,
    /// Offsets, and the latest time of all events before each.
    checkpoints: Vec<(u64, i64)>,
}

/// What a segment has of one stream. Times are in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Span {
    /// Where its first event begins.
    pub(super) from: u64,
    /// Where its last event ends.
    pub(super) to: u64,
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
    pub(super) first_ingestion_ms: i64,
    pub(super) last_ingestion_ms: i64,
}

impl SegmentIndex {
    /// The streams, by name.
    pub(super) fn streams(&self) -> &BTreeMap<String, Span> {
        &self.streams
    }

    /// Between which offsets the events are of the streams that are `wanted`, from `start_ms` until before `end_ms`.
    /// There may be others among them.
    pub(super) fn range(
        &self,
        wanted: impl Fn(&str) -> bool,
        start_ms: i64,
        end_ms: i64,
    ) -> Option<Range<u64>> {
        let of_then = |span: &Span| span.last_ms >= start_ms && span.first_ms < end_ms;
        let mut range: Option<Range<u64>> = None;
        for (_, span) in self.streams.iter().filter(|(name, span)| of_then(span) && wanted(name)) {
            let so_far = range.get_or_insert(span.from..span.to);
            *so_far = so_far.start.min(span.from)..so_far.end.max(span.to);
        }
        let mut range = range?;
        let earlier = self.checkpoints.partition_point(|(_, latest)| *latest < start_ms);
        if let Some((offset, _)) = earlier.checked_sub(1).and_then(|at| self.checkpoints.get(at)) {
            range.start = range.start.max(*offset);
        }
        Some(range)
    }

    /// Reads on, up to the end of the file.
    fn extend(&mut self, path: &Path, file_bytes: u64) -> io::Result<()> {
        let Some(mut lines) = Lines::open(path, self.scanned)? else { return Ok(()) };
        let mut latest_ms = self.streams.values().map(|span| span.last_ms).max().unwrap_or(i64::MIN);
        let mut noted = self.checkpoints.last().map_or(0, |(offset, _)| *offset);
        while let Some(from) = lines.advance()? {
            if from >= noted + CHECKPOINT_BYTES {
                self.checkpoints.push((from, latest_ms));
                noted = from;
            }
            self.scanned = lines.offset();
            let Some(line) = lines.head() else { continue };
            let (to, at_ms, ingestion_ms) = (lines.offset(), line.timestamp_ms, line.ingestion_ms());
            latest_ms = latest_ms.max(at_ms);
            match self.streams.get_mut(&*line.log_stream) {
                Some(span) => {
                    span.to = to;
                    span.first_ms = span.first_ms.min(at_ms);
                    span.last_ms = span.last_ms.max(at_ms);
                    span.last_ingestion_ms = ingestion_ms;
                }
                None => {
                    let span = Span {
                        from,
                        to,
                        first_ms: at_ms,
                        last_ms: at_ms,
                        first_ingestion_ms: ingestion_ms,
                        last_ingestion_ms: ingestion_ms,
                    };
                    self.streams.insert(line.log_stream.into_owned(), span);
                }
            }
        }
        self.file_bytes = file_bytes;
        Ok(())
    }
}

/// Where the index of a segment that grows no more is kept.
pub(super) fn index_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:012}.index"))
}

/// The indexes of all groups.
#[derive(Default)]
pub(super) struct Indexes(Mutex<Cached>);

#[derive(Default)]
struct Cached {
    indexes: HashMap<PathBuf, (u64, Arc<SegmentIndex>)>,
    uses: u64,
}

impl Indexes {
    /// Returns the index of a segment as it is now. That of one that `grows` no more is kept on disk.
    pub(super) fn of(&self, folder: &Path, number: u64, grows: bool) -> io::Result<Arc<SegmentIndex>> {
        let path = segment_path(folder, number);
        let file_bytes = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Arc::default()),
            Err(error) => return Err(error),
        };
        let mut known = self.known(&path);
        if known.is_none() && !grows {
            known = load(&index_path(folder, number), file_bytes).map(Arc::new);
        }
        let index = match known {
            Some(index) if index.file_bytes == file_bytes => index,
            known => {
                let mut index = known.map(|index| SegmentIndex::clone(&index)).unwrap_or_default();
                index.extend(&path, file_bytes)?;
                if !grows {
                    save(&index_path(folder, number), &index);
                }
                Arc::new(index)
            }
        };
        self.remember(path, index.clone());
        Ok(index)
    }

    /// Makes the indexes of segments that have just been closed, as long as some may come.
    pub(super) fn make(&self, closed: &mpsc::Receiver<(PathBuf, u64)>) {
        for (folder, number) in closed {
            if let Err(error) = self.of(&folder, number, false) {
                tracing::warn!(folder = %folder.display(), number, %error, "cannot index a log segment");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Cached> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, path: &Path) -> Option<Arc<SegmentIndex>> {
        self.lock().indexes.get(path).map(|(_, index)| index.clone())
    }

    fn remember(&self, path: PathBuf, index: Arc<SegmentIndex>) {
        let mut cached = self.lock();
        cached.uses += 1;
        let uses = cached.uses;
        cached.indexes.insert(path, (uses, index));
        if cached.indexes.len() > CACHED_MAX {
            let oldest =
                cached.indexes.iter().min_by_key(|(_, (used, _))| *used).map(|(path, _)| path.clone());
            oldest.and_then(|path| cached.indexes.remove(&path));
        }
    }
}

fn load(path: &Path, file_bytes: u64) -> Option<SegmentIndex> {
    let index: SegmentIndex = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    (index.file_bytes == file_bytes).then_some(index)
}

/// An index that cannot be kept is made again by the next reader.
fn save(path: &Path, index: &SegmentIndex) {
    let Ok(text) = serde_json::to_vec(index) else { return };
    let half = path.with_extension("index.new");
    if let Err(error) = fs::write(&half, text).and_then(|()| fs::rename(&half, path)) {
        tracing::debug!(path = %path.display(), %error, "the index of a log segment is not kept");
    }
}
