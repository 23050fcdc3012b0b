//! GetFunctionRecursionConfig, PutFunctionRecursionConfig: what happens to a function that calls itself.

use hearth_aws_wire::{Response, json_response};
use hearth_functions::RecursiveLoop;
use http::{Request, StatusCode};
use hyper::body::Incoming;

use crate::error::ApiError;
use crate::generated::shapes::{
    GetFunctionRecursionConfigRequest, GetFunctionRecursionConfigResponse, PutFunctionRecursionConfigRequest,
    PutFunctionRecursionConfigResponse,
};
use crate::routes::Call;
use crate::{LambdaApi, function_name, input};

/// Answers GetFunctionRecursionConfig.
pub(crate) fn answer_get<B>(api: &LambdaApi, call: Call, request: &Request<B>) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: GetFunctionRecursionConfigRequest = input::of_head(operation, labels, request)?;
    let name = function_name::changeable(api, operation.name, &asked.function_name.unwrap_or_default())?;
    let recursive_loop = api.functions.get(&name)?.management.recursive_loop;
    let reply =
        GetFunctionRecursionConfigResponse { recursive_loop: Some(recursive_loop.as_str().to_owned()) };
    let text = serde_json::to_vec(&reply).map_err(|error| ApiError::service(&error))?;
    Ok(json_response(StatusCode::OK, text))
}

/// Answers PutFunctionRecursionConfig.
pub(crate) async fn answer_put(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: PutFunctionRecursionConfigRequest = input::whole(api, operation, labels, request).await?;
    let name = function_name::changeable(api, operation.name, &asked.function_name.unwrap_or_default())?;
    // The model's check has let only words pass that are known.
    let word = asked.recursive_loop.unwrap_or_default();
    let recursive_loop = RecursiveLoop::parse(&word).unwrap_or_default();
    api.functions.set_recursive_loop(&name, recursive_loop).await?;
    let reply =
        PutFunctionRecursionConfigResponse { recursive_loop: Some(recursive_loop.as_str().to_owned()) };
    let text = serde_json::to_vec(&reply).map_err(|error| ApiError::service(&error))?;
    Ok(json_response(StatusCode::OK, text))
}
