//! The three answers to a callback of a durable execution: it succeeded, it failed, it is still being worked on.

use hearth_aws_wire::{Response, json_response};
use hearth_durable::OperationEnd;
use http::{Request, StatusCode};
use hyper::body::Incoming;
use serde_json::{Map, Value};

use crate::durable_executions::{executions, read_error};
use crate::error::ApiError;
use crate::routes::Call;
use crate::{LambdaApi, input, validation};

/// How large the result of a callback may be, in bytes. Source: the service model.
const RESULT_BYTES_MAX: usize = 1 << 20;

fn callback_id(head: &Map<String, Value>) -> String {
    head.get("CallbackId").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn done() -> Result<Response, ApiError> {
    Ok(json_response(StatusCode::OK, "{}"))
}

pub(crate) async fn answer_success(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let head = input::head(operation.input, labels, &request);
    let body = input::body(operation.name, request).await?;
    let head = head?;
    let callback_id = callback_id(&head);
    validation::check(operation.input, &Value::Object(head))?;
    if body.len() > RESULT_BYTES_MAX {
        return Err(ApiError::validation(format!(
            "1 validation error detected: Value at 'result' failed to satisfy constraint: Member must have length less \
             than or equal to {RESULT_BYTES_MAX}"
        )));
    }
    let result = match std::str::from_utf8(&body) {
        Ok("") => None,
        Ok(text) => Some(text.to_owned()),
        Err(_) => return Err(ApiError::invalid_parameter("The result of a callback must be UTF-8 text.")),
    };
    executions(api, operation.name)?.answer_callback(&callback_id, OperationEnd::Succeeded(result)).await?;
    done()
}

pub(crate) async fn answer_failure(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let head = input::head(operation.input, labels, &request);
    let body = input::body(operation.name, request).await?;
    let head = head?;
    let callback_id = callback_id(&head);
    let error = read_error(operation.input, head, &body)?.unwrap_or_default();
    executions(api, operation.name)?.answer_callback(&callback_id, OperationEnd::Failed(error)).await?;
    done()
}

pub(crate) async fn answer_heartbeat<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let head = input::head(operation.input, labels, request)?;
    let callback_id = callback_id(&head);
    validation::check(operation.input, &Value::Object(head))?;
    executions(api, operation.name)?.hear_of_callback(&callback_id).await?;
    done()
}
