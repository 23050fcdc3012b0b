//! DeleteFunction: the function, or one of its versions, goes at once; invocations that run, run to their end.

use hearth_aws_wire::{Body, Response};
use hearth_types::{Qualifier, Version};
use http::{Request, StatusCode};

use crate::error::ApiError;
use crate::function_name::target;
use crate::generated::shapes::DeleteFunctionRequest;
use crate::routes::Call;
use crate::{LambdaApi, event_invoke_config, input};

pub(crate) async fn answer<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: DeleteFunctionRequest = input::of_head(operation, labels, request)?;
    let name = asked.function_name.unwrap_or_default();
    let target = target(api, operation.name, &name, asked.qualifier.as_deref())?;
    match target.qualifier {
        None => {
            api.functions.delete(&target.name).await?;
            if let Some(durable) = &api.durable {
                durable.functions_changed();
            }
        }
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
                Qualifier::Version(Version::Number(number)) => {
                    api.functions.delete_version(&target.name, number).await?;
                    event_invoke_config::forget(api, &target.name, &qualifier).await?;
                }
            }
        }
    }
    let mut response = http::Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}
