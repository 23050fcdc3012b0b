//! UpdateFunctionConfiguration: what is not named stays; an explicit empty value clears.

use hearth_auth::Identity;
use hearth_aws_wire::{Response, json_response};
use hearth_functions::ConfigurationChange;
use hearth_types::TracingMode;
use http::{Request, StatusCode};
use hyper::body::Incoming;

use crate::error::ApiError;
use crate::function_name::changeable;
use crate::generated::shapes::UpdateFunctionConfigurationRequest;
use crate::routes::Call;
use crate::{
    LambdaApi, code_signing, configuration, durable_config, function_layers, input, kept_only, unsupported,
};

pub(crate) async fn answer(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let identity = request.extensions().get::<Identity>().cloned();
    let request: UpdateFunctionConfigurationRequest = input::whole(api, operation, labels, request).await?;
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
        vpc: match request.vpc_config {
            None => None,
            Some(config) => {
                let current = api.functions.get(&function_name)?;
                Some(kept_only::vpc(config, current.configuration.vpc.as_ref())?)
            }
        },
        file_systems: request.file_system_configs.map(kept_only::file_systems),
        snap_start: request.snap_start.as_ref().map(kept_only::snap_start),
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
                Some(function_layers::find(api, layers, identity.as_ref())?)
            }
        },
        logging: match &request.logging_config {
            None => None,
            Some(config) => {
                let current = api.functions.get(&function_name)?;
                Some(configuration::logging(config, &current.configuration.logging)?)
            }
        },
        durable: match request.durable_config {
            None => None,
            Some(config) => Some(durable_config::change(&*api.functions.get(&function_name)?, config)?),
        },
        revision_id: request.revision_id,
    };
    if change.vpc.is_some() || change.file_systems.is_some() {
        let current = api.functions.get(&function_name)?;
        let current = &current.configuration;
        kept_only::check(
            change.vpc.as_ref().or(current.vpc.as_ref()),
            change.file_systems.as_ref().unwrap_or(&current.file_systems),
        )?;
    }
    let function = api.functions.update_configuration(&function_name, change).await?;
    kept_only::warn(&function_name, &function.configuration);
    let described = configuration::describe(api, &function, None);
    let text = serde_json::to_vec(&described).map_err(|error| ApiError::service(&error))?;
    Ok(json_response(StatusCode::OK, text))
}
