//! Stopping, pausing and resuming an execution from outside.

use hearth_store::{ErrorObject, EventDetails, EventType, ExecutionStatus, PauseRecord};

use crate::execution::{Execution, error_of};

/// The execution has ended, and cannot do what is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the execution has ended")]
pub struct Ended;

impl Execution {
    /// Stops the execution, and returns when it ended, in milliseconds since 1970. One that has ended stays as it is.
    pub fn stop(&mut self, error: Option<ErrorObject>, now_ms: i64) -> i64 {
        self.look_at_the_clock(now_ms);
        if !self.head.status.is_final() {
            let error = error.unwrap_or_else(|| ErrorObject {
                error_message: Some("Execution stopped by user request".to_owned()),
                ..ErrorObject::default()
            });
            self.end(ExecutionStatus::Stopped, None, Some(error), now_ms);
        }
        self.head.ended_ms.unwrap_or(now_ms)
    }

    /// The function is gone, and with it whatever could be invoked.
    pub fn lose_function(&mut self, message: &str, now_ms: i64) {
        if !self.head.status.is_final() {
            let error = error_of("ResourceNotFoundException", message);
            self.end(ExecutionStatus::Failed, None, Some(error), now_ms);
        }
    }

    /// Lets the execution rest as soon as no invocation goes on. Nothing happens when it is asked to already.
    pub fn pause(&mut self, reason: Option<String>, timeout_paused: bool, now_ms: i64) -> Result<(), Ended> {
        self.look_at_the_clock(now_ms);
        if self.head.status.is_final() {
            return Err(Ended);
        }
        if self.head.pause.is_none() {
            self.head.pause =
                Some(PauseRecord { requested_ms: now_ms, reason, timeout_paused, since_ms: None });
            self.note_change();
            if self.head.invoking.is_none() {
                self.rest_if_asked(now_ms);
            }
        }
        Ok(())
    }

    /// The execution rests from now on, if it is to.
    pub(crate) fn rest_if_asked(&mut self, now_ms: i64) {
        if let Some(pause) = &mut self.head.pause
            && pause.since_ms.is_none()
        {
            pause.since_ms = Some(now_ms);
            let details = EventDetails::Paused(pause.clone());
            self.tell(EventType::ExecutionPaused, None, details, now_ms);
        }
    }

    /// Goes on with an execution that rests, or is to. Nothing happens when it does not.
    pub fn resume(&mut self, reason: Option<String>, now_ms: i64) -> Result<(), Ended> {
        if self.head.status.is_final() {
            return Err(Ended);
        }
        let Some(pause) = self.head.pause.take() else { return Ok(()) };
        self.note_change();
        if let Some(since_ms) = pause.since_ms {
            if pause.timeout_paused {
                let rested_ms = now_ms.saturating_sub(since_ms).max(0);
                self.head.deadline_ms = self.head.deadline_ms.saturating_add(rested_ms);
            }
            let details = EventDetails::Resumed { requested_ms: now_ms, reason };
            self.tell(EventType::ExecutionResumed, None, details, now_ms);
        }
        self.look_at_the_clock(now_ms);
        Ok(())
    }
}
