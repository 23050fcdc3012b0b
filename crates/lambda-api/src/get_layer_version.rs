//! GetLayerVersion and GetLayerVersionByArn: a version, and where its package can be fetched.

use hearth_aws_wire::{Response, json_response};
use hearth_types::{LayerName, LayerVersionArn};
use http::{Request, StatusCode};

use crate::error::ApiError;
use crate::generated::shapes::{GetLayerVersionByArnRequest, GetLayerVersionRequest};
use crate::routes::Call;
use crate::{LambdaApi, input, layers};

pub(crate) fn answer<B>(api: &LambdaApi, call: Call, request: &Request<B>) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: GetLayerVersionRequest = input::of_head(operation, labels, request)?;
    let (name, number) =
        layers::layer_version(api, operation.name, asked.layer_name.as_deref(), asked.version_number)?;
    show(api, request, &name, number)
}

/// Answers GetLayerVersionByArn.
pub(crate) fn answer_by_arn<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: GetLayerVersionByArnRequest = input::of_head(operation, labels, request)?;
    let given = asked.arn.unwrap_or_default();
    // The model allows AWS's own layers, too, and numbers of any length.
    let arn = LayerVersionArn::parse(&given).ok_or_else(layers::no_such_resource)?;
    layers::check_owner(api, &arn.region, &arn.account, "GetLayerVersion", &given)?;
    let number = layers::version_number(i64::try_from(arn.version).unwrap_or(i64::MAX))?;
    show(api, request, &arn.name, number)
}

fn show<B>(
    api: &LambdaApi,
    request: &Request<B>,
    name: &LayerName,
    number: u64,
) -> Result<Response, ApiError> {
    let version = api.layers.get(name, number).ok_or_else(layers::no_such_resource)?;
    let described = layers::describe(api, request, &version);
    let text = serde_json::to_vec(&described).map_err(|error| ApiError::service(&error))?;
    Ok(json_response(StatusCode::OK, text))
}
