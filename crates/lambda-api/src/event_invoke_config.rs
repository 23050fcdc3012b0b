//! PutFunctionEventInvokeConfig, UpdateFunctionEventInvokeConfig, GetFunctionEventInvokeConfig,
//! DeleteFunctionEventInvokeConfig, ListFunctionEventInvokeConfigs: how events of a version or alias are tried again, and
//! who hears of their end.

use hearth_aws_wire::{Body, Response, json_response};
use hearth_functions::FunctionsError;
use hearth_invoke::{EventInvokeConfigChange, EventInvokeConfigError, EventInvokeConfigRecord};
use hearth_types::{FunctionName, FunctionReference, Qualifier};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::function_name::{Target, target};
use crate::generated::shapes::{
    DeleteFunctionEventInvokeConfigRequest, DestinationConfig, GetFunctionEventInvokeConfigRequest,
    ListFunctionEventInvokeConfigsRequest, PutFunctionEventInvokeConfigRequest,
};
use crate::routes::Call;
use crate::{LambdaApi, input, layers};

/// Answers PutFunctionEventInvokeConfig and UpdateFunctionEventInvokeConfig, whose inputs are the same.
pub(crate) async fn answer_set(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: PutFunctionEventInvokeConfigRequest = input::whole(api, operation, labels, request).await?;
    let name = asked.function_name.as_deref().unwrap_or_default();
    let Target { name, qualifier } = target(api, operation.name, name, asked.qualifier.as_deref())?;
    let nothing = asked.maximum_retry_attempts.is_none()
        && asked.maximum_event_age_in_seconds.is_none()
        && asked.destination_config.is_none();
    if nothing {
        return Err(ApiError::invalid_parameter(
            "You must specify at least one of error handling or destination setting.",
        ));
    }
    let (on_success, on_failure) = destinations(asked.destination_config);
    check_destinations(api, &name, on_success.as_deref(), on_failure.as_deref())?;
    let number = |number: Option<i64>| number.and_then(|number| u32::try_from(number).ok());
    let change = EventInvokeConfigChange {
        retries_max: number(asked.maximum_retry_attempts),
        age_max_seconds: number(asked.maximum_event_age_in_seconds),
        on_success,
        on_failure,
    };
    let config = match operation.name {
        "PutFunctionEventInvokeConfig" => api.events.put_config(&name, qualifier.as_ref(), change).await?,
        _ => api.events.update_config(&name, qualifier.as_ref(), change).await?,
    };
    Ok(json_response(StatusCode::OK, describe(api, &config).to_string()))
}

/// Answers GetFunctionEventInvokeConfig.
pub(crate) async fn answer_get<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: GetFunctionEventInvokeConfigRequest = input::of_head(operation, labels, request)?;
    let name = asked.function_name.unwrap_or_default();
    let target = target(api, operation.name, &name, asked.qualifier.as_deref())?;
    let config = api.events.config(&target.name, target.qualifier.as_ref()).await?;
    Ok(json_response(StatusCode::OK, describe(api, &config).to_string()))
}

/// Answers DeleteFunctionEventInvokeConfig.
pub(crate) async fn answer_delete<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: DeleteFunctionEventInvokeConfigRequest = input::of_head(operation, labels, request)?;
    let name = asked.function_name.unwrap_or_default();
    let target = target(api, operation.name, &name, asked.qualifier.as_deref())?;
    api.events.remove_config(&target.name, target.qualifier.as_ref()).await?;
    let mut response = http::Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// Removes the configuration of a version or alias that is there no more, or not yet, if it has one: an alias of the same
/// name must not find it.
pub(crate) async fn forget(
    api: &LambdaApi,
    name: &FunctionName,
    qualifier: &Qualifier,
) -> Result<(), ApiError> {
    match api.events.remove_config(name, Some(qualifier)).await {
        Ok(()) | Err(EventInvokeConfigError::NoConfig { .. } | EventInvokeConfigError::NoFunction { .. }) => {
            Ok(())
        }
        Err(error @ EventInvokeConfigError::Store(_)) => Err(error.into()),
    }
}

/// Answers ListFunctionEventInvokeConfigs. A marker names the last qualifier of the page before.
pub(crate) async fn answer_list<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: ListFunctionEventInvokeConfigsRequest = input::of_head(operation, labels, request)?;
    let name = asked.function_name.unwrap_or_default();
    let target = target(api, operation.name, &name, None)?;
    if let Err(FunctionsError::NotFound { .. }) = api.functions.get(&target.name) {
        return Err(no_function());
    }
    let after = layers::read_marker(asked.marker.as_deref(), |qualifier| Some(qualifier.to_owned()))?;
    let all = api.events.configs(&target.name).await.map_err(|error| ApiError::service(&error))?;
    let mut rest = all.iter().filter(|config| after.as_ref().is_none_or(|after| config.qualifier > *after));
    let page: Vec<&EventInvokeConfigRecord> = rest.by_ref().take(layers::page(asked.max_items)).collect();
    let configs: Vec<Value> = page.iter().map(|config| describe(api, config)).collect();
    let mut reply = json!({ "FunctionEventInvokeConfigs": configs });
    if let (Some(last), Some(_)) = (page.last(), rest.next()) {
        reply["NextMarker"] = layers::marker(&last.qualifier).into();
    }
    Ok(json_response(StatusCode::OK, reply.to_string()))
}

/// As AWS shows it: destinations that are not set are empty, and its time is a number.
fn describe(api: &LambdaApi, config: &EventInvokeConfigRecord) -> Value {
    let arn = match FunctionName::new(&config.function) {
        Ok(name) => format!("{}:{}", api.functions.arn(&name, None), config.qualifier),
        Err(_) => String::new(),
    };
    let destination = |arn: &Option<String>| match arn {
        Some(arn) => json!({ "Destination": arn }),
        None => json!({}),
    };
    let mut shown = json!({
        "LastModified": config.last_modified_ms as f64 / 1_000.0,
        "FunctionArn": arn,
        "DestinationConfig": {
            "OnSuccess": destination(&config.on_success),
            "OnFailure": destination(&config.on_failure),
        },
    });
    if let Some(retries) = config.retries_max {
        shown["MaximumRetryAttempts"] = retries.into();
    }
    if let Some(seconds) = config.age_max_seconds {
        shown["MaximumEventAgeInSeconds"] = seconds.into();
    }
    shown
}

/// Returns both destinations; one that is named without an ARN is empty, which removes it.
fn destinations(config: Option<DestinationConfig>) -> (Option<String>, Option<String>) {
    let Some(DestinationConfig { on_success, on_failure }) = config else { return (None, None) };
    (
        on_success.map(|it| it.destination.unwrap_or_default()),
        on_failure.map(|it| it.destination.unwrap_or_default()),
    )
}

/// Refuses destinations that events cannot have.
fn check_destinations(
    api: &LambdaApi,
    name: &FunctionName,
    on_success: Option<&str>,
    on_failure: Option<&str>,
) -> Result<(), ApiError> {
    let shown = |destination: Option<&str>, kind: &str| match destination {
        Some(arn) if !arn.is_empty() => format!("{kind}(destination={arn})"),
        _ => "null".to_owned(),
    };
    for (destination, is_failure) in [(on_success, false), (on_failure, true)] {
        let Some(destination) = destination.filter(|destination| !destination.is_empty()) else { continue };
        match destination.split(':').nth(2) {
            Some("sqs" | "sns" | "events") => {}
            Some("s3") if is_failure => {}
            Some("lambda") => check_function(api, name, destination)?,
            _ => {
                return Err(ApiError::invalid_parameter(format!(
                    "The provided destination config DestinationConfig(onSuccess={}, onFailure={}) is invalid.",
                    shown(on_success, "OnSuccess"),
                    shown(on_failure, "OnFailure"),
                )));
            }
        }
    }
    Ok(())
}

fn check_function(api: &LambdaApi, name: &FunctionName, destination: &str) -> Result<(), ApiError> {
    let invalid = || ApiError::invalid_parameter(format!("The destination ARN {destination} is invalid."));
    let reference = FunctionReference::parse(destination).map_err(|_| invalid())?;
    let ours = api.functions.settings();
    let is_ours =
        reference.region.as_ref() == Some(&ours.region) && reference.account.as_ref() == Some(&ours.account);
    if !is_ours || api.functions.get(&reference.name).is_err() {
        return Err(invalid());
    }
    if reference.name == *name {
        return Err(ApiError::invalid_parameter(
            "You can't specify the function as a destination for itself.",
        ));
    }
    Ok(())
}

fn no_function() -> ApiError {
    ApiError::not_found("The function doesn't exist.")
}

impl From<EventInvokeConfigError> for ApiError {
    fn from(error: EventInvokeConfigError) -> Self {
        match error {
            EventInvokeConfigError::NoFunction { .. } => no_function(),
            EventInvokeConfigError::NoConfig { arn } => {
                Self::not_found(format!("The function {arn} doesn't have an EventInvokeConfig"))
            }
            EventInvokeConfigError::Store(error) => Self::service(&error),
        }
    }
}
