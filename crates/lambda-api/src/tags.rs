//! TagResource, UntagResource, ListTags: the tags of functions, code signing configurations and event source mappings. What
//! else the model lets have tags is not found.

use std::collections::BTreeMap;

use hearth_aws_wire::{Body, Response, json_response};
use hearth_types::FunctionName;
use http::{Request, StatusCode};
use hyper::body::Incoming;

use crate::error::ApiError;
use crate::function_name::target;
use crate::generated::shapes::{ListTagsRequest, ListTagsResponse, TagResourceRequest, UntagResourceRequest};
use crate::routes::Call;
use crate::{LambdaApi, code_signing, event_source_mappings, input};

/// Answers TagResource.
pub(crate) async fn answer_tag(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: TagResourceRequest = input::whole(api, operation, labels, request).await?;
    let resource = asked.resource.unwrap_or_default();
    let tagged = tagged(api, operation.name, &resource)?;
    let tags = asked.tags.unwrap_or_default();
    if tags.is_empty() {
        return Err(cannot_be_processed());
    }
    check_keys(&tags)?;
    match tagged {
        Tagged::Function(name) => api.functions.tag(&name, tags).await?,
        Tagged::CodeSigningConfig(id) => api.code_signing.tag(&id, tags).await?,
        Tagged::Mapping(uuid) => {
            let event_sources = event_source_mappings::event_sources(api)?;
            event_sources.change_tags(&uuid, |own| own.extend(tags)).await?;
        }
    }
    Ok(no_content())
}

/// Answers UntagResource.
pub(crate) async fn answer_untag<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: UntagResourceRequest = input::of_head(operation, labels, request)?;
    let keys = asked.tag_keys.unwrap_or_default();
    match tagged(api, operation.name, &asked.resource.unwrap_or_default())? {
        Tagged::Function(name) => api.functions.untag(&name, keys).await?,
        Tagged::CodeSigningConfig(id) => api.code_signing.untag(&id, &keys).await?,
        Tagged::Mapping(uuid) => {
            let event_sources = event_source_mappings::event_sources(api)?;
            event_sources.change_tags(&uuid, |own| own.retain(|key, _| !keys.contains(key))).await?;
        }
    }
    Ok(no_content())
}

/// Answers ListTags.
pub(crate) fn answer_list<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: ListTagsRequest = input::of_head(operation, labels, request)?;
    let tags = match tagged(api, operation.name, &asked.resource.unwrap_or_default())? {
        Tagged::Function(name) => api.functions.get(&name)?.tags.clone(),
        Tagged::CodeSigningConfig(id) => api.code_signing.get(&id)?.tags.clone(),
        Tagged::Mapping(uuid) => {
            event_source_mappings::event_sources(api)?.get(&uuid)?.mapping.record.tags.clone()
        }
    };
    let reply = ListTagsResponse { tags: Some(tags) };
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

/// What has tags.
enum Tagged {
    Function(FunctionName),
    CodeSigningConfig(String),
    /// An event source mapping that is there, by its UUID.
    Mapping(String),
}

/// Reads what an ARN means. The model allows ARNs of other kinds, and nothing but ARNs.
fn tagged(api: &LambdaApi, action: &str, arn: &str) -> Result<Tagged, ApiError> {
    let not_found = |kind: &str| Err(ApiError::not_found(format!("{kind} not found: {arn}")));
    match arn.split(':').nth(5).unwrap_or_default() {
        "function" => {}
        "event-source-mapping" => {
            let mappings = api.event_sources.as_ref();
            let known = mappings.and_then(|mappings| mappings.get(mappings.uuid_of(arn)?).ok());
            return match known {
                Some(known) => Ok(Tagged::Mapping(known.mapping.record.uuid.clone())),
                None => not_found("Event source mapping"),
            };
        }
        "capacity-provider" => return not_found("Capacity provider"),
        "code-signing-config" => {
            return Ok(Tagged::CodeSigningConfig(code_signing::id(api, Some(arn))?.to_owned()));
        }
        _ => return Err(cannot_be_processed()),
    }
    let target = target(api, action, arn, None)?;
    match target.qualifier {
        None => Ok(Tagged::Function(target.name)),
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
