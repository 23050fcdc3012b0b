//! ListVersionsByFunction: `$LATEST`, then the numbers upwards, fifty on a page. A marker names the last version of the
//! page before.

use hearth_aws_wire::{Response, json_response};
use hearth_types::limits::LIST_FUNCTIONS_PAGE;
use hearth_types::{Qualifier, Version};
use http::{Request, StatusCode};

use crate::error::ApiError;
use crate::function_name::changeable;
use crate::generated::shapes::{ListVersionsByFunctionRequest, ListVersionsByFunctionResponse};
use crate::routes::Call;
use crate::{LambdaApi, configuration, input, layers};

pub(crate) fn answer<B>(api: &LambdaApi, call: Call, request: &Request<B>) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: ListVersionsByFunctionRequest = input::of_head(operation, labels, request)?;
    let name = changeable(api, operation.name, asked.function_name.as_deref().unwrap_or_default())?;
    let after = layers::read_marker(asked.marker.as_deref(), version)?;
    let limit = asked.max_items.map_or(LIST_FUNCTIONS_PAGE, |items| usize::try_from(items).unwrap_or(1));
    let (found, more) = api.functions.list_versions(&name, after, limit.min(LIST_FUNCTIONS_PAGE))?;
    let next = found.last().filter(|_| more);
    let reply = ListVersionsByFunctionResponse {
        next_marker: next.map(|last| layers::marker(&last.version.to_string())),
        versions: Some(
            found
                .iter()
                .map(|function| {
                    let qualifier = Qualifier::Version(function.version);
                    configuration::describe_in_list(api, function, Some(qualifier))
                })
                .collect(),
        ),
    };
    let text = serde_json::to_vec(&reply).map_err(|error| ApiError::service(&error))?;
    Ok(json_response(StatusCode::OK, text))
}

/// Reads `$LATEST` or a number.
pub(crate) fn version(text: &str) -> Option<Version> {
    match Qualifier::parse(text) {
        Ok(Qualifier::Version(version)) => Some(version),
        Ok(Qualifier::Alias(_)) | Err(_) => None,
    }
}
