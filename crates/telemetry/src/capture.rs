//! The output of an environment's processes: one pipe with plain lines and framed records, cut into log events.
//!
//! Standard output, standard error and the descriptor for framed records are the same pipe, so the order in which a
//! function writes is kept. A frame begins with two bytes that no UTF-8 text has at the start of a character.
//!
//! | bytes | a frame (big-endian) |
//! |---|---|
//! | 0-3 | `0xa55a0000`, plus level, plus bit 1: a time stamp follows, plus bit 0: text rather than JSON |
//! | 4-7 | length of the message |
//! | 8-15 | microseconds since 1970, if bit 1 is set |
//!
//! All of it is untrusted. A frame that is longer than an event may be is handed on in pieces; what pretends to be a
//! frame can only spoil the function's own lines.

use std::io::{self, Read as _};
use std::os::fd::OwnedFd;

use hearth_types::limits::LOG_EVENT_BYTES_MAX;

use crate::PutEvent;

/// The first two bytes of a frame.
const MAGIC: [u8; 2] = [0xa5, 0x5a];
/// Bit of the type field: a time stamp follows the length.
const HAS_TIMESTAMP: u8 = 0b10;
/// How much one [`OutputCapture::drain`] reads at most: twice what a pipe holds, so that everything written before the
/// call is read, and a function that writes without end cannot hold us.
const DRAIN_BYTES_MAX: usize = 128 * 1_024;
/// How far back the time of an event may be and still be due to the way that it took to us.
const BEFORE_THE_LAST_MS_MAX: i64 = 1_000;

/// Reads the pipe of one environment.
pub struct OutputCapture {
    pipe: std::fs::File,
    buffer: Box<[u8]>,
    parser: Parser,
    /// The time of the last event.
    last_ms: i64,
}

impl OutputCapture {
    /// Reads from `pipe`, which must not block.
    pub fn new(pipe: OwnedFd) -> Self {
        Self {
            pipe: pipe.into(),
            buffer: vec![0; 16 * 1_024].into(),
            parser: Parser::default(),
            last_ms: i64::MIN,
        }
    }

    /// Reads what is there, up to a limit. Returns the finished events, and whether there may be more.
    pub fn drain(&mut self, now_ms: i64) -> (Vec<PutEvent>, bool) {
        let mut events = Vec::new();
        let is_more = self.read(now_ms, &mut events);
        self.put_in_order(&mut events);
        (events, is_more)
    }

    fn read(&mut self, now_ms: i64, events: &mut Vec<PutEvent>) -> bool {
        let mut total = 0;
        while total < DRAIN_BYTES_MAX {
            match self.pipe.read(&mut self.buffer) {
                Ok(0) => return false,
                Ok(length) => {
                    self.parser.take(&self.buffer[..length], now_ms, events);
                    total += length;
                    // A short read emptied the pipe; asking again would only cost a system call.
                    if length < self.buffer.len() {
                        return false;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }

    /// A log is shown in the order of its times. Plain lines have the time at which we read them, and a frame after them
    /// the time at which it was written, which may be earlier: then it is not, so that the function's order stays. What is
    /// much earlier is meant to be.
    fn put_in_order<'event>(&mut self, events: impl IntoIterator<Item = &'event mut PutEvent>) {
        for event in events {
            let before_ms = self.last_ms.saturating_sub(event.timestamp_ms);
            if (1..=BEFORE_THE_LAST_MS_MAX).contains(&before_ms) {
                event.timestamp_ms = self.last_ms;
            }
            self.last_ms = event.timestamp_ms;
        }
    }

    /// Takes output that was read elsewhere. Returns the finished events.
    pub fn take(&mut self, bytes: &[u8], now_ms: i64) -> Vec<PutEvent> {
        let mut events = Vec::new();
        self.parser.take(bytes, now_ms, &mut events);
        self.put_in_order(&mut events);
        events
    }

    /// Ends a line that has no end yet: the invocation is over. A frame goes on: another thread may be in the middle of it.
    pub fn flush(&mut self, now_ms: i64) -> Option<PutEvent> {
        let mut event = self.parser.flush(now_ms);
        self.put_in_order(&mut event);
        event
    }

    /// Ends everything that has no end yet: the processes are gone. What they began is kept as far as it came, and what the
    /// next ones put out is not taken for the rest of it.
    pub fn finish(&mut self, now_ms: i64) -> Vec<PutEvent> {
        let mut events = Vec::new();
        self.parser.finish(now_ms, &mut events);
        self.put_in_order(&mut events);
        events
    }
}

/// Cuts a stream of bytes into events.
#[derive(Default)]
struct Parser {
    /// A plain line that is not complete.
    partial: Vec<u8>,
    /// The head of a frame that is not complete.
    head: Vec<u8>,
    frame: Option<Frame>,
}

struct Frame {
    missing: usize,
    timestamp_ms: Option<i64>,
    message: Vec<u8>,
}

impl Parser {
    fn take(&mut self, mut bytes: &[u8], now_ms: i64, events: &mut Vec<PutEvent>) {
        while !bytes.is_empty() {
            bytes = match &self.frame {
                Some(_) => self.take_frame(bytes, now_ms, events),
                None if !self.head.is_empty() => self.take_head(bytes, now_ms, events),
                None => self.take_plain(bytes, now_ms, events),
            };
        }
    }

    fn take_head<'a>(&mut self, bytes: &'a [u8], now_ms: i64, events: &mut Vec<PutEvent>) -> &'a [u8] {
        let head = &mut self.head;
        let (first, rest) = bytes.split_at(1);
        head.push(first[0]);
        let genuine = match head.len() {
            2 => head[1] == MAGIC[1],
            3 => head[2] == 0,
            _ => true,
        };
        if !genuine {
            self.take_head_as_text(now_ms, events);
            return rest;
        }
        let length = if head.get(3).is_some_and(|kind| kind & HAS_TIMESTAMP != 0) { 16 } else { 8 };
        if head.len() == length {
            let number = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
            let microseconds =
                |head: &[u8]| head.get(8..16).and_then(|bytes| bytes.try_into().ok()).map(i64::from_be_bytes);
            self.frame = Some(Frame {
                missing: number(4) as usize,
                timestamp_ms: microseconds(head).map(|microseconds| microseconds / 1_000),
                message: Vec::new(),
            });
            self.head.clear();
            events.extend(self.flush(now_ms));
        }
        rest
    }

    /// Takes what looked like the head of a frame and is none: a stray byte and a few more, none of which begins a frame.
    fn take_head_as_text(&mut self, now_ms: i64, events: &mut Vec<PutEvent>) {
        for byte in std::mem::take(&mut self.head) {
            self.partial.push(byte);
            if byte == b'\n' || self.partial.len() >= LOG_EVENT_BYTES_MAX {
                events.extend(self.flush(now_ms));
            }
        }
    }

    fn take_frame<'a>(&mut self, bytes: &'a [u8], now_ms: i64, events: &mut Vec<PutEvent>) -> &'a [u8] {
        let Some(frame) = &mut self.frame else { return bytes };
        let room = LOG_EVENT_BYTES_MAX - frame.message.len();
        let (part, rest) = bytes.split_at(frame.missing.min(room).min(bytes.len()));
        frame.message.extend_from_slice(part);
        frame.missing -= part.len();
        if frame.missing == 0 || frame.message.len() == LOG_EVENT_BYTES_MAX {
            let timestamp_ms = frame.timestamp_ms.unwrap_or(now_ms);
            let message = std::mem::take(&mut frame.message);
            if !message.is_empty() {
                events.push(PutEvent { timestamp_ms, message });
            }
        }
        if frame.missing == 0 {
            self.frame = None;
        }
        rest
    }

    fn take_plain<'a>(&mut self, bytes: &'a [u8], now_ms: i64, events: &mut Vec<PutEvent>) -> &'a [u8] {
        let room = LOG_EVENT_BYTES_MAX.saturating_sub(self.partial.len());
        let window = &bytes[..bytes.len().min(room)];
        let line_end = find(b'\n', window).map(|at| at + 1);
        let plain = &window[..line_end.unwrap_or(window.len())];
        if let Some(at) = frame_start(self.partial.last().copied(), plain) {
            // It stays one line with what follows, unless a frame does.
            self.partial.extend_from_slice(&plain[..at]);
            self.head.push(MAGIC[0]);
            return &bytes[at + 1..];
        }
        self.partial.extend_from_slice(plain);
        if line_end.is_some() || self.partial.len() >= LOG_EVENT_BYTES_MAX {
            events.extend(self.flush(now_ms));
        }
        &bytes[plain.len()..]
    }

    fn flush(&mut self, timestamp_ms: i64) -> Option<PutEvent> {
        let message = std::mem::take(&mut self.partial);
        (!message.is_empty()).then_some(PutEvent { timestamp_ms, message })
    }

    fn finish(&mut self, now_ms: i64, events: &mut Vec<PutEvent>) {
        self.take_head_as_text(now_ms, events);
        events.extend(self.flush(now_ms));
        if let Some(Frame { timestamp_ms, message, .. }) = self.frame.take()
            && !message.is_empty()
        {
            events.push(PutEvent { timestamp_ms: timestamp_ms.unwrap_or(now_ms), message });
        }
    }
}

/// Finds a byte. Most pieces of output have none, and `contains` sees that several times as fast as `position`.
fn find(byte: u8, bytes: &[u8]) -> Option<usize> {
    if bytes.contains(&byte) { bytes.iter().position(|&found| found == byte) } else { None }
}

/// Finds where a frame may begin: the magic bytes, or their first one at the very end, at the start of a character.
fn frame_start(before: Option<u8>, plain: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(found) = find(MAGIC[0], &plain[from..]) {
        let at = from + found;
        // Inside a character (`¥` is c2 a5): the byte before is a lead or continuation byte.
        let previous = if at > 0 { Some(plain[at - 1]) } else { before };
        let inside_character = previous.is_some_and(|byte| byte >= 0x80);
        if !inside_character && plain.get(at + 1).is_none_or(|&next| next == MAGIC[1]) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, timestamp_us: Option<i64>, message: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0xa5, 0x5a, 0, kind];
        bytes.extend((message.len() as u32).to_be_bytes());
        bytes.extend(timestamp_us.into_iter().flat_map(i64::to_be_bytes));
        bytes.extend(message);
        bytes
    }

    /// Feeds `bytes` in pieces of every length and expects the same events each time.
    fn check(bytes: &[u8], expected: &[(i64, &str)]) {
        for piece in 1..=bytes.len() {
            let mut parser = Parser::default();
            let mut events = Vec::new();
            for part in bytes.chunks(piece) {
                parser.take(part, 7, &mut events);
            }
            events.extend(parser.flush(7));
            let found: Vec<(i64, String)> = events
                .iter()
                .map(|event| (event.timestamp_ms, String::from_utf8_lossy(&event.message).into_owned()))
                .collect();
            let expected: Vec<(i64, String)> =
                expected.iter().map(|(time, text)| (*time, (*text).to_owned())).collect();
            assert_eq!(found, expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn plain_output_is_cut_at_line_feeds_only() {
        check(
            "one\ntwo\rstill two\n\n¥Z ü\nrest".as_bytes(),
            &[(7, "one\n"), (7, "two\rstill two\n"), (7, "\n"), (7, "¥Z ü\n"), (7, "rest")],
        );
    }

    #[test]
    fn frames_keep_their_lines_together_and_their_place() {
        let mut bytes = b"before\npart".to_vec();
        bytes.extend(frame(3, Some(5_000_000), b"two\nlines\n"));
        bytes.extend(frame(1, None, b"legacy\n"));
        bytes.extend(b"after\n");
        check(
            &bytes,
            &[(7, "before\n"), (7, "part"), (5_000, "two\nlines\n"), (7, "legacy\n"), (7, "after\n")],
        );
    }

    #[test]
    fn a_frame_is_not_shown_before_a_line_that_was_written_before_it() {
        let (pipe, _) = std::io::pipe().unwrap();
        let mut capture = OutputCapture::new(pipe.into());
        let mut bytes = b"read late\n".to_vec();
        bytes.extend(frame(3, Some(9_990_000), b"written just before\n"));
        bytes.extend(frame(3, Some(2_000_000), b"meant to be old\n"));
        let mut times: Vec<i64> =
            capture.take(&bytes, 10_000).iter().map(|event| event.timestamp_ms).collect();
        let next = capture.take(&frame(3, Some(10_001_000), b"next\n"), 10_002);
        times.extend(next.iter().map(|event| event.timestamp_ms));
        assert_eq!(times, [10_000, 10_000, 2_000, 10_001]);
    }

    #[test]
    fn a_stray_magic_byte_is_text_and_no_line_is_cut_for_it() {
        check(b"\xa5x\nnext\n", &[(7, "\u{fffd}x\n"), (7, "next\n")]);
        check(b"one \xa5\xa5 line \xa5\x5a\x01\n", &[(7, "one \u{fffd}\u{fffd} line \u{fffd}Z\u{1}\n")]);
    }

    #[test]
    fn what_processes_left_unfinished_is_kept_and_swallows_nothing_of_the_next_ones() {
        for (left, kept) in [
            (&b"no line feed"[..], &b"no line feed"[..]),
            (b"\xa5", b"\xa5"),
            (b"\xa5\x5a\0\x03\0\0\0\x09", b"\xa5\x5a\0\x03\0\0\0\x09"),
            (b"\xa5\x5a\0\x01\0\0\0\x09four", b"four"),
        ] {
            let mut parser = Parser::default();
            let mut events = Vec::new();
            parser.take(left, 7, &mut events);
            parser.finish(7, &mut events);
            parser.take(b"of the next\n", 7, &mut events);
            let messages: Vec<&[u8]> = events.iter().map(|event| &event.message[..]).collect();
            assert_eq!(messages, [kept, b"of the next\n"]);
        }
    }

    #[test]
    fn a_stray_magic_byte_at_the_limit_makes_no_event_longer() {
        let mut parser = Parser::default();
        let mut events = Vec::new();
        parser.take(&vec![b'x'; LOG_EVENT_BYTES_MAX - 1], 0, &mut events);
        parser.take(b"\xa5", 0, &mut events);
        parser.take(b"y\n", 0, &mut events);
        assert_eq!(
            events.iter().map(|event| event.message.len()).collect::<Vec<_>>(),
            [LOG_EVENT_BYTES_MAX, 2]
        );
    }

    #[test]
    fn no_event_is_longer_than_the_limit() {
        let mut parser = Parser::default();
        let mut events = Vec::new();
        for _ in 0..64 {
            parser.take(&[b'x'; 65_536], 0, &mut events);
        }
        let mut huge = frame(3, Some(0), b"");
        huge[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
        parser.take(&huge, 0, &mut events);
        for _ in 0..8 {
            parser.take(&[b'y'; 65_536], 0, &mut events);
        }
        assert_eq!(events.len(), 16 + 2);
        assert!(events.iter().all(|event| event.message.len() == LOG_EVENT_BYTES_MAX));
    }
}
