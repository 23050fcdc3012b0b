//! `FunctionConfiguration` in replies, and the parts of it that create and update share.

use std::collections::BTreeMap;

use hearth_functions::{Function, LastUpdateStatus, LoggingConfiguration, State};
use hearth_types::{
    FunctionName, LogFormat, LogGroupName, LogLevel, MemoryMb, Qualifier, Runtime, RuntimeFamily,
    TimeoutSeconds, limits,
};

use crate::error::ApiError;
use crate::generated::shapes::{
    DeadLetterConfig, EnvironmentResponse, EphemeralStorage, FunctionConfiguration, LoggingConfig,
    RuntimeVersionConfig, TracingConfigResponse,
};

use crate::{LambdaApi, durable_config, function_layers, kept_only, validation};

/// What `State` and its relatives show while something is being made.
const CREATING: (&str, &str) = ("The function is being created.", "Creating");

/// Describes a function; `qualifier` is the one that was asked for, and ends the ARN.
pub(crate) fn describe(
    api: &LambdaApi,
    function: &Function,
    qualifier: Option<Qualifier>,
) -> FunctionConfiguration {
    let configuration = &function.configuration;
    let (state, state_reason) = match &function.state {
        State::Pending => ("Pending", Some((CREATING.0.to_owned(), CREATING.1))),
        State::Active => ("Active", None),
        State::Failed(failure) => ("Failed", Some((failure.reason.clone(), failure.code.as_str()))),
    };
    let (last_update, last_update_reason) = match &function.last_update {
        None => (None, None),
        Some(LastUpdateStatus::InProgress) => (Some("InProgress"), Some((CREATING.0.to_owned(), CREATING.1))),
        Some(LastUpdateStatus::Successful) => (Some("Successful"), None),
        Some(LastUpdateStatus::Failed(failure)) => {
            (Some("Failed"), Some((failure.reason.clone(), failure.code.as_str())))
        }
    };
    let split = |reason: Option<(String, &str)>| match reason {
        Some((text, code)) => (Some(text), Some(code.to_owned())),
        None => (None, None),
    };
    let (state_reason, state_reason_code) = split(state_reason);
    let (last_update_status_reason, last_update_status_reason_code) = split(last_update_reason);
    FunctionConfiguration {
        function_name: Some(configuration.name.to_string()),
        function_arn: Some(function.arn.with_qualifier(qualifier).to_string()),
        runtime: Some(configuration.runtime.to_string()),
        role: Some(configuration.role.clone()),
        handler: Some(configuration.handler.clone()),
        code_size: i64::try_from(function.code_size).ok(),
        description: Some(configuration.description.clone()),
        timeout: Some(configuration.timeout.get().into()),
        memory_size: Some(configuration.memory.get().into()),
        last_modified: Some(last_modified(function.last_modified_ms)),
        code_sha256: Some(function.code_sha256.to_string()),
        version: Some(function.version.to_string()),
        vpc_config: configuration.vpc.as_ref().map(kept_only::describe_vpc),
        dead_letter_config: configuration
            .dead_letter_target
            .clone()
            .map(|target_arn| DeadLetterConfig { target_arn: Some(target_arn) }),
        environment: configuration
            .environment
            .clone()
            .map(|variables| EnvironmentResponse { variables: Some(variables), ..Default::default() }),
        kms_key_arn: configuration.kms_key_arn.clone(),
        tracing_config: Some(TracingConfigResponse { mode: Some(configuration.tracing_mode.to_string()) }),
        layers: function_layers::describe(&configuration.layers),
        revision_id: Some(function.revision_id.to_string()),
        state: Some(state.to_owned()),
        state_reason,
        state_reason_code,
        last_update_status: last_update.map(str::to_owned),
        last_update_status_reason,
        last_update_status_reason_code,
        package_type: Some("Zip".to_owned()),
        architectures: Some(vec![configuration.architecture.to_string()]),
        ephemeral_storage: Some(EphemeralStorage { size: Some(configuration.ephemeral_storage_mb.into()) }),
        file_system_configs: kept_only::describe_file_systems(&configuration.file_systems),
        snap_start: Some(kept_only::describe_snap_start(function)),
        runtime_version_config: (api.runtime_version_arn)(configuration.runtime)
            .map(|arn| RuntimeVersionConfig { runtime_version_arn: Some(arn), ..Default::default() }),
        logging_config: Some(LoggingConfig {
            log_format: Some(configuration.logging.format.to_string()),
            application_log_level: configuration.logging.application_level.map(|level| level.to_string()),
            system_log_level: configuration.logging.system_level.map(|level| level.to_string()),
            log_group: Some(configuration.logging.group.to_string()),
        }),
        durable_config: configuration.durable.as_ref().map(durable_config::describe),
        ..Default::default()
    }
}

/// Describes a function as lists do: without its states.
pub(crate) fn describe_in_list(
    api: &LambdaApi,
    function: &Function,
    qualifier: Option<Qualifier>,
) -> FunctionConfiguration {
    FunctionConfiguration {
        state: None,
        state_reason: None,
        state_reason_code: None,
        last_update_status: None,
        last_update_status_reason: None,
        last_update_status_reason_code: None,
        runtime_version_config: None,
        ..describe(api, function, qualifier)
    }
}

/// `2024-01-31T12:00:00.000+0000`
pub(crate) fn last_modified(epoch_ms: i64) -> String {
    let timestamp = jiff::Timestamp::from_millisecond(epoch_ms).unwrap_or_default();
    let text = format!("{timestamp:.3}");
    format!("{}+0000", text.trim_end_matches('Z'))
}

/// Reads a runtime; AWS's text for an unknown one has no `1 validation error` in front.
pub(crate) fn runtime(value: &str) -> Result<Runtime, ApiError> {
    let runtime = Runtime::parse(value).map_err(|_| {
        let all: Vec<&str> = Runtime::all().map(Runtime::as_str).collect();
        let value = validation::cut(value.to_owned());
        ApiError::invalid_parameter(format!(
            "Value {value} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [{}] or be a \
             valid ARN",
            all.join(", ")
        ))
    })?;
    if is_retired(runtime) {
        return Err(ApiError::invalid_parameter(format!(
            "The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda functions. We \
             recommend you use a supported runtime while creating or updating functions."
        )));
    }
    match runtime.family() {
        RuntimeFamily::NodeJs { .. } | RuntimeFamily::Python { .. } | RuntimeFamily::Provided => Ok(runtime),
        RuntimeFamily::Other => Err(ApiError::invalid_parameter(format!(
            "The runtime parameter of {runtime} is not supported by Hearth. We recommend you use a supported runtime \
             (nodejs*, python3.*, provided.al2, provided.al2023) while creating or updating functions."
        ))),
    }
}

/// Whether AWS has stopped creating and updating functions of a runtime long ago. What was deprecated lately, such as
/// `nodejs18.x` or `python3.8`, goes on here as long as the host has an interpreter for it; functions that exist run on.
///
/// Source: "Lambda runtimes" in the Lambda Developer Guide, deprecated before October 2024, read 2026-11.
fn is_retired(runtime: Runtime) -> bool {
    match runtime.family() {
        RuntimeFamily::NodeJs { major } => major <= 16,
        RuntimeFamily::Python { minor } => minor <= 7,
        RuntimeFamily::Provided => false,
        RuntimeFamily::Other => {
            matches!(runtime.as_str(), "nodejs" | "go1.x" | "java8" | "provided" | "ruby2.5" | "ruby2.7")
                || ["nodejs4.3", "nodejs6.10", "nodejs8.10", "python2", "dotnetcore"]
                    .iter()
                    .any(|retired| runtime.as_str().starts_with(retired))
        }
    }
}

/// Reads a time-out; the service's bound is below the model's.
pub(crate) fn timeout(seconds: i64) -> Result<TimeoutSeconds, ApiError> {
    TimeoutSeconds::new(seconds).ok_or_else(|| too_large("timeout", seconds, 900))
}

/// Reads the memory; the service's bound is below the model's.
pub(crate) fn memory(mb: i64) -> Result<MemoryMb, ApiError> {
    MemoryMb::new(mb).ok_or_else(|| too_large("memorySize", mb, 10_240))
}

/// Reads the size of `/tmp`; the service's bound is below the model's.
pub(crate) fn ephemeral_storage(storage: &EphemeralStorage) -> Result<u32, ApiError> {
    let mb = storage.size.unwrap_or(512);
    match u32::try_from(mb) {
        Ok(mb @ 512..=10_240) => Ok(mb),
        _ => Err(too_large("ephemeralStorage.size", mb, 10_240)),
    }
}

fn too_large(path: &str, value: i64, max: i64) -> ApiError {
    ApiError::validation(format!(
        "1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: Member must have value \
         less than or equal to {max}"
    ))
}

/// Checks variables as the service does beyond the model: their size, reserved names, and what no process can be given.
pub(crate) fn variables(variables: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, ApiError> {
    const HEAD: &str = "Lambda was unable to configure your environment variables because the environment variables you \
                        have provided";
    let mut reserved: Vec<&str> =
        variables.keys().map(String::as_str).filter(|name| RESERVED.contains(name)).collect();
    if !reserved.is_empty() {
        reserved.sort_unstable();
        return Err(ApiError::invalid_parameter(format!(
            "{HEAD} contains reserved keys that are currently not supported for modification. Reserved keys used in this \
             request: {}",
            reserved.join(", ")
        )));
    }
    if variables.iter().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
        return Err(ApiError::invalid_parameter(format!("{HEAD} contain a NUL character")));
    }
    let measured = serde_json::to_string(&variables).unwrap_or_default();
    if measured.len() > limits::ENVIRONMENT_VARIABLES_BYTES_MAX {
        let measured = validation::cut(measured);
        return Err(ApiError::invalid_parameter(format!(
            "{HEAD} exceeded the 4KB limit. String measured: {measured}"
        )));
    }
    Ok(variables)
}

/// Names that functions are given and nobody may set. Source: Lambda Developer Guide, "Defined runtime environment
/// variables", read 2026-11.
const RESERVED: &[&str] = &[
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_MAX_CONCURRENCY",
    "AWS_LAMBDA_METADATA_API",
    "AWS_LAMBDA_METADATA_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

/// Reads where lines go. What is not said is as `current` has it.
pub(crate) fn logging(
    config: &LoggingConfig,
    current: &LoggingConfiguration,
) -> Result<LoggingConfiguration, ApiError> {
    let format = config.log_format.as_deref().and_then(LogFormat::parse).unwrap_or(current.format);
    let level = |given: &Option<String>, known: Option<LogLevel>| match (given, format) {
        (Some(level), _) => LogLevel::parse(level),
        (None, LogFormat::Json) => known.or(Some(LogLevel::Info)),
        (None, LogFormat::Text) => None,
    };
    if format == LogFormat::Text
        && (config.application_log_level.is_some() || config.system_log_level.is_some())
    {
        return Err(ApiError::invalid_parameter(
            "LogLevel is not supported when LogFormat is set to \"Text\". Remove LogLevel from your request or change \
             the LogFormat to \"JSON\" and try again.",
        ));
    }
    Ok(LoggingConfiguration {
        format,
        group: match config.log_group.as_deref() {
            Some(group) => {
                LogGroupName::new(group).map_err(|error| ApiError::validation(error.to_string()))?
            }
            None => current.group.clone(),
        },
        application_level: level(&config.application_log_level, current.application_level),
        system_level: level(&config.system_log_level, current.system_level),
    })
}

/// Where lines go unless something else is said.
pub(crate) fn default_logging(name: &FunctionName) -> LoggingConfiguration {
    LoggingConfiguration {
        format: LogFormat::Text,
        group: LogGroupName::of_function(name),
        application_level: None,
        system_level: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_modified_is_written_as_aws_writes_it() {
        assert_eq!(last_modified(1_706_702_400_005), "2024-01-31T12:00:00.005+0000");
        assert_eq!(last_modified(1_706_702_400_000), "2024-01-31T12:00:00.000+0000");
    }

    #[test]
    fn variables_are_limited() {
        let of = |name: &str, value: &str| {
            variables([(name.to_owned(), value.to_owned())].into())
                .map_err(|error| error.message().to_owned())
        };
        assert!(of("KEY", " $(id) \n \u{1f525}").is_ok());
        assert!(of("KEY", "a\0b").unwrap_err().ends_with("contain a NUL character"));
        assert!(
            of("AWS_REGION", "x").unwrap_err().ends_with("Reserved keys used in this request: AWS_REGION")
        );
        assert!(of("KEY", &"x".repeat(4_086)).is_ok(), "{{\"KEY\":\"…\"}} has ten more bytes");
        assert!(of("KEY", &"x".repeat(4_087)).unwrap_err().contains("exceeded the 4KB limit"));
    }
}
