//! Keys, and whom they belong to.

use std::fmt;
use std::sync::Arc;

use hearth_types::{FunctionName, LogGroupName};
use subtle::ConstantTimeEq as _;

use crate::asked::Asked;
use crate::refusal::Refusal;
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
    /// What they may do; everything else is denied.
    pub rights: Arc<[Right]>,
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
    /// Lets what is asked for pass, or refuses it in AWS's words.
    pub fn check(&self, asked: &Asked) -> Result<(), Refusal> {
        match self.rights.iter().any(|right| right.allows(asked, self.own.as_ref())) {
            true => Ok(()),
            false => Err(Refusal::access_denied(&self.caller.arn, asked)),
        }
    }
}
