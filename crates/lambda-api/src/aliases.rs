//! CreateAlias, GetAlias, UpdateAlias, DeleteAlias and ListAliases: they share what an alias looks like and what is
//! checked of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use hearth_aws_wire::{Body, Response, json_response};
use hearth_functions::{AdditionalVersion, Alias, CreateAlias, FunctionsError, UpdateAlias};
use hearth_types::limits::LIST_FUNCTIONS_PAGE;
use hearth_types::{FunctionName, Qualifier, Version};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use serde::Serialize;

use crate::error::ApiError;
use crate::function_name::changeable;
use crate::generated::shapes::{
    AliasConfiguration, AliasRoutingConfiguration, CreateAliasRequest, DeleteAliasRequest, GetAliasRequest,
    ListAliasesRequest, ListAliasesResponse, UpdateAliasRequest,
};
use crate::list_versions_by_function::version as read_version;
use crate::routes::Call;
use crate::{LambdaApi, event_invoke_config, input, layers};

/// Answers CreateAlias.
pub(crate) async fn answer_create(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let request: CreateAliasRequest = input::whole(api, operation, labels, request).await?;
    let function = changeable(api, operation.name, request.function_name.as_deref().unwrap_or_default())?;
    let create = CreateAlias {
        name: Arc::from(request.name.unwrap_or_default()),
        version: version(api, &function, request.function_version.as_deref().unwrap_or_default())?,
        description: request.description.unwrap_or_default(),
        additional: request.routing_config.map_or(Ok(None), |config| additional(api, &function, config))?,
    };
    if let Err(FunctionsError::AliasNotFound { .. }) = api.functions.get_alias(&function, &create.name) {
        // Of one whose deletion was cut short.
        event_invoke_config::forget(api, &function, &Qualifier::Alias(create.name.clone())).await?;
    }
    let alias = api.functions.create_alias(&function, create).await?;
    reply(StatusCode::CREATED, &describe(&alias))
}

/// Answers GetAlias.
pub(crate) fn answer_get<B>(api: &LambdaApi, call: Call, request: &Request<B>) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: GetAliasRequest = input::of_head(operation, labels, request)?;
    let function = changeable(api, operation.name, asked.function_name.as_deref().unwrap_or_default())?;
    let alias =
        api.functions.get_alias(&function, &asked.name.unwrap_or_default()).map_err(|error| match error {
            FunctionsError::AliasNotFound { arn } => {
                ApiError::not_found(format!("Cannot find alias arn: {arn}"))
            }
            error => error.into(),
        })?;
    reply(StatusCode::OK, &describe(&alias))
}

/// Answers UpdateAlias.
pub(crate) async fn answer_update(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let request: UpdateAliasRequest = input::whole(api, operation, labels, request).await?;
    let function = changeable(api, operation.name, request.function_name.as_deref().unwrap_or_default())?;
    let given = request.function_version;
    let update = UpdateAlias {
        version: given.map(|given| version(api, &function, &given)).transpose()?,
        description: request.description,
        // An empty one removes what was there.
        additional: request.routing_config.map(|config| additional(api, &function, config)).transpose()?,
        revision_id: request.revision_id.filter(|revision| !revision.is_empty()),
    };
    let name = Arc::from(request.name.unwrap_or_default());
    let alias = api.functions.update_alias(&function, name, update).await?;
    reply(StatusCode::OK, &describe(&alias))
}

/// Answers DeleteAlias. One that is not there is no error.
pub(crate) async fn answer_delete<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: DeleteAliasRequest = input::of_head(operation, labels, request)?;
    let function = changeable(api, operation.name, asked.function_name.as_deref().unwrap_or_default())?;
    let name: Arc<str> = Arc::from(asked.name.unwrap_or_default());
    api.functions.delete_alias(&function, name.clone()).await?;
    event_invoke_config::forget(api, &function, &Qualifier::Alias(name)).await?;
    let mut response = http::Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// Answers ListAliases: by name, fifty on a page.
pub(crate) fn answer_list<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: ListAliasesRequest = input::of_head(operation, labels, request)?;
    let function = changeable(api, operation.name, asked.function_name.as_deref().unwrap_or_default())?;
    let of = asked.function_version.map(|given| version(api, &function, &given)).transpose()?;
    let after = layers::read_marker(asked.marker.as_deref(), |text| match Qualifier::parse(text) {
        Ok(Qualifier::Alias(name)) => Some(name),
        Ok(Qualifier::Version(_)) | Err(_) => None,
    })?;
    let limit = asked.max_items.map_or(LIST_FUNCTIONS_PAGE, |items| usize::try_from(items).unwrap_or(1));
    let limit = limit.min(LIST_FUNCTIONS_PAGE);
    let (found, more) = api.functions.list_aliases(&function, of, after.as_deref(), limit)?;
    let next = found.last().filter(|_| more);
    let page = ListAliasesResponse {
        next_marker: next.map(|last| layers::marker(&last.name)),
        aliases: Some(found.iter().map(|alias| describe(alias)).collect()),
    };
    reply(StatusCode::OK, &page)
}

fn reply(status: StatusCode, shape: &impl Serialize) -> Result<Response, ApiError> {
    let text = serde_json::to_vec(shape).map_err(|error| ApiError::service(&error))?;
    Ok(json_response(status, text))
}

fn describe(alias: &Alias) -> AliasConfiguration {
    AliasConfiguration {
        alias_arn: Some(alias.arn.to_string()),
        name: Some(alias.name.to_string()),
        function_version: Some(alias.version.to_string()),
        description: Some(alias.description.clone()),
        routing_config: alias.additional.as_ref().map(|additional| AliasRoutingConfiguration {
            additional_version_weights: Some(BTreeMap::from([(
                additional.version.to_string(),
                additional.weight,
            )])),
        }),
        revision_id: Some(alias.revision_id.to_string()),
    }
}

/// Reads a version. The model's check has let only `$LATEST` and digits pass; more of them than any version has name none.
fn version(api: &LambdaApi, function: &FunctionName, given: &str) -> Result<Version, ApiError> {
    read_version(given).ok_or_else(|| {
        let arn = api.functions.arn(function, None);
        ApiError::not_found(format!("Function not found: {arn}:{given}"))
    })
}

/// Reads the version that gets a share of the calls. The model's check has let only weights from 0 to 1 pass.
fn additional(
    api: &LambdaApi,
    function: &FunctionName,
    config: AliasRoutingConfiguration,
) -> Result<Option<AdditionalVersion>, ApiError> {
    let weights = config.additional_version_weights.unwrap_or_default();
    if weights.len() > 1 {
        return Err(ApiError::invalid_parameter(
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
        ));
    }
    let Some((given, weight)) = weights.into_iter().next() else { return Ok(None) };
    match version(api, function, &given)? {
        Version::Number(version) => Ok(Some(AdditionalVersion { version, weight })),
        Version::Latest => Err(FunctionsError::AliasOfLatestAndAnother.into()),
    }
}
