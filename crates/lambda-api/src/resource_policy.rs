//! PutResourcePolicy, GetResourcePolicy, DeleteResourcePolicy: the policy of a function, version or alias as a whole. It is the
//! one that AddPermission adds to.

use hearth_aws_wire::{Body, Response, json_response};
use hearth_types::{Qualifier, Version};
use http::{Request, StatusCode};
use hyper::body::Incoming;

use crate::error::ApiError;
use crate::function_name::{Target, target};
use crate::generated::shapes::{
    DeleteResourcePolicyRequest, GetResourcePolicyRequest, GetResourcePolicyResponse,
    PutResourcePolicyRequest, PutResourcePolicyResponse,
};
use crate::routes::Call;
use crate::{LambdaApi, input, permission, policy_document};

/// Answers PutResourcePolicy.
pub(crate) async fn answer_put(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: PutResourcePolicyRequest = input::whole(api, operation, labels, request).await?;
    let target = resource(api, operation.name, asked.resource_arn)?;
    permission::check(api, &target)?;
    let arn = permission::arn(api, &target);
    let statements = policy_document::read(&arn, &asked.policy.unwrap_or_default()).map_err(|reason| {
        ApiError::invalid_parameter(format!("The provided policy document is invalid: {reason}"))
    })?;
    let Target { name, qualifier } = &target;
    api.functions.put_policy(name, qualifier.clone(), statements, asked.revision_id).await?;
    let (policy, revision_id) = permission::policy(api, &target)?;
    let reply = PutResourcePolicyResponse { policy: Some(policy), revision_id: Some(revision_id) };
    Ok(json_response(StatusCode::OK, permission::text(&reply)?))
}

/// Answers GetResourcePolicy.
pub(crate) fn answer_get<B>(api: &LambdaApi, call: Call, request: &Request<B>) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: GetResourcePolicyRequest = input::of_head(operation, labels, request)?;
    let target = resource(api, operation.name, asked.resource_arn)?;
    let (policy, revision_id) = permission::policy(api, &target)?;
    let reply = GetResourcePolicyResponse { policy: Some(policy), revision_id: Some(revision_id) };
    Ok(json_response(StatusCode::OK, permission::text(&reply)?))
}

/// Answers DeleteResourcePolicy.
pub(crate) async fn answer_delete<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: DeleteResourcePolicyRequest = input::of_head(operation, labels, request)?;
    let target = resource(api, operation.name, asked.resource_arn)?;
    permission::check(api, &target)?;
    let Target { name, qualifier } = target;
    api.functions.put_policy(&name, qualifier, Vec::new(), asked.revision_id).await?;
    let mut response = http::Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// Finds what an ARN is of. Hearth has no custom runtimes, which may have a policy on AWS.
fn resource(api: &LambdaApi, action: &str, arn: Option<String>) -> Result<Target, ApiError> {
    let arn = arn.unwrap_or_default();
    if arn.split(':').nth(5).is_none_or(|kind| kind != "function") {
        return Err(ApiError::not_found("The resource you requested does not exist."));
    }
    let target = target(api, action, &arn, None)?;
    if target.qualifier == Some(Qualifier::Version(Version::Latest)) {
        return Err(ApiError::invalid_parameter("We currently do not support adding policies for $LATEST."));
    }
    Ok(target)
}
