//! Event source mappings and their positions in the database.

use futures_util::future::BoxFuture;

use super::EmbeddedStore;
use super::table::{Encoded, Table};
use crate::{EventSourceMappingRecord, EventSourceMappingStore, Outcome, ShardPositionRecord, StoreError};

/// The tables. The name of a position is `UUID/SHARD`.
pub(super) const MIGRATION: &str = "CREATE TABLE event_source_mappings (
        name TEXT NOT NULL PRIMARY KEY,
        revision_id TEXT NOT NULL,
        record TEXT NOT NULL,
        checksum BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE shard_positions (
        name TEXT NOT NULL PRIMARY KEY,
        revision_id TEXT NOT NULL,
        record TEXT NOT NULL,
        checksum BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;";

const MAPPINGS: Table = Table { name: "event_source_mappings", kind: "event source mapping" };
const POSITIONS: Table = Table { name: "shard_positions", kind: "shard position" };

fn encode(record: &EventSourceMappingRecord) -> Result<Encoded, StoreError> {
    Encoded::of(record.uuid.clone(), &record.revision_id, record)
}

impl EventSourceMappingStore for EmbeddedStore {
    fn mappings(&self) -> BoxFuture<'_, Result<Vec<EventSourceMappingRecord>, StoreError>> {
        Box::pin(MAPPINGS.load(self))
    }

    fn insert_mapping(&self, record: EventSourceMappingRecord) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(async move { MAPPINGS.insert(self, encode(&record)?).await })
    }

    fn replace_mapping(
        &self,
        expected: String,
        record: EventSourceMappingRecord,
    ) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(async move { MAPPINGS.replace(self, expected, encode(&record)?).await })
    }

    fn remove_mapping(&self, uuid: String) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.change_all(move |transaction| {
            // `0` follows `/`, so this range has everything that begins with the UUID and a slash.
            let positions = "DELETE FROM shard_positions WHERE name > ?1 || '/' AND name < ?1 || '0'";
            transaction.execute(positions, [&uuid])?;
            MAPPINGS.remove_in(transaction, &uuid)
        }))
    }

    fn positions(&self, mapping: String) -> BoxFuture<'_, Result<Vec<ShardPositionRecord>, StoreError>> {
        Box::pin(async move {
            let mut all: Vec<ShardPositionRecord> = POSITIONS.load(self).await?;
            all.retain(|record| record.mapping == mapping);
            Ok(all)
        })
    }

    fn put_positions(&self, records: Vec<ShardPositionRecord>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let encoded: Result<Vec<Encoded>, StoreError> =
                records.iter().map(|record| Encoded::of(record.key(), "", record)).collect();
            let encoded = encoded?;
            self.change_all(move |transaction| {
                encoded.iter().try_for_each(|record| POSITIONS.put_in(transaction, record))
            })
            .await
        })
    }

    fn remove_position(&self, key: String) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.change_all(move |transaction| POSITIONS.remove_in(transaction, &key)))
    }
}
