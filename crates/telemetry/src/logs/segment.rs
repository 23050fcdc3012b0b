//! Segments: the files of a group, each of JSON lines and only ever appended to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
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

/// How much of a segment is read at once.
const READ_BYTES: usize = 64 << 10;

/// The lines of a segment, of whichever part is asked for.
pub(super) struct Lines {
    file: File,
    path: PathBuf,
    /// What was read of the file.
    buffer: Vec<u8>,
    /// Where the buffer begins.
    buffer_offset: u64,
    /// Where the next line begins.
    offset: u64,
    /// Up to where to read.
    end: u64,
    /// Where the line that was gone on to is, in the buffer.
    line: Range<usize>,
}

impl Lines {
    /// Opens a segment. `None` when there is none: retention was faster.
    pub(super) fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let (buffer, path) = (Vec::new(), path.to_owned());
        Ok(Some(Self { file, path, buffer, buffer_offset: 0, offset: 0, end: 0, line: 0..0 }))
    }

    /// Goes to the line that begins at `offset`; lines that end after `end` are not read.
    pub(super) fn go_to(&mut self, offset: u64, end: u64) {
        self.offset = offset;
        self.end = end;
        self.line = 0..0;
        let is_read = (self.buffer_offset..=self.buffer_offset + self.buffer.len() as u64).contains(&offset);
        if !is_read {
            self.buffer.clear();
            self.buffer_offset = offset;
        }
    }

    /// Where the next line begins.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Goes on to the next whole line, and says where it begins. One without its end is just being written.
    pub(super) fn advance(&mut self) -> io::Result<Option<u64>> {
        let mut looked_at = 0;
        loop {
            let from = (self.offset - self.buffer_offset) as usize;
            if let Some(at) = memchr::memchr(b'\n', &self.buffer[from + looked_at..]) {
                let to = from + looked_at + at + 1;
                let begins = self.offset;
                let ends = self.buffer_offset + to as u64;
                if ends > self.end {
                    return Ok(None);
                }
                self.line = from..to;
                self.offset = ends;
                return Ok(Some(begins));
            }
            looked_at = self.buffer.len() - from;
            if !self.read_more()? {
                return Ok(None);
            }
        }
    }

    /// Reads on from where the buffer ends, and forgets what comes before the next line.
    fn read_more(&mut self) -> io::Result<bool> {
        let from = (self.offset - self.buffer_offset) as usize;
        self.buffer.drain(..from);
        self.buffer_offset = self.offset;
        let kept = self.buffer.len();
        let left = self.end.saturating_sub(self.buffer_offset + kept as u64);
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(READ_BYTES);
        self.buffer.resize(kept + wanted, 0);
        let read = self.file.read_at(&mut self.buffer[kept..], self.buffer_offset + kept as u64);
        self.buffer.truncate(kept + *read.as_ref().unwrap_or(&0));
        Ok(read? > 0)
    }

    /// Reads the line that was gone on to. `None` when it is damaged.
    pub(super) fn line(&self) -> Option<Line<'_>> {
        let line = &self.buffer[self.line.clone()];
        Line::read(line).or_else(|| self.parse(line))
    }

    /// As [`Lines::line`], without the message.
    pub(super) fn head(&self) -> Option<LineHead<'_>> {
        let line = &self.buffer[self.line.clone()];
        LineHead::read(line).map(|(head, _)| head).or_else(|| self.parse(line))
    }

    fn parse<'a, T: Deserialize<'a>>(&self, line: &'a [u8]) -> Option<T> {
        serde_json::from_slice(line)
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
