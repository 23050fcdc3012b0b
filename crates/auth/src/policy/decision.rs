//! Whether somebody may, by all that is said: their rights, their policies, and that of the resource.
//!
//! | whose resource | what allows |
//! |---|---|
//! | of the caller's account | the caller's rights, or the policy of the resource by the caller's name |
//! | of another account | both, and the policy may name the account |
//! | a role, to be assumed | both |
//!
//! A statement that denies wins everywhere. Source: "Policy evaluation logic" in the IAM User Guide, read 2026-11; for a role
//! of the same account AWS is content with a trust policy that names the caller.

use hearth_types::AccountId;

use super::condition::{Context, Key};
use super::document::{Document, Said};
use super::principal::Who;
use crate::asked::Asked;
use crate::credential::Identity;
use crate::refusal::{Refusal, Why};

/// What stands before a resource, besides the rights of whoever asks.
#[derive(Debug, Clone)]
pub enum Guarded {
    /// Nothing: it has no policy, and nobody of another account gets to it.
    ByNothing,
    /// Its policy, which may let others in.
    ByPolicy(Document),
    /// The policy of a role, without which nobody assumes it.
    ByTrust(Document),
}

/// Lets somebody do what they ask for on a resource of `owner`, or refuses it in AWS's words.
pub fn decide(
    identity: &Identity,
    asked: &Asked,
    owner: &AccountId,
    guarded: &Guarded,
    context: Context,
) -> Result<(), Refusal> {
    let context = identity.known(context);
    let by_identity = identity.says(asked, &context);
    let by_resource = match guarded {
        Guarded::ByNothing => Said::Nothing,
        Guarded::ByPolicy(policy) | Guarded::ByTrust(policy) => {
            policy.of_resource(&identity.who(), &asked.of_policy(), &context)
        }
    };
    let refused = |why| Err(Refusal::access_denied(&identity.caller.arn, asked, why));
    match (by_identity, by_resource) {
        (Said::Denies, _) => return refused(Why::DeniedByIdentity),
        (_, Said::Denies) => return refused(Why::DeniedByResource),
        _ => {}
    }
    let (has_right, is_let_in) = (by_identity == Said::Allows, by_resource >= Said::AllowsAccount);
    let needs_both = matches!(guarded, Guarded::ByTrust(_)) || identity.account != *owner;
    match needs_both {
        true if !has_right => refused(Why::NotByIdentity),
        true if !is_let_in => refused(Why::NotByResource),
        false if !has_right && by_resource != Said::Allows => refused(Why::NotByIdentity),
        true | false => Ok(()),
    }
}

/// Whether the policy of a resource lets somebody in who has no rights of their own: a service, or anybody.
pub fn is_open_to(policy: &Document, who: &Who<'_>, asked: &Asked, context: Context) -> bool {
    let context = match who {
        Who::Service(name) => {
            context.with(Key::PrincipalIsAwsService, "true").with(Key::PrincipalServiceName, *name)
        }
        Who::Anybody => {
            context.with(Key::PrincipalIsAwsService, "false").with(Key::PrincipalType, "Anonymous")
        }
        Who::Caller { arn, account, role_arn } => context
            .with(Key::PrincipalIsAwsService, "false")
            .with(Key::PrincipalAccount, *account)
            .with(Key::PrincipalArn, role_arn.unwrap_or(arn)),
    };
    policy.of_resource(who, &asked.of_policy(), &context.with(Key::SecureTransport, "false")) == Said::Allows
}
