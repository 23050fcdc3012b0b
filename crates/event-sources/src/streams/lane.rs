//! Works records of a shard off, in order: calls the function with batches, tries again what fails, gives up what may not be
//! tried again, and says so to whoever is to hear of it.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use hearth_invoke::{DeliveryError, Fact};
use hearth_store::{ShardPosition, ShardPositionRecord};
use serde_json::{Value, json};

use super::batches::batches;
use super::report::{self, Condition, GivenUp};
use super::retry::{Attempt, Limits, Next, Pieces};
use super::stream::StreamRecord;
use super::window::{self, End};
use crate::Poller;
use crate::backoff::Waits;
use crate::batch::{Reported, reported};
use crate::call::{Called, FailedCall, call};
use crate::mapping::{Mapping, Source};
use crate::status::Stop;

/// Records that are worked off one after the other.
pub(super) struct Lane<'a> {
    pub(super) poller: &'a Poller,
    pub(super) source: &'a Source,
    pub(super) mapping: &'a Mapping,
    pub(super) stop: &'a Stop,
    pub(super) shard: &'a str,
    /// Where it is kept how far the shard has come. `None` when others work on the shard, too: what is done here says
    /// nothing of what is before it then.
    pub(super) at: Option<&'a mut ShardPositionRecord>,
}

impl Lane<'_> {
    /// Works records off. Returns whether that is done: otherwise something else is wanted.
    pub(super) async fn work_off(&mut self, records: &[StreamRecord]) -> bool {
        let limits = self.limits();
        let mut pieces = Pieces::new(self.batches(records));
        let mut last_call: Option<FailedCall> = None;
        let mut after_errors = Waits::of_function_errors();
        while let Some(piece) = pieces.first() {
            let range = piece.range.clone();
            let too_old = self.too_old(&records[range.clone()]);
            if too_old > 0 {
                let Some((old, runs)) = pieces.give_up_before(range.start + too_old) else { continue };
                let condition = Condition::RecordAgeExceeded;
                if !self.give_up(condition, runs, last_call.as_ref(), &records[old.clone()]).await
                    || !self.keep(records, old.end).await
                {
                    return false;
                }
                continue;
            }
            if !self.open_window(records[range.start].arrival_ms).await {
                return false;
            }
            let batch = &records[range.clone()];
            let event = self.event(batch, End::None);
            self.count_age(batch);
            let Some(called) = self.call(&event).await else { return false };
            let attempt = match called {
                Ok(response) => self.judged(&response, batch, range.start),
                Err(failed) => {
                    last_call = Some(failed);
                    Attempt::Failed
                }
            };
            let next = pieces.after(attempt, &limits);
            match attempt {
                Attempt::Succeeded => self.poller.status.ok(),
                Attempt::FailedFrom(_) | Attempt::Failed => {
                    self.poller.status.problem("Function call failed")
                }
            }
            if let Next::GiveUp(runs) = next {
                let Some((lost, _)) = pieces.give_up_before(range.end) else { continue };
                let condition = Condition::RetryAttemptsExhausted;
                if !self.give_up(condition, runs, last_call.as_ref(), &records[lost]).await {
                    return false;
                }
            }
            let done = pieces.first().map_or(records.len(), |piece| piece.range.start);
            if done > range.start {
                after_errors.reset();
                if !self.keep(records, done).await {
                    return false;
                }
            }
            if next == Next::Again && !self.stop.wait(after_errors.wait()).await {
                return false;
            }
        }
        true
    }

    /// Ends the window that is open. Returns whether that is done.
    pub(super) async fn close_window(&mut self, end: End) -> bool {
        let limits = self.limits();
        let mut pieces = Pieces::new(std::iter::once(0..1));
        let mut after_errors = Waits::of_function_errors();
        while pieces.first().is_some() {
            let event = self.event(&[], end);
            let Some(called) = self.call(&event).await else { return false };
            let attempt = if called.is_ok() { Attempt::Succeeded } else { Attempt::Failed };
            match pieces.after(attempt, &limits) {
                Next::GoOn => {}
                Next::Again => {
                    self.poller.status.problem("Function call failed");
                    if !self.stop.wait(after_errors.wait()).await {
                        return false;
                    }
                }
                Next::GiveUp(_) => {
                    let sentence = "a tumbling window is given up: the function failed on its end";
                    self.poller.log(self.mapping, "its retries are used up", sentence);
                    break;
                }
            }
        }
        let Some(at) = self.at.as_deref_mut() else { return true };
        at.window = None;
        self.poller.keep(self.mapping, at, self.stop).await
    }

    fn limits(&self) -> Limits {
        let record = &self.mapping.record;
        Limits { retries_max: u32::try_from(record.retries_max).ok(), bisect: record.bisect }
    }

    fn batches(&self, records: &[StreamRecord]) -> Vec<Range<usize>> {
        let record = &self.mapping.record;
        let window = self.at.as_ref().and_then(|at| at.window.as_ref());
        let state_bytes = window.map_or(0, |window| window.state.len());
        batches(records, record.batch_size, record.tumbling_window_seconds, state_bytes)
    }

    /// Returns how many records, from the first on, are too old.
    fn too_old(&self, records: &[StreamRecord]) -> usize {
        let Ok(age_seconds_max) = u64::try_from(self.mapping.record.record_age_seconds_max) else { return 0 };
        let age_ms_max = i64::try_from(age_seconds_max.saturating_mul(1_000)).unwrap_or(i64::MAX);
        let oldest_ms = self.poller.clock.epoch_ms().saturating_sub(age_ms_max);
        records.iter().take_while(|record| record.arrival_ms < oldest_ms).count()
    }

    /// Has it counted how old the last record of a batch is that is about to go to the function.
    fn count_age(&self, batch: &[StreamRecord]) {
        let Some(last) = batch.last() else { return };
        let age_ms = self.poller.clock.epoch_ms().saturating_sub(last.arrival_ms);
        let age = Duration::from_millis(u64::try_from(age_ms).unwrap_or(0));
        let (function, qualifier) = (&self.mapping.function, self.mapping.qualifier.as_ref());
        self.poller.invoker.count(function, qualifier, Fact::BatchRuns { age });
    }

    fn event(&self, records: &[StreamRecord], end: End) -> Value {
        let mut event = json!({ "Records": records.iter().map(|record| &record.event).collect::<Vec<_>>() });
        if let Some(window) = self.at.as_ref().and_then(|at| at.window.as_ref()) {
            let seconds = self.mapping.record.tumbling_window_seconds;
            window::tell(&mut event, window, seconds, end, (self.shard, &self.source.arn));
        }
        event
    }

    /// Opens the window of a record, having closed the one before. Returns whether to go on.
    async fn open_window(&mut self, arrival_ms: i64) -> bool {
        let tumbling = self.mapping.record.tumbling_window_seconds;
        if tumbling == 0 {
            return true;
        }
        let start_ms = window::start_of(arrival_ms, tumbling);
        let open_ms = self.at.as_ref().and_then(|at| at.window.as_ref()).map(|open| open.start_ms);
        if open_ms.is_some_and(|open_ms| open_ms < start_ms) && !self.close_window(End::Reached).await {
            return false;
        }
        if let Some(at) = self.at.as_deref_mut() {
            at.window.get_or_insert_with(|| window::open(start_ms));
        }
        true
    }

    /// Calls the function until it has run. `None` when something else is wanted before.
    async fn call(&self, event: &Value) -> Option<Result<Bytes, FailedCall>> {
        let mut backoff = Waits::of_services();
        loop {
            match call(&self.poller.invoker, self.mapping, event, None).await {
                Called::Succeeded(response) => return Some(Ok(response)),
                Called::Failed(failed) => return Some(Err(failed)),
                Called::NotRun(reason) => {
                    self.poller.status.problem("Function call failed");
                    self.poller.log(self.mapping, &reason, "a batch waits: the function could not run");
                    if !self.stop.wait(backoff.wait()).await {
                        return None;
                    }
                }
            }
        }
    }

    /// Says what a response means for a batch that begins at `start`, and keeps the state of its window.
    fn judged(&mut self, response: &[u8], batch: &[StreamRecord], start: usize) -> Attempt {
        let attempt = if self.mapping.reports_failures() {
            match reported(response, batch.iter().map(|record| record.sequence_number.as_str())) {
                Reported::Nothing => Attempt::Succeeded,
                Reported::Failures(places) => {
                    Attempt::FailedFrom(start + places.first().copied().unwrap_or(0))
                }
                Reported::Everything => Attempt::Failed,
            }
        } else {
            Attempt::Succeeded
        };
        if attempt != Attempt::Failed
            && let Some(window) = self.at.as_deref_mut().and_then(|at| at.window.as_mut())
        {
            window.state = window::state_of(response);
        }
        attempt
    }

    /// Keeps that the records before `done` are done; ends a window whose state has become too long. Returns whether to go
    /// on.
    async fn keep(&mut self, records: &[StreamRecord], done: usize) -> bool {
        let Some(at) = self.at.as_deref_mut() else { return true };
        let Some(last) = done.checked_sub(1).and_then(|last| records.get(last)) else { return true };
        at.position = ShardPosition::After(last.sequence_number.clone());
        if !self.poller.keep(self.mapping, at, self.stop).await {
            return false;
        }
        let is_too_long =
            at.window.as_ref().is_some_and(|window| window.state.len() > window::STATE_BYTES_MAX);
        !is_too_long || self.close_window(End::Early).await
    }

    /// Says of records that they are given up. Returns whether to go on.
    async fn give_up(
        &self,
        condition: Condition,
        runs: u32,
        last_call: Option<&FailedCall>,
        records: &[StreamRecord],
    ) -> bool {
        let (shard, now_ms) = (self.shard, self.poller.clock.epoch_ms());
        let reason = condition.as_str();
        let (mapping, number) = (&self.mapping.record.uuid, records.len());
        tracing::warn!(mapping, shard, reason, records = number, "records of a stream are given up");
        let Some(destination) = &self.mapping.record.on_failure else { return true };
        let given_up = GivenUp { condition, runs, last_call, records, shard, now_ms };
        let mut message = report::record(&given_up, self.source, &self.poller.function_arn(self.mapping));
        if destination.starts_with("arn:aws:s3:") {
            message["payload"] = self.event(records, End::None).to_string().into();
        }
        let message = Bytes::from(message.to_string());
        let key = report::key(&given_up, mapping);
        let mut backoff = Waits::of_services();
        loop {
            match self.poller.services.report(destination, &message, &key).await {
                Ok(()) => return true,
                Err(DeliveryError::Refused(reason)) => {
                    let sentence =
                        "nobody is told of records that are given up: the destination refuses the message";
                    tracing::error!(mapping, shard, destination, reason, "{sentence}");
                    return true;
                }
                Err(DeliveryError::Unreachable(reason)) => {
                    let sentence = "records that are given up could not be reported, which is tried again";
                    tracing::warn!(mapping, shard, destination, reason, "{sentence}");
                    if !self.stop.wait(backoff.wait()).await {
                        return false;
                    }
                }
            }
        }
    }
}
