//! What is needed to start the runtime of an environment, and what to start.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use hearth_types::{
    FunctionName, InitializationType, LogFormat, LogGroupName, LogLevel, LogStreamName, MemoryMb, Region,
    Runtime, Version,
};

/// Everything that the command line and the environment variables of a runtime are made of.
#[derive(Debug, Clone, Copy)]
pub struct BootRequest<'a> {
    /// The runtime.
    pub runtime: Runtime,
    /// The function's code on this host.
    pub code_root: &'a Path,
    /// What the function has under `/opt` on AWS, where it is on this host; `None` without layers.
    pub layers_root: Option<&'a Path>,
    /// Where the function sees both.
    pub paths: Paths,
    /// The Handler setting.
    pub handler: &'a str,
    /// What the user has configured.
    pub user_variables: Option<&'a BTreeMap<String, String>>,
    /// The function.
    pub function_name: &'a FunctionName,
    /// Its version.
    pub version: Version,
    /// Its memory.
    pub memory: MemoryMb,
    /// Where its logs go.
    pub log_group: &'a LogGroupName,
    /// Where the logs of this environment go.
    pub log_stream: &'a LogStreamName,
    /// The region it believes to be in.
    pub region: &'a Region,
    /// Host and port of the Runtime API.
    pub runtime_api: &'a str,
    /// Why the environment begins.
    pub initialization_type: InitializationType,
    /// The format of log lines.
    pub log_format: LogFormat,
    /// The least level that the runtime client logs, if configured.
    pub log_level: Option<LogLevel>,
    /// The keys of the execution role; without, keys that are well-formed and good for nothing.
    pub credentials: Option<&'a Credentials>,
    /// The descriptor for framed log records.
    pub log_fd: Option<i32>,
}

/// Where a function sees its code and its layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paths {
    /// Where they are on this host, of which it sees everything.
    Host,
    /// Where Lambda has them, in a root file system of its own.
    Lambda,
}

/// Lambda's name of the code's folder. Error texts show it, as on AWS.
pub(crate) const TASK_ROOT: &str = "/var/task";
/// Lambda's name of the layers' folder.
pub(crate) const LAYERS_ROOT: &str = "/opt";

impl<'a> BootRequest<'a> {
    /// Returns the code's folder as the function sees it: `LAMBDA_TASK_ROOT` and the working directory.
    pub(crate) fn task_root(&self) -> &'a Path {
        match self.paths {
            Paths::Host => self.code_root,
            Paths::Lambda => Path::new(TASK_ROOT),
        }
    }

    /// Returns the layers' folder as the function sees it: where AWS would have it, if there are none.
    pub(crate) fn opt_root(&self) -> &'a Path {
        match (self.paths, self.layers_root) {
            (Paths::Host, Some(layers)) => layers,
            (Paths::Host, None) | (Paths::Lambda, _) => Path::new(LAYERS_ROOT),
        }
    }
}

/// Temporary keys of an execution role.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `ASIA…`.
    pub access_key_id: String,
    /// The secret of the key.
    pub secret_access_key: String,
    /// The token that belongs to both.
    pub session_token: String,
    /// The API that takes them, as SDKs want it in `AWS_ENDPOINT_URL`.
    pub endpoint_url: Option<String>,
}

// Not derived: the secret must not get into a log.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// What to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments, without the program itself.
    pub args: Vec<OsString>,
    /// All of its environment variables; nothing is inherited.
    pub environment: Vec<(OsString, OsString)>,
    /// Where it starts.
    pub working_directory: PathBuf,
}

/// Why there is nothing to start. The function gets this as the error of its Init.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BootError {
    /// The error type in Lambda's words, such as `Runtime.InvalidEntrypoint`.
    pub error_type: String,
    /// What stands behind `Error:` in the function error.
    pub message: String,
}

impl BootError {
    /// The program cannot be started.
    pub(crate) fn invalid_entrypoint(message: impl Into<String>) -> Self {
        Self { error_type: "Runtime.InvalidEntrypoint".to_owned(), message: message.into() }
    }
}
