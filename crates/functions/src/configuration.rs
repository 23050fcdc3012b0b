//! The configuration of a function: what its owner has set.

use std::collections::BTreeMap;

use hearth_types::{
    Architecture, CodeSha256, FunctionName, LayerVersionArn, LogFormat, LogGroupName, LogLevel, MemoryMb,
    Runtime, TimeoutSeconds, TracingMode,
};

/// Where a function's lines go, and in which form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggingConfiguration {
    /// Plain lines or JSON.
    pub format: LogFormat,
    /// The log group.
    pub group: LogGroupName,
    /// Least level of the function's own lines; only with JSON.
    pub application_level: Option<LogLevel>,
    /// Least level of the platform's lines; only with JSON.
    pub system_level: Option<LogLevel>,
}

/// What the owner of a function has set. Does not change: an update makes another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionConfiguration {
    /// Its bare name.
    pub name: FunctionName,
    /// The ARN of its execution role. Its name is who its environments are to Hearth's own API; it grants
    /// nothing here.
    pub role: String,
    /// What runs it.
    pub runtime: Runtime,
    /// What is called.
    pub handler: String,
    /// A text for people.
    pub description: String,
    /// How long an invocation may take.
    pub timeout: TimeoutSeconds,
    /// Memory of an environment.
    pub memory: MemoryMb,
    /// Size of `/tmp`, in MB.
    pub ephemeral_storage_mb: u32,
    /// The owner's variables; `None` when they were never set.
    pub environment: Option<BTreeMap<String, String>>,
    /// The instruction set.
    pub architecture: Architecture,
    /// Whether traces are sampled.
    pub tracing_mode: TracingMode,
    /// Whether the owner ever sent a `VpcConfig`, which had to be empty. AWS shows an empty one from then on.
    pub vpc_config_is_set: bool,
    /// Where asynchronous events go that failed.
    pub dead_letter_target: Option<String>,
    /// The key that the owner named for the variables. Kept and shown.
    pub kms_key_arn: Option<String>,
    /// Its layers, in the order in which they are put over one another.
    pub layers: Vec<FunctionLayer>,
    /// Where lines go.
    pub logging: LoggingConfiguration,
}

/// A layer version that a function has. The version itself may be deleted meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionLayer {
    /// Its ARN.
    pub arn: LayerVersionArn,
    /// SHA-256 of its package.
    pub code_sha256: CodeSha256,
    /// Size of its package, in bytes.
    pub code_size: u64,
}
