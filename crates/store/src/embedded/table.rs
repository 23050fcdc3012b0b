//! Tables of records: a key, a revision, the record as JSON, and a checksum over the three.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::{EmbeddedStore, change, is_conversion, is_damage};
use crate::{Outcome, StoreError};

/// A table of records.
#[derive(Clone, Copy)]
pub(super) struct Table {
    /// Its name in SQL.
    pub(super) name: &'static str,
    /// What a record in it is called in messages.
    pub(super) kind: &'static str,
}

/// Name, revision, record and checksum.
type Row = (String, String, String, Vec<u8>);

/// A record, ready to be written.
pub(super) struct Encoded {
    name: String,
    revision_id: String,
    text: String,
}

impl Encoded {
    pub(super) fn of<R: Serialize>(name: String, revision_id: &str, record: &R) -> Result<Self, StoreError> {
        match serde_json::to_string(record) {
            Ok(text) => Ok(Self { name, revision_id: revision_id.to_owned(), text }),
            Err(source) => Err(StoreError::Record { name, source }),
        }
    }

    fn checksum(&self) -> Vec<u8> {
        checksum(&self.name, &self.revision_id, &self.text)
    }
}

pub(super) fn checksum(name: &str, revision_id: &str, record: &str) -> Vec<u8> {
    let mut hash = Sha256::new();
    for part in [name, revision_id, record] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().to_vec()
}

impl Table {
    /// Returns every record, by name.
    pub(super) async fn load<R: DeserializeOwned>(self, store: &EmbeddedStore) -> Result<Vec<R>, StoreError> {
        let damaged = |finding: String| StoreError::Damaged { path: store.path.clone(), finding };
        let rows = match store.run(move |connection| self.rows(connection)).await {
            // A strict table holds what its columns say, so a value of another kind is damage.
            Err(StoreError::Database { source, .. }) if is_damage(&source) || is_conversion(&source) => {
                return Err(damaged(source.to_string()));
            }
            rows => rows?,
        };
        rows.into_iter()
            .map(|(name, revision_id, record, found)| {
                if found != checksum(&name, &revision_id, &record) {
                    return Err(damaged(format!("the checksum of {} `{name}` is wrong", self.kind)));
                }
                serde_json::from_str(&record).map_err(|source| StoreError::Record { name, source })
            })
            .collect()
    }

    fn rows(self, connection: &Connection) -> Result<Vec<Row>, rusqlite::Error> {
        let query = format!("SELECT name, revision_id, record, checksum FROM {} ORDER BY name", self.name);
        let mut statement = connection.prepare(&query)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        rows.collect()
    }

    /// Keeps a new record; a conflict when the name is taken.
    pub(super) async fn insert(self, store: &EmbeddedStore, record: Encoded) -> Result<Outcome, StoreError> {
        store
            .run(move |connection| change(connection, |transaction| self.insert_in(transaction, &record)))
            .await
    }

    fn insert_in(self, transaction: &Transaction<'_>, record: &Encoded) -> Result<usize, rusqlite::Error> {
        let query = format!("SELECT 1 FROM {} WHERE name = ?1", self.name);
        let taken: Option<i64> =
            transaction.query_row(&query, [&record.name], |row| row.get(0)).optional()?;
        if taken.is_some() {
            return Ok(0);
        }
        transaction.execute(
            &format!(
                "INSERT INTO {} (name, revision_id, record, checksum) VALUES (?1, ?2, ?3, ?4)",
                self.name
            ),
            params![record.name, record.revision_id, record.text, record.checksum()],
        )
    }

    /// Keeps a record in the place of the one with its name, if there is one.
    pub(super) fn put_in(
        self,
        transaction: &Transaction<'_>,
        record: &Encoded,
    ) -> Result<(), rusqlite::Error> {
        let query = format!(
            "INSERT OR REPLACE INTO {} (name, revision_id, record, checksum) VALUES (?1, ?2, ?3, ?4)",
            self.name
        );
        transaction
            .execute(&query, params![record.name, record.revision_id, record.text, record.checksum()])
            .map(|_| ())
    }

    /// Removes a record, if it is there.
    pub(super) fn remove_in(self, transaction: &Transaction<'_>, name: &str) -> Result<(), rusqlite::Error> {
        transaction.execute(&format!("DELETE FROM {} WHERE name = ?1", self.name), [name]).map(|_| ())
    }

    /// Replaces a record whose revision is `expected`; a conflict when it has another, or is gone.
    pub(super) async fn replace(
        self,
        store: &EmbeddedStore,
        expected: String,
        record: Encoded,
    ) -> Result<Outcome, StoreError> {
        let query = format!(
            "UPDATE {} SET revision_id = ?2, record = ?3, checksum = ?5 WHERE name = ?1 AND revision_id = ?4",
            self.name
        );
        store
            .run(move |connection| {
                change(connection, |transaction| {
                    transaction.execute(
                        &query,
                        params![record.name, record.revision_id, record.text, expected, record.checksum()],
                    )
                })
            })
            .await
    }

    /// Removes a record and those whose names go on behind it with a colon; a conflict when it is not there.
    pub(super) async fn remove_with_versions(
        self,
        store: &EmbeddedStore,
        name: String,
    ) -> Result<Outcome, StoreError> {
        let query = format!("DELETE FROM {} WHERE name = ?1", self.name);
        // `;` follows `:`, so this range has everything that begins with the name and a colon.
        let versions = format!("DELETE FROM {} WHERE name > ?1 || ':' AND name < ?1 || ';'", self.name);
        store
            .run(move |connection| {
                change(connection, |transaction| {
                    transaction.execute(&versions, [&name])?;
                    transaction.execute(&query, [&name])
                })
            })
            .await
    }

    /// Removes a record; a conflict when it is not there.
    pub(super) async fn remove(self, store: &EmbeddedStore, name: String) -> Result<Outcome, StoreError> {
        let query = format!("DELETE FROM {} WHERE name = ?1", self.name);
        store
            .run(move |connection| change(connection, |transaction| transaction.execute(&query, [name])))
            .await
    }
}
