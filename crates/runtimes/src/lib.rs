//! Runtimes: which interpreter of this host runs a function, with which runtime client, arguments and environment
//! variables.
//!
//! Nothing here starts a function: [`Runtimes::command`] says what to start, a sandbox starts it. The one thing that
//! is run here are interpreters that are asked for their version and to compile Hearth's client (`ask.rs`).
//!
//! The runtime clients themselves, in JavaScript and Python, are in `clients/`.

mod ask;
mod boot;
mod clients;
mod environment_variables;
mod interpreters;
mod runtimes;
mod table;

pub use boot::{BootCommand, BootError, BootRequest, Credentials};
pub use interpreters::Unavailable;
pub use runtimes::{RuntimeVersion, Runtimes, Settings};
pub use table::{OperatingSystem, TableEntry, table};
