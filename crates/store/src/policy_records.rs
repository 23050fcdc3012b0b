//! The resource policy of a function, version or alias, as it is kept with it.

use serde::{Deserialize, Serialize};

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRecord {
    /// Fresh after each change.
    pub revision_id: String,
    /// Its statements, the oldest first.
    pub statements: Vec<StatementRecord>,
}

/// A statement of the policy. The texts are those of AWS's API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementRecord {
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
    #[serde(default)]
    pub document: Option<String>,
}
