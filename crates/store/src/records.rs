//! Records as they are written: with names of their own, so that types may change without breaking what is kept.

use std::collections::BTreeMap;

use crate::{FunctionUrlRecord, PolicyRecord};
use serde::{Deserialize, Serialize};

/// A function or one of its versions, as it is kept. The texts are those of AWS's API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionRecord {
    /// Its name; with the number of the version, the key.
    pub name: String,
    /// The number of a published version; `None` for the function itself, which is `$LATEST`.
    #[serde(default)]
    pub version: Option<u64>,
    /// Whether the version was deleted. Such a record stays, so that the number is not given again.
    #[serde(default)]
    pub is_deleted: bool,
    /// The description that `$LATEST` had when this version was published.
    #[serde(default)]
    pub latest_description: Option<String>,
    /// The aliases of the function; versions have none.
    #[serde(default)]
    pub aliases: Vec<AliasRecord>,
    /// Its URL and those of its aliases; versions have none.
    #[serde(default)]
    pub function_urls: Vec<FunctionUrlRecord>,
    /// Fresh after each change; [`crate::FunctionStore::replace`] compares it.
    pub revision_id: String,
    /// The execution role.
    pub role: String,
    /// The runtime identifier.
    pub runtime: String,
    /// The handler.
    pub handler: String,
    /// The description.
    pub description: String,
    /// In seconds.
    pub timeout: u32,
    /// In MB.
    pub memory: u32,
    /// In MB.
    pub ephemeral_storage: u32,
    /// The user's variables; `None` when never set.
    pub environment: Option<BTreeMap<String, String>>,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// `Active` or `PassThrough`.
    pub tracing_mode: String,
    /// Whether a network was ever spoken of. Records of older releases do not say, and then none was.
    #[serde(default)]
    pub vpc_config_is_set: bool,
    /// The network. Records of older releases have none: it had to be empty.
    #[serde(default)]
    pub vpc: Option<VpcRecord>,
    /// The file systems.
    #[serde(default)]
    pub file_systems: Vec<FileSystemRecord>,
    /// Whether published versions are to start from a snapshot.
    #[serde(default)]
    pub snap_start: bool,
    /// Where failed asynchronous events go.
    pub dead_letter_target: Option<String>,
    /// The key for variables.
    pub kms_key_arn: Option<String>,
    /// Its layers, in order. Records of older releases have none.
    #[serde(default)]
    pub layers: Vec<FunctionLayerRecord>,
    /// `Text` or `JSON`.
    pub log_format: String,
    /// The log group.
    pub log_group: String,
    /// Least level of the function's lines.
    pub application_log_level: Option<String>,
    /// Least level of the platform's lines.
    pub system_log_level: Option<String>,
    /// The tags.
    pub tags: BTreeMap<String, String>,
    /// Who else may use it.
    #[serde(default)]
    pub policy: Option<PolicyRecord>,
    /// `Terminate` or `Allow`; `None` in records of before it could be set.
    #[serde(default)]
    pub recursive_loop: Option<String>,
    /// `Auto`, `FunctionUpdate` or `Manual`; `None` in records of before it could be set.
    #[serde(default)]
    pub update_runtime_on: Option<String>,
    /// The version of the runtime, with `Manual`.
    #[serde(default)]
    pub runtime_version_arn: Option<String>,
    /// The id of its code signing configuration.
    #[serde(default)]
    pub code_signing_config: Option<String>,
    /// How many of the account's concurrent executions are its own.
    #[serde(default)]
    pub reserved_concurrency: Option<u32>,
    /// What is provisioned of its versions and aliases; versions have none.
    #[serde(default)]
    pub provisioned: Vec<ProvisionedConcurrencyRecord>,
    /// SHA-256 of the package, in base64.
    pub code_sha256: String,
    /// Size of the package, in bytes.
    pub code_size: u64,
    /// When it was last changed, in milliseconds since 1970.
    pub last_modified_ms: i64,
    /// `Pending`, `Active` or `Failed`.
    pub state: String,
    /// Why it failed: a code and a text.
    pub state_reason: Option<(String, String)>,
    /// `InProgress`, `Successful` or `Failed`; `None` before the first update.
    pub last_update: Option<String>,
    /// Why the update failed: a code and a text.
    pub last_update_reason: Option<(String, String)>,
    /// How its executions are kept, when it is a durable function.
    #[serde(default)]
    pub durable: Option<DurableConfigRecord>,
    /// What goes on serving while an update is in progress, or after it failed.
    #[serde(default)]
    pub serving: Option<Box<FunctionRecord>>,
}

impl FunctionRecord {
    /// Returns the text under which the record is kept.
    pub fn key(&self) -> String {
        match self.version {
            None => self.name.clone(),
            Some(number) => format!("{}:{number}", self.name),
        }
    }
}

/// What the owner of a durable function has set, as it is kept with the function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DurableConfigRecord {
    /// How long an execution may take, in seconds.
    pub execution_timeout_s: u32,
    /// How long an execution is kept after its end, in days.
    pub retention_days: u32,
    /// The key that the owner named for the data.
    pub kms_key_arn: Option<String>,
}

/// An alias, as it is kept with its function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasRecord {
    /// Its name.
    pub name: String,
    /// `$LATEST` or the number of a version.
    pub function_version: String,
    /// The description.
    pub description: String,
    /// Another version, and the share of calls that it gets: a decimal number, as the owner gave it.
    pub additional: Option<(u64, String)>,
    /// Fresh after each change.
    pub revision_id: String,
    /// Who else may use it.
    #[serde(default)]
    pub policy: Option<PolicyRecord>,
}

/// Provisioned concurrency of a version or alias, as it is kept with the function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvisionedConcurrencyRecord {
    /// The number of the version, or the name of the alias.
    pub qualifier: String,
    /// How many environments are to be initialized ahead of calls.
    pub requested: u32,
    /// When that was asked for, in milliseconds since 1970.
    pub last_modified_ms: i64,
}

/// The network of a function, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpcRecord {
    /// Its subnets.
    pub subnet_ids: Vec<String>,
    /// Its security groups.
    pub security_group_ids: Vec<String>,
    /// Whether IPv6 may be used in it.
    pub ipv6_allowed_for_dual_stack: bool,
}

/// A file system of a function, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSystemRecord {
    /// The ARN of its access point.
    pub arn: String,
    /// Where functions are to find it.
    pub local_mount_path: String,
    /// Whether it was said to be in S3.
    pub is_in_s3: bool,
    /// How it is then read.
    pub direct_s3_read: Option<String>,
}

/// A layer that a function has, as it is kept with the function: the version itself may be deleted later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionLayerRecord {
    /// The ARN of the layer version.
    pub arn: String,
    /// SHA-256 of its package, in base64.
    pub code_sha256: String,
    /// Size of its package, in bytes.
    pub code_size: u64,
}

/// A version of a layer, as it is kept. The texts are those of AWS's API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerVersionRecord {
    /// The name of the layer.
    pub name: String,
    /// The number of the version; with the name, the key.
    pub version: u64,
    /// Fresh after each change; [`crate::LayerStore::replace`] compares it. Of a version, only its policy changes.
    pub revision_id: String,
    /// The description.
    pub description: String,
    /// Its license.
    pub license_info: Option<String>,
    /// Identifiers of runtimes.
    pub compatible_runtimes: Vec<String>,
    /// `x86_64` or `arm64`.
    pub compatible_architectures: Vec<String>,
    /// When it was published, in milliseconds since 1970.
    pub created_ms: i64,
    /// SHA-256 of the package, in base64.
    pub code_sha256: String,
    /// Size of the package, in bytes.
    pub code_size: u64,
    /// Who else may use it.
    pub statements: Vec<LayerStatementRecord>,
    /// Whether the version was deleted. Such a record stays while its number is the highest of the layer, so that the
    /// number is not given again.
    pub is_deleted: bool,
}

impl LayerVersionRecord {
    /// Returns the text under which the record is kept.
    pub fn key(&self) -> String {
        format!("{}:{}", self.name, self.version)
    }
}

/// A statement of the policy of a layer version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerStatementRecord {
    /// Its id.
    pub sid: String,
    /// `*`, an account, or an ARN.
    pub principal: String,
    /// The organization that `*` is narrowed to.
    pub organization_id: Option<String>,
}

/// A code signing configuration, as it is kept. The texts are those of AWS's API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeSigningConfigRecord {
    /// Its id: the key.
    pub id: String,
    /// Fresh after each change; [`crate::CodeSigningStore::replace`] compares it.
    pub revision_id: String,
    /// The description.
    pub description: String,
    /// ARNs of versions of signing profiles.
    pub allowed_publishers: Vec<String>,
    /// `Warn` or `Enforce`.
    pub policy: String,
    /// The tags. Records of older releases have none.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// When it was last changed, in milliseconds since 1970.
    pub last_modified_ms: i64,
}
