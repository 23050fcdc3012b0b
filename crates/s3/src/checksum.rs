//! The checksums that clients send along with what they upload.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hearth_store::ChecksumRecord;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// A way to sum up bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

pub(crate) const ALL: [Algorithm; 5] =
    [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme, Algorithm::Sha1, Algorithm::Sha256];

impl Algorithm {
    /// Its name, as S3 spells it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// The header that has such a checksum.
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    pub(crate) fn of_header(header: &str) -> Option<Self> {
        ALL.into_iter().find(|algorithm| algorithm.header().eq_ignore_ascii_case(header))
    }
}

/// Sums up what it is given.
pub(crate) enum Hasher {
    Crc(Crc),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Hasher {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Crc32 => Self::Crc(Crc::new(&CRC32, 32)),
            Algorithm::Crc32c => Self::Crc(Crc::new(&CRC32C, 32)),
            Algorithm::Crc64Nvme => Self::Crc(Crc::new(&CRC64_NVME, 64)),
            Algorithm::Sha1 => Self::Sha1(Sha1::new()),
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc(crc) => crc.update(bytes),
            Self::Sha1(hash) => hash.update(bytes),
            Self::Sha256(hash) => hash.update(bytes),
        }
    }

    /// Returns the checksum in base64.
    pub(crate) fn finish(self) -> String {
        match self {
            Self::Crc(crc) => STANDARD.encode(crc.finish()),
            Self::Sha1(hash) => STANDARD.encode(hash.finalize()),
            Self::Sha256(hash) => STANDARD.encode(hash.finalize()),
        }
    }
}

/// Returns a checksum as it is kept.
pub(crate) fn record(algorithm: Algorithm, value: String) -> ChecksumRecord {
    ChecksumRecord { algorithm: algorithm.name().to_owned(), value }
}

/// Eight tables of 256 remainders: eight bytes at a time.
type Tables = [[u64; 256]; 8];

/// The polynomials with their bits reversed, as all three are used.
static CRC32: Tables = tables(0xedb8_8320);
static CRC32C: Tables = tables(0x82f6_3b78);
static CRC64_NVME: Tables = tables(0x9a6c_9329_ac4b_c9b5);

const fn tables(polynomial: u64) -> Tables {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let (mut remainder, mut bit) = (byte as u64, 0);
        while bit < 8 {
            remainder = if remainder & 1 == 1 { remainder >> 1 ^ polynomial } else { remainder >> 1 };
            bit += 1;
        }
        tables[0][byte] = remainder;
        byte += 1;
    }
    let mut table = 1;
    while table < 8 {
        byte = 0;
        while byte < 256 {
            let before = tables[table - 1][byte];
            tables[table][byte] = before >> 8 ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        table += 1;
    }
    tables
}

/// A cyclic redundancy check whose register begins and ends inverted.
pub(crate) struct Crc {
    tables: &'static Tables,
    bits: u32,
    register: u64,
}

impl Crc {
    fn new(tables: &'static Tables, bits: u32) -> Self {
        Self { tables, bits, register: u64::MAX >> (64 - bits) }
    }

    fn update(&mut self, bytes: &[u8]) {
        let mut eights = bytes.chunks_exact(8);
        for eight in &mut eights {
            let mixed =
                u64::from_le_bytes(eight.try_into().expect("chunks of eight are eight")) ^ self.register;
            let part = |at: usize| self.tables[7 - at][(mixed >> (8 * at) & 0xff) as usize];
            self.register = (0..8).fold(0, |register, at| register ^ part(at));
        }
        for byte in eights.remainder() {
            let at = (self.register ^ u64::from(*byte)) & 0xff;
            self.register = self.register >> 8 ^ self.tables[0][at as usize];
        }
    }

    fn finish(self) -> Vec<u8> {
        let inverted = self.register ^ u64::MAX >> (64 - self.bits);
        inverted.to_be_bytes()[8 - self.bits as usize / 8..].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of the catalogue of parametrised CRC algorithms, and of the standards of the two hashes.
    #[test]
    fn each_algorithm_sums_up_as_its_definition_says() {
        for (algorithm, expected) in [
            (Algorithm::Crc32, "cbf43926"),
            (Algorithm::Crc32c, "e3069283"),
            (Algorithm::Crc64Nvme, "ae8b14860a799888"),
            (Algorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (Algorithm::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
        ] {
            let mut hasher = Hasher::new(algorithm);
            hasher.update(b"1");
            hasher.update(b"23456789");
            let hex: String =
                STANDARD.decode(hasher.finish()).unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, expected, "{algorithm:?}");
        }
    }
}
