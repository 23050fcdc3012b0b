//! `Layers` of a function in requests: at most five versions, all of this account and region, no layer twice.

use std::collections::BTreeMap;

use hearth_auth::Identity;
use hearth_functions::{FunctionLayer, LayerInUse, LayersError};
use hearth_types::limits::LAYERS_MAX;
use hearth_types::{LayerName, LayerVersionArn};

use crate::LambdaApi;
use crate::error::ApiError;
use crate::generated::shapes::Layer;
use crate::layers::check_owner;

/// Finds the layers that a request names, in its order. Who asks has to have a right to each.
pub(crate) fn find(
    api: &LambdaApi,
    arns: &[String],
    identity: Option<&Identity>,
) -> Result<Vec<LayerInUse>, ApiError> {
    if arns.len() > LAYERS_MAX {
        return Err(ApiError::invalid_parameter(format!("Cannot reference more than {LAYERS_MAX} layers.")));
    }
    let mut seen: BTreeMap<LayerName, &str> = BTreeMap::new();
    let mut layers = Vec::new();
    for given in arns {
        let (name, layer) = find_one(api, given, identity)?;
        if let Some(other) = seen.insert(name, given) {
            return Err(ApiError::invalid_parameter(format!(
                "Two different versions of the same layer are not allowed to be referenced in the same function. \
                 {other} and {given} are versions of the same layer."
            )));
        }
        layers.push(layer);
    }
    Ok(layers)
}

fn find_one(
    api: &LambdaApi,
    given: &str,
    identity: Option<&Identity>,
) -> Result<(LayerName, LayerInUse), ApiError> {
    let missing = || ApiError::invalid_parameter(format!("Layer version {given} does not exist."));
    if given.contains(":awslayer:") {
        return Err(ApiError::invalid_parameter(format!(
            "Layers that AWS publishes ({given}) are not supported by Hearth yet"
        )));
    }
    // The model has let it pass, so it is a name or a number that nothing can have.
    let arn = LayerVersionArn::parse(given).ok_or_else(missing)?;
    let ours = api.functions.settings();
    if arn.region != ours.region && arn.account == ours.account {
        return Err(ApiError::invalid_parameter(format!(
            "Layers are not in the same region as the function. Layers are expected to be in region {}.",
            ours.region
        )));
    }
    check_owner(api, &arn.region, &arn.account, "GetLayerVersion", given)?;
    api.check_layer(identity, &arn)?;
    match api.layers.for_function(&arn) {
        Ok(layer) => Ok((arn.name, layer)),
        Err(LayersError::VersionNotFound { .. }) => Err(missing()),
        Err(error) => Err(error.into()),
    }
}

/// Describes the layers of a function; without any, there is nothing to describe.
pub(crate) fn describe(layers: &[FunctionLayer]) -> Option<Vec<Layer>> {
    let describe = |layer: &FunctionLayer| Layer {
        arn: Some(layer.arn.to_string()),
        code_size: i64::try_from(layer.code_size).ok(),
        ..Default::default()
    };
    (!layers.is_empty()).then(|| layers.iter().map(describe).collect())
}
