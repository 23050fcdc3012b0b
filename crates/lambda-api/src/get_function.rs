//! GetFunction: the configuration, and where the code can be fetched.

use hearth_aws_wire::{Response, json_response};
use http::{Request, StatusCode};

use crate::error::ApiError;
use crate::generated::constraints::GET_FUNCTION_REQUEST;
use crate::generated::shapes::{FunctionCodeLocation, GetFunctionResponse};
use crate::{LambdaApi, code_location, get_function_configuration};

pub(crate) fn answer<B>(
    api: &LambdaApi,
    labels: Vec<String>,
    request: Request<B>,
) -> Result<Response, ApiError> {
    let (function, described) =
        get_function_configuration::find(api, &GET_FUNCTION_REQUEST, "GetFunction", &labels, &request)?;
    let reply = GetFunctionResponse {
        configuration: Some(described),
        code: Some(FunctionCodeLocation {
            repository_type: Some("S3".to_owned()),
            location: Some(code_location::location(api, &request, function.code_sha256)),
            ..Default::default()
        }),
        tags: Some(function.tags.clone()).filter(|tags| !tags.is_empty()),
        ..Default::default()
    };
    let text = serde_json::to_vec(&reply).map_err(|error| ApiError::service(&error))?;
    Ok(json_response(StatusCode::OK, text))
}
