//! Sessions of roles, as they are kept: without anything that is secret.

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::StoreError;

/// A session of a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// `ASIA…`.
    pub access_key_id: String,
    /// [`crate::RoleRecord::key`] of its role.
    pub role: String,
    /// `AROA…`: a role that is made again under the same name is another one.
    pub role_id: String,
    /// What whoever began it calls it.
    pub name: String,
    /// From when on it is over, in milliseconds since 1970.
    pub expires_ms: i64,
    /// Whether it was known who began it.
    pub is_of_known_caller: bool,
}

/// Which sessions of roles go on?
pub trait SessionStore: Send + Sync + 'static {
    /// Returns every session.
    fn sessions(&self) -> BoxFuture<'_, Result<Vec<SessionRecord>, StoreError>>;

    /// Keeps a session, and forgets those with these access key ids.
    fn put_session(
        &self,
        session: SessionRecord,
        forgotten: Vec<String>,
    ) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Forgets the sessions with these access key ids. Not an error when they are not there.
    fn forget_sessions(&self, access_key_ids: Vec<String>) -> BoxFuture<'_, Result<(), StoreError>>;
}
