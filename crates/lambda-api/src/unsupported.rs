//! Members of the model that Hearth cannot honour yet. They are refused, never taken and forgotten; their empty forms,
//! which tools send along, mean nothing and are taken.

use hearth_types::Architecture;
use http::HeaderMap;

use crate::LambdaApi;
use crate::error::ApiError;
use crate::generated::shapes::{
    CreateFunctionRequest, FunctionCode, ImageConfig, LayerVersionContentInput, PublishVersionRequest,
    UpdateFunctionCodeRequest, UpdateFunctionConfigurationRequest,
};

fn refuse(member: &str) -> Result<(), ApiError> {
    Err(ApiError::invalid_parameter(format!("{member} is not supported by Hearth yet")))
}

pub(crate) fn refuse_if(is_set: bool, member: &str) -> Result<(), ApiError> {
    if is_set { refuse(member) } else { Ok(()) }
}

/// Only functions of container images have one. An empty one is what AWS shows of it.
fn has_image(image: Option<&ImageConfig>) -> bool {
    image.is_some_and(|image| *image != ImageConfig::default())
}

pub(crate) fn check_create(api: &LambdaApi, request: &CreateFunctionRequest) -> Result<(), ApiError> {
    if let Some(code) = &request.code {
        check_code(code)?;
    }
    refuse_if(request.package_type.as_deref() == Some("Image"), "PackageType Image")?;
    refuse_if(request.publish_to.is_some(), "PublishTo")?;
    refuse_if(has_image(request.image_config.as_ref()), "ImageConfig")?;
    refuse_if(request.tenancy_config.is_some(), "TenancyConfig")?;
    refuse_if(request.capacity_provider_config.is_some(), "CapacityProviderConfig")?;
    refuse_if(request.durable_config.is_some() && api.durable.is_none(), "DurableConfig")?;
    refuse_if(request.runtime_config.is_some(), "RuntimeConfig")?;
    refuse_if(request.accelerator_config.is_some(), "AcceleratorConfig")?;
    check_architecture(api, request.architectures.as_deref())
}

fn check_code(code: &FunctionCode) -> Result<(), ApiError> {
    refuse_if(code.image_uri.is_some(), "Code.ImageUri")?;
    refuse_if(code.s3_object_storage_mode.is_some(), "Code.S3ObjectStorageMode")?;
    refuse_if(is_named(code.source_kms_key_arn.as_deref()), "Code.SourceKMSKeyArn")
}

/// Where the package of a layer comes from.
pub(crate) fn check_layer_content(content: &LayerVersionContentInput) -> Result<(), ApiError> {
    refuse_if(content.s3_object_storage_mode.is_some(), "Content.S3ObjectStorageMode")
}

fn is_named(value: Option<&str>) -> bool {
    value.is_some_and(|value| !value.is_empty())
}

pub(crate) fn check_update_code(
    api: &LambdaApi,
    request: &UpdateFunctionCodeRequest,
) -> Result<(), ApiError> {
    if request.image_uri.is_some() {
        return Err(ApiError::invalid_parameter(
            "Please don't provide ImageUri when updating a function with packageType Zip.",
        ));
    }
    refuse_if(request.s3_object_storage_mode.is_some(), "S3ObjectStorageMode")?;
    refuse_if(is_named(request.source_kms_key_arn.as_deref()), "SourceKMSKeyArn")?;
    refuse_if(request.publish_to.is_some(), "PublishTo")?;
    check_architecture(api, request.architectures.as_deref())
}

pub(crate) fn check_update_configuration(
    request: &UpdateFunctionConfigurationRequest,
) -> Result<(), ApiError> {
    refuse_if(has_image(request.image_config.as_ref()), "ImageConfig")?;
    refuse_if(request.capacity_provider_config.is_some(), "CapacityProviderConfig")?;
    refuse_if(request.runtime_config.is_some(), "RuntimeConfig")?;
    refuse_if(request.accelerator_config.is_some(), "AcceleratorConfig")
}

pub(crate) fn check_publish(request: &PublishVersionRequest) -> Result<(), ApiError> {
    refuse_if(request.publish_to.is_some(), "PublishTo")
}

/// Headers of Invoke that ask for more than to run a function.
pub(crate) fn check_invoke(headers: &HeaderMap) -> Result<(), ApiError> {
    refuse_if(headers.contains_key("x-amz-tenant-id"), "TenantId")
}

/// Functions run on this host's processor: another instruction set would fail at the first call.
fn check_architecture(api: &LambdaApi, architectures: Option<&[String]>) -> Result<(), ApiError> {
    let wanted = architectures.and_then(<[String]>::first).and_then(|name| Architecture::parse(name));
    match wanted {
        Some(wanted) if wanted != api.host_architecture => {
            refuse(&format!("Architectures {wanted} on a host of {}", api.host_architecture))
        }
        _ => Ok(()),
    }
}
