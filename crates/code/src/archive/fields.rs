//! Numbers in an archive: little-endian, at places that may not be there.

/// Identifier of the extra field for values that do not fit into 32 bits.
const ZIP64_EXTRA: u16 = 1;

/// Returns the number at `at`, if there is one.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Returns the number at `at`, if there is one.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Returns the number at `at`, if there is one.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The values of an entry that do not fit into their own place.
pub(super) struct Zip64<'a>(&'a [u8]);

impl<'a> Zip64<'a> {
    /// Looks for them among the extra fields. What cannot be read as extra fields is padding.
    pub(super) fn find(mut extra: &'a [u8]) -> Self {
        while let (Some(id), Some(length)) = (u16_at(extra, 0), u16_at(extra, 2)) {
            let end = 4 + usize::from(length);
            let Some(value) = extra.get(4..end) else { break };
            if id == ZIP64_EXTRA {
                return Self(value);
            }
            extra = &extra[end..];
        }
        Self(&[])
    }

    /// Returns `value`, or the next of the larger values when it says so. `None` when there is none.
    pub(super) fn widen(&mut self, value: u32) -> Option<u64> {
        if value != u32::MAX {
            return Some(u64::from(value));
        }
        let wide = u64_at(self.0, 0)?;
        self.0 = &self.0[8..];
        Some(wide)
    }

    /// The same for the number of the disk, which comes last.
    pub(super) fn widen_disk(&self, disk: u16) -> Option<u32> {
        if disk == u16::MAX { u32_at(self.0, 0) } else { Some(u32::from(disk)) }
    }
}
