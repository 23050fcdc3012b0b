//! ListLayers and ListLayerVersions: layers by name, each with its newest matching version; versions, the newest first.

use hearth_aws_wire::{Response, json_response};
use hearth_types::LayerName;
use http::{Request, StatusCode};

use crate::error::ApiError;
use crate::generated::shapes::{
    LayersListItem, ListLayerVersionsRequest, ListLayerVersionsResponse, ListLayersRequest,
    ListLayersResponse,
};
use crate::routes::Call;
use crate::{LambdaApi, input, layers};

pub(crate) fn answer<B>(api: &LambdaApi, call: Call, request: &Request<B>) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: ListLayersRequest = input::of_head(operation, labels, request)?;
    let filter =
        layers::filter(asked.compatible_runtime.as_deref(), asked.compatible_architecture.as_deref());
    let after = layers::read_marker(asked.marker.as_deref(), |name| LayerName::new(name).ok())?;
    let (found, more) = api.layers.list(filter, after.as_ref(), layers::page(asked.max_items));
    let next = found.last().filter(|_| more);
    let reply = ListLayersResponse {
        next_marker: next.map(|last| layers::marker(last.arn.name.as_str())),
        layers: Some(
            found
                .iter()
                .map(|version| LayersListItem {
                    layer_name: Some(version.arn.name.to_string()),
                    layer_arn: Some(version.arn.layer()),
                    latest_matching_version: Some(layers::describe_in_list(version)),
                })
                .collect(),
        ),
    };
    let text = serde_json::to_vec(&reply).map_err(|error| ApiError::service(&error))?;
    Ok(json_response(StatusCode::OK, text))
}

/// Answers ListLayerVersions.
pub(crate) fn answer_versions<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: ListLayerVersionsRequest = input::of_head(operation, labels, request)?;
    let name = layers::layer(api, operation.name, asked.layer_name.as_deref())?;
    let filter =
        layers::filter(asked.compatible_runtime.as_deref(), asked.compatible_architecture.as_deref());
    let before = layers::read_marker(asked.marker.as_deref(), |number| number.parse().ok())?;
    let (found, more) = api.layers.list_versions(&name, filter, before, layers::page(asked.max_items));
    let next = found.last().filter(|_| more);
    let reply = ListLayerVersionsResponse {
        next_marker: next.map(|last| layers::marker(&last.arn.version.to_string())),
        layer_versions: Some(found.iter().map(|version| layers::describe_in_list(version)).collect()),
    };
    let text = serde_json::to_vec(&reply).map_err(|error| ApiError::service(&error))?;
    Ok(json_response(StatusCode::OK, text))
}
