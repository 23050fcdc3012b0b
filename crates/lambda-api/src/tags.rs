//! TagResource, UntagResource, ListTags: the tags of functions. What else the model lets have tags, Hearth has not.

use std::collections::BTreeMap;

use hearth_aws_wire::{Body, Response, json_response};
use hearth_types::FunctionName;
use http::{Request, StatusCode};
use hyper::body::Incoming;

use crate::error::ApiError;
use crate::function_name::target;
use crate::generated::shapes::{ListTagsRequest, ListTagsResponse, TagResourceRequest, UntagResourceRequest};
use crate::routes::Call;
use crate::{LambdaApi, input};

/// Answers TagResource.
pub(crate) async fn answer_tag(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let head = input::head(operation.input, labels, &request);
    let body = input::body(operation.name, request).await?;
    let _upload = api.uploads.admit(&body).await;
    let head = head?;
    let asked: TagResourceRequest =
        input::work_on(body, move |body| input::read(operation.input, head, &body)).await?;
    let name = function(api, operation.name, &asked.resource.unwrap_or_default())?;
    let tags = asked.tags.unwrap_or_default();
    if tags.is_empty() {
        return Err(cannot_be_processed());
    }
    check_keys(&tags)?;
    api.functions.tag(&name, tags).await?;
    Ok(no_content())
}

/// Answers UntagResource.
pub(crate) async fn answer_untag<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: UntagResourceRequest =
        input::read(operation.input, input::head(operation.input, labels, request)?, b"")?;
    let name = function(api, operation.name, &asked.resource.unwrap_or_default())?;
    api.functions.untag(&name, asked.tag_keys.unwrap_or_default()).await?;
    Ok(no_content())
}

/// Answers ListTags.
pub(crate) fn answer_list<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: ListTagsRequest =
        input::read(operation.input, input::head(operation.input, labels, request)?, b"")?;
    let name = function(api, operation.name, &asked.resource.unwrap_or_default())?;
    let reply = ListTagsResponse { tags: Some(api.functions.get(&name)?.tags.clone()) };
    let text = serde_json::to_vec(&reply).map_err(|error| ApiError::service(&error))?;
    Ok(json_response(StatusCode::OK, text))
}

/// Refuses tags that only AWS itself may give. The text is ours: AWS's is not recorded.
pub(crate) fn check_keys(tags: &BTreeMap<String, String>) -> Result<(), ApiError> {
    let is_reserved =
        |key: &&String| key.as_bytes().get(..4).is_some_and(|head| head.eq_ignore_ascii_case(b"aws:"));
    match tags.keys().find(is_reserved) {
        None => Ok(()),
        Some(key) => Err(ApiError::invalid_parameter(format!(
            "The tag key {key} is not allowed: keys that begin with aws: are reserved"
        ))),
    }
}

/// Reads which function an ARN means. The model allows ARNs of other kinds, and nothing but ARNs.
fn function(api: &LambdaApi, action: &str, arn: &str) -> Result<FunctionName, ApiError> {
    let not_found = |kind: &str| Err(ApiError::not_found(format!("{kind} not found: {arn}")));
    match arn.split(':').nth(5).unwrap_or_default() {
        "function" => {}
        "event-source-mapping" => return not_found("Event source mapping"),
        "capacity-provider" => return not_found("Capacity provider"),
        // The two texts above are recorded; this one is made after them.
        "code-signing-config" => return not_found("Code signing config"),
        _ => return Err(cannot_be_processed()),
    }
    let target = target(api, action, arn, None)?;
    match target.qualifier {
        None => Ok(target.name),
        Some(_) => Err(ApiError::invalid_parameter(
            "Tags on function aliases and versions are not supported. Please specify a function ARN.",
        )),
    }
}

fn cannot_be_processed() -> ApiError {
    ApiError::invalid_parameter("An error occurred and the request cannot be processed.")
}

fn no_content() -> Response {
    let mut response = http::Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
