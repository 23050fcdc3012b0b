//! Whom a request means: name, partial ARN or ARN, with a qualifier in it or beside it.

use hearth_types::{FunctionName, FunctionReference, Qualifier, Version};

use crate::LambdaApi;
use crate::error::ApiError;

/// A function that exists or not, and what was asked of it.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: FunctionName,
    pub(crate) qualifier: Option<Qualifier>,
}

/// Reads the name of a request whose input satisfies the model. `action` is the operation as policies name it.
pub(crate) fn target(
    api: &LambdaApi,
    action: &str,
    function_name: &str,
    qualifier: Option<&str>,
) -> Result<Target, ApiError> {
    let Ok(reference) = FunctionReference::parse(function_name) else {
        return Err(unknown(api, function_name, qualifier));
    };
    check_owner(api, &reference, action)?;
    let beside = match qualifier.map(Qualifier::parse) {
        Some(Ok(qualifier)) => Some(qualifier),
        None => None,
        Some(Err(_)) => return Err(unknown(api, reference.name.as_str(), qualifier)),
    };
    let qualifier = match (reference.qualifier, beside) {
        (Some(within), Some(beside)) if within != beside => {
            return Err(ApiError::invalid_parameter(
                "The derived qualifier from the function name does not match the specified qualifier.",
            ));
        }
        (within, beside) => within.or(beside),
    };
    Ok(Target { name: reference.name, qualifier })
}

/// Reads the name of a request that changes the function itself: of its versions, `$LATEST` alone can be changed.
pub(crate) fn changeable(
    api: &LambdaApi,
    action: &str,
    function_name: &str,
) -> Result<FunctionName, ApiError> {
    let target = target(api, action, function_name, None)?;
    match target.qualifier {
        None | Some(Qualifier::Version(Version::Latest)) => Ok(target.name),
        Some(Qualifier::Version(Version::Number(_)) | Qualifier::Alias(_)) => {
            Err(ApiError::not_of_a_version())
        }
    }
}

/// Refuses functions of another region or account.
pub(crate) fn check_owner(
    api: &LambdaApi,
    reference: &FunctionReference,
    action: &str,
) -> Result<(), ApiError> {
    let ours = api.functions.settings();
    if let Some(region) = reference.region.as_ref().filter(|region| **region != ours.region) {
        return Err(ApiError::not_found(format!(
            "Functions from '{region}' are not reachable in this region ('{}')",
            ours.region
        )));
    }
    match reference.account.as_ref().filter(|account| **account != ours.account) {
        None => Ok(()),
        Some(account) => Err(ApiError::access_denied(format!(
            "User: arn:aws:iam::{}:root is not authorized to perform: lambda:{action} on resource: \
             arn:aws:lambda:{}:{account}:function:{} because no resource-based policy allows the lambda:{action} action",
            ours.account, ours.region, reference.name
        ))),
    }
}

/// A name or qualifier that the model allows and nothing can have: too long for a bare name, or of a kind of function
/// that Hearth has not.
fn unknown(api: &LambdaApi, function_name: &str, qualifier: Option<&str>) -> ApiError {
    let ours = api.functions.settings();
    let name = match function_name.rsplit_once("function:") {
        Some((_, name)) if !name.is_empty() => name,
        _ => function_name,
    };
    let qualifier = qualifier.map(|qualifier| format!(":{qualifier}")).unwrap_or_default();
    ApiError::not_found(format!(
        "Function not found: arn:aws:lambda:{}:{}:function:{name}{qualifier}",
        ours.region, ours.account
    ))
}
