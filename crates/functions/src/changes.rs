//! What can be asked to change.

use std::collections::BTreeMap;

use bytes::Bytes;
use hearth_types::{Architecture, MemoryMb, Runtime, TimeoutSeconds, TracingMode};

use crate::{DurableConfiguration, FileSystem, FunctionConfiguration, LayerInUse, LoggingConfiguration, Vpc};

/// A new function.
#[derive(Debug)]
pub struct CreateFunction {
    /// All of its configuration.
    pub configuration: FunctionConfiguration,
    /// Its package.
    pub zip: Bytes,
    /// Its layers, in order: those that the configuration names.
    pub layers: Vec<LayerInUse>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The id of its code signing configuration.
    pub code_signing_config: Option<String>,
    /// Whether to publish version 1 as well.
    pub publish: bool,
}

/// A version to be published.
#[derive(Debug, Default)]
pub struct PublishVersion {
    /// A description of the version; that of `$LATEST` if there is none.
    pub description: Option<String>,
    /// SHA-256, in base64, of the code that the caller wants to publish, if it matters to them.
    pub code_sha256: Option<String>,
    /// The revision that the caller has seen, if it matters to them.
    pub revision_id: Option<String>,
}

/// New code for a function.
#[derive(Debug)]
pub struct UpdateCode {
    /// The package.
    pub zip: Bytes,
    /// The instruction set, if it changes.
    pub architecture: Option<Architecture>,
    /// The revision that the caller has seen, if it matters to them.
    pub revision_id: Option<String>,
    /// Whether only to check, and change nothing.
    pub dry_run: bool,
    /// Whether to publish a version of it as well.
    pub publish: bool,
}

/// New configuration for a function. What is `None` stays as it is.
#[derive(Debug, Default)]
pub struct ConfigurationChange {
    /// The execution role.
    pub role: Option<String>,
    /// The runtime.
    pub runtime: Option<Runtime>,
    /// The handler.
    pub handler: Option<String>,
    /// The description.
    pub description: Option<String>,
    /// The time-out.
    pub timeout: Option<TimeoutSeconds>,
    /// The memory.
    pub memory: Option<MemoryMb>,
    /// The size of `/tmp`, in MB.
    pub ephemeral_storage_mb: Option<u32>,
    /// The variables, all of them.
    pub environment: Option<BTreeMap<String, String>>,
    /// Whether traces are sampled.
    pub tracing_mode: Option<TracingMode>,
    /// The network; an empty one removes it.
    pub vpc: Option<Vpc>,
    /// The file systems, all of them.
    pub file_systems: Option<Vec<FileSystem>>,
    /// Whether published versions are to start from a snapshot.
    pub snap_start: Option<bool>,
    /// The dead-letter target; `Some(None)` removes it.
    pub dead_letter_target: Option<Option<String>>,
    /// The key; `Some(None)` removes it.
    pub kms_key_arn: Option<Option<String>>,
    /// The layers, all of them, in order.
    pub layers: Option<Vec<LayerInUse>>,
    /// Where lines go.
    pub logging: Option<LoggingConfiguration>,
    /// How executions are kept, of a durable function.
    pub durable: Option<DurableConfiguration>,
    /// The revision that the caller has seen, if it matters to them.
    pub revision_id: Option<String>,
}

impl ConfigurationChange {
    /// Returns `current` with the changes made.
    pub(crate) fn apply(self, current: &FunctionConfiguration) -> FunctionConfiguration {
        let current = current.clone();
        FunctionConfiguration {
            role: self.role.unwrap_or(current.role),
            runtime: self.runtime.unwrap_or(current.runtime),
            handler: self.handler.unwrap_or(current.handler),
            description: self.description.unwrap_or(current.description),
            timeout: self.timeout.unwrap_or(current.timeout),
            memory: self.memory.unwrap_or(current.memory),
            ephemeral_storage_mb: self.ephemeral_storage_mb.unwrap_or(current.ephemeral_storage_mb),
            environment: self.environment.or(current.environment),
            tracing_mode: self.tracing_mode.unwrap_or(current.tracing_mode),
            vpc: self.vpc.or(current.vpc),
            file_systems: self.file_systems.unwrap_or(current.file_systems),
            snap_start: self.snap_start.unwrap_or(current.snap_start),
            dead_letter_target: self.dead_letter_target.unwrap_or(current.dead_letter_target),
            kms_key_arn: self.kms_key_arn.unwrap_or(current.kms_key_arn),
            layers: match self.layers {
                Some(layers) => layers.into_iter().map(|layer| layer.layer).collect(),
                None => current.layers,
            },
            logging: self.logging.unwrap_or(current.logging),
            durable: self.durable.or(current.durable),
            ..current
        }
    }
}
