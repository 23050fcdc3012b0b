//! UpdateFunctionCode: the new package is unpacked before the answer; the old code serves until it has settled.

use hearth_aws_wire::{Response, json_response};
use hearth_functions::UpdateCode;
use hearth_types::{Architecture, Qualifier, Version};
use http::{Request, StatusCode};
use hyper::body::Incoming;

use crate::code_source::CodeSource;
use crate::create_function::decode_zip;
use crate::error::ApiError;
use crate::function_name::changeable;
use crate::generated::shapes::UpdateFunctionCodeRequest;
use crate::routes::Call;
use crate::{LambdaApi, code_signing, code_storage, configuration, input, unsupported};

pub(crate) async fn answer(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let head = input::head(operation.input, labels, &request);
    let body = input::body(operation.name, request).await?;
    let _upload = api.uploads.admit(&body).await;
    let head = head?;
    let (mut request, zip) = input::work_on(body, move |body| {
        let mut request: UpdateFunctionCodeRequest = input::read(operation.input, head, &body)?;
        drop(body); // as large as the package, which the request holds by now
        let zip = request.zip_file.take();
        Ok((request, zip.map(decode_zip)))
    })
    .await?;
    let name = request.function_name.as_deref().unwrap_or_default();
    let function_name = changeable(api, operation.name, name)?;
    unsupported::check_update_code(api, &request)?;
    let in_s3 = [request.s3_bucket.take(), request.s3_key.take(), request.s3_object_version.take()];
    let source = CodeSource::of(zip, in_s3, "Please provide a source for function code.")?;
    if let Ok(function) = api.functions.get(&function_name) {
        code_signing::check_deployment(api, &function)?;
    }
    let (zip, _room) = source.read(api).await?;
    let publish = request.publish == Some(true) && request.dry_run != Some(true);
    if let Ok(function) = api.functions.get(&function_name) {
        let copies = if publish { 2 } else { 1 };
        code_storage::check(api, copies * zip.len() as u64, function.code_size)?;
    }
    let update = UpdateCode {
        zip,
        architecture: request
            .architectures
            .and_then(|architectures| Architecture::parse(architectures.first()?)),
        revision_id: request.revision_id,
        dry_run: request.dry_run == Some(true),
        publish: request.publish == Some(true),
    };
    let function = api.functions.update_code(&function_name, update).await?;
    // Of the version that was published, if one was.
    let qualifier = match function.version {
        Version::Latest => None,
        version @ Version::Number(_) => Some(Qualifier::Version(version)),
    };
    let described = configuration::describe(api, &function, qualifier);
    let text = serde_json::to_vec(&described).map_err(|error| ApiError::service(&error))?;
    Ok(json_response(StatusCode::OK, text))
}
