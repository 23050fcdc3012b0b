//! How asynchronous invocation of a version or alias is configured: read, changed, removed. Whether destinations make
//! sense is looked at by the front door.

use std::time::Duration;

use hearth_functions::ResolveError;
use hearth_store::{EventInvokeConfigRecord, EventStore, Outcome, StoreError};
use hearth_types::{FunctionArn, FunctionName, Qualifier, Version};

use super::EventQueue;
use super::verdict::Limits;

/// Why a configuration cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum EventInvokeConfigError {
    /// There is no such function, version or alias.
    #[error("function not found: {arn}")]
    NoFunction {
        /// As it was asked for.
        arn: FunctionArn,
    },
    /// It has no configuration.
    #[error("{arn} has no event invoke config")]
    NoConfig {
        /// With its qualifier.
        arn: FunctionArn,
    },
    /// The change could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What of a configuration is set. A destination that is empty is none.
#[derive(Debug, Default)]
pub struct EventInvokeConfigChange {
    /// Further attempts when the function fails.
    pub retries_max: Option<u32>,
    /// How old an event may become, in seconds.
    pub age_max_seconds: Option<u32>,
    /// The ARN of where to report success.
    pub on_success: Option<String>,
    /// The ARN of where to report failure.
    pub on_failure: Option<String>,
}

impl EventQueue {
    /// Returns the configuration of a version or alias; without a qualifier, that of `$LATEST`.
    pub async fn config(
        &self,
        name: &FunctionName,
        qualifier: Option<&Qualifier>,
    ) -> Result<EventInvokeConfigRecord, EventInvokeConfigError> {
        let (arn, text) = self.named(name, qualifier);
        let found = config(&*self.shared.store, name.as_str(), &text).await?;
        found.ok_or(EventInvokeConfigError::NoConfig { arn })
    }

    /// Returns all configurations of a function, by qualifier.
    pub async fn configs(&self, name: &FunctionName) -> Result<Vec<EventInvokeConfigRecord>, StoreError> {
        self.shared.store.configs(name.to_string()).await
    }

    /// Sets the configuration, all of it.
    pub async fn put_config(
        &self,
        name: &FunctionName,
        qualifier: Option<&Qualifier>,
        set: EventInvokeConfigChange,
    ) -> Result<EventInvokeConfigRecord, EventInvokeConfigError> {
        let _changing = self.changing_configs.lock().await;
        self.keep(name, qualifier, set, None).await
    }

    /// Sets what is named of a configuration that is there.
    pub async fn update_config(
        &self,
        name: &FunctionName,
        qualifier: Option<&Qualifier>,
        set: EventInvokeConfigChange,
    ) -> Result<EventInvokeConfigRecord, EventInvokeConfigError> {
        let _changing = self.changing_configs.lock().await;
        self.check_function(name, qualifier)?;
        let current = self.config(name, qualifier).await?;
        self.keep(name, qualifier, set, Some(current)).await
    }

    fn check_function(
        &self,
        name: &FunctionName,
        qualifier: Option<&Qualifier>,
    ) -> Result<(), EventInvokeConfigError> {
        match self.shared.invoker.functions.resolve(name, qualifier) {
            Err(ResolveError::NotFound { arn }) => Err(EventInvokeConfigError::NoFunction { arn }),
            // One that settles or failed is there.
            _ => Ok(()),
        }
    }

    async fn keep(
        &self,
        name: &FunctionName,
        qualifier: Option<&Qualifier>,
        set: EventInvokeConfigChange,
        current: Option<EventInvokeConfigRecord>,
    ) -> Result<EventInvokeConfigRecord, EventInvokeConfigError> {
        let (arn, text) = self.named(name, qualifier);
        self.check_function(name, qualifier)?;
        let destination = |set: Option<String>, current: Option<String>| match set {
            Some(destination) => Some(destination).filter(|destination| !destination.is_empty()),
            None => current,
        };
        let (retries, age, on_success, on_failure) = match current {
            Some(now) => (now.retries_max, now.age_max_seconds, now.on_success, now.on_failure),
            None => (None, None, None, None),
        };
        let config = EventInvokeConfigRecord {
            function: name.to_string(),
            qualifier: text,
            retries_max: set.retries_max.or(retries),
            age_max_seconds: set.age_max_seconds.or(age),
            on_success: destination(set.on_success, on_success),
            on_failure: destination(set.on_failure, on_failure),
            last_modified_ms: self.shared.clock.epoch_ms(),
        };
        match self.shared.store.put_config(config.clone()).await? {
            Outcome::Done => Ok(config),
            Outcome::Conflict => Err(EventInvokeConfigError::NoFunction { arn }),
        }
    }

    /// Removes a configuration.
    pub async fn remove_config(
        &self,
        name: &FunctionName,
        qualifier: Option<&Qualifier>,
    ) -> Result<(), EventInvokeConfigError> {
        let (arn, text) = self.named(name, qualifier);
        match self.shared.store.remove_config(name.to_string(), text).await? {
            Outcome::Done => Ok(()),
            Outcome::Conflict => Err(EventInvokeConfigError::NoConfig { arn }),
        }
    }

    fn named(&self, name: &FunctionName, qualifier: Option<&Qualifier>) -> (FunctionArn, String) {
        let qualifier = qualifier.cloned().unwrap_or(Qualifier::Version(Version::Latest));
        let text = qualifier.to_string();
        (self.shared.invoker.functions.arn(name, Some(qualifier)), text)
    }
}

/// Returns the configuration of a version or alias.
pub(super) async fn config(
    store: &dyn EventStore,
    function: &str,
    qualifier: &str,
) -> Result<Option<EventInvokeConfigRecord>, StoreError> {
    let configs = store.configs(function.to_owned()).await?;
    Ok(configs.into_iter().find(|config| config.qualifier == qualifier))
}

/// Returns how often and how long events are tried.
pub(super) fn limits(config: Option<&EventInvokeConfigRecord>) -> Limits {
    let default = Limits::default();
    let age_max = config.and_then(|config| config.age_max_seconds);
    Limits {
        retries_max: config.and_then(|config| config.retries_max).unwrap_or(default.retries_max),
        age_max: age_max.map_or(default.age_max, |seconds| Duration::from_secs(seconds.into())),
    }
}
