//! Durable executions: a durable function runs by replay. It is invoked, says at checkpoints what its operations did, returns
//! when it waits for something, and is invoked again with all that is known when that has come.
//!
//! ```text
//!   Invoke -> start -> invocation -> checkpoints -> PENDING -> a timer, callback or chained invocation ends
//!                          ^                                                                  |
//!                          '------------------------------------------------------------------'
//! ```
//!
//! [`Execution`] is the state machine, without I/O and clock; [`DurableExecutions`] keeps it, and carries out what it wants.
//! What was acknowledged is on disk: after a crash, every execution goes on.

mod arn;
mod chained;
mod checkpoint;
mod checks;
mod due;
mod ends;
mod engine;
mod execution;
mod invocation;
mod output;
mod paging;
mod pause;
mod requests;
mod start;
mod timer;
mod token;
mod update;
pub mod wire;

pub use arn::DurableExecutionArn;
pub use checkpoint::{ChainedTarget, CheckpointError, Checkpointed, FindTarget};
pub use engine::{DurableError, DurableExecutions};
pub use execution::{
    CallbackError, DATA_BYTES_MAX, Execution, FAILED_INVOCATIONS_MAX, IDLE_INVOCATIONS_MAX, Invocation,
    InvocationEnd, NewExecution, OPERATIONS_MAX, OperationEnd, RETRY_DELAY_MS,
};
pub use hearth_store::{
    ErrorObject, ExecutionFilter, ExecutionRecord, ExecutionStatus, HistoryRecord, OperationRecord,
    PauseRecord,
};
pub use output::Output;
pub use paging::Page;
pub use pause::Ended;
pub use start::{Begun, SYNC_EXECUTION_S_MAX, StartRequest};
pub use update::{Action, OperationType, OperationUpdate};

/// How large the event of a chained invocation may be, and its result, in bytes. Source: AWS's local runner for tests of
/// durable functions, read 2026-11.
pub const CHAINED_PAYLOAD_BYTES_MAX: usize = 1 << 20;
