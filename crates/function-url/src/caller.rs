//! Who may call a URL.
//!
//! | auth type | the server knows no keys | the server knows keys |
//! |---|---|---|
//! | `NONE` | everybody | everybody, if the function's policy says so |
//! | `AWS_IAM` | nobody | whoever has signed the request, and may `lambda:InvokeFunctionUrl` |

use std::sync::Arc;

use bytes::Bytes;
use hearth_auth::{Asked, Claim, Credential, Credentials, Expected, Refusal, Resource};
use hearth_functions::{FunctionUrl, Policy};
use hearth_types::{FunctionName, Region};
use http::request::Parts;

/// The action, as policies and rights name it.
const ACTION: &str = "lambda:InvokeFunctionUrl";

/// The keys that the server knows.
pub struct Keys {
    /// Where they are looked up.
    pub credentials: Arc<dyn Credentials>,
    /// Whether there are any: from then on, everybody is asked for one.
    pub are_required: Box<dyn Fn() -> bool + Send + Sync>,
}

/// Reads who a request claims to be from.
pub(crate) fn claim(keys: &Keys, region: &Region, now_epoch_ms: i64, head: &Parts) -> Result<Claim, Refusal> {
    let expected = Expected { service: "lambda", regions: &[region], now_epoch_ms };
    Claim::of(&head.method, &head.uri, &head.headers, &expected, &*keys.credentials)
}

/// Proves the claim, and checks that its owner may call the URL.
pub(crate) fn verified(
    claim: Claim,
    body: &Bytes,
    name: FunctionName,
    url: &FunctionUrl,
) -> Result<Arc<Credential>, Refusal> {
    let credential = claim.verify(body)?;
    let resource = Resource::Function { arn: url.arn.to_string(), name };
    credential.identity.check(&Asked { action: ACTION.to_owned(), resource })?;
    Ok(credential)
}

/// Whether a policy lets everybody call the URL of its function: a statement for `*`, as AWS asks for it.
pub(crate) fn lets_everybody_in(policy: Option<&Policy>) -> bool {
    policy.is_some_and(|policy| {
        policy.statements.iter().any(|statement| {
            statement.principal == "*"
                && [ACTION, "lambda:*", "*"].contains(&statement.action.as_str())
                && matches!(statement.function_url_auth_type.as_deref(), None | Some("NONE"))
                // Who comes by a URL fulfils none of these.
                && statement.source_arn.is_none()
                && statement.source_account.is_none()
                && statement.event_source_token.is_none()
                && statement.principal_org_id.is_none()
        })
    })
}
