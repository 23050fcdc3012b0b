//! Reads the lines of a file from its end, a block at a time, so that the newest cost nothing of the rest.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// How much is read at once.
const BLOCK_BYTES: u64 = 64 << 10;
/// What is longer is no line of ours.
const LINE_BYTES_MAX: usize = 64 << 10;

/// The lines of a file, the last one first.
#[derive(Debug)]
pub(super) struct Backwards {
    file: File,
    /// Where `bytes` begins in the file.
    position: u64,
    bytes: Vec<u8>,
    /// How much of `bytes` has not been returned.
    rest: usize,
}

/// A line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// Without its line feed.
    Whole(&'a [u8]),
    /// Something too long to be one.
    TooLong,
}

impl Backwards {
    /// Opens a file. What its end lacks a line feed for is being written, or was when a server died: it is left out.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let position = file.metadata()?.len();
        let mut lines = Self { file, position, bytes: Vec::new(), rest: 0 };
        lines.skip_to_line_feed()?;
        Ok(lines)
    }

    /// Returns the line before, or nothing at the beginning of the file.
    pub(super) fn line(&mut self) -> io::Result<Option<Line<'_>>> {
        loop {
            // `rest` ends with the line feed of the line that is looked for.
            let Some(end) = self.rest.checked_sub(1) else {
                if self.position == 0 {
                    return Ok(None);
                }
                self.read_block()?;
                continue;
            };
            if let Some(at) = self.bytes[..end].iter().rposition(|&byte| byte == b'\n') {
                self.rest = at + 1;
                return Ok(Some(Line::Whole(&self.bytes[at + 1..end])));
            }
            if self.position == 0 {
                self.rest = 0;
                return Ok(Some(Line::Whole(&self.bytes[..end])));
            }
            if end > LINE_BYTES_MAX {
                self.rest = 0;
                self.skip_to_line_feed()?;
                return Ok(Some(Line::TooLong));
            }
            self.read_block()?;
        }
    }

    /// Drops what comes after the last line feed.
    fn skip_to_line_feed(&mut self) -> io::Result<()> {
        loop {
            if let Some(at) = self.bytes[..self.rest].iter().rposition(|&byte| byte == b'\n') {
                self.rest = at + 1;
                return Ok(());
            }
            self.rest = 0;
            if self.position == 0 {
                return Ok(());
            }
            self.read_block()?;
        }
    }

    /// Reads the block before, and keeps what has not been returned behind it.
    fn read_block(&mut self) -> io::Result<()> {
        let length = self.position.min(BLOCK_BYTES);
        self.position -= length;
        let mut bytes = vec![0; length as usize];
        self.file.read_exact_at(&mut bytes, self.position)?;
        bytes.extend_from_slice(&self.bytes[..self.rest]);
        self.rest = bytes.len();
        self.bytes = bytes;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(content: &[u8]) -> Vec<String> {
        let folder = hearth_tests::Folder::new();
        let path = folder.path().join("lines");
        std::fs::write(&path, content).unwrap();
        let mut lines = Backwards::open(&path).unwrap();
        let mut found = Vec::new();
        while let Some(line) = lines.line().unwrap() {
            found.push(match line {
                Line::Whole(line) => String::from_utf8(line.to_vec()).unwrap(),
                Line::TooLong => "too long".to_owned(),
            });
        }
        found
    }

    #[test]
    fn lines_come_from_the_end_and_half_a_line_does_not_come() {
        assert_eq!(lines_of(b""), [""; 0]);
        assert_eq!(lines_of(b"half"), [""; 0]);
        assert_eq!(lines_of(b"one\ntwo\nhalf"), ["two", "one"]);
        assert_eq!(lines_of(b"one\n\ntwo\n"), ["two", "", "one"]);
    }

    #[test]
    fn lines_across_blocks_are_whole_and_what_is_no_line_is_left_out() {
        let line = |at: usize| format!("{at}:{}", "x".repeat(997 * (at % 50)));
        let content: String = (0..300).map(|at| line(at) + "\n").collect();
        let expected: Vec<String> = (0..300).rev().map(line).collect();
        assert_eq!(lines_of(content.as_bytes()), expected);
        let mut content = b"first\n".to_vec();
        content.extend(vec![b'y'; 3 * LINE_BYTES_MAX]);
        content.extend(b"\nlast\n");
        assert_eq!(lines_of(&content), ["last", "too long", "first"]);
    }
}
