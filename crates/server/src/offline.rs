//! The runtimes of a data folder that no server uses: the same list and the same installation, without HTTP.

use std::sync::Arc;

use hearth_runtimes::{InstallError, InstallOptions, RuntimePackages, Watcher};
use hearth_store::LocalBlobStore;
use hearth_store::embedded::EmbeddedStore;
use hearth_types::Runtime;
use serde_json::Value;

use crate::{Settings, StartError, absolute_data_dir, epoch_ms, runtimes, runtimes_of};

/// The right to change the runtimes of a data folder. As long as it is held, no server can use the folder.
pub struct OfflineRuntimes {
    packages: RuntimePackages,
    _store: EmbeddedStore,
}

impl OfflineRuntimes {
    /// Takes the folder of `settings`; refused while a server has it.
    pub async fn open(settings: &Settings) -> Result<Self, StartError> {
        let data = absolute_data_dir(settings)?;
        let store = EmbeddedStore::open(&data)?;
        let objects = Arc::new(LocalBlobStore::open(&data.join("runtimes/objects"))?);
        let runtimes = Arc::new(runtimes_of(settings, &data)?);
        let packages = RuntimePackages::open(runtimes, objects).await.map_err(StartError::Runtimes)?;
        Ok(Self { packages, _store: store })
    }

    /// Installs a runtime; the answer is described as by a server.
    pub async fn install(
        &self,
        runtime: Runtime,
        options: InstallOptions,
        watcher: Watcher,
    ) -> Result<Value, InstallError> {
        let installed = self.packages.install(runtime, options, watcher).await?;
        Ok(runtimes::result(runtime, &installed))
    }
}

/// Lists the runtimes as a server on the folder of `settings` would. Only reads. Blocks.
pub fn list_runtimes(settings: &Settings) -> Result<Value, StartError> {
    let data = absolute_data_dir(settings)?;
    Ok(runtimes::document(&runtimes_of(settings, &data)?, epoch_ms()))
}
