//! Runtimes: which interpreter of this host runs a function, with which runtime client, arguments and environment
//! variables.
//!
//! Nothing here starts a function: [`Runtimes::command`] says what to start, a sandbox starts it. What is run here are
//! interpreters that are asked for their version and to compile Hearth's client (`ask.rs`), and the package managers that
//! install runtimes for the operator (`install/programs.rs`).
//!
//! The runtime clients themselves, in JavaScript and Python, are in `clients/`.

mod ask;
mod boot;
mod bootstrap;
mod clients;
mod environment_variables;
mod install;
mod interpreters;
mod list;
mod packages;
mod runtimes;
mod table;

pub use boot::{BootCommand, BootError, BootRequest, Credentials, Paths};
pub use bootstrap::Bootstrap;
pub use install::{
    InstallError, InstallOptions, Installed, NODE_SDK_CLIENTS_DEFAULT, Progress, RuntimePackages, Watcher,
    node_sdk_clients,
};
pub use interpreters::Unavailable;
pub use list::{Listed, Status};
pub use packages::Damaged;
pub use packages::manifest::{Archive, InterpreterPart, LibrariesPart, Manifest};
pub use runtimes::{RuntimeVersion, Runtimes, Settings, WAIT_FOR_INIT};
pub use table::{OperatingSystem, TableEntry, table};
