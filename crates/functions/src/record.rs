//! Functions as records and back.

use std::sync::Arc;

use hearth_store::{DurableConfigRecord, FileSystemRecord, FunctionLayerRecord, FunctionRecord, VpcRecord};
use hearth_types::{
    Architecture, CodeSha256, FunctionArn, FunctionName, LayerVersionArn, LogFormat, LogGroupName, LogLevel,
    MemoryMb, RevisionId, Runtime, TimeoutSeconds, TracingMode, Version,
};

use crate::{
    DurableConfiguration, Failure, FileSystem, Function, FunctionConfiguration, FunctionLayer,
    FunctionsSettings, LastUpdateStatus, LoggingConfiguration, Management, OpenError, RecursiveLoop, State,
    StateReasonCode, UpdateRuntimeOn, Vpc, policy_record,
};

/// Writes the record of a function.
pub(crate) fn write(function: &Function) -> FunctionRecord {
    let configuration = &function.configuration;
    let pair = |failure: &Failure| (failure.code.as_str().to_owned(), failure.reason.clone());
    let (state, state_reason) = match &function.state {
        State::Pending => ("Pending", None),
        State::Active => ("Active", None),
        State::Failed(failure) => ("Failed", Some(pair(failure))),
    };
    let (last_update, last_update_reason) = match &function.last_update {
        None => (None, None),
        Some(LastUpdateStatus::InProgress) => (Some("InProgress"), None),
        Some(LastUpdateStatus::Successful) => (Some("Successful"), None),
        Some(LastUpdateStatus::Failed(failure)) => (Some("Failed"), Some(pair(failure))),
    };
    FunctionRecord {
        name: configuration.name.to_string(),
        version: match function.version {
            Version::Latest => None,
            Version::Number(number) => Some(number),
        },
        is_deleted: false,
        latest_description: None,
        aliases: Vec::new(),
        function_urls: Vec::new(),
        revision_id: function.revision_id.to_string(),
        role: configuration.role.clone(),
        runtime: configuration.runtime.to_string(),
        handler: configuration.handler.clone(),
        description: configuration.description.clone(),
        timeout: configuration.timeout.get(),
        memory: configuration.memory.get(),
        ephemeral_storage: configuration.ephemeral_storage_mb,
        environment: configuration.environment.clone(),
        architecture: configuration.architecture.to_string(),
        tracing_mode: configuration.tracing_mode.to_string(),
        vpc_config_is_set: configuration.vpc.is_some(),
        vpc: configuration.vpc.as_ref().map(|vpc| VpcRecord {
            subnet_ids: vpc.subnet_ids.clone(),
            security_group_ids: vpc.security_group_ids.clone(),
            ipv6_allowed_for_dual_stack: vpc.ipv6_allowed_for_dual_stack,
        }),
        file_systems: configuration
            .file_systems
            .iter()
            .map(|system| FileSystemRecord {
                arn: system.arn.clone(),
                local_mount_path: system.local_mount_path.clone(),
                is_in_s3: system.direct_s3_read.is_some(),
                direct_s3_read: system.direct_s3_read.clone().flatten(),
            })
            .collect(),
        snap_start: configuration.snap_start,
        dead_letter_target: configuration.dead_letter_target.clone(),
        kms_key_arn: configuration.kms_key_arn.clone(),
        layers: configuration
            .layers
            .iter()
            .map(|layer| FunctionLayerRecord {
                arn: layer.arn.to_string(),
                code_sha256: layer.code_sha256.to_string(),
                code_size: layer.code_size,
            })
            .collect(),
        log_format: configuration.logging.format.to_string(),
        log_group: configuration.logging.group.to_string(),
        application_log_level: configuration.logging.application_level.map(|level| level.to_string()),
        system_log_level: configuration.logging.system_level.map(|level| level.to_string()),
        tags: function.tags.clone(),
        policy: function.policy.as_ref().map(policy_record::write),
        recursive_loop: Some(function.management.recursive_loop.as_str().to_owned()),
        update_runtime_on: Some(function.management.update_runtime_on.as_str().to_owned()),
        reserved_concurrency: function.management.reserved_concurrency,
        provisioned: Vec::new(),
        runtime_version_arn: function.management.update_runtime_on.runtime_version_arn().map(str::to_owned),
        code_signing_config: function.management.code_signing_config.clone(),
        code_sha256: function.code_sha256.to_string(),
        code_size: function.code_size,
        last_modified_ms: function.last_modified_ms,
        state: state.to_owned(),
        state_reason,
        last_update: last_update.map(str::to_owned),
        last_update_reason,
        durable: configuration.durable.as_ref().map(|durable| DurableConfigRecord {
            execution_timeout_s: durable.execution_timeout_s,
            retention_days: durable.retention_days,
            kms_key_arn: durable.kms_key_arn.clone(),
        }),
        serving: None,
    }
}

/// Reads a record. What it says is checked again: the file may have been touched.
pub(crate) fn read(record: &FunctionRecord, settings: &FunctionsSettings) -> Result<Function, OpenError> {
    let reader = Reader { record };
    let name = reader.field("name", &record.name, |value| FunctionName::new(value).ok())?;
    let level = |field, value: &Option<String>| {
        value.as_ref().map(|value| reader.field(field, value, LogLevel::parse)).transpose()
    };
    let configuration = FunctionConfiguration {
        name: name.clone(),
        role: record.role.clone(),
        runtime: reader.field("runtime", &record.runtime, |value| Runtime::parse(value).ok())?,
        handler: record.handler.clone(),
        description: record.description.clone(),
        timeout: reader.number("timeout", record.timeout, TimeoutSeconds::new)?,
        memory: reader.number("memory", record.memory, MemoryMb::new)?,
        ephemeral_storage_mb: record.ephemeral_storage,
        environment: record.environment.clone(),
        architecture: reader.field("architecture", &record.architecture, Architecture::parse)?,
        tracing_mode: reader.field("tracing mode", &record.tracing_mode, TracingMode::parse)?,
        vpc: read_vpc(record),
        file_systems: record
            .file_systems
            .iter()
            .map(|system| FileSystem {
                arn: system.arn.clone(),
                local_mount_path: system.local_mount_path.clone(),
                direct_s3_read: system.is_in_s3.then(|| system.direct_s3_read.clone()),
            })
            .collect(),
        snap_start: record.snap_start,
        dead_letter_target: record.dead_letter_target.clone(),
        kms_key_arn: record.kms_key_arn.clone(),
        layers: record.layers.iter().map(|layer| reader.layer(layer)).collect::<Result<_, _>>()?,
        logging: LoggingConfiguration {
            format: reader.field("log format", &record.log_format, LogFormat::parse)?,
            group: reader.field("log group", &record.log_group, |value| LogGroupName::new(value).ok())?,
            application_level: level("log level", &record.application_log_level)?,
            system_level: level("log level", &record.system_log_level)?,
        },
        durable: record.durable.as_ref().map(|durable| DurableConfiguration {
            execution_timeout_s: durable.execution_timeout_s,
            retention_days: durable.retention_days,
            kms_key_arn: durable.kms_key_arn.clone(),
        }),
    };
    let failure = |reason: &Option<(String, String)>| {
        let (code, reason) = reason.clone().unwrap_or_default();
        let code = StateReasonCode::parse(&code).unwrap_or(StateReasonCode::InternalError);
        Failure { code, reason }
    };
    Ok(Function {
        configuration: Arc::new(configuration),
        arn: FunctionArn {
            region: settings.region.clone(),
            account: settings.account.clone(),
            name,
            qualifier: None,
        },
        version: record.version.map_or(Version::Latest, Version::Number),
        code_sha256: reader.field("code digest", &record.code_sha256, CodeSha256::parse)?,
        code_size: record.code_size,
        revision_id: reader.field("revision id", &record.revision_id, RevisionId::parse)?,
        last_modified_ms: record.last_modified_ms,
        state: reader.field("state", &record.state, |value| match value {
            "Pending" => Some(State::Pending),
            "Active" => Some(State::Active),
            "Failed" => Some(State::Failed(failure(&record.state_reason))),
            _ => None,
        })?,
        last_update: record
            .last_update
            .as_ref()
            .map(|value| {
                reader.field("update status", value, |value| match value {
                    "InProgress" => Some(LastUpdateStatus::InProgress),
                    "Successful" => Some(LastUpdateStatus::Successful),
                    "Failed" => Some(LastUpdateStatus::Failed(failure(&record.last_update_reason))),
                    _ => None,
                })
            })
            .transpose()?,
        tags: record.tags.clone(),
        management: Management {
            code_signing_config: record.code_signing_config.clone(),
            reserved_concurrency: record.reserved_concurrency,
            recursive_loop: record.recursive_loop.as_ref().map_or(Ok(RecursiveLoop::default()), |value| {
                reader.field("recursive loop", value, RecursiveLoop::parse)
            })?,
            update_runtime_on: record.update_runtime_on.as_ref().map_or(
                Ok(UpdateRuntimeOn::default()),
                |value| {
                    let arn = record.runtime_version_arn.clone();
                    reader.field("update mode", value, |value| UpdateRuntimeOn::new(value, arn))
                },
            )?,
        },
        policy: record
            .policy
            .as_ref()
            .map(|policy| {
                reader.field("policy revision id", &policy.revision_id, |_| policy_record::read(policy))
            })
            .transpose()?,
    })
}

/// Reads a network. Of one that was empty, records of older releases say only that it was sent.
fn read_vpc(record: &FunctionRecord) -> Option<Vpc> {
    match &record.vpc {
        None => record.vpc_config_is_set.then(Vpc::default),
        Some(vpc) => Some(Vpc {
            subnet_ids: vpc.subnet_ids.clone(),
            security_group_ids: vpc.security_group_ids.clone(),
            ipv6_allowed_for_dual_stack: vpc.ipv6_allowed_for_dual_stack,
        }),
    }
}

struct Reader<'a> {
    record: &'a FunctionRecord,
}

impl Reader<'_> {
    fn field<T>(
        &self,
        field: &'static str,
        value: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, OpenError> {
        parse(value).ok_or_else(|| OpenError::Record {
            name: self.record.name.clone(),
            field,
            value: value.to_owned(),
        })
    }

    fn layer(&self, layer: &FunctionLayerRecord) -> Result<FunctionLayer, OpenError> {
        Ok(FunctionLayer {
            arn: self.field("layer", &layer.arn, LayerVersionArn::parse)?,
            code_sha256: self.field("layer digest", &layer.code_sha256, CodeSha256::parse)?,
            code_size: layer.code_size,
        })
    }

    fn number<T>(
        &self,
        field: &'static str,
        value: u32,
        parse: impl FnOnce(i64) -> Option<T>,
    ) -> Result<T, OpenError> {
        self.field(field, &value.to_string(), |_| parse(value.into()))
    }
}
