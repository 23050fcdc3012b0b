//! GetRuntimeManagementConfig, PutRuntimeManagementConfig: kept and shown. A host has one version of each runtime, so that
//! one is all that `Manual` can ask for.

use std::sync::Arc;

use hearth_aws_wire::{Response, json_response};
use hearth_functions::{Function, UpdateRuntimeOn};
use hearth_types::Qualifier;
use http::{Request, StatusCode};
use hyper::body::Incoming;

use crate::error::ApiError;
use crate::function_name::{Target, target};
use crate::generated::shapes::{
    GetRuntimeManagementConfigRequest, GetRuntimeManagementConfigResponse, PutRuntimeManagementConfigRequest,
    PutRuntimeManagementConfigResponse,
};
use crate::routes::Call;
use crate::{LambdaApi, input};

/// Answers GetRuntimeManagementConfig.
pub(crate) fn answer_get<B>(api: &LambdaApi, call: Call, request: &Request<B>) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: GetRuntimeManagementConfigRequest = input::of_head(operation, labels, request)?;
    let name = asked.function_name.unwrap_or_default();
    let target = target(api, operation.name, &name, asked.qualifier.as_deref())?;
    let function = version(api, &target)?;
    let update_runtime_on = &function.management.update_runtime_on;
    let reply = GetRuntimeManagementConfigResponse {
        update_runtime_on: Some(update_runtime_on.as_str().to_owned()),
        function_arn: Some(api.functions.arn(&target.name, target.qualifier).to_string()),
        runtime_version_arn: update_runtime_on.runtime_version_arn().map(str::to_owned),
    };
    let text = serde_json::to_vec(&reply).map_err(|error| ApiError::service(&error))?;
    Ok(json_response(StatusCode::OK, text))
}

/// Answers PutRuntimeManagementConfig.
pub(crate) async fn answer_put(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: PutRuntimeManagementConfigRequest = input::whole(api, operation, labels, request).await?;
    let name = asked.function_name.unwrap_or_default();
    let target = target(api, operation.name, &name, asked.qualifier.as_deref())?;
    let function = version(api, &target)?;
    let word = asked.update_runtime_on.unwrap_or_default();
    // The texts are ours: AWS's are not recorded.
    if let Some(arn) = &asked.runtime_version_arn
        && word == "Manual"
        && (api.runtime_version_arn)(function.configuration.runtime).as_ref() != Some(arn)
    {
        return Err(ApiError::invalid_parameter(format!(
            "The runtime version {arn} is not the one that this host has for {}",
            function.configuration.runtime
        )));
    }
    let update_runtime_on = UpdateRuntimeOn::new(&word, asked.runtime_version_arn).ok_or_else(|| {
        ApiError::invalid_parameter(
            "RuntimeVersionArn is needed when UpdateRuntimeOn is Manual, and not allowed otherwise",
        )
    })?;
    let reply = PutRuntimeManagementConfigResponse {
        update_runtime_on: Some(update_runtime_on.as_str().to_owned()),
        function_arn: Some(api.functions.arn(&target.name, target.qualifier).to_string()),
        runtime_version_arn: update_runtime_on.runtime_version_arn().map(str::to_owned),
    };
    api.functions.set_update_runtime_on(&target.name, function.version, update_runtime_on).await?;
    let text = serde_json::to_vec(&reply).map_err(|error| ApiError::service(&error))?;
    Ok(json_response(StatusCode::OK, text))
}

/// Returns the version that is meant. An alias is none: as AWS documents the qualifier, it is `$LATEST` or a number.
fn version(api: &LambdaApi, target: &Target) -> Result<Arc<Function>, ApiError> {
    if let Some(alias @ Qualifier::Alias(_)) = &target.qualifier {
        let arn = api.functions.arn(&target.name, Some(alias.clone()));
        return Err(ApiError::not_found(format!("Function not found: {arn}")));
    }
    Ok(api.functions.get_qualified(&target.name, target.qualifier.as_ref())?)
}
