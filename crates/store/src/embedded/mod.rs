//! The embedded engine: one SQLite file, one writer thread.
//!
//! WAL with `synchronous=FULL`: a change is on the disk when its method returns. After the first error of the disk the
//! change is reported as not made, and SQLite has rolled it back.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use futures_util::future::BoxFuture;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use tokio::sync::oneshot;

use crate::{FunctionRecord, FunctionStore, Outcome, StoreError};

/// Steps from each schema version to the next; the file's `user_version` counts those that were taken.
const MIGRATIONS: &[&str] = &["CREATE TABLE functions (
    name TEXT PRIMARY KEY,
    revision_id TEXT NOT NULL,
    record TEXT NOT NULL
) STRICT;"];

/// How many changes may wait for the writer before callers wait to be queued.
const QUEUE_MAX: usize = 1_024;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// The database of a data folder.
pub struct EmbeddedStore {
    path: PathBuf,
    jobs: Mutex<Option<mpsc::SyncSender<Job>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Locked as long as the store is open: a second server on the folder is refused.
    _lock: File,
}

impl EmbeddedStore {
    /// Opens or makes the database of `folder`, and checks it.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::Io { path, source }
        };
        std::fs::create_dir_all(folder).map_err(io(folder))?;
        let lock_path = folder.join("hearth.lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(io(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(StoreError::InUse { path: folder.to_owned() });
            }
            Err(std::fs::TryLockError::Error(source)) => {
                return Err(StoreError::Io { path: lock_path, source });
            }
        }
        let path = folder.join("hearth.db");
        let mut connection = connect(&path)?;
        let (jobs, queue) = mpsc::sync_channel::<Job>(QUEUE_MAX);
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                while let Ok(job) = queue.recv() {
                    job(&mut connection);
                }
            })
            .map_err(io(&path))?;
        Ok(Self { path, jobs: Mutex::new(Some(jobs)), writer: Mutex::new(Some(writer)), _lock: lock })
    }

    /// Waits for the changes that are queued, and closes the file.
    pub fn close(&self) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer
            && writer.join().is_err()
        {
            tracing::error!("the writer of the store panicked");
        }
    }

    /// Runs `work` on the writer thread, in order. The caller waits without a thread.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, result) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let _ = reply.send(work(connection));
        });
        let jobs =
            self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(StoreError::Stopped)?;
        let queued = match jobs.try_send(job) {
            Ok(()) => true,
            Err(mpsc::TrySendError::Disconnected(_)) => false,
            Err(mpsc::TrySendError::Full(job)) => {
                tokio::task::spawn_blocking(move || jobs.send(job).is_ok()).await.unwrap_or(false)
            }
        };
        if !queued {
            return Err(StoreError::Stopped);
        }
        match result.await {
            Ok(result) => result.map_err(|source| StoreError::Database { path: self.path.clone(), source }),
            Err(_) => Err(StoreError::Stopped),
        }
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.close();
    }
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let database = |source| StoreError::Database { path: path.to_owned(), source };
    let damaged = |finding: String| StoreError::Damaged { path: path.to_owned(), finding };
    let mut connection = Connection::open(path).map_err(database)?;
    let prepare = |connection: &Connection| -> Result<String, rusqlite::Error> {
        connection.pragma_update(None, "busy_timeout", 5_000)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", "ON")?;
        // The page cache of a file of some kilobytes need not be the default's 2 MB.
        connection.pragma_update(None, "cache_size", -512)?;
        connection.query_row("PRAGMA quick_check", [], |row| row.get(0))
    };
    match prepare(&connection) {
        Ok(finding) if finding == "ok" => {}
        Ok(finding) => return Err(damaged(finding)),
        Err(error) if is_damage(&error) => return Err(damaged(error.to_string())),
        Err(error) => return Err(database(error)),
    }
    let known = MIGRATIONS.len() as i64;
    let found: i64 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(database)?;
    if found > known {
        return Err(StoreError::TooNew { path: path.to_owned(), found, known });
    }
    let migrate = |connection: &mut Connection| -> Result<(), rusqlite::Error> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for migration in &MIGRATIONS[found as usize..] {
            transaction.execute_batch(migration)?;
        }
        transaction.pragma_update(None, "user_version", known)?;
        transaction.commit()
    };
    if found < known {
        migrate(&mut connection).map_err(database)?;
    }
    Ok(connection)
}

fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

fn encode(record: &FunctionRecord) -> Result<String, StoreError> {
    serde_json::to_string(record).map_err(|source| StoreError::Record { name: record.name.clone(), source })
}

/// Runs one change in a transaction of its own.
fn change(
    connection: &mut Connection,
    work: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<usize, rusqlite::Error>,
) -> Result<Outcome, rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let rows = work(&transaction)?;
    transaction.commit()?;
    Ok(if rows == 1 { Outcome::Done } else { Outcome::Conflict })
}

impl FunctionStore for EmbeddedStore {
    fn load_all(&self) -> BoxFuture<'_, Result<Vec<FunctionRecord>, StoreError>> {
        Box::pin(async move {
            let rows: Vec<(String, String)> = self
                .run(|connection| {
                    let mut statement =
                        connection.prepare("SELECT name, record FROM functions ORDER BY name")?;
                    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
                    rows.collect()
                })
                .await?;
            rows.into_iter()
                .map(|(name, record)| {
                    serde_json::from_str(&record).map_err(|source| StoreError::Record { name, source })
                })
                .collect()
        })
    }

    fn insert(&self, record: FunctionRecord) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(async move {
            let text = encode(&record)?;
            self.run(move |connection| {
                change(connection, |transaction| {
                    let taken: Option<i64> = transaction
                        .query_row("SELECT 1 FROM functions WHERE name = ?1", [&record.name], |row| {
                            row.get(0)
                        })
                        .optional()?;
                    if taken.is_some() {
                        return Ok(0);
                    }
                    transaction.execute(
                        "INSERT INTO functions (name, revision_id, record) VALUES (?1, ?2, ?3)",
                        params![record.name, record.revision_id, text],
                    )
                })
            })
            .await
        })
    }

    fn replace(
        &self,
        expected: String,
        record: FunctionRecord,
    ) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(async move {
            let text = encode(&record)?;
            self.run(move |connection| {
                change(connection, |transaction| {
                    transaction.execute(
                        "UPDATE functions SET revision_id = ?2, record = ?3 WHERE name = ?1 AND revision_id = ?4",
                        params![record.name, record.revision_id, text, expected],
                    )
                })
            })
            .await
        })
    }

    fn remove(&self, name: String) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(async move {
            self.run(move |connection| {
                change(connection, |transaction| {
                    transaction.execute("DELETE FROM functions WHERE name = ?1", [name])
                })
            })
            .await
        })
    }
}
