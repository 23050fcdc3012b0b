//! Giving a function new code or new configuration.

use std::sync::Arc;

use hearth_types::{FunctionName, RevisionId};

use super::{Functions, to_the_end};
use crate::leases::keep_if_in_doubt;
use crate::{
    ConfigurationChange, DeployedCode, DeployedLayers, Function, FunctionConfiguration, FunctionsError,
    LastUpdateStatus, State, UpdateCode,
};

impl Functions {
    /// Gives a function new code.
    pub async fn update_code(
        self: &Arc<Self>,
        name: &FunctionName,
        request: UpdateCode,
    ) -> Result<Arc<Function>, FunctionsError> {
        let (functions, name) = (self.clone(), name.clone());
        to_the_end(async move { functions.update_code_now(&name, request).await }).await
    }

    async fn update_code_now(
        self: &Arc<Self>,
        name: &FunctionName,
        request: UpdateCode,
    ) -> Result<Arc<Function>, FunctionsError> {
        let _changing = self.change(name).await;
        let current = self.changeable(name, request.revision_id.as_deref())?;
        let code = self.deployment.deploy(request.zip).await?;
        let mut configuration = FunctionConfiguration::clone(&current.configuration);
        if !configuration.layers.is_empty() {
            let layers = configuration.layers.iter().map(|layer| layer.code_sha256);
            self.check_size(code.sha256, layers).await?;
        }
        configuration.architecture = request.architecture.unwrap_or(configuration.architecture);
        let updated = self.update(&current, configuration, Some(code), None, request.dry_run).await?;
        match request.publish && !request.dry_run {
            true => self.publish(&updated, None).await,
            false => Ok(updated),
        }
    }

    /// Gives a function new configuration.
    pub async fn update_configuration(
        self: &Arc<Self>,
        name: &FunctionName,
        change: ConfigurationChange,
    ) -> Result<Arc<Function>, FunctionsError> {
        let (functions, name) = (self.clone(), name.clone());
        to_the_end(async move {
            let _changing = functions.change(&name).await;
            let current = functions.changeable(&name, change.revision_id.as_deref())?;
            let layers = match &change.layers {
                Some(layers) => Some(functions.deploy_layers(current.code_sha256, layers.clone()).await?),
                None => None,
            };
            let configuration = change.apply(&current.configuration);
            functions.update(&current, configuration, None, layers, false).await
        })
        .await
    }

    /// Keeps the changed function, in progress, and lets it settle. The caller holds the lock of its changes.
    async fn update(
        self: &Arc<Self>,
        current: &Arc<Function>,
        configuration: FunctionConfiguration,
        code: Option<DeployedCode>,
        layers: Option<DeployedLayers>,
        dry_run: bool,
    ) -> Result<Arc<Function>, FunctionsError> {
        let name = configuration.name.clone();
        let mut updated = Function {
            configuration: Arc::new(configuration),
            code_sha256: code.as_ref().map_or(current.code_sha256, |code| code.sha256),
            code_size: code.as_ref().map_or(current.code_size, |code| code.size),
            revision_id: RevisionId::random(),
            last_modified_ms: self.clock.epoch_ms(),
            ..Function::clone(current)
        };
        if dry_run {
            return Ok(Arc::new(Function { revision_id: current.revision_id, ..updated }));
        }
        updated.last_update = Some(LastUpdateStatus::InProgress);
        let updated = Arc::new(updated);
        if let Err(error) = self.keep(current, &updated).await {
            return Err(keep_if_in_doubt(error, code.as_ref(), layers.as_ref()));
        }
        fail::fail_point!("functions::updated");
        if let Some(entry) = self.write().get_mut(&name) {
            entry.function = updated.clone();
            entry.code = code.or(entry.code.take());
            entry.layers = layers.or(entry.layers.take());
        }
        tracing::info!(function = %name, "function updated");
        self.begin_to_settle(name);
        Ok(updated)
    }

    /// Returns a function that may be changed now, in the revision that the caller has seen.
    pub(super) fn changeable(
        &self,
        name: &FunctionName,
        seen: Option<&str>,
    ) -> Result<Arc<Function>, FunctionsError> {
        let current = self.get(name)?;
        if seen.is_some_and(|seen| seen != current.revision_id.to_string()) {
            return Err(FunctionsError::RevisionMismatch);
        }
        if current.state == State::Pending {
            return Err(FunctionsError::Pending { arn: self.arn(name, None) });
        }
        if current.is_settling() {
            return Err(FunctionsError::UpdateInProgress { arn: self.arn(name, None) });
        }
        Ok(current)
    }
}
