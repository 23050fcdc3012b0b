//! ListFunctions: by name, fifty on a page. A marker names the last function of the page before, so that functions that
//! come and go move no others.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hearth_aws_wire::{Response, json_response};
use hearth_types::limits::LIST_FUNCTIONS_PAGE;
use hearth_types::{FunctionName, Qualifier, Version};
use http::{Request, StatusCode};

use crate::error::ApiError;
use crate::generated::shapes::{ListFunctionsRequest, ListFunctionsResponse};
use crate::routes::Call;
use crate::{LambdaApi, configuration, input};

pub(crate) fn answer<B>(api: &LambdaApi, call: Call, request: &Request<B>) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let request: ListFunctionsRequest =
        input::read(operation.input, input::head(operation.input, labels, request)?, b"")?;
    let after = match request.marker.as_deref() {
        None | Some("") => None,
        Some(marker) => Some(name_of(marker).ok_or_else(|| {
            ApiError::invalid_parameter("The provided marker is invalid. Please provide a valid marker.")
        })?),
    };
    let asked = request.max_items.map_or(LIST_FUNCTIONS_PAGE, |items| usize::try_from(items).unwrap_or(1));
    let (functions, more) = match request.master_region.as_deref() {
        None | Some("ALL") => api.functions.list(after.as_ref(), asked.min(LIST_FUNCTIONS_PAGE)),
        // Copies, at the edge, of functions of that region. There is no edge here.
        Some(_) => (Vec::new(), false),
    };
    // With all versions asked for, each entry says which one it is.
    let qualifier = request.function_version.map(|_| Qualifier::Version(Version::Latest));
    let next = functions.last().filter(|_| more);
    let reply = ListFunctionsResponse {
        next_marker: next.map(|last| URL_SAFE_NO_PAD.encode(last.configuration.name.as_str())),
        functions: Some(
            functions
                .iter()
                .map(|function| configuration::describe_in_list(api, function, qualifier.clone()))
                .collect(),
        ),
    };
    let text = serde_json::to_vec(&reply).map_err(|error| ApiError::service(&error))?;
    Ok(json_response(StatusCode::OK, text))
}

fn name_of(marker: &str) -> Option<FunctionName> {
    let name = URL_SAFE_NO_PAD.decode(marker).ok()?;
    FunctionName::new(std::str::from_utf8(&name).ok()?).ok()
}
