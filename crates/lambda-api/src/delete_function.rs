//! DeleteFunction: the function goes at once; invocations that run, run to their end.

use hearth_aws_wire::{Body, Response};
use hearth_types::{Qualifier, Version};
use http::{Request, StatusCode};

use crate::error::ApiError;
use crate::function_name::target;
use crate::generated::constraints::DELETE_FUNCTION_REQUEST;
use crate::{LambdaApi, input};

pub(crate) async fn answer<B>(
    api: &LambdaApi,
    labels: Vec<String>,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let query = input::of_query(request, &["Qualifier"], &[])?;
    let qualifier = query.first().and_then(|(_, value)| value.as_str());
    let name = labels.into_iter().next().unwrap_or_default();
    let target = target(api, &DELETE_FUNCTION_REQUEST, "DeleteFunction", &name, qualifier)?;
    match target.qualifier {
        None => api.functions.delete(&target.name).await?,
        Some(qualifier) => {
            api.functions.get(&target.name)?;
            match qualifier {
                Qualifier::Version(Version::Latest) => {
                    return Err(ApiError::invalid_parameter(
                        "$LATEST version cannot be deleted without deleting the function.",
                    ));
                }
                Qualifier::Alias(_) => {
                    return Err(ApiError::invalid_parameter(
                        "Deletion of aliases is not currently supported.",
                    ));
                }
                // A version that is not there: believed to be no error on AWS (unrecorded).
                Qualifier::Version(Version::Number(_)) => {}
            }
        }
    }
    let mut response = http::Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}
