//! Code signing configurations in the database.

use futures_util::future::BoxFuture;

use super::EmbeddedStore;
use super::table::{Encoded, Table};
use crate::{CodeSigningConfigRecord, CodeSigningStore, Outcome, StoreError};

/// The table.
pub(super) const MIGRATION: &str = "CREATE TABLE code_signing_configs (
        name TEXT NOT NULL PRIMARY KEY,
        revision_id TEXT NOT NULL,
        record TEXT NOT NULL,
        checksum BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;";

const CODE_SIGNING_CONFIGS: Table =
    Table { name: "code_signing_configs", kind: "code signing configuration" };

fn encode(record: &CodeSigningConfigRecord) -> Result<Encoded, StoreError> {
    Encoded::of(record.id.clone(), &record.revision_id, record)
}

impl CodeSigningStore for EmbeddedStore {
    fn load_all(&self) -> BoxFuture<'_, Result<Vec<CodeSigningConfigRecord>, StoreError>> {
        Box::pin(CODE_SIGNING_CONFIGS.load(self))
    }

    fn insert(&self, record: CodeSigningConfigRecord) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(async move { CODE_SIGNING_CONFIGS.insert(self, encode(&record)?).await })
    }

    fn replace(
        &self,
        expected: String,
        record: CodeSigningConfigRecord,
    ) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(async move { CODE_SIGNING_CONFIGS.replace(self, expected, encode(&record)?).await })
    }

    fn remove(&self, id: String) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(CODE_SIGNING_CONFIGS.remove(self, id))
    }
}
