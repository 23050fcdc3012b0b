//! GetFunctionConfiguration: what most waiters poll.

use std::sync::Arc;

use hearth_aws_wire::{Response, json_response};
use hearth_functions::Function;
use http::{Request, StatusCode};

use crate::error::ApiError;
use crate::function_name::target;
use crate::generated::shapes::{FunctionConfiguration, GetFunctionConfigurationRequest};
use crate::routes::Call;
use crate::{LambdaApi, configuration, input};

pub(crate) fn answer<B>(api: &LambdaApi, call: Call, request: &Request<B>) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: GetFunctionConfigurationRequest = input::of_head(operation, labels, request)?;
    let name = asked.function_name.unwrap_or_default();
    let (_, described) = find(api, operation.name, &name, asked.qualifier.as_deref())?;
    let text = serde_json::to_vec(&described).map_err(|error| ApiError::service(&error))?;
    Ok(json_response(StatusCode::OK, text))
}

/// Finds the function that a request names, and describes it.
pub(crate) fn find(
    api: &LambdaApi,
    action: &str,
    name: &str,
    qualifier: Option<&str>,
) -> Result<(Arc<Function>, FunctionConfiguration), ApiError> {
    let target = target(api, action, name, qualifier)?;
    let function = api.functions.get_qualified(&target.name, target.qualifier.as_ref())?;
    let described = configuration::describe(api, &function, target.qualifier);
    Ok((function, described))
}
