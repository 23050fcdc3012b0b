//! The layers of a function: put together when it is created or changed, so that a start only names the result.

use std::sync::atomic::Ordering;

use hearth_types::CodeSha256;
use hearth_types::limits::UNZIPPED_BYTES_MAX;

use crate::{DeployError, DeployedLayers, Function, Functions, FunctionsError, LayerInUse};

impl Functions {
    /// Finds the layers of a function that was there before, perhaps under an earlier server.
    pub(crate) async fn open_layers(&self, function: &Function) -> Result<DeployedLayers, DeployError> {
        let open = async || {
            let mut layers = Vec::new();
            for layer in &function.configuration.layers {
                layers.push(self.deployment.open(layer.code_sha256, layer.code_size).await?);
            }
            self.deployment.merge_layers(layers).await
        };
        let opened = open().await;
        if opened.is_err() {
            self.misses_code.store(true, Ordering::Relaxed);
        }
        opened
    }

    /// Puts the layers of a function together, unless they and its code are too large.
    pub(crate) async fn deploy_layers(
        &self,
        code: CodeSha256,
        layers: Vec<LayerInUse>,
    ) -> Result<DeployedLayers, FunctionsError> {
        if layers.is_empty() {
            return Ok(DeployedLayers::default());
        }
        self.check_size(code, layers.iter().map(|layer| layer.code.sha256)).await?;
        let layers = layers.into_iter().map(|layer| layer.code).collect();
        Ok(self.deployment.merge_layers(layers).await?)
    }

    /// Refuses code and layers that are too large together. A file counts in each layer that has it.
    pub(crate) async fn check_size(
        &self,
        code: CodeSha256,
        layers: impl Iterator<Item = CodeSha256>,
    ) -> Result<(), FunctionsError> {
        let mut bytes = 0;
        for package in std::iter::once(code).chain(layers) {
            bytes += self.deployment.unzipped_bytes(package).await?;
        }
        match bytes > UNZIPPED_BYTES_MAX {
            true => Err(DeployError::UnzippedTooLarge.into()),
            false => Ok(()),
        }
    }
}
