//! Operations that somebody else ends: callbacks, which somebody outside answers, and chained invocations.

use hearth_store::{Details, EventDetails, EventType, OperationStatus};

use crate::execution::{CallbackError, Execution, OperationEnd, size};

impl Execution {
    /// Somebody answers a callback.
    pub fn answer_callback(
        &mut self,
        operation: &str,
        end: OperationEnd,
        now_ms: i64,
    ) -> Result<(), CallbackError> {
        let place = self.open_callback(operation, now_ms)?;
        self.end_operation(place, end, now_ms);
        Ok(())
    }

    /// Somebody says that an answer is still to come.
    pub fn hear_of_callback(&mut self, operation: &str, now_ms: i64) -> Result<(), CallbackError> {
        let place = self.open_callback(operation, now_ms)?;
        if let Details::Callback { heard_ms, .. } = &mut self.operations[place].details {
            *heard_ms = now_ms;
        }
        // Nothing that the function would have to know.
        self.note_operation(place);
        Ok(())
    }

    fn open_callback(&mut self, operation: &str, now_ms: i64) -> Result<usize, CallbackError> {
        self.look_at_the_clock(now_ms);
        let place = self.places.get(operation).copied().ok_or(CallbackError::NotFound)?;
        let Details::Callback { .. } = self.operations[place].details else {
            return Err(CallbackError::NotFound);
        };
        let is_open = self.operations[place].status == OperationStatus::Started;
        if is_open && !self.head.status.is_final() { Ok(place) } else { Err(CallbackError::Closed) }
    }

    /// A chained invocation ended. Nothing happens when the execution, or the operation, has ended before.
    pub fn chained_ended(&mut self, operation: &str, end: OperationEnd, now_ms: i64) {
        let Some(&place) = self.places.get(operation) else { return };
        let is_open = self.operations[place].status == OperationStatus::Started
            && matches!(self.operations[place].details, Details::ChainedInvoke { .. });
        if is_open && !self.head.status.is_final() {
            self.head.chained = self.head.chained.saturating_sub(1);
            self.end_operation(place, end, now_ms);
        }
    }

    fn end_operation(&mut self, place: usize, end: OperationEnd, now_ms: i64) {
        let is_callback = matches!(self.operations[place].details, Details::Callback { .. });
        let (status, result, error, kinds) = match end {
            OperationEnd::Succeeded(result) => {
                let kinds = (EventType::CallbackSucceeded, EventType::ChainedInvokeSucceeded);
                (OperationStatus::Succeeded, result, None, kinds)
            }
            OperationEnd::Failed(error) => {
                let kinds = (EventType::CallbackFailed, EventType::ChainedInvokeFailed);
                (OperationStatus::Failed, None, Some(error), kinds)
            }
            OperationEnd::TimedOut(error) => {
                let kinds = (EventType::CallbackTimedOut, EventType::ChainedInvokeTimedOut);
                (OperationStatus::TimedOut, None, Some(error), kinds)
            }
            OperationEnd::Stopped(error) => {
                let kinds = (EventType::CallbackFailed, EventType::ChainedInvokeStopped);
                (OperationStatus::Stopped, None, Some(error), kinds)
            }
        };
        self.head.bytes += size(result.as_deref(), error.as_ref());
        let operation = &mut self.operations[place];
        operation.status = status;
        operation.ended_ms = Some(now_ms);
        operation.result.clone_from(&result);
        operation.error.clone_from(&error);
        let details = match error {
            Some(error) => EventDetails::Error(error),
            None => EventDetails::Result(result),
        };
        self.touch(place);
        self.tell(if is_callback { kinds.0 } else { kinds.1 }, Some(place), details, now_ms);
        self.end_if_too_large(now_ms);
    }
}
