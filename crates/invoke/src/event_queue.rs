//! Asynchronous invocation (`InvocationType: Event`): a queue on disk, and whoever works it off.
//!
//! An event is acknowledged when it is on disk, and removed when the function has succeeded or there is nothing left to
//! try; in between, whatever happens to the server, it is there. So it runs at least once, and after a crash an event
//! that ran may run again. What is to be told of its end takes its place in the same step.
//!
//! [`dispatcher`] takes events when they are due, [`verdict`] says what comes after an attempt, [`destination`] who is to
//! hear of the end, and [`delivery`] brings it to those who are not functions.

mod config;
mod delivery;
mod destination;
mod dispatcher;
mod tasks;
mod verdict;

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use hearth_functions::ResolveError;
use hearth_store::{
    DeliveryRecord, EventCounts, EventProgress, EventRecord, EventStore, Outcome, StoreError,
};
use hearth_types::{FunctionName, TraceHeader};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::{Fact, InvokeError, InvokeRequest, Invoker};
pub use config::{EventInvokeConfigChange, EventInvokeConfigError};
use delivery::Deliverer;
use dispatcher::Dispatcher;

/// The time that events are accepted at and wait for. It must go on over restarts, so it is a wall clock; it should not
/// jump while the server runs.
pub trait EventClock: Send + Sync + 'static {
    /// Returns milliseconds since 1970.
    fn epoch_ms(&self) -> i64;

    /// Waits until [`EventClock::epoch_ms`] has reached `epoch_ms`.
    fn wait_until(&self, epoch_ms: i64) -> BoxFuture<'_, ()>;
}

/// Other services that hear of the end of events: queues, topics, buses, buckets.
pub trait Destinations: Send + Sync + 'static {
    /// Brings a message to its destination, which has it when this returns. A message may come twice.
    fn deliver<'a>(&'a self, delivery: &'a DeliveryRecord) -> BoxFuture<'a, Result<(), DeliveryError>>;
}

/// Why a message is not where it should be.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// It will not be taken later either.
    #[error("{0}")]
    Refused(String),
    /// It may be taken later.
    #[error("{0}")]
    Unreachable(String),
}

/// The queue of asynchronous events.
pub struct EventQueue {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    workers: Mutex<Vec<JoinHandle<()>>>,
    /// One change of a configuration at a time.
    changing_configs: tokio::sync::Mutex<()>,
}

/// What accepting an event and running it have in common.
struct Shared {
    invoker: Arc<Invoker>,
    store: Arc<dyn EventStore>,
    clock: Arc<dyn EventClock>,
    /// Rung when an event was accepted.
    accepted: Notify,
    /// Rung when there is something to deliver.
    delivery_added: Notify,
    /// Whether other services can be reached.
    has_services: bool,
    stopped: watch::Receiver<bool>,
}

impl EventQueue {
    /// Goes on with the events that are there. Without `destinations`, ends of events are told to functions only, and
    /// messages of an earlier server to others wait. Needs a Tokio runtime.
    pub fn start(
        invoker: Arc<Invoker>,
        store: Arc<dyn EventStore>,
        clock: Arc<dyn EventClock>,
        destinations: Option<Arc<dyn Destinations>>,
    ) -> Arc<Self> {
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Shared {
            invoker,
            store,
            clock,
            accepted: Notify::new(),
            delivery_added: Notify::new(),
            has_services: destinations.is_some(),
            stopped,
        });
        let mut workers = vec![tokio::spawn(Dispatcher::new(shared.clone()).run())];
        if let Some(destinations) = destinations {
            workers.push(tokio::spawn(Deliverer::new(shared.clone(), destinations).run()));
        }
        Arc::new(Self { shared, stop, workers: Mutex::new(workers), changing_configs: Default::default() })
    }

    /// Accepts an event: when this returns, it is on disk. Checks of the function what an invocation that waits for its
    /// response is told at once, and returns the trace that the event is part of.
    pub async fn accept(
        &self,
        name: &FunctionName,
        request: InvokeRequest,
    ) -> Result<TraceHeader, InvokeError> {
        let Shared { invoker, store, clock, accepted, .. } = &*self.shared;
        invoker.resolve(name, request.qualifier.as_ref()).await?;
        let now = clock.epoch_ms();
        // Whether a trace of our own is kept is decided when the event runs.
        let (trace, kept_trace) = match request.trace {
            Some(trace) => (trace.clone(), trace),
            None => {
                let trace = TraceHeader::generate(now);
                (trace.clone(), trace.undecided())
            }
        };
        let qualifier = request.qualifier;
        let event = EventRecord {
            request_id: request.request_id.to_string(),
            function: name.to_string(),
            qualifier: qualifier.as_ref().map(ToString::to_string),
            accepted_ms: now,
            client_context: request.client_context,
            trace: Some(kept_trace.as_str().to_owned()),
            payload: request.payload,
            progress: EventProgress { due_ms: now, attempts: 0, backoffs: 0 },
        };
        fail::fail_point!("events::accept");
        match store.accept(event).await.map_err(|error| service(&error))? {
            Outcome::Done => {}
            Outcome::Conflict => {
                let arn = invoker.functions.arn(name, qualifier);
                return Err(ResolveError::NotFound { arn }.into());
            }
        }
        fail::fail_point!("events::accepted");
        invoker.count(name, qualifier.as_ref(), Fact::EventReceived);
        accepted.notify_one();
        Ok(trace)
    }

    /// Returns how many events there are, and were.
    pub async fn counts(&self) -> Result<EventCounts, StoreError> {
        self.shared.store.counts().await
    }

    /// Begins no attempt any more.
    pub fn stop(&self) {
        let _ = self.stop.send(true);
    }

    /// Stops, and waits for the attempts that run. What could not end stays in the queue.
    pub async fn drain(&self) {
        self.stop();
        let workers = std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner));
        for worker in workers {
            if worker.await.is_err() {
                tracing::error!("who works the queue of events off panicked");
            }
        }
    }
}

/// Our failure to keep something, with what was behind it.
fn service(error: &StoreError) -> InvokeError {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    InvokeError::Service(text)
}
