//! Layer versions in memory, for tests and fuzzers that need no disk. It passes the conformance suite as any store.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::{BoxFuture, ready};

use crate::{LayerStore, LayerVersionRecord, Outcome, StoreError};

/// Layer versions that end with the process.
#[derive(Default)]
pub struct MemoryLayers(Mutex<BTreeMap<String, LayerVersionRecord>>);

impl MemoryLayers {
    fn records(&self) -> MutexGuard<'_, BTreeMap<String, LayerVersionRecord>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(
        &self,
        change: impl FnOnce(&mut BTreeMap<String, LayerVersionRecord>) -> bool,
    ) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        let done = change(&mut self.records());
        Box::pin(ready(Ok(if done { Outcome::Done } else { Outcome::Conflict })))
    }
}

impl LayerStore for MemoryLayers {
    fn load_all(&self) -> BoxFuture<'_, Result<Vec<LayerVersionRecord>, StoreError>> {
        Box::pin(ready(Ok(self.records().values().cloned().collect())))
    }

    fn insert(&self, record: LayerVersionRecord) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        self.change(|records| {
            let is_free = !records.contains_key(&record.key());
            if is_free {
                records.insert(record.key(), record);
            }
            is_free
        })
    }

    fn replace(
        &self,
        expected: String,
        record: LayerVersionRecord,
    ) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        self.change(|records| match records.get_mut(&record.key()) {
            Some(current) if current.revision_id == expected => {
                *current = record;
                true
            }
            _ => false,
        })
    }

    fn remove(&self, key: String) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        self.change(|records| records.remove(&key).is_some())
    }
}
