//! What waits to be written: events gather here until the writer takes them all.

use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hearth_types::{LogGroupName, LogStreamName};
use tokio::sync::{Notify, watch};

use super::PutEvent;
use super::writer::Writer;

/// How long the writer lets events gather. Waking it for each event would cost a short call more than the call itself.
const GATHER: Duration = Duration::from_millis(10);

/// Events of one stream.
pub(super) struct Put {
    pub(super) group: LogGroupName,
    pub(super) stream: LogStreamName,
    pub(super) events: Vec<PutEvent>,
}

/// Something else that only the writer may do, with whoever waits for it.
pub(super) type Job = Box<dyn FnOnce(&mut Writer) + Send>;

/// What waits to be written.
#[derive(Default)]
pub(super) struct Queue {
    pub(super) puts: Vec<Put>,
    /// Done when everything that was put before is written.
    pub(super) jobs: Vec<Job>,
    pub(super) closed: bool,
}

/// What the store and its writer share.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) queue: Mutex<Queue>,
    /// Rung when the queue is no longer empty, or somebody does not want to wait.
    pub(super) rung: Condvar,
    pub(super) waiting_bytes: AtomicUsize,
    pub(super) dropped_events: AtomicU64,
    pub(super) has_room: Notify,
    pub(super) written: watch::Sender<u64>,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to write, lets it gather for a moment unless somebody waits, and takes it all; an empty queue
    /// when nothing came for `patience`. `None` when the store is closed and everything is written.
    pub(super) fn take(&self, patience: Duration) -> Option<Queue> {
        let is_quiet = |queue: &mut Queue| queue.puts.is_empty() && queue.jobs.is_empty() && !queue.closed;
        let (queue, waited) = self
            .rung
            .wait_timeout_while(self.lock(), patience, is_quiet)
            .unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return Some(Queue::default());
        }
        let may_gather = |queue: &mut Queue| queue.jobs.is_empty() && !queue.closed;
        let (mut queue, _) =
            self.rung.wait_timeout_while(queue, GATHER, may_gather).unwrap_or_else(PoisonError::into_inner);
        let taken = Queue { closed: queue.closed, ..std::mem::take(&mut *queue) };
        queue.closed = taken.closed;
        (!taken.puts.is_empty() || !taken.jobs.is_empty() || !taken.closed).then_some(taken)
    }
}
