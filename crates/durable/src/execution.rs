//! A durable execution as a state machine: what it was told, and what it wants next. No I/O and no clock of its own: the
//! time is an argument, and what changed is taken out with [`Execution::take_change`] to be kept.
//!
//! Whoever gets an error of a method has to forget this value and load it anew: half a checkpoint may have been applied.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use hearth_store::{
    Details, DurableChange, ErrorObject, EventDetails, EventType, ExecutionRecord, ExecutionStatus,
    HistoryRecord, OperationRecord, OperationStatus,
};
use hearth_types::Backoff;

use crate::output::Output;
use crate::paging::{self, Page};
use crate::token::CheckpointToken;

/// How many invocations in a row may fail before their execution does. Source: AWS's local runner for tests of durable
/// functions, read 2026-11.
pub const FAILED_INVOCATIONS_MAX: u32 = 5;
/// The same for invocations that wait for nothing: an SDK may do so once by a race. Same source.
pub const IDLE_INVOCATIONS_MAX: u32 = 3;
/// How long an execution rests after an invocation failed. Same source.
pub const RETRY_DELAY_MS: i64 = 5_000;
/// How long an invocation waits that found no room to run. Ours.
pub(crate) const NO_ROOM_WAITS: Backoff =
    Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(30) };
/// How many operations an execution may have. Source: Lambda Developer Guide, "Lambda quotas", read 2026-11.
pub const OPERATIONS_MAX: usize = 3_000;
/// How many bytes of data an execution may have. Same source.
pub const DATA_BYTES_MAX: u64 = 100 << 20;

/// A new execution.
#[derive(Debug, Clone)]
pub struct NewExecution {
    /// A UUID: the end of its ARN.
    pub id: String,
    /// The name of the function.
    pub function: String,
    /// `$LATEST` or the number of the version that runs.
    pub version: String,
    /// Its name.
    pub name: String,
    /// The event: JSON.
    pub input: String,
    /// How long it may take, in seconds.
    pub timeout_s: u32,
    /// How long it is kept after its end, in days.
    pub retention_days: u32,
    /// The key that its function names.
    pub kms_key_arn: Option<String>,
    /// The trace that it is part of.
    pub trace: String,
    /// The execution and the operation that wait for its end.
    pub parent: Option<(String, String)>,
}

/// An invocation that is to be made.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Which of the execution's it is.
    pub number: u64,
    /// The id of its request.
    pub request_id: String,
    /// The token of its first checkpoint.
    pub token: String,
    /// The operations so far, or the first of them.
    pub page: Page,
    /// Those that changed since the function saw them last.
    pub updated: Vec<String>,
}

/// How an invocation ended.
#[derive(Debug, Clone)]
pub enum InvocationEnd {
    /// The function returned.
    Returned(Output),
    /// It raised, crashed or took too long.
    Failed(ErrorObject),
    /// It is not there any more.
    Gone(ErrorObject),
    /// There was no room to run it.
    NoRoom,
    /// The server ended first.
    Interrupted,
}

/// How a callback or a chained invocation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationEnd {
    /// With this result.
    Succeeded(Option<String>),
    /// With this error.
    Failed(ErrorObject),
    /// The execution that was begun took too long.
    TimedOut(ErrorObject),
    /// The execution that was begun was stopped.
    Stopped(ErrorObject),
}

/// A callback cannot be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// There is none of this id.
    #[error("there is no such callback")]
    NotFound,
    /// It has ended.
    #[error("the callback has ended")]
    Closed,
}

/// A durable execution.
#[derive(Debug, Clone)]
pub struct Execution {
    pub(crate) head: ExecutionRecord,
    pub(crate) operations: Vec<OperationRecord>,
    pub(crate) places: HashMap<String, usize>,
    /// The places of operations that were not kept yet.
    changed: BTreeSet<usize>,
    /// The events that were not kept yet.
    events: Vec<HistoryRecord>,
    is_changed: bool,
}

impl Execution {
    /// Begins an execution.
    pub fn begin(new: NewExecution, now_ms: i64) -> Self {
        let head = ExecutionRecord {
            id: new.id.clone(),
            function: new.function,
            version: new.version,
            name: new.name,
            status: ExecutionStatus::Running,
            started_ms: now_ms,
            ended_ms: None,
            result: None,
            error: None,
            timeout_s: new.timeout_s,
            deadline_ms: now_ms.saturating_add(i64::from(new.timeout_s) * 1_000),
            retention_days: new.retention_days,
            kms_key_arn: new.kms_key_arn,
            trace: new.trace,
            parent: new.parent,
            pause: None,
            invocations: 0,
            invoking: None,
            owes_invocation: true,
            failures: 0,
            backoffs: 0,
            not_before_ms: None,
            sequence: 0,
            changes: 0,
            seen: 0,
            events: 0,
            bytes: new.input.len() as u64,
            chained: 0,
            last_checkpoint: None,
        };
        let mut execution = Self::load(head, Vec::new());
        let input = new.input;
        let operation = OperationRecord {
            id: new.id,
            parent_id: None,
            name: Some(execution.head.name.clone()),
            sub_type: None,
            started_ms: now_ms,
            ended_ms: None,
            status: OperationStatus::Started,
            result: None,
            error: None,
            details: Details::Execution { input: input.clone() },
            touched: 0,
        };
        let place = execution.add(operation);
        let timeout_s = execution.head.timeout_s;
        execution.tell(
            EventType::ExecutionStarted,
            place,
            EventDetails::Execution { input, timeout_s },
            now_ms,
        );
        execution
    }

    /// Goes on with an execution as it was kept.
    pub fn load(head: ExecutionRecord, operations: Vec<OperationRecord>) -> Self {
        let places = operations.iter().enumerate().map(|(place, one)| (one.id.clone(), place)).collect();
        Self { head, operations, places, changed: BTreeSet::new(), events: Vec::new(), is_changed: false }
    }

    /// Returns all but the operations.
    pub fn record(&self) -> &ExecutionRecord {
        &self.head
    }

    /// Returns the operations, in the order in which they began: the execution itself is the first.
    pub fn operations(&self) -> &[OperationRecord] {
        &self.operations
    }

    /// Returns the event that the execution began with.
    pub fn input(&self) -> &str {
        match self.operations.first().map(|first| &first.details) {
            Some(Details::Execution { input }) => input,
            _ => "",
        }
    }

    /// Takes out what has to be kept; `None` when nothing changed.
    pub fn take_change(&mut self, now_ms: i64) -> Option<DurableChange> {
        if !std::mem::take(&mut self.is_changed) {
            return None;
        }
        let operations = std::mem::take(&mut self.changed)
            .into_iter()
            .map(|place| (u32::try_from(place).unwrap_or(u32::MAX), self.operations[place].clone()))
            .collect();
        Some(DurableChange {
            execution: self.head.clone(),
            due_ms: self.due_ms(now_ms),
            operations,
            events: std::mem::take(&mut self.events),
        })
    }

    /// Returns the token of the next checkpoint.
    pub(crate) fn token(&self) -> String {
        let ExecutionRecord { id, invocations, sequence, .. } = &self.head;
        CheckpointToken { execution: id, invocation: *invocations, sequence: *sequence }.encode()
    }

    /// Whether the function does not know of a change.
    pub(crate) fn has_unseen(&self) -> bool {
        self.operations.iter().any(|operation| operation.touched > self.head.seen)
    }

    /// Whether the function is to be invoked, now or as soon as it may.
    pub fn wants_invocation(&self) -> bool {
        !self.head.status.is_final()
            && self.head.invoking.is_none()
            && self.head.pause.is_none()
            && (self.head.owes_invocation || self.has_unseen())
    }

    /// Begins an invocation if one is wanted and may begin.
    pub fn begin_invocation(&mut self, request_id: String, now_ms: i64) -> Option<Invocation> {
        if !self.wants_invocation() || self.head.not_before_ms.is_some_and(|earliest| earliest > now_ms) {
            return None;
        }
        let is_first = self.head.invocations == 0;
        let unseen = self.operations.iter().filter(|operation| operation.touched > self.head.seen);
        let updated =
            if is_first { Vec::new() } else { unseen.map(|operation| operation.id.clone()).collect() };
        self.is_changed = true;
        let head = &mut self.head;
        head.invocations += 1;
        head.sequence += 1;
        head.invoking = Some((now_ms, request_id.clone()));
        head.owes_invocation = false;
        head.not_before_ms = None;
        head.seen = head.changes;
        head.last_checkpoint = None;
        let page = paging::page(&self.operations, 0, usize::MAX);
        Some(Invocation { number: self.head.invocations, request_id, token: self.token(), page, updated })
    }

    /// An invocation ended.
    pub fn invocation_ended(&mut self, number: u64, end: InvocationEnd, now_ms: i64) {
        if number != self.head.invocations {
            return;
        }
        let Some((started_ms, request_id)) = self.head.invoking.take() else { return };
        self.is_changed = true;
        let error = match &end {
            InvocationEnd::Failed(error) | InvocationEnd::Gone(error) => Some(error.clone()),
            InvocationEnd::Returned(Output::Invalid(message)) => Some(invalid_output(message)),
            InvocationEnd::Returned(_) | InvocationEnd::NoRoom | InvocationEnd::Interrupted => None,
        };
        if !matches!(end, InvocationEnd::NoRoom) {
            let details = EventDetails::Invocation { started_ms, request_id, error };
            self.tell(EventType::InvocationCompleted, None, details, now_ms);
        }
        if self.head.status.is_final() {
            return;
        }
        match end {
            InvocationEnd::Returned(Output::Succeeded(result)) => self.succeed(result, now_ms),
            InvocationEnd::Returned(Output::Failed(error)) | InvocationEnd::Gone(error) => {
                self.end(ExecutionStatus::Failed, None, Some(error), now_ms);
            }
            InvocationEnd::Returned(Output::Invalid(message)) => {
                self.end(ExecutionStatus::Failed, None, Some(invalid_output(&message)), now_ms);
            }
            InvocationEnd::Returned(Output::Pending) => self.suspend(now_ms),
            InvocationEnd::Failed(error) => self.try_again(error, FAILED_INVOCATIONS_MAX, now_ms),
            InvocationEnd::NoRoom => {
                let delay_ms = NO_ROOM_WAITS.after_ms(self.head.backoffs);
                self.head.backoffs += 1;
                self.head.owes_invocation = true;
                self.head.not_before_ms = Some(now_ms.saturating_add(delay_ms));
            }
            InvocationEnd::Interrupted => self.head.owes_invocation = true,
        }
        if !self.head.status.is_final() {
            self.rest_if_asked(now_ms);
        }
    }

    /// The function waits: there has to be something that it waits for.
    fn suspend(&mut self, now_ms: i64) {
        let waits = |operation: &OperationRecord| match operation.details {
            Details::Step { .. } => operation.status == OperationStatus::Pending,
            Details::Wait { .. } | Details::Callback { .. } | Details::ChainedInvoke { .. } => {
                operation.status == OperationStatus::Started
            }
            Details::Execution { .. } | Details::Context { .. } => false,
        };
        if self.head.owes_invocation || self.has_unseen() || self.operations.iter().any(waits) {
            self.head.failures = 0;
            self.head.backoffs = 0;
            return;
        }
        let message = "Cannot return PENDING status with no pending operations.";
        self.try_again(invalid_output(message), IDLE_INVOCATIONS_MAX, now_ms);
    }

    fn try_again(&mut self, error: ErrorObject, most: u32, now_ms: i64) {
        self.head.failures += 1;
        self.head.backoffs = 0;
        if self.head.failures >= most {
            self.end(ExecutionStatus::Failed, None, Some(error), now_ms);
        } else {
            self.head.owes_invocation = true;
            self.head.not_before_ms = Some(now_ms.saturating_add(RETRY_DELAY_MS));
        }
    }

    pub(crate) fn succeed(&mut self, result: Option<String>, now_ms: i64) {
        let bytes_max = crate::CHAINED_PAYLOAD_BYTES_MAX;
        if self.head.parent.is_some() && result.as_ref().is_some_and(|result| result.len() > bytes_max) {
            let message =
                format!("Execution output payload size must be less than or equal to {bytes_max} bytes.");
            let error = ErrorObject { error_message: Some(message), ..ErrorObject::default() };
            return self.end(ExecutionStatus::Failed, None, Some(error), now_ms);
        }
        self.end(ExecutionStatus::Succeeded, result, None, now_ms);
    }

    /// Ends the execution.
    pub(crate) fn end(
        &mut self,
        status: ExecutionStatus,
        result: Option<String>,
        error: Option<ErrorObject>,
        now_ms: i64,
    ) {
        self.is_changed = true;
        let head = &mut self.head;
        head.status = status;
        head.ended_ms = Some(now_ms);
        head.pause = None;
        head.owes_invocation = false;
        head.not_before_ms = None;
        head.result.clone_from(&result);
        head.error.clone_from(&error);
        let (kind, ended) = match status {
            ExecutionStatus::Succeeded => (EventType::ExecutionSucceeded, OperationStatus::Succeeded),
            ExecutionStatus::TimedOut => (EventType::ExecutionTimedOut, OperationStatus::TimedOut),
            ExecutionStatus::Stopped => (EventType::ExecutionStopped, OperationStatus::Stopped),
            ExecutionStatus::Failed
            | ExecutionStatus::Running
            | ExecutionStatus::Pausing
            | ExecutionStatus::Paused => (EventType::ExecutionFailed, OperationStatus::Failed),
        };
        let details = match error {
            Some(error) => EventDetails::Error(error),
            None => EventDetails::Result(result),
        };
        self.operations[0].status = ended;
        self.operations[0].ended_ms = Some(now_ms);
        self.touch(0);
        self.tell(kind, Some(0), details, now_ms);
    }

    /// Ends an execution that has more than it may. Says whether it had.
    pub(crate) fn end_if_too_large(&mut self, now_ms: i64) -> bool {
        let message = if self.operations.len() > OPERATIONS_MAX {
            format!("The durable execution has more than {OPERATIONS_MAX} operations.")
        } else if self.head.bytes > DATA_BYTES_MAX {
            format!("The durable execution has more than {DATA_BYTES_MAX} bytes of data.")
        } else {
            return false;
        };
        if !self.head.status.is_final() {
            let error = error_of("ServiceQuotaExceededException", &message);
            self.end(ExecutionStatus::Failed, None, Some(error), now_ms);
        }
        true
    }

    /// Adds an operation, and returns its place.
    pub(crate) fn add(&mut self, operation: OperationRecord) -> Option<usize> {
        let place = self.operations.len();
        self.places.insert(operation.id.clone(), place);
        self.operations.push(operation);
        self.touch(place);
        Some(place)
    }

    pub(crate) fn touch(&mut self, place: usize) {
        self.is_changed = true;
        self.head.changes += 1;
        self.operations[place].touched = self.head.changes;
        self.changed.insert(place);
    }

    /// Keeps an operation of which the function need not know.
    pub(crate) fn note_operation(&mut self, place: usize) {
        self.is_changed = true;
        self.changed.insert(place);
    }

    pub(crate) fn note_change(&mut self) {
        self.is_changed = true;
    }

    pub(crate) fn tell(
        &mut self,
        kind: EventType,
        place: impl Into<Option<usize>>,
        details: EventDetails,
        now_ms: i64,
    ) {
        self.is_changed = true;
        self.head.events += 1;
        let operation = place.into().map(|place| &self.operations[place]);
        self.events.push(HistoryRecord {
            id: self.head.events,
            kind,
            at_ms: now_ms,
            operation_id: operation.map(|operation| operation.id.clone()),
            parent_id: operation.and_then(|operation| operation.parent_id.clone()),
            name: operation.and_then(|operation| operation.name.clone()),
            sub_type: operation.and_then(|operation| operation.sub_type.clone()),
            details,
        });
    }
}

/// How many bytes of data something has.
pub(crate) fn size(text: Option<&str>, error: Option<&ErrorObject>) -> u64 {
    let error = error.map_or(0, |error| {
        let texts = [&error.error_message, &error.error_type, &error.error_data];
        let trace = error.stack_trace.iter().flatten().map(String::len).sum::<usize>();
        texts.into_iter().flatten().map(String::len).sum::<usize>() + trace
    });
    (text.map_or(0, str::len) + error) as u64
}

pub(crate) fn error_of(kind: &str, message: &str) -> ErrorObject {
    ErrorObject {
        error_type: Some(kind.to_owned()),
        error_message: Some(message.to_owned()),
        ..ErrorObject::default()
    }
}

fn invalid_output(message: &str) -> ErrorObject {
    error_of("InvalidParameterValueException", message)
}
