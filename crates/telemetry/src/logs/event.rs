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

impl LineHead<'_> {
    pub(super) fn ingestion_ms(&self) -> i64 {
        self.ingestion_ms.unwrap_or(self.timestamp_ms)
    }
}

impl<'a> Line<'a> {
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
