//! What a function says at a checkpoint: updates of operations.

use hearth_store::{Details, ErrorObject, OperationRecord};

/// The kinds of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationType {
    /// The execution itself.
    Execution,
    /// A child context.
    Context,
    /// A step.
    Step,
    /// A wait.
    Wait,
    /// Something that somebody outside has to answer.
    Callback,
    /// The invocation of another function.
    ChainedInvoke,
}

impl OperationType {
    const ALL: [Self; 6] =
        [Self::Execution, Self::Context, Self::Step, Self::Wait, Self::Callback, Self::ChainedInvoke];

    /// Returns AWS's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Execution => "EXECUTION",
            Self::Context => "CONTEXT",
            Self::Step => "STEP",
            Self::Wait => "WAIT",
            Self::Callback => "CALLBACK",
            Self::ChainedInvoke => "CHAINED_INVOKE",
        }
    }

    /// Reads AWS's word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Returns what an operation is.
    pub const fn of(operation: &OperationRecord) -> Self {
        match operation.details {
            Details::Execution { .. } => Self::Execution,
            Details::Context { .. } => Self::Context,
            Details::Step { .. } => Self::Step,
            Details::Wait { .. } => Self::Wait,
            Details::Callback { .. } => Self::Callback,
            Details::ChainedInvoke { .. } => Self::ChainedInvoke,
        }
    }
}

/// What happens to an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It begins, or its next attempt does.
    Start,
    /// It ends well.
    Succeed,
    /// It fails.
    Fail,
    /// An attempt ended, and another one is to come.
    Retry,
    /// Nobody needs it any more.
    Cancel,
}

impl Action {
    /// Reads AWS's word.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "START" => Self::Start,
            "SUCCEED" => Self::Succeed,
            "FAIL" => Self::Fail,
            "RETRY" => Self::Retry,
            "CANCEL" => Self::Cancel,
            _ => return None,
        })
    }
}

/// An update of an operation.
#[derive(Debug, Clone)]
pub struct OperationUpdate {
    /// The operation.
    pub id: String,
    /// The child context that it is in.
    pub parent_id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// What it is.
    pub kind: OperationType,
    /// The SDK's word for it.
    pub sub_type: Option<String>,
    /// What happens to it.
    pub action: Action,
    /// What it returned, or the event of a chained invocation.
    pub payload: Option<String>,
    /// How it failed.
    pub error: Option<ErrorObject>,
    /// Of a context: whether its operations are replayed although it has ended.
    pub replay_children: bool,
    /// Of a step: when the next attempt comes, in seconds.
    pub next_attempt_delay_s: Option<u32>,
    /// Of a wait: how long it is, in seconds.
    pub wait_s: Option<u32>,
    /// Of a callback: how long the answer may take, in seconds.
    pub callback_timeout_s: Option<u32>,
    /// Of a callback: how long silence may be, in seconds.
    pub heartbeat_timeout_s: Option<u32>,
    /// Of a chained invocation: the function.
    pub function: Option<String>,
    /// Of a chained invocation: the tenant.
    pub tenant_id: Option<String>,
}

impl OperationUpdate {
    /// An update that says nothing but what happens to which operation.
    pub fn new(id: &str, kind: OperationType, action: Action) -> Self {
        Self {
            id: id.to_owned(),
            parent_id: None,
            name: None,
            kind,
            sub_type: None,
            action,
            payload: None,
            error: None,
            replay_children: false,
            next_attempt_delay_s: None,
            wait_s: None,
            callback_timeout_s: None,
            heartbeat_timeout_s: None,
            function: None,
            tenant_id: None,
        }
    }
}
