//! PublishVersion: what `$LATEST` is now gets a number, unless the newest version is the same.

use hearth_aws_wire::{Response, json_response};
use hearth_functions::PublishVersion;
use hearth_types::Qualifier;
use http::{Request, StatusCode};
use hyper::body::Incoming;

use crate::error::ApiError;
use crate::function_name::changeable;
use crate::generated::shapes::PublishVersionRequest;
use crate::routes::Call;
use crate::{LambdaApi, code_storage, configuration, input, unsupported};

pub(crate) async fn answer(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let request: PublishVersionRequest = input::whole(api, operation, labels, request).await?;
    let name = changeable(api, operation.name, request.function_name.as_deref().unwrap_or_default())?;
    unsupported::check_publish(&request)?;
    if !api.functions.is_published(&name)? {
        code_storage::check(api, api.functions.get(&name)?.code_size, 0)?;
    }
    let publish = PublishVersion {
        description: request.description,
        // An empty one is none, as tools send it along.
        code_sha256: request.code_sha256.filter(|sha256| !sha256.is_empty()),
        revision_id: request.revision_id.filter(|revision| !revision.is_empty()),
    };
    let version = api.functions.publish_version(&name, publish).await?;
    let described = configuration::describe(api, &version, Some(Qualifier::Version(version.version)));
    let text = serde_json::to_vec(&described).map_err(|error| ApiError::service(&error))?;
    Ok(json_response(StatusCode::CREATED, text))
}
