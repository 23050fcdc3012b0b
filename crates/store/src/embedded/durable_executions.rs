//! Durable executions in the database: a row for each, one for each operation, one for each event of its history, so that a
//! checkpoint writes what it changes and nothing else.

use futures_util::future::BoxFuture;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params, params_from_iter};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::table::checksum;
use super::{EmbeddedStore, change};
use crate::{
    DueExecution, DurableChange, DurableStore, ExecutionFilter, ExecutionRecord, HistoryRecord,
    LoadedExecution, Outcome, StoreError,
};

/// The tables, and what ties executions to their function.
pub(super) const MIGRATION: &str = "CREATE TABLE durable_executions (
        id TEXT NOT NULL PRIMARY KEY,
        function TEXT NOT NULL,
        version TEXT NOT NULL,
        name TEXT NOT NULL,
        status TEXT NOT NULL,
        started_ms INTEGER NOT NULL,
        due_ms INTEGER,
        unfinished INTEGER NOT NULL,
        orphaned INTEGER NOT NULL DEFAULT 0,
        record TEXT NOT NULL,
        checksum BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX durable_executions_by_name ON durable_executions (function, name) WHERE orphaned = 0;
    CREATE INDEX durable_executions_by_due ON durable_executions (due_ms) WHERE due_ms IS NOT NULL;
    CREATE INDEX durable_executions_unfinished ON durable_executions (id) WHERE unfinished = 1;
    CREATE INDEX durable_executions_by_function ON durable_executions (function, started_ms, id);
    CREATE TABLE durable_operations (
        execution TEXT NOT NULL REFERENCES durable_executions (id) ON DELETE CASCADE,
        place INTEGER NOT NULL,
        record TEXT NOT NULL,
        checksum BLOB NOT NULL,
        PRIMARY KEY (execution, place)
    ) STRICT;
    CREATE TABLE durable_events (
        execution TEXT NOT NULL REFERENCES durable_executions (id) ON DELETE CASCADE,
        id INTEGER NOT NULL,
        record TEXT NOT NULL,
        checksum BLOB NOT NULL,
        PRIMARY KEY (execution, id)
    ) STRICT;
    CREATE TRIGGER durable_executions_lose_their_function AFTER DELETE ON functions BEGIN
        UPDATE durable_executions SET orphaned = 1, due_ms = 0 WHERE function = OLD.name;
    END;";

/// A change as it is written.
struct Encoded {
    change: DurableChange,
    execution: String,
    operations: Vec<(u32, String)>,
    events: Vec<(u64, String)>,
}

fn encode<R: Serialize>(id: &str, record: &R) -> Result<String, StoreError> {
    serde_json::to_string(record).map_err(|source| StoreError::Record { name: id.to_owned(), source })
}

impl Encoded {
    fn of(mut change: DurableChange) -> Result<Self, StoreError> {
        let id = change.execution.id.clone();
        let execution = encode(&id, &change.execution)?;
        let operations = std::mem::take(&mut change.operations);
        let operations = operations
            .iter()
            .map(|(place, operation)| Ok((*place, encode(&id, operation)?)))
            .collect::<Result<_, StoreError>>()?;
        let events = std::mem::take(&mut change.events);
        let events = events
            .iter()
            .map(|event| Ok((event.id, encode(&id, event)?)))
            .collect::<Result<_, StoreError>>()?;
        Ok(Self { change, execution, operations, events })
    }

    fn insert(&self, transaction: &Transaction<'_>) -> Result<usize, rusqlite::Error> {
        let DurableChange { execution, due_ms, .. } = &self.change;
        let rows = transaction.execute(
            "INSERT INTO durable_executions (id, function, version, name, status, started_ms, due_ms, unfinished, record,
                checksum)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
             WHERE EXISTS (SELECT 1 FROM functions WHERE name = ?2)
                AND NOT EXISTS (SELECT 1 FROM durable_executions WHERE function = ?2 AND name = ?4 AND orphaned = 0)",
            params![
                execution.id,
                execution.function,
                execution.version,
                execution.name,
                execution.shown_status().as_str(),
                execution.started_ms,
                due_ms,
                is_unfinished(execution),
                self.execution,
                checksum(&execution.id, "", &self.execution),
            ],
        )?;
        if rows == 1 { self.put_parts(transaction).map(|()| rows) } else { Ok(rows) }
    }

    fn update(&self, transaction: &Transaction<'_>) -> Result<usize, rusqlite::Error> {
        let DurableChange { execution, due_ms, .. } = &self.change;
        let rows = transaction
            .prepare_cached(
                "UPDATE durable_executions SET status = ?2, due_ms = ?3, unfinished = ?4, record = ?5, checksum = ?6
                 WHERE id = ?1",
            )?
            .execute(params![
                execution.id,
                execution.shown_status().as_str(),
                due_ms,
                is_unfinished(execution),
                self.execution,
                checksum(&execution.id, "", &self.execution),
            ])?;
        if rows == 1 { self.put_parts(transaction).map(|()| rows) } else { Ok(rows) }
    }

    fn put_parts(&self, transaction: &Transaction<'_>) -> Result<(), rusqlite::Error> {
        let id = &self.change.execution.id;
        for (place, record) in &self.operations {
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO durable_operations (execution, place, record, checksum)
                     VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![id, place, record, checksum(id, &place.to_string(), record)])?;
        }
        for (event, record) in &self.events {
            transaction
                .prepare_cached(
                    "INSERT INTO durable_events (execution, id, record, checksum) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![id, *event as i64, record, checksum(id, &event.to_string(), record)])?;
        }
        Ok(())
    }
}

fn is_unfinished(execution: &ExecutionRecord) -> bool {
    !execution.status.is_final() && (execution.invoking.is_some() || execution.chained > 0)
}

/// A record as it was read: its key, the other part of its checksum, its text and its checksum.
type Found = (String, String, String, Vec<u8>);

impl EmbeddedStore {
    fn decode<R: DeserializeOwned>(&self, (id, part, text, found): Found) -> Result<R, StoreError> {
        if found != checksum(&id, &part, &text) {
            let finding = format!("the checksum of the durable execution `{id}` is wrong");
            return Err(StoreError::Damaged { path: self.path.clone(), finding });
        }
        serde_json::from_str(&text).map_err(|source| StoreError::Record { name: id, source })
    }
}

fn parts(connection: &Connection, id: &str) -> Result<Vec<Found>, rusqlite::Error> {
    connection
        .prepare_cached(
            "SELECT place, record, checksum FROM durable_operations WHERE execution = ?1 ORDER BY place",
        )?
        .query_map([id], |row| {
            Ok((id.to_owned(), row.get::<_, i64>(0)?.to_string(), row.get(1)?, row.get(2)?))
        })?
        .collect()
}

impl DurableStore for EmbeddedStore {
    fn begin_execution(&self, change_of_it: DurableChange) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(async move {
            let encoded = Encoded::of(change_of_it)?;
            self.run(move |connection| change(connection, |transaction| encoded.insert(transaction))).await
        })
    }

    fn change_execution(&self, change_of_it: DurableChange) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(async move {
            let encoded = Encoded::of(change_of_it)?;
            self.run(move |connection| change(connection, |transaction| encoded.update(transaction))).await
        })
    }

    fn load_execution(&self, id: String) -> BoxFuture<'_, Result<Option<LoadedExecution>, StoreError>> {
        Box::pin(async move {
            let found = self
                .run(move |connection| {
                    let head = connection
                        .prepare_cached(
                            "SELECT record, checksum, orphaned FROM durable_executions WHERE id = ?1",
                        )?
                        .query_row([&id], |row| {
                            let head: Found = (id.clone(), String::new(), row.get(0)?, row.get(1)?);
                            Ok((head, row.get::<_, bool>(2)?))
                        })
                        .optional()?;
                    head.map(|(head, is_orphaned)| Ok((head, is_orphaned, parts(connection, &id)?)))
                        .transpose()
                })
                .await?;
            let Some((head, is_orphaned, parts)) = found else { return Ok(None) };
            let execution = self.decode(head)?;
            let operations =
                parts.into_iter().map(|part| self.decode(part)).collect::<Result<_, StoreError>>()?;
            Ok(Some(LoadedExecution { execution, operations, is_orphaned }))
        })
    }

    fn execution_named(
        &self,
        function: String,
        name: String,
    ) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        Box::pin(self.run(move |connection| {
            connection
                .query_row(
                    "SELECT id FROM durable_executions WHERE function = ?1 AND name = ?2 AND orphaned = 0",
                    [function, name],
                    |row| row.get(0),
                )
                .optional()
        }))
    }

    fn due_executions(&self, limit: u32) -> BoxFuture<'_, Result<Vec<DueExecution>, StoreError>> {
        Box::pin(self.run(move |connection| {
            connection
                .prepare_cached(
                    "SELECT id, due_ms, orphaned FROM durable_executions WHERE due_ms IS NOT NULL
                     ORDER BY due_ms LIMIT ?1",
                )?
                .query_map([limit], |row| {
                    Ok(DueExecution { id: row.get(0)?, due_ms: row.get(1)?, is_orphaned: row.get(2)? })
                })?
                .collect()
        }))
    }

    fn unfinished_executions(&self) -> BoxFuture<'_, Result<Vec<String>, StoreError>> {
        Box::pin(self.run(|connection| {
            connection
                .prepare("SELECT id FROM durable_executions WHERE unfinished = 1 ORDER BY id")?
                .query_map([], |row| row.get(0))?
                .collect()
        }))
    }

    fn list_executions(
        &self,
        filter: ExecutionFilter,
    ) -> BoxFuture<'_, Result<Vec<ExecutionRecord>, StoreError>> {
        Box::pin(async move {
            let found: Vec<Found> = self
                .run(move |connection| {
                    let (query, values) = listing(filter);
                    connection
                        .prepare_cached(&query)?
                        .query_map(params_from_iter(values), |row| {
                            Ok((row.get(0)?, String::new(), row.get(1)?, row.get(2)?))
                        })?
                        .collect()
                })
                .await?;
            found.into_iter().map(|found| self.decode(found)).collect()
        })
    }

    fn history(
        &self,
        id: String,
        from: u64,
        downwards: bool,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<HistoryRecord>, StoreError>> {
        let (compare, order) = if downwards { ("<=", "DESC") } else { (">=", "ASC") };
        let query = format!(
            "SELECT id, record, checksum FROM durable_events WHERE execution = ?1 AND id {compare} ?2
             ORDER BY id {order} LIMIT ?3"
        );
        let from = i64::try_from(from).unwrap_or(i64::MAX);
        Box::pin(async move {
            let found: Vec<Found> = self
                .run(move |connection| {
                    connection
                        .prepare_cached(&query)?
                        .query_map(params![id, from, limit], |row| {
                            Ok((id.clone(), row.get::<_, i64>(0)?.to_string(), row.get(1)?, row.get(2)?))
                        })?
                        .collect()
                })
                .await?;
            found.into_iter().map(|found| self.decode(found)).collect()
        })
    }

    fn remove_execution(&self, id: String) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(self.run(move |connection| {
            change(connection, |transaction| {
                transaction.execute("DELETE FROM durable_executions WHERE id = ?1", [id])
            })
        }))
    }
}

/// The query that a filter means, and its values.
fn listing(filter: ExecutionFilter) -> (String, Vec<Value>) {
    let mut query = "SELECT id, record, checksum FROM durable_executions WHERE orphaned = 0".to_owned();
    let mut values: Vec<Value> = Vec::new();
    let mut and = |condition: &str, more: Vec<Value>| {
        query.push_str(" AND ");
        query.push_str(condition);
        values.extend(more);
    };
    and("function = ?", vec![filter.function.into()]);
    if let Some(version) = filter.version {
        and("version = ?", vec![version.into()]);
    }
    if let Some(name) = filter.name {
        and("name = ?", vec![name.into()]);
    }
    if !filter.statuses.is_empty() {
        let marks = vec!["?"; filter.statuses.len()].join(", ");
        and(&format!("status IN ({marks})"), filter.statuses.into_iter().map(Value::from).collect());
    }
    if let Some(after_ms) = filter.started_after_ms {
        and("started_ms > ?", vec![after_ms.into()]);
    }
    if let Some(before_ms) = filter.started_before_ms {
        and("started_ms < ?", vec![before_ms.into()]);
    }
    let (compare, order) = if filter.youngest_first { ("<", "DESC") } else { (">", "ASC") };
    if let Some((started_ms, id)) = filter.after {
        and(&format!("(started_ms, id) {compare} (?, ?)"), vec![started_ms.into(), id.into()]);
    }
    query.push_str(&format!(" ORDER BY started_ms {order}, id {order} LIMIT ?"));
    values.push(i64::from(filter.limit).into());
    (query, values)
}
