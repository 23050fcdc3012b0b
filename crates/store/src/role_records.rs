//! Roles of IAM, as they are kept.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::StoreError;

/// A role. The texts are those of AWS's API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleRecord {
    /// Its name. No two roles have names that differ only in case.
    pub name: String,
    /// `/`, or names with slashes around them.
    pub path: String,
    /// `AROA…`.
    pub role_id: String,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// Who may assume it, as JSON.
    pub assume_role_policy: String,
    /// The description.
    pub description: Option<String>,
    /// How long a session may be, in seconds.
    pub session_seconds_max: u32,
    /// The ARN of the policy that bounds it.
    pub permissions_boundary: Option<String>,
    /// The tags.
    pub tags: BTreeMap<String, String>,
    /// Policies that are its own, as JSON, by name.
    pub inline_policies: BTreeMap<String, String>,
    /// ARNs of policies that others share, in the order in which they were attached.
    pub attached_policies: Vec<String>,
}

impl RoleRecord {
    /// Returns the text under which the record is kept.
    pub fn key(&self) -> String {
        self.name.to_ascii_lowercase()
    }
}

/// Which roles are there?
pub trait RoleStore: Send + Sync + 'static {
    /// Returns every role.
    fn roles(&self) -> BoxFuture<'_, Result<Vec<RoleRecord>, StoreError>>;

    /// Keeps a role in the place of the one with its key, if there is one.
    fn put_role(&self, role: RoleRecord) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Removes the role with this [`RoleRecord::key`]. Not an error when it is not there.
    fn remove_role(&self, key: String) -> BoxFuture<'_, Result<(), StoreError>>;
}
