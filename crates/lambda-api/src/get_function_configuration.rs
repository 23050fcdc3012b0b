//! GetFunctionConfiguration: what most waiters poll.

use std::sync::Arc;

use hearth_aws_wire::{Response, json_response};
use hearth_functions::{Function, FunctionsError};
use hearth_types::{Qualifier, Version};
use http::{Request, StatusCode};

use crate::error::ApiError;
use crate::function_name::target;
use crate::generated::shapes::{FunctionConfiguration, GetFunctionConfigurationRequest};
use crate::routes::Call;
use crate::{LambdaApi, configuration, input};

pub(crate) fn answer<B>(api: &LambdaApi, call: Call, request: &Request<B>) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: GetFunctionConfigurationRequest =
        input::read(operation.input, input::head(operation.input, labels, request)?, b"")?;
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
    // Who asked for a qualifier is answered with it.
    let not_found = || {
        let arn = api.functions.arn(&target.name, target.qualifier.clone());
        ApiError::not_found(format!("Function not found: {arn}"))
    };
    match &target.qualifier {
        None | Some(Qualifier::Version(Version::Latest)) => {}
        Some(Qualifier::Version(Version::Number(_)) | Qualifier::Alias(_)) => return Err(not_found()),
    }
    let function = api.functions.get(&target.name).map_err(|error| match error {
        FunctionsError::NotFound { .. } => not_found(),
        error => error.into(),
    })?;
    let described = configuration::describe(api, &function, target.qualifier);
    Ok((function, described))
}
