//! Invoke of a durable function: it starts an execution, which invokes the function as often as it takes.

use std::sync::Arc;

use hearth_aws_wire::{Body, Response};
use hearth_durable::{Begun, DurableExecutions, SYNC_EXECUTION_S_MAX, StartRequest};
use hearth_functions::ResolvedVersion;
use hearth_invoke::InvokeRequest;
use hearth_types::TraceHeader;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, StatusCode};

use crate::LambdaApi;
use crate::error::ApiError;
use crate::invoke::{Head, set};

/// A durable function that is invoked.
pub(crate) struct Durable {
    executions: Arc<DurableExecutions>,
    version: Arc<ResolvedVersion>,
}

/// Returns the version that is invoked when it is durable, and refuses what goes only with one that is, or only with one that
/// is not.
pub(crate) fn find(api: &LambdaApi, head: &Head) -> Result<Option<Durable>, ApiError> {
    let Some(executions) = &api.durable else {
        return match head.durable_execution_name {
            None => Ok(None),
            Some(_) => Err(not_durable()),
        };
    };
    let target = &head.target;
    let version = match api.functions.resolve(&target.name, target.qualifier.as_ref()) {
        Ok(version) if version.configuration.durable.is_some() => version,
        Ok(_) if head.durable_execution_name.is_some() => return Err(not_durable()),
        // Whoever runs it says what is wrong.
        Ok(_) | Err(_) => return Ok(None),
    };
    if target.qualifier.is_none() {
        return Err(ApiError::invalid_parameter(
            "You cannot invoke a durable function using an unqualified ARN.",
        ));
    }
    Ok(Some(Durable { executions: executions.clone(), version }))
}

fn not_durable() -> ApiError {
    ApiError::invalid_parameter("You cannot name a durable execution of a function that is not durable.")
}

pub(crate) async fn answer(
    api: &LambdaApi,
    durable: Durable,
    name: Option<String>,
    invocation_type: &str,
    request: InvokeRequest,
) -> Result<Response, ApiError> {
    let Durable { executions, version } = durable;
    let timeout_s = version.configuration.durable.as_ref().map(|durable| durable.execution_timeout_s);
    if invocation_type != "Event" && timeout_s.is_some_and(|timeout_s| timeout_s > SYNC_EXECUTION_S_MAX) {
        return Err(ApiError::invalid_parameter(
            "You cannot synchronously invoke a durable function with an executionTimeout greater than 15 minutes.",
        ));
    }
    let start = StartRequest { name, input: request.payload, trace: request.trace };
    let begun = executions.begin(&version, start).await?;
    if invocation_type == "Event" {
        let mut accepted = http::Response::new(Body::default());
        *accepted.status_mut() = StatusCode::ACCEPTED;
        set_common(accepted.headers_mut(), &begun);
        return Ok(accepted);
    }
    let record = executions.wait(&begun.id).await?;
    let trace =
        TraceHeader::from_caller(&begun.trace).unwrap_or_else(|| TraceHeader::generate(api.clock.epoch_ms()));
    let response = executions.answer(&record, version.version, trace);
    let mut answer = http::Response::new(Body::new(response.payload));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    set(headers, "x-amz-executed-version", &record.version);
    set_common(headers, &begun);
    if response.function_error {
        set(headers, "x-amz-function-error", "Unhandled");
    }
    Ok(answer)
}

fn set_common(headers: &mut HeaderMap, begun: &Begun) {
    set(headers, "x-amzn-remapped-content-length", "0");
    set(headers, "x-amzn-trace-id", &begun.trace);
    set(headers, "x-amz-durable-execution-arn", &begun.arn);
}
