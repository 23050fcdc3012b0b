//! Whom a request means: name, partial ARN or ARN, with a qualifier in it or beside it.

use hearth_types::{AccountId, FunctionName, FunctionReference, Qualifier, Version};

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
        return Err(unreachable_region(api, region.as_str()));
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

/// A name or qualifier that the model allows and nothing can have: too long for a bare name, without `function:` in an
/// ARN, or of a kind of function that Hearth has not.
fn unknown(api: &LambdaApi, function_name: &str, qualifier: Option<&str>) -> ApiError {
    let ours = api.functions.settings();
    // `arn:aws:lambda:`, a region, an account and `function:` may all be left out.
    let rest = match function_name.strip_prefix("arn:") {
        Some(arn) => arn.splitn(3, ':').nth(2).unwrap_or(arn),
        None => function_name,
    };
    let mut parts = rest.split(':').peekable();
    let is_region = |part: &&str| part.contains('-') && part.ends_with(|end: char| end.is_ascii_digit());
    let has_more = rest.contains(':');
    if let Some(region) = parts.next_if(|part| has_more && is_region(part) && *part != ours.region.as_str()) {
        return unreachable_region(api, region);
    }
    let _ours = parts.next_if(|part| has_more && *part == ours.region.as_str());
    let _account = parts.next_if(|part| has_more && AccountId::new(part).is_ok());
    let _kind = parts.next_if(|part| has_more && *part == "function");
    let name = parts.collect::<Vec<_>>().join(":");
    let qualifier = qualifier.map(|qualifier| format!(":{qualifier}")).unwrap_or_default();
    ApiError::not_found(format!(
        "Function not found: arn:aws:lambda:{}:{}:function:{name}{qualifier}",
        ours.region, ours.account
    ))
}

fn unreachable_region(api: &LambdaApi, region: &str) -> ApiError {
    let ours = &api.functions.settings().region;
    ApiError::not_found(format!("Functions from '{region}' are not reachable in this region ('{ours}')"))
}
