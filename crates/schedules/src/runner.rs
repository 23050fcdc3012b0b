//! Waiting for the times of schedules, and calling their functions.
//!
//! A call is handed to the queue of asynchronous events, which has it on disk before the schedule says when it runs next:
//! a crash in between makes one call two, and never none. Times that passed while the server was away are one call.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hearth_invoke::{InvokeError, InvokeRequest};
use hearth_store::ScheduleRecord;
use hearth_types::{Backoff, FunctionReference, RequestId};
use tokio::sync::watch;

use crate::request::{parsed, within};
use crate::{Kept, Schedules, event};

/// How long a call that did not succeed waits for its next attempt. Ours; AWS says only that the waits grow.
const RETRY_WAITS: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(300) };

/// A call that did not succeed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retry {
    attempts: u32,
    due_ms: i64,
}

impl Kept {
    /// Returns the schedule that is due first, and when.
    fn first_due(&self) -> Option<(i64, String)> {
        let enabled = self.schedules.iter().filter(|(_, schedule)| schedule.is_enabled);
        let due = enabled.filter_map(|(key, schedule)| {
            let due_ms = self.retries.get(key).map_or(schedule.next_ms?, |retry| retry.due_ms);
            Some((due_ms, key))
        });
        due.min().map(|(due_ms, key)| (due_ms, key.clone()))
    }
}

impl Schedules {
    pub(crate) async fn run(self: Arc<Self>, mut stopped: watch::Receiver<bool>) {
        loop {
            let due = self.kept().first_due();
            let wait = async {
                match &due {
                    Some((due_ms, _)) => self.clock.wait_until(*due_ms).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => return,
                () = self.changed.notified() => continue,
                () = wait => {}
            }
            if let Some((_, key)) = due {
                self.call(&key).await;
            }
        }
    }

    /// Calls the function of a schedule, if it is still due, and says when that is again.
    async fn call(&self, key: &str) {
        let _changing = self.changing.lock().await;
        let (schedule, attempts) = {
            let kept = self.kept();
            let Some(schedule) = kept.schedules.get(key).filter(|schedule| schedule.is_enabled) else {
                return;
            };
            (schedule.clone(), kept.retries.get(key).map_or(0, |retry| retry.attempts))
        };
        let now_ms = self.clock.epoch_ms();
        let Some(scheduled_ms) = schedule.next_ms.filter(|next_ms| *next_ms <= now_ms) else { return };
        let age_ms = now_ms - scheduled_ms;
        let is_too_old = age_ms > i64::from(schedule.event_age_seconds_max) * 1_000;
        if is_too_old {
            tracing::warn!(schedule = key, age_ms, "a scheduled call is too old, and left out");
        } else if let Err(error) = self.hand_over(&schedule, scheduled_ms, attempts + 1).await {
            let may_pass = matches!(error, InvokeError::Draining | InvokeError::Service(_));
            if may_pass && attempts < schedule.retry_attempts_max {
                let retry = Retry { attempts: attempts + 1, due_ms: now_ms + RETRY_WAITS.after_ms(attempts) };
                self.kept().retries.insert(key.to_owned(), retry);
                return;
            }
            tracing::warn!(schedule = key, function = schedule.target_arn, %error, "a scheduled call is given up");
        }
        fail::fail_point!("schedules::called");
        self.advance(schedule, scheduled_ms, now_ms).await;
    }

    async fn hand_over(
        &self,
        schedule: &ScheduleRecord,
        scheduled_ms: i64,
        attempt: u32,
    ) -> Result<(), InvokeError> {
        let function = FunctionReference::parse(&schedule.target_arn)
            .map_err(|error| InvokeError::Service(error.to_string()))?;
        let request_id = RequestId::random();
        let payload = event::payload(schedule, &self.arn(schedule), scheduled_ms, attempt, request_id);
        let request = InvokeRequest {
            request_id,
            qualifier: function.qualifier,
            payload: Bytes::from(payload),
            content_type: None,
            client_context: None,
            trace: None,
            wants_log_tail: false,
        };
        self.events.accept(&function.name, request).await.map(|_| ())
    }

    /// Says when a schedule runs next; one that will not run any more goes if it says so.
    async fn advance(&self, mut schedule: ScheduleRecord, scheduled_ms: i64, now_ms: i64) {
        schedule.next_ms = match parsed(&schedule.expression, &schedule.timezone) {
            Ok((expression, zone)) => {
                let next_ms = expression.next_ms(&zone, scheduled_ms, scheduled_ms.max(now_ms));
                within(&expression, schedule.end_ms, next_ms)
            }
            Err(_) => {
                tracing::error!(
                    schedule = schedule.key(),
                    "the expression of a schedule is not understood any more"
                );
                None
            }
        };
        let key = schedule.key();
        let kept = if schedule.next_ms.is_none() && schedule.is_deleted_after {
            self.forget(&key).await
        } else {
            self.keep(schedule.clone()).await
        };
        if kept.is_err() {
            // The disk has it otherwise: after a restart it may be called once more. Here time goes on.
            let mut kept = self.kept();
            kept.retries.remove(&key);
            kept.schedules.insert(key, schedule);
        }
    }
}
