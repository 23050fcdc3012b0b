//! Layer versions in the database.

use futures_util::future::BoxFuture;

use super::EmbeddedStore;
use super::table::{Encoded, Table};
use crate::{LayerStore, LayerVersionRecord, Outcome, StoreError};

const LAYER_VERSIONS: Table = Table { name: "layer_versions", kind: "layer version" };

fn encode(record: &LayerVersionRecord) -> Result<Encoded, StoreError> {
    Encoded::of(record.key(), &record.revision_id, record)
}

impl LayerStore for EmbeddedStore {
    fn load_all(&self) -> BoxFuture<'_, Result<Vec<LayerVersionRecord>, StoreError>> {
        Box::pin(LAYER_VERSIONS.load(self))
    }

    fn insert(&self, record: LayerVersionRecord) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(async move { LAYER_VERSIONS.insert(self, encode(&record)?).await })
    }

    fn replace(
        &self,
        expected: String,
        record: LayerVersionRecord,
    ) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(async move { LAYER_VERSIONS.replace(self, expected, encode(&record)?).await })
    }

    fn remove(&self, key: String) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(LAYER_VERSIONS.remove(self, key))
    }
}
