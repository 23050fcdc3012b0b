//! Layer versions and events in memory, for tests and fuzzers that need no disk. Layer versions pass the conformance suite
//! as any store; events stand alone, without functions that they could go with.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::{BoxFuture, ready};

use crate::{
    CodeSigningConfigRecord, CodeSigningStore, DeliveryRecord, DeliveryStore, EventCounts, EventEnd,
    EventInvokeConfigRecord, EventInvokeConfigStore, EventProgress, EventRecord, EventStore, LayerStore,
    LayerVersionRecord, Outcome, QueuedDelivery, QueuedEvent, StoreError,
};

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

/// Code signing configurations that end with the process.
#[derive(Default)]
pub struct MemoryCodeSigning(Mutex<BTreeMap<String, CodeSigningConfigRecord>>);

impl MemoryCodeSigning {
    fn records(&self) -> MutexGuard<'_, BTreeMap<String, CodeSigningConfigRecord>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CodeSigningStore for MemoryCodeSigning {
    fn load_all(&self) -> BoxFuture<'_, Result<Vec<CodeSigningConfigRecord>, StoreError>> {
        Box::pin(ready(Ok(self.records().values().cloned().collect())))
    }

    fn insert(&self, record: CodeSigningConfigRecord) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        let mut records = self.records();
        let is_free = !records.contains_key(&record.id);
        if is_free {
            records.insert(record.id.clone(), record);
        }
        Box::pin(ready(Ok(outcome(is_free))))
    }

    fn replace(
        &self,
        expected: String,
        record: CodeSigningConfigRecord,
    ) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        let mut records = self.records();
        let is_there = records.get(&record.id).is_some_and(|known| known.revision_id == expected);
        if is_there {
            records.insert(record.id.clone(), record);
        }
        Box::pin(ready(Ok(outcome(is_there))))
    }

    fn remove(&self, id: String) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(ready(Ok(outcome(self.records().remove(&id).is_some()))))
    }
}

/// Events that end with the process, of functions that are always there.
#[derive(Default)]
pub struct MemoryEvents(Mutex<Events>);

#[derive(Default)]
struct Events {
    last_id: i64,
    queue: BTreeMap<i64, EventRecord>,
    deliveries: BTreeMap<i64, DeliveryRecord>,
    dropped: BTreeMap<String, u64>,
    configs: BTreeMap<(String, String), EventInvokeConfigRecord>,
}

impl MemoryEvents {
    fn with<'a, T: Send + 'a>(
        &'a self,
        work: impl FnOnce(&mut Events) -> T,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        let done = work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
        Box::pin(ready(Ok(done)))
    }
}

fn outcome(done: bool) -> Outcome {
    if done { Outcome::Done } else { Outcome::Conflict }
}

impl EventInvokeConfigStore for MemoryEvents {
    fn put_config(&self, config: EventInvokeConfigRecord) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        self.with(|events| {
            events.configs.insert((config.function.clone(), config.qualifier.clone()), config);
            Outcome::Done
        })
    }

    fn configs(&self, function: String) -> BoxFuture<'_, Result<Vec<EventInvokeConfigRecord>, StoreError>> {
        let of_it = |config: &&EventInvokeConfigRecord| config.function == function;
        self.with(|events| events.configs.values().filter(of_it).cloned().collect())
    }

    fn remove_config(
        &self,
        function: String,
        qualifier: String,
    ) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        self.with(|events| outcome(events.configs.remove(&(function, qualifier)).is_some()))
    }
}

impl DeliveryStore for MemoryEvents {
    fn first_deliveries(&self, limit: usize) -> BoxFuture<'_, Result<Vec<QueuedDelivery>, StoreError>> {
        self.with(|events| {
            let queued =
                |(&id, delivery): (&i64, &DeliveryRecord)| QueuedDelivery { id, due_ms: delivery.due_ms };
            let mut first: Vec<QueuedDelivery> = events.deliveries.iter().map(queued).collect();
            first.sort_by_key(|delivery| (delivery.due_ms, delivery.id));
            first.truncate(limit);
            first
        })
    }

    fn load_delivery(&self, id: i64) -> BoxFuture<'_, Result<Option<DeliveryRecord>, StoreError>> {
        self.with(|events| events.deliveries.get(&id).cloned())
    }

    fn postpone_delivery(
        &self,
        id: i64,
        due_ms: i64,
        backoffs: u32,
    ) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        self.with(|events| {
            let delivery = events.deliveries.get_mut(&id);
            outcome(
                delivery.map(|delivery| (delivery.due_ms, delivery.backoffs) = (due_ms, backoffs)).is_some(),
            )
        })
    }

    fn finish_delivery(
        &self,
        id: i64,
        dropped: Option<&'static str>,
    ) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        self.with(|events| {
            let removed = events.deliveries.remove(&id).is_some();
            if let Some(reason) = dropped.filter(|_| removed) {
                *events.dropped.entry(reason.to_owned()).or_default() += 1;
            }
            outcome(removed)
        })
    }
}

impl EventStore for MemoryEvents {
    fn accept(&self, event: EventRecord) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        self.with(|events| {
            events.last_id += 1;
            outcome(events.queue.insert(events.last_id, event).is_none())
        })
    }

    fn first(&self, limit: usize) -> BoxFuture<'_, Result<Vec<QueuedEvent>, StoreError>> {
        self.with(|events| {
            let queued = |(&id, event): (&i64, &EventRecord)| QueuedEvent {
                id,
                due_ms: event.progress.due_ms,
                payload_bytes: event.payload.len(),
                function: event.function.clone(),
                qualifier: event.qualifier.clone(),
            };
            let mut first: Vec<QueuedEvent> = events.queue.iter().map(queued).collect();
            first.sort_by_key(|event| (event.due_ms, event.id));
            first.truncate(limit);
            first
        })
    }

    fn load(&self, id: i64) -> BoxFuture<'_, Result<Option<EventRecord>, StoreError>> {
        self.with(|events| events.queue.get(&id).cloned())
    }

    fn postpone(&self, id: i64, progress: EventProgress) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        self.with(|events| {
            outcome(events.queue.get_mut(&id).map(|event| event.progress = progress).is_some())
        })
    }

    fn finish(&self, id: i64, dropped: Option<&'static str>) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        self.with(|events| {
            let removed = events.queue.remove(&id).is_some();
            if let Some(reason) = dropped.filter(|_| removed) {
                *events.dropped.entry(reason.to_owned()).or_default() += 1;
            }
            outcome(removed)
        })
    }

    fn end(&self, id: i64, end: EventEnd) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        self.with(|events| {
            if events.queue.remove(&id).is_none() {
                return Outcome::Conflict;
            }
            for reason in end.dropped {
                *events.dropped.entry(reason.to_owned()).or_default() += 1;
            }
            if let Some(next) = end.next {
                events.last_id += 1;
                events.queue.insert(events.last_id, *next);
            }
            for delivery in end.deliveries {
                events.last_id += 1;
                events.deliveries.insert(events.last_id, delivery);
            }
            Outcome::Done
        })
    }

    fn counts(&self) -> BoxFuture<'_, Result<EventCounts, StoreError>> {
        self.with(|events| EventCounts {
            queued: events.queue.len() as u64,
            deliveries: events.deliveries.len() as u64,
            dropped: events.dropped.clone().into_iter().collect(),
        })
    }
}
