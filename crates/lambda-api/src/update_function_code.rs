//! UpdateFunctionCode: the new package is unpacked before the answer; the old code serves until it has settled.

use hearth_aws_wire::{Response, json_response};
use hearth_functions::UpdateCode;
use hearth_types::Architecture;
use http::{Request, StatusCode};
use hyper::body::Incoming;

use crate::create_function::decode_zip;
use crate::error::ApiError;
use crate::function_name::changeable;
use crate::generated::constraints::UPDATE_FUNCTION_CODE_REQUEST;
use crate::generated::shapes::UpdateFunctionCodeRequest;
use crate::{LambdaApi, configuration, input, unsupported};

pub(crate) async fn answer(
    api: &LambdaApi,
    labels: Vec<String>,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let name = labels.into_iter().next().unwrap_or_default();
    let function_name = changeable(api, &UPDATE_FUNCTION_CODE_REQUEST, "UpdateFunctionCode", &name)?;
    let _upload = api.uploads.admit(&request).await;
    let body = input::body("UpdateFunctionCode", request).await?;
    let (request, zip) = input::work_on(body, |body| {
        let outside = vec![("FunctionName", name.into())];
        let mut request: UpdateFunctionCodeRequest =
            input::read(&UPDATE_FUNCTION_CODE_REQUEST, outside, &body)?;
        drop(body); // as large as the package, which the request holds by now
        let zip = request.zip_file.take();
        Ok((request, zip.map(decode_zip)))
    })
    .await?;
    unsupported::check_update_code(api, &request)?;
    let zip = zip.ok_or_else(|| ApiError::invalid_parameter("Please provide a source for function code."))?;
    let update = UpdateCode {
        zip: zip?,
        architecture: request
            .architectures
            .and_then(|architectures| Architecture::parse(architectures.first()?)),
        revision_id: request.revision_id,
        dry_run: request.dry_run == Some(true),
    };
    let function = api.functions.update_code(&function_name, update).await?;
    let described = configuration::describe(api, &function, None);
    let text = serde_json::to_vec(&described).map_err(|error| ApiError::service(&error))?;
    Ok(json_response(StatusCode::OK, text))
}
