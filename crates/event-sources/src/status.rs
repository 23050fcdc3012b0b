//! Where a mapping stands, as its poller sees it; and how the poller hears that it is to stop.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::mapping::{Mapping, MappingState};

/// State and last result of a mapping.
#[derive(Debug)]
pub(crate) struct Status(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    state: MappingState,
    last_result: String,
}

impl Status {
    pub(crate) fn new(state: MappingState) -> Self {
        Self(Mutex::new(Inner { state, last_result: "No records processed".to_owned() }))
    }

    pub(crate) fn state(&self) -> MappingState {
        self.lock().state
    }

    pub(crate) fn set_state(&self, state: MappingState) {
        self.lock().state = state;
    }

    /// What is about to be reached has been reached. What was asked for since stays.
    pub(crate) fn settle(&self) {
        use MappingState::{Creating, Deleting, Disabled, Disabling, Enabled, Enabling, Updating};
        let mut inner = self.lock();
        inner.state = match inner.state {
            Creating | Enabling | Updating | Enabled => Enabled,
            state @ (Disabling | Disabled | Deleting) => state,
        };
    }

    pub(crate) fn last_result(&self) -> String {
        self.lock().last_result.clone()
    }

    /// Notes that the function has worked records off.
    pub(crate) fn ok(&self) {
        "OK".clone_into(&mut self.lock().last_result);
    }

    /// Notes what keeps records from being worked off.
    pub(crate) fn problem(&self, what: &str) {
        self.lock().last_result = format!("PROBLEM: {what}");
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is wanted of a mapping.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    /// That its source is polled.
    Polling(Arc<Mapping>),
    /// That it rests.
    Resting,
    /// That it goes.
    Removed,
    /// That the server can end.
    Ended,
}

/// How a poller hears that something else is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Stop(pub(crate) watch::Receiver<Wanted>);

impl Stop {
    /// Whether the poller is to stop.
    pub(crate) fn is_requested(&self) -> bool {
        self.0.has_changed().unwrap_or(true)
    }

    /// Waits until it is to stop.
    pub(crate) async fn requested(&self) {
        let mut wanted = self.0.clone();
        // Without a sender there is nobody who could want anything.
        let _ = wanted.changed().await;
    }

    /// Waits until the server is about to end.
    pub(crate) async fn at_end(&self) {
        let mut wanted = self.0.clone();
        let _ = wanted.wait_for(|wanted| matches!(wanted, Wanted::Ended)).await;
    }

    /// Waits, and returns whether to go on.
    pub(crate) async fn wait(&self, wait: Duration) -> bool {
        tokio::select! {
            () = self.requested() => false,
            () = tokio::time::sleep(wait) => true,
        }
    }
}
