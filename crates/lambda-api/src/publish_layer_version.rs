//! PublishLayerVersion: the package is unpacked before the answer, so that a bad one is refused.

use hearth_aws_wire::{Response, json_response};
use hearth_functions::PublishLayerVersion;
use hearth_types::{Architecture, Runtime};
use http::{Request, StatusCode};
use hyper::body::Incoming;

use crate::code_source::CodeSource;
use crate::create_function::decode_zip;
use crate::error::ApiError;
use crate::generated::shapes::PublishLayerVersionRequest;
use crate::routes::Call;
use crate::{LambdaApi, code_storage, input, layers, unsupported};

pub(crate) async fn answer(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let head = input::head(operation.input, labels, &request);
    let (parts, body) = request.into_parts();
    let asked_at = Request::from_parts(parts.clone(), ());
    let body = input::body(operation.name, Request::from_parts(parts, body)).await?;
    let _upload = api.uploads.admit(&body).await;
    let head = head?;
    let (request, zip) = input::work_on(body, move |body| {
        let mut request: PublishLayerVersionRequest = input::read(operation.input, head, &body)?;
        drop(body); // as large as the package, which the request holds by now
        let zip = request.content.as_mut().and_then(|content| content.zip_file.take());
        Ok((request, zip.map(decode_zip)))
    })
    .await?;
    let name = layers::layer(api, operation.name, request.layer_name.as_deref())?;
    let content = request.content.unwrap_or_default();
    unsupported::check_layer_content(&content)?;
    let in_s3 = [content.s3_bucket, content.s3_key, content.s3_object_version];
    let source = CodeSource::of(zip, in_s3, "Please provide a source for layer content.")?;
    let (zip, _room) = source.read(api).await?;
    code_storage::check(api, zip.len() as u64, 0)?;
    // The model's check has let only words pass that are known.
    let runtimes = request.compatible_runtimes.unwrap_or_default();
    let architectures = request.compatible_architectures.unwrap_or_default();
    let publish = PublishLayerVersion {
        name,
        description: request.description.unwrap_or_default(),
        license_info: request.license_info.filter(|license| !license.is_empty()),
        compatible_runtimes: runtimes.iter().filter_map(|name| Runtime::parse(name).ok()).collect(),
        compatible_architectures: architectures.iter().filter_map(|name| Architecture::parse(name)).collect(),
        zip,
    };
    let version = api.layers.publish(publish).await?;
    let described = layers::describe(api, &asked_at, &version);
    let text = serde_json::to_vec(&described).map_err(|error| ApiError::service(&error))?;
    Ok(json_response(StatusCode::CREATED, text))
}
