//! DeleteLayerVersion: nobody finds the version any more; functions that have it keep it.

use hearth_aws_wire::{Body, Response};
use http::{Request, StatusCode};

use crate::error::ApiError;
use crate::generated::shapes::DeleteLayerVersionRequest;
use crate::routes::Call;
use crate::{LambdaApi, input, layers};

pub(crate) async fn answer<B>(
    api: &LambdaApi,
    call: Call,
    request: &Request<B>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let asked: DeleteLayerVersionRequest = input::of_head(operation, labels, request)?;
    let (name, number) =
        layers::layer_version(api, operation.name, asked.layer_name.as_deref(), asked.version_number)?;
    api.layers.delete(&name, number).await?;
    let mut response = http::Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}
