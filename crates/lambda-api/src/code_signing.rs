//! CreateCodeSigningConfig, GetCodeSigningConfig, UpdateCodeSigningConfig, DeleteCodeSigningConfig, ListCodeSigningConfigs,
//! ListFunctionsByCodeSigningConfig, PutFunctionCodeSigningConfig, GetFunctionCodeSigningConfig,
//! DeleteFunctionCodeSigningConfig: whose signatures a function takes. What that means here: [`check_deployment`].

use std::sync::Arc;

use hearth_aws_wire::{Body, Response, json_response};
use hearth_functions::{
    CodeSigningChange, CodeSigningConfig, CodeSigningError, CodeSigningPolicy, Function, FunctionsError,
};
use hearth_types::FunctionName;
use http::{Request, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::function_name::changeable;
use crate::generated::shapes::{
    AllowedPublishers, CodeSigningPolicies, CreateCodeSigningConfigRequest, DeleteCodeSigningConfigRequest,
    DeleteFunctionCodeSigningConfigRequest, GetCodeSigningConfigRequest, GetFunctionCodeSigningConfigRequest,
    ListCodeSigningConfigsRequest, ListFunctionsByCodeSigningConfigRequest,
    PutFunctionCodeSigningConfigRequest, UpdateCodeSigningConfigRequest,
};
use crate::routes::Call;
use crate::{LambdaApi, configuration, input, layers, tags};

/// How many entries a page has. AWS caps its pages, too.
const PAGE: usize = 50;

/// Answers CreateCodeSigningConfig.
pub(crate) async fn answer_create(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: CreateCodeSigningConfigRequest = input::whole(api, operation, labels, request).await?;
    let tags = asked.tags.unwrap_or_default();
    tags::check_keys(&tags)?;
    let change = change(asked.description, asked.allowed_publishers, asked.code_signing_policies);
    let config = api.code_signing.create(change, tags).await?;
    Ok(json_response(StatusCode::CREATED, json!({ "CodeSigningConfig": describe(api, &config) }).to_string()))
}

/// Answers GetCodeSigningConfig.
pub(crate) fn answer_get<B>(api: &LambdaApi, call: Call, request: &Request<B>) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: GetCodeSigningConfigRequest = input::of_head(operation, labels, request)?;
    let config = api.code_signing.get(id(api, asked.code_signing_config_arn.as_deref())?)?;
    Ok(json_response(StatusCode::OK, json!({ "CodeSigningConfig": describe(api, &config) }).to_string()))
}

/// Answers UpdateCodeSigningConfig.
pub(crate) async fn answer_update(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: UpdateCodeSigningConfigRequest = input::whole(api, operation, labels, request).await?;
    let id = id(api, asked.code_signing_config_arn.as_deref())?;
    let change = change(asked.description, asked.allowed_publishers, asked.code_signing_policies);
    let config = api.code_signing.update(id, change).await?;
    Ok(json_response(StatusCode::OK, json!({ "CodeSigningConfig": describe(api, &config) }).to_string()))
}

/// Answers DeleteCodeSigningConfig.
pub(crate) async fn answer_delete<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: DeleteCodeSigningConfigRequest = input::of_head(operation, labels, request)?;
    let id = id(api, asked.code_signing_config_arn.as_deref())?;
    let held = api.code_signing.hold(id).await?;
    let users = functions_with(api, id).len();
    if users > 0 {
        return Err(ApiError::conflict(format!(
            "The code signing configuration cannot be deleted: it is attached to {users} functions"
        )));
    }
    api.code_signing.remove(held).await?;
    Ok(no_content())
}

/// Answers ListCodeSigningConfigs. A marker names the last id of the page before.
pub(crate) fn answer_list<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: ListCodeSigningConfigsRequest = input::of_head(operation, labels, request)?;
    let after = layers::read_marker(asked.marker.as_deref(), |id| Some(id.to_owned()))?;
    let (page, has_more) = api.code_signing.list(after.as_deref(), page(asked.max_items));
    let configs: Vec<Value> = page.iter().map(|config| describe(api, config)).collect();
    let mut reply = json!({ "CodeSigningConfigs": configs });
    if let Some(last) = page.last().filter(|_| has_more) {
        reply["NextMarker"] = layers::marker(&last.id).into();
    }
    Ok(json_response(StatusCode::OK, reply.to_string()))
}

/// Answers ListFunctionsByCodeSigningConfig. A marker names the last ARN of the page before.
pub(crate) fn answer_list_functions<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: ListFunctionsByCodeSigningConfigRequest = input::of_head(operation, labels, request)?;
    let id = id(api, asked.code_signing_config_arn.as_deref())?;
    api.code_signing.get(id)?;
    let after = layers::read_marker(asked.marker.as_deref(), |arn| Some(arn.to_owned()))?;
    let arns = functions_with(api, id);
    let mut rest = arns.iter().filter(|arn| after.as_ref().is_none_or(|after| *arn > after));
    let page: Vec<&String> = rest.by_ref().take(page(asked.max_items)).collect();
    let mut reply = json!({ "FunctionArns": page });
    if let (Some(last), Some(_)) = (page.last(), rest.next()) {
        reply["NextMarker"] = layers::marker(last).into();
    }
    Ok(json_response(StatusCode::OK, reply.to_string()))
}

/// Answers PutFunctionCodeSigningConfig. The code that the function has stays.
pub(crate) async fn answer_attach(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: PutFunctionCodeSigningConfigRequest = input::whole(api, operation, labels, request).await?;
    let name = changeable(api, operation.name, &asked.function_name.unwrap_or_default())?;
    let arn = asked.code_signing_config_arn.unwrap_or_default();
    let Some(id) = api.code_signing.id_of(&arn) else { return Err(not_attachable(&arn)) };
    // Before the function, as recorded: who names neither rightly hears of the configuration.
    let held = api.code_signing.hold(id).await.map_err(|error| attachable(error, &arn))?;
    api.functions.set_code_signing_config(&name, Some(held.config.id.clone())).await?;
    Ok(json_response(StatusCode::OK, attached(&name, Some(&arn)).to_string()))
}

/// Answers GetFunctionCodeSigningConfig. Without one there is no ARN, and no error.
pub(crate) fn answer_attached<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: GetFunctionCodeSigningConfigRequest = input::of_head(operation, labels, request)?;
    let name = changeable(api, operation.name, &asked.function_name.unwrap_or_default())?;
    let function = api.functions.get(&name)?;
    let arn = function.management.code_signing_config.as_ref().map(|id| api.code_signing.arn(id));
    Ok(json_response(StatusCode::OK, attached(&name, arn.as_deref()).to_string()))
}

/// Answers DeleteFunctionCodeSigningConfig.
pub(crate) async fn answer_detach<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: DeleteFunctionCodeSigningConfigRequest = input::of_head(operation, labels, request)?;
    let name = changeable(api, operation.name, &asked.function_name.unwrap_or_default())?;
    api.functions.set_code_signing_config(&name, None).await?;
    Ok(no_content())
}

/// Finds the configuration that a function is to be created with, refuses its code if it has to, and keeps the
/// configuration from being removed meanwhile.
pub(crate) async fn hold<'a>(
    api: &'a LambdaApi,
    name: &FunctionName,
    arn: Option<&str>,
) -> Result<Option<hearth_functions::Held<'a>>, ApiError> {
    let Some(arn) = arn.filter(|arn| !arn.is_empty()) else { return Ok(None) };
    let id = api.code_signing.id_of(arn).ok_or_else(|| not_attachable(arn))?;
    let held = api.code_signing.hold(id).await.map_err(|error| attachable(error, arn))?;
    judge(name, &held.config)?;
    Ok(Some(held))
}

/// Says what the configuration of a function means for code or layers that are deployed to it. No code is signed, as far
/// as Hearth can know.
pub(crate) fn check_deployment(api: &LambdaApi, function: &Function) -> Result<(), ApiError> {
    match &function.management.code_signing_config {
        Some(id) => judge(&function.configuration.name, &*api.code_signing.get(id)?),
        None => Ok(()),
    }
}

fn judge(name: &FunctionName, config: &CodeSigningConfig) -> Result<(), ApiError> {
    match config.policy {
        CodeSigningPolicy::Enforce => Err(ApiError::code_verification_failed()),
        CodeSigningPolicy::Warn => {
            let code_signing_config = &config.id;
            tracing::warn!(function = %name, code_signing_config, "code is deployed whose signature is not verified");
            Ok(())
        }
    }
}

fn change(
    description: Option<String>,
    publishers: Option<AllowedPublishers>,
    policies: Option<CodeSigningPolicies>,
) -> CodeSigningChange {
    let policy = policies.and_then(|policies| policies.untrusted_artifact_on_deployment);
    CodeSigningChange {
        description,
        allowed_publishers: publishers.and_then(|publishers| publishers.signing_profile_version_arns),
        // The model's check has let only words pass that are known.
        policy: policy.and_then(|policy| CodeSigningPolicy::parse(&policy)),
    }
}

fn describe(api: &LambdaApi, config: &CodeSigningConfig) -> Value {
    json!({
        "CodeSigningConfigId": config.id,
        "CodeSigningConfigArn": api.code_signing.arn(&config.id),
        "Description": config.description,
        "AllowedPublishers": { "SigningProfileVersionArns": config.allowed_publishers },
        "CodeSigningPolicies": { "UntrustedArtifactOnDeployment": config.policy.as_str() },
        "LastModified": configuration::last_modified(config.last_modified_ms),
    })
}

fn attached(name: &FunctionName, arn: Option<&str>) -> Value {
    let mut reply = json!({ "FunctionName": name.as_str() });
    if let Some(arn) = arn {
        reply["CodeSigningConfigArn"] = arn.into();
    }
    reply
}

/// Returns the ARNs of the functions that have a configuration, in order.
fn functions_with(api: &LambdaApi, id: &str) -> Vec<String> {
    let (functions, _) = api.functions.list(None, usize::MAX);
    let has_it = |function: &&Arc<Function>| function.management.code_signing_config.as_deref() == Some(id);
    functions.iter().filter(has_it).map(|function| function.arn.to_string()).collect()
}

/// Returns the id in an ARN.
pub(crate) fn id<'a>(api: &LambdaApi, arn: Option<&'a str>) -> Result<&'a str, ApiError> {
    let arn = arn.unwrap_or_default();
    api.code_signing.id_of(arn).ok_or_else(|| not_found(arn))
}

fn page(max_items: Option<i64>) -> usize {
    max_items.map_or(PAGE, |items| usize::try_from(items).unwrap_or(1)).min(PAGE)
}

fn not_found(arn: &str) -> ApiError {
    ApiError::code_signing_config_missing(format!(
        "The Lambda code signing configuration {arn} can not be found."
    ))
}

fn not_attachable(arn: &str) -> ApiError {
    ApiError::code_signing_config_not_found(format!(
        "The code signing configuration cannot be found. Check that the provided configuration is not deleted: {arn}."
    ))
}

fn attachable(error: CodeSigningError, arn: &str) -> ApiError {
    match error {
        CodeSigningError::NotFound { .. } => not_attachable(arn),
        error => error.into(),
    }
}

fn no_content() -> Response {
    let mut response = http::Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

impl From<CodeSigningError> for ApiError {
    fn from(error: CodeSigningError) -> Self {
        match error {
            CodeSigningError::NotFound { arn } => not_found(&arn),
            CodeSigningError::TooManyTags => FunctionsError::TooManyTags.into(),
            CodeSigningError::Store(error) => Self::service(&error),
        }
    }
}
