//! What happens to an execution by itself when its time has come: waits, steps that try again, callbacks that nobody answers,
//! and its own time-out.

use hearth_store::{
    Details, ErrorObject, EventDetails, EventType, ExecutionStatus, OperationRecord, OperationStatus,
};

use crate::execution::{Execution, error_of};

impl Execution {
    /// Time has passed: what is due happens.
    pub fn look_at_the_clock(&mut self, now_ms: i64) {
        if self.head.status.is_final() {
            return;
        }
        if !self.timeout_rests() && now_ms >= self.head.deadline_ms {
            let message = format!("Execution timed out after {} seconds", self.head.timeout_s);
            let error = ErrorObject { error_message: Some(message), ..ErrorObject::default() };
            return self.end(ExecutionStatus::TimedOut, None, Some(error), now_ms);
        }
        self.end_what_is_due(now_ms);
    }

    fn timeout_rests(&self) -> bool {
        self.head.pause.as_ref().is_some_and(|pause| pause.timeout_paused && pause.since_ms.is_some())
    }

    /// When the operation at a place has to change by itself, in milliseconds since 1970.
    fn operation_due_ms(operation: &OperationRecord) -> Option<i64> {
        let after = |from_ms: i64, seconds: Option<u32>| {
            seconds
                .filter(|seconds| *seconds > 0)
                .map(|seconds| from_ms.saturating_add(i64::from(seconds) * 1_000))
        };
        match (&operation.details, operation.status) {
            (Details::Wait { ends_ms, .. }, OperationStatus::Started) => Some(*ends_ms),
            (Details::Step { next_attempt_ms, .. }, OperationStatus::Pending) => *next_attempt_ms,
            (
                Details::Callback { timeout_s, heartbeat_timeout_s, heard_ms, .. },
                OperationStatus::Started,
            ) => {
                let answer = after(operation.started_ms, *timeout_s);
                let heartbeat = after(*heard_ms, *heartbeat_timeout_s);
                answer.into_iter().chain(heartbeat).min()
            }
            _ => None,
        }
    }

    pub(crate) fn end_what_is_due(&mut self, now_ms: i64) {
        for place in 0..self.operations.len() {
            let operation = &mut self.operations[place];
            if Self::operation_due_ms(operation).is_none_or(|due_ms| due_ms > now_ms) {
                continue;
            }
            match &mut operation.details {
                Details::Wait { seconds, ends_ms } => {
                    let details = EventDetails::Wait { seconds: *seconds, ends_ms: *ends_ms };
                    operation.status = OperationStatus::Succeeded;
                    operation.ended_ms = Some(now_ms);
                    self.tell(EventType::WaitSucceeded, Some(place), details, now_ms);
                }
                Details::Step { next_attempt_ms, .. } => {
                    *next_attempt_ms = None;
                    operation.status = OperationStatus::Ready;
                }
                Details::Callback { timeout_s, .. } => {
                    let answer_ms = i64::from(timeout_s.unwrap_or(0)) * 1_000;
                    let is_over = answer_ms > 0 && now_ms >= operation.started_ms.saturating_add(answer_ms);
                    let (kind, message) = match is_over {
                        true => ("Callback.Timeout", "Callback timed out"),
                        false => ("Callback.Heartbeat", "Callback timed out on heartbeat"),
                    };
                    let error = error_of(kind, message);
                    operation.status = OperationStatus::TimedOut;
                    operation.ended_ms = Some(now_ms);
                    operation.error = Some(error.clone());
                    self.tell(EventType::CallbackTimedOut, Some(place), EventDetails::Error(error), now_ms);
                }
                Details::Execution { .. } | Details::Context { .. } | Details::ChainedInvoke { .. } => {}
            }
            self.touch(place);
        }
    }

    /// Returns when the execution has to be looked at next, in milliseconds since 1970.
    pub fn due_ms(&self, now_ms: i64) -> Option<i64> {
        if self.head.status.is_final() {
            return Some(self.expires_ms());
        }
        let invocation = self.wants_invocation().then(|| self.head.not_before_ms.unwrap_or(now_ms));
        let deadline = (!self.timeout_rests()).then_some(self.head.deadline_ms);
        let operations = self.operations.iter().filter_map(Self::operation_due_ms).min();
        invocation.into_iter().chain(deadline).chain(operations).min()
    }

    /// Returns until when an ended execution is kept, in milliseconds since 1970.
    pub fn expires_ms(&self) -> i64 {
        let ended_ms = self.head.ended_ms.unwrap_or(i64::MAX);
        ended_ms.saturating_add(i64::from(self.head.retention_days) * 86_400_000)
    }
}
