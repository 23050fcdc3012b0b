//! What functions are: their configuration, states and revisions, the snapshot that an invocation runs on, and the
//! layers that they share.
//!
//! All functions are kept in memory; the store is written first. Reading one, or resolving a name for an invocation,
//! touches no disk and waits for nobody.

mod alias;
mod changes;
mod code_signing;
mod concurrency;
mod configuration;
mod error;
mod function;
mod function_layers;
mod function_url;
mod layer_policy;
mod layer_record;
mod layers;
mod leases;
mod management;
mod policy;
mod policy_record;
mod ports;
mod record;
mod registry;

pub use alias::{AdditionalVersion, Alias, CreateAlias, UpdateAlias};
pub use changes::{ConfigurationChange, CreateFunction, PublishVersion, UpdateCode};
pub use code_signing::{
    CodeSigningChange, CodeSigningConfig, CodeSigningConfigs, CodeSigningError, CodeSigningPolicy, Held,
};
pub use concurrency::{ConcurrencyError, ProvisionedConcurrency, ProvisionedVersion, VersionShare};
pub use configuration::{
    DurableConfiguration, FileSystem, FunctionConfiguration, FunctionLayer, LoggingConfiguration, Vpc,
};
pub use error::{DeployError, FunctionsError, LayersError, OpenError, ResolveError};
pub use function::{
    DeployedCode, DeployedLayers, Failure, Function, LastUpdateStatus, ResolvedVersion, State,
    StateReasonCode,
};
pub use function_url::{AuthType, Cors, FunctionUrl, FunctionUrlChange, InvokeMode};
pub use hearth_store::Clock;
pub use layer_policy::LayerStatement;
pub use layers::{LayerFilter, LayerInUse, LayerVersion, Layers, PublishLayerVersion};
pub use management::{Management, RecursiveLoop, UpdateRuntimeOn};
pub use policy::{Policy, PolicyError, Statement};
pub use ports::{ConcurrencyListener, Deployment, SnapshotFailure, VersionListener};
pub use registry::{Functions, FunctionsSettings, FunctionsUsage};
