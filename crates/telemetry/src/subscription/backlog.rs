//! What happened in Init before an extension subscribed: kept, within bounds, and replayed to it.

use std::time::Instant;

use super::TelemetryKind;
use crate::PutEvent;
use crate::platform_event::{Dropped, PlatformEvent};

/// How much is kept. Ours: twice the largest batch, like what waits for a subscriber with the smallest one.
const BACKLOG_BYTES_MAX: usize = 512 * 1_024;
/// What an entry costs besides its output.
const ENTRY_OVERHEAD_BYTES: usize = 256;

/// The telemetry of the Init that is under way.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    entries: Vec<Entry>,
    bytes: usize,
    dropped: [Dropped; TelemetryKind::ALL.len()],
}

/// A piece of telemetry that has no shape yet: each subscriber chooses its own.
#[derive(Debug)]
pub(super) enum Entry {
    Platform(Instant, PlatformEvent),
    Output(TelemetryKind, PutEvent),
}

impl Entry {
    pub(super) fn kind(&self) -> TelemetryKind {
        match self {
            Self::Platform(..) => TelemetryKind::Platform,
            Self::Output(kind, _) => *kind,
        }
    }
}

impl Backlog {
    pub(super) fn keep_platform(&mut self, at: Instant, event: &PlatformEvent) {
        if self.has_room(TelemetryKind::Platform, 0) {
            self.entries.push(Entry::Platform(at, event.clone()));
        }
    }

    pub(super) fn keep_output(&mut self, kind: TelemetryKind, event: &PutEvent) {
        if self.has_room(kind, event.message.len()) {
            self.entries.push(Entry::Output(kind, event.clone()));
        }
    }

    /// Takes the room for an entry, or counts it as dropped.
    fn has_room(&mut self, kind: TelemetryKind, bytes: usize) -> bool {
        let cost = bytes + ENTRY_OVERHEAD_BYTES;
        let fits = self.bytes + cost <= BACKLOG_BYTES_MAX;
        if fits {
            self.bytes += cost;
        } else {
            self.dropped[kind as usize].count(bytes);
        }
        fits
    }

    /// Returns what is kept, oldest first.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns how much of a kind found no place.
    pub(super) fn dropped(&self, kind: TelemetryKind) -> Dropped {
        self.dropped[kind as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_counts_what_it_does_not_keep() {
        let mut backlog = Backlog::default();
        let event = PutEvent { timestamp_ms: 0, message: vec![b'x'; 1_000] };
        for _ in 0..1_000 {
            backlog.keep_output(TelemetryKind::Function, &event);
        }
        let kept = backlog.entries().len() as u64;
        assert_eq!(kept, (BACKLOG_BYTES_MAX / 1_256) as u64);
        let dropped = Dropped { records: 1_000 - kept, bytes: (1_000 - kept) * 1_000 };
        assert_eq!(backlog.dropped(TelemetryKind::Function), dropped);
        assert_eq!(backlog.dropped(TelemetryKind::Extension), Dropped::default());
    }
}
