//! AddPermission, RemovePermission, GetPolicy: who else may use a function, version or alias. What it decides is
//! told in [`crate::access`].

use hearth_aws_wire::{Body, Response, json_response};
use hearth_functions::{FunctionsError, PolicyError, Statement};
use hearth_types::limits::POLICY_BYTES_MAX;
use hearth_types::{Qualifier, Version};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use serde::Serialize;

use crate::error::ApiError;
use crate::function_name::{Target, target};
use crate::generated::shapes::{
    AddPermissionRequest, AddPermissionResponse, GetPolicyRequest, GetPolicyResponse, RemovePermissionRequest,
};
use crate::policy_document::{PolicyDocument, Principal, StatementDocument};
use crate::routes::Call;
use crate::{LambdaApi, input};

/// Answers AddPermission.
pub(crate) async fn answer_add(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: AddPermissionRequest = input::whole(api, operation, labels, request).await?;
    let name = asked.function_name.unwrap_or_default();
    let target = target(api, operation.name, &name, asked.qualifier.as_deref())?;
    if target.qualifier == Some(Qualifier::Version(Version::Latest)) {
        return Err(ApiError::invalid_parameter("We currently do not support adding policies for $LATEST."));
    }
    check(api, &target)?;
    let Target { name, qualifier } = target;
    let statement = Statement {
        sid: asked.statement_id.unwrap_or_default(),
        principal: asked.principal.unwrap_or_default(),
        action: asked.action.unwrap_or_default(),
        source_arn: asked.source_arn,
        source_account: asked.source_account,
        event_source_token: asked.event_source_token,
        function_url_auth_type: asked.function_url_auth_type,
        invoked_via_function_url: asked.invoked_via_function_url,
        principal_org_id: asked.principal_org_id,
        document: None,
    };
    if Principal::parse(&statement.principal).is_none() {
        return Err(ApiError::invalid_parameter(
            "The provided principal was invalid. Please check the principal and try again.",
        ));
    }
    let arn = api.functions.arn(&name, qualifier.clone()).to_string();
    let added = text(&StatementDocument::of(&arn, &statement))?;
    // What cannot be written has no length that would fit.
    let bytes = move |statements: &[Statement]| {
        text(&PolicyDocument::of(&arn, statements)).map_or(usize::MAX, |text| text.len())
    };
    api.functions.add_permission(&name, qualifier, statement, asked.revision_id, bytes).await?;
    Ok(json_response(StatusCode::CREATED, text(&AddPermissionResponse { statement: Some(added) })?))
}

/// Answers RemovePermission.
pub(crate) async fn answer_remove<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: RemovePermissionRequest = input::of_head(operation, labels, request)?;
    let name = asked.function_name.unwrap_or_default();
    let target = target(api, operation.name, &name, asked.qualifier.as_deref())?;
    if api.functions.get(&target.name).is_err() {
        let arn = api.functions.arn(&target.name, None);
        return Err(ApiError::not_found(format!("No policy found for: {arn}")));
    }
    check(api, &target)?;
    let Target { name, qualifier } = target;
    let sid = asked.statement_id.unwrap_or_default();
    api.functions.remove_permission(&name, qualifier, sid, asked.revision_id).await?;
    let mut response = http::Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// Answers GetPolicy.
pub(crate) fn answer_get<B>(api: &LambdaApi, call: Call, request: &Request<B>) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: GetPolicyRequest = input::of_head(operation, labels, request)?;
    let name = asked.function_name.unwrap_or_default();
    let target = target(api, operation.name, &name, asked.qualifier.as_deref())?;
    let (policy, revision_id) = policy(api, &target)?;
    let reply = GetPolicyResponse { policy: Some(policy), revision_id: Some(revision_id) };
    Ok(json_response(StatusCode::OK, text(&reply)?))
}

/// Returns the policy of a target as text, and its revision.
pub(crate) fn policy(api: &LambdaApi, target: &Target) -> Result<(String, String), ApiError> {
    check(api, target)?;
    let policy = api.functions.policy(&target.name, target.qualifier.as_ref())?;
    let policy = policy.ok_or_else(|| ApiError::not_found("The resource you requested does not exist."))?;
    let document = PolicyDocument::of(&arn(api, target), &policy.statements);
    Ok((text(&document)?, policy.revision_id.to_string()))
}

/// Returns the ARN that the policy of a target is about. That of `$LATEST` is the function's.
pub(crate) fn arn(api: &LambdaApi, target: &Target) -> String {
    let qualifier = target.qualifier.clone();
    let qualifier = qualifier.filter(|qualifier| *qualifier != Qualifier::Version(Version::Latest));
    api.functions.arn(&target.name, qualifier).to_string()
}

/// Refuses a function, version or alias that is not there.
pub(crate) fn check(api: &LambdaApi, target: &Target) -> Result<(), ApiError> {
    api.functions.get(&target.name)?;
    match api.functions.policy(&target.name, target.qualifier.as_ref()) {
        Ok(_) => Ok(()),
        Err(FunctionsError::AliasNotFound { arn }) => {
            Err(ApiError::not_found(format!("Cannot find alias arn: {arn}")))
        }
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn text(value: &impl Serialize) -> Result<String, ApiError> {
    serde_json::to_string(value).map_err(|error| ApiError::service(&error))
}

impl From<PolicyError> for ApiError {
    fn from(error: PolicyError) -> Self {
        match error {
            PolicyError::RevisionMismatch => Self::precondition_failed("GetPolicy"),
            PolicyError::NoPolicy => Self::not_found("No policy is associated with the given resource."),
            PolicyError::StatementExists { sid } => Self::conflict(format!(
                "The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the \
                 existing statement."
            )),
            PolicyError::StatementNotFound { sid } => {
                Self::not_found(format!("Statement {sid} is not found in resource policy."))
            }
            PolicyError::TooLong { bytes } => Self::policy_too_long(bytes, POLICY_BYTES_MAX),
            PolicyError::Functions(error) => error.into(),
        }
    }
}
