//! `VpcConfig`, `FileSystemConfigs` and `SnapStart` of a function: checked, kept and shown as AWS does, and without any
//! effect here, but for SnapStart of Python functions. `docs/configuration.md` says so to users.

use hearth_functions::{FileSystem, Function, FunctionConfiguration, Vpc};
use hearth_types::{FunctionName, RuntimeFamily, Version};

use crate::error::ApiError;
use crate::generated::shapes::{
    FileSystemConfig, S3FilesConfig, SnapStart, SnapStartResponse, VpcConfig, VpcConfigResponse,
};

/// Reads a network. What is not said is as `current` has it; empty lists take the function out of it.
pub(crate) fn vpc(config: VpcConfig, current: Option<&Vpc>) -> Result<Vpc, ApiError> {
    let current = current.cloned().unwrap_or_default();
    let vpc = Vpc {
        subnet_ids: config.subnet_ids.unwrap_or(current.subnet_ids),
        security_group_ids: config.security_group_ids.unwrap_or(current.security_group_ids),
        ipv6_allowed_for_dual_stack: config
            .ipv6_allowed_for_dual_stack
            .unwrap_or(current.ipv6_allowed_for_dual_stack),
    };
    if vpc.subnet_ids.is_empty() != vpc.security_group_ids.is_empty() {
        return Err(ApiError::invalid_parameter(
            "SubnetIds and SecurityIds must coexist or be both empty list.",
        ));
    }
    Ok(vpc)
}

/// Reads the file systems of a function.
pub(crate) fn file_systems(configs: Vec<FileSystemConfig>) -> Vec<FileSystem> {
    let read = |config: FileSystemConfig| FileSystem {
        arn: config.arn.unwrap_or_default(),
        local_mount_path: config.local_mount_path.unwrap_or_default(),
        direct_s3_read: config.s3_files_config.map(|config| config.direct_s3_read),
    };
    configs.into_iter().map(read).collect()
}

/// Reads whether published versions are to start from a snapshot.
pub(crate) fn snap_start(snap_start: &SnapStart) -> bool {
    snap_start.apply_on.as_deref() == Some("PublishedVersions")
}

/// Refuses file systems without a network: AWS reaches them by it.
pub(crate) fn check(vpc: Option<&Vpc>, file_systems: &[FileSystem]) -> Result<(), ApiError> {
    match file_systems.first() {
        Some(system) if !vpc.is_some_and(Vpc::is_network) => Err(ApiError::invalid_parameter(format!(
            "Function must be configured to execute in a VPC to reference access point {}. Please update the function \
             configuration to include VPC subnets and security groups.",
            system.arn
        ))),
        _ => Ok(()),
    }
}

/// Tells the operator what has no effect.
pub(crate) fn warn(name: &FunctionName, configuration: &FunctionConfiguration) {
    let mut members = Vec::new();
    if configuration.vpc.as_ref().is_some_and(Vpc::is_network) {
        members.push("VpcConfig");
    }
    if !configuration.file_systems.is_empty() {
        members.push("FileSystemConfigs");
    }
    let is_python = matches!(configuration.runtime.family(), RuntimeFamily::Python { .. });
    if configuration.snap_start && !is_python {
        members.push("SnapStart");
    }
    if !members.is_empty() {
        tracing::warn!(function = %name, ?members, "a part of the configuration is kept and has no effect");
    }
}

/// Describes the network. There is no VPC here that could have an id.
pub(crate) fn describe_vpc(vpc: &Vpc) -> VpcConfigResponse {
    VpcConfigResponse {
        subnet_ids: Some(vpc.subnet_ids.clone()),
        security_group_ids: Some(vpc.security_group_ids.clone()),
        vpc_id: Some(String::new()),
        ipv6_allowed_for_dual_stack: Some(vpc.ipv6_allowed_for_dual_stack),
    }
}

/// Describes the file systems; without any, there is nothing to describe.
pub(crate) fn describe_file_systems(systems: &[FileSystem]) -> Option<Vec<FileSystemConfig>> {
    let describe = |system: &FileSystem| FileSystemConfig {
        arn: Some(system.arn.clone()),
        local_mount_path: Some(system.local_mount_path.clone()),
        s3_files_config: system.direct_s3_read.clone().map(|direct_s3_read| S3FilesConfig { direct_s3_read }),
    };
    (!systems.is_empty()).then(|| systems.iter().map(describe).collect())
}

/// Describes the snapshots. As on AWS, they are `On` for published versions alone.
pub(crate) fn describe_snap_start(function: &Function) -> SnapStartResponse {
    let (apply_on, is_on) = match (function.configuration.snap_start, function.version) {
        (true, Version::Number(_)) => ("PublishedVersions", true),
        (true, Version::Latest) => ("PublishedVersions", false),
        (false, _) => ("None", false),
    };
    SnapStartResponse {
        apply_on: Some(apply_on.to_owned()),
        optimization_status: Some(if is_on { "On" } else { "Off" }.to_owned()),
    }
}
