//! Which streams a group has in its segments that grow no more: put together once, then kept up with what is added and
//! what expires.

use std::collections::BTreeMap;
use std::io;

use super::sealed::SealedIndex;
use super::span::Span;
use crate::logs::Position;

/// What all segments have of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::logs) struct Totals {
    pub(in crate::logs) first_ms: i64,
    pub(in crate::logs) last_ms: i64,
    pub(in crate::logs) first_ingestion_ms: i64,
    pub(in crate::logs) last_ingestion_ms: i64,
    /// The oldest segment that has events of it.
    pub(in crate::logs) first_segment: u64,
    /// Where its last event ends.
    pub(in crate::logs) end: Position,
}

impl Totals {
    pub(in crate::logs) fn new(span: &Span, segment: u64) -> Self {
        Self {
            first_ms: span.first_ms,
            last_ms: span.last_ms,
            first_ingestion_ms: span.first_ingestion_ms,
            last_ingestion_ms: span.last_ingestion_ms,
            first_segment: segment,
            end: Position { segment, offset: span.to },
        }
    }

    /// Adds what a newer segment has.
    pub(in crate::logs) fn add(&mut self, span: &Span, segment: u64) {
        self.first_ms = self.first_ms.min(span.first_ms);
        self.last_ms = self.last_ms.max(span.last_ms);
        self.last_ingestion_ms = span.last_ingestion_ms;
        self.end = Position { segment, offset: span.to };
    }
}

/// The streams of a group, by name.
#[derive(Debug, Default)]
pub(in crate::logs) struct GroupStreams {
    /// Of which segments, ascending.
    sealed: Vec<u64>,
    pub(in crate::logs) by_name: BTreeMap<String, Totals>,
}

impl GroupStreams {
    /// Takes note of which segments there are now.
    pub(super) fn update(
        &mut self,
        sealed: &[u64],
        index: impl Fn(u64) -> io::Result<SealedIndex>,
    ) -> io::Result<()> {
        let oldest = sealed.first().copied().unwrap_or(u64::MAX);
        if self.sealed.starts_with(sealed) {
            // All of it is known, and perhaps more: another reader has looked since.
            return Ok(());
        }
        let expired = self.sealed.partition_point(|number| *number < oldest);
        if !sealed.starts_with(&self.sealed[expired..]) {
            // Somebody has removed segments from the middle.
            *self = Self::default();
        } else if expired > 0 {
            self.sealed.drain(..expired);
            let kept = std::mem::take(&mut self.sealed);
            if let Err(error) = self.expire(oldest, &kept, &index) {
                *self = Self::default();
                return Err(error);
            }
            self.sealed = kept;
        }
        for &number in &sealed[self.sealed.len()..] {
            let index = index(number)?;
            for entry in index.streams(0) {
                match self.by_name.get_mut(entry.name) {
                    Some(totals) => totals.add(&entry.span, number),
                    None => {
                        self.by_name.insert(entry.name.to_owned(), Totals::new(&entry.span, number));
                    }
                }
            }
            self.sealed.push(number);
        }
        Ok(())
    }

    /// Forgets what stood in segments before `oldest`. `kept` are those that are still there.
    fn expire(
        &mut self,
        oldest: u64,
        kept: &[u64],
        index: &impl Fn(u64) -> io::Result<SealedIndex>,
    ) -> io::Result<()> {
        self.by_name.retain(|_, totals| totals.end.segment >= oldest);
        let mut begins_anew: Vec<(&str, &mut Totals)> = self
            .by_name
            .iter_mut()
            .filter(|(_, totals)| totals.first_segment < oldest)
            .map(|(name, totals)| (name.as_str(), totals))
            .collect();
        for &number in kept {
            if begins_anew.is_empty() {
                break;
            }
            let index = index(number)?;
            begins_anew.retain_mut(|(name, totals)| {
                let Some(entry) = index.stream(name) else { return true };
                totals.first_ms = entry.span.first_ms;
                totals.first_ingestion_ms = entry.span.first_ingestion_ms;
                totals.first_segment = number;
                false
            });
        }
        Ok(())
    }
}
