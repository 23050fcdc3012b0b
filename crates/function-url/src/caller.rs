//! Who may call a URL.
//!
//! | auth type | the server knows no keys | the server knows keys |
//! |---|---|---|
//! | `NONE` | everybody | everybody, if the function's policy says so |
//! | `AWS_IAM` | nobody | whoever has signed the request, and may `lambda:InvokeFunctionUrl` by right or by that policy |

use std::sync::Arc;

use bytes::Bytes;
use hearth_auth::policy::{Context, Document, Guarded, Key, Who, decide, is_open_to};
use hearth_auth::{Asked, Claim, Credential, Credentials, Expected, Refusal, Resource};
use hearth_functions::FunctionUrl;
use hearth_types::{AccountId, FunctionName, Qualifier, Region};
use http::request::Parts;

/// The action, as policies and rights name it.
const ACTION: &str = "lambda:InvokeFunctionUrl";

/// The keys that the server knows.
pub struct Keys {
    /// Where they are looked up.
    pub credentials: Arc<dyn Credentials>,
    /// Whether there are any: from then on, everybody is asked for one.
    pub are_required: Box<dyn Fn() -> bool + Send + Sync>,
    /// Returns the policy of a function or an alias.
    pub policies: Box<Policies>,
}

/// Returns the policy of a function or an alias, if it has one.
pub type Policies = dyn Fn(&FunctionName, Option<&Qualifier>) -> Option<Document> + Send + Sync;

/// Reads who a request claims to be from.
pub(crate) fn claim(keys: &Keys, region: &Region, now_epoch_ms: i64, head: &Parts) -> Result<Claim, Refusal> {
    let expected = Expected { service: "lambda", regions: &[region], now_epoch_ms };
    Claim::of(&head.method, &head.uri, &head.headers, &expected, &*keys.credentials)
}

/// What a call of a URL asks for, on the function or alias that it is of.
fn asked(name: FunctionName, url: &FunctionUrl, region: &Region, account: &AccountId) -> Asked {
    let (region, account) = (region.clone(), account.clone());
    let qualifier = url.alias.clone().map(Qualifier::Alias);
    let resource = Resource::Function { arn: url.arn.to_string(), region, account, name, qualifier };
    Asked { action: ACTION.to_owned(), resource }
}

/// What policies may ask of a call of a URL.
fn context(auth_type: &str) -> Context {
    Context::default().with(Key::FunctionUrlAuthType, auth_type).with(Key::InvokedViaFunctionUrl, "true")
}

/// Proves the claim, and checks that its owner may call the URL. `owner` is whose the URL is.
pub(crate) fn verified(
    claim: Claim,
    body: &Bytes,
    name: FunctionName,
    url: &FunctionUrl,
    policy: Option<Document>,
    (region, owner): (&Region, &AccountId),
) -> Result<Arc<Credential>, Refusal> {
    let credential = claim.verify(body)?;
    let guarded = policy.map_or(Guarded::ByNothing, Guarded::ByPolicy);
    let asked = asked(name, url, region, owner);
    decide(&credential.identity, &asked, owner, &guarded, context("AWS_IAM"))?;
    Ok(credential)
}

/// Whether the policy of a function lets everybody call its URL, as AWS asks for it.
pub(crate) fn lets_everybody_in(
    policy: Option<&Document>,
    name: FunctionName,
    url: &FunctionUrl,
    (region, owner): (&Region, &AccountId),
) -> bool {
    let asked = asked(name, url, region, owner);
    policy.is_some_and(|policy| is_open_to(policy, &Who::Anybody, &asked, context("NONE")))
}
