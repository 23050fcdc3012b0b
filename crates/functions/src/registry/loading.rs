//! The start: functions as they were kept, with their code and layers, and those whose code is lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hearth_store::FunctionRecord;
use hearth_types::Version;

use super::concurrency::of_aliases;
use super::function_urls::FunctionUrls;
use super::versions::Published;
use super::{Entry, Functions};
use crate::{
    Alias, DeployError, DeployedCode, DeployedLayers, Failure, Function, FunctionUrl, LastUpdateStatus,
    OpenError, ProvisionedConcurrency, State, StateReasonCode, record,
};

impl Functions {
    /// Takes one function in, and goes on with what was under way.
    pub(super) async fn load(self: &Arc<Self>, stored: &FunctionRecord) -> Result<(), OpenError> {
        let mut function = record::read(stored, &self.settings)?;
        let serving = match &stored.serving {
            Some(serving) => {
                let before = record::read(serving, &self.settings)?;
                let opened = (self.open_code(&before).await, self.open_layers(&before).await);
                match opened {
                    (Ok(code), Ok(layers)) => Some(self.snapshot(&before, code, layers)),
                    _ => None,
                }
            }
            None => None,
        };
        let (code, layers, lost) = self.open_package(&function).await;
        if let Some(failure) = lost {
            if function.last_update.is_some() {
                function.last_update = Some(LastUpdateStatus::Failed(failure.clone()));
            }
            if serving.is_none() {
                function.state = State::Failed(failure);
            }
        }
        let serves = function.state == State::Active
            && !matches!(
                function.last_update,
                Some(LastUpdateStatus::InProgress | LastUpdateStatus::Failed(_))
            );
        let serving = match (&code, &layers, serves) {
            (Some(code), Some(layers), true) => Some(self.snapshot(&function, code.clone(), layers.clone())),
            _ => serving,
        };
        let aliases = stored.aliases.iter().map(|alias| {
            let alias = Alias::read(alias, &function.arn)?;
            Ok((alias.name.clone(), Arc::new(alias)))
        });
        let aliases = aliases.collect::<Result<_, OpenError>>()?;
        let provisioned = stored.provisioned.iter().map(|config| {
            let config = ProvisionedConcurrency::read(config, &function.configuration.name)?;
            Ok((config.qualifier.to_string(), config))
        });
        let provisioned = of_aliases(provisioned.collect::<Result<_, OpenError>>()?, &aliases);
        let urls = stored.function_urls.iter().map(|url| FunctionUrl::read(url, &function.arn).map(Arc::new));
        let urls: FunctionUrls = urls.collect::<Result<_, OpenError>>()?;
        let is_settling = function.is_settling();
        let name = function.configuration.name.clone();
        self.own_urls(&name, &urls);
        let entry = Entry {
            function: Arc::new(function),
            code,
            layers,
            serving,
            versions: BTreeMap::new(),
            last_version: 0,
            aliases,
            provisioned,
            urls,
            stored: stored.clone(),
        };
        self.write().insert(name.clone(), entry);
        if is_settling {
            self.begin_to_settle(name);
        }
        Ok(())
    }

    /// Takes one published version in. Its function has been taken in before.
    pub(super) async fn load_version(self: &Arc<Self>, stored: &FunctionRecord) -> Result<(), OpenError> {
        let mut function = record::read(stored, &self.settings)?;
        let (name, version) = (function.configuration.name.clone(), function.version);
        let Version::Number(number) = version else { return Ok(()) };
        let published = if stored.is_deleted {
            None
        } else {
            let (code, layers, lost) = self.open_package(&function).await;
            if let Some(failure) = lost {
                function.state = State::Failed(failure);
            }
            let serving = match (&code, &layers, &function.state) {
                (Some(code), Some(layers), State::Active) => {
                    Some(self.snapshot(&function, code.clone(), layers.clone()))
                }
                _ => None,
            };
            let latest_description = stored.latest_description.clone().unwrap_or_default();
            Some(Published { function: Arc::new(function), latest_description, code, layers, serving })
        };
        let is_pending = published.as_ref().is_some_and(|published| published.function.is_settling());
        {
            let mut entries = self.write();
            let Some(entry) = entries.get_mut(&name) else {
                tracing::error!(function = %name, %version, "there is a version of a function that is not there");
                return Ok(());
            };
            entry.last_version = entry.last_version.max(number);
            if stored.is_deleted {
                // Its record says that it is deleted; that of its function need not.
                entry.provisioned.remove(&number.to_string());
            }
            entry.versions.extend(published.map(|published| (number, published)));
        }
        if is_pending {
            self.begin_to_settle_version(name, number);
        }
        Ok(())
    }

    /// Opens code and layers, or says what is lost. Only this function or version is affected then; its record is not
    /// touched, and there is nothing to settle.
    async fn open_package(
        &self,
        function: &Function,
    ) -> (Option<DeployedCode>, Option<DeployedLayers>, Option<Failure>) {
        let (code, layers) = (self.open_code(function).await, self.open_layers(function).await);
        let reason = match (&code, &layers) {
            (Err(error), _) => Some(error.to_string()),
            (_, Err(error)) => Some(format!("a layer cannot be used: {error}")),
            (Ok(_), Ok(_)) => None,
        };
        let lost = reason.map(|reason| {
            let (name, version) = (&function.configuration.name, function.version);
            tracing::error!(function = %name, %version, reason, "a function's code is lost");
            Failure { code: StateReasonCode::InvalidZipFileException, reason }
        });
        (code.ok(), layers.ok(), lost)
    }

    async fn open_code(&self, function: &Function) -> Result<DeployedCode, DeployError> {
        let opened = self.deployment.open(function.code_sha256, function.code_size).await;
        if opened.is_err() {
            self.misses_code.store(true, Ordering::Relaxed);
        }
        opened
    }
}
