//! Reading what a zip archive says about itself: the record at its end, its central directory, and the header in front
//! of each entry's data. Everything is checked here, nothing is unpacked here.
//!
//! Only the central directory counts, and it must say the same as the headers in front of the data: what two readers
//! could understand in two ways is refused. What is read is bounded by the archive's own length, which is in memory:
//! numbers in it only ever select a part of it, or are refused.
//!
//! Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 to 4.5; Unix modes as Info-ZIP keeps them.

mod end;
mod fields;

use crate::error::{ENTRIES_MAX, UnpackError};
use end::Directory;
use fields::{Zip64, u16_at, u32_at};

const CENTRAL_SIGNATURE: u32 = 0x0201_4b50;
const CENTRAL_BYTES: usize = 46;
const LOCAL_SIGNATURE: u32 = 0x0403_4b50;
const LOCAL_BYTES: usize = 30;

/// General purpose bits 0 (encrypted), 5 (a patch), 6 (strong encryption), 13 (masked headers).
const UNREADABLE_FLAGS: u16 = 1 | 1 << 5 | 1 << 6 | 1 << 13;
/// General purpose bit 3: sizes and checksum were not known when the local header was written.
const SIZES_FOLLOW: u16 = 1 << 3;
/// General purpose bit 11: the name is UTF-8.
const NAME_IS_UTF8: u16 = 1 << 11;

/// An archive that lies in memory.
#[derive(Debug)]
pub struct Archive<'a> {
    entries: Vec<Entry<'a>>,
}

/// An entry of an archive.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) kind: Kind,
    pub(crate) is_deflated: bool,
    /// As it lies in the archive.
    pub(crate) data: &'a [u8],
    /// What it is unpacked, as the archive says.
    pub(crate) size: u64,
    pub(crate) crc32: u32,
}

/// What an entry becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File { is_executable: bool },
    Folder,
    Link,
}

impl<'a> Archive<'a> {
    /// Reads an archive. Never panics, and takes less memory than twice the archive's length.
    pub fn read(bytes: &'a [u8]) -> Result<Self, UnpackError> {
        let directory = Directory::find(bytes)?;
        if directory.entries == 0 {
            return Err(UnpackError::no_archive("it has no entries"));
        }
        if directory.entries > ENTRIES_MAX as u64 {
            return Err(UnpackError::TooManyEntries);
        }
        let mut records = &bytes[directory.start..directory.end];
        if directory.entries > (records.len() / CENTRAL_BYTES) as u64 {
            return Err(UnpackError::no_archive("its directory is shorter than its entries"));
        }
        let before = &bytes[..directory.start];
        let mut entries = Vec::with_capacity(directory.entries as usize);
        let mut extents = Vec::with_capacity(directory.entries as usize);
        for _ in 0..directory.entries {
            let (record, rest) = Record::read(records)?;
            records = rest;
            let (entry, extent) = record.entry(before, directory.shift)?;
            entries.push(entry);
            extents.push(extent);
        }
        if !records.is_empty() {
            return Err(UnpackError::no_archive("its directory is longer than its entries"));
        }
        // One piece of data that is many entries makes an archive grow beyond what deflate can do.
        extents.sort_unstable();
        if extents.windows(2).any(|pair| pair[1].0 < pair[0].1) {
            return Err(UnpackError::no_archive("two of its entries share data"));
        }
        Ok(Self { entries })
    }

    /// Returns the entries in the order of the central directory.
    pub(crate) fn entries(&self) -> &[Entry<'a>] {
        &self.entries
    }

    /// Returns how many bytes the archive says that it is unpacked.
    pub fn unpacked_bytes(&self) -> u64 {
        self.entries.iter().fold(0, |sum, entry| sum.saturating_add(entry.size))
    }
}

impl Entry<'_> {
    pub(crate) fn refused(&self, problem: &'static str) -> UnpackError {
        UnpackError::refused(self.name, problem)
    }
}

/// A record of the central directory.
struct Record<'a> {
    name: &'a [u8],
    flags: u16,
    method: u16,
    crc32: u32,
    packed: u64,
    size: u64,
    external_attributes: u32,
    local_at: u64,
}

impl<'a> Record<'a> {
    /// Reads the first record, and returns what follows it.
    fn read(records: &'a [u8]) -> Result<(Self, &'a [u8]), UnpackError> {
        let broken = || UnpackError::no_archive("its directory is broken");
        let parse = || {
            let name_end = CENTRAL_BYTES + usize::from(u16_at(records, 28)?);
            let extra_end = name_end + usize::from(u16_at(records, 30)?);
            let end = extra_end + usize::from(u16_at(records, 32)?);
            let name = records.get(CENTRAL_BYTES..name_end)?;
            let extra = records.get(name_end..extra_end)?;
            let rest = records.get(end..)?;
            // The values that do not fit stand in the extra field, in this order.
            let mut zip64 = Zip64::find(extra);
            let size = zip64.widen(u32_at(records, 24)?)?;
            let packed = zip64.widen(u32_at(records, 20)?)?;
            let local_at = zip64.widen(u32_at(records, 42)?)?;
            let disk = zip64.widen_disk(u16_at(records, 34)?)?;
            let record = Self {
                name,
                flags: u16_at(records, 8)?,
                method: u16_at(records, 10)?,
                crc32: u32_at(records, 16)?,
                packed,
                size,
                external_attributes: u32_at(records, 38)?,
                local_at,
            };
            (u32_at(records, 0)? == CENTRAL_SIGNATURE && disk == 0).then_some((record, rest))
        };
        parse().ok_or_else(broken)
    }

    /// Finds the data. Returns the entry, and from where to where header and data lie in the archive.
    fn entry(self, before: &'a [u8], shift: usize) -> Result<(Entry<'a>, (usize, usize)), UnpackError> {
        let refused = |problem| UnpackError::refused(self.name, problem);
        if self.flags & UNREADABLE_FLAGS != 0 {
            return Err(refused("is encrypted, or a patch of something else"));
        }
        let is_deflated = match self.method {
            0 => false,
            8 => true,
            _ => return Err(refused("is neither stored nor deflated")),
        };
        if !is_deflated && self.packed != self.size {
            return Err(refused("is stored with two sizes"));
        }
        // Without the flag, nobody knows the encoding; names of Linux are bytes, and these stay as they came.
        if self.flags & NAME_IS_UTF8 != 0 && str::from_utf8(self.name).is_err() {
            return Err(refused("has a name that is not UTF-8, as it says"));
        }
        let kind = self.kind()?;
        if kind == Kind::Folder && self.size != 0 {
            return Err(refused("is a folder with content"));
        }
        let start = usize::try_from(self.local_at).ok().and_then(|at| at.checked_add(shift));
        let local = start.and_then(|start| before.get(start..).map(|local| (start, local)));
        let (start, local) = local.ok_or_else(|| refused("lies outside of the archive"))?;
        let data_at = self.check_local(local).ok_or_else(|| {
            refused("has a header in front of its data that says something else than the directory")
        })?;
        let data = usize::try_from(self.packed)
            .ok()
            .and_then(|packed| data_at.checked_add(packed))
            .and_then(|data_end| local.get(data_at..data_end))
            .ok_or_else(|| refused("ends outside of the archive"))?;
        let extent = (start, start + data_at + data.len());
        let entry = Entry { name: self.name, kind, is_deflated, data, size: self.size, crc32: self.crc32 };
        Ok((entry, extent))
    }

    /// Reads what is to become of the entry. Tools on Windows keep a Unix mode, too, or none.
    fn kind(&self) -> Result<Kind, UnpackError> {
        let mode = self.external_attributes >> 16;
        let is_named_as_folder = self.name.ends_with(b"/");
        match mode & 0o170_000 {
            0o040_000 => Ok(Kind::Folder),
            0 | 0o100_000 if is_named_as_folder => Ok(Kind::Folder),
            0 | 0o100_000 => Ok(Kind::File { is_executable: mode & 0o111 != 0 }),
            0o120_000 if !is_named_as_folder => Ok(Kind::Link),
            _ => Err(UnpackError::refused(self.name, "is neither a file nor a folder nor a link")),
        }
    }

    /// Returns where the data begins, when the header in front of it says the same as this record.
    fn check_local(&self, local: &[u8]) -> Option<usize> {
        let flags = u16_at(local, 6)?;
        let name_end = LOCAL_BYTES + usize::from(u16_at(local, 26)?);
        let data_at = name_end + usize::from(u16_at(local, 28)?);
        let name = local.get(LOCAL_BYTES..name_end)?;
        let mut zip64 = Zip64::find(local.get(name_end..data_at)?);
        // Whoever writes without knowing the sizes puts zeros here, or, where they might not fit, the mark for that.
        let sizes_follow = flags & SIZES_FOLLOW != 0;
        let agrees =
            |found: u64, known: u64| found == known || (sizes_follow && (found == 0 || found == 0xffff_ffff));
        let size = u32_at(local, 22)?;
        let packed = u32_at(local, 18)?;
        let size = zip64.widen(size).unwrap_or(u64::from(size));
        let packed = zip64.widen(packed).unwrap_or(u64::from(packed));
        let is_same = u32_at(local, 0)? == LOCAL_SIGNATURE
            && name == self.name
            && flags & UNREADABLE_FLAGS == 0
            && u16_at(local, 8)? == self.method
            && agrees(u64::from(u32_at(local, 14)?), u64::from(self.crc32))
            && agrees(size, self.size)
            && agrees(packed, self.packed);
        is_same.then_some(data_at)
    }
}
