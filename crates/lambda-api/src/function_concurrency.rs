//! PutFunctionConcurrency, GetFunctionConcurrency, DeleteFunctionConcurrency: what a function has reserved of the account's
//! concurrency. It is the function's: its versions and aliases share it.

use hearth_aws_wire::{Body, Response, json_response};
use hearth_functions::{ConcurrencyError, FunctionsError};
use hearth_types::{Qualifier, Version};
use http::{Request, StatusCode};
use hyper::body::Incoming;

use crate::error::ApiError;
use crate::generated::shapes::{
    DeleteFunctionConcurrencyRequest, GetFunctionConcurrencyRequest, GetFunctionConcurrencyResponse,
    PutFunctionConcurrencyRequest,
};
use crate::routes::Call;
use crate::{LambdaApi, function_name, input};

/// Answers PutFunctionConcurrency.
pub(crate) async fn answer_put(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: PutFunctionConcurrencyRequest = input::whole(api, operation, labels, request).await?;
    let name = function_name::changeable(api, operation.name, &asked.function_name.unwrap_or_default())?;
    // What is more than any account has is refused as that.
    let reserved =
        u32::try_from(asked.reserved_concurrent_executions.unwrap_or_default()).unwrap_or(u32::MAX);
    let account_max = api.invoker.account_concurrency();
    let put = api.functions.set_reserved_concurrency(&name, Some(reserved), account_max).await;
    put.map_err(|error| match error {
        ConcurrencyError::Functions(error) => with_latest(error).into(),
        error => ApiError::from(error),
    })?;
    reply(Some(reserved))
}

/// Answers GetFunctionConcurrency.
pub(crate) fn answer_get<B>(api: &LambdaApi, call: Call, request: &Request<B>) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: GetFunctionConcurrencyRequest = input::of_head(operation, labels, request)?;
    let name = function_name::changeable(api, operation.name, &asked.function_name.unwrap_or_default())?;
    let function = api.functions.get(&name).map_err(with_latest)?;
    reply(function.management.reserved_concurrency)
}

/// Answers DeleteFunctionConcurrency.
pub(crate) async fn answer_delete<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: DeleteFunctionConcurrencyRequest = input::of_head(operation, labels, request)?;
    let name = function_name::changeable(api, operation.name, &asked.function_name.unwrap_or_default())?;
    api.functions.set_reserved_concurrency(&name, None, api.invoker.account_concurrency()).await?;
    let mut response = http::Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// As recorded: a function that is not there is named with the qualifier that nobody asked for.
fn with_latest(error: FunctionsError) -> FunctionsError {
    match error {
        FunctionsError::NotFound { arn } => {
            FunctionsError::NotFound { arn: arn.with_qualifier(Some(Qualifier::Version(Version::Latest))) }
        }
        error => error,
    }
}

fn reply(reserved: Option<u32>) -> Result<Response, ApiError> {
    let reply = GetFunctionConcurrencyResponse { reserved_concurrent_executions: reserved.map(i64::from) };
    let text = serde_json::to_vec(&reply).map_err(|error| ApiError::service(&error))?;
    Ok(json_response(StatusCode::OK, text))
}
