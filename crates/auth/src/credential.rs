//! Keys, and whom they belong to.

use std::fmt;
use std::sync::Arc;

use hearth_types::{AccountId, FunctionName, LogGroupName};
use subtle::ConstantTimeEq as _;

use crate::asked::Asked;
use crate::policy::{Context, Document, Key, Said, Who};
use crate::rights::Right;

/// Text that must not get into a log, a record or an error.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text, for those who sign or store it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Compares without telling by the time it takes where the difference is.
    pub(crate) fn is(&self, other: &str) -> bool {
        self.0.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// One key.
#[derive(Debug, Clone)]
pub struct Credential {
    /// `AKIA…`, or `ASIA…` when it is temporary.
    pub access_key_id: String,
    /// What requests are signed with.
    pub secret_access_key: Secret,
    /// What has to come along with a temporary key.
    pub session_token: Option<Secret>,
    /// From when on it is good for nothing, in milliseconds since 1970. `None` for one that has no end.
    pub expires_ms: Option<i64>,
    /// Whose it is.
    pub identity: Identity,
}

/// Where keys are looked up.
pub trait Credentials: Send + Sync {
    /// Returns the key with this id.
    fn find(&self, access_key_id: &str) -> Option<Arc<Credential>>;
}

/// Only this one is known: that of an environment, on the environment's own listener.
impl Credentials for Arc<Credential> {
    fn find(&self, access_key_id: &str) -> Option<Self> {
        (self.access_key_id == access_key_id).then(|| Self::clone(self))
    }
}

/// Who somebody is, and what they may do.
#[derive(Debug, Clone)]
pub struct Identity {
    /// As `GetCallerIdentity` and refusals show it.
    pub caller: Caller,
    /// Whose user or role it is.
    pub account: AccountId,
    /// The organization of that account, when it has one.
    pub organization_id: Option<String>,
    /// The role, when it is a session of one.
    pub role_arn: Option<String>,
    /// What they may do; what neither these nor the policies allow is denied.
    pub rights: Arc<[Right]>,
    /// The policies of a role. They may deny, too.
    pub policies: Arc<[Document]>,
    /// What bounds all that, when something does.
    pub boundary: Option<Arc<Document>>,
    /// What rights `on own` are about.
    pub own: Option<Own>,
}

/// The names of a caller. Goes along with a request whose signature was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// `arn:aws:iam::…` or `arn:aws:sts::…:assumed-role/ROLE/SESSION`.
    pub arn: String,
    /// The id that AWS shows beside it.
    pub user_id: String,
}

/// What belongs to the function of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// The function itself.
    pub function: FunctionName,
    /// Where it logs.
    pub log_group: LogGroupName,
}

impl Identity {
    /// A user with these rights.
    pub fn user(caller: Caller, account: AccountId, rights: Arc<[Right]>) -> Self {
        let policies = Arc::from([]);
        let (organization_id, role_arn, boundary, own) = (None, None, None, None);
        Self { caller, account, organization_id, role_arn, rights, policies, boundary, own }
    }

    /// Returns what their rights and policies say.
    pub(crate) fn says(&self, asked: &Asked, context: &Context) -> Said {
        let of_policies = self.policies.iter().map(|policy| policy.of_identity(asked, context)).max();
        let by_rights = self.rights.iter().any(|right| right.allows(asked, self.own.as_ref()));
        let of_rights = if by_rights { Said::Allows } else { Said::Nothing };
        let said = of_policies.unwrap_or(Said::Nothing).max(of_rights);
        match self.boundary.as_ref().map(|boundary| boundary.of_identity(asked, context)) {
            Some(Said::Denies) => Said::Denies,
            Some(Said::Nothing | Said::AllowsAccount) if said == Said::Allows => Said::Nothing,
            Some(_) | None => said,
        }
    }

    /// Returns who they are to the policy of a resource.
    pub fn who(&self) -> Who<'_> {
        Who::Caller {
            arn: &self.caller.arn,
            account: self.account.as_str(),
            role_arn: self.role_arn.as_deref(),
        }
    }

    /// Adds to the circumstances of a call what is known of its caller.
    pub(crate) fn known(&self, context: Context) -> Context {
        let kind = if self.role_arn.is_some() { "AssumedRole" } else { "User" };
        context
            .with(Key::PrincipalArn, self.role_arn.as_deref().unwrap_or(&self.caller.arn))
            .with(Key::PrincipalAccount, self.account.as_str())
            .with_some(Key::PrincipalOrgId, self.organization_id.as_deref())
            .with(Key::PrincipalType, kind)
            .with(Key::PrincipalIsAwsService, "false")
            .with(Key::UserId, self.caller.user_id.as_str())
            .with(Key::SecureTransport, "false")
    }
}
