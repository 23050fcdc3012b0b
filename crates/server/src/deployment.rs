//! What `functions` needs done with packages, done by `code` and `runtimes`.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hearth_code::{Package, Packages, PackagesError, UnpackError};
use hearth_functions::{DeployError, DeployedCode, DeployedLayers, Deployment, ResolvedVersion};
use hearth_pool::{ChangedCode, CodeOnDisk};
use hearth_runtimes::{RuntimePackages, Runtimes};
use hearth_types::{CodeSha256, Runtime};

/// Packages on this host's disk, runtimes of this host.
pub(crate) struct HostDeployment {
    pub(crate) packages: Packages,
    pub(crate) runtimes: Arc<Runtimes>,
    pub(crate) runtime_packages: Arc<RuntimePackages>,
}

impl Deployment for HostDeployment {
    fn deploy(&self, zip: Bytes) -> BoxFuture<'_, Result<DeployedCode, DeployError>> {
        Box::pin(async move { self.packages.add(zip).await.map(deployed).map_err(deploy_error) })
    }

    fn open(&self, sha256: CodeSha256, size: u64) -> BoxFuture<'_, Result<DeployedCode, DeployError>> {
        Box::pin(
            async move { self.packages.open_package(sha256, size).await.map(deployed).map_err(deploy_error) },
        )
    }

    fn merge_layers(&self, layers: Vec<DeployedCode>) -> BoxFuture<'_, Result<DeployedLayers, DeployError>> {
        Box::pin(async move {
            let layers: Vec<Package> = layers.into_iter().map(package).collect();
            let merged = self.packages.merge(&layers).await.map_err(deploy_error)?;
            let root = merged.as_ref().map(|merged| merged.root.clone());
            let leases = layers.into_iter().chain(merged).map(|package| package.lease).collect();
            Ok(DeployedLayers { root, leases })
        })
    }

    fn unzipped_bytes(&self, sha256: CodeSha256) -> BoxFuture<'_, Result<u64, DeployError>> {
        Box::pin(async move { self.packages.unzipped_bytes(sha256).await.map_err(deploy_error) })
    }

    fn archive(&self, sha256: CodeSha256) -> BoxFuture<'_, Result<Bytes, DeployError>> {
        Box::pin(async move { self.packages.archive(sha256).await.map_err(deploy_error) })
    }

    fn runtime_ready(&self, runtime: Runtime) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(runtime_ready(&self.runtimes, &self.runtime_packages, runtime))
    }
}

impl CodeOnDisk for HostDeployment {
    fn check<'a>(&'a self, version: &'a ResolvedVersion) -> BoxFuture<'a, Result<(), ChangedCode>> {
        Box::pin(async move {
            let roots = std::iter::once(&version.code.root).chain(version.layers.root.as_ref());
            for root in roots {
                self.packages.check(root).await.map_err(|error| ChangedCode(Box::new(error)))?;
            }
            Ok(())
        })
    }
}

/// Makes a runtime ready to start, or says why that cannot be.
pub(crate) async fn runtime_ready(
    runtimes: &Arc<Runtimes>,
    packages: &RuntimePackages,
    runtime: Runtime,
) -> Result<(), String> {
    if let Err(error) = packages.repair(runtime).await {
        // What is damaged is refused below, with the way out.
        tracing::warn!(%runtime, error = &error as &dyn std::error::Error, "cannot repair a runtime package");
    }
    let runtimes = runtimes.clone();
    // Asking an interpreter for its version starts it.
    match tokio::task::spawn_blocking(move || runtimes.prepare(runtime)).await {
        Ok(prepared) => prepared.map_err(|unavailable| unavailable.to_string()),
        Err(error) => Err(format!("the check of the runtime failed: {error}")),
    }
}

fn deployed(package: Package) -> DeployedCode {
    DeployedCode { sha256: package.sha256, size: package.size, root: package.root, lease: package.lease }
}

fn package(code: DeployedCode) -> Package {
    Package { sha256: code.sha256, size: code.size, root: code.root, lease: code.lease }
}

/// Whose fault is it? The sender of a package has to know what is wrong with it; nobody but us what is wrong with us.
fn deploy_error(error: PackagesError) -> DeployError {
    match error {
        PackagesError::Unpack(UnpackError::TooLarge) => DeployError::UnzippedTooLarge,
        PackagesError::Unpack(error @ UnpackError::Write { .. }) => DeployError::Service(Box::new(error)),
        PackagesError::Unpack(error) => DeployError::Unpack { reason: error.to_string() },
        PackagesError::Missing { .. } | PackagesError::Damaged { .. } => DeployError::Missing,
        error @ (PackagesError::Changed { .. }
        | PackagesError::Io { .. }
        | PackagesError::Store(_)
        | PackagesError::Stopped) => DeployError::Service(Box::new(error)),
    }
}
