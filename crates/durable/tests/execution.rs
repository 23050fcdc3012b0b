//! The state machine of an execution: rules one by one, and random orders of everything that can happen.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;

use hearth_durable::{
    Action, CallbackError, ChainedTarget, CheckpointError, Checkpointed, ErrorObject, Execution,
    ExecutionStatus, FAILED_INVOCATIONS_MAX, IDLE_INVOCATIONS_MAX, Invocation, InvocationEnd, NewExecution,
    OPERATIONS_MAX, OperationEnd, OperationType, OperationUpdate, Output,
};
use hearth_store::{DurableChange, HistoryRecord, OperationRecord, OperationStatus};
use proptest::prelude::*;

/// An execution with a store that is a map, and a clock that a test moves.
struct World {
    execution: Execution,
    operations: BTreeMap<u32, OperationRecord>,
    history: Vec<HistoryRecord>,
    now_ms: i64,
    invocation: Option<Invocation>,
}

impl World {
    fn new(timeout_s: u32) -> Self {
        let new = NewExecution {
            id: "0-1-2".to_owned(),
            function: "f".to_owned(),
            version: "$LATEST".to_owned(),
            name: "e".to_owned(),
            input: "{}".to_owned(),
            timeout_s,
            retention_days: 1,
            kms_key_arn: None,
            trace: "Root=1".to_owned(),
            parent: None,
        };
        let execution = Execution::begin(new, 1_000);
        let (operations, history) = (BTreeMap::new(), Vec::new());
        let mut world = Self { execution, operations, history, now_ms: 1_000, invocation: None };
        world.keep();
        world
    }

    /// What the engine does after each change: begins what is wanted, keeps what changed, and loads it again.
    fn keep(&mut self) {
        let id = format!("request-{}", self.execution.record().invocations);
        if let Some(invocation) = self.execution.begin_invocation(id, self.now_ms) {
            assert!(self.invocation.is_none(), "one invocation at a time");
            self.invocation = Some(invocation);
        }
        let Some(DurableChange { execution, due_ms, operations, events }) =
            self.execution.take_change(self.now_ms)
        else {
            return;
        };
        let rests = execution.shown_status() == ExecutionStatus::Paused;
        assert!(due_ms.is_some() || rests, "an execution that nobody looks at again is lost");
        for (place, operation) in operations {
            if let Some(before) = self.operations.insert(place, operation.clone()) {
                let was_over = before.ended_ms.is_some();
                assert!(!was_over || before.status == operation.status, "{before:?} {operation:?}");
            }
        }
        for event in events {
            assert_eq!(event.id, self.history.len() as u64 + 1);
            self.history.push(event);
        }
        self.execution = Execution::load(execution, self.operations.values().cloned().collect());
    }

    fn token(&self) -> String {
        self.invocation.as_ref().unwrap().token.clone()
    }

    fn checkpoint(&mut self, updates: Vec<OperationUpdate>) -> Result<Checkpointed, CheckpointError> {
        let token = self.token();
        self.checkpoint_with(&token, updates, None)
    }

    fn checkpoint_with(
        &mut self,
        token: &str,
        updates: Vec<OperationUpdate>,
        client_token: Option<&str>,
    ) -> Result<Checkpointed, CheckpointError> {
        let before = self.execution.clone();
        let find = |function: &str| match function {
            "gone" => Err(ErrorObject::default()),
            _ => Ok(ChainedTarget::default()),
        };
        match self.execution.checkpoint(token, updates, client_token, &find, self.now_ms) {
            Ok(done) => {
                if let (Some(invocation), Some(token)) = (&mut self.invocation, &done.token) {
                    invocation.token.clone_from(token);
                }
                self.keep();
                Ok(done)
            }
            Err(error) => {
                // As the engine does: whatever was half done is forgotten.
                self.execution = before;
                Err(error)
            }
        }
    }

    fn end(&mut self, end: InvocationEnd) {
        let number = self.invocation.take().unwrap().number;
        self.execution.invocation_ended(number, end, self.now_ms);
        self.keep();
    }

    fn pending(&mut self) {
        self.end(InvocationEnd::Returned(Output::Pending));
    }

    fn after(&mut self, seconds: i64) {
        self.now_ms += seconds * 1_000;
        self.execution.look_at_the_clock(self.now_ms);
        self.keep();
    }

    fn status(&self) -> ExecutionStatus {
        self.execution.record().shown_status()
    }

    fn operation(&self, id: &str) -> &OperationRecord {
        self.execution.operations().iter().find(|operation| operation.id == id).unwrap()
    }
}

fn update(id: &str, kind: OperationType, action: Action) -> OperationUpdate {
    OperationUpdate::new(id, kind, action)
}

fn wait(id: &str, seconds: u32) -> OperationUpdate {
    OperationUpdate { wait_s: Some(seconds), ..update(id, OperationType::Wait, Action::Start) }
}

fn retry(id: &str, seconds: u32) -> OperationUpdate {
    OperationUpdate {
        next_attempt_delay_s: Some(seconds),
        error: Some(ErrorObject::default()),
        ..update(id, OperationType::Step, Action::Retry)
    }
}

fn refusal(done: Result<Checkpointed, CheckpointError>) -> String {
    done.unwrap_err().to_string()
}

#[test]
fn a_wait_invokes_again_when_it_ends_and_says_which_operation_changed() {
    let mut world = World::new(600);
    assert!(world.invocation.as_ref().unwrap().updated.is_empty());
    let done = world.checkpoint(vec![wait("w", 5)]).unwrap();
    assert_eq!(done.operations.len(), 1);
    world.pending();
    assert!(world.invocation.is_none());
    assert_eq!(world.execution.due_ms(world.now_ms), Some(6_000));
    world.after(4);
    assert!(world.invocation.is_none());
    world.after(1);
    assert_eq!(world.invocation.as_ref().unwrap().updated, ["w"]);
    assert_eq!(world.operation("w").status, OperationStatus::Succeeded);
    world.end(InvocationEnd::Returned(Output::Succeeded(Some("1".to_owned()))));
    assert_eq!(world.status(), ExecutionStatus::Succeeded);
    assert_eq!(world.execution.due_ms(world.now_ms), Some(6_000 + 86_400_000));
}

#[test]
fn a_wait_that_ends_while_the_function_runs_is_heard_of_at_the_next_checkpoint() {
    let mut world = World::new(600);
    world.checkpoint(vec![wait("w", 1)]).unwrap();
    world.now_ms += 1_000;
    let done = world.checkpoint(vec![]).unwrap();
    assert_eq!(done.operations[0].status, OperationStatus::Succeeded);
    // It knows, so it is not invoked for that.
    world.checkpoint(vec![wait("v", 50)]).unwrap();
    world.pending();
    assert!(world.invocation.is_none());
    // Of what it has not heard, it is.
    world.after(50);
    world.checkpoint(vec![wait("u", 1)]).unwrap();
    world.after(1);
    world.pending();
    assert_eq!(world.invocation.as_ref().unwrap().updated, ["u"]);
}

#[test]
fn a_step_counts_its_attempts_and_keeps_what_the_last_one_left() {
    let mut world = World::new(600);
    world.checkpoint(vec![update("s", OperationType::Step, Action::Start), retry("s", 2)]).unwrap();
    assert_eq!(world.operation("s").status, OperationStatus::Pending);
    let start = update("s", OperationType::Step, Action::Start);
    assert_eq!(refusal(world.checkpoint(vec![start.clone()])), "Invalid current STEP state to start.");
    world.pending();
    world.after(2);
    assert_eq!(world.operation("s").status, OperationStatus::Ready);
    let kept = OperationUpdate {
        payload: Some("state".to_owned()),
        next_attempt_delay_s: Some(1),
        ..update("s", OperationType::Step, Action::Retry)
    };
    world.checkpoint(vec![start.clone(), kept]).unwrap();
    world.pending();
    world.after(1);
    world.checkpoint(vec![start]).unwrap();
    assert_eq!(world.operation("s").result.as_deref(), Some("state"));
    world.checkpoint(vec![update("s", OperationType::Step, Action::Succeed)]).unwrap();
    assert_eq!(
        world.operation("s").details,
        hearth_store::Details::Step { attempt: 3, next_attempt_ms: None }
    );
}

#[test]
fn a_checkpoint_that_cannot_be_changes_nothing() {
    let mut world = World::new(600);
    let context = update("c", OperationType::Context, Action::Start);
    world.checkpoint(vec![context.clone(), update("s", OperationType::Step, Action::Succeed)]).unwrap();
    let bad = |kind, action| vec![wait("new", 1), update("x", kind, action)];
    let inside = |parent: &str| OperationUpdate {
        parent_id: Some(parent.to_owned()),
        ..update("i", OperationType::Step, Action::Start)
    };
    let named = |name: &str| OperationUpdate {
        name: Some(name.to_owned()),
        ..update("c", OperationType::Context, Action::Fail)
    };
    let succeed = update("e", OperationType::Execution, Action::Succeed);
    for (updates, message) in [
        (bad(OperationType::Wait, Action::Succeed), "Invalid action for the given operation type."),
        (bad(OperationType::Callback, Action::Fail), "Invalid action for the given operation type."),
        (bad(OperationType::Step, Action::Cancel), "Invalid action for the given operation type."),
        (bad(OperationType::Execution, Action::Start), "Invalid action for the given operation type."),
        (
            bad(OperationType::Wait, Action::Cancel),
            "Cannot cancel a WAIT that does not exist or has already completed.",
        ),
        (bad(OperationType::Step, Action::Retry), "Invalid StepOptions for the given action."),
        (
            bad(OperationType::ChainedInvoke, Action::Start),
            "Update for CHAINED_INVOKE operation requires ChainedInvokeOptions.",
        ),
        (vec![wait("new", 1), context], "Cannot start a CONTEXT that already exist."),
        (vec![wait("new", 1), wait("new", 1)], "Cannot checkpoint multiple operations with the same ID."),
        (vec![wait("new", 1), inside("s")], "Invalid parent operation id."),
        (vec![wait("new", 1), inside("nobody")], "Invalid parent operation id."),
        (vec![wait("new", 1), named("other")], "Inconsistent operation name."),
        (vec![wait("new", 1), wait("c", 1)], "Inconsistent operation type."),
        (
            vec![wait("new", 1), update("s", OperationType::Step, Action::Fail)],
            "Invalid current STEP state to close.",
        ),
        (vec![succeed.clone(), wait("new", 1)], "EXECUTION checkpoint must be the last update."),
        (vec![succeed.clone(), succeed.clone()], "Cannot checkpoint multiple EXECUTION updates."),
    ] {
        let events = world.history.len();
        assert_eq!(refusal(world.checkpoint(updates)), message);
        assert_eq!((world.execution.operations().len(), world.history.len()), (3, events), "{message}");
    }
    // The token is as good as before.
    world.checkpoint(vec![inside("c")]).unwrap();
    let done = world.checkpoint(vec![OperationUpdate { payload: Some("2".to_owned()), ..succeed }]).unwrap();
    assert_eq!((done.token, world.status()), (None, ExecutionStatus::Succeeded));
    world.end(InvocationEnd::Returned(Output::Succeeded(Some(String::new()))));
    assert_eq!(world.execution.record().result.as_deref(), Some("2"));
}

#[test]
fn a_token_is_good_once_and_for_one_invocation_but_a_lost_answer_is_given_again() {
    let mut world = World::new(600);
    let first = world.token();
    let done = world.checkpoint_with(&first, vec![wait("w", 1)], Some("mine")).unwrap();
    let again = world.checkpoint_with(&first, vec![wait("w", 1)], Some("mine")).unwrap();
    assert_eq!((&again.token, again.operations.len()), (&done.token, 1));
    for client_token in [None, Some("another")] {
        let stale = world.checkpoint_with(&first, vec![wait("v", 1)], client_token);
        assert_eq!(stale.unwrap_err(), CheckpointError::Token);
    }
    let last = world.token();
    world.pending();
    assert_eq!(world.checkpoint_with(&last, vec![], None).unwrap_err(), CheckpointError::Token);
    world.after(1);
    assert_eq!(world.checkpoint_with(&last, vec![], None).unwrap_err(), CheckpointError::Token);
    world.checkpoint(vec![]).unwrap();
}

#[test]
fn failures_in_a_row_end_the_execution_and_one_that_works_forgives_them() {
    let error = || ErrorObject { error_message: Some("crash".to_owned()), ..ErrorObject::default() };
    let mut world = World::new(600);
    for _ in 1..FAILED_INVOCATIONS_MAX {
        world.end(InvocationEnd::Failed(error()));
        assert!(world.invocation.is_none());
        world.after(5);
    }
    world.checkpoint(vec![wait("w", 1)]).unwrap();
    world.pending();
    world.after(1);
    for _ in 1..FAILED_INVOCATIONS_MAX {
        world.end(InvocationEnd::Failed(error()));
        world.after(5);
    }
    assert_eq!(world.status(), ExecutionStatus::Running);
    world.end(InvocationEnd::Failed(error()));
    assert_eq!(world.status(), ExecutionStatus::Failed);
    assert_eq!(world.execution.record().error, Some(error()));

    let mut world = World::new(600);
    for _ in 1..IDLE_INVOCATIONS_MAX {
        world.pending();
        world.after(5);
    }
    world.pending();
    assert_eq!(world.status(), ExecutionStatus::Failed);
    let message = world.execution.record().error.clone().unwrap().error_message.unwrap();
    assert_eq!(message, "Cannot return PENDING status with no pending operations.");

    // Who finds no room has not failed, however often.
    let mut world = World::new(6_000);
    for _ in 0..50 {
        world.end(InvocationEnd::NoRoom);
        world.after(30);
        assert!(world.invocation.is_some());
    }
}

#[test]
fn a_pause_takes_the_token_away_and_a_resumption_invokes_again() {
    let mut world = World::new(100);
    world.execution.pause(None, true, world.now_ms).unwrap();
    world.keep();
    assert_eq!(world.status(), ExecutionStatus::Pausing);
    let done = world.checkpoint(vec![wait("w", 500)]).unwrap();
    assert_eq!((done.token, done.operations.len()), (None, 0));
    assert_eq!(world.status(), ExecutionStatus::Paused);
    world.pending();
    assert!(world.invocation.is_none());
    world.after(1_000);
    assert_eq!(world.status(), ExecutionStatus::Paused, "its time-out rests, too");
    world.execution.resume(None, world.now_ms).unwrap();
    world.keep();
    assert_eq!(world.invocation.as_ref().unwrap().updated, ["w"]);
    world.after(101);
    assert_eq!(world.status(), ExecutionStatus::TimedOut);
    assert!(world.execution.pause(None, false, world.now_ms).is_err());

    // One that is resumed before it rested goes on as if nothing had been.
    let mut world = World::new(100);
    world.execution.pause(None, false, world.now_ms).unwrap();
    world.execution.resume(None, world.now_ms).unwrap();
    world.keep();
    assert!(world.checkpoint(vec![wait("w", 1)]).unwrap().token.is_some());
}

#[test]
fn a_callback_is_answered_once_and_silence_ends_it() {
    let mut world = World::new(600);
    let begin = |id: &str| OperationUpdate {
        callback_timeout_s: Some(10),
        heartbeat_timeout_s: Some(3),
        ..update(id, OperationType::Callback, Action::Start)
    };
    world.checkpoint(vec![begin("a"), begin("b"), wait("w", 1)]).unwrap();
    world.pending();
    world.execution.answer_callback("a", OperationEnd::Succeeded(None), world.now_ms).unwrap();
    world.keep();
    assert!(world.invocation.is_some());
    let again = world.execution.answer_callback("a", OperationEnd::Succeeded(None), world.now_ms);
    assert_eq!(again, Err(CallbackError::Closed));
    assert_eq!(world.execution.hear_of_callback("w", world.now_ms), Err(CallbackError::NotFound));
    for _ in 0..3 {
        world.after(2);
        world.execution.hear_of_callback("b", world.now_ms).unwrap();
        world.keep();
    }
    world.after(3);
    assert_eq!(world.operation("b").status, OperationStatus::TimedOut);
    assert_eq!(world.execution.hear_of_callback("b", world.now_ms), Err(CallbackError::Closed));
}

#[test]
fn a_chained_invocation_of_nobody_fails_at_the_checkpoint() {
    let mut world = World::new(600);
    let chain = |id: &str, function: &str| OperationUpdate {
        function: Some(function.to_owned()),
        ..update(id, OperationType::ChainedInvoke, Action::Start)
    };
    let done = world.checkpoint(vec![chain("a", "gone"), chain("b", "other")]).unwrap();
    assert_eq!(done.chained, ["b"]);
    assert_eq!(done.operations[0].status, OperationStatus::Failed);
    world.pending();
    world.execution.chained_ended("b", OperationEnd::Succeeded(Some("1".to_owned())), world.now_ms);
    world.execution.chained_ended("b", OperationEnd::Failed(ErrorObject::default()), world.now_ms);
    world.keep();
    assert_eq!(world.operation("b").result.as_deref(), Some("1"));
    assert_eq!(world.execution.record().chained, 0);
}

#[test]
fn an_execution_has_no_more_operations_than_it_may() {
    let mut world = World::new(600);
    let steps = |from: usize, to: usize| {
        (from..to).map(|n| update(&format!("s{n}"), OperationType::Step, Action::Start)).collect::<Vec<_>>()
    };
    // The execution itself is one.
    let done = world.checkpoint(steps(1, OPERATIONS_MAX)).unwrap();
    assert!(done.token.is_some());
    let done = world.checkpoint(steps(OPERATIONS_MAX, OPERATIONS_MAX + 1)).unwrap();
    assert_eq!((done.token, world.status()), (None, ExecutionStatus::Failed));
}

/// Something that can happen.
#[derive(Debug, Clone)]
enum Happening {
    Checkpoint(Vec<(u8, u8, u8)>),
    Pending,
    Returns,
    Fails,
    NoRoom,
    Interrupted,
    StaleEnd,
    StaleCheckpoint,
    Time(u8),
    Answer(u8),
    Hear(u8),
    Chained(u8),
    Pause(bool),
    Resume,
    Stop,
}

fn happening() -> impl Strategy<Value = Happening> {
    let updates = proptest::collection::vec((0..8_u8, 0..6_u8, 0..5_u8), 0..4);
    prop_oneof![
        8 => updates.prop_map(Happening::Checkpoint),
        4 => Just(Happening::Pending),
        1 => Just(Happening::Returns),
        2 => Just(Happening::Fails),
        1 => Just(Happening::NoRoom),
        1 => Just(Happening::Interrupted),
        1 => Just(Happening::StaleEnd),
        1 => Just(Happening::StaleCheckpoint),
        6 => (0..9_u8).prop_map(Happening::Time),
        2 => (0..8_u8).prop_map(Happening::Answer),
        1 => (0..8_u8).prop_map(Happening::Hear),
        2 => (0..8_u8).prop_map(Happening::Chained),
        1 => any::<bool>().prop_map(Happening::Pause),
        2 => Just(Happening::Resume),
        1 => (0..40_u8).prop_map(|lot| if lot == 0 { Happening::Stop } else { Happening::Resume }),
    ]
}

fn some_update((id, kind, action): (u8, u8, u8)) -> OperationUpdate {
    let kind = [
        OperationType::Step,
        OperationType::Wait,
        OperationType::Callback,
        OperationType::ChainedInvoke,
        OperationType::Context,
        OperationType::Execution,
    ][usize::from(kind)];
    let action =
        [Action::Start, Action::Succeed, Action::Fail, Action::Retry, Action::Cancel][usize::from(action)];
    OperationUpdate {
        wait_s: Some(u32::from(id) + 1),
        next_attempt_delay_s: Some(u32::from(id) + 1),
        callback_timeout_s: Some(u32::from(id) * 2),
        heartbeat_timeout_s: Some(u32::from(id)),
        function: Some(if id == 7 { "gone" } else { "other" }.to_owned()),
        parent_id: (id == 6).then(|| "o0".to_owned()),
        ..update(&format!("o{id}"), kind, action)
    }
}

fn happens(world: &mut World, happening: Happening, tokens: &mut Vec<String>) {
    let now_ms = world.now_ms;
    match happening {
        Happening::Checkpoint(updates) => {
            if world.invocation.is_some() {
                tokens.push(world.token());
                let _ = world.checkpoint(updates.into_iter().map(some_update).collect());
            }
        }
        Happening::StaleCheckpoint => {
            let current = world.invocation.as_ref().map(|invocation| invocation.token.clone());
            for token in tokens.clone().into_iter().filter(|token| Some(token) != current.as_ref()) {
                let refused = world.checkpoint_with(&token, vec![], None);
                assert_eq!(refused.unwrap_err(), CheckpointError::Token);
            }
        }
        Happening::StaleEnd => {
            let number = world.execution.record().invocations.wrapping_sub(1);
            world.execution.invocation_ended(number, InvocationEnd::Interrupted, now_ms);
        }
        Happening::Pending if world.invocation.is_some() => world.pending(),
        Happening::Returns if world.invocation.is_some() => {
            world.end(InvocationEnd::Returned(Output::Succeeded(None)));
        }
        Happening::Fails if world.invocation.is_some() => {
            world.end(InvocationEnd::Failed(ErrorObject::default()));
        }
        Happening::NoRoom if world.invocation.is_some() => world.end(InvocationEnd::NoRoom),
        Happening::Interrupted if world.invocation.is_some() => world.end(InvocationEnd::Interrupted),
        Happening::Pending
        | Happening::Returns
        | Happening::Fails
        | Happening::NoRoom
        | Happening::Interrupted => {}
        Happening::Time(seconds) => world.after(i64::from(seconds)),
        Happening::Answer(id) => {
            let _ = world.execution.answer_callback(&format!("o{id}"), OperationEnd::Succeeded(None), now_ms);
        }
        Happening::Hear(id) => {
            let _ = world.execution.hear_of_callback(&format!("o{id}"), now_ms);
        }
        Happening::Chained(id) => {
            world.execution.chained_ended(&format!("o{id}"), OperationEnd::Succeeded(None), now_ms);
        }
        Happening::Pause(timeout_paused) => {
            let _ = world.execution.pause(None, timeout_paused, now_ms);
        }
        Happening::Resume => {
            let _ = world.execution.resume(None, now_ms);
        }
        Happening::Stop => {
            world.execution.stop(None, now_ms);
        }
    }
    world.keep();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_happens_in_whatever_order(happenings in proptest::collection::vec(happening(), 1..120)) {
        let mut world = World::new(300);
        let mut tokens = Vec::new();
        let mut ended = None;
        for happening in happenings {
            happens(&mut world, happening, &mut tokens);
            let record = world.execution.record();
            // Nothing is forgotten: it runs, rests, waits for a time, or has ended.
            prop_assert!(!world.execution.wants_invocation() || world.execution.due_ms(world.now_ms).is_some());
            prop_assert_eq!(record.invoking.is_some(), world.invocation.is_some());
            let open = world.execution.operations().iter().filter(|operation| {
                OperationType::of(operation) == OperationType::ChainedInvoke
                    && operation.status == OperationStatus::Started
            });
            prop_assert!(record.chained as usize == open.count());
            // The end stays what it was.
            if let Some(before) = &ended {
                let now = (record.status, record.ended_ms, record.result.clone(), record.error.clone());
                prop_assert_eq!(before, &now);
            } else if record.status.is_final() {
                ended = Some((record.status, record.ended_ms, record.result.clone(), record.error.clone()));
            }
        }
        // Whatever it waits for, it ends.
        let _ = world.execution.resume(None, world.now_ms);
        world.after(400);
        prop_assert!(world.execution.record().status.is_final());
        let ends = world.history.iter().filter(|event| {
            use hearth_store::EventType::*;
            matches!(
                event.kind,
                ExecutionSucceeded | ExecutionFailed | ExecutionTimedOut | ExecutionStopped
            )
        });
        prop_assert_eq!(ends.count(), 1);
    }
}
