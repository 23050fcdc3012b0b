//! UpdateFunctionCode: the new package is unpacked before the answer; the old code serves until it has settled.

use hearth_aws_wire::{Response, json_response};
use hearth_functions::UpdateCode;
use hearth_types::Architecture;
use http::{Request, StatusCode};
use hyper::body::Incoming;

use crate::create_function::decode_zip;
use crate::error::ApiError;
use crate::function_name::target;
use crate::generated::constraints::UPDATE_FUNCTION_CODE_REQUEST;
use crate::generated::shapes::UpdateFunctionCodeRequest;
use crate::{LambdaApi, configuration, input, unsupported};

pub(crate) async fn answer(
    api: &LambdaApi,
    labels: Vec<String>,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let name = labels.into_iter().next().unwrap_or_default();
    let target = target(api, &UPDATE_FUNCTION_CODE_REQUEST, &name, None)?;
    let body = input::body("UpdateFunctionCode", request).await?;
    let outside = vec![("FunctionName", name.into())];
    let request: UpdateFunctionCodeRequest = input::read(&UPDATE_FUNCTION_CODE_REQUEST, outside, &body)?;
    drop(body); // as large as the package, which the request holds by now
    unsupported::check_update_code(api, &request)?;
    let zip = request
        .zip_file
        .ok_or_else(|| ApiError::invalid_parameter("Please provide a source for function code."))?;
    let update = UpdateCode {
        zip: decode_zip(zip)?,
        architecture: request
            .architectures
            .and_then(|architectures| Architecture::parse(architectures.first()?)),
        revision_id: request.revision_id,
        dry_run: request.dry_run == Some(true),
    };
    let function = api.functions.update_code(&target.name, update).await?;
    let described = configuration::describe(api, &function, None);
    let text = serde_json::to_vec(&described).map_err(|error| ApiError::service(&error))?;
    Ok(json_response(StatusCode::OK, text))
}
