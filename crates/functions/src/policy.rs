//! The resource policy of a function, version or alias: who else may use it, and who may not. Kept here; what it decides
//! is `hearth-auth`'s.

use hearth_store::StoreError;
use hearth_types::RevisionId;

use crate::FunctionsError;

/// A policy. It has at least one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its statements, the oldest first.
    pub statements: Vec<Statement>,
    /// Fresh after each change.
    pub revision_id: RevisionId,
}

/// A statement of a policy, as it was asked for. Its resource is the function, version or alias.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statement {
    /// Its id.
    pub sid: String,
    /// `*`, an account, an ARN, or a service.
    pub principal: String,
    /// `lambda:` and an operation, or `*`.
    pub action: String,
    /// The resource on whose behalf a service calls.
    pub source_arn: Option<String>,
    /// The account on whose behalf a service calls.
    pub source_account: Option<String>,
    /// The token of an Alexa skill.
    pub event_source_token: Option<String>,
    /// `NONE` or `AWS_IAM`.
    pub function_url_auth_type: Option<String>,
    /// Whether the call has to come through the function's URL.
    pub invoked_via_function_url: Option<bool>,
    /// The organization that the principal has to be of.
    pub principal_org_id: Option<String>,
    /// The whole statement as JSON, when it came with a whole policy: then of the rest only the id is set.
    pub document: Option<String>,
}

/// Why a policy cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The caller has seen another revision of the policy.
    #[error("the revision id does not match the latest one")]
    RevisionMismatch,
    /// The function has no policy.
    #[error("the function has no policy")]
    NoPolicy,
    /// The policy has a statement of this id.
    #[error("the policy has a statement `{sid}`")]
    StatementExists {
        /// Which one.
        sid: String,
    },
    /// The policy has no statement of this id.
    #[error("the policy has no statement `{sid}`")]
    StatementNotFound {
        /// Which one.
        sid: String,
    },
    /// The policy would be too long.
    #[error("the policy would have {bytes} bytes")]
    TooLong {
        /// How long.
        bytes: usize,
    },
    /// There is no such function, or the change could not be kept.
    #[error(transparent)]
    Functions(#[from] FunctionsError),
}

impl From<StoreError> for PolicyError {
    fn from(error: StoreError) -> Self {
        Self::Functions(error.into())
    }
}
