//! UpdateFunctionConfiguration: what is not named stays; an explicit empty value clears.

use hearth_aws_wire::{Response, json_response};
use hearth_functions::ConfigurationChange;
use hearth_types::TracingMode;
use http::{Request, StatusCode};
use hyper::body::Incoming;

use crate::error::ApiError;
use crate::function_name::changeable;
use crate::generated::constraints::UPDATE_FUNCTION_CONFIGURATION_REQUEST;
use crate::generated::shapes::UpdateFunctionConfigurationRequest;
use crate::{LambdaApi, configuration, input, unsupported};

pub(crate) async fn answer(
    api: &LambdaApi,
    labels: Vec<String>,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let name = labels.into_iter().next().unwrap_or_default();
    let function_name =
        changeable(api, &UPDATE_FUNCTION_CONFIGURATION_REQUEST, "UpdateFunctionConfiguration", &name)?;
    let body = input::body("UpdateFunctionConfiguration", request).await?;
    let outside = vec![("FunctionName", name.into())];
    let request: UpdateFunctionConfigurationRequest =
        input::read(&UPDATE_FUNCTION_CONFIGURATION_REQUEST, outside, &body)?;
    unsupported::check_update_configuration(&request)?;
    let environment = request.environment.map(|environment| environment.variables.unwrap_or_default());
    let not_empty = |value: String| Some(value).filter(|value| !value.is_empty());
    let change = ConfigurationChange {
        role: request.role,
        runtime: request.runtime.as_deref().map(configuration::runtime).transpose()?,
        handler: request.handler,
        description: request.description,
        timeout: request.timeout.map(configuration::timeout).transpose()?,
        memory: request.memory_size.map(configuration::memory).transpose()?,
        ephemeral_storage_mb: request
            .ephemeral_storage
            .as_ref()
            .map(configuration::ephemeral_storage)
            .transpose()?,
        environment: environment.map(configuration::variables).transpose()?,
        tracing_mode: request.tracing_config.and_then(|config| TracingMode::parse(&config.mode?)),
        dead_letter_target: request.dead_letter_config.map(|config| config.target_arn.and_then(not_empty)),
        kms_key_arn: request.kms_key_arn.map(not_empty),
        logging: match &request.logging_config {
            None => None,
            Some(config) => {
                let current = api.functions.get(&function_name)?;
                Some(configuration::logging(config, &current.configuration.logging)?)
            }
        },
        revision_id: request.revision_id,
    };
    let function = api.functions.update_configuration(&function_name, change).await?;
    let described = configuration::describe(api, &function, None);
    let text = serde_json::to_vec(&described).map_err(|error| ApiError::service(&error))?;
    Ok(json_response(StatusCode::OK, text))
}
