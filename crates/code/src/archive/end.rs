//! The record at the end of an archive, which says where its central directory is.

use super::fields::{u16_at, u32_at, u64_at};
use crate::error::UnpackError;

const END_SIGNATURE: u32 = 0x0605_4b50;
const END_BYTES: usize = 22;
const ZIP64_LOCATOR_SIGNATURE: u32 = 0x0706_4b50;
const ZIP64_LOCATOR_BYTES: usize = 20;
const ZIP64_END_SIGNATURE: u32 = 0x0606_4b50;
const ZIP64_END_BYTES: usize = 56;

/// Where the central directory is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Directory {
    /// Where it begins in the file.
    pub(super) start: usize,
    /// Where it ends in the file.
    pub(super) end: usize,
    /// How many entries it has, as the archive says.
    pub(super) entries: u64,
    /// What is to be added to places that the archive names.
    ///
    /// Something may stand in front of an archive: self-extracting programs and Python's executable archives are made
    /// so, and AWS's users deploy the latter. Tools that put it there do not always correct the places.
    pub(super) shift: usize,
}

/// What the end record says, and where it is.
struct End {
    at: usize,
    entries: u64,
    directory_bytes: u64,
    directory_at: u64,
}

impl Directory {
    /// Finds the central directory. It ends where the end record begins, and that is where it is looked for.
    pub(super) fn find(bytes: &[u8]) -> Result<Self, UnpackError> {
        let at = find_end(bytes)?;
        let end = match read_zip64_end(bytes, at)? {
            Some(end) => end,
            None => read_end(bytes, at).ok_or(SPLIT)?,
        };
        let place = || {
            let start = end.at.checked_sub(usize::try_from(end.directory_bytes).ok()?)?;
            let shift = start.checked_sub(usize::try_from(end.directory_at).ok()?)?;
            Some(Self { start, end: end.at, entries: end.entries, shift })
        };
        place().ok_or(UnpackError::no_archive("its directory lies outside of it"))
    }
}

const SPLIT: UnpackError = UnpackError::NoArchive { problem: "it is a part of a split archive" };

/// Finds the end record. Only its comment may follow, to the last byte: with anything behind it, other readers could
/// see another archive.
fn find_end(bytes: &[u8]) -> Result<usize, UnpackError> {
    let missing = || UnpackError::no_archive("its end is missing, or something follows it");
    let last = bytes.len().checked_sub(END_BYTES).ok_or_else(missing)?;
    let first = last.saturating_sub(usize::from(u16::MAX));
    let mut found = (first..=last).filter(|&at| {
        u32_at(bytes, at) == Some(END_SIGNATURE)
            && u16_at(bytes, at + 20)
                .is_some_and(|comment| at + END_BYTES + usize::from(comment) == bytes.len())
    });
    match (found.next(), found.next()) {
        (Some(at), None) => Ok(at),
        (Some(_), Some(_)) => Err(UnpackError::no_archive("it ends in two ways")),
        (None, _) => Err(missing()),
    }
}

fn read_end(bytes: &[u8], at: usize) -> Option<End> {
    let entries = u16_at(bytes, at + 10)?;
    let is_whole =
        u16_at(bytes, at + 4)? == 0 && u16_at(bytes, at + 6)? == 0 && u16_at(bytes, at + 8)? == entries;
    is_whole.then_some(End {
        at,
        entries: u64::from(entries),
        directory_bytes: u64::from(u32_at(bytes, at + 12)?),
        directory_at: u64::from(u32_at(bytes, at + 16)?),
    })
}

/// Reads the end record for large archives, if there is one: it stands before a locator, which stands before the
/// ordinary end record. What the two both say must be the same.
fn read_zip64_end(bytes: &[u8], end_at: usize) -> Result<Option<End>, UnpackError> {
    let Some(locator_at) = end_at.checked_sub(ZIP64_LOCATOR_BYTES) else { return Ok(None) };
    if u32_at(bytes, locator_at) != Some(ZIP64_LOCATOR_SIGNATURE) {
        return Ok(None);
    }
    let read = || {
        // Only encryption makes the record longer.
        let at = locator_at.checked_sub(ZIP64_END_BYTES)?;
        let end = End {
            at,
            entries: u64_at(bytes, at + 32)?,
            directory_bytes: u64_at(bytes, at + 40)?,
            directory_at: u64_at(bytes, at + 48)?,
        };
        let is_whole = u32_at(bytes, at)? == ZIP64_END_SIGNATURE
            && u64_at(bytes, at + 4)? == (ZIP64_END_BYTES - 12) as u64
            && u32_at(bytes, at + 16)? == 0
            && u32_at(bytes, at + 20)? == 0
            && u64_at(bytes, at + 24)? == end.entries
            && u32_at(bytes, locator_at + 4)? == 0
            && u32_at(bytes, locator_at + 16)? <= 1
            // Whatever stands in front of the archive has moved the record as far as the directory.
            && u64_at(bytes, locator_at + 8)? == end.directory_at.checked_add(end.directory_bytes)?;
        let [short_entries, entries] = [8, 10].map(|field| u16_at(bytes, end_at + field));
        let agrees = [short_entries?, entries?]
            .into_iter()
            .all(|short| short == u16::MAX || u64::from(short) == end.entries)
            && [
                (u32_at(bytes, end_at + 12)?, end.directory_bytes),
                (u32_at(bytes, end_at + 16)?, end.directory_at),
            ]
            .into_iter()
            .all(|(short, long)| short == u32::MAX || u64::from(short) == long);
        (is_whole && agrees).then_some(end)
    };
    read().map(Some).ok_or(UnpackError::no_archive("its two end records disagree"))
}
