//! ListFunctions: by name, fifty on a page. A marker names the last function of the page before, so that functions that
//! come and go move no others.

use hearth_aws_wire::{Response, json_response};
use hearth_functions::Function;
use hearth_types::limits::LIST_FUNCTIONS_PAGE;
use hearth_types::{FunctionName, Qualifier, Version};
use http::{Request, StatusCode};

use crate::error::ApiError;
use crate::generated::shapes::{ListFunctionsRequest, ListFunctionsResponse};
use crate::routes::Call;
use crate::{LambdaApi, configuration, input, layers, list_versions_by_function};

pub(crate) fn answer<B>(api: &LambdaApi, call: Call, request: &Request<B>) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let request: ListFunctionsRequest = input::of_head(operation, labels, request)?;
    // The place behind which the page begins. Of one that names no version, all of them are behind.
    let after = layers::read_marker(request.marker.as_deref(), place)?;
    let all_versions = request.function_version.is_some();
    let asked = request.max_items.map_or(LIST_FUNCTIONS_PAGE, |items| usize::try_from(items).unwrap_or(1));
    let (functions, more) = match request.master_region.as_deref() {
        None | Some("ALL") if all_versions => {
            api.functions.list_all_versions(after.as_ref(), asked.min(LIST_FUNCTIONS_PAGE))
        }
        None | Some("ALL") => {
            let after = after.as_ref().map(|(name, _)| name);
            api.functions.list(after, asked.min(LIST_FUNCTIONS_PAGE))
        }
        // Copies, at the edge, of functions of that region. There is no edge here.
        Some(_) => (Vec::new(), false),
    };
    // With all versions asked for, each entry says which one it is.
    let qualifier = |function: &Function| all_versions.then_some(Qualifier::Version(function.version));
    let next = functions.last().filter(|_| more);
    let reply = ListFunctionsResponse {
        next_marker: next.map(|last| match all_versions {
            true => layers::marker(&format!("{}:{}", last.configuration.name, last.version)),
            false => layers::marker(last.configuration.name.as_str()),
        }),
        functions: Some(
            functions
                .iter()
                .map(|function| configuration::describe_in_list(api, function, qualifier(function)))
                .collect(),
        ),
    };
    let text = serde_json::to_vec(&reply).map_err(|error| ApiError::service(&error))?;
    Ok(json_response(StatusCode::OK, text))
}

/// Reads `NAME` or `NAME:VERSION`.
fn place(marker: &str) -> Option<(FunctionName, Version)> {
    let (name, version) = match marker.split_once(':') {
        Some((name, version)) => (name, list_versions_by_function::version(version)?),
        None => (marker, Version::Number(u64::MAX)),
    };
    Some((FunctionName::new(name).ok()?, version))
}
