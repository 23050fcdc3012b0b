//! Durable executions: what each is, its operations, and what happened in it. The words are those of AWS's API.

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::{Outcome, StoreError};

/// What a durable execution is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ExecutionStatus {
    /// It runs, or waits for something.
    Running,
    /// It is to be paused as soon as its invocation comes to a checkpoint.
    Pausing,
    /// It is not invoked until somebody resumes it.
    Paused,
    /// It returned.
    Succeeded,
    /// It failed.
    Failed,
    /// It took longer than it may.
    TimedOut,
    /// Somebody stopped it.
    Stopped,
}

impl ExecutionStatus {
    /// Returns AWS's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Pausing => "PAUSING",
            Self::Paused => "PAUSED",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::Stopped => "STOPPED",
        }
    }

    /// Whether nothing comes after it.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Running | Self::Pausing | Self::Paused => false,
            Self::Succeeded | Self::Failed | Self::TimedOut | Self::Stopped => true,
        }
    }
}

/// How far an operation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OperationStatus {
    /// It has begun.
    Started,
    /// A step that waits for its next attempt.
    Pending,
    /// A step whose next attempt is due.
    Ready,
    /// It ended well.
    Succeeded,
    /// It failed.
    Failed,
    /// A wait that nobody needs any more.
    Cancelled,
    /// It took longer than it may.
    TimedOut,
    /// A chained invocation whose execution was stopped.
    Stopped,
}

/// What went wrong, as functions and their SDKs tell it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ErrorObject {
    /// A text for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// A word for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// Whatever the function adds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_data: Option<String>,
    /// Where it happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack_trace: Option<Vec<String>>,
}

/// What an operation is, with what only its kind has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Details {
    /// The execution itself: always the first operation.
    Execution {
        /// The event of who started it: JSON.
        input: String,
    },
    /// A child context.
    Context {
        /// Whether its operations are replayed although it has ended, because its result is too large to keep.
        replay_children: bool,
    },
    /// A step.
    Step {
        /// How many attempts have ended.
        attempt: u32,
        /// When the next one is due, in milliseconds since 1970.
        next_attempt_ms: Option<i64>,
    },
    /// A wait.
    Wait {
        /// How long it is, in seconds.
        seconds: u32,
        /// When it ends, in milliseconds since 1970.
        ends_ms: i64,
    },
    /// Something that somebody outside has to answer.
    Callback {
        /// What they answer with.
        callback_id: String,
        /// How long they may take, in seconds.
        timeout_s: Option<u32>,
        /// How long they may be silent, in seconds.
        heartbeat_timeout_s: Option<u32>,
        /// When they were last heard of, in milliseconds since 1970.
        heard_ms: i64,
    },
    /// The invocation of another function.
    ChainedInvoke {
        /// Which, as it was named.
        function: String,
        /// The event for it.
        input: Option<String>,
        /// The id of the execution that it began, when that function is durable.
        child: Option<String>,
    },
}

/// An operation of a durable execution, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationRecord {
    /// Its id, chosen by the SDK in the function.
    pub id: String,
    /// The child context that it is in.
    pub parent_id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// The SDK's word for what it is.
    pub sub_type: Option<String>,
    /// In milliseconds since 1970.
    pub started_ms: i64,
    /// In milliseconds since 1970.
    pub ended_ms: Option<i64>,
    /// How far it has come.
    pub status: OperationStatus,
    /// What it returned: text of the SDK's own.
    pub result: Option<String>,
    /// How it failed.
    pub error: Option<ErrorObject>,
    /// What only its kind has.
    pub details: Details,
    /// The change that touched it last, as [`ExecutionRecord::changes`] counts.
    pub touched: u64,
}

/// Somebody wants an execution to rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseRecord {
    /// When they said so, in milliseconds since 1970.
    pub requested_ms: i64,
    /// Why.
    pub reason: Option<String>,
    /// Whether the time spent so does not count against the execution's time-out.
    pub timeout_paused: bool,
    /// Since when it rests, in milliseconds since 1970; `None` while an invocation goes on.
    pub since_ms: Option<i64>,
}

/// The last checkpoint, so that a client that did not hear of it may ask again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastCheckpoint {
    /// The client's own token.
    pub client_token: String,
    /// The sequence number that it came with.
    pub sequence: u64,
    /// The ids of the operations that it was answered with.
    pub operations: Vec<String>,
}

/// A durable execution, as it is kept, without its operations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionRecord {
    /// A UUID: the end of its ARN.
    pub id: String,
    /// The name of the function.
    pub function: String,
    /// `$LATEST` or the number of the version that runs.
    pub version: String,
    /// Its name.
    pub name: String,
    /// How it ended; `Running` until then.
    pub status: ExecutionStatus,
    /// In milliseconds since 1970.
    pub started_ms: i64,
    /// In milliseconds since 1970.
    pub ended_ms: Option<i64>,
    /// What it returned: JSON.
    pub result: Option<String>,
    /// How it failed.
    pub error: Option<ErrorObject>,
    /// How long it may take, in seconds.
    pub timeout_s: u32,
    /// When it times out, in milliseconds since 1970.
    pub deadline_ms: i64,
    /// How long it is kept after its end, in days.
    pub retention_days: u32,
    /// The key that its function names.
    pub kms_key_arn: Option<String>,
    /// The trace that it is part of.
    pub trace: String,
    /// The execution and the operation that wait for its end.
    pub parent: Option<(String, String)>,
    /// Somebody wants it to rest.
    pub pause: Option<PauseRecord>,
    /// How many invocations there were.
    pub invocations: u64,
    /// Whether the last of them goes on: since when, in milliseconds since 1970, and the id of its request.
    pub invoking: Option<(i64, String)>,
    /// Whether an invocation is owed, whatever the operations say.
    pub owes_invocation: bool,
    /// How many invocations in a row have failed.
    pub failures: u32,
    /// How many attempts in a row found no room.
    pub backoffs: u32,
    /// Before when it is not to be invoked again, in milliseconds since 1970.
    pub not_before_ms: Option<i64>,
    /// How many checkpoints there were.
    pub sequence: u64,
    /// How many changes of operations there were.
    pub changes: u64,
    /// The last change that the function knows of.
    pub seen: u64,
    /// How many events of the history there are.
    pub events: u64,
    /// How many bytes of data it has.
    pub bytes: u64,
    /// How many chained invocations go on.
    pub chained: u32,
    /// The last checkpoint.
    pub last_checkpoint: Option<LastCheckpoint>,
}

impl ExecutionRecord {
    /// Returns the status, as it is shown.
    pub fn shown_status(&self) -> ExecutionStatus {
        match &self.pause {
            Some(pause) if !self.status.is_final() => match pause.since_ms {
                Some(_) => ExecutionStatus::Paused,
                None => ExecutionStatus::Pausing,
            },
            _ => self.status,
        }
    }
}

/// What an event of a history is. The words are AWS's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "AWS's words say it")]
pub enum EventType {
    ExecutionStarted,
    ExecutionSucceeded,
    ExecutionFailed,
    ExecutionTimedOut,
    ExecutionStopped,
    ExecutionPaused,
    ExecutionResumed,
    ContextStarted,
    ContextSucceeded,
    ContextFailed,
    WaitStarted,
    WaitSucceeded,
    WaitCancelled,
    StepStarted,
    StepSucceeded,
    StepFailed,
    ChainedInvokeStarted,
    ChainedInvokeSucceeded,
    ChainedInvokeFailed,
    ChainedInvokeTimedOut,
    ChainedInvokeStopped,
    CallbackStarted,
    CallbackSucceeded,
    CallbackFailed,
    CallbackTimedOut,
    InvocationCompleted,
}

/// What is told of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventDetails {
    /// Nothing.
    None,
    /// An execution began.
    Execution {
        /// With this event.
        input: String,
        /// And may take so long, in seconds.
        timeout_s: u32,
    },
    /// Something returned.
    Result(Option<String>),
    /// Something failed.
    Error(ErrorObject),
    /// An attempt of a step ended.
    Attempt {
        /// What it returned.
        result: Option<String>,
        /// How it failed.
        error: Option<ErrorObject>,
        /// Which it was.
        attempt: u32,
        /// When the next comes, in seconds.
        next_delay_s: Option<u32>,
    },
    /// A wait began or ended.
    Wait {
        /// How long it is, in seconds.
        seconds: u32,
        /// When it ends, in milliseconds since 1970.
        ends_ms: i64,
    },
    /// A callback began.
    Callback {
        /// What it is answered with.
        callback_id: String,
        /// How long that may take, in seconds.
        timeout_s: Option<u32>,
        /// How long silence may be, in seconds.
        heartbeat_timeout_s: Option<u32>,
    },
    /// A chained invocation began.
    Chained {
        /// Of which function.
        function: String,
        /// With which event.
        input: Option<String>,
        /// Which version of it runs.
        version: Option<String>,
        /// The execution that it began.
        child_arn: Option<String>,
    },
    /// An invocation ended.
    Invocation {
        /// In milliseconds since 1970.
        started_ms: i64,
        /// The id of the request.
        request_id: String,
        /// How it failed.
        error: Option<ErrorObject>,
    },
    /// A pause began.
    Paused(PauseRecord),
    /// A pause ended.
    Resumed {
        /// When somebody said so, in milliseconds since 1970.
        requested_ms: i64,
        /// Why.
        reason: Option<String>,
    },
}

/// An event of the history of an execution, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRecord {
    /// From 1 on.
    pub id: u64,
    /// What happened.
    pub kind: EventType,
    /// In milliseconds since 1970.
    pub at_ms: i64,
    /// The id of the operation.
    pub operation_id: Option<String>,
    /// The child context that the operation is in.
    pub parent_id: Option<String>,
    /// The name of the operation.
    pub name: Option<String>,
    /// The SDK's word for the operation.
    pub sub_type: Option<String>,
    /// What is told of it.
    pub details: EventDetails,
}

/// What is to be kept of an execution in one step.
#[derive(Debug, Clone)]
pub struct DurableChange {
    /// All but its operations.
    pub execution: ExecutionRecord,
    /// When it has to be looked at next, in milliseconds since 1970.
    pub due_ms: Option<i64>,
    /// Its operations that are new or have changed, each with its place.
    pub operations: Vec<(u32, OperationRecord)>,
    /// What happened.
    pub events: Vec<HistoryRecord>,
}

/// An execution with its operations.
#[derive(Debug, Clone)]
pub struct LoadedExecution {
    /// All but its operations.
    pub execution: ExecutionRecord,
    /// Its operations, in the order in which they began.
    pub operations: Vec<OperationRecord>,
    /// Whether its function is gone.
    pub is_orphaned: bool,
}

/// An execution that has to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueExecution {
    /// Which.
    pub id: String,
    /// Since when, in milliseconds since 1970.
    pub due_ms: i64,
    /// Whether its function is gone.
    pub is_orphaned: bool,
}

/// Which executions of a function are asked for.
#[derive(Debug, Clone, Default)]
pub struct ExecutionFilter {
    /// The function.
    pub function: String,
    /// Only of this version.
    pub version: Option<String>,
    /// Only of this name.
    pub name: Option<String>,
    /// Only with one of these; all when there are none.
    pub statuses: Vec<String>,
    /// Only those that began after this, in milliseconds since 1970.
    pub started_after_ms: Option<i64>,
    /// Only those that began before this, in milliseconds since 1970.
    pub started_before_ms: Option<i64>,
    /// The youngest first.
    pub youngest_first: bool,
    /// Only what comes behind this one: when it began, and its id.
    pub after: Option<(i64, String)>,
    /// At most so many.
    pub limit: u32,
}

/// Which durable executions are there?
///
/// An execution whose function goes is not removed with it, because others may wait for its end: it is orphaned in the same
/// transaction, and due at once. Its name is free from then on.
pub trait DurableStore: Send + Sync + 'static {
    /// Keeps a new execution; a conflict when its name is taken, or its function is not there.
    fn begin_execution(&self, change: DurableChange) -> BoxFuture<'_, Result<Outcome, StoreError>>;

    /// Keeps what has changed of an execution; a conflict when it is gone.
    fn change_execution(&self, change: DurableChange) -> BoxFuture<'_, Result<Outcome, StoreError>>;

    /// Returns an execution; `None` when it is not there.
    fn load_execution(&self, id: String) -> BoxFuture<'_, Result<Option<LoadedExecution>, StoreError>>;

    /// Returns the id of the execution of a function that has a name.
    fn execution_named(
        &self,
        function: String,
        name: String,
    ) -> BoxFuture<'_, Result<Option<String>, StoreError>>;

    /// Returns the first `limit` executions that have to be looked at, by time.
    fn due_executions(&self, limit: u32) -> BoxFuture<'_, Result<Vec<DueExecution>, StoreError>>;

    /// Returns the ids of those with invocations, their own or chained ones, that had not ended.
    fn unfinished_executions(&self) -> BoxFuture<'_, Result<Vec<String>, StoreError>>;

    /// Returns executions of a function, by when they began.
    fn list_executions(
        &self,
        filter: ExecutionFilter,
    ) -> BoxFuture<'_, Result<Vec<ExecutionRecord>, StoreError>>;

    /// Returns at most `limit` events of the history of an execution, from the event `from` on: upwards, or downwards.
    fn history(
        &self,
        id: String,
        from: u64,
        downwards: bool,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<HistoryRecord>, StoreError>>;

    /// Removes an execution with all that belongs to it; a conflict when it is not there.
    fn remove_execution(&self, id: String) -> BoxFuture<'_, Result<Outcome, StoreError>>;
}
