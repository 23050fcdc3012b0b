//! Where an event stands in its group. Positions grow in the order in which events came, and none is used twice.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A place in a log group: before an event, or behind the last one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The number of a segment.
    pub segment: u64,
    /// Bytes from its beginning.
    pub offset: u64,
}

impl Position {
    /// Before everything.
    pub const START: Self = Self { segment: 0, offset: 0 };

    /// Reads what [`fmt::Display`] prints.
    pub fn parse(text: &str) -> Option<Self> {
        let (segment, offset) = text.split_once('-')?;
        Some(Self { segment: segment.parse().ok()?, offset: offset.parse().ok()? })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.segment, self.offset)
    }
}
