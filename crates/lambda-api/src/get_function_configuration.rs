//! GetFunctionConfiguration: what most waiters poll.

use std::sync::Arc;

use hearth_aws_wire::{Response, json_response};
use hearth_functions::Function;
use hearth_types::{Qualifier, Version};
use http::{Request, StatusCode};

use crate::error::ApiError;
use crate::function_name::target;
use crate::generated::Shape;
use crate::generated::constraints::GET_FUNCTION_CONFIGURATION_REQUEST;
use crate::generated::shapes::FunctionConfiguration;
use crate::{LambdaApi, configuration, input};

pub(crate) fn answer<B>(
    api: &LambdaApi,
    labels: Vec<String>,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let shape = &GET_FUNCTION_CONFIGURATION_REQUEST;
    let (_, described) = find(api, shape, "GetFunctionConfiguration", &labels, request)?;
    let text = serde_json::to_vec(&described).map_err(|error| ApiError::service(&error))?;
    Ok(json_response(StatusCode::OK, text))
}

/// Finds the function that a request names, and describes it.
pub(crate) fn find<B>(
    api: &LambdaApi,
    shape: &'static Shape,
    action: &str,
    labels: &[String],
    request: &Request<B>,
) -> Result<(Arc<Function>, FunctionConfiguration), ApiError> {
    let query = input::of_query(request, &["Qualifier"], &[])?;
    let qualifier = query.first().and_then(|(_, value)| value.as_str());
    let name = labels.first().map(String::as_str).unwrap_or_default();
    let target = target(api, shape, action, name, qualifier)?;
    let function = api.functions.get(&target.name)?;
    match &target.qualifier {
        None | Some(Qualifier::Version(Version::Latest)) => {}
        Some(Qualifier::Version(Version::Number(_)) | Qualifier::Alias(_)) => {
            let arn = api.functions.arn(&target.name, target.qualifier);
            return Err(ApiError::not_found(format!("Function not found: {arn}")));
        }
    }
    let described = configuration::describe(api, &function, target.qualifier);
    Ok((function, described))
}
