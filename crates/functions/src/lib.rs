//! What functions are: their configuration, states and revisions, and the snapshot that an invocation runs on.
//!
//! All functions are kept in memory; the store is written first. Reading one, or resolving a name for an invocation,
//! touches no disk and waits for nobody.

mod changes;
mod configuration;
mod error;
mod function;
mod ports;
mod record;
mod registry;

pub use changes::{ConfigurationChange, CreateFunction, UpdateCode};
pub use configuration::{FunctionConfiguration, LoggingConfiguration};
pub use error::{DeployError, FunctionsError, OpenError, ResolveError};
pub use function::{
    DeployedCode, Failure, Function, LastUpdateStatus, ResolvedVersion, State, StateReasonCode,
};
pub use hearth_store::Clock;
pub use ports::{Deployment, VersionListener};
pub use registry::{Functions, FunctionsSettings};
