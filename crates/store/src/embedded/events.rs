//! The queue of asynchronous events in the database.
//!
//! Changes that arrive while the writer is busy share its next transaction, and so its next sync: each of them is durable
//! when its method returns, and a burst of events does not wait for one sync each.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, TransactionBehavior, params};
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;

use super::{EmbeddedStore, deliveries, is_conversion, is_damage};
use crate::{
    EventCounts, EventEnd, EventProgress, EventRecord, EventStore, Outcome, QueuedEvent, StoreError,
    UNDELIVERED,
};

/// The tables, and what ties events to their function. The checksum is over what does not change of an event.
pub(super) const MIGRATION: &str = "CREATE TABLE events (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        due_ms INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        backoffs INTEGER NOT NULL,
        request_id TEXT NOT NULL,
        function TEXT NOT NULL,
        qualifier TEXT,
        accepted_ms INTEGER NOT NULL,
        client_context BLOB,
        trace TEXT,
        payload BLOB NOT NULL,
        checksum BLOB NOT NULL
    ) STRICT;
    CREATE INDEX events_by_due ON events (due_ms, id);
    CREATE INDEX events_by_function ON events (function);
    CREATE TABLE dropped_events (reason TEXT NOT NULL PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TRIGGER events_go_with_their_function AFTER DELETE ON functions
    WHEN EXISTS (SELECT 1 FROM events WHERE function = OLD.name) BEGIN
        INSERT INTO dropped_events (reason, count)
            SELECT 'FunctionDeleted', count(*) FROM events WHERE function = OLD.name
            ON CONFLICT (reason) DO UPDATE SET count = count + excluded.count;
        DELETE FROM events WHERE function = OLD.name;
    END;";

/// How many changes share a transaction at most. Ours: with events of the largest size it is 64 MiB of log.
const CHANGES_MAX: usize = 64;

/// A change that waits for the writer.
pub(super) struct Waiting {
    change: Change,
    reply: oneshot::Sender<Result<Outcome, rusqlite::Error>>,
}

/// Changes that wait for the writer, in order.
pub(super) type WaitingChanges = Arc<Mutex<Vec<Waiting>>>;

pub(super) enum Change {
    Accept(EventRecord),
    Postpone(i64, EventProgress),
    Finish(i64, Option<&'static str>),
    End(i64, EventEnd),
    PostponeDelivery(i64, i64, u32),
    FinishDelivery(i64, Option<&'static str>),
}

impl Change {
    fn make(&self, transaction: &Transaction<'_>) -> Result<usize, rusqlite::Error> {
        match self {
            Self::Accept(event) => insert(transaction, event),
            Self::Postpone(id, progress) => transaction
                .prepare_cached("UPDATE events SET due_ms = ?2, attempts = ?3, backoffs = ?4 WHERE id = ?1")?
                .execute(params![id, progress.due_ms, progress.attempts, progress.backoffs]),
            Self::Finish(id, dropped) => {
                let removed =
                    transaction.prepare_cached("DELETE FROM events WHERE id = ?1")?.execute([id])?;
                if let Some(reason) = dropped.filter(|_| removed == 1) {
                    count_dropped(transaction, reason)?;
                }
                Ok(removed)
            }
            Self::End(id, end) => {
                let removed =
                    transaction.prepare_cached("DELETE FROM events WHERE id = ?1")?.execute([id])?;
                if removed == 1 {
                    put_in_place(transaction, end)?;
                }
                Ok(removed)
            }
            Self::PostponeDelivery(id, due_ms, backoffs) => {
                deliveries::postpone(transaction, *id, *due_ms, *backoffs)
            }
            Self::FinishDelivery(id, dropped) => deliveries::finish(transaction, *id, *dropped),
        }
    }
}

/// Writes what takes the place of an event.
fn put_in_place(transaction: &Transaction<'_>, end: &EventEnd) -> Result<(), rusqlite::Error> {
    let EventEnd { dropped, next, deliveries } = end;
    for reason in dropped {
        count_dropped(transaction, reason)?;
    }
    if let Some(next) = next
        && insert(transaction, next)? == 0
    {
        count_dropped(transaction, UNDELIVERED)?;
    }
    for delivery in deliveries {
        deliveries::insert(transaction, delivery)?;
    }
    Ok(())
}

pub(super) fn count_dropped(transaction: &Transaction<'_>, reason: &str) -> Result<usize, rusqlite::Error> {
    transaction.execute(
        "INSERT INTO dropped_events (reason, count) VALUES (?1, 1)
         ON CONFLICT (reason) DO UPDATE SET count = count + 1",
        [reason],
    )
}

fn insert(transaction: &Transaction<'_>, event: &EventRecord) -> Result<usize, rusqlite::Error> {
    let progress = event.progress;
    transaction
        .prepare_cached(
            "INSERT INTO events (due_ms, attempts, backoffs, request_id, function, qualifier, accepted_ms,
                client_context, trace, payload, checksum)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11
             WHERE EXISTS (SELECT 1 FROM functions WHERE name = ?5)",
        )?
        .execute(params![
            progress.due_ms,
            progress.attempts,
            progress.backoffs,
            event.request_id,
            event.function,
            event.qualifier,
            event.accepted_ms,
            event.client_context.as_deref(),
            event.trace,
            &event.payload[..],
            checksum(event),
        ])
}

fn checksum(event: &EventRecord) -> Vec<u8> {
    let mut hash = Sha256::new();
    let accepted_ms = event.accepted_ms.to_le_bytes();
    for part in [
        Some(event.request_id.as_bytes()),
        Some(event.function.as_bytes()),
        event.qualifier.as_deref().map(str::as_bytes),
        Some(&accepted_ms[..]),
        event.client_context.as_deref(),
        event.trace.as_deref().map(str::as_bytes),
        Some(&event.payload[..]),
    ] {
        hash.update(part.map_or(u64::MAX, |part| part.len() as u64).to_le_bytes());
        hash.update(part.unwrap_or_default());
    }
    hash.finalize().to_vec()
}

/// Makes the changes that wait, as many as one transaction takes, and answers whoever asked for them.
fn make_waiting(connection: &mut Connection, waiting: &WaitingChanges) -> Result<(), rusqlite::Error> {
    let now: Vec<Waiting> = {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let number = waiting.len().min(CHANGES_MAX);
        waiting.drain(..number).collect()
    };
    if now.is_empty() {
        return Ok(());
    }
    match make(connection, &now) {
        Ok(outcomes) => {
            for (waiting, outcome) in now.into_iter().zip(outcomes) {
                let _ = waiting.reply.send(Ok(outcome));
            }
            Ok(())
        }
        Err(error) => {
            for waiting in now {
                let _ = waiting.reply.send(Err(again(&error)));
            }
            Err(error)
        }
    }
}

fn make(connection: &mut Connection, now: &[Waiting]) -> Result<Vec<Outcome>, rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut outcomes = Vec::with_capacity(now.len());
    for waiting in now {
        let rows = waiting.change.make(&transaction)?;
        outcomes.push(if rows == 1 { Outcome::Done } else { Outcome::Conflict });
    }
    fail::fail_point!("store::commit", |kind| Err(super::injected(kind.as_deref())));
    transaction.commit()?;
    fail::fail_point!("store::committed");
    Ok(outcomes)
}

/// The same error once more, for everybody whose change was in the transaction.
fn again(error: &rusqlite::Error) -> rusqlite::Error {
    let code =
        error.sqlite_error().copied().unwrap_or(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ERROR));
    rusqlite::Error::SqliteFailure(code, Some(error.to_string()))
}

impl EmbeddedStore {
    pub(super) async fn change_event(&self, change: Change) -> Result<Outcome, StoreError> {
        let (reply, outcome) = oneshot::channel();
        let waiting = self.waiting_events.clone();
        waiting.lock().unwrap_or_else(PoisonError::into_inner).push(Waiting { change, reply });
        // As many runs as changes, so that none is left. What one of them answers, another may have asked for.
        let made = self.run(move |connection| make_waiting(connection, &waiting)).await;
        if let Err(StoreError::Stopped) = made {
            return Err(StoreError::Stopped);
        }
        match outcome.await {
            Ok(outcome) => outcome.map_err(|source| StoreError::Database { path: self.path.clone(), source }),
            Err(_) => Err(StoreError::Stopped),
        }
    }

    fn damaged_event(&self, id: i64, finding: &str) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), finding: format!("event {id}: {finding}") }
    }

    async fn load_event(&self, id: i64) -> Result<Option<EventRecord>, StoreError> {
        let found = self.run(move |connection| read(connection, id)).await;
        match found {
            Ok(Some((event, found))) if found == checksum(&event) => Ok(Some(event)),
            Ok(Some(_)) => Err(self.damaged_event(id, "its checksum is wrong")),
            Err(StoreError::Database { source, .. }) if is_damage(&source) || is_conversion(&source) => {
                Err(self.damaged_event(id, &source.to_string()))
            }
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn read(connection: &Connection, id: i64) -> Result<Option<(EventRecord, Vec<u8>)>, rusqlite::Error> {
    let event = |row: &Row<'_>| {
        let client_context: Option<Vec<u8>> = row.get(7)?;
        let payload: Vec<u8> = row.get(9)?;
        let event = EventRecord {
            progress: EventProgress { due_ms: row.get(0)?, attempts: row.get(1)?, backoffs: row.get(2)? },
            request_id: row.get(3)?,
            function: row.get(4)?,
            qualifier: row.get(5)?,
            accepted_ms: row.get(6)?,
            client_context: client_context.map(Bytes::from),
            trace: row.get(8)?,
            payload: Bytes::from(payload),
        };
        Ok((event, row.get(10)?))
    };
    connection
        .prepare_cached(
            "SELECT due_ms, attempts, backoffs, request_id, function, qualifier, accepted_ms, client_context, trace,
                payload, checksum
             FROM events WHERE id = ?1",
        )?
        .query_row([id], event)
        .optional()
}

impl EventStore for EmbeddedStore {
    fn accept(&self, event: EventRecord) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(self.change_event(Change::Accept(event)))
    }

    fn first(&self, limit: usize) -> BoxFuture<'_, Result<Vec<QueuedEvent>, StoreError>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        Box::pin(self.run(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, due_ms, length(payload), function, qualifier FROM events ORDER BY due_ms, id LIMIT ?1",
            )?;
            let rows = statement.query_map([limit], |row| {
                // Damage to one event must not hide the others; it is found when the event is loaded.
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                Ok(QueuedEvent {
                    id: row.get(0)?,
                    due_ms: row.get(1)?,
                    payload_bytes: usize::try_from(row.get::<_, i64>(2)?).unwrap_or(0),
                    function: text(row.get_ref(3)?.as_bytes()?),
                    qualifier: row.get_ref(4)?.as_bytes_or_null()?.map(text),
                })
            })?;
            rows.collect()
        }))
    }

    fn load(&self, id: i64) -> BoxFuture<'_, Result<Option<EventRecord>, StoreError>> {
        Box::pin(self.load_event(id))
    }

    fn postpone(&self, id: i64, progress: EventProgress) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(self.change_event(Change::Postpone(id, progress)))
    }

    fn finish(&self, id: i64, dropped: Option<&'static str>) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(self.change_event(Change::Finish(id, dropped)))
    }

    fn end(&self, id: i64, end: EventEnd) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(self.change_event(Change::End(id, end)))
    }

    fn counts(&self) -> BoxFuture<'_, Result<EventCounts, StoreError>> {
        Box::pin(self.run(|connection| {
            let number = |number: i64| u64::try_from(number).unwrap_or(0);
            let queued: i64 = connection.query_row("SELECT count(*) FROM events", [], |row| row.get(0))?;
            let deliveries: i64 =
                connection.query_row("SELECT count(*) FROM deliveries", [], |row| row.get(0))?;
            let mut statement =
                connection.prepare("SELECT reason, count FROM dropped_events ORDER BY reason")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, number(row.get(1)?))))?;
            let dropped = rows.collect::<Result<_, _>>()?;
            Ok(EventCounts { queued: number(queued), deliveries: number(deliveries), dropped })
        }))
    }
}
