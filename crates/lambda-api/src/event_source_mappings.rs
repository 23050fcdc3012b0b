//! CreateEventSourceMapping, GetEventSourceMapping, ListEventSourceMappings, UpdateEventSourceMapping,
//! DeleteEventSourceMapping: which queues and streams are polled for which function. What is asked for is read by
//! [`crate::event_source_mapping_input`].

use std::sync::Arc;

use hearth_aws_wire::{Response, json_response};
use hearth_event_sources::{
    DescribedMapping, EventSources, Mapping, MappingError, MappingFilter, Source, SourceKind,
};
use hearth_functions::FunctionsError;
use http::{Request, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::event_source_mapping_input::{change, new_mapping};
use crate::function_name::{Target, target};
use crate::generated::shapes::{
    CreateEventSourceMappingRequest, DeleteEventSourceMappingRequest, GetEventSourceMappingRequest,
    ListEventSourceMappingsRequest, UpdateEventSourceMappingRequest,
};
use crate::routes::Call;
use crate::{LambdaApi, input, layers};

/// How many entries a page has. AWS caps its pages, too.
const PAGE: usize = 100;

/// Answers CreateEventSourceMapping.
pub(crate) async fn answer_create(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: CreateEventSourceMappingRequest = input::whole(api, operation, labels, request).await?;
    let event_sources = event_sources(api)?;
    let new = new_mapping(api, operation.name, asked)?;
    let (source, function) = (new.source.clone(), new.settings.function.clone());
    let name = function.map(|(name, _)| name.to_string()).unwrap_or_default();
    let described = event_sources.create(new).await.map_err(|error| refusal(error, &source, &name))?;
    Ok(answer(event_sources, api, StatusCode::ACCEPTED, &described))
}

/// Answers GetEventSourceMapping.
pub(crate) fn answer_get<B>(api: &LambdaApi, call: Call, request: &Request<B>) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: GetEventSourceMappingRequest = input::of_head(operation, labels, request)?;
    let event_sources = event_sources(api)?;
    let described = event_sources.get(&asked.uuid.unwrap_or_default())?;
    Ok(answer(event_sources, api, StatusCode::OK, &described))
}

/// Answers ListEventSourceMappings. A marker names the last UUID of the page before.
pub(crate) fn answer_list<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: ListEventSourceMappingsRequest = input::of_head(operation, labels, request)?;
    let event_sources = event_sources(api)?;
    let after = layers::read_marker(asked.marker.as_deref(), |uuid| Some(uuid.to_owned()))?;
    let function = match asked.function_name {
        Some(name) => {
            let Target { name, qualifier } = target(api, operation.name, &name, None)?;
            Some((name, qualifier))
        }
        None => None,
    };
    let filter = MappingFilter { source_arn: asked.event_source_arn, function };
    let items = asked.max_items.map_or(PAGE, |items| usize::try_from(items).unwrap_or(1)).min(PAGE);
    let (page, has_more) = event_sources.list(&filter, after.as_deref(), items);
    let mappings: Vec<Value> = page.iter().map(|described| describe(event_sources, api, described)).collect();
    let mut reply = json!({ "EventSourceMappings": mappings });
    if let Some(last) = page.last().filter(|_| has_more) {
        reply["NextMarker"] = layers::marker(&last.mapping.record.uuid).into();
    }
    Ok(json_response(StatusCode::OK, reply.to_string()))
}

/// Answers UpdateEventSourceMapping.
pub(crate) async fn answer_update(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: UpdateEventSourceMappingRequest = input::whole(api, operation, labels, request).await?;
    let event_sources = event_sources(api)?;
    let uuid = asked.uuid.clone().unwrap_or_default();
    let current = event_sources.get(&uuid)?.mapping;
    let change = change(api, operation.name, asked)?;
    let name = change.function.as_ref().map_or(&current.function, |(name, _)| name).to_string();
    let described = match event_sources.update(&uuid, change).await {
        Err(MappingError::InUse { .. }) => return Err(ApiError::mapping_in_use("update")),
        updated => updated.map_err(|error| refusal(error, &current.source, &name))?,
    };
    Ok(answer(event_sources, api, StatusCode::ACCEPTED, &described))
}

/// Answers DeleteEventSourceMapping.
pub(crate) async fn answer_delete<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: DeleteEventSourceMappingRequest = input::of_head(operation, labels, request)?;
    let event_sources = event_sources(api)?;
    let described = event_sources.delete(&asked.uuid.unwrap_or_default()).await?;
    Ok(answer(event_sources, api, StatusCode::ACCEPTED, &described))
}

/// Returns the event sources of this server.
pub(crate) fn event_sources(api: &LambdaApi) -> Result<&Arc<EventSources>, ApiError> {
    api.event_sources.as_ref().ok_or_else(|| ApiError::not_implemented("event source mappings"))
}

fn answer(
    event_sources: &EventSources,
    api: &LambdaApi,
    status: StatusCode,
    described: &DescribedMapping,
) -> Response {
    json_response(status, describe(event_sources, api, described).to_string())
}

/// As AWS shows it: each source has members of its own.
fn describe(event_sources: &EventSources, api: &LambdaApi, described: &DescribedMapping) -> Value {
    let DescribedMapping { mapping, state, last_result } = described;
    let Mapping { record, source, function, qualifier, .. } = &**mapping;
    let is_queue = source.kind.is_queue();
    let mut shown = json!({
        "UUID": record.uuid,
        "EventSourceMappingArn": event_sources.arn(&record.uuid),
        "EventSourceArn": record.event_source_arn,
        "FunctionArn": api.functions.arn(function, qualifier.clone()).to_string(),
        "BatchSize": record.batch_size,
        "FunctionResponseTypes": record.response_types,
        "LastModified": record.last_modified_ms as f64 / 1_000.0,
        "State": state.as_str(),
        "StateTransitionReason": if is_queue { "USER_INITIATED" } else { "User action" },
    });
    if source.kind != SourceKind::SqsFifo {
        shown["MaximumBatchingWindowInSeconds"] = record.window_seconds.into();
    }
    if !record.filters.is_empty() {
        let filters: Vec<Value> =
            record.filters.iter().map(|pattern| json!({ "Pattern": pattern })).collect();
        shown["FilterCriteria"] = json!({ "Filters": filters });
    }
    if let Some(concurrency_max) = record.concurrency_max {
        shown["ScalingConfig"] = json!({ "MaximumConcurrency": concurrency_max });
    }
    if is_queue {
        return shown;
    }
    shown["LastProcessingResult"] = last_result.as_str().into();
    shown["StartingPosition"] = record.starting_position.as_deref().into();
    if let Some(timestamp_ms) = record.starting_timestamp_ms {
        shown["StartingPositionTimestamp"] = (timestamp_ms as f64 / 1_000.0).into();
    }
    shown["ParallelizationFactor"] = record.parallelization_factor.into();
    shown["MaximumRecordAgeInSeconds"] = record.record_age_seconds_max.into();
    shown["MaximumRetryAttempts"] = record.retries_max.into();
    shown["BisectBatchOnFunctionError"] = record.bisect.into();
    shown["TumblingWindowInSeconds"] = record.tumbling_window_seconds.into();
    shown["DestinationConfig"] = match &record.on_failure {
        Some(arn) => json!({ "OnFailure": { "Destination": arn } }),
        None => json!({ "OnFailure": {} }),
    };
    shown
}

/// Says what is wrong with a mapping of `source` and `function`, as AWS does.
fn refusal(error: MappingError, source: &Source, function: &str) -> ApiError {
    match error {
        MappingError::Duplicate { uuid } if source.kind.is_queue() => ApiError::conflict(format!(
            "An event source mapping with SQS arn (\" {} \") and function (\" {function} \") already exists. Please \
             update or delete the existing mapping with UUID {uuid}",
            source.arn
        )),
        MappingError::Duplicate { uuid } => ApiError::conflict(format!(
            "The event source arn (\" {} \") and function (\" {function} \") provided mapping already exists. Please \
             update or delete the existing mapping with UUID {uuid}",
            source.arn
        )),
        MappingError::NoSource { reason, .. } if source.kind.is_queue() => {
            let is_missing = reason.contains("NonExistentQueue") || reason.contains("QueueDoesNotExist");
            ApiError::invalid_parameter(match is_missing {
                true => "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. \
                         SQS Error Message: The specified queue does not exist."
                    .to_owned(),
                false => format!("Error occurred while ReceiveMessage. SQS Error Message: {reason}"),
            })
        }
        MappingError::NoSource { reason, .. } if reason.contains("ResourceNotFoundException") => {
            ApiError::invalid_parameter(format!("Stream not found: {}", source.arn))
        }
        error => error.into(),
    }
}

impl From<MappingError> for ApiError {
    fn from(error: MappingError) -> Self {
        match error {
            MappingError::NotFound { .. } => Self::not_found("The resource you requested does not exist."),
            MappingError::NoFunction { .. } => Self::invalid_parameter("Function does not exist"),
            MappingError::InUse { .. } => Self::mapping_in_use("delete"),
            MappingError::Rule(rule) => Self::invalid_parameter(rule.0),
            MappingError::NoEndpoint => Self::invalid_parameter(
                "This server polls no event sources: it was started without `--aws-endpoint`, which says where queues and \
                 streams are.",
            ),
            MappingError::NoSource { arn, reason } => {
                Self::invalid_parameter(format!("The event source {arn} cannot be polled: {reason}"))
            }
            MappingError::Duplicate { uuid } => {
                Self::conflict(format!("The event source mapping {uuid} already exists."))
            }
            MappingError::TooManyTags => FunctionsError::TooManyTags.into(),
            MappingError::Store(error) => Self::service(&error),
        }
    }
}
