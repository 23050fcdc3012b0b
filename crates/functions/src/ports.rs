//! What this crate needs of others: that packages are deployed, and that somebody hears of changes.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hearth_types::{CodeSha256, FunctionName, Runtime, Version};

use crate::{
    DeployError, DeployedCode, DeployedLayers, ProvisionedVersion, ResolvedVersion, StateReasonCode,
};

/// Makes packages ready to run on this host.
pub trait Deployment: Send + Sync + 'static {
    /// Keeps and unpacks a package. Durable when it returns.
    fn deploy(&self, zip: Bytes) -> BoxFuture<'_, Result<DeployedCode, DeployError>>;

    /// Finds a package that was deployed before, perhaps by an earlier server.
    fn open(&self, sha256: CodeSha256, size: u64) -> BoxFuture<'_, Result<DeployedCode, DeployError>>;

    /// Puts the packages of a function's layers together, a later one over an earlier one.
    fn merge_layers(&self, layers: Vec<DeployedCode>) -> BoxFuture<'_, Result<DeployedLayers, DeployError>>;

    /// Returns how many bytes a package is when it is unpacked.
    fn unzipped_bytes(&self, sha256: CodeSha256) -> BoxFuture<'_, Result<u64, DeployError>>;

    /// Returns a package as it was sent.
    fn archive(&self, sha256: CodeSha256) -> BoxFuture<'_, Result<Bytes, DeployError>>;

    /// Checks that a runtime can be started here; if not, returns a reason that says what to do. May be slow.
    fn runtime_ready(&self, runtime: Runtime) -> BoxFuture<'_, Result<(), String>>;
}

/// The Init of a version with SnapStart failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotFailure {
    /// For programs.
    pub code: StateReasonCode,
    /// For people.
    pub reason: String,
}

/// Hears that environments have become obsolete: the pool.
pub trait VersionListener: Send + Sync + 'static {
    /// Environments of this version with other generations than `current`'s are obsolete; all of them when it is `None`:
    /// the version is deleted.
    fn replaced(&self, name: &FunctionName, version: Version, current: Option<&Arc<ResolvedVersion>>);

    /// A version with SnapStart was published: its snapshot is taken before it is active, if there can be one. An error is
    /// that of its Init.
    fn take_snapshot(&self, version: Arc<ResolvedVersion>) -> BoxFuture<'_, Result<(), SnapshotFailure>> {
        drop(version);
        Box::pin(async { Ok(()) })
    }
}

/// Hears how much concurrency functions have: whoever counts invocations.
pub trait ConcurrencyListener: Send + Sync + 'static {
    /// What a function has reserved, and which environments of its versions are to be initialized ahead of calls: all
    /// there is, whatever was said before.
    fn changed(&self, name: &FunctionName, reserved: Option<u32>, provisioned: Vec<ProvisionedVersion>);

    /// The function is deleted.
    fn deleted(&self, name: &FunctionName);
}
