//! CheckpointDurableExecution and GetDurableExecutionState: what the SDK inside a durable function calls.

use hearth_aws_wire::{Response, json_response};
use hearth_durable::wire::{self, Times};
use hearth_durable::{
    Action, CheckpointError, DurableError, ErrorObject, OperationRecord, OperationType, OperationUpdate,
};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::durable_executions::{arn, executions};
use crate::error::ApiError;
use crate::generated::shapes::{
    CheckpointDurableExecutionRequest, ErrorObject as WireError, GetDurableExecutionStateRequest,
    OperationUpdate as WireUpdate,
};
use crate::routes::Call;
use crate::{LambdaApi, input};

/// How many operations a page has when nobody says, and at most. Source: AWS's local runner for tests of durable functions,
/// read 2026-11.
const PAGE: (usize, usize) = (100, 1_000);

pub(crate) async fn answer(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: CheckpointDurableExecutionRequest = input::whole(api, operation, labels, request).await?;
    let executions = executions(api, operation.name)?;
    let arn = arn(asked.durable_execution_arn.as_deref())?;
    let token = asked.checkpoint_token.unwrap_or_default();
    let updates = asked.updates.unwrap_or_default().into_iter().map(update).collect::<Result<Vec<_>, _>>()?;
    let done = executions.checkpoint(&arn, &token, updates, asked.client_token.as_deref()).await;
    let done = done.map_err(of_function)?;
    let mut reply = json!({ "NewExecutionState": { "Operations": shown(&done.operations) } });
    if let Some(token) = done.token {
        reply["CheckpointToken"] = token.into();
    }
    Ok(json_response(StatusCode::OK, reply.to_string()))
}

pub(crate) async fn answer_state<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: GetDurableExecutionStateRequest = input::of_head(operation, labels, request)?;
    let executions = executions(api, operation.name)?;
    let arn = arn(asked.durable_execution_arn.as_deref())?;
    let token = asked.checkpoint_token.unwrap_or_default();
    let marker = asked.marker.filter(|marker| !marker.is_empty());
    let most = match asked.max_items.and_then(|most| usize::try_from(most).ok()) {
        None | Some(0) => PAGE.0,
        Some(most) => most.min(PAGE.1),
    };
    let page = executions.state(&arn, &token, marker.as_deref(), most).await.map_err(of_function)?;
    let mut reply = json!({ "Operations": shown(&page.operations) });
    if let Some(next) = page.next {
        reply["NextMarker"] = next.to_string().into();
    }
    Ok(json_response(StatusCode::OK, reply.to_string()))
}

fn shown(operations: &[OperationRecord]) -> Vec<Value> {
    operations.iter().map(|operation| wire::operation(operation, Times::Seconds)).collect()
}

/// Neither operation knows ResourceNotFoundException: an execution that is gone has no token.
fn of_function(error: DurableError) -> ApiError {
    match error {
        DurableError::NotFound => DurableError::Checkpoint(CheckpointError::Token).into(),
        error => error.into(),
    }
}

/// Reads an error object.
pub(crate) fn error(error: WireError) -> ErrorObject {
    ErrorObject {
        error_message: error.error_message,
        error_type: error.error_type,
        error_data: error.error_data,
        stack_trace: error.stack_trace,
    }
}

/// Reads an update, whose words and bounds the model has checked.
fn update(update: WireUpdate) -> Result<OperationUpdate, ApiError> {
    let seconds = |value: Option<i64>| value.and_then(|value| u32::try_from(value).ok());
    let kind = update.r#type.as_deref().and_then(OperationType::parse);
    let action = update.action.as_deref().and_then(Action::parse);
    let (Some(kind), Some(action)) = (kind, action) else {
        return Err(ApiError::invalid_parameter("Invalid action for the given operation type."));
    };
    let callback = update.callback_options.unwrap_or_default();
    let chained = update.chained_invoke_options.unwrap_or_default();
    if chained.tenant_id.is_some() {
        return Err(ApiError::invalid_parameter("TenantId is not supported by Hearth yet"));
    }
    Ok(OperationUpdate {
        parent_id: update.parent_id,
        name: update.name,
        sub_type: update.sub_type,
        payload: update.payload,
        error: update.error.map(error),
        replay_children: update.context_options.is_some_and(|options| options.replay_children == Some(true)),
        next_attempt_delay_s: update
            .step_options
            .and_then(|options| seconds(options.next_attempt_delay_seconds)),
        wait_s: update.wait_options.and_then(|options| seconds(options.wait_seconds)),
        callback_timeout_s: seconds(callback.timeout_seconds),
        heartbeat_timeout_s: seconds(callback.heartbeat_timeout_seconds),
        function: chained.function_name,
        ..OperationUpdate::new(&update.id.unwrap_or_default(), kind, action)
    })
}
