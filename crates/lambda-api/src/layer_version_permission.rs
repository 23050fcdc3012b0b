//! AddLayerVersionPermission, RemoveLayerVersionPermission, GetLayerVersionPolicy: who else may use a version. What it
//! decides is told in [`crate::access`].

use hearth_aws_wire::{Body, Response, json_response};
use hearth_functions::{LayerStatement, LayerVersion};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use serde::Serialize;

use crate::error::ApiError;
use crate::generated::shapes::{
    AddLayerVersionPermissionRequest, AddLayerVersionPermissionResponse, GetLayerVersionPolicyRequest,
    GetLayerVersionPolicyResponse, RemoveLayerVersionPermissionRequest,
};
use crate::routes::Call;
use crate::{LambdaApi, input, layers};

/// Answers AddLayerVersionPermission.
pub(crate) async fn answer_add(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: AddLayerVersionPermissionRequest = input::whole(api, operation, labels, request).await?;
    let (name, number) =
        layers::layer_version(api, operation.name, asked.layer_name.as_deref(), asked.version_number)?;
    let statement = LayerStatement {
        sid: asked.statement_id.unwrap_or_default(),
        principal: asked.principal.unwrap_or_default(),
        organization_id: asked.organization_id,
    };
    let version = api.layers.add_statement(&name, number, statement.clone(), asked.revision_id).await?;
    let reply = AddLayerVersionPermissionResponse {
        statement: Some(text(&Statement::of(&version, &statement))?),
        revision_id: Some(version.policy_revision_id.to_string()),
    };
    Ok(json_response(StatusCode::CREATED, text(&reply)?))
}

/// Answers RemoveLayerVersionPermission.
pub(crate) async fn answer_remove<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: RemoveLayerVersionPermissionRequest = input::of_head(operation, labels, request)?;
    let (name, number) =
        layers::layer_version(api, operation.name, asked.layer_name.as_deref(), asked.version_number)?;
    let sid = asked.statement_id.unwrap_or_default();
    api.layers.remove_statement(&name, number, sid, asked.revision_id).await?;
    let mut response = http::Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// Answers GetLayerVersionPolicy.
pub(crate) fn answer_get<B>(api: &LambdaApi, call: Call, request: &Request<B>) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: GetLayerVersionPolicyRequest = input::of_head(operation, labels, request)?;
    let (name, number) =
        layers::layer_version(api, operation.name, asked.layer_name.as_deref(), asked.version_number)?;
    let version = api
        .layers
        .get(&name, number)
        .ok_or_else(|| layers::no_such_version(&api.layers.arn(&name, number)))?;
    if version.statements.is_empty() {
        return Err(ApiError::not_found("No policy is associated with the given resource."));
    }
    let policy = Policy {
        version: "2012-10-17",
        id: "default",
        statement: version.statements.iter().map(|statement| Statement::of(&version, statement)).collect(),
    };
    let reply = GetLayerVersionPolicyResponse {
        policy: Some(text(&policy)?),
        revision_id: Some(version.policy_revision_id.to_string()),
    };
    Ok(json_response(StatusCode::OK, text(&reply)?))
}

fn text(value: &impl Serialize) -> Result<String, ApiError> {
    serde_json::to_string(value).map_err(|error| ApiError::service(&error))
}

/// A policy as AWS writes it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    version: &'static str,
    id: &'static str,
    statement: Vec<Statement>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    sid: String,
    effect: &'static str,
    principal: Principal,
    action: &'static str,
    resource: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Condition>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Principal {
    Everybody(&'static str),
    Account {
        #[serde(rename = "AWS")]
        arn: String,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Condition {
    string_equals: StringEquals,
}

#[derive(Serialize)]
struct StringEquals {
    #[serde(rename = "aws:PrincipalOrgID")]
    organization: String,
}

impl Statement {
    fn of(version: &LayerVersion, statement: &LayerStatement) -> Self {
        let principal = match statement.principal.as_str() {
            "*" => Principal::Everybody("*"),
            arn if arn.starts_with("arn:") => Principal::Account { arn: arn.to_owned() },
            account => Principal::Account { arn: format!("arn:aws:iam::{account}:root") },
        };
        let condition = statement
            .organization_id
            .clone()
            .map(|organization| Condition { string_equals: StringEquals { organization } });
        Self {
            sid: statement.sid.clone(),
            effect: "Allow",
            principal,
            action: "lambda:GetLayerVersion",
            resource: version.arn.to_string(),
            condition,
        }
    }
}
