//! Polls a queue: receives messages, calls the function with batches of them, deletes those that are worked off.
//!
//! A message is deleted only when the function has worked it off, or no pattern wants it: in between, whatever happens, it
//! comes again when it is visible again. In FIFO queues SQS keeps the order of a message group: while one of its messages
//! is hidden, it gives no other of that group.

mod event;
mod queue;
mod ramp;

use std::sync::Arc;
use std::time::Duration;

use hearth_aws_client::ClientError;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::Poller;
use crate::aws::Aws;
use crate::backoff::Waits;
use crate::batch::{Reported, Room, reported};
use crate::call::{Called, call, is_there};
use crate::mapping::Mapping;
use crate::status::Stop;
use event::Message;
use queue::{MESSAGES_MAX, Queue};
use ramp::Ramp;

pub(crate) use queue::url;

/// How long one request waits for messages. Ours; SQS takes 20 s. What is handed to a request whose server has just ended
/// is hidden for its visibility timeout, and that is the longer the longer requests wait.
const WAIT_SECONDS: u64 = 5;
/// How often deleting is tried again. Ours: the endpoint may be away for a moment, and a message that is not deleted runs
/// again.
const DELETES_MAX: u32 = 5;

/// Polls until something else is wanted.
pub(crate) async fn poll(poller: Arc<Poller>, aws: Arc<Aws>, mapping: Arc<Mapping>, stop: Stop) {
    let mut backoff = Waits::of_services();
    let queue = loop {
        match Queue::find(aws.clone(), mapping.source.clone()).await {
            Ok(queue) => break Arc::new(queue),
            Err(error) => {
                if !poller.unreachable(&mapping, &error, &stop, &mut backoff).await {
                    return;
                }
            }
        }
    };
    poller.status.settle();
    backoff.reset();
    let mut poll =
        Poll { poller: &poller, mapping: &mapping, queue: &queue, stop: &stop, carried: Vec::new() };
    let mut ramp = Ramp::new(mapping.record.concurrency_max);
    let calls =
        Calls { poller: poller.clone(), queue: queue.clone(), mapping: mapping.clone(), stop: stop.clone() };
    let mut running: JoinSet<bool> = JoinSet::new();
    while !stop.is_requested() {
        while let Some(ended) = running.try_join_next() {
            ramp.ended(ended.unwrap_or(false));
        }
        if running.len() >= ramp.at_once(Instant::now()) {
            tokio::select! {
                () = stop.requested() => {}
                Some(ended) = running.join_next() => ramp.ended(ended.unwrap_or(false)),
                // There may be room for more by then.
                () = tokio::time::sleep(ramp::STEP) => {}
            }
            continue;
        }
        if let Err(reason) = is_there(&poller.invoker, &mapping) {
            if !poller.not_callable(&mapping, &reason, &stop, &mut backoff).await {
                break;
            }
            continue;
        }
        match poll.gather().await {
            Ok(batch) if stop.is_requested() => {
                // Nobody wants it from this mapping any more.
                poll.carried.extend(batch);
                break;
            }
            Ok(batch) if batch.is_empty() => {
                ramp.idle();
                backoff.reset();
            }
            Ok(batch) => {
                backoff.reset();
                let calls = calls.clone();
                running.spawn(async move { calls.work_off(batch).await });
            }
            Err(error) => {
                if !poller.unreachable(&mapping, &error, &stop, &mut backoff).await {
                    break;
                }
            }
        }
    }
    poll.give_back_what_is_carried().await;
    while running.join_next().await.is_some() {}
}

/// Gathering batches, one after the other.
struct Poll<'a> {
    poller: &'a Poller,
    mapping: &'a Mapping,
    queue: &'a Queue,
    stop: &'a Stop,
    /// Messages that there was no room for in the batch before.
    carried: Vec<Message>,
}

impl Poll<'_> {
    /// Returns the next batch; an empty one when there is nothing.
    async fn gather(&mut self) -> Result<Vec<Message>, ClientError> {
        let record = &self.mapping.record;
        let window = Duration::from_secs(record.window_seconds.into());
        let mut room = Room::new(record.batch_size, 0);
        let mut batch: Vec<Message> = Vec::new();
        let mut waiting = std::mem::take(&mut self.carried);
        let mut closes_at: Option<Instant> = None;
        loop {
            let mut is_full = false;
            for message in waiting.drain(..) {
                is_full = is_full || !room.take(message.bytes, batch.is_empty());
                if is_full { self.carried.push(message) } else { batch.push(message) }
            }
            if !batch.is_empty() && closes_at.is_none() {
                closes_at = Some(Instant::now() + window);
            }
            let left = closes_at.map(|at| at.saturating_duration_since(Instant::now()));
            if is_full || room.records() == 0 || left == Some(Duration::ZERO) || self.stop.is_requested() {
                break;
            }
            let wait_seconds = left.map_or(WAIT_SECONDS, |left| left.as_secs().min(WAIT_SECONDS));
            if let Some(left) = left.filter(|_| wait_seconds == 0) {
                // Less than SQS can wait.
                self.stop.wait(left).await;
            }
            let receive = self.queue.receive(room.records().min(MESSAGES_MAX), wait_seconds);
            // A request that is given up may still be handed messages, which are hidden for a while then. Only a server that
            // ends does not wait for it.
            let received = tokio::select! {
                () = self.stop.at_end() => break,
                received = receive => received,
            };
            match received {
                Ok(messages) => {
                    let is_empty = messages.is_empty();
                    waiting = self.wanted(messages).await;
                    if is_empty && batch.is_empty() {
                        break;
                    }
                }
                // What was received is worked off first.
                Err(error) if batch.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        Ok(batch)
    }

    /// Returns the messages that a pattern wants, and deletes the others.
    async fn wanted(&self, messages: Vec<Message>) -> Vec<Message> {
        let (wanted, others): (Vec<Message>, Vec<Message>) =
            messages.into_iter().partition(|message| self.mapping.filter.takes(&message.record));
        if !others.is_empty() {
            let others: Vec<&Message> = others.iter().collect();
            if let Err(error) = self.queue.delete(&others).await {
                // They come again, and are looked at again.
                self.poller.log(
                    self.mapping,
                    &error.to_string(),
                    "messages that no filter wants stay in their queue",
                );
            }
        }
        wanted
    }

    async fn give_back_what_is_carried(&self) {
        let carried: Vec<&Message> = self.carried.iter().collect();
        if !carried.is_empty() {
            // They would be visible again by themselves.
            let _ = self.queue.give_back(&carried).await;
        }
    }
}

/// What working a batch off needs.
#[derive(Clone)]
struct Calls {
    poller: Arc<Poller>,
    queue: Arc<Queue>,
    mapping: Arc<Mapping>,
    stop: Stop,
}

impl Calls {
    /// Works a batch off, and returns whether the function could be called.
    async fn work_off(&self, batch: Vec<Message>) -> bool {
        let Self { poller, queue, mapping, stop } = self;
        let records: Vec<&Value> = batch.iter().map(|message| &message.record).collect();
        let event = json!({ "Records": records });
        let trace = batch.iter().find_map(|message| message.trace.clone());
        // Held while it cannot run, but not for longer than it is hidden: others may have it then.
        let (since, hold) = (Instant::now(), queue.visibility_timeout / 2);
        let mut backoff = Waits::of_services();
        let called = loop {
            let called = call(&poller.invoker, mapping, &event, trace.clone()).await;
            let Called::NotRun(reason) = &called else { break called };
            let wait = backoff.wait();
            if since.elapsed() + wait > hold || !stop.wait(wait).await {
                poller.log(mapping, reason, "a batch goes back to its queue: the function could not run");
                let all: Vec<&Message> = batch.iter().collect();
                if stop.is_requested() {
                    let _ = queue.give_back(&all).await;
                }
                return false;
            }
        };
        let done: Vec<&Message> = match &called {
            Called::Succeeded(response) if mapping.reports_failures() => {
                match reported(response, batch.iter().map(|message| message.id.as_str())) {
                    Reported::Nothing => batch.iter().collect(),
                    Reported::Failures(places) => {
                        let is_done = |(place, _): &(usize, &Message)| !places.contains(place);
                        batch.iter().enumerate().filter(is_done).map(|(_, message)| message).collect()
                    }
                    Reported::Everything => Vec::new(),
                }
            }
            Called::Succeeded(_) => batch.iter().collect(),
            Called::Failed(_) | Called::NotRun(_) => Vec::new(),
        };
        self.delete(&done).await;
        true
    }

    async fn delete(&self, messages: &[&Message]) {
        let mut backoff = Waits::of_services();
        for attempt in 1..=DELETES_MAX {
            let Err(error) = self.queue.delete(messages).await else {
                fail::fail_point!("event_sources::deleted");
                return;
            };
            let is_last = attempt == DELETES_MAX || !self.stop.wait(backoff.wait()).await;
            if is_last {
                let sentence = "messages that were worked off stay in their queue, and come again";
                self.poller.log(&self.mapping, &error.to_string(), sentence);
                return;
            }
        }
    }
}
