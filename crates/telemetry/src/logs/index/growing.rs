//! The index of a segment while it is made: line by line, from where it got to the last time.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::Path;

use super::Wanted;
use super::span::{BLOCK_BYTES, Block, Span, pieces};
use crate::logs::segment::Lines;

/// What is where in one segment, up to where it was read.
#[derive(Debug, Default)]
pub(in crate::logs) struct SegmentIndex {
    /// Up to where the segment was read.
    pub(super) scanned: u64,
    names: HashMap<String, usize>,
    streams: Vec<OfStream>,
    pub(super) blocks: Vec<Block>,
}

/// What is where of one stream.
#[derive(Debug)]
pub(super) struct OfStream {
    pub(super) span: Span,
    /// Where its events are: those that stand next to each other are one run.
    pub(super) runs: Vec<Range<u64>>,
}

impl SegmentIndex {
    /// Returns the streams with their names, in no order.
    pub(super) fn streams(&self) -> impl Iterator<Item = (&str, &OfStream)> {
        self.names.iter().map(|(name, &at)| (name.as_str(), &self.streams[at]))
    }

    /// Returns what there is of a stream.
    pub(super) fn stream(&self, name: &str) -> Option<&OfStream> {
        self.names.get(name).map(|&at| &self.streams[at])
    }

    /// Returns which bytes to read for what is wanted.
    pub(super) fn pieces(&self, wanted: &Wanted<'_>) -> Vec<Range<u64>> {
        let of_names = |names: &mut dyn Iterator<Item = &OfStream>| -> Vec<Range<u64>> {
            let in_time = names.filter(|of| wanted.is_in_time(&of.span));
            in_time.flat_map(|of| of.runs.iter().cloned()).collect()
        };
        let runs = match wanted.names() {
            Some(names) => of_names(&mut names.iter().filter_map(|name| self.stream(name))),
            None => match wanted.prefix() {
                Some(prefix) => of_names(
                    &mut self.streams().filter(|(name, _)| name.starts_with(prefix)).map(|(_, of)| of),
                ),
                None => std::iter::once(0..self.scanned).collect(),
            },
        };
        pieces(runs, &self.blocks, self.scanned, wanted.start_ms, wanted.end_ms)
    }

    /// Reads on, up to `end`, and returns whether there was such a segment.
    pub(super) fn extend(&mut self, path: &Path, end: u64) -> io::Result<bool> {
        let Some(mut lines) = Lines::open(path)? else { return Ok(false) };
        lines.go_to(self.scanned, end);
        while let Some(from) = lines.advance()? {
            let to = lines.offset();
            self.scanned = to;
            let Some(head) = lines.head() else { continue };
            let (at_ms, ingestion_ms) = (head.timestamp_ms, head.ingestion_ms());
            match self.blocks.last_mut().filter(|block| from < block.offset + BLOCK_BYTES) {
                Some(block) => {
                    block.first_ms = block.first_ms.min(at_ms);
                    block.last_ms = block.last_ms.max(at_ms);
                }
                // What could not be read stands in no block but the one before: nobody looks for it.
                None => self.blocks.push(Block { offset: from, first_ms: at_ms, last_ms: at_ms }),
            }
            match self.names.get(&*head.log_stream) {
                Some(&at) => {
                    let OfStream { span, runs } = &mut self.streams[at];
                    span.to = to;
                    span.first_ms = span.first_ms.min(at_ms);
                    span.last_ms = span.last_ms.max(at_ms);
                    span.last_ingestion_ms = ingestion_ms;
                    match runs.last_mut().filter(|run| run.end == from) {
                        Some(run) => run.end = to,
                        None => runs.push(from..to),
                    }
                }
                None => {
                    let span = Span {
                        from,
                        to,
                        first_ms: at_ms,
                        last_ms: at_ms,
                        first_ingestion_ms: ingestion_ms,
                        last_ingestion_ms: ingestion_ms,
                    };
                    self.names.insert(head.log_stream.into_owned(), self.streams.len());
                    self.streams.push(OfStream { span, runs: std::iter::once(from..to).collect() });
                }
            }
        }
        Ok(true)
    }
}
