//! Takes events when they are due, in order, and runs them as any other invocation: with a permit, in the same pool.
//!
//! Of the queue, one page is in memory, without contents. Contents are loaded when an attempt begins, and their size in
//! memory is bounded.

mod begin;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use hearth_store::{
    EventEnd, EventInvokeConfigRecord, EventProgress, EventRecord, QueuedEvent, StoreError, UNDELIVERED,
    UNDELIVERED_DEAD_LETTER,
};
use hearth_types::{FunctionName, Qualifier, RequestId, TraceHeader, Version};
use tokio::sync::Semaphore;

use super::destination::{self, Delivery, End};
use super::tasks::{STORE_WAIT_MS, Tasks};
use super::verdict::{Attempt, Condition, Verdict};
use super::{Shared, config};
use crate::{Fact, InvokeError, InvokeRequest, InvokeResponse};
use begin::{AT_ONCE, Admitted, RUNNING_BYTES_MAX, Task};

/// How many events are taken from the queue at once. Ours.
const PAGE: usize = 256;
/// The qualifier of an event without one.
const LATEST: &str = "$LATEST";
/// Under which reason events are counted whose function, version or alias is not there.
const NOT_FOUND: &str = "FunctionNotFound";
/// Under which reason events are counted that cannot be read.
const DAMAGED: &str = "Damaged";

/// Whoever works the queue off.
pub(super) struct Dispatcher {
    shared: Arc<Shared>,
    /// Events that are due, in order.
    ready: VecDeque<QueuedEvent>,
    /// Events that are worked on.
    running: Tasks<Task>,
    /// How many may run at once.
    at_once: usize,
    room: Arc<Semaphore>,
}

impl Dispatcher {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            ready: VecDeque::new(),
            running: Tasks::new("an attempt of an event panicked"),
            at_once: AT_ONCE,
            room: Arc::new(Semaphore::new(RUNNING_BYTES_MAX)),
        }
    }

    /// Runs events until the queue is stopped, and waits for those that run.
    pub(super) async fn run(mut self) {
        let mut stopped = self.shared.stopped.clone();
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => {}
            () = self.dispatch() => {}
        }
        self.running.all_end().await;
    }

    /// Does not end, except when the store has.
    async fn dispatch(&mut self) {
        loop {
            self.running.forget_ended();
            if let Some(event) = self.ready.pop_front() {
                self.begin(event).await;
                continue;
            }
            match self.look().await {
                Ok(next_ms) if self.ready.is_empty() => self.wait(next_ms).await,
                Ok(_) => {}
                Err(StoreError::Stopped) => return,
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "the queue of events cannot be read"
                    );
                    self.shared.wait_for_store().await;
                }
            }
        }
    }

    /// Takes a page of events that are due; returns when the first is due that is not.
    async fn look(&mut self) -> Result<Option<i64>, StoreError> {
        // Those that run are the first in the queue.
        let first = self.shared.store.first(PAGE + self.running.under_way().len()).await?;
        let now = self.shared.clock.epoch_ms();
        let runs: std::collections::HashSet<i64> = self.running.under_way().map(|task| task.event).collect();
        for event in first {
            if runs.contains(&event.id) {
                continue;
            }
            if event.due_ms > now {
                return Ok(Some(event.due_ms));
            }
            self.ready.push_back(event);
        }
        Ok(None)
    }

    /// Waits until there may be something to do.
    async fn wait(&mut self, next_ms: Option<i64>) {
        self.at_once = AT_ONCE;
        let shared = self.shared.clone();
        shared.wait_for_work(next_ms, &shared.accepted, &mut self.running).await;
    }
}

impl Shared {
    /// Makes one attempt, and notes what came of it.
    async fn attempt(&self, admitted: Admitted) {
        let Admitted { event: QueuedEvent { id, function, qualifier, .. }, permit, _room } = admitted;
        let Some((name, qualifier)) = target(&function, qualifier.as_deref()) else {
            return self.drop_damaged(id, "it names no function").await;
        };
        // First the version, then the event. Events go with their function, so an event that is still there belongs to
        // the function that was found, and not to one that had its name before.
        let version = self.invoker.functions.resolve(&name, qualifier.as_ref());
        fail::fail_point!("events::begin");
        let Some(event) = self.load(id).await else { return };
        let request_id = event.request_id.clone();
        let Some(config) = self.config(&event).await else { return };
        let limits = config::limits(config.as_ref());
        if event.progress.due_ms > self.clock.epoch_ms() {
            return; // it was put off after it was taken from the queue
        }
        if limits.is_too_old(event.accepted_ms, self.clock.epoch_ms()) {
            return self.too_old(id, &event, config.as_ref()).await;
        }
        let version = match version {
            Ok(version) => version,
            Err(hearth_functions::ResolveError::NotFound { arn }) => {
                tracing::warn!(%request_id, function = %arn, "an event was dropped: its function is not there");
                self.invoker.count(&name, qualifier.as_ref(), Fact::EventDropped);
                return self.finish(id, Some(NOT_FOUND)).await;
            }
            Err(error) => {
                tracing::debug!(%request_id, error = &error as &dyn std::error::Error, "an event waits");
                return self.after(id, &event, config.as_ref(), Attempt::NotRun, None).await;
            }
        };
        let Some(request) = request(&event, qualifier.clone()) else {
            return self.drop_damaged(id, "it has no request id").await;
        };
        if self.invoker.is_recursive(&version, request.trace.as_ref()) {
            self.invoker.count(&name, qualifier.as_ref(), Fact::RecursionStopped);
            let end = End { condition: Condition::RecursiveInvocation, runs: 0, response: None };
            return self.over(id, &event, config.as_ref(), &end).await;
        }
        let age_ms = self.clock.epoch_ms().saturating_sub(event.accepted_ms);
        let age = Duration::from_millis(u64::try_from(age_ms).unwrap_or(0));
        self.invoker.count(&name, qualifier.as_ref(), Fact::EventRuns { age });
        let (attempt, response) = match self.invoker.run_event(version, permit, request).await {
            Ok(response @ InvokeResponse { function_error: false, .. }) => {
                (Attempt::Succeeded, Some(response))
            }
            Ok(response @ InvokeResponse { function_error: true, .. }) => (Attempt::Failed, Some(response)),
            // It stays as it is, and runs after the next start.
            Err(InvokeError::Draining) => return,
            // It would need a new environment, and its function has had too many new ones.
            Err(InvokeError::Throttled { .. }) => (Attempt::NotRun, None),
            Err(error) => {
                tracing::warn!(%request_id, error = &error as &dyn std::error::Error, "an event could not run");
                (Attempt::NotRun, None)
            }
        };
        fail::fail_point!("events::ran");
        self.after(id, &event, config.as_ref(), attempt, response).await;
    }

    /// Ends an event of a function that has reserved no concurrency, without having run it now.
    async fn may_not_run(&self, event: QueuedEvent) {
        let Some(record) = self.load(event.id).await else { return };
        self.count(&record, Fact::Throttled);
        let Some(config) = self.config(&record).await else { return };
        let (condition, runs) = (Condition::ZeroReservedConcurrency, record.progress.attempts);
        self.over(event.id, &record, config.as_ref(), &End { condition, runs, response: None }).await;
    }

    /// Backs off an event that there is no concurrency for.
    async fn throttled(&self, event: QueuedEvent) {
        if let Some(record) = self.load(event.id).await {
            self.count(&record, Fact::Throttled);
            let Some(config) = self.config(&record).await else { return };
            let config = config.as_ref();
            if config::limits(config).is_too_old(record.accepted_ms, self.clock.epoch_ms()) {
                return self.too_old(event.id, &record, config).await;
            }
            self.after(event.id, &record, config, Attempt::NotRun, None).await;
        }
    }

    /// Has something counted for the function of an event.
    fn count(&self, event: &EventRecord, fact: Fact) {
        if let Some((name, qualifier)) = target(&event.function, event.qualifier.as_deref()) {
            self.invoker.count(&name, qualifier.as_ref(), fact);
        }
    }

    async fn after(
        &self,
        id: i64,
        event: &EventRecord,
        config: Option<&EventInvokeConfigRecord>,
        attempt: Attempt,
        response: Option<InvokeResponse>,
    ) {
        let (progress, now) = (event.progress, self.clock.epoch_ms());
        match config::limits(config).after(attempt, event.accepted_ms, progress, now) {
            Verdict::Over(condition) => {
                let end = End { condition, runs: progress.attempts + 1, response: response.as_ref() };
                self.over(id, event, config, &end).await;
            }
            Verdict::Again(progress) => self.postpone(id, progress).await,
        }
    }

    async fn too_old(&self, id: i64, event: &EventRecord, config: Option<&EventInvokeConfigRecord>) {
        let condition = Condition::EventAgeExceeded;
        self.over(id, event, config, &End { condition, runs: event.progress.attempts, response: None }).await;
    }

    /// Ends an event that is not tried again, and tells whoever is to hear of it.
    async fn over(
        &self,
        id: i64,
        event: &EventRecord,
        config: Option<&EventInvokeConfigRecord>,
        end: &End<'_>,
    ) {
        let (request_id, function) = (&event.request_id, &event.function);
        let condition = end.condition.as_str();
        let is_failure = end.condition != Condition::Success;
        let Some((name, qualifier)) = target(function, event.qualifier.as_deref()) else {
            return self.drop_damaged(id, "it names no function").await;
        };
        let dead_letter_target = self.dead_letter_target(&name, qualifier.as_ref(), end);
        let qualifier = qualifier.unwrap_or(Qualifier::Version(Version::Latest));
        let arn = self.invoker.functions.arn(&name, Some(qualifier));
        let (now, has_services) = (self.clock.epoch_ms(), self.has_services);
        let dead_letter = dead_letter_target
            .filter(|_| is_failure)
            .map(|target| destination::dead_letter(target, &arn, event, end, has_services, now));
        let report = destination::delivery(config, &arn, event, end, has_services, now);
        let mut ended = EventEnd::default();
        for (delivery, undelivered) in [(dead_letter, UNDELIVERED_DEAD_LETTER), (Some(report), UNDELIVERED)] {
            match delivery {
                None | Some(Delivery::Nobody) => {}
                Some(Delivery::Function(next)) => ended.next = Some(next),
                Some(Delivery::Service(delivery)) => ended.deliveries.push(*delivery),
                Some(Delivery::Impossible { destination, reason }) => {
                    let sentence = "nobody is told of the end of an event";
                    tracing::error!(request_id, function, condition, destination, reason, "{sentence}");
                    ended.dropped.push(undelivered);
                    let is_dead_letter = undelivered == UNDELIVERED_DEAD_LETTER;
                    self.count(
                        event,
                        if is_dead_letter { Fact::DeadLetterFailed } else { Fact::DestinationFailed },
                    );
                }
            }
        }
        if is_failure {
            self.count(event, Fact::EventDropped);
        }
        if is_failure && ended.next.is_none() && ended.deliveries.is_empty() {
            tracing::warn!(request_id, function, condition, "an event was dropped");
            ended.dropped = vec![condition];
        }
        self.end(id, &ended).await;
    }

    /// Returns the dead-letter queue or topic of the version that ran, or would have.
    fn dead_letter_target(
        &self,
        name: &FunctionName,
        qualifier: Option<&Qualifier>,
        end: &End<'_>,
    ) -> Option<String> {
        let ran = end.response.map(|response| Qualifier::Version(response.executed_version));
        let function = self.invoker.functions.get_qualified(name, ran.as_ref().or(qualifier)).ok()?;
        function.configuration.dead_letter_target.clone()
    }

    /// Removes an event, and keeps what takes its place.
    async fn end(&self, id: i64, ended: &EventEnd) {
        while let Err(error) = self.store.end(id, ended.clone()).await {
            if self.wait_after(&error).await.is_none() {
                return;
            }
        }
        match ended {
            EventEnd { next: None, deliveries, .. } if deliveries.is_empty() => {
                fail::fail_point!("events::finished");
            }
            _ => fail::fail_point!("events::handed_over"),
        }
        if let Some(next) = &ended.next {
            self.count(next, Fact::EventReceived);
        }
        if !ended.deliveries.is_empty() {
            self.delivery_added.notify_one();
        }
    }

    async fn drop_damaged(&self, id: i64, finding: &str) {
        tracing::error!(event = id, finding, "an event was dropped: it is damaged on disk");
        self.finish(id, Some(DAMAGED)).await;
    }

    async fn load(&self, id: i64) -> Option<EventRecord> {
        loop {
            match self.store.load(id).await {
                Ok(event) => return event,
                Err(StoreError::Damaged { finding, .. }) => {
                    self.drop_damaged(id, &finding).await;
                    return None;
                }
                Err(error) => self.wait_after(&error).await?,
            }
        }
    }

    /// Returns the configuration that counts for an event now; `None` when the store has stopped.
    async fn config(&self, event: &EventRecord) -> Option<Option<EventInvokeConfigRecord>> {
        let qualifier = event.qualifier.as_deref().unwrap_or(LATEST);
        loop {
            match config::config(&*self.store, &event.function, qualifier).await {
                Ok(config) => return Some(config),
                Err(error @ (StoreError::Damaged { .. } | StoreError::Record { .. })) => {
                    tracing::error!(
                        function = event.function,
                        error = &error as &dyn std::error::Error,
                        "an event invoke config cannot be read; its events are tried as without one"
                    );
                    return Some(None);
                }
                Err(error) => self.wait_after(&error).await?,
            }
        }
    }

    async fn finish(&self, id: i64, dropped: Option<&'static str>) {
        // Until that is on disk the event counts as one that runs: it would run again.
        while let Err(error) = self.store.finish(id, dropped).await {
            if self.wait_after(&error).await.is_none() {
                return;
            }
        }
        fail::fail_point!("events::finished");
    }

    async fn postpone(&self, id: i64, progress: EventProgress) {
        while let Err(error) = self.store.postpone(id, progress).await {
            if self.wait_after(&error).await.is_none() {
                return;
            }
        }
        fail::fail_point!("events::postponed");
    }

    /// Waits before the store is asked again; `None` when it has stopped, or the queue has: then the event stays as it is.
    pub(super) async fn wait_after(&self, error: &StoreError) -> Option<()> {
        if matches!(error, StoreError::Stopped) {
            return None;
        }
        tracing::error!(
            error = error as &dyn std::error::Error,
            "how far an event has come cannot be kept, and is tried again"
        );
        let mut stopped = self.stopped.clone();
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => None,
            () = self.clock.wait_until(self.clock.epoch_ms() + STORE_WAIT_MS) => Some(()),
        }
    }
}

fn target(function: &str, qualifier: Option<&str>) -> Option<(FunctionName, Option<Qualifier>)> {
    let qualifier = qualifier.map(Qualifier::parse).transpose().ok()?;
    Some((FunctionName::new(function).ok()?, qualifier))
}

fn request(event: &EventRecord, qualifier: Option<Qualifier>) -> Option<InvokeRequest> {
    Some(InvokeRequest {
        request_id: RequestId::parse(&event.request_id)?,
        qualifier,
        payload: event.payload.clone(),
        content_type: None,
        client_context: event.client_context.clone(),
        trace: event.trace.as_deref().and_then(TraceHeader::from_caller),
        wants_log_tail: false,
    })
}
