//! Checkpoints: a function says what its operations did, and hears what it does not know yet.
//!
//! The texts of refusals are those of AWS's local runner for tests of durable functions, read 2026-11.

use hearth_store::{
    Details, ErrorObject, EventDetails, EventType, ExecutionStatus, LastCheckpoint, OperationRecord,
    OperationStatus,
};

use crate::checks::{check_duplicates, check_end, check_execution_updates, check_same};
use crate::execution::{Execution, size};
use crate::paging::{self, Page};
use crate::token::{CheckpointToken, callback_id};
use crate::update::{Action, OperationType, OperationUpdate};

/// How large the error of an operation may be, in bytes. Source: see above.
const ERROR_BYTES_MAX: u64 = 32_768;

/// Why a checkpoint is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Its token is not the one that is expected: the invocation is over, or another checkpoint was faster.
    #[error("the checkpoint token is not the current one")]
    Token,
    /// The marker of a page is none that was given out.
    #[error("there is no such page")]
    Marker,
    /// What it says cannot be, in AWS's words.
    #[error("{0}")]
    Update(String),
}

/// What a chained invocation is going to run.
#[derive(Debug, Clone, Default)]
pub struct ChainedTarget {
    /// Its version.
    pub version: Option<String>,
    /// The execution that it begins, when its function is durable: its id and its ARN.
    pub child: Option<(String, String)>,
}

/// Finds out what a chained invocation would run; an error ends the operation at once.
pub type FindTarget<'a> = dyn Fn(&str) -> Result<ChainedTarget, ErrorObject> + Send + Sync + 'a;

/// What a checkpoint is answered with.
#[derive(Debug, Clone)]
pub struct Checkpointed {
    /// The token of the next one; `None` when this invocation may make none.
    pub token: Option<String>,
    /// The operations that the function does not know yet.
    pub operations: Vec<OperationRecord>,
    /// The chained invocations that begin.
    pub chained: Vec<String>,
}

impl Execution {
    /// Applies a checkpoint. After an error, this value is to be loaded anew.
    pub fn checkpoint(
        &mut self,
        token: &str,
        updates: Vec<OperationUpdate>,
        client_token: Option<&str>,
        find: &FindTarget<'_>,
        now_ms: i64,
    ) -> Result<Checkpointed, CheckpointError> {
        if let Some(again) = self.answer_again(token, client_token) {
            return Ok(again);
        }
        let came_with = self.check_token(token)?;
        check_execution_updates(&updates)?;
        check_duplicates(&updates)?;
        let mut chained = Vec::new();
        for update in updates {
            self.apply(update, find, &mut chained, now_ms)?;
        }
        self.look_at_the_clock(now_ms);
        self.end_if_too_large(now_ms);
        self.note_change();
        self.head.sequence += 1;
        self.head.last_checkpoint = None;
        let none = Checkpointed { token: None, operations: Vec::new(), chained };
        if self.head.status.is_final() {
            return Ok(Checkpointed { chained: Vec::new(), ..none });
        }
        if self.head.pause.is_some() {
            self.head.owes_invocation = true;
            self.rest_if_asked(now_ms);
            return Ok(none);
        }
        let unseen = self.operations.iter().filter(|operation| operation.touched > self.head.seen);
        let operations: Vec<OperationRecord> = unseen.cloned().collect();
        self.head.seen = self.head.changes;
        self.head.last_checkpoint = client_token.map(|client_token| LastCheckpoint {
            client_token: client_token.to_owned(),
            sequence: came_with,
            operations: operations.iter().map(|operation| operation.id.clone()).collect(),
        });
        Ok(Checkpointed { token: Some(self.token()), operations, ..none })
    }

    /// Returns a page of the operations to the invocation that holds the current token.
    pub fn state(&self, token: &str, marker: Option<&str>, most: usize) -> Result<Page, CheckpointError> {
        self.check_token(token)?;
        let from = match marker {
            None => 0,
            Some(marker) => marker
                .parse()
                .ok()
                .filter(|from| *from <= self.operations.len())
                .ok_or(CheckpointError::Marker)?,
        };
        Ok(paging::page(&self.operations, from, most))
    }

    /// Returns the sequence number that the current token has.
    fn check_token(&self, token: &str) -> Result<u64, CheckpointError> {
        let (invocation, sequence) =
            CheckpointToken::decode(token, &self.head.id).ok_or(CheckpointError::Token)?;
        let is_current = invocation == self.head.invocations && sequence == self.head.sequence;
        let may = self.head.invoking.is_some() && !self.head.status.is_final();
        if is_current && may { Ok(sequence) } else { Err(CheckpointError::Token) }
    }

    /// Answers the last checkpoint once more to a client that did not hear of it.
    fn answer_again(&self, token: &str, client_token: Option<&str>) -> Option<Checkpointed> {
        let last = self.head.last_checkpoint.as_ref()?;
        let (invocation, sequence) = CheckpointToken::decode(token, &self.head.id)?;
        if invocation != self.head.invocations
            || sequence != last.sequence
            || client_token != Some(&last.client_token)
        {
            return None;
        }
        let known = last.operations.iter().filter_map(|id| self.places.get(id));
        let operations = known.map(|&place| self.operations[place].clone()).collect();
        Some(Checkpointed { token: Some(self.token()), operations, chained: Vec::new() })
    }

    fn apply(
        &mut self,
        update: OperationUpdate,
        find: &FindTarget<'_>,
        chained: &mut Vec<String>,
        now_ms: i64,
    ) -> Result<(), CheckpointError> {
        let bytes = size(update.payload.as_deref(), update.error.as_ref());
        if size(None, update.error.as_ref()) > ERROR_BYTES_MAX {
            return refuse(format!("Error object size must be less than {ERROR_BYTES_MAX} bytes."));
        }
        let place = self.places.get(&update.id).copied();
        if let Some(place) = place {
            check_same(&self.operations[place], &update)?;
        }
        self.check_parent(&update)?;
        self.head.bytes += bytes;
        match update.kind {
            OperationType::Execution => self.apply_to_execution(update, now_ms),
            OperationType::Context => self.apply_to_context(place, update, now_ms),
            OperationType::Step => self.apply_to_step(place, update, now_ms),
            OperationType::Wait => self.apply_to_wait(place, update, now_ms),
            OperationType::Callback => self.begin_callback(place, update, now_ms),
            OperationType::ChainedInvoke => self.begin_chained(place, update, find, chained, now_ms),
        }
    }

    fn check_parent(&self, update: &OperationUpdate) -> Result<(), CheckpointError> {
        let Some(parent) = &update.parent_id else { return Ok(()) };
        let is_context = self
            .places
            .get(parent)
            .is_some_and(|&place| OperationType::of(&self.operations[place]) == OperationType::Context);
        if is_context { Ok(()) } else { refuse("Invalid parent operation id.") }
    }

    fn apply_to_execution(&mut self, update: OperationUpdate, now_ms: i64) -> Result<(), CheckpointError> {
        match update.action {
            Action::Succeed if update.error.is_some() => {
                refuse("Cannot provide an Error for SUCCEED action.")
            }
            Action::Succeed => {
                let bytes_max = crate::CHAINED_PAYLOAD_BYTES_MAX;
                let is_large = update.payload.as_ref().is_some_and(|payload| payload.len() > bytes_max);
                if self.head.parent.is_some() && is_large {
                    return refuse(format!(
                        "Execution output payload size must be less than or equal to {bytes_max} bytes."
                    ));
                }
                self.succeed(update.payload, now_ms);
                Ok(())
            }
            Action::Fail if update.payload.is_some() => refuse("Cannot provide a Payload for FAIL action."),
            Action::Fail => {
                self.end(ExecutionStatus::Failed, None, Some(update.error.unwrap_or_default()), now_ms);
                Ok(())
            }
            Action::Start | Action::Retry | Action::Cancel => wrong_action(),
        }
    }

    fn apply_to_context(
        &mut self,
        place: Option<usize>,
        update: OperationUpdate,
        now_ms: i64,
    ) -> Result<(), CheckpointError> {
        match update.action {
            Action::Start if place.is_some() => refuse("Cannot start a CONTEXT that already exist."),
            Action::Start => {
                let place = self.add(new(&update, Details::Context { replay_children: false }, now_ms));
                self.tell(EventType::ContextStarted, place, EventDetails::None, now_ms);
                Ok(())
            }
            Action::Succeed | Action::Fail => {
                check_end(&update)?;
                let place = self.begun(place, &update, Details::Context { replay_children: false }, now_ms);
                if self.operations[place].status != OperationStatus::Started {
                    return refuse("Invalid current CONTEXT state to close.");
                }
                let replay_children = update.replay_children;
                self.operations[place].details = Details::Context { replay_children };
                let kinds = (EventType::ContextSucceeded, EventType::ContextFailed);
                self.close(place, update, kinds, now_ms);
                Ok(())
            }
            Action::Retry | Action::Cancel => wrong_action(),
        }
    }

    /// Returns the place of an operation, which may begin and end in one update.
    fn begun(
        &mut self,
        place: Option<usize>,
        update: &OperationUpdate,
        details: Details,
        now_ms: i64,
    ) -> usize {
        place.unwrap_or_else(|| self.add(new(update, details, now_ms)).unwrap_or_default())
    }

    /// Ends a context or a step.
    fn close(&mut self, place: usize, update: OperationUpdate, kinds: (EventType, EventType), now_ms: i64) {
        let has_succeeded = update.action == Action::Succeed;
        let operation = &mut self.operations[place];
        operation.status = if has_succeeded { OperationStatus::Succeeded } else { OperationStatus::Failed };
        operation.ended_ms = Some(now_ms);
        operation.result.clone_from(&update.payload);
        operation.error.clone_from(&update.error);
        let details = match (&operation.details, has_succeeded) {
            (Details::Step { attempt, .. }, _) => EventDetails::Attempt {
                result: update.payload,
                error: update.error.or((!has_succeeded).then(ErrorObject::default)),
                attempt: *attempt,
                next_delay_s: None,
            },
            (_, true) => EventDetails::Result(update.payload),
            (_, false) => EventDetails::Error(update.error.unwrap_or_default()),
        };
        self.touch(place);
        self.tell(if has_succeeded { kinds.0 } else { kinds.1 }, Some(place), details, now_ms);
    }

    fn apply_to_step(
        &mut self,
        place: Option<usize>,
        update: OperationUpdate,
        now_ms: i64,
    ) -> Result<(), CheckpointError> {
        let fresh = Details::Step { attempt: 0, next_attempt_ms: None };
        let status = place.map(|place| self.operations[place].status);
        let is_open = matches!(status, None | Some(OperationStatus::Started | OperationStatus::Ready));
        match update.action {
            Action::Start => {
                let place = match (place, status) {
                    (None, _) => self.add(new(&update, fresh, now_ms)),
                    (Some(place), Some(OperationStatus::Ready)) => {
                        // What the last attempt left is what this one begins with.
                        self.operations[place].status = OperationStatus::Started;
                        self.touch(place);
                        Some(place)
                    }
                    (Some(_), _) => return refuse("Invalid current STEP state to start."),
                };
                self.tell(EventType::StepStarted, place, EventDetails::None, now_ms);
                Ok(())
            }
            Action::Succeed | Action::Fail => {
                if !is_open {
                    return refuse("Invalid current STEP state to close.");
                }
                check_end(&update)?;
                let place = self.begun(place, &update, fresh, now_ms);
                self.count_attempt(place, None);
                self.close(place, update, (EventType::StepSucceeded, EventType::StepFailed), now_ms);
                Ok(())
            }
            Action::Retry => {
                if !is_open {
                    return refuse("Invalid current STEP state to re-attempt.");
                }
                let Some(delay_s) = update.next_attempt_delay_s else {
                    return refuse("Invalid StepOptions for the given action.");
                };
                if update.error.is_some() && update.payload.is_some() {
                    return refuse("Cannot provide both error and payload to RETRY a STEP.");
                }
                let place = self.begun(place, &update, fresh, now_ms);
                let attempt =
                    self.count_attempt(place, Some(now_ms.saturating_add(i64::from(delay_s) * 1_000)));
                let operation = &mut self.operations[place];
                operation.status = OperationStatus::Pending;
                operation.result.clone_from(&update.payload);
                operation.error.clone_from(&update.error);
                let kind = match update.error {
                    Some(_) => EventType::StepFailed,
                    None => EventType::StepSucceeded,
                };
                let details = EventDetails::Attempt {
                    result: update.payload,
                    error: update.error,
                    attempt,
                    next_delay_s: Some(delay_s),
                };
                self.touch(place);
                self.tell(kind, Some(place), details, now_ms);
                Ok(())
            }
            Action::Cancel => wrong_action(),
        }
    }

    /// Counts one more attempt of a step that ended, and returns how many there are.
    fn count_attempt(&mut self, place: usize, next_ms: Option<i64>) -> u32 {
        match &mut self.operations[place].details {
            Details::Step { attempt, next_attempt_ms } => {
                *attempt += 1;
                *next_attempt_ms = next_ms;
                *attempt
            }
            _ => 0,
        }
    }

    fn apply_to_wait(
        &mut self,
        place: Option<usize>,
        update: OperationUpdate,
        now_ms: i64,
    ) -> Result<(), CheckpointError> {
        match (update.action, place) {
            (Action::Start, Some(_)) => refuse("Cannot start a WAIT that already exist."),
            (Action::Start, None) => {
                let seconds = update.wait_s.unwrap_or(1);
                let ends_ms = now_ms.saturating_add(i64::from(seconds) * 1_000);
                let place = self.add(new(&update, Details::Wait { seconds, ends_ms }, now_ms));
                self.tell(EventType::WaitStarted, place, EventDetails::Wait { seconds, ends_ms }, now_ms);
                Ok(())
            }
            (Action::Cancel, place) => match place {
                Some(place) if self.operations[place].status == OperationStatus::Started => {
                    self.operations[place].status = OperationStatus::Cancelled;
                    self.operations[place].ended_ms = Some(now_ms);
                    self.touch(place);
                    self.tell(EventType::WaitCancelled, Some(place), EventDetails::None, now_ms);
                    Ok(())
                }
                _ => refuse("Cannot cancel a WAIT that does not exist or has already completed."),
            },
            (Action::Succeed | Action::Fail | Action::Retry, _) => wrong_action(),
        }
    }

    fn begin_callback(
        &mut self,
        place: Option<usize>,
        update: OperationUpdate,
        now_ms: i64,
    ) -> Result<(), CheckpointError> {
        if update.action != Action::Start {
            return wrong_action();
        }
        if place.is_some() {
            return refuse("Cannot start a CALLBACK that already exist.");
        }
        let callback_id = callback_id(&self.head.id, &update.id);
        let (timeout_s, heartbeat_timeout_s) = (update.callback_timeout_s, update.heartbeat_timeout_s);
        let told =
            EventDetails::Callback { callback_id: callback_id.clone(), timeout_s, heartbeat_timeout_s };
        let details = Details::Callback { callback_id, timeout_s, heartbeat_timeout_s, heard_ms: now_ms };
        let place = self.add(new(&update, details, now_ms));
        self.tell(EventType::CallbackStarted, place, told, now_ms);
        Ok(())
    }

    fn begin_chained(
        &mut self,
        place: Option<usize>,
        update: OperationUpdate,
        find: &FindTarget<'_>,
        chained: &mut Vec<String>,
        now_ms: i64,
    ) -> Result<(), CheckpointError> {
        if update.action != Action::Start {
            return wrong_action();
        }
        if place.is_some() {
            return refuse("Cannot start a CHAINED_INVOKE operation that already exists.");
        }
        let Some(function) = update.function.clone() else {
            return refuse("Update for CHAINED_INVOKE operation requires ChainedInvokeOptions.");
        };
        let bytes_max = crate::CHAINED_PAYLOAD_BYTES_MAX;
        if update.payload.as_ref().is_some_and(|payload| payload.len() > bytes_max) {
            return refuse(format!(
                "CHAINED_INVOKE input payload size must be less than or equal to {bytes_max} bytes."
            ));
        }
        let found = find(&function);
        let (target, failure) = match found {
            Ok(target) => (target, None),
            Err(error) => (ChainedTarget::default(), Some(error)),
        };
        // A function that is not there is given no event.
        let input = update.payload.clone().filter(|_| failure.is_none());
        let (child, child_arn) = target.child.unzip();
        let details = Details::ChainedInvoke { function: function.clone(), input: input.clone(), child };
        let place = self.add(new(&update, details, now_ms));
        let told = EventDetails::Chained { function, input, version: target.version, child_arn };
        self.tell(EventType::ChainedInvokeStarted, place, told, now_ms);
        match (failure, place) {
            (Some(error), Some(place)) => {
                let operation = &mut self.operations[place];
                operation.status = OperationStatus::Failed;
                operation.ended_ms = Some(now_ms);
                operation.error = Some(error.clone());
                self.tell(EventType::ChainedInvokeFailed, place, EventDetails::Error(error), now_ms);
            }
            _ => {
                self.head.chained += 1;
                chained.push(update.id);
            }
        }
        Ok(())
    }
}

/// An operation that begins.
fn new(update: &OperationUpdate, details: Details, now_ms: i64) -> OperationRecord {
    OperationRecord {
        id: update.id.clone(),
        parent_id: update.parent_id.clone(),
        name: update.name.clone(),
        sub_type: update.sub_type.clone(),
        started_ms: now_ms,
        ended_ms: None,
        status: OperationStatus::Started,
        result: None,
        error: None,
        details,
        touched: 0,
    }
}

pub(crate) fn refuse<T>(why: impl Into<String>) -> Result<T, CheckpointError> {
    Err(CheckpointError::Update(why.into()))
}

fn wrong_action<T>() -> Result<T, CheckpointError> {
    refuse("Invalid action for the given operation type.")
}
