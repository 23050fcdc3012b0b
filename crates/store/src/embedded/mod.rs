//! The embedded engine: one SQLite file, one writer thread.
//!
//! WAL with `synchronous=FULL`: a change is on the disk when its method returns. After the first change that the disk
//! failed to keep, nothing is acknowledged any more.

mod buckets;
mod code_signing;
mod deliveries;
mod durable_executions;
mod event_invoke_configs;
mod event_source_mappings;
mod events;
mod layers;
mod lock;
mod roles;
mod schedules;
mod sessions;
mod table;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use futures_util::future::BoxFuture;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, ffi};
use tokio::sync::oneshot;

use crate::{FunctionRecord, FunctionStore, Outcome, StoreError};
use lock::{FolderLock, Holder};
use table::{Encoded, Table};

/// Marks a file as ours: "Hrth".
const APPLICATION_ID: i64 = 0x4872_7468;

/// Steps from each schema version to the next; the file's `user_version` counts those that were taken. The checksum is
/// over the other columns: SQLite notices damage to its trees, but not to what is in their cells.
const MIGRATIONS: &[&str] = &[
    "CREATE TABLE functions (
        name TEXT NOT NULL PRIMARY KEY,
        revision_id TEXT NOT NULL,
        record TEXT NOT NULL,
        checksum BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;",
    // Which data folder the file belongs to.
    "CREATE TABLE folder (id TEXT NOT NULL) STRICT;
    INSERT INTO folder (id) VALUES (lower(hex(randomblob(16))));",
    // A name is `LAYER:VERSION`.
    "CREATE TABLE layer_versions (
        name TEXT NOT NULL PRIMARY KEY,
        revision_id TEXT NOT NULL,
        record TEXT NOT NULL,
        checksum BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;",
    // From here on, `functions` has versions too, as `FUNCTION:VERSION`. A release before would take them for functions,
    // and has to refuse the file.
    "",
    events::MIGRATION,
    event_invoke_configs::MIGRATION,
    roles::MIGRATION,
    buckets::MIGRATION,
    deliveries::MIGRATION,
    code_signing::MIGRATION,
    sessions::MIGRATION,
    schedules::MIGRATION,
    durable_executions::MIGRATION,
    event_source_mappings::MIGRATION,
];

const FUNCTIONS: Table = Table { name: "functions", kind: "function" };

/// How many changes may wait for the writer before callers wait to be queued.
const QUEUE_MAX: usize = 1_024;

/// Answers whoever asked, and returns whether the disk failed so that no later success can be believed.
type Job = Box<dyn FnOnce(&mut Connection) -> bool + Send>;

/// The database of a data folder.
pub struct EmbeddedStore {
    path: PathBuf,
    folder_id: String,
    jobs: Mutex<Option<mpsc::SyncSender<Job>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    lock: FolderLock,
    ended_in_order: bool,
    waiting_events: events::WaitingChanges,
}

impl EmbeddedStore {
    /// Opens or makes the database of `folder`, and checks it.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::Io { path, source }
        };
        std::fs::create_dir_all(folder).map_err(io(folder))?;
        let (lock, last) = FolderLock::take(folder)?;
        let path = folder.join("hearth.db");
        if last.is_some() && !path.exists() {
            let finding = "it is gone, although the folder was used before".to_owned();
            return Err(StoreError::Damaged { path, finding });
        }
        create_if_absent(&path)?;
        let mut connection = connect(&path)?;
        let folder_id: String = connection
            .query_row("SELECT id FROM folder", [], |row| row.get(0))
            .map_err(|source| StoreError::Database { path: path.clone(), source })?;
        if last.as_ref().is_some_and(|last| last.folder_id != folder_id) {
            let finding = "it belongs to another data folder".to_owned();
            return Err(StoreError::Damaged { path, finding });
        }
        lock.note(&folder_id, Holder::Server(std::process::id()))?;
        let (jobs, queue) = mpsc::sync_channel::<Job>(QUEUE_MAX);
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                let mut stopped = false;
                while let Ok(job) = queue.recv() {
                    // A job that is dropped answers that the store has stopped.
                    if !stopped {
                        stopped = job(&mut connection);
                    }
                }
            })
            .map_err(io(&path))?;
        let ended_in_order = last.is_none_or(|last| last.ended_in_order);
        let (jobs, writer) = (Mutex::new(Some(jobs)), Mutex::new(Some(writer)));
        let waiting_events = events::WaitingChanges::default();
        Ok(Self { path, folder_id, jobs, writer, lock, ended_in_order, waiting_events })
    }

    /// Whether the last server on this folder closed its store.
    pub fn ended_in_order(&self) -> bool {
        self.ended_in_order
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
        if let Err(error) = self.lock.note(&self.folder_id, Holder::Nobody) {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the next start is going to think that this server crashed"
            );
        }
    }

    /// Runs one change of any number of rows in a transaction of its own.
    async fn change_all(
        &self,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<(), rusqlite::Error> + Send + 'static,
    ) -> Result<(), StoreError> {
        self.run(move |connection| {
            change(connection, |transaction| work(transaction).map(|()| 1)).map(|_| ())
        })
        .await
    }

    /// Runs `work` on the writer thread, in order. The caller waits without a thread.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, result) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let result = work(connection);
            let lost = result.as_ref().err().is_some_and(is_lost);
            if lost {
                tracing::error!("the disk failed to keep a change: the store takes no more of them");
            }
            let _ = reply.send(result);
            lost
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
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(database)?;
    let prepare = |connection: &Connection| -> Result<String, rusqlite::Error> {
        connection.pragma_update(None, "busy_timeout", 5_000)?;
        let application_id: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        if application_id != APPLICATION_ID {
            return Ok("it is not a database of Hearth".to_owned());
        }
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
    if found < 1 {
        return Err(damaged(format!("its schema version is {found}")));
    }
    // Not a byte is written into a file that may still turn out to be damaged.
    if found < known {
        migrate(&mut connection, found).map_err(database)?;
    }
    Ok(connection)
}

/// Takes the steps that are missing after `found`.
fn migrate(connection: &mut Connection, found: i64) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for migration in MIGRATIONS.iter().skip(found as usize) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
    transaction.commit()
}

/// Makes the file, unless it is there. It gets its name only when it is whole: SQLite would take an empty file for a
/// new database, and so a file that was cut to nothing for one without functions.
fn create_if_absent(path: &Path) -> Result<(), StoreError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| StoreError::Io { path, source }
    };
    let database = |source| StoreError::Database { path: path.to_owned(), source };
    match std::fs::metadata(path) {
        Ok(file) if file.len() > 0 => return Ok(()),
        Ok(_) => {
            return Err(StoreError::Damaged { path: path.to_owned(), finding: "it is empty".to_owned() });
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(io(path)(error)),
    }
    if std::fs::metadata(path.with_extension("db-wal")).is_ok_and(|wal| wal.len() > 0) {
        let finding = "it is gone, and its write-ahead log is there".to_owned();
        return Err(StoreError::Damaged { path: path.to_owned(), finding });
    }
    let new = path.with_extension("db.new");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(&new)(error)),
        _ => {}
    }
    // Variables of functions are in it, so nobody else may read it. SQLite gives its other files the same mode.
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).map_err(io(&new))?;
    let mut connection = Connection::open(&new).map_err(database)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID).map_err(database)?;
    migrate(&mut connection, 0).map_err(database)?;
    connection.close().map_err(|(_, source)| database(source))?;
    File::open(&new).and_then(|file| file.sync_all()).map_err(io(&new))?;
    fail::fail_point!("store::create");
    std::fs::rename(&new, path).map_err(io(path))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io(folder))
}

/// Whether the disk failed in a way that makes later success unbelievable. A full disk is no such failure.
fn is_lost(error: &rusqlite::Error) -> bool {
    let lost = [
        ffi::SQLITE_IOERR_FSYNC,
        ffi::SQLITE_IOERR_DIR_FSYNC,
        ffi::SQLITE_IOERR_WRITE,
        ffi::SQLITE_IOERR_TRUNCATE,
    ];
    error.sqlite_error().is_some_and(|error| lost.contains(&error.extended_code))
}

fn is_conversion(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, InvalidColumnType, Utf8Error};
    matches!(error, FromSqlConversionFailure(..) | InvalidColumnType(..) | Utf8Error(..))
}

fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

fn encode(record: &FunctionRecord) -> Result<Encoded, StoreError> {
    Encoded::of(record.key(), &record.revision_id, record)
}

/// The error that a fault point stands for: `full`, or a sync that failed.
#[allow(dead_code, reason = "only fault points call it, and they are nothing in an ordinary build")]
fn injected(kind: Option<&str>) -> rusqlite::Error {
    let code = if kind == Some("full") { ffi::SQLITE_FULL } else { ffi::SQLITE_IOERR_FSYNC };
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some("injected by a fault point".to_owned()))
}

/// Runs one change in a transaction of its own.
fn change(
    connection: &mut Connection,
    work: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<usize, rusqlite::Error>,
) -> Result<Outcome, rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let rows = work(&transaction)?;
    fail::fail_point!("store::commit", |kind| Err(injected(kind.as_deref())));
    transaction.commit()?;
    fail::fail_point!("store::committed");
    Ok(if rows == 1 { Outcome::Done } else { Outcome::Conflict })
}

impl FunctionStore for EmbeddedStore {
    fn load_all(&self) -> BoxFuture<'_, Result<Vec<FunctionRecord>, StoreError>> {
        Box::pin(FUNCTIONS.load(self))
    }

    fn insert(&self, record: FunctionRecord) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(async move { FUNCTIONS.insert(self, encode(&record)?).await })
    }

    fn replace(
        &self,
        expected: String,
        record: FunctionRecord,
    ) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(async move { FUNCTIONS.replace(self, expected, encode(&record)?).await })
    }

    fn remove(&self, key: String) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(FUNCTIONS.remove_with_versions(self, key))
    }
}
