//! Segments: the files of a group, each of JSON lines and only ever appended to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use hearth_types::LogGroupName;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{LogEvent, LogStoreError};

/// Characters of a group's name that stay as they are in the name of its folder.
const FOLDER_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// The segment of a group that is written to.
pub(super) struct Segment {
    pub(super) file: File,
    pub(super) number: u64,
    pub(super) length: u64,
    /// Which append of the writer was the last one here.
    pub(super) last_append: u64,
}

/// Where the segments of a group are, below the folder of the store.
pub(super) fn folder_name(group: &LogGroupName) -> String {
    utf8_percent_encode(group.as_str(), FOLDER_NAME).to_string()
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

/// Reads a cursor: a segment, and an offset in it.
pub(super) fn parse_cursor(cursor: &str) -> Result<(u64, u64), LogStoreError> {
    let parts = cursor
        .split_once('-')
        .and_then(|(segment, offset)| Some((segment.parse().ok()?, offset.parse().ok()?)));
    parts.ok_or_else(|| LogStoreError::Cursor(cursor.to_owned()))
}

/// Reads events from `offset` on; returns the offset behind the last one.
pub(super) fn read_segment(
    path: &Path,
    offset: u64,
    limit: usize,
    events: &mut Vec<LogEvent>,
) -> io::Result<u64> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(offset), // retention was faster
        Err(error) => return Err(error),
    };
    file.seek(SeekFrom::Start(offset))?;
    let mut reader = BufReader::new(file);
    let mut offset = offset;
    let mut line = Vec::new();
    while events.len() < limit {
        line.clear();
        let length = reader.read_until(b'\n', &mut line)?;
        // A line without its end is just being written.
        if length == 0 || line.last() != Some(&b'\n') {
            break;
        }
        offset += length as u64;
        match serde_json::from_slice(&line) {
            Ok(event) => events.push(event),
            Err(error) => {
                tracing::warn!(path = %path.display(), offset, %error, "a damaged log event is left out");
            }
        }
    }
    Ok(offset)
}

/// Opens a segment to append to. An event that a crash has cut off in the middle is removed.
pub(super) fn open_segment(folder: &Path, number: u64) -> io::Result<Segment> {
    let mut file =
        OpenOptions::new().create(true).read(true).append(true).open(segment_path(folder, number))?;
    let length = file.metadata()?.len();
    let whole = end_of_last_line(&mut file, length)?;
    if whole < length {
        file.set_len(whole)?;
    }
    Ok(Segment { file, number, length: whole, last_append: 0 })
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
