//! PutProvisionedConcurrencyConfig, GetProvisionedConcurrencyConfig, ListProvisionedConcurrencyConfigs,
//! DeleteProvisionedConcurrencyConfig: environments of a version or alias that are initialized ahead of calls.

use hearth_aws_wire::{Body, Response, json_response};
use hearth_functions::{ConcurrencyError, FunctionsError};
use hearth_invoke::{AllocationStatus, ProvisionedAllocation};
use hearth_types::{FunctionName, Qualifier, Version};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use serde::Serialize;

use crate::error::ApiError;
use crate::function_name::{Target, target};
use crate::generated::shapes::{
    DeleteProvisionedConcurrencyConfigRequest, GetProvisionedConcurrencyConfigRequest,
    GetProvisionedConcurrencyConfigResponse, ListProvisionedConcurrencyConfigsRequest,
    ListProvisionedConcurrencyConfigsResponse, ProvisionedConcurrencyConfigListItem,
    PutProvisionedConcurrencyConfigRequest, PutProvisionedConcurrencyConfigResponse,
};
use crate::routes::Call;
use crate::{LambdaApi, input, layers};

/// Answers PutProvisionedConcurrencyConfig. Nothing is initialized yet in its answer, and perhaps something is that was
/// there before.
pub(crate) async fn answer_put(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: PutProvisionedConcurrencyConfigRequest = input::whole(api, operation, labels, request).await?;
    let name = asked.function_name.unwrap_or_default();
    let (name, qualifier) = of_version(api, operation.name, &name, asked.qualifier.as_deref())?;
    let requested =
        u32::try_from(asked.provisioned_concurrent_executions.unwrap_or_default()).unwrap_or(u32::MAX);
    let account_max = api.invoker.account_concurrency();
    let put = api.functions.put_provisioned_concurrency(&name, qualifier.clone(), requested, account_max);
    let config = put.await.map_err(with_alias_text)?;
    let allocated = find(api, &name, &qualifier).map_or(0, |allocation| allocation.allocated);
    let reply = PutProvisionedConcurrencyConfigResponse {
        requested_provisioned_concurrent_executions: Some(requested.into()),
        available_provisioned_concurrent_executions: Some(allocated.into()),
        allocated_provisioned_concurrent_executions: Some(allocated.into()),
        status: Some("IN_PROGRESS".to_owned()),
        status_reason: None,
        last_modified: Some(timestamp(config.last_modified_ms)),
    };
    answer(StatusCode::ACCEPTED, &reply)
}

/// Answers GetProvisionedConcurrencyConfig.
pub(crate) fn answer_get<B>(api: &LambdaApi, call: Call, request: &Request<B>) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: GetProvisionedConcurrencyConfigRequest = input::of_head(operation, labels, request)?;
    let name = asked.function_name.unwrap_or_default();
    let (name, qualifier) = of_version(api, operation.name, &name, asked.qualifier.as_deref())?;
    check_there(api, &name, &qualifier)?;
    let ProvisionedAllocation { config, allocated, status } = find(api, &name, &qualifier)?;
    let (status, status_reason) = words(status);
    let reply = GetProvisionedConcurrencyConfigResponse {
        requested_provisioned_concurrent_executions: Some(config.requested.into()),
        available_provisioned_concurrent_executions: Some(allocated.into()),
        allocated_provisioned_concurrent_executions: Some(allocated.into()),
        status: Some(status),
        status_reason,
        last_modified: Some(timestamp(config.last_modified_ms)),
    };
    answer(StatusCode::OK, &reply)
}

/// Answers ListProvisionedConcurrencyConfigs. A marker names the last qualifier of the page before.
pub(crate) fn answer_list<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: ListProvisionedConcurrencyConfigsRequest = input::of_head(operation, labels, request)?;
    let name = asked.function_name.unwrap_or_default();
    let Target { name, .. } = target(api, operation.name, &name, None)?;
    let after = layers::read_marker(asked.marker.as_deref(), |qualifier| Some(qualifier.to_owned()))?;
    let all = api.invoker.provisioned_concurrency(&name)?;
    let is_behind = |allocation: &&ProvisionedAllocation| {
        after.as_ref().is_none_or(|after| allocation.config.qualifier.to_string() > *after)
    };
    let mut rest = all.iter().filter(is_behind);
    let page: Vec<&ProvisionedAllocation> = rest.by_ref().take(layers::page(asked.max_items)).collect();
    let next_marker = match (page.last(), rest.next()) {
        (Some(last), Some(_)) => Some(layers::marker(&last.config.qualifier.to_string())),
        _ => None,
    };
    let items = page.into_iter().map(|ProvisionedAllocation { config, allocated, status }| {
        let (status, status_reason) = words(*status);
        ProvisionedConcurrencyConfigListItem {
            function_arn: Some(api.functions.arn(&name, Some(config.qualifier.clone())).to_string()),
            requested_provisioned_concurrent_executions: Some(config.requested.into()),
            available_provisioned_concurrent_executions: Some((*allocated).into()),
            allocated_provisioned_concurrent_executions: Some((*allocated).into()),
            status: Some(status),
            status_reason,
            last_modified: Some(timestamp(config.last_modified_ms)),
        }
    });
    let reply = ListProvisionedConcurrencyConfigsResponse {
        provisioned_concurrency_configs: Some(items.collect()),
        next_marker,
    };
    answer(StatusCode::OK, &reply)
}

/// Answers DeleteProvisionedConcurrencyConfig.
pub(crate) async fn answer_delete<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: DeleteProvisionedConcurrencyConfigRequest = input::of_head(operation, labels, request)?;
    let name = asked.function_name.unwrap_or_default();
    let (name, qualifier) = of_version(api, operation.name, &name, asked.qualifier.as_deref())?;
    check_there(api, &name, &qualifier)?;
    api.functions.delete_provisioned_concurrency(&name, qualifier).await?;
    let mut response = http::Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// Reads whom a request means: the qualifier is in the query, and has to be.
fn of_version(
    api: &LambdaApi,
    action: &str,
    function_name: &str,
    qualifier: Option<&str>,
) -> Result<(FunctionName, Qualifier), ApiError> {
    let Target { name, qualifier } = target(api, action, function_name, qualifier)?;
    match qualifier {
        // As recorded: who would give it some hears of another reason than who asks for what it has.
        Some(Qualifier::Version(Version::Latest)) if action == "PutProvisionedConcurrencyConfig" => {
            Err(ConcurrencyError::ProvisionsLatest.into())
        }
        None | Some(Qualifier::Version(Version::Latest)) => Err(ApiError::invalid_parameter(
            "The function resource provided must be an alias or a published version.",
        )),
        Some(qualifier) => Ok((name, qualifier)),
    }
}

/// Refuses versions and aliases that are not there: that they have none goes without saying.
fn check_there(api: &LambdaApi, name: &FunctionName, qualifier: &Qualifier) -> Result<(), ApiError> {
    let there = match qualifier {
        Qualifier::Alias(alias) => {
            api.functions.get(name).and_then(|_| api.functions.get_alias(name, alias)).map(drop)
        }
        Qualifier::Version(_) => {
            api.functions.get(name).and_then(|_| api.functions.get_qualified(name, Some(qualifier))).map(drop)
        }
    };
    there.map_err(|error| with_alias_text(error.into()))
}

fn find(
    api: &LambdaApi,
    name: &FunctionName,
    qualifier: &Qualifier,
) -> Result<ProvisionedAllocation, ConcurrencyError> {
    let all = api.invoker.provisioned_concurrency(name)?;
    let found = all.into_iter().find(|allocation| allocation.config.qualifier == *qualifier);
    let arn = || api.functions.arn(name, Some(qualifier.clone()));
    found.ok_or_else(|| ConcurrencyError::NotProvisioned { arn: arn() })
}

/// An alias that is not there is not found in the words of GetAlias.
fn with_alias_text(error: ConcurrencyError) -> ApiError {
    match error {
        ConcurrencyError::Functions(FunctionsError::AliasNotFound { arn }) => {
            ApiError::not_found(format!("Cannot find alias arn: {arn}"))
        }
        error => error.into(),
    }
}

fn words(status: AllocationStatus) -> (String, Option<String>) {
    match status {
        AllocationStatus::InProgress => ("IN_PROGRESS".to_owned(), None),
        AllocationStatus::Ready => ("READY".to_owned(), None),
        AllocationStatus::Failed { reason } => ("FAILED".to_owned(), Some(reason.to_owned())),
    }
}

/// Seconds, and the offset without a colon, as AWS writes it here.
fn timestamp(epoch_ms: i64) -> String {
    let timestamp = jiff::Timestamp::from_millisecond(epoch_ms).unwrap_or_default();
    timestamp.strftime("%Y-%m-%dT%H:%M:%S+0000").to_string()
}

fn answer<T: Serialize>(status: StatusCode, reply: &T) -> Result<Response, ApiError> {
    let text = serde_json::to_vec(reply).map_err(|error| ApiError::service(&error))?;
    Ok(json_response(status, text))
}
