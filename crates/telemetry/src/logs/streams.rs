//! Which streams a group has, and where they are: what clients have said of them, and what the segments have.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::PoisonError;

use hearth_types::LogGroupName;

use super::group::LogStream;
use super::index::{Span, Totals};
use super::read::OnDisk;
use super::{LogStore, LogStoreError, Position};

impl LogStore {
    /// Describes all streams of a group, by name. Blocks on the disk.
    pub fn streams(&self, group: &LogGroupName) -> Result<Vec<LogStream>, LogStoreError> {
        let records = self.catalogue.streams(group).ok_or(LogStoreError::GroupNotFound)?;
        let disk = self.on_disk(group).ok_or(LogStoreError::GroupNotFound)?;
        let mut totals = self.totals(&disk)?;
        let mut streams: BTreeMap<String, LogStream> = BTreeMap::new();
        for (name, record) in records {
            if let Some(deleted) = record.deleted
                && let Some(of_all) = totals.remove(&name)
                && of_all.end > deleted
            {
                let kept = self.totals_since(&disk, &name, deleted)?;
                totals.extend(kept.map(|kept| (name.clone(), kept)));
            }
            if let Some(created_ms) = record.created_ms {
                let stream = LogStream::new(&name, created_ms);
                streams.insert(name, stream);
            }
        }
        for (name, totals) in totals {
            let created_ms = totals.first_ingestion_ms;
            let stream = streams.entry(name).or_insert_with_key(|name| LogStream::new(name, created_ms));
            stream.first_event_ms = Some(totals.first_ms);
            stream.last_event_ms = Some(totals.last_ms);
            stream.last_ingestion_ms = Some(totals.last_ingestion_ms);
        }
        Ok(streams.into_values().collect())
    }

    /// Says whether a group has a stream of that name. Blocks on the disk.
    pub fn has_stream(&self, group: &LogGroupName, name: &str) -> Result<bool, LogStoreError> {
        let disk = self.on_disk(group).ok_or(LogStoreError::GroupNotFound)?;
        let record = self.catalogue.stream(group, name).unwrap_or_default();
        if record.created_ms.is_some() {
            return Ok(true);
        }
        let is_kept = |end: Position| record.deleted.is_none_or(|deleted| deleted < end);
        if self.sealed_end(&disk, name)?.is_some_and(is_kept) {
            return Ok(true);
        }
        let Some(newest) = disk.newest() else { return Ok(false) };
        let span = self.indexes.span(&disk.folder, newest, true, name).map_err(disk.error(newest))?;
        Ok(span.is_some_and(|span| is_kept(Position { segment: newest, offset: span.to })))
    }

    /// Returns in which of the segments that grow no more some streams may have events.
    pub(super) fn segments_of(&self, disk: &OnDisk, names: &[String]) -> Result<Range<u64>, LogStoreError> {
        let streams = self.indexes.streams(&disk.folder, disk.sealed()).map_err(disk.error(0))?;
        let streams = streams.lock().unwrap_or_else(PoisonError::into_inner);
        let totals = names.iter().filter_map(|name| streams.by_name.get(name));
        let (first, last) = totals.fold((u64::MAX, 0), |(first, last), totals| {
            (first.min(totals.first_segment), last.max(totals.end.segment))
        });
        Ok(first..last.saturating_add(1))
    }

    /// Returns where a stream ends in the segments that grow no more.
    fn sealed_end(&self, disk: &OnDisk, name: &str) -> Result<Option<Position>, LogStoreError> {
        let streams = self.indexes.streams(&disk.folder, disk.sealed()).map_err(disk.error(0))?;
        let streams = streams.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(streams.by_name.get(name).map(|totals| totals.end))
    }

    /// Returns what all segments have of each stream.
    fn totals(&self, disk: &OnDisk) -> Result<BTreeMap<String, Totals>, LogStoreError> {
        let streams = self.indexes.streams(&disk.folder, disk.sealed()).map_err(disk.error(0))?;
        let mut totals = streams.lock().unwrap_or_else(PoisonError::into_inner).by_name.clone();
        if let Some(newest) = disk.newest() {
            let add = |name: &str, span: &Span| match totals.get_mut(name) {
                Some(totals) => totals.add(span, newest),
                None => {
                    totals.insert(name.to_owned(), Totals::new(span, newest));
                }
            };
            self.indexes.each_growing(&disk.folder, newest, add).map_err(disk.error(newest))?;
        }
        Ok(totals)
    }

    /// The same for one stream, without what it had before it was `deleted`.
    fn totals_since(
        &self,
        disk: &OnDisk,
        name: &str,
        deleted: Position,
    ) -> Result<Option<Totals>, LogStoreError> {
        let mut kept: Option<Totals> = None;
        for &number in disk.numbers.iter().filter(|&&number| number >= deleted.segment) {
            let grows = disk.newest() == Some(number);
            let span = self.indexes.span(&disk.folder, number, grows, name).map_err(disk.error(number))?;
            let Some(span) = span.filter(|span| Position { segment: number, offset: span.to } > deleted)
            else {
                continue;
            };
            match &mut kept {
                Some(kept) => kept.add(&span, number),
                None => kept = Some(Totals::new(&span, number)),
            }
        }
        Ok(kept)
    }
}
