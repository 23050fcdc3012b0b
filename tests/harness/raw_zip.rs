//! Zips made by hand: as wrong as a test wants them.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::DeflateEncoder;

/// A zip in the making. What is written last stands where the end record says, so that one wrong field is the only one.
#[derive(Debug, Clone, Default)]
pub struct RawZip {
    /// Stands in front of the first entry.
    pub prefix: Vec<u8>,
    /// Whether places in the archive count the prefix, too.
    pub places_count_prefix: bool,
    /// The entries.
    pub entries: Vec<RawEntry>,
    /// Stands between the data and the central directory.
    pub before_directory: Vec<u8>,
    /// Stands between the last record of the central directory and the end record, which does not count it.
    pub after_directory: Vec<u8>,
    /// Writes the end record for large archives.
    pub zip64: bool,
    /// How many entries the end record announces, if not as many as there are.
    pub announced_entries: Option<u64>,
    /// The comment of the archive.
    pub comment: Vec<u8>,
    /// Stands behind the comment, which does not count it.
    pub suffix: Vec<u8>,
}

/// An entry of a zip.
#[derive(Debug, Clone)]
pub struct RawEntry {
    /// What the central directory says.
    pub central: RawHeader,
    /// What the header in front of the data says. `None`: the same.
    pub local: Option<RawHeader>,
    /// As it lies in the archive.
    pub data: Vec<u8>,
    /// Where the header in front of the data is, for an entry that has none of its own.
    pub at: Option<usize>,
    /// The tool and system that made it; 3 is Unix.
    pub system: u8,
    /// The Unix mode.
    pub mode: u32,
}

/// What is said about an entry.
#[derive(Debug, Clone)]
pub struct RawHeader {
    /// Its name.
    pub name: Vec<u8>,
    /// General purpose flags.
    pub flags: u16,
    /// 0 is stored, 8 deflated.
    pub method: u16,
    /// The checksum.
    pub crc32: u32,
    /// Bytes of data in the archive.
    pub packed: u64,
    /// Bytes when unpacked.
    pub size: u64,
    /// Puts the sizes into an extra field.
    pub zip64: bool,
}

impl RawEntry {
    /// A file that is not packed.
    pub fn stored(name: impl AsRef<[u8]>, content: &[u8]) -> Self {
        Self {
            central: RawHeader {
                name: name.as_ref().to_owned(),
                flags: 0,
                method: 0,
                crc32: crc32(content),
                packed: content.len() as u64,
                size: content.len() as u64,
                zip64: false,
            },
            local: None,
            data: content.to_owned(),
            at: None,
            system: 3,
            mode: 0o100_644,
        }
    }

    /// A file that is deflated.
    pub fn deflated(name: impl AsRef<[u8]>, content: &[u8]) -> Self {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        let mut entry = Self::stored(name, content);
        entry.data = encoder.finish().unwrap();
        entry.central.method = 8;
        entry.central.packed = entry.data.len() as u64;
        entry
    }

    /// A file of `mebibytes` of zeros, honest about it. Takes a thousandth of that in the archive, and no time.
    pub fn zeros(name: impl AsRef<[u8]>, mebibytes: u32) -> Self {
        let zeros = vec![0; 1 << 20];
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&zeros).unwrap();
        // A flush ends with a whole byte, and behind zeros, more zeros are always said in the same way.
        encoder.flush().unwrap();
        let piece = encoder.get_ref().clone();
        encoder.write_all(&zeros).unwrap();
        encoder.flush().unwrap();
        let again = encoder.get_ref()[piece.len()..].to_owned();
        let mut data = piece;
        let mut crc = flate2::Crc::new();
        crc.update(&zeros);
        let one = crc_of(&zeros);
        for _ in 1..mebibytes {
            data.extend_from_slice(&again);
            crc.combine(&one);
        }
        data.extend_from_slice(&[3, 0]); // the last block, empty
        let mut entry = Self::stored(name, b"");
        entry.central.method = 8;
        entry.central.crc32 = crc.sum();
        entry.central.packed = data.len() as u64;
        entry.central.size = u64::from(mebibytes) << 20;
        entry.central.zip64 = entry.central.size > u64::from(u32::MAX);
        entry.data = data;
        entry
    }

    /// A link.
    pub fn link(name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        Self::stored(name, target.as_ref()).mode(0o120_777)
    }

    /// Sets the Unix mode, which says what it is, too.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// Changes what the central directory and the header in front of the data say.
    #[must_use]
    pub fn both(mut self, change: impl FnOnce(&mut RawHeader)) -> Self {
        change(&mut self.central);
        self
    }

    /// Changes what only the header in front of the data says.
    #[must_use]
    pub fn only_local(mut self, change: impl FnOnce(&mut RawHeader)) -> Self {
        change(self.local.get_or_insert_with(|| self.central.clone()));
        self
    }
}

impl RawZip {
    /// A zip of these entries, with nothing wrong but what is wrong with them.
    pub fn of(entries: impl IntoIterator<Item = RawEntry>) -> Self {
        Self { entries: entries.into_iter().collect(), ..Self::default() }
    }

    /// Changes something.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Returns the bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut zip = self.prefix.clone();
        let origin = if self.places_count_prefix { 0 } else { zip.len() };
        let mut directory = Vec::new();
        for entry in &self.entries {
            let at = entry.at.unwrap_or(zip.len() - origin);
            if entry.at.is_none() {
                zip.extend(entry.local.as_ref().unwrap_or(&entry.central).local());
                zip.extend(&entry.data);
            }
            directory.extend(entry.record(at));
        }
        zip.extend(&self.before_directory);
        let at = (zip.len() - origin) as u64;
        let size = directory.len() as u64;
        let entries = self.announced_entries.unwrap_or(self.entries.len() as u64);
        zip.extend(directory);
        zip.extend(&self.after_directory);
        if self.zip64 {
            let record_at = (zip.len() - origin) as u64;
            zip.extend(b"PK\x06\x06");
            zip.extend(44_u64.to_le_bytes());
            zip.extend([45, 3, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            for value in [entries, entries, size, at] {
                zip.extend(value.to_le_bytes());
            }
            zip.extend(b"PK\x06\x07\0\0\0\0");
            zip.extend(record_at.to_le_bytes());
            zip.extend(1_u32.to_le_bytes());
        }
        zip.extend(b"PK\x05\x06\0\0\0\0");
        let short = u16::try_from(entries).unwrap_or(u16::MAX).to_le_bytes();
        zip.extend([short, short].concat());
        zip.extend(if self.zip64 { u32::MAX } else { size as u32 }.to_le_bytes());
        zip.extend(if self.zip64 { u32::MAX } else { at as u32 }.to_le_bytes());
        zip.extend((self.comment.len() as u16).to_le_bytes());
        zip.extend(&self.comment);
        zip.extend(&self.suffix);
        zip
    }
}

impl RawEntry {
    /// The record of the central directory.
    fn record(&self, at: usize) -> Vec<u8> {
        let header = &self.central;
        let extra = header.extra();
        let mut record = b"PK\x01\x02\x14".to_vec();
        record.push(self.system);
        record.extend(header.common(extra.len()));
        record.extend([0; 6]); // comment, disk, internal attributes
        record.extend((self.mode << 16).to_le_bytes());
        record.extend((at as u32).to_le_bytes());
        record.extend(&header.name);
        record.extend(extra);
        record
    }
}

impl RawHeader {
    fn local(&self) -> Vec<u8> {
        let extra = self.extra();
        let mut header = b"PK\x03\x04".to_vec();
        header.extend(self.common(extra.len()));
        header.extend(&self.name);
        header.extend(extra);
        header
    }

    /// What both kinds of header say, in the same order.
    fn common(&self, extra_bytes: usize) -> Vec<u8> {
        let mut header = vec![20, 0];
        header.extend(self.flags.to_le_bytes());
        header.extend(self.method.to_le_bytes());
        header.extend([0; 4]); // time and date
        header.extend(self.crc32.to_le_bytes());
        for size in [self.packed, self.size] {
            header.extend(if self.zip64 { u32::MAX } else { size as u32 }.to_le_bytes());
        }
        header.extend((self.name.len() as u16).to_le_bytes());
        header.extend((extra_bytes as u16).to_le_bytes());
        header
    }

    fn extra(&self) -> Vec<u8> {
        if !self.zip64 {
            return Vec::new();
        }
        [&[1, 0, 16, 0][..], &self.size.to_le_bytes(), &self.packed.to_le_bytes()].concat()
    }
}

/// Returns the checksum of some bytes.
pub fn crc32(bytes: &[u8]) -> u32 {
    crc_of(bytes).sum()
}

fn crc_of(bytes: &[u8]) -> flate2::Crc {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc
}
