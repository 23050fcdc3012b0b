//! Keeps the time of executions: waits, steps that try again, callbacks, time-outs, and what was kept long enough.

use std::sync::Arc;

use hearth_store::DueExecution;

use crate::engine::{DurableError, Shared};

/// How many executions are looked at before the clock is. Ours.
const AT_ONCE_MAX: u32 = 64;
/// How long to wait before a store that failed is asked again. Ours.
const ASK_AGAIN_MS: i64 = 1_000;

impl Shared {
    /// Looks at executions when they are due, until the server stops.
    pub(crate) async fn keep_time(self: Arc<Self>) {
        let mut stop = self.stop.subscribe();
        while !self.is_stopped() {
            let next_ms = self.look_at_due().await;
            let clock = self.clock.clone();
            tokio::select! {
                () = clock.wait_until(next_ms) => {}
                () = self.look.notified() => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Looks at what is due, and returns when the next is.
    async fn look_at_due(self: &Arc<Self>) -> i64 {
        let now_ms = self.clock.epoch_ms();
        let due = match self.store.due_executions(AT_ONCE_MAX).await {
            Ok(due) => due,
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "durable executions cannot be looked at"
                );
                return now_ms.saturating_add(ASK_AGAIN_MS);
            }
        };
        let mut next_ms = i64::MAX;
        for one in due {
            if one.due_ms > now_ms {
                next_ms = next_ms.min(one.due_ms);
                break;
            }
            if self.is_stopped() {
                break;
            }
            // There may be more than were asked for.
            next_ms = now_ms;
            if let Err(error) = self.look_at(&one).await {
                tracing::error!(
                    execution = one.id,
                    error = &error as &dyn std::error::Error,
                    "a durable execution cannot be looked at"
                );
                return now_ms.saturating_add(ASK_AGAIN_MS);
            }
        }
        next_ms
    }

    async fn look_at(self: &Arc<Self>, due: &DueExecution) -> Result<(), DurableError> {
        let arn = self.with(&due.id, |execution, now_ms| {
            if due.is_orphaned {
                let record = execution.record();
                let (function, version) = (record.function.clone(), record.version.clone());
                execution.lose_function(&format!("Function not found: {function}:{version}"), now_ms);
            }
            execution.look_at_the_clock(now_ms);
            // So that it is looked at again when it is due next.
            execution.note_change();
            let is_over = execution.record().status.is_final() && execution.expires_ms() <= now_ms;
            Ok(is_over)
        });
        match arn.await {
            Ok(false) | Err(DurableError::NotFound) => Ok(()),
            Ok(true) => {
                self.store.remove_execution(due.id.clone()).await?;
                tracing::debug!(execution = due.id, "a durable execution was kept long enough");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
