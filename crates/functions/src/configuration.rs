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
    /// The network that the owner named; `None` when none was ever spoken of. Kept and shown.
    pub vpc: Option<Vpc>,
    /// The file systems that the owner named. Kept and shown.
    pub file_systems: Vec<FileSystem>,
    /// Whether published versions are to start from a snapshot. Kept and shown.
    pub snap_start: bool,
    /// Where asynchronous events go that failed.
    pub dead_letter_target: Option<String>,
    /// The key that the owner named for the variables. Kept and shown.
    pub kms_key_arn: Option<String>,
    /// Its layers, in the order in which they are put over one another.
    pub layers: Vec<FunctionLayer>,
    /// Where lines go.
    pub logging: LoggingConfiguration,
    /// How its executions are kept, when it is a durable function.
    pub durable: Option<DurableConfiguration>,
}

/// What the owner of a durable function has set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DurableConfiguration {
    /// How long an execution may take, in seconds.
    pub execution_timeout_s: u32,
    /// How long an execution is kept after its end, in days.
    pub retention_days: u32,
    /// The key that the owner named for the data. Kept and shown.
    pub kms_key_arn: Option<String>,
}

/// A network of AWS. An empty one is what AWS shows when the owner took the function out of its network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vpc {
    /// Its subnets.
    pub subnet_ids: Vec<String>,
    /// Its security groups.
    pub security_group_ids: Vec<String>,
    /// Whether IPv6 may be used in it.
    pub ipv6_allowed_for_dual_stack: bool,
}

impl Vpc {
    /// Whether a function with it is in a network.
    pub fn is_network(&self) -> bool {
        !self.subnet_ids.is_empty() || !self.security_group_ids.is_empty()
    }
}

/// A file system of AWS, and where functions are to find it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSystem {
    /// The ARN of its access point.
    pub arn: String,
    /// Below `/mnt`.
    pub local_mount_path: String,
    /// Whether files are to be read from S3 directly, of a file system that is in S3. `Some(None)` leaves it to AWS.
    pub direct_s3_read: Option<Option<String>>,
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
