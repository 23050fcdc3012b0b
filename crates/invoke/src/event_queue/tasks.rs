//! Tasks that are under way, each with what it works on: what whoever runs events and whoever brings messages have in common.

use std::collections::HashMap;

use tokio::sync::Notify;
use tokio::task::{Id, JoinError, JoinSet};

use super::Shared;

/// How long to wait after the store has failed. Ours.
pub(super) const STORE_WAIT_MS: i64 = 1_000;

/// Tasks that are under way.
pub(super) struct Tasks<T> {
    tasks: JoinSet<()>,
    under_way: HashMap<Id, T>,
    /// What is said of one that panicked.
    panicked: &'static str,
}

impl<T> Tasks<T> {
    pub(super) fn new(panicked: &'static str) -> Self {
        Self { tasks: JoinSet::new(), under_way: HashMap::new(), panicked }
    }

    /// Begins to work on something.
    pub(super) fn begin(&mut self, on: T, work: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(work);
        self.under_way.insert(task.id(), on);
    }

    /// Returns what is worked on.
    pub(super) fn under_way(&self) -> impl ExactSizeIterator<Item = &T> {
        self.under_way.values()
    }

    /// Forgets those that have ended.
    pub(super) fn forget_ended(&mut self) {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.forget(ended);
        }
    }

    /// Waits until one of them has ended; `false` when there is none. Whoever stops waiting loses nothing.
    pub(super) async fn one_ends(&mut self) -> bool {
        match self.tasks.join_next_with_id().await {
            Some(ended) => {
                self.forget(ended);
                true
            }
            None => false,
        }
    }

    /// Waits until all of them have ended.
    pub(super) async fn all_end(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    fn forget(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "{}", self.panicked);
                error.id()
            }
        };
        self.under_way.remove(&id);
    }
}

impl Shared {
    /// Waits until something is due, has been added, or a task has ended, which may be due again then.
    pub(super) async fn wait_for_work<T>(&self, next_ms: Option<i64>, added: &Notify, tasks: &mut Tasks<T>) {
        let due = async {
            match next_ms {
                Some(next_ms) => self.clock.wait_until(next_ms).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {}
            () = added.notified() => {}
            true = tasks.one_ends() => {}
        }
    }

    /// Waits before the store is asked again that could not be read.
    pub(super) async fn wait_for_store(&self) {
        self.clock.wait_until(self.clock.epoch_ms() + STORE_WAIT_MS).await;
    }
}
