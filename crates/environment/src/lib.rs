//! The life of one execution environment: Init, Invoke, reset, Shutdown.
//!
//! [`machine`] decides: closed events in, actions out, no I/O, so that any order of events is a test without a process
//! or a clock. Its phases are told in [`init`], [`invoke`], [`reset`] and [`shutdown`]. [`Environment`] carries the
//! actions out: it starts and kills processes through a sandbox, hands events to the parked `/next`, answers callers,
//! records every step.
//!
//! This crate does not decide *when* an environment is made or ended (the pool does), and speaks no HTTP (`runtime-api`
//! does).

mod environment;
mod event;
mod extension_connection;
mod extension_processes;
mod extension_requests;
mod extensions;
mod fatal_error;
mod freeze;
pub mod init;
mod injected_fault;
mod invocation;
pub mod invoke;
pub mod machine;
mod notifications;
mod outputs;
mod parts;
pub mod reset;
mod response_stream;
mod runtime_connection;
mod runtime_state;
pub mod shutdown;
mod snap_start;
mod watch;

pub use environment::Environment;
pub use extension_connection::ParkedEvent;
pub use extensions::{ExtensionRejection, ExtensionReport, ProgramNumber};
pub use fatal_error::FatalError;
pub use injected_fault::{FaultPoint, Faults, Victim};
pub use invocation::{Answer, AnswerKind, Delivery, Invocation, InvokeFailure, InvokeResult, RestoreFailure};
pub use notifications::Notification;
pub use parts::{Boot, EnvironmentParts, FunctionFacts, MakeCommand, MakeExtensionCommand, Owner};
pub use response_stream::{BegunResponse, ResponseSender, StreamingReply};
pub use runtime_connection::{OpenAnswer, ParkedNext, RuntimeConnection};
pub use runtime_state::{Rejection, RuntimeState};
pub use snap_start::{SnapStart, Template};
