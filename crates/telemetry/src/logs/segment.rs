//! Segments: the files of a group, each of JSON lines and only ever appended to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::Deserialize;

use super::event::{Line, LineHead};

/// The segment of a group that is written to.
pub(super) struct Segment {
    pub(super) file: File,
    pub(super) length: u64,
    /// When its file was made, in milliseconds since 1970, where the file system knows.
    pub(super) created_ms: Option<i64>,
    /// Which append of the writer was the last one here.
    pub(super) last_append: u64,
}

/// Where a segment is.
pub(super) fn segment_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:012}.jsonl"))
}

/// The numbers of a group's segments, ascending.
pub(super) fn segments(folder: &Path) -> Vec<u64> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let number = |name: &str| name.strip_suffix(".jsonl")?.parse().ok();
    let mut numbers: Vec<u64> =
        entries.flatten().filter_map(|entry| number(entry.file_name().to_str()?)).collect();
    numbers.sort_unstable();
    numbers
}

/// The lines of a segment, from an offset on.
pub(super) struct Lines {
    reader: BufReader<File>,
    path: PathBuf,
    offset: u64,
    line: Vec<u8>,
}

impl Lines {
    /// Opens a segment. `None` when there is none: retention was faster.
    pub(super) fn open(path: &Path, offset: u64) -> io::Result<Option<Self>> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        file.seek(SeekFrom::Start(offset))?;
        let reader = BufReader::with_capacity(64 << 10, file);
        Ok(Some(Self { reader, path: path.to_owned(), offset, line: Vec::new() }))
    }

    /// Where the next line begins.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Goes on to the next whole line, and says where it begins. One without its end is just being written.
    pub(super) fn advance(&mut self) -> io::Result<Option<u64>> {
        self.line.clear();
        let length = self.reader.read_until(b'\n', &mut self.line)?;
        if length == 0 || self.line.last() != Some(&b'\n') {
            return Ok(None);
        }
        let begins = self.offset;
        self.offset += length as u64;
        Ok(Some(begins))
    }

    /// Reads the line that was gone on to. `None` when it is damaged.
    pub(super) fn line(&self) -> Option<Line<'_>> {
        self.read()
    }

    /// As [`Lines::line`], without the message.
    pub(super) fn head(&self) -> Option<LineHead<'_>> {
        self.read()
    }

    fn read<'a, T: Deserialize<'a>>(&'a self) -> Option<T> {
        serde_json::from_slice(&self.line)
            .inspect_err(|error| {
                let (path, offset) = (self.path.display(), self.offset);
                tracing::warn!(%path, offset, %error, "a damaged log event is left out");
            })
            .ok()
    }
}

/// Opens a segment to append to. An event that a crash has cut off in the middle is removed.
pub(super) fn open_segment(folder: &Path, number: u64) -> io::Result<Segment> {
    let (mut file, created_ms) = open_lines(&segment_path(folder, number))?;
    let length = file.seek(SeekFrom::End(0))?;
    Ok(Segment { file, length, created_ms, last_append: 0 })
}

/// Opens a file of lines to append to, without what a crash has left of a last one.
pub(super) fn open_lines(path: &Path) -> io::Result<(File, Option<i64>)> {
    let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
    let metadata = file.metadata()?;
    let whole = end_of_last_line(&mut file, metadata.len())?;
    if whole < metadata.len() {
        file.set_len(whole)?;
    }
    let created = metadata.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Ok((file, created.map(|since| since.as_millis() as i64)))
}

fn end_of_last_line(file: &mut File, length: u64) -> io::Result<u64> {
    use std::io::Read as _;
    let mut end = length;
    let mut block = [0; 4_096];
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        let part = &mut block[..(end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(part)?;
        if let Some(at) = part.iter().rposition(|&byte| byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}
