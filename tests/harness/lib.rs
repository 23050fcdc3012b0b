//! What the tests of the whole program share: a real `hearth serve` of their own, a plain client for it, packages,
//! and ways to run unmodified AWS clients against it.
//!
//! Everything here blocks and panics: a test is a sequence of steps, and a step that cannot be taken fails it.
//! Nothing here links against Hearth; the tests see what a user sees.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(clippy::disallowed_methods, reason = "the tests start programs, read the clock and the environment")]

mod function;
mod gate;
mod http;
mod logs;
mod package;
mod programs;
mod server;
mod soak;
mod wait;

pub use function::{Answer, Call, Function, NewFunction, bootstrap, node, python};
pub use gate::{Gate, NODE_WAIT, PYTHON_WAIT};
pub use http::{Response, encode, http, try_http};
pub use logs::{LogEvent, lines_of, reports, streams, transcript};
pub use package::{Package, provided_bootstrap};
pub use programs::{Finished, aws, hearth, hearth_with, needs_node, run_node, run_python, skip};
pub use server::{Server, Settings, hearth_binary};
pub use soak::rounds;
pub use wait::{Folder, LIMIT, eventually, repository, within};
