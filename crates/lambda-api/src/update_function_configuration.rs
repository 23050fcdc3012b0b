//! UpdateFunctionConfiguration: what is not named stays; an explicit empty value clears.

use hearth_aws_wire::{Response, json_response};
use hearth_functions::ConfigurationChange;
use hearth_types::TracingMode;
use http::{Request, StatusCode};
use hyper::body::Incoming;

use crate::error::ApiError;
use crate::function_name::changeable;
use crate::generated::shapes::UpdateFunctionConfigurationRequest;
use crate::routes::Call;
use crate::{LambdaApi, code_signing, configuration, function_layers, input, unsupported};

pub(crate) async fn answer(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let head = input::head(operation.input, labels, &request);
    let body = input::body(operation.name, request).await?;
    let _upload = api.uploads.admit(&body).await;
    let head = head?;
    let request: UpdateFunctionConfigurationRequest =
        input::work_on(body, move |body| input::read(operation.input, head, &body)).await?;
    let name = request.function_name.as_deref().unwrap_or_default();
    let function_name = changeable(api, operation.name, name)?;
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
        vpc_config_is_set: request.vpc_config.is_some(),
        dead_letter_target: request.dead_letter_config.map(|config| config.target_arn.and_then(not_empty)),
        kms_key_arn: request.kms_key_arn.map(not_empty),
        layers: match &request.layers {
            None => None,
            Some(layers) => {
                // A function that is not there is what is wrong, whatever layers it should have.
                let function = api.functions.get(&function_name)?;
                if !layers.is_empty() {
                    code_signing::check_deployment(api, &function)?;
                }
                Some(function_layers::find(api, layers)?)
            }
        },
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
