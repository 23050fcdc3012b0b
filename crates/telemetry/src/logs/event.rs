//! A log event: as it is put, as it is read, and as it stands in a segment.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Position;

/// One event to be put: one line, mostly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutEvent {
    /// When, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// What, with its line feed if it had one.
    pub message: Vec<u8>,
}

impl PutEvent {
    /// How much room it takes while it waits to be written.
    pub(super) fn bytes_in_queue(&self) -> usize {
        self.message.len() + 64
    }
}

/// One event as it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEvent {
    /// Where it stands.
    pub position: Position,
    /// When it happened, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// When it came, in milliseconds since 1970.
    pub ingestion_ms: i64,
    /// In which stream of the group.
    pub log_stream: String,
    /// What; bytes that are not UTF-8 are replaced.
    pub message: String,
}

impl LogEvent {
    /// Returns an id that no other event of the group has: 56 digits, as on AWS, which sort by time.
    pub fn event_id(&self) -> String {
        let Position { segment, offset } = self.position;
        format!("{:016}{segment:020}{offset:020}", self.timestamp_ms.max(0))
    }
}

/// One line of a segment.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line<'a> {
    #[serde(rename = "t")]
    pub(super) timestamp_ms: i64,
    /// Not there in segments from before it was kept.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    ingestion_ms: Option<i64>,
    #[serde(rename = "s", borrow)]
    pub(super) log_stream: Cow<'a, str>,
    #[serde(rename = "m", borrow)]
    pub(super) message: Cow<'a, str>,
}

/// What an index wants of a line: reading the message, too, would take several times as long.
#[derive(Debug, Deserialize)]
pub(super) struct LineHead<'a> {
    #[serde(rename = "t")]
    pub(super) timestamp_ms: i64,
    #[serde(rename = "i", default)]
    ingestion_ms: Option<i64>,
    #[serde(rename = "s", borrow)]
    pub(super) log_stream: Cow<'a, str>,
}

impl<'a> LineHead<'a> {
    /// Reads the head of a line as the writer puts it, and returns what follows: the message as it is written, and the end.
    /// `None` when it is another line, or has something to be unescaped; JSON is then to be read as JSON.
    pub(super) fn read(line: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (timestamp_ms, rest) = number(line.strip_prefix(b"{\"t\":")?)?;
        let (ingestion_ms, rest) = number(rest.strip_prefix(b",\"i\":")?)?;
        let rest = rest.strip_prefix(b",\"s\":\"")?;
        let (name, rest) = rest.split_at(memchr::memchr2(b'"', b'\\', rest)?);
        let message = rest.strip_prefix(b"\",\"m\":\"")?;
        let log_stream = Cow::Borrowed(std::str::from_utf8(name).ok()?);
        Some((Self { timestamp_ms, ingestion_ms: Some(ingestion_ms), log_stream }, message))
    }
}

/// Reads the number that text begins with.
fn number(text: &[u8]) -> Option<(i64, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    // 18 digits always fit, and are a date after the sun.
    if !(1..=18).contains(&digits) {
        return None;
    }
    let (number, rest) = text.split_at(digits);
    Some((number.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')), rest))
}

impl LineHead<'_> {
    pub(super) fn ingestion_ms(&self) -> i64 {
        self.ingestion_ms.unwrap_or(self.timestamp_ms)
    }
}

impl<'a> Line<'a> {
    /// Reads a line as the writer puts it, with nothing to be unescaped but a line feed at its end; most are like this, and
    /// are read several times as fast as JSON. `None` when it is another.
    pub(super) fn read(line: &'a [u8]) -> Option<Self> {
        let (LineHead { timestamp_ms, ingestion_ms, log_stream }, message) = LineHead::read(line)?;
        let message = message.strip_suffix(b"\"}\n")?;
        let (text, ends) = match message.strip_suffix(b"\\n") {
            Some(text) => (text, true),
            None => (message, false),
        };
        if memchr::memchr2(b'"', b'\\', text).is_some() || text.iter().any(|byte| *byte < b' ') {
            return None;
        }
        let text = std::str::from_utf8(text).ok()?;
        let message = if ends { Cow::Owned(format!("{text}\n")) } else { Cow::Borrowed(text) };
        Some(Self { timestamp_ms, ingestion_ms, log_stream, message })
    }

    pub(super) fn new(event: &'a PutEvent, log_stream: &'a str, ingestion_ms: i64) -> Self {
        Self {
            timestamp_ms: event.timestamp_ms,
            ingestion_ms: Some(ingestion_ms),
            log_stream: Cow::Borrowed(log_stream),
            message: String::from_utf8_lossy(&event.message),
        }
    }

    pub(super) fn into_event(self, position: Position) -> LogEvent {
        LogEvent {
            position,
            timestamp_ms: self.timestamp_ms,
            ingestion_ms: self.ingestion_ms.unwrap_or(self.timestamp_ms),
            log_stream: self.log_stream.into_owned(),
            message: self.message.into_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What JSON says of a line.
    fn json(line: &str) -> (i64, Option<i64>, String, String) {
        let line: Line<'_> = serde_json::from_str(line).unwrap();
        (line.timestamp_ms, line.ingestion_ms, line.log_stream.into_owned(), line.message.into_owned())
    }

    #[test]
    fn a_line_is_read_fast_only_when_json_would_say_the_same() {
        let messages = [
            "",
            "x",
            "x\n",
            "\n",
            "ü é\n",
            "\\n",
            "a\\",
            "\"}\n",
            "a\tb\n",
            "two\nlines\n",
            "\u{1b}[0m\u{0}",
        ];
        let streams = ["2026/11/25/[$LATEST]aa", "s \"quoted\"", "b\\s", "ü"];
        let mut read_fast = 0;
        for (message, stream) in messages.iter().flat_map(|message| streams.map(|stream| (message, stream))) {
            let event = PutEvent { timestamp_ms: 1_795_000_000_123, message: (*message).into() };
            let mut text = serde_json::to_string(&Line::new(&event, stream, 1_795_000_000_124)).unwrap();
            text.push('\n');
            let said = json(&text);
            assert_eq!((said.2.as_str(), said.3.as_str()), (stream, *message));
            if let Some((head, _)) = LineHead::read(text.as_bytes()) {
                assert_eq!(
                    (head.timestamp_ms, head.ingestion_ms, &*head.log_stream),
                    (said.0, said.1, stream)
                );
            }
            if let Some(line) = Line::read(text.as_bytes()) {
                read_fast += 1;
                let Line { timestamp_ms, ingestion_ms, log_stream, message } = line;
                assert_eq!((timestamp_ms, ingestion_ms, log_stream.into_owned(), message.into_owned()), said);
            }
        }
        assert_eq!(read_fast, 10, "five messages of two streams have nothing else to be unescaped");
        for other in [
            "",
            "{}\n",
            "{\"t\":1}\n",
            "{\"t\":99999999999999999999,\"i\":1,\"s\":\"a\",\"m\":\"\"}\n",
            "{\"t\":1,\"i\":1,\"s\":\"a",
        ] {
            assert!(Line::read(other.as_bytes()).is_none(), "{other}");
        }
    }
}
