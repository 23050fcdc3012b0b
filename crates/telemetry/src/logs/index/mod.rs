//! What is where in the segments of a group: which streams, and which times. Made by whoever reads, or by a thread that has
//! nothing else to do, never by the writer: the path of an invocation does not pay for it. All of it follows from the
//! segments, so it may be lost at any time.
//!
//! In memory are the index of a segment that grows, between which times each other segment lies, and which streams a
//! group has; each with its limit. The rest is read from its files when it is asked for.

mod growing;
mod sealed;
mod span;
mod streams;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use self::growing::SegmentIndex;
use self::sealed::SealedIndex;
pub(super) use self::span::Span;
pub(super) use self::streams::{GroupStreams, Totals};
use super::StreamSelection;
use super::segment::segment_path;

/// How many indexes of segments that grow are kept. The largest, of a segment whose every event is of another stream than
/// the one before, is about 4 MiB.
const GROWING_MAX: usize = 16;
/// Of how many segments the times are kept: 16 bytes and a path each.
const TIMES_MAX: usize = 65_536;
/// How many streams are kept, of those groups that were asked for last: about 200 bytes each. The group that was asked for
/// last is kept as a whole, however many it has.
const STREAMS_MAX: usize = 250_000;

/// Which streams, from `start_ms` until before `end_ms`.
pub(super) struct Wanted<'a> {
    pub(super) streams: &'a StreamSelection,
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
}

impl Wanted<'_> {
    fn is_in_time(&self, span: &Span) -> bool {
        span.last_ms >= self.start_ms && span.first_ms < self.end_ms
    }

    fn names(&self) -> Option<&[String]> {
        match self.streams {
            StreamSelection::Named(names) => Some(names),
            StreamSelection::All | StreamSelection::Prefix(_) => None,
        }
    }

    fn prefix(&self) -> Option<&str> {
        match self.streams {
            StreamSelection::Prefix(prefix) => Some(prefix),
            StreamSelection::All | StreamSelection::Named(_) => None,
        }
    }
}

/// Where the index of a segment that grows no more is kept.
pub(super) fn index_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:012}.positions"))
}

/// Where an earlier Hearth kept it, in another form.
pub(super) fn earlier_index_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:012}.index"))
}

/// The indexes of all groups.
#[derive(Default)]
pub(super) struct Indexes(Mutex<Cached>);

type Shared<T> = Arc<Mutex<T>>;

#[derive(Default)]
struct Cached {
    growing: HashMap<PathBuf, (u64, Shared<SegmentIndex>)>,
    /// The length of a segment that grows no more, and between which times its events lie.
    times: HashMap<PathBuf, (u64, Option<(i64, i64)>)>,
    /// Of a group's folder; and how many they are.
    streams: HashMap<PathBuf, (u64, usize, Shared<GroupStreams>)>,
    uses: u64,
}

impl Cached {
    fn next_use(&mut self) -> u64 {
        self.uses += 1;
        self.uses
    }
}

impl Indexes {
    /// Returns which bytes of a segment to read for what is wanted.
    pub(super) fn pieces(
        &self,
        folder: &Path,
        number: u64,
        grows: bool,
        wanted: &Wanted<'_>,
    ) -> io::Result<Vec<Range<u64>>> {
        let path = segment_path(folder, number);
        let Some(file_bytes) = length(&path)? else { return Ok(Vec::new()) };
        if grows {
            return self.with_growing(&path, file_bytes, |index| index.pieces(wanted));
        }
        let known = self.lock().times.get(&path).copied();
        if let Some((of_bytes, times)) = known
            && of_bytes == file_bytes
            && times.is_none_or(|(first, last)| last < wanted.start_ms || first >= wanted.end_ms)
        {
            return Ok(Vec::new());
        }
        Ok(self.sealed(folder, number, file_bytes)?.pieces(wanted))
    }

    /// Returns what a segment has of a stream.
    pub(super) fn span(
        &self,
        folder: &Path,
        number: u64,
        grows: bool,
        name: &str,
    ) -> io::Result<Option<Span>> {
        let path = segment_path(folder, number);
        let Some(file_bytes) = length(&path)? else { return Ok(None) };
        if grows {
            self.with_growing(&path, file_bytes, |index| index.stream(name).map(|of| of.span))
        } else {
            Ok(self.sealed(folder, number, file_bytes)?.stream(name).map(|entry| entry.span))
        }
    }

    /// Calls `look` with each stream of the segment that grows.
    pub(super) fn each_growing(
        &self,
        folder: &Path,
        number: u64,
        mut look: impl FnMut(&str, &Span),
    ) -> io::Result<()> {
        let path = segment_path(folder, number);
        let Some(file_bytes) = length(&path)? else { return Ok(()) };
        self.with_growing(&path, file_bytes, |index| {
            index.streams().for_each(|(name, of)| look(name, &of.span));
        })
    }

    /// Returns which streams a group has in the segments `sealed`, which grow no more.
    pub(super) fn streams(&self, folder: &Path, sealed: &[u64]) -> io::Result<Shared<GroupStreams>> {
        let streams = {
            let mut cached = self.lock();
            let uses = cached.next_use();
            let entry = cached.streams.entry(folder.to_owned()).or_default();
            entry.0 = uses;
            entry.2.clone()
        };
        let count = {
            let mut streams = streams.lock().unwrap_or_else(PoisonError::into_inner);
            streams.update(sealed, |number| {
                let file_bytes = length(&segment_path(folder, number))?.unwrap_or(0);
                self.sealed(folder, number, file_bytes)
            })?;
            streams.by_name.len()
        };
        let mut cached = self.lock();
        if let Some(entry) = cached.streams.get_mut(folder) {
            entry.1 = count;
        }
        while cached.streams.len() > 1
            && cached.streams.values().map(|(_, count, _)| count).sum::<usize>() > STREAMS_MAX
        {
            forget_oldest(&mut cached.streams, |(uses, _, _)| *uses);
        }
        Ok(streams)
    }

    /// Makes the indexes of segments that have just been closed, as long as some may come.
    pub(super) fn make(&self, closed: &mpsc::Receiver<(PathBuf, u64)>) {
        for (folder, number) in closed {
            let made = length(&segment_path(&folder, number)).and_then(|file_bytes| match file_bytes {
                Some(file_bytes) => self.sealed(&folder, number, file_bytes).map(drop),
                None => Ok(()),
            });
            if let Err(error) = made {
                tracing::warn!(folder = %folder.display(), number, %error, "cannot index a log segment");
            }
        }
    }

    /// Returns the index of a segment that grows no more: from its file, or made.
    fn sealed(&self, folder: &Path, number: u64, file_bytes: u64) -> io::Result<SealedIndex> {
        let (path, kept) = (segment_path(folder, number), index_path(folder, number));
        let index = match SealedIndex::load(&kept, file_bytes) {
            Some(index) => index,
            None => {
                let grown = self.lock().growing.remove(&path).map(|(_, index)| index);
                let grown = grown.unwrap_or_default();
                let mut grown = grown.lock().unwrap_or_else(PoisonError::into_inner);
                grown.extend(&path, file_bytes)?;
                let index = SealedIndex::of(&grown, file_bytes);
                match index.save(&kept) {
                    Ok(()) => drop(fs::remove_file(earlier_index_path(folder, number))),
                    // The next reader makes it again.
                    Err(error) => {
                        tracing::debug!(path = %kept.display(), %error, "the index of a log segment is not kept");
                    }
                }
                index
            }
        };
        let mut cached = self.lock();
        cached.growing.remove(&path);
        if cached.times.len() >= TIMES_MAX {
            cached.times.clear();
        }
        cached.times.insert(path, (file_bytes, index.times()));
        Ok(index)
    }

    /// Looks into the index of the segment that grows, as far as that has got.
    fn with_growing<T>(
        &self,
        path: &Path,
        file_bytes: u64,
        look: impl FnOnce(&SegmentIndex) -> T,
    ) -> io::Result<T> {
        let index = {
            let mut cached = self.lock();
            let uses = cached.next_use();
            let entry = cached.growing.entry(path.to_owned()).or_default();
            entry.0 = uses;
            let index = entry.1.clone();
            if cached.growing.len() > GROWING_MAX {
                forget_oldest(&mut cached.growing, |(uses, _)| *uses);
            }
            index
        };
        let mut index = index.lock().unwrap_or_else(PoisonError::into_inner);
        // Another reader may have been further; nothing that was read is taken back.
        if index.scanned < file_bytes {
            index.extend(path, file_bytes)?;
        }
        Ok(look(&index))
    }

    fn lock(&self) -> MutexGuard<'_, Cached> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns how long a segment is; `None` when retention was faster.
fn length(path: &Path) -> io::Result<Option<u64>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn forget_oldest<T>(cached: &mut HashMap<PathBuf, T>, uses: impl Fn(&T) -> u64) {
    let oldest = cached.iter().min_by_key(|(_, entry)| uses(entry)).map(|(path, _)| path.clone());
    oldest.and_then(|path| cached.remove(&path));
}
