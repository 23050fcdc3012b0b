//! Durable executions as their owner sees them: one, its history, those of a function; and stopping, pausing, resuming and
//! deleting one.

use std::sync::Arc;

use hearth_aws_wire::{Response, json_response};
use hearth_durable::wire::{self, seconds};
use hearth_durable::{
    DurableExecutionArn, DurableExecutions, ErrorObject, Execution, ExecutionFilter, ExecutionRecord,
};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::function_name::target;
use crate::generated::Shape;
use crate::generated::shapes::{
    DeleteDurableExecutionRequest, ErrorObject as WireError, GetDurableExecutionHistoryRequest,
    GetDurableExecutionRequest, ListDurableExecutionsByFunctionRequest, PauseDurableExecutionRequest,
    ResumeDurableExecutionRequest,
};
use crate::routes::Call;
use crate::{LambdaApi, durable_checkpoint, input, layers, validation};

/// How many entries a page has when nobody says, and at most. The second is the model's; the first is AWS's local runner's for
/// tests of durable functions, read 2026-11.
const PAGE: (u32, u32) = (100, 1_000);

/// Returns who keeps durable executions.
pub(crate) fn executions<'a>(
    api: &'a LambdaApi,
    operation: &str,
) -> Result<&'a Arc<DurableExecutions>, ApiError> {
    api.durable.as_ref().ok_or_else(|| ApiError::not_implemented(operation))
}

/// Reads an ARN that satisfies the model.
pub(crate) fn arn(text: Option<&str>) -> Result<DurableExecutionArn, ApiError> {
    let text = text.unwrap_or_default();
    DurableExecutionArn::parse(text)
        .ok_or_else(|| ApiError::invalid_parameter(format!("Invalid durable execution ARN: {text}")))
}

/// Reads a body that is an error object, or nothing.
pub(crate) fn read_error(
    shape: &'static Shape,
    mut head: Map<String, Value>,
    body: &[u8],
) -> Result<Option<ErrorObject>, ApiError> {
    let mut error = None;
    if !body.iter().all(u8::is_ascii_whitespace) {
        let value: Value = serde_json::from_slice(body).map_err(|error| {
            ApiError::serialization(format!("Could not parse request body into json: {error}"))
        })?;
        head.insert("Error".to_owned(), value.clone());
        error = Some(value);
    }
    validation::check(shape, &Value::Object(head))?;
    let Some(error) = error.filter(|error| !error.is_null()) else { return Ok(None) };
    let error: WireError =
        serde_json::from_value(error).map_err(|error| ApiError::serialization(error.to_string()))?;
    Ok(Some(durable_checkpoint::error(error)))
}

pub(crate) async fn answer_get<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: GetDurableExecutionRequest = input::of_head(operation, labels, request)?;
    let executions = executions(api, operation.name)?;
    let execution = executions.get(&arn(asked.durable_execution_arn.as_deref())?).await?;
    let data = asked.include_execution_data != Some(false);
    Ok(json_response(StatusCode::OK, describe(api, executions, &execution, data).to_string()))
}

fn describe(api: &LambdaApi, executions: &DurableExecutions, execution: &Execution, data: bool) -> Value {
    let record = execution.record();
    let mut shown = summary(api, executions, record);
    shown["Version"] = record.version.as_str().into();
    shown["TraceHeader"] = json!({ "XAmznTraceId": record.trace });
    shown["ExecutionDataIncluded"] = data.into();
    shown["DurableConfig"] = json!({
        "RetentionPeriodInDays": record.retention_days,
        "ExecutionTimeout": record.timeout_s,
    });
    if let Some(key) = &record.kms_key_arn {
        shown["DurableConfig"]["KMSKeyArn"] = key.as_str().into();
    }
    if data {
        shown["InputPayload"] = execution.input().into();
        if let Some(result) = &record.result {
            shown["Result"] = result.as_str().into();
        }
        if let Some(error) = &record.error {
            shown["Error"] = wire::error(error);
        }
    }
    match &record.pause {
        Some(pause) => {
            shown["PauseDetails"] = json!({
                "PauseRequestTimestamp": seconds(pause.requested_ms),
                "ExecutionTimeoutPaused": pause.timeout_paused,
            });
            if let Some(reason) = &pause.reason {
                shown["PauseDetails"]["Reason"] = reason.as_str().into();
            }
            if !pause.timeout_paused {
                shown["ExpectedExecutionTimeoutTimestamp"] = seconds(record.deadline_ms);
            }
        }
        None if !record.status.is_final() => {
            shown["ExpectedExecutionTimeoutTimestamp"] = seconds(record.deadline_ms);
        }
        None => {}
    }
    shown
}

fn summary(api: &LambdaApi, executions: &DurableExecutions, record: &ExecutionRecord) -> Value {
    let settings = api.functions.settings();
    let mut shown = json!({
        "DurableExecutionArn": executions.arn_of(record),
        "DurableExecutionName": record.name,
        "FunctionArn": format!(
            "arn:aws:lambda:{}:{}:function:{}:{}",
            settings.region, settings.account, record.function, record.version
        ),
        "Status": record.shown_status().as_str(),
        "StartTimestamp": seconds(record.started_ms),
    });
    if let Some(ended_ms) = record.ended_ms {
        shown["EndTimestamp"] = seconds(ended_ms);
    }
    shown
}

/// How many entries a page has.
fn page(max_items: Option<i64>) -> u32 {
    match max_items.and_then(|items| u32::try_from(items).ok()) {
        None | Some(0) => PAGE.0,
        Some(items) => items.min(PAGE.1),
    }
}

pub(crate) async fn answer_history<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: GetDurableExecutionHistoryRequest = input::of_head(operation, labels, request)?;
    let executions = executions(api, operation.name)?;
    let arn = arn(asked.durable_execution_arn.as_deref())?;
    let downwards = asked.reverse_order == Some(true);
    let from = layers::read_marker(asked.marker.as_deref(), |marker| marker.parse::<u64>().ok())?;
    let from = from.unwrap_or(if downwards { u64::MAX } else { 1 });
    let limit = page(asked.max_items);
    let mut events = executions.history(&arn, from, downwards, limit + 1).await?;
    let next = (events.len() > limit as usize).then(|| events.pop()).flatten();
    let data = asked.include_execution_data == Some(true);
    let shown: Vec<Value> = events.iter().map(|event| wire::history(event, data)).collect();
    let mut reply = json!({ "Events": shown });
    if let Some(next) = next {
        reply["NextMarker"] = layers::marker(&next.id.to_string()).into();
    }
    Ok(json_response(StatusCode::OK, reply.to_string()))
}

pub(crate) async fn answer_list<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: ListDurableExecutionsByFunctionRequest = input::of_head(operation, labels, request)?;
    let executions = executions(api, operation.name)?;
    let name = asked.function_name.unwrap_or_default();
    let target = target(api, operation.name, &name, asked.qualifier.as_deref())?;
    api.functions.get(&target.name)?;
    let version = match &target.qualifier {
        None => None,
        Some(qualifier) => Some(api.functions.resolve(&target.name, Some(qualifier))?.version.to_string()),
    };
    let after = layers::read_marker(asked.marker.as_deref(), |marker| {
        let (started_ms, id) = marker.split_once(':')?;
        Some((started_ms.parse().ok()?, id.to_owned()))
    })?;
    let limit = page(asked.max_items);
    let filter = ExecutionFilter {
        function: target.name.to_string(),
        version,
        name: asked.durable_execution_name,
        statuses: asked.statuses.unwrap_or_default(),
        started_after_ms: asked.started_after.as_deref().map(time).transpose()?,
        started_before_ms: asked.started_before.as_deref().map(time).transpose()?,
        youngest_first: asked.reverse_order == Some(true),
        after,
        limit: limit + 1,
    };
    let mut found = executions.list(filter).await?;
    let has_more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let shown: Vec<Value> = found
        .iter()
        .map(|record| {
            let mut shown = summary(api, executions, record);
            if let Some(key) = &record.kms_key_arn {
                shown["KMSKeyArn"] = key.as_str().into();
            }
            shown
        })
        .collect();
    let mut reply = json!({ "DurableExecutions": shown });
    if let Some(last) = found.last().filter(|_| has_more) {
        reply["NextMarker"] = layers::marker(&format!("{}:{}", last.started_ms, last.id)).into();
    }
    Ok(json_response(StatusCode::OK, reply.to_string()))
}

/// Reads a time of a query: ISO 8601, or seconds since 1970.
fn time(text: &str) -> Result<i64, ApiError> {
    if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
        return Ok(timestamp.as_millisecond());
    }
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() => Ok((seconds * 1_000.0) as i64),
        _ => Err(ApiError::serialization(format!("{text} can not be converted to a Timestamp"))),
    }
}

pub(crate) async fn answer_stop(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let head = input::head(operation.input, labels, &request);
    let body = input::body(operation.name, request).await?;
    let head = head?;
    let label = head.get("DurableExecutionArn").and_then(Value::as_str).map(str::to_owned);
    let error = read_error(operation.input, head, &body)?;
    let executions = executions(api, operation.name)?;
    let ended_ms = executions.stop_execution(&arn(label.as_deref())?, error).await?;
    Ok(json_response(StatusCode::OK, json!({ "StopTimestamp": seconds(ended_ms) }).to_string()))
}

pub(crate) async fn answer_pause(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: PauseDurableExecutionRequest = input::whole(api, operation, labels, request).await?;
    let executions = executions(api, operation.name)?;
    let arn = arn(asked.durable_execution_arn.as_deref())?;
    executions.pause(&arn, asked.reason, asked.execution_timeout_paused == Some(true)).await?;
    Ok(json_response(StatusCode::ACCEPTED, "{}"))
}

pub(crate) async fn answer_resume(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: ResumeDurableExecutionRequest = input::whole(api, operation, labels, request).await?;
    let executions = executions(api, operation.name)?;
    executions.resume(&arn(asked.durable_execution_arn.as_deref())?, asked.reason).await?;
    Ok(json_response(StatusCode::ACCEPTED, "{}"))
}

pub(crate) async fn answer_delete<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: DeleteDurableExecutionRequest = input::of_head(operation, labels, request)?;
    let executions = executions(api, operation.name)?;
    let now_ms = executions.delete(&arn(asked.durable_execution_arn.as_deref())?).await?;
    let reply = json!({ "DeletionRequestTimestamp": seconds(now_ms) });
    Ok(json_response(StatusCode::ACCEPTED, reply.to_string()))
}
