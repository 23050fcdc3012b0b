//! A function with its state, and the snapshot of it that invocations run on.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use hearth_types::{CodeSha256, FunctionArn, RevisionId, Version};

use crate::{FunctionConfiguration, Management, Policy};

/// Why a function, or its last update, failed; spelled as AWS's `StateReasonCode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateReasonCode {
    /// The runtime is not available on this host.
    InvalidRuntime,
    /// The package cannot be read any more.
    InvalidZipFileException,
    /// We failed.
    InternalError,
    /// The Init ahead of a snapshot took too long.
    InitTimeout,
    /// The Init ahead of a snapshot failed.
    RuntimeInitError,
}

impl StateReasonCode {
    const ALL: [Self; 5] = [
        Self::InvalidRuntime,
        Self::InvalidZipFileException,
        Self::InternalError,
        Self::InitTimeout,
        Self::RuntimeInitError,
    ];

    /// Returns AWS's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRuntime => "InvalidRuntime",
            Self::InvalidZipFileException => "InvalidZipFileException",
            Self::InternalError => "InternalError",
            Self::InitTimeout => "FunctionError.InitTimeout",
            Self::RuntimeInitError => "FunctionError.RuntimeInitError",
        }
    }

    /// Reads AWS's word.
    pub fn parse(value: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == value)
    }
}

/// A failure: a code for programs and a reason for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For programs.
    pub code: StateReasonCode,
    /// For people: what is wrong and what to do about it.
    pub reason: String,
}

/// Whether a function can be invoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is being created.
    Pending,
    /// It can be invoked.
    Active,
    /// Its creation failed.
    Failed(Failure),
}

/// How the last update went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LastUpdateStatus {
    /// It is being made; the version before goes on serving.
    InProgress,
    /// It is made.
    Successful,
    /// It was not made; the version before goes on serving.
    Failed(Failure),
}

/// A function as it is described to its owner.
#[derive(Debug, Clone)]
pub struct Function {
    /// What its owner has set.
    pub configuration: Arc<FunctionConfiguration>,
    /// Its ARN, without a qualifier.
    pub arn: FunctionArn,
    /// Its version.
    pub version: Version,
    /// SHA-256 of its package.
    pub code_sha256: CodeSha256,
    /// Size of its package, in bytes.
    pub code_size: u64,
    /// Fresh after each change.
    pub revision_id: RevisionId,
    /// When it was last changed, in milliseconds since 1970.
    pub last_modified_ms: i64,
    /// Whether it can be invoked.
    pub state: State,
    /// How its last update went; `None` while it is being created.
    pub last_update: Option<LastUpdateStatus>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Who else may use it; `None` without a statement.
    pub policy: Option<Policy>,
    /// What its owner has set beside the configuration.
    pub management: Management,
}

impl Function {
    /// Whether a creation or update is still under way.
    pub fn is_settling(&self) -> bool {
        self.state == State::Pending || self.last_update == Some(LastUpdateStatus::InProgress)
    }
}

/// A package that is unpacked on this host.
#[derive(Clone)]
pub struct DeployedCode {
    /// SHA-256 of the package.
    pub sha256: CodeSha256,
    /// Size of the package, in bytes.
    pub size: u64,
    /// The unpacked tree, shared and read-only.
    pub root: PathBuf,
    /// The tree may be removed only when the last clone of this is gone.
    pub lease: Arc<dyn Any + Send + Sync>,
}

impl fmt::Debug for DeployedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeployedCode").field("sha256", &self.sha256).field("root", &self.root).finish()
    }
}

/// The layers of a function, unpacked on this host and put together.
#[derive(Clone, Default)]
pub struct DeployedLayers {
    /// The tree that stands for `/opt`, shared and read-only; `None` without layers.
    pub root: Option<PathBuf>,
    /// The tree, and the packages that it was made of, may be removed only when the last clones of these are gone.
    pub leases: Vec<Arc<dyn Any + Send + Sync>>,
}

impl fmt::Debug for DeployedLayers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeployedLayers").field("root", &self.root).finish_non_exhaustive()
    }
}

/// The snapshot of a version that an invocation and its environments run on.
#[derive(Debug)]
pub struct ResolvedVersion {
    /// The function's ARN, without a qualifier.
    pub arn: FunctionArn,
    /// Which version.
    pub version: Version,
    /// What its owner has set.
    pub configuration: Arc<FunctionConfiguration>,
    /// Its code.
    pub code: DeployedCode,
    /// Its layers.
    pub layers: DeployedLayers,
    /// Unlike that of any other snapshot in this process: environments of another generation are obsolete.
    pub generation: u64,
}
