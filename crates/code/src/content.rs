//! Unpacking the data of one entry. Bytes are counted as they come out, not as the archive claims.

use flate2::{Crc, Decompress, FlushDecompress, Status};

use crate::archive::Entry;
use crate::error::UnpackError;

/// How much is unpacked at a time.
const PIECE_BYTES: usize = 128 * 1_024;

/// Unpacks one entry after the other.
pub(crate) struct Unpacker {
    inflate: Decompress,
    piece: Box<[u8]>,
}

impl Unpacker {
    pub(crate) fn new() -> Self {
        Self { inflate: Decompress::new(false), piece: vec![0; PIECE_BYTES].into() }
    }

    /// Unpacks an entry and hands its bytes to `write`, never more than the archive has announced.
    pub(crate) fn unpack(
        &mut self,
        entry: &Entry<'_>,
        mut write: impl FnMut(&[u8]) -> Result<(), UnpackError>,
    ) -> Result<(), UnpackError> {
        let mut crc = Crc::new();
        let mut left = entry.size;
        let mut take = |piece: &[u8]| {
            left = left
                .checked_sub(piece.len() as u64)
                .ok_or_else(|| entry.refused("is larger than the archive says"))?;
            crc.update(piece);
            write(piece)
        };
        if entry.is_deflated {
            self.inflate(entry, &mut take)?;
        } else {
            take(entry.data)?;
        }
        if left > 0 {
            return Err(entry.refused("is smaller than the archive says"));
        }
        if crc.sum() == entry.crc32 { Ok(()) } else { Err(entry.refused("has a wrong checksum")) }
    }

    fn inflate(
        &mut self,
        entry: &Entry<'_>,
        mut take: impl FnMut(&[u8]) -> Result<(), UnpackError>,
    ) -> Result<(), UnpackError> {
        self.inflate.reset(false);
        let mut packed = entry.data;
        loop {
            let (taken, given) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(packed, &mut self.piece, FlushDecompress::None)
                .map_err(|_| entry.refused("is damaged"))?;
            let taken = (self.inflate.total_in() - taken) as usize;
            let given = (self.inflate.total_out() - given) as usize;
            packed = &packed[taken..];
            take(&self.piece[..given])?;
            match status {
                Status::StreamEnd if packed.is_empty() => return Ok(()),
                Status::StreamEnd => return Err(entry.refused("has more data than it needs")),
                // Nothing in and nothing out: it would wait for more.
                Status::Ok | Status::BufError if taken == 0 && given == 0 => {
                    return Err(entry.refused("ends too early"));
                }
                Status::Ok | Status::BufError => {}
            }
        }
    }
}
