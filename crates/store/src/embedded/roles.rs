//! Roles in the database.

use futures_util::future::BoxFuture;

use super::EmbeddedStore;
use super::table::{Encoded, Table};
use crate::{RoleRecord, RoleStore, StoreError};

pub(super) const MIGRATION: &str = "CREATE TABLE roles (
        name TEXT NOT NULL PRIMARY KEY,
        revision_id TEXT NOT NULL,
        record TEXT NOT NULL,
        checksum BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;";

const ROLES: Table = Table { name: "roles", kind: "role" };

impl RoleStore for EmbeddedStore {
    fn roles(&self) -> BoxFuture<'_, Result<Vec<RoleRecord>, StoreError>> {
        Box::pin(ROLES.load(self))
    }

    fn put_role(&self, role: RoleRecord) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let encoded = Encoded::of(role.key(), "", &role)?;
            self.change_all(move |transaction| ROLES.put_in(transaction, &encoded)).await
        })
    }

    fn remove_role(&self, key: String) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.change_all(move |transaction| ROLES.remove_in(transaction, &key)))
    }
}
