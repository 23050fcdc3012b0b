//! The index of a segment that grows no more, as it stands in its file: tables that are searched as they are, with a
//! checksum over all of them. One that is damaged, or of another length of the segment, is none, and is made again.
//!
//! All numbers are little-endian. A head, then blocks (offset, first and last time), streams by name (a span, then
//! where its name and its runs are), names, runs (the gap before it and its length, as variable-length numbers), and
//! the checksum.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;

use super::Wanted;
use super::growing::SegmentIndex;
use super::span::{Block, Span, pieces};

/// What the file begins with; the digit is the version of this form.
const MAGIC: &[u8; 8] = b"hearthI1";
const HEAD_BYTES: usize = 48;
const BLOCK_BYTES: usize = 24;
const STREAM_BYTES: usize = 64;
const CHECKSUM_BYTES: usize = 4;

/// An index in memory, for as long as somebody looks into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::logs) struct SealedIndex {
    bytes: Vec<u8>,
}

/// A stream in an index, with where its runs are.
#[derive(Debug, Clone, Copy)]
pub(super) struct StreamEntry<'a> {
    pub(super) name: &'a str,
    pub(super) span: Span,
    runs: &'a [u8],
}

impl SealedIndex {
    /// Writes down an index of a segment that has `file_bytes`.
    pub(super) fn of(index: &SegmentIndex, file_bytes: u64) -> Self {
        let mut streams: Vec<_> = index.streams().collect();
        streams.sort_unstable_by_key(|(name, _)| *name);
        let (mut table, mut names, mut runs) = (Vec::new(), Vec::<u8>::new(), Vec::new());
        for (name, of) in &streams {
            let Span { from, to, first_ms, last_ms, first_ingestion_ms, last_ingestion_ms } = of.span;
            table.extend([from, to].into_iter().flat_map(u64::to_le_bytes));
            let times = [first_ms, last_ms, first_ingestion_ms, last_ingestion_ms];
            table.extend(times.into_iter().flat_map(i64::to_le_bytes));
            let (name_at, runs_at) = (names.len(), runs.len());
            names.extend(name.as_bytes());
            let mut end = 0;
            for run in &of.runs {
                put_number(&mut runs, run.start - end);
                put_number(&mut runs, run.end - run.start);
                end = run.end;
            }
            // A segment of some megabytes has no index of four gigabytes.
            for number in [name_at, name.len(), runs_at, runs.len() - runs_at] {
                table.extend((number as u32).to_le_bytes());
            }
        }
        let mut bytes = Vec::with_capacity(
            HEAD_BYTES
                + index.blocks.len() * BLOCK_BYTES
                + table.len()
                + names.len()
                + runs.len()
                + CHECKSUM_BYTES,
        );
        bytes.extend(MAGIC);
        bytes.extend(file_bytes.to_le_bytes());
        bytes.extend(index.scanned.to_le_bytes());
        for number in [index.blocks.len(), streams.len(), names.len(), runs.len()] {
            bytes.extend((number as u32).to_le_bytes());
        }
        bytes.resize(HEAD_BYTES, 0);
        for Block { offset, first_ms, last_ms } in &index.blocks {
            bytes.extend(offset.to_le_bytes());
            bytes.extend(first_ms.to_le_bytes());
            bytes.extend(last_ms.to_le_bytes());
        }
        bytes.extend(table);
        bytes.extend(names);
        bytes.extend(runs);
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        Self { bytes }
    }

    /// Reads a file. `None` when it is none of a segment that has `file_bytes`, or damaged.
    pub(super) fn load(path: &Path, file_bytes: u64) -> Option<Self> {
        let index = Self { bytes: fs::read(path).ok()? };
        index.is_whole(file_bytes).then_some(index)
    }

    /// Writes the file. A crash leaves none, or a whole one, or one that is seen to be damaged.
    pub(super) fn save(&self, path: &Path) -> io::Result<()> {
        let half = path.with_extension("positions.new");
        fs::write(&half, &self.bytes)?;
        fs::rename(&half, path)
    }

    fn is_whole(&self, file_bytes: u64) -> bool {
        let Some((tables, checksum)) = self.bytes.split_last_chunk::<CHECKSUM_BYTES>() else { return false };
        let is_ours = tables.len() >= HEAD_BYTES && tables.starts_with(MAGIC);
        is_ours
            && u64_at(tables, 8) == file_bytes
            && self.runs_from() + self.count(3) == tables.len()
            && crc32fast::hash(tables) == u32::from_le_bytes(*checksum)
    }

    /// One of the four lengths in the head.
    fn count(&self, which: usize) -> usize {
        u32_at(&self.bytes, 24 + 4 * which) as usize
    }

    fn table_from(&self) -> usize {
        HEAD_BYTES + self.count(0) * BLOCK_BYTES
    }

    fn names_from(&self) -> usize {
        self.table_from() + self.stream_count() * STREAM_BYTES
    }

    fn runs_from(&self) -> usize {
        self.names_from() + self.count(2)
    }

    /// Returns how many streams the segment has.
    pub(super) fn stream_count(&self) -> usize {
        self.count(1)
    }

    fn scanned(&self) -> u64 {
        u64_at(&self.bytes, 16)
    }

    fn blocks(&self) -> Vec<Block> {
        let block = |at: usize| {
            let at = HEAD_BYTES + at * BLOCK_BYTES;
            Block {
                offset: u64_at(&self.bytes, at),
                first_ms: i64_at(&self.bytes, at + 8),
                last_ms: i64_at(&self.bytes, at + 16),
            }
        };
        (0..self.count(0)).map(block).collect()
    }

    /// Returns between which times all events lie, both included; `None` when there is none.
    pub(super) fn times(&self) -> Option<(i64, i64)> {
        let blocks = self.blocks();
        Some((
            blocks.iter().map(|block| block.first_ms).min()?,
            blocks.iter().map(|block| block.last_ms).max()?,
        ))
    }

    fn entry(&self, at: usize) -> StreamEntry<'_> {
        let bytes = &self.bytes;
        let at = self.table_from() + at * STREAM_BYTES;
        let part = |from: usize, at: usize| {
            let begins = from + u32_at(bytes, at) as usize;
            bytes.get(begins..begins + u32_at(bytes, at + 4) as usize).unwrap_or_default()
        };
        StreamEntry {
            span: Span {
                from: u64_at(bytes, at),
                to: u64_at(bytes, at + 8),
                first_ms: i64_at(bytes, at + 16),
                last_ms: i64_at(bytes, at + 24),
                first_ingestion_ms: i64_at(bytes, at + 32),
                last_ingestion_ms: i64_at(bytes, at + 40),
            },
            name: std::str::from_utf8(part(self.names_from(), at + 48)).unwrap_or_default(),
            runs: part(self.runs_from(), at + 56),
        }
    }

    /// Returns the streams from `from` on, by name.
    pub(super) fn streams(&self, from: usize) -> impl Iterator<Item = StreamEntry<'_>> {
        (from..self.stream_count()).map(|at| self.entry(at))
    }

    /// Returns where the first stream stands that does not come before `name`.
    fn lower_bound(&self, name: &str) -> usize {
        let (mut low, mut high) = (0, self.stream_count());
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.entry(middle).name < name {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Returns what there is of a stream.
    pub(super) fn stream(&self, name: &str) -> Option<StreamEntry<'_>> {
        self.streams(self.lower_bound(name)).next().filter(|entry| entry.name == name)
    }

    /// Returns which bytes to read for what is wanted.
    pub(super) fn pieces(&self, wanted: &Wanted<'_>) -> Vec<Range<u64>> {
        let of_entries = |entries: &mut dyn Iterator<Item = StreamEntry<'_>>| -> Vec<Range<u64>> {
            entries
                .filter(|entry| wanted.is_in_time(&entry.span))
                .flat_map(|entry| runs(entry.runs))
                .collect()
        };
        let runs = match wanted.names() {
            Some(names) => of_entries(&mut names.iter().filter_map(|name| self.stream(name))),
            None => match wanted.prefix() {
                Some(prefix) => {
                    let from = self.streams(self.lower_bound(prefix));
                    of_entries(&mut from.take_while(|entry| entry.name.starts_with(prefix)))
                }
                None => std::iter::once(0..self.scanned()).collect(),
            },
        };
        pieces(runs, &self.blocks(), self.scanned(), wanted.start_ms, wanted.end_ms)
    }
}

fn runs(mut bytes: &[u8]) -> Vec<Range<u64>> {
    let (mut runs, mut end) = (Vec::new(), 0_u64);
    while let (Some(gap), Some(length)) = (take_number(&mut bytes), take_number(&mut bytes)) {
        let from = end.saturating_add(gap);
        end = from.saturating_add(length);
        runs.push(from..end);
    }
    runs
}

/// Seven bits a byte, the lowest first; the eighth bit says that there is more.
fn put_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |chunk| u32::from_le_bytes(*chunk))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    u64_at(bytes, at).cast_signed()
}
