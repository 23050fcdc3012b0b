//! Messages to destinations in the database. They are written in the transaction that removes their event.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use sha2::{Digest as _, Sha256};

use super::events::{Change, count_dropped};
use super::{EmbeddedStore, is_conversion, is_damage};
use crate::{DeadLetterRecord, DeliveryRecord, DeliveryStore, Outcome, QueuedDelivery, StoreError};

/// The table. The checksum is over what does not change of a message.
pub(super) const MIGRATION: &str = "CREATE TABLE deliveries (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        due_ms INTEGER NOT NULL,
        backoffs INTEGER NOT NULL,
        request_id TEXT NOT NULL,
        function_arn TEXT NOT NULL,
        destination TEXT NOT NULL,
        condition TEXT NOT NULL,
        ended_ms INTEGER NOT NULL,
        error_code INTEGER,
        error_message TEXT,
        message BLOB NOT NULL,
        checksum BLOB NOT NULL
    ) STRICT;
    CREATE INDEX deliveries_by_due ON deliveries (due_ms, id);";

pub(super) fn insert(
    transaction: &Transaction<'_>,
    delivery: &DeliveryRecord,
) -> Result<usize, rusqlite::Error> {
    let dead_letter = delivery.dead_letter.as_ref();
    transaction
        .prepare_cached(
            "INSERT INTO deliveries (due_ms, backoffs, request_id, function_arn, destination, condition, ended_ms,
                error_code, error_message, message, checksum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            delivery.due_ms,
            delivery.backoffs,
            delivery.request_id,
            delivery.function_arn,
            delivery.destination,
            delivery.condition,
            delivery.ended_ms,
            dead_letter.map(|dead_letter| dead_letter.error_code),
            dead_letter.map(|dead_letter| &dead_letter.error_message),
            &delivery.message[..],
            checksum(delivery),
        ])
}

pub(super) fn postpone(
    transaction: &Transaction<'_>,
    id: i64,
    due_ms: i64,
    backoffs: u32,
) -> Result<usize, rusqlite::Error> {
    transaction
        .prepare_cached("UPDATE deliveries SET due_ms = ?2, backoffs = ?3 WHERE id = ?1")?
        .execute(params![id, due_ms, backoffs])
}

pub(super) fn finish(
    transaction: &Transaction<'_>,
    id: i64,
    dropped: Option<&'static str>,
) -> Result<usize, rusqlite::Error> {
    let removed = transaction.prepare_cached("DELETE FROM deliveries WHERE id = ?1")?.execute([id])?;
    if let Some(reason) = dropped.filter(|_| removed == 1) {
        count_dropped(transaction, reason)?;
    }
    Ok(removed)
}

fn checksum(delivery: &DeliveryRecord) -> Vec<u8> {
    let mut hash = Sha256::new();
    let ended_ms = delivery.ended_ms.to_le_bytes();
    let error_code = delivery.dead_letter.as_ref().map(|dead_letter| dead_letter.error_code.to_le_bytes());
    let error_message = delivery.dead_letter.as_ref().map(|dead_letter| dead_letter.error_message.as_bytes());
    for part in [
        Some(delivery.request_id.as_bytes()),
        Some(delivery.function_arn.as_bytes()),
        Some(delivery.destination.as_bytes()),
        Some(delivery.condition.as_bytes()),
        Some(&ended_ms[..]),
        error_code.as_ref().map(|code| &code[..]),
        error_message,
        Some(&delivery.message[..]),
    ] {
        hash.update(part.map_or(u64::MAX, |part| part.len() as u64).to_le_bytes());
        hash.update(part.unwrap_or_default());
    }
    hash.finalize().to_vec()
}

fn read(connection: &Connection, id: i64) -> Result<Option<(DeliveryRecord, Vec<u8>)>, rusqlite::Error> {
    let delivery = |row: &Row<'_>| {
        let error_code: Option<u16> = row.get(7)?;
        let error_message: Option<String> = row.get(8)?;
        let message: Vec<u8> = row.get(9)?;
        let delivery = DeliveryRecord {
            due_ms: row.get(0)?,
            backoffs: row.get(1)?,
            request_id: row.get(2)?,
            function_arn: row.get(3)?,
            destination: row.get(4)?,
            condition: row.get(5)?,
            ended_ms: row.get(6)?,
            dead_letter: error_code
                .zip(error_message)
                .map(|(error_code, error_message)| DeadLetterRecord { error_code, error_message }),
            message: Bytes::from(message),
        };
        Ok((delivery, row.get(10)?))
    };
    connection
        .prepare_cached(
            "SELECT due_ms, backoffs, request_id, function_arn, destination, condition, ended_ms, error_code,
                error_message, message, checksum
             FROM deliveries WHERE id = ?1",
        )?
        .query_row([id], delivery)
        .optional()
}

impl EmbeddedStore {
    fn damaged_delivery(&self, id: i64, finding: &str) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), finding: format!("delivery {id}: {finding}") }
    }
}

impl DeliveryStore for EmbeddedStore {
    fn first_deliveries(&self, limit: usize) -> BoxFuture<'_, Result<Vec<QueuedDelivery>, StoreError>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        Box::pin(self.run(move |connection| {
            let mut statement = connection
                .prepare_cached("SELECT id, due_ms FROM deliveries ORDER BY due_ms, id LIMIT ?1")?;
            let rows = statement
                .query_map([limit], |row| Ok(QueuedDelivery { id: row.get(0)?, due_ms: row.get(1)? }))?;
            rows.collect()
        }))
    }

    fn load_delivery(&self, id: i64) -> BoxFuture<'_, Result<Option<DeliveryRecord>, StoreError>> {
        Box::pin(async move {
            match self.run(move |connection| read(connection, id)).await {
                Ok(Some((delivery, found))) if found == checksum(&delivery) => Ok(Some(delivery)),
                Ok(Some(_)) => Err(self.damaged_delivery(id, "its checksum is wrong")),
                Err(StoreError::Database { source, .. }) if is_damage(&source) || is_conversion(&source) => {
                    Err(self.damaged_delivery(id, &source.to_string()))
                }
                Ok(None) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn postpone_delivery(
        &self,
        id: i64,
        due_ms: i64,
        backoffs: u32,
    ) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(self.change_event(Change::PostponeDelivery(id, due_ms, backoffs)))
    }

    fn finish_delivery(
        &self,
        id: i64,
        dropped: Option<&'static str>,
    ) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(self.change_event(Change::FinishDelivery(id, dropped)))
    }
}
