//! Configurations of asynchronous invocation in the database.

use futures_util::future::BoxFuture;
use rusqlite::params;

use super::table::checksum;
use super::{EmbeddedStore, change};
use crate::{EventInvokeConfigRecord, EventInvokeConfigStore, Outcome, StoreError};

/// The table, and what ties it to functions.
pub(super) const MIGRATION: &str = "CREATE TABLE event_invoke_configs (
        function TEXT NOT NULL,
        qualifier TEXT NOT NULL,
        record TEXT NOT NULL,
        checksum BLOB NOT NULL,
        PRIMARY KEY (function, qualifier)
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER event_invoke_configs_go_with_their_function AFTER DELETE ON functions BEGIN
        DELETE FROM event_invoke_configs WHERE function = OLD.name;
    END;";

impl EventInvokeConfigStore for EmbeddedStore {
    fn put_config(&self, config: EventInvokeConfigRecord) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(async move {
            let EventInvokeConfigRecord { function, qualifier, .. } = &config;
            let (function, qualifier) = (function.clone(), qualifier.clone());
            let text = serde_json::to_string(&config)
                .map_err(|source| StoreError::Record { name: function.clone(), source })?;
            self.run(move |connection| {
                let checksum = checksum(&function, &qualifier, &text);
                change(connection, |transaction| {
                    transaction.execute(
                        "INSERT OR REPLACE INTO event_invoke_configs (function, qualifier, record, checksum)
                         SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM functions WHERE name = ?1)",
                        params![function, qualifier, text, checksum],
                    )
                })
            })
            .await
        })
    }

    fn configs(&self, function: String) -> BoxFuture<'_, Result<Vec<EventInvokeConfigRecord>, StoreError>> {
        Box::pin(async move {
            let name = function.clone();
            let rows: Vec<(String, String, Vec<u8>)> = self
                .run(move |connection| {
                    connection
                        .prepare_cached(
                            "SELECT qualifier, record, checksum FROM event_invoke_configs
                             WHERE function = ?1 ORDER BY qualifier",
                        )?
                        .query_map([function], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                        .collect()
                })
                .await?;
            rows.into_iter()
                .map(|(qualifier, record, found)| {
                    if found != checksum(&name, &qualifier, &record) {
                        let finding = format!(
                            "the checksum of the event invoke config of `{name}:{qualifier}` is wrong"
                        );
                        return Err(StoreError::Damaged { path: self.path.clone(), finding });
                    }
                    serde_json::from_str(&record)
                        .map_err(|source| StoreError::Record { name: name.clone(), source })
                })
                .collect()
        })
    }

    fn remove_config(
        &self,
        function: String,
        qualifier: String,
    ) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(self.run(move |connection| {
            change(connection, |transaction| {
                transaction.execute(
                    "DELETE FROM event_invoke_configs WHERE function = ?1 AND qualifier = ?2",
                    [function, qualifier],
                )
            })
        }))
    }
}
