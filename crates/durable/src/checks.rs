//! What a checkpoint is checked for before it is applied, and an update before an operation has it.

use std::collections::HashMap;

use hearth_store::OperationRecord;

use crate::checkpoint::{CheckpointError, refuse};
use crate::update::{Action, OperationType, OperationUpdate};

/// Checks what an end carries.
pub(crate) fn check_end(update: &OperationUpdate) -> Result<(), CheckpointError> {
    if update.action == Action::Fail && update.payload.is_some() {
        return refuse("Cannot provide a Payload for FAIL action.");
    }
    if update.action == Action::Succeed && update.error.is_some() {
        return refuse("Cannot provide an Error for SUCCEED action.");
    }
    Ok(())
}

pub(crate) fn check_execution_updates(updates: &[OperationUpdate]) -> Result<(), CheckpointError> {
    let of_execution = updates.iter().filter(|update| update.kind == OperationType::Execution).count();
    if of_execution > 1 {
        return refuse("Cannot checkpoint multiple EXECUTION updates.");
    }
    if of_execution == 1 && updates.last().is_some_and(|last| last.kind != OperationType::Execution) {
        return refuse("EXECUTION checkpoint must be the last update.");
    }
    Ok(())
}

/// Only a step or a context may come twice: to begin, and then to do something else.
pub(crate) fn check_duplicates(updates: &[OperationUpdate]) -> Result<(), CheckpointError> {
    let mut last: HashMap<&str, &OperationUpdate> = HashMap::new();
    for update in updates {
        if let Some(before) = last.insert(&update.id, update) {
            let may = matches!(before.kind, OperationType::Step | OperationType::Context)
                && before.action == Action::Start
                && update.action != Action::Start;
            if !may {
                return refuse("Cannot checkpoint multiple operations with the same ID.");
            }
        }
    }
    Ok(())
}

/// Checks that an update is about the operation that it names.
pub(crate) fn check_same(
    operation: &OperationRecord,
    update: &OperationUpdate,
) -> Result<(), CheckpointError> {
    let differs = |said: &Option<String>, known: &Option<String>| said.is_some() && said != known;
    if update.kind != OperationType::of(operation) {
        return refuse("Inconsistent operation type.");
    }
    if differs(&update.sub_type, &operation.sub_type) {
        return refuse("Inconsistent operation subtype.");
    }
    if differs(&update.name, &operation.name) {
        return refuse("Inconsistent operation name.");
    }
    if differs(&update.parent_id, &operation.parent_id) {
        return refuse("Inconsistent parent operation id.");
    }
    Ok(())
}
