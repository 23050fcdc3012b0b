//! Reads what CreateEventSourceMapping and UpdateEventSourceMapping ask for, and refuses what Hearth does not poll.

use hearth_event_sources::{MappingChange, NewMapping, Source, SourceError, StartingPosition};
use hearth_types::{FunctionName, Qualifier};

use crate::error::ApiError;
use crate::function_name::{Target, target};
use crate::generated::shapes::{
    CreateEventSourceMappingRequest, DestinationConfig, FilterCriteria, UpdateEventSourceMappingRequest,
};
use crate::unsupported::refuse_if;
use crate::{LambdaApi, tags};

/// Reads a mapping that is to be made.
pub(crate) fn new_mapping(
    api: &LambdaApi,
    action: &str,
    asked: CreateEventSourceMappingRequest,
) -> Result<NewMapping, ApiError> {
    let function = function(api, action, asked.function_name.as_deref().unwrap_or_default())?;
    if asked.self_managed_event_source.is_some() || asked.self_managed_kafka_event_source_config.is_some() {
        return Err(not_polled("self-managed Apache Kafka"));
    }
    let arn = asked.event_source_arn.as_deref().unwrap_or_default();
    let source = match Source::parse(arn) {
        Ok(source) => source,
        Err(SourceError::NotPolled(what)) => return Err(not_polled(what)),
        Err(SourceError::Unrecognized) => {
            return Err(ApiError::invalid_parameter("Unrecognized event source."));
        }
    };
    let of_other_sources = [
        (asked.topics.is_some(), "Topics"),
        (asked.queues.is_some(), "Queues"),
        (asked.source_access_configurations.is_some(), "SourceAccessConfigurations"),
        (asked.amazon_managed_kafka_event_source_config.is_some(), "AmazonManagedKafkaEventSourceConfig"),
        (asked.document_db_event_source_config.is_some(), "DocumentDBEventSourceConfig"),
    ];
    if let Some((_, member)) = of_other_sources.iter().find(|(is_set, _)| *is_set) {
        return Err(ApiError::invalid_parameter(format!(
            "Unsupported {member} parameter for given event source mapping type."
        )));
    }
    let starting_position =
        starting_position(&source, asked.starting_position.as_deref(), asked.starting_position_timestamp)?;
    let tags = asked.tags.unwrap_or_default();
    tags::check_keys(&tags)?;
    refuse_if(asked.kms_key_arn.as_deref().is_some_and(|arn| !arn.is_empty()), "KMSKeyArn")?;
    let metrics = asked.metrics_config.and_then(|config| config.metrics);
    refuse_if(metrics.is_some_and(|metrics| !metrics.is_empty()), "MetricsConfig")?;
    refuse_if(asked.logging_config.is_some(), "LoggingConfig")?;
    refuse_if(asked.provisioned_poller_config.is_some(), "ProvisionedPollerConfig")?;
    let settings = MappingChange {
        function: Some(function),
        enabled: asked.enabled,
        batch_size: number(asked.batch_size),
        window_seconds: number(asked.maximum_batching_window_in_seconds),
        filters: asked.filter_criteria.map(patterns),
        response_types: asked.function_response_types,
        concurrency_max: asked.scaling_config.map(|config| number(config.maximum_concurrency)),
        parallelization_factor: number(asked.parallelization_factor),
        on_failure: on_failure(asked.destination_config)?,
        record_age_seconds_max: asked.maximum_record_age_in_seconds,
        retries_max: asked.maximum_retry_attempts,
        bisect: asked.bisect_batch_on_function_error,
        tumbling_window_seconds: number(asked.tumbling_window_in_seconds),
    };
    Ok(NewMapping { source, starting_position, settings, tags })
}

/// Reads a change of a mapping.
pub(crate) fn change(
    api: &LambdaApi,
    action: &str,
    asked: UpdateEventSourceMappingRequest,
) -> Result<MappingChange, ApiError> {
    refuse_if(asked.kms_key_arn.as_deref().is_some_and(|arn| !arn.is_empty()), "KMSKeyArn")?;
    let metrics = asked.metrics_config.and_then(|config| config.metrics);
    refuse_if(metrics.is_some_and(|metrics| !metrics.is_empty()), "MetricsConfig")?;
    refuse_if(asked.logging_config.is_some(), "LoggingConfig")?;
    refuse_if(asked.provisioned_poller_config.is_some(), "ProvisionedPollerConfig")?;
    let of_other_sources = [
        (asked.source_access_configurations.is_some(), "SourceAccessConfigurations"),
        (asked.amazon_managed_kafka_event_source_config.is_some(), "AmazonManagedKafkaEventSourceConfig"),
        (asked.self_managed_kafka_event_source_config.is_some(), "SelfManagedKafkaEventSourceConfig"),
        (asked.document_db_event_source_config.is_some(), "DocumentDBEventSourceConfig"),
    ];
    if let Some((_, member)) = of_other_sources.iter().find(|(is_set, _)| *is_set) {
        return Err(ApiError::invalid_parameter(format!(
            "Unsupported {member} parameter for given event source mapping type."
        )));
    }
    Ok(MappingChange {
        function: asked.function_name.map(|name| function(api, action, &name)).transpose()?,
        enabled: asked.enabled,
        batch_size: number(asked.batch_size),
        window_seconds: number(asked.maximum_batching_window_in_seconds),
        filters: asked.filter_criteria.map(patterns),
        response_types: asked.function_response_types,
        concurrency_max: asked.scaling_config.map(|config| number(config.maximum_concurrency)),
        parallelization_factor: number(asked.parallelization_factor),
        on_failure: on_failure(asked.destination_config)?,
        record_age_seconds_max: asked.maximum_record_age_in_seconds,
        retries_max: asked.maximum_retry_attempts,
        bisect: asked.bisect_batch_on_function_error,
        tumbling_window_seconds: number(asked.tumbling_window_in_seconds),
    })
}

fn function(
    api: &LambdaApi,
    action: &str,
    name: &str,
) -> Result<(FunctionName, Option<Qualifier>), ApiError> {
    let Target { name, qualifier } = target(api, action, name, None)?;
    Ok((name, qualifier))
}

/// Reads from where a stream is read. AWS needs to be told, and refuses a queue that is told.
fn starting_position(
    source: &Source,
    position: Option<&str>,
    timestamp: Option<f64>,
) -> Result<Option<StartingPosition>, ApiError> {
    Ok(Some(match position {
        None if source.kind.is_queue() => return Ok(None),
        None => {
            return Err(ApiError::invalid_parameter(
                "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must \
                 not be null.",
            ));
        }
        Some("TRIM_HORIZON") => StartingPosition::TrimHorizon,
        Some("AT_TIMESTAMP") => match timestamp {
            Some(seconds) => StartingPosition::AtTimestamp((seconds * 1_000.0).round() as i64),
            // Whether the source has this position at all comes first.
            None if source.arn.starts_with("arn:aws:dynamodb:") => StartingPosition::AtTimestamp(0),
            None => {
                return Err(ApiError::invalid_parameter(
                    "StartingPositionTimestamp is required for StartingPosition AT_TIMESTAMP.",
                ));
            }
        },
        // The model's check has let only words pass that are known.
        Some(_) => StartingPosition::Latest,
    }))
}

fn patterns(criteria: FilterCriteria) -> Vec<String> {
    let filters = criteria.filters.unwrap_or_default();
    filters.into_iter().map(|filter| filter.pattern.unwrap_or_default()).collect()
}

/// Returns who hears of records that are given up; empty for nobody. Of success nobody can hear.
fn on_failure(config: Option<DestinationConfig>) -> Result<Option<String>, ApiError> {
    let Some(DestinationConfig { on_success, on_failure }) = config else { return Ok(None) };
    let on_success = on_success.and_then(|on_success| on_success.destination).unwrap_or_default();
    if !on_success.is_empty() {
        return Err(ApiError::invalid_parameter(
            "Unsupported DestinationConfig parameter for given event source mapping type.",
        ));
    }
    Ok(Some(on_failure.and_then(|on_failure| on_failure.destination).unwrap_or_default()))
}

/// The model has checked the range.
fn number(number: Option<i64>) -> Option<u32> {
    number.and_then(|number| u32::try_from(number).ok())
}

fn not_polled(what: &str) -> ApiError {
    ApiError::invalid_parameter(format!(
        "Hearth does not poll {what}: it polls Amazon SQS, Amazon Kinesis and Amazon DynamoDB Streams"
    ))
}
