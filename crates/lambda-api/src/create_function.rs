//! CreateFunction: the package is unpacked before the answer, so that a bad one is refused; the rest settles afterwards.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hearth_auth::Identity;
use hearth_aws_wire::{Response, json_response};
use hearth_functions::{CreateFunction, FunctionConfiguration, FunctionsError};
use hearth_types::limits::{TAGS_MAX, ZIP_BYTES_MAX};
use hearth_types::{FunctionName, FunctionReference, MemoryMb, TimeoutSeconds, TracingMode};
use http::{Request, StatusCode};
use hyper::body::Incoming;

use crate::code_source::CodeSource;
use crate::error::ApiError;
use crate::generated::shapes::CreateFunctionRequest;
use crate::routes::Call;
use crate::{
    LambdaApi, code_signing, code_storage, configuration, durable_config, function_layers, function_name,
    input, kept_only, tags, unsupported,
};

pub(crate) async fn answer(
    api: &LambdaApi,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let head = input::head(operation.input, labels, &request)?;
    let identity = request.extensions().get::<Identity>().cloned();
    let body = input::body(operation.name, request).await?;
    let _upload = api.uploads.admit(&body).await;
    let (mut request, zip) = input::work_on(body, move |body| {
        let mut request: CreateFunctionRequest = input::read(operation.input, head, &body)?;
        drop(body); // as large as the package, which the request holds by now
        let zip = request.code.as_mut().and_then(|code| code.zip_file.take());
        // Decoded before anything else is looked at, so that its text is kept no longer. A refusal waits its turn.
        Ok((request, zip.map(decode_zip)))
    })
    .await?;
    unsupported::check_create(api, &request)?;
    let name = name(api, request.function_name.as_deref().unwrap_or_default())?;
    let code = request.code.take().unwrap_or_default();
    let in_s3 = [code.s3_bucket, code.s3_key, code.s3_object_version];
    let source = CodeSource::of(zip, in_s3, "Please provide a source for function code.")?;
    let required = |value: &Option<String>, member: &str| {
        value.clone().ok_or_else(|| {
            ApiError::invalid_parameter(format!(
                "{member} is mandatory parameter for functions created with deployment packages."
            ))
        })
    };
    let runtime = configuration::runtime(&required(&request.runtime, "Runtime")?)?;
    let handler = required(&request.handler, "Handler")?;
    let logging = request.logging_config.unwrap_or_default();
    let environment = request.environment.and_then(|environment| environment.variables);
    let dead_letter = request.dead_letter_config.and_then(|config| config.target_arn);
    let layers = function_layers::find(api, &request.layers.unwrap_or_default(), identity.as_ref())?;
    let configuration = FunctionConfiguration {
        role: request.role.unwrap_or_default(),
        runtime,
        handler,
        description: request.description.unwrap_or_default(),
        timeout: request.timeout.map_or(Ok(TimeoutSeconds::DEFAULT), configuration::timeout)?,
        memory: request.memory_size.map_or(Ok(MemoryMb::DEFAULT), configuration::memory)?,
        ephemeral_storage_mb: configuration::ephemeral_storage(
            &request.ephemeral_storage.unwrap_or_default(),
        )?,
        environment: environment.map(configuration::variables).transpose()?,
        architecture: request
            .architectures
            .and_then(|architectures| hearth_types::Architecture::parse(architectures.first()?))
            .unwrap_or(api.host_architecture),
        tracing_mode: request
            .tracing_config
            .and_then(|config| TracingMode::parse(&config.mode?))
            .unwrap_or(TracingMode::PassThrough),
        vpc: request.vpc_config.map(|config| kept_only::vpc(config, None)).transpose()?,
        file_systems: kept_only::file_systems(request.file_system_configs.unwrap_or_default()),
        snap_start: request.snap_start.as_ref().is_some_and(kept_only::snap_start),
        dead_letter_target: dead_letter.filter(|target| !target.is_empty()),
        kms_key_arn: request.kms_key_arn.filter(|arn| !arn.is_empty()),
        layers: layers.iter().map(|layer| layer.layer.clone()).collect(),
        logging: configuration::logging(&logging, &configuration::default_logging(&name))?,
        durable: request.durable_config.map(durable_config::read),
        name,
    };
    kept_only::check(configuration.vpc.as_ref(), &configuration.file_systems)?;
    let publish = request.publish == Some(true);
    let tags = request.tags.unwrap_or_default();
    tags::check_keys(&tags)?;
    if tags.len() > TAGS_MAX {
        return Err(FunctionsError::TooManyTags.into());
    }
    // Last of all, when everything else is right.
    let (zip, _room) = source.read(api).await?;
    let copies = if publish { 2 } else { 1 };
    code_storage::check(api, copies * zip.len() as u64, 0)?;
    // Held only from here on: meanwhile, no code signing configuration can be changed.
    let signing = request.code_signing_config_arn.as_deref();
    let held = code_signing::hold(api, &configuration.name, signing).await?;
    let code_signing_config = held.as_ref().map(|held| held.config.id.clone());
    let create = CreateFunction { configuration, zip, layers, tags, code_signing_config, publish };
    let function = api.functions.create(create).await?;
    drop(held);
    kept_only::warn(&function.configuration.name, &function.configuration);
    let described = configuration::describe(api, &function, None);
    let text = serde_json::to_vec(&described).map_err(|error| ApiError::service(&error))?;
    Ok(json_response(StatusCode::CREATED, text))
}

/// Reads the name of a function to be. An ARN names it too; a bare name has at most 64 characters.
fn name(api: &LambdaApi, given: &str) -> Result<FunctionName, ApiError> {
    match FunctionReference::parse(given) {
        Ok(reference) => {
            function_name::check_owner(api, &reference, "CreateFunction")?;
            match reference.qualifier {
                None => Ok(reference.name),
                Some(_) => Err(ApiError::not_of_a_version()),
            }
        }
        // The model allows it, so it is only too long for a bare name.
        Err(_) => Err(ApiError::invalid_parameter(format!(
            "1 validation error detected: Value '{given}' at 'functionName' failed to satisfy constraint: Member must \
             have length less than or equal to 64"
        ))),
    }
}

/// Decodes the package of a request.
pub(crate) fn decode_zip(base64: String) -> Result<Bytes, ApiError> {
    if base64.len() / 4 * 3 > ZIP_BYTES_MAX + 2 {
        return Err(ApiError::zip_too_large());
    }
    let zip =
        STANDARD.decode(base64).map_err(|_| ApiError::serialization("The value of ZipFile is not base64"))?;
    if zip.len() > ZIP_BYTES_MAX {
        return Err(ApiError::zip_too_large());
    }
    Ok(Bytes::from(zip))
}
