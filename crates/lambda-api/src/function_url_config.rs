//! CreateFunctionUrlConfig, GetFunctionUrlConfig, UpdateFunctionUrlConfig, DeleteFunctionUrlConfig and
//! ListFunctionUrlConfigs. What happens at such a URL is told in the crate `function-url`.

use std::sync::Arc;

use hearth_aws_wire::{Body, Response, json_response};
use hearth_functions::{AuthType, Cors, FunctionUrl, FunctionUrlChange, FunctionsError, InvokeMode};
use hearth_types::{FunctionName, Qualifier};
use http::header::HOST;
use http::{Request, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::function_name::{Target, target};
use crate::generated::shapes::{
    self, CreateFunctionUrlConfigRequest, DeleteFunctionUrlConfigRequest, FunctionUrlConfig,
    GetFunctionUrlConfigRequest, ListFunctionUrlConfigsRequest, UpdateFunctionUrlConfigRequest,
};
use crate::routes::Call;
use crate::{LambdaApi, input, layers};

/// Answers CreateFunctionUrlConfig.
pub(crate) async fn answer_create(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let port = port(&request);
    let asked: CreateFunctionUrlConfigRequest = input::whole(api, operation, labels, request).await?;
    let (name, alias) = whose(api, operation.name, asked.function_name, asked.qualifier.as_deref())?;
    let auth_type = asked.auth_type.as_deref().and_then(AuthType::parse).unwrap_or(AuthType::AwsIam);
    let is_mode_shown = asked.invoke_mode.is_some();
    let change = FunctionUrlChange {
        auth_type: None,
        invoke_mode: asked.invoke_mode.as_deref().and_then(InvokeMode::parse),
        cors: asked.cors.map(read_cors),
    };
    let url = api.functions.create_url(&name, alias, auth_type, change).await.map_err(no_function)?;
    let mut shown = describe(api, &url, &port);
    // As AWS answers: the mode only when it was asked for, and no change yet.
    shown.invoke_mode = shown.invoke_mode.filter(|_| is_mode_shown);
    shown.last_modified_time = None;
    reply(StatusCode::CREATED, &json!(shown))
}

/// Answers GetFunctionUrlConfig.
pub(crate) fn answer_get<B>(api: &LambdaApi, call: Call, request: &Request<B>) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: GetFunctionUrlConfigRequest = input::of_head(operation, labels, request)?;
    let (name, alias) = whose(api, operation.name, asked.function_name, asked.qualifier.as_deref())?;
    let url = api.functions.get_url(&name, alias.as_deref()).map_err(no_function)?;
    reply(StatusCode::OK, &json!(describe(api, &url, &port(request))))
}

/// Answers UpdateFunctionUrlConfig.
pub(crate) async fn answer_update(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let port = port(&request);
    let asked: UpdateFunctionUrlConfigRequest = input::whole(api, operation, labels, request).await?;
    let (name, alias) = whose(api, operation.name, asked.function_name, asked.qualifier.as_deref())?;
    let is_mode_shown = asked.invoke_mode.is_some();
    let change = FunctionUrlChange {
        auth_type: asked.auth_type.as_deref().and_then(AuthType::parse),
        invoke_mode: asked.invoke_mode.as_deref().and_then(InvokeMode::parse),
        cors: asked.cors.map(read_cors),
    };
    let url = api.functions.update_url(&name, alias, change).await.map_err(no_function)?;
    let mut shown = describe(api, &url, &port);
    // As recorded: the mode only when it was asked for.
    shown.invoke_mode = shown.invoke_mode.filter(|_| is_mode_shown);
    reply(StatusCode::OK, &json!(shown))
}

/// Answers DeleteFunctionUrlConfig.
pub(crate) async fn answer_delete<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: DeleteFunctionUrlConfigRequest = input::of_head(operation, labels, request)?;
    let (name, alias) = whose(api, operation.name, asked.function_name, asked.qualifier.as_deref())?;
    api.functions.delete_url(&name, alias).await.map_err(no_function)?;
    let mut response = http::Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// Answers ListFunctionUrlConfigs: the function's own, then those of its aliases. A marker names the alias of the last one of
/// the page before, behind a slash: a function has no alias.
pub(crate) fn answer_list<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: ListFunctionUrlConfigsRequest = input::of_head(operation, labels, request)?;
    let (name, _) = whose(api, operation.name, asked.function_name, None)?;
    let urls = api.functions.list_urls(&name).map_err(no_function)?;
    let after = layers::read_marker(asked.marker.as_deref(), |place| {
        place.starts_with('/').then(|| place.to_owned())
    })?;
    let place = |url: &FunctionUrl| format!("/{}", url.alias.as_deref().unwrap_or_default());
    let mut rest = urls.iter().filter(|url| after.as_ref().is_none_or(|after| place(url) > *after));
    let page: Vec<&Arc<FunctionUrl>> = rest.by_ref().take(layers::page(asked.max_items)).collect();
    let port = port(request);
    let configs: Vec<FunctionUrlConfig> = page.iter().map(|url| describe(api, url, &port)).collect();
    let mut shown = json!({ "FunctionUrlConfigs": configs });
    if let (Some(last), Some(_)) = (page.last(), rest.next()) {
        shown["NextMarker"] = layers::marker(&place(last)).into();
    }
    reply(StatusCode::OK, &shown)
}

/// Reads whose URL is meant: a function's, or an alias's.
fn whose(
    api: &LambdaApi,
    action: &str,
    function_name: Option<String>,
    qualifier: Option<&str>,
) -> Result<(FunctionName, Option<Arc<str>>), ApiError> {
    let Target { name, qualifier } =
        target(api, action, function_name.as_deref().unwrap_or_default(), qualifier)?;
    match qualifier {
        None => Ok((name, None)),
        Some(Qualifier::Alias(alias)) => Ok((name, Some(alias))),
        Some(Qualifier::Version(_)) => Err(ApiError::not_of_a_version()),
    }
}

fn no_function(error: FunctionsError) -> ApiError {
    match error {
        FunctionsError::NotFound { .. } => ApiError::not_found("Function does not exist"),
        error => error.into(),
    }
}

fn read_cors(cors: shapes::Cors) -> Cors {
    Cors {
        allow_credentials: cors.allow_credentials,
        allow_headers: cors.allow_headers,
        allow_methods: cors.allow_methods,
        allow_origins: cors.allow_origins,
        expose_headers: cors.expose_headers,
        max_age_seconds: cors.max_age,
    }
}

fn describe(api: &LambdaApi, url: &FunctionUrl, port: &str) -> FunctionUrlConfig {
    let time = |epoch_ms| {
        let at = jiff::Timestamp::from_millisecond(epoch_ms).unwrap_or_default();
        format!("{at:.6}")
    };
    let region = &api.functions.settings().region;
    FunctionUrlConfig {
        function_url: Some(format!("http://{}.lambda-url.{region}.localhost{port}/", url.id)),
        function_arn: Some(url.arn.to_string()),
        auth_type: Some(url.auth_type.as_str().to_owned()),
        cors: url.cors.clone().map(|cors| shapes::Cors {
            allow_credentials: cors.allow_credentials,
            allow_headers: cors.allow_headers,
            allow_methods: cors.allow_methods,
            allow_origins: cors.allow_origins,
            expose_headers: cors.expose_headers,
            max_age: cors.max_age_seconds,
        }),
        creation_time: Some(time(url.created_ms)),
        last_modified_time: Some(time(url.last_modified_ms)),
        invoke_mode: Some(url.invoke_mode.as_str().to_owned()),
    }
}

/// Returns the port that the client has reached us by, with its colon: that of the URL is the same.
fn port<B>(request: &Request<B>) -> String {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let port = host.rsplit_once(':').map(|(_, port)| port).filter(|port| port.parse::<u16>().is_ok());
    port.map(|port| format!(":{port}")).unwrap_or_default()
}

fn reply(status: StatusCode, shown: &Value) -> Result<Response, ApiError> {
    Ok(json_response(status, shown.to_string()))
}
