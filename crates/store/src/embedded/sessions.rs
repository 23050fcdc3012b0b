//! Sessions of roles in the database.

use futures_util::future::BoxFuture;

use super::EmbeddedStore;
use super::table::{Encoded, Table};
use crate::{SessionRecord, SessionStore, StoreError};

pub(super) const MIGRATION: &str = "CREATE TABLE sessions (
        name TEXT NOT NULL PRIMARY KEY,
        revision_id TEXT NOT NULL,
        record TEXT NOT NULL,
        checksum BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;";

const SESSIONS: Table = Table { name: "sessions", kind: "session" };

impl SessionStore for EmbeddedStore {
    fn sessions(&self) -> BoxFuture<'_, Result<Vec<SessionRecord>, StoreError>> {
        Box::pin(SESSIONS.load(self))
    }

    fn put_session(
        &self,
        session: SessionRecord,
        forgotten: Vec<String>,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let encoded = Encoded::of(session.access_key_id.clone(), "", &session)?;
            self.change_all(move |transaction| {
                forgotten.iter().try_for_each(|id| SESSIONS.remove_in(transaction, id))?;
                SESSIONS.put_in(transaction, &encoded)
            })
            .await
        })
    }

    fn forget_sessions(&self, access_key_ids: Vec<String>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.change_all(move |transaction| {
            access_key_ids.iter().try_for_each(|id| SESSIONS.remove_in(transaction, id))
        }))
    }
}
