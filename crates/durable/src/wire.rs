//! Operations and events of histories as AWS writes them: in the event of a function with times in milliseconds, in answers
//! of the API in seconds.

use hearth_store::{Details, ErrorObject, EventDetails, HistoryRecord, OperationRecord};
use serde_json::{Map, Value, json};

use crate::execution::Invocation;
use crate::update::OperationType;

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// As a whole number of milliseconds since 1970: in the event of a function. Its SDKs for Python and JavaScript both read
    /// that.
    Milliseconds,
    /// As a number of seconds since 1970: in answers.
    Seconds,
}

impl Times {
    fn show(self, epoch_ms: i64) -> Value {
        match self {
            Self::Milliseconds => epoch_ms.into(),
            Self::Seconds => seconds(epoch_ms),
        }
    }
}

/// A time of an answer.
pub fn seconds(epoch_ms: i64) -> Value {
    (epoch_ms as f64 / 1_000.0).into()
}

/// Sets the members that are there.
fn set(object: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        object.insert(name.to_owned(), value.into());
    }
}

/// Returns an error as it is written.
pub fn error(error: &ErrorObject) -> Value {
    serde_json::to_value(error).unwrap_or_default()
}

/// Returns an operation as it is written.
pub fn operation(operation: &OperationRecord, times: Times) -> Value {
    let mut shown = Map::new();
    set(&mut shown, "Id", Some(operation.id.as_str()));
    set(&mut shown, "ParentId", operation.parent_id.as_deref());
    set(&mut shown, "Name", operation.name.as_deref());
    set(&mut shown, "Type", Some(OperationType::of(operation).as_str()));
    set(&mut shown, "SubType", operation.sub_type.as_deref());
    set(&mut shown, "StartTimestamp", Some(times.show(operation.started_ms)));
    set(&mut shown, "EndTimestamp", operation.ended_ms.map(|ended_ms| times.show(ended_ms)));
    set(&mut shown, "Status", serde_json::to_value(operation.status).ok());
    let mut more = Map::new();
    if !matches!(operation.details, Details::Execution { .. } | Details::Wait { .. }) {
        set(&mut more, "Result", operation.result.as_deref());
        set(&mut more, "Error", operation.error.as_ref().map(error));
    }
    let member = match &operation.details {
        Details::Execution { input } => {
            set(&mut more, "InputPayload", Some(input.as_str()));
            "ExecutionDetails"
        }
        Details::Context { replay_children } => {
            set(&mut more, "ReplayChildren", replay_children.then_some(true));
            "ContextDetails"
        }
        Details::Step { attempt, next_attempt_ms } => {
            set(&mut more, "Attempt", Some(*attempt));
            set(&mut more, "NextAttemptTimestamp", next_attempt_ms.map(|next_ms| times.show(next_ms)));
            "StepDetails"
        }
        Details::Wait { ends_ms, .. } => {
            set(&mut more, "ScheduledEndTimestamp", Some(times.show(*ends_ms)));
            "WaitDetails"
        }
        Details::Callback { callback_id, .. } => {
            set(&mut more, "CallbackId", Some(callback_id.as_str()));
            "CallbackDetails"
        }
        Details::ChainedInvoke { .. } => "ChainedInvokeDetails",
    };
    shown.insert(member.to_owned(), more.into());
    shown.into()
}

/// Returns the event of an invocation.
pub(crate) fn event(arn: &str, invocation: &Invocation) -> Value {
    let operations = invocation.page.operations.iter();
    let operations: Vec<Value> = operations.map(|one| operation(one, Times::Milliseconds)).collect();
    let next = invocation.page.next.map(|next| next.to_string()).unwrap_or_default();
    json!({
        "DurableExecutionArn": arn,
        "CheckpointToken": invocation.token,
        "InitialExecutionState": { "Operations": operations, "NextMarker": next },
        "UpdatedOperationIds": invocation.updated,
    })
}

/// Returns an event of a history as it is written. Without `data`, payloads and errors are left out.
pub fn history(record: &HistoryRecord, data: bool) -> Value {
    let kind = serde_json::to_value(record.kind).unwrap_or_default();
    let member = format!("{}Details", kind.as_str().unwrap_or_default());
    let mut shown = Map::new();
    set(&mut shown, "EventType", Some(kind));
    set(&mut shown, "SubType", record.sub_type.as_deref());
    set(&mut shown, "EventId", Some(record.id));
    set(&mut shown, "Id", record.operation_id.as_deref());
    set(&mut shown, "Name", record.name.as_deref());
    set(&mut shown, "EventTimestamp", Some(seconds(record.at_ms)));
    set(&mut shown, "ParentId", record.parent_id.as_deref());
    shown.insert(member, details(&record.details, record.at_ms, data).into());
    shown.into()
}

/// A payload or an error, or that it was left out.
fn of_data(payload: Option<Value>, data: bool) -> Value {
    let mut shown = Map::new();
    set(&mut shown, "Payload", payload.filter(|_| data));
    set(&mut shown, "Truncated", Some(!data));
    shown.into()
}

fn details(details: &EventDetails, at_ms: i64, data: bool) -> Map<String, Value> {
    let text = |text: &Option<String>| of_data(text.clone().map(Value::from), data);
    let failure = |of: &ErrorObject| of_data(Some(error(of)), data);
    let mut shown = Map::new();
    match details {
        EventDetails::None => {}
        EventDetails::Execution { input, timeout_s } => {
            set(&mut shown, "Input", Some(text(&Some(input.clone()))));
            set(&mut shown, "ExecutionTimeout", Some(*timeout_s));
        }
        EventDetails::Result(result) => set(&mut shown, "Result", Some(text(result))),
        EventDetails::Error(error) => set(&mut shown, "Error", Some(failure(error))),
        EventDetails::Attempt { result, error, attempt, next_delay_s } => {
            match error {
                Some(error) => set(&mut shown, "Error", Some(failure(error))),
                None => set(&mut shown, "Result", Some(text(result))),
            }
            let mut retry = Map::new();
            set(&mut retry, "CurrentAttempt", Some(*attempt));
            set(&mut retry, "NextAttemptDelaySeconds", *next_delay_s);
            set(&mut shown, "RetryDetails", Some(retry));
        }
        EventDetails::Wait { seconds: length_s, ends_ms } => {
            set(&mut shown, "Duration", Some(*length_s));
            if at_ms < *ends_ms {
                set(&mut shown, "ScheduledEndTimestamp", Some(seconds(*ends_ms)));
            }
        }
        EventDetails::Callback { callback_id, timeout_s, heartbeat_timeout_s } => {
            set(&mut shown, "CallbackId", Some(callback_id.as_str()));
            set(&mut shown, "Timeout", *timeout_s);
            set(&mut shown, "HeartbeatTimeout", *heartbeat_timeout_s);
        }
        EventDetails::Chained { function, input, version, child_arn } => {
            set(&mut shown, "FunctionName", Some(function.as_str()));
            set(&mut shown, "Input", Some(text(input)));
            set(&mut shown, "ExecutedVersion", version.as_deref());
            set(&mut shown, "DurableExecutionArn", child_arn.as_deref());
        }
        EventDetails::Invocation { started_ms, request_id, error } => {
            set(&mut shown, "StartTimestamp", Some(seconds(*started_ms)));
            set(&mut shown, "EndTimestamp", Some(seconds(at_ms)));
            set(&mut shown, "RequestId", Some(request_id.as_str()));
            set(&mut shown, "Error", error.as_ref().map(failure));
        }
        EventDetails::Paused(pause) => {
            set(&mut shown, "PauseRequestTimestamp", Some(seconds(pause.requested_ms)));
            set(&mut shown, "ExecutionTimeoutPaused", Some(pause.timeout_paused));
            set(&mut shown, "Reason", pause.reason.clone().map(|reason| of_data(Some(reason.into()), data)));
        }
        EventDetails::Resumed { requested_ms, reason } => {
            set(&mut shown, "ResumeRequestTimestamp", Some(seconds(*requested_ms)));
            set(&mut shown, "Reason", reason.clone().map(|reason| of_data(Some(reason.into()), data)));
        }
    }
    shown
}
