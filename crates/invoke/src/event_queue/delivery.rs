//! Brings messages to destinations and dead-letter queues, and tries again what could not be brought.
//!
//! A message is removed when whoever it is for has it: it arrives at least once. One that is refused is counted and gone
//! at once; one that cannot be brought backs off as an event does that cannot run, and is given up at an event's greatest
//! age.

use std::sync::Arc;

use hearth_store::{
    DeliveryRecord, EventProgress, QueuedDelivery, StoreError, UNDELIVERED, UNDELIVERED_DEAD_LETTER,
};
use hearth_types::{FunctionReference, Qualifier, Version};

use super::tasks::Tasks;
use super::verdict::{Attempt, Limits, Verdict};
use super::{DeliveryError, Destinations, Shared};
use crate::Fact;

/// How many messages are brought at once. Ours: of each there is the content in memory, up to seven megabytes.
const AT_ONCE: usize = 8;
/// Under which reason messages are counted that cannot be read.
const DAMAGED: &str = "Damaged";

/// Whoever brings messages.
pub(super) struct Deliverer {
    shared: Arc<Shared>,
    destinations: Arc<dyn Destinations>,
    /// Messages that are on their way.
    running: Tasks<i64>,
}

impl Deliverer {
    pub(super) fn new(shared: Arc<Shared>, destinations: Arc<dyn Destinations>) -> Self {
        Self { shared, destinations, running: Tasks::new("a delivery panicked") }
    }

    /// Brings messages until the queue is stopped, and waits for those that are on their way.
    pub(super) async fn run(mut self) {
        let mut stopped = self.shared.stopped.clone();
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => {}
            () = self.deliver() => {}
        }
        self.running.all_end().await;
    }

    /// Does not end, except when the store has.
    async fn deliver(&mut self) {
        loop {
            self.running.forget_ended();
            match self.look().await {
                Ok((due, _)) if !due.is_empty() => due.into_iter().for_each(|id| self.begin(id)),
                Ok((_, next_ms)) => self.wait(next_ms).await,
                Err(StoreError::Stopped) => return,
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "messages to destinations cannot be read"
                    );
                    self.shared.wait_for_store().await;
                }
            }
        }
    }

    /// Returns the messages that are due and for which there is room, and when the first is due that is not.
    async fn look(&self) -> Result<(Vec<i64>, Option<i64>), StoreError> {
        let room = AT_ONCE - self.running.under_way().len();
        if room == 0 {
            return Ok((Vec::new(), None));
        }
        // Those that are on their way are among the first.
        let first = self.shared.store.first_deliveries(AT_ONCE + 1).await?;
        let now = self.shared.clock.epoch_ms();
        let is_waiting = |delivery: &&QueuedDelivery| !self.running.under_way().any(|id| *id == delivery.id);
        let waiting: Vec<&QueuedDelivery> = first.iter().filter(is_waiting).collect();
        let due = waiting.iter().filter(|delivery| delivery.due_ms <= now).take(room);
        let next_ms = waiting.iter().map(|delivery| delivery.due_ms).find(|due_ms| *due_ms > now);
        Ok((due.map(|delivery| delivery.id).collect(), next_ms))
    }

    fn begin(&mut self, id: i64) {
        let (shared, destinations) = (self.shared.clone(), self.destinations.clone());
        self.running.begin(id, async move { shared.bring(id, &*destinations).await });
    }

    /// Waits until there may be something to do.
    async fn wait(&mut self, next_ms: Option<i64>) {
        let shared = self.shared.clone();
        shared.wait_for_work(next_ms, &shared.delivery_added, &mut self.running).await;
    }
}

impl Shared {
    /// Brings one message, and notes what came of it.
    async fn bring(&self, id: i64, destinations: &dyn Destinations) {
        let Some(delivery) = self.load_delivery(id).await else { return };
        let DeliveryRecord { request_id, function_arn, destination, .. } = &delivery;
        let undelivered = if delivery.dead_letter.is_some() { UNDELIVERED_DEAD_LETTER } else { UNDELIVERED };
        fail::fail_point!("deliveries::begin");
        match destinations.deliver(&delivery).await {
            Ok(()) => {
                fail::fail_point!("deliveries::delivered");
                tracing::debug!(request_id, function_arn, destination, "the end of an event was reported");
                self.finish_delivery(id, None).await;
            }
            Err(DeliveryError::Refused(reason)) => {
                self.count_undelivered(&delivery);
                let sentence = "nobody is told of the end of an event: its destination refuses the message";
                tracing::error!(request_id, function_arn, destination, reason, "{sentence}");
                self.finish_delivery(id, Some(undelivered)).await;
            }
            Err(DeliveryError::Unreachable(reason)) => match again(&delivery, self.clock.epoch_ms()) {
                Some(next) => {
                    self.count_undelivered(&delivery);
                    let wait_ms = next.due_ms - self.clock.epoch_ms();
                    let sentence = "the end of an event could not be reported, and is tried again";
                    tracing::warn!(request_id, function_arn, destination, reason, wait_ms, "{sentence}");
                    self.postpone_delivery(id, next).await;
                }
                None => {
                    self.count_undelivered(&delivery);
                    let sentence =
                        "nobody is told of the end of an event: its destination was not reached in time";
                    tracing::error!(request_id, function_arn, destination, reason, "{sentence}");
                    self.finish_delivery(id, Some(undelivered)).await;
                }
            },
        }
    }

    /// Counts that a message was not brought: each attempt, as AWS does.
    fn count_undelivered(&self, delivery: &DeliveryRecord) {
        let Ok(FunctionReference { name, qualifier, .. }) = FunctionReference::parse(&delivery.function_arn)
        else {
            return;
        };
        // Records name the version where nobody has named one.
        let qualifier = qualifier.filter(|qualifier| *qualifier != Qualifier::Version(Version::Latest));
        let fact = match delivery.dead_letter {
            Some(_) => Fact::DeadLetterFailed,
            None => Fact::DestinationFailed,
        };
        self.invoker.count(&name, qualifier.as_ref(), fact);
    }

    async fn load_delivery(&self, id: i64) -> Option<DeliveryRecord> {
        loop {
            match self.store.load_delivery(id).await {
                Ok(delivery) => return delivery,
                Err(StoreError::Damaged { finding, .. }) => {
                    tracing::error!(delivery = id, finding, "a message was dropped: it is damaged on disk");
                    self.finish_delivery(id, Some(DAMAGED)).await;
                    return None;
                }
                Err(error) => self.wait_after(&error).await?,
            }
        }
    }

    async fn finish_delivery(&self, id: i64, dropped: Option<&'static str>) {
        while let Err(error) = self.store.finish_delivery(id, dropped).await {
            if self.wait_after(&error).await.is_none() {
                return;
            }
        }
        fail::fail_point!("deliveries::finished");
    }

    async fn postpone_delivery(&self, id: i64, next: EventProgress) {
        while let Err(error) = self.store.postpone_delivery(id, next.due_ms, next.backoffs).await {
            if self.wait_after(&error).await.is_none() {
                return;
            }
        }
    }
}

/// Says when a message that could not be brought `now_ms` is tried again; `None` when it is given up.
fn again(delivery: &DeliveryRecord, now_ms: i64) -> Option<EventProgress> {
    let limits = Limits::default();
    if limits.is_too_old(delivery.ended_ms, now_ms) {
        return None;
    }
    let progress = EventProgress { due_ms: delivery.due_ms, attempts: 0, backoffs: delivery.backoffs };
    match limits.after(Attempt::NotRun, delivery.ended_ms, progress, now_ms) {
        Verdict::Again(next) => Some(next),
        Verdict::Over(_) => None,
    }
}
