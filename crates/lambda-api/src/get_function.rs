//! GetFunction: the configuration, and where the code can be fetched.

use hearth_aws_wire::{Response, json_response};
use http::{Request, StatusCode};

use crate::error::ApiError;
use crate::generated::shapes::{Concurrency, FunctionCodeLocation, GetFunctionRequest, GetFunctionResponse};
use crate::routes::Call;
use crate::{LambdaApi, code_location, get_function_configuration, input};

pub(crate) fn answer<B>(api: &LambdaApi, call: Call, request: &Request<B>) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: GetFunctionRequest = input::of_head(operation, labels, request)?;
    let name = asked.function_name.unwrap_or_default();
    let (function, described) =
        get_function_configuration::find(api, operation.name, &name, asked.qualifier.as_deref())?;
    // Tags and reserved concurrency are the function's, and shown with each of its versions.
    let latest = api.functions.get(&function.configuration.name)?;
    let reply = GetFunctionResponse {
        configuration: Some(described),
        code: Some(FunctionCodeLocation {
            repository_type: Some("S3".to_owned()),
            location: Some(code_location::location(api, request, function.code_sha256)),
            ..Default::default()
        }),
        tags: Some(latest.tags.clone()).filter(|tags| !tags.is_empty()),
        concurrency: latest
            .management
            .reserved_concurrency
            .map(|reserved| Concurrency { reserved_concurrent_executions: Some(reserved.into()) }),
        ..Default::default()
    };
    let text = serde_json::to_vec(&reply).map_err(|error| ApiError::service(&error))?;
    Ok(json_response(StatusCode::OK, text))
}
