//! A log event: as it is put, and as it stands in a segment.

use serde::{Deserialize, Serialize};

/// One event to be put: one line, mostly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutEvent {
    /// When, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// What, with its line feed if it had one.
    pub message: Vec<u8>,
}

/// One event as it was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEvent {
    /// When, in milliseconds since 1970.
    #[serde(rename = "t")]
    pub timestamp_ms: i64,
    /// In which stream of the group.
    #[serde(rename = "s")]
    pub log_stream: String,
    /// What; bytes that are not UTF-8 are replaced.
    #[serde(rename = "m")]
    pub message: String,
}
