//! What the operations on layers share: which layer a request means, how versions are described, and what is wrong.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hearth_functions::{LayerFilter, LayerVersion, LayersError};
use hearth_types::limits::{LIST_LAYERS_PAGE, POLICY_BYTES_MAX};
use hearth_types::{AccountId, Architecture, LayerName, LayerReference, LayerVersionArn, Region, Runtime};
use http::Request;

use crate::error::ApiError;
use crate::generated::shapes::{GetLayerVersionResponse, LayerVersionContentOutput, LayerVersionsListItem};
use crate::{LambdaApi, code_location, configuration};

/// Reads the name of a layer, which may be its ARN. `action` is the operation as policies name it.
pub(crate) fn layer(api: &LambdaApi, action: &str, given: Option<&str>) -> Result<LayerName, ApiError> {
    let given = given.unwrap_or_default();
    // The model allows nothing else.
    let reference = LayerReference::parse(given).ok_or_else(no_such_resource)?;
    if let Some((region, account)) = &reference.owner {
        check_owner(api, region, account, action, given)?;
    }
    Ok(reference.name)
}

/// Reads the name of a layer and the number of a version of it.
pub(crate) fn layer_version(
    api: &LambdaApi,
    action: &str,
    given: Option<&str>,
    number: Option<i64>,
) -> Result<(LayerName, u64), ApiError> {
    let name = layer(api, action, given)?;
    Ok((name, version_number(number.unwrap_or_default())?))
}

/// Reads the number of a version.
pub(crate) fn version_number(number: i64) -> Result<u64, ApiError> {
    match u64::try_from(number) {
        Ok(number @ 1..) => Ok(number),
        _ => Err(ApiError::invalid_parameter("Layer Version Cannot be less than 1")),
    }
}

/// Refuses layers of another region or account.
pub(crate) fn check_owner(
    api: &LambdaApi,
    region: &Region,
    account: &AccountId,
    action: &str,
    resource: &str,
) -> Result<(), ApiError> {
    let ours = api.functions.settings();
    if *account != ours.account {
        return Err(ApiError::access_denied(format!(
            "User: arn:aws:iam::{}:root is not authorized to perform: lambda:{action} on resource: {resource} because \
             no resource-based policy allows the lambda:{action} action",
            ours.account
        )));
    }
    if *region != ours.region { Err(no_such_resource()) } else { Ok(()) }
}

/// 404: a layer version that is asked for.
pub(crate) fn no_such_resource() -> ApiError {
    ApiError::not_found("The resource you requested does not exist.")
}

/// 404: a layer version whose policy is asked for.
pub(crate) fn no_such_version(arn: &LayerVersionArn) -> ApiError {
    ApiError::not_found(format!("Layer version {arn} does not exist."))
}

/// Describes a version, with the place of its package. The reply of PublishLayerVersion is the same.
pub(crate) fn describe<B>(
    api: &LambdaApi,
    request: &Request<B>,
    version: &LayerVersion,
) -> GetLayerVersionResponse {
    let item = describe_in_list(version);
    GetLayerVersionResponse {
        content: Some(LayerVersionContentOutput {
            location: Some(code_location::location(api, request, version.code_sha256)),
            code_sha256: Some(version.code_sha256.to_string()),
            code_size: i64::try_from(version.code_size).ok(),
            ..Default::default()
        }),
        layer_arn: Some(version.arn.layer()),
        layer_version_arn: item.layer_version_arn,
        description: item.description,
        created_date: item.created_date,
        version: item.version,
        compatible_architectures: item.compatible_architectures,
        compatible_runtimes: item.compatible_runtimes,
        license_info: item.license_info,
    }
}

/// Describes a version as lists do.
pub(crate) fn describe_in_list(version: &LayerVersion) -> LayerVersionsListItem {
    let architectures = &version.compatible_architectures;
    let runtimes = &version.compatible_runtimes;
    LayerVersionsListItem {
        layer_version_arn: Some(version.arn.to_string()),
        version: i64::try_from(version.arn.version).ok(),
        description: Some(version.description.clone()),
        created_date: Some(configuration::last_modified(version.created_ms)),
        compatible_architectures: (!architectures.is_empty())
            .then(|| architectures.iter().map(Architecture::to_string).collect()),
        compatible_runtimes: (!runtimes.is_empty())
            .then(|| runtimes.iter().map(Runtime::to_string).collect()),
        license_info: version.license_info.clone(),
    }
}

/// Reads what a list is to be about. The model's check has let only words pass that are known.
pub(crate) fn filter(runtime: Option<&str>, architecture: Option<&str>) -> LayerFilter {
    LayerFilter {
        runtime: runtime.and_then(|runtime| Runtime::parse(runtime).ok()),
        architecture: architecture.and_then(Architecture::parse),
    }
}

/// Reads how many are asked for.
pub(crate) fn page(max_items: Option<i64>) -> usize {
    max_items.map_or(LIST_LAYERS_PAGE, |items| usize::try_from(items).unwrap_or(1)).min(LIST_LAYERS_PAGE)
}

/// Writes a marker: the last entry of a page, so that entries that come and go move no others.
pub(crate) fn marker(last: &str) -> String {
    URL_SAFE_NO_PAD.encode(last)
}

/// Reads a marker with `parse`.
pub(crate) fn read_marker<T>(
    marker: Option<&str>,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, ApiError> {
    let Some(marker) = marker.filter(|marker| !marker.is_empty()) else { return Ok(None) };
    let text = URL_SAFE_NO_PAD.decode(marker).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let wrong =
        || ApiError::invalid_parameter("The provided marker is invalid. Please provide a valid marker.");
    text.as_deref().and_then(parse).ok_or_else(wrong).map(Some)
}

impl From<LayersError> for ApiError {
    fn from(error: LayersError) -> Self {
        match error {
            LayersError::VersionNotFound { arn } => no_such_version(&arn),
            LayersError::RevisionMismatch => Self::precondition_failed("GetLayerPolicy"),
            LayersError::StatementExists { sid } => Self::conflict(format!(
                "The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the \
                 existing statement."
            )),
            LayersError::StatementNotFound { sid } => {
                Self::not_found(format!("Statement {sid} is not found in resource policy."))
            }
            LayersError::PolicyTooLong { bytes } => Self::policy_too_long(bytes, POLICY_BYTES_MAX),
            LayersError::Deploy(error) => hearth_functions::FunctionsError::Deploy(error).into(),
            LayersError::Store(error) => Self::service(&error),
        }
    }
}
