//! Who may run: an event begins when there is memory and concurrency for it, or backs off.

use std::sync::Arc;

use hearth_store::QueuedEvent;
use hearth_types::{FunctionName, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Dispatcher, target};
use crate::Permit;

/// How much of the contents of events is in memory at once. Ours: what does not fit waits for what runs.
pub(super) const RUNNING_BYTES_MAX: usize = 256 << 20;
/// How many events run at once to begin with, and how many more after each [`WIDEN_AFTER_MS`] in which none of them ended.
/// Ours: a long queue is worked off by environments that are warm, and not by one for each of its events, and functions
/// that are slow hold others up for a moment only. The account's concurrency is the limit above.
pub(super) const AT_ONCE: usize = 8;
/// See [`AT_ONCE`].
const WIDEN_AFTER_MS: i64 = 1_000;
/// How long an event waits for concurrency before it is throttled, and backs off. Ours.
const CONCURRENCY_WAIT_MS: i64 = 1_000;
/// How many events of a function with reserved concurrency wait for it, besides those that run. Ours: enough for its next
/// event to be at hand when one ends. Whatever more is due backs off.
const OWN_WAITING_MAX: usize = 64;
/// How long each of them waits before it is throttled, and backs off. Ours.
const OWN_WAIT_MS: i64 = 60_000;
/// How many events are put off or dropped at once. Ours.
const PUT_OFF_AT_ONCE: usize = 64;

/// Somebody works on an event.
pub(super) struct Task {
    pub(super) event: i64,
    kind: TaskKind,
}

/// What is done with it, and so which of the limits it counts for.
#[derive(PartialEq, Eq)]
enum TaskKind {
    /// It runs on what all functions share.
    Shared,
    /// It runs, or waits to, on what its function has reserved: nobody else waits for that.
    Own(FunctionName),
    /// It backs off, or is at its end without having run.
    PutOff,
}

/// An event that is to run, and what it takes to run it.
pub(super) struct Admitted {
    pub(super) event: QueuedEvent,
    pub(super) permit: Permit,
    /// Its room in memory.
    pub(super) _room: OwnedSemaphorePermit,
}

impl Dispatcher {
    /// Begins an attempt as soon as there is memory and concurrency for it, or backs it off.
    pub(super) async fn begin(&mut self, event: QueuedEvent) {
        let Some((name, qualifier)) = target(&event.function, event.qualifier.as_deref()) else {
            let shared = self.shared.clone();
            return self
                .put_off(event.id, async move { shared.drop_damaged(event.id, "it names no function").await })
                .await;
        };
        let invoker = self.shared.invoker.clone();
        // One that cannot be found is seen to when it runs.
        let version = invoker.functions.resolve(&name, qualifier.as_ref());
        let version = version.map_or(Version::Latest, |version| version.version);
        let reserved = invoker.concurrency.reserved(&name);
        if reserved != Some(0) && invoker.injected_throttle(&name, version).is_some() {
            let shared = self.shared.clone();
            return self.put_off(event.id, async move { shared.throttled(event).await }).await;
        }
        match reserved {
            None => self.begin_shared(event, &name, version).await,
            Some(0) => {
                let shared = self.shared.clone();
                self.put_off(event.id, async move { shared.may_not_run(event).await }).await;
            }
            Some(reserved) => self.begin_own(event, name, version, reserved as usize).await,
        }
    }

    /// Of a function that shares its concurrency with others.
    async fn begin_shared(&mut self, event: QueuedEvent, name: &FunctionName, version: Version) {
        let shared = self.shared.clone();
        while self.count(&TaskKind::Shared) >= self.at_once {
            let limit = shared.clock.epoch_ms() + WIDEN_AFTER_MS;
            tokio::select! {
                true = self.running.one_ends() => {}
                () = shared.clock.wait_until(limit) => self.at_once += AT_ONCE,
            }
        }
        let Some(room) = room(&self.room, &event).await else { return };
        let limit = shared.clock.epoch_ms() + CONCURRENCY_WAIT_MS;
        let id = event.id;
        let task = Task { event: id, kind: TaskKind::Shared };
        tokio::select! {
            biased;
            permit = shared.invoker.concurrency.admitted_event(name, version) => {
                let admitted = Admitted { event, permit, _room: room };
                self.running.begin(task, async move { shared.attempt(admitted).await });
            }
            () = shared.clock.wait_until(limit) => {
                self.running.begin(task, async move { shared.throttled(event).await });
            }
        }
    }

    /// Of a function that has reserved concurrency. It waits for that on its own, so that no event of another function
    /// waits behind it.
    async fn begin_own(&mut self, event: QueuedEvent, name: FunctionName, version: Version, reserved: usize) {
        let shared = self.shared.clone();
        let kind = TaskKind::Own(name.clone());
        let id = event.id;
        if self.count(&kind) >= reserved.saturating_add(OWN_WAITING_MAX) {
            return self.put_off(id, async move { shared.throttled(event).await }).await;
        }
        let all_room = self.room.clone();
        let limit = shared.clock.epoch_ms() + OWN_WAIT_MS;
        self.running.begin(Task { event: id, kind }, async move {
            let mut stopped = shared.stopped.clone();
            let permit = tokio::select! {
                biased;
                // It stays as it is.
                _ = stopped.wait_for(|stopped| *stopped) => return,
                permit = shared.invoker.concurrency.admitted_event(&name, version) => Some(permit),
                () = shared.clock.wait_until(limit) => None,
            };
            let Some(permit) = permit else { return shared.throttled(event).await };
            if let Some(room) = room(&all_room, &event).await {
                shared.attempt(Admitted { event, permit, _room: room }).await;
            }
        });
    }

    /// Has `work` done for an event that does not run now.
    async fn put_off(&mut self, id: i64, work: impl Future<Output = ()> + Send + 'static) {
        while self.count(&TaskKind::PutOff) >= PUT_OFF_AT_ONCE {
            if !self.running.one_ends().await {
                break;
            }
        }
        self.running.begin(Task { event: id, kind: TaskKind::PutOff }, work);
    }

    fn count(&self, kind: &TaskKind) -> usize {
        self.running.under_way().filter(|task| task.kind == *kind).count()
    }
}

/// Waits until there is memory for the content of an event.
async fn room(all: &Arc<Semaphore>, event: &QueuedEvent) -> Option<OwnedSemaphorePermit> {
    let bytes = event.payload_bytes.clamp(1, RUNNING_BYTES_MAX) as u32;
    all.clone().acquire_many_owned(bytes).await.ok()
}
