//! The lock of a data folder: one server at a time, and what the last one left to say.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::StoreError;

/// How long to wait for the lock of a server that was killed: a process that it had just begun to start holds it until its
/// `exec`, a few milliseconds at most.
const WAIT: Duration = Duration::from_millis(300);
/// In place of a process id, when no server has the folder and the last one has closed its store.
const NOBODY: &str = "nobody";

/// `hearth.lock`, locked as long as this lives. It says which database belongs to the folder, and who has it. It is empty
/// as long as no database was made.
pub(super) struct FolderLock {
    path: PathBuf,
    file: File,
}

/// Who has a folder.
pub(super) enum Holder {
    /// A process.
    Server(u32),
    /// The last server has closed its store.
    Nobody,
}

/// What the last server left to say.
pub(super) struct Last {
    pub(super) folder_id: String,
    pub(super) ended_in_order: bool,
}

impl FolderLock {
    /// Takes the lock of `folder`, and returns what it said, if anybody had it before.
    pub(super) fn take(folder: &Path) -> Result<(Self, Option<Last>), StoreError> {
        let path = folder.join("hearth.lock");
        let io = |source| StoreError::Io { path: path.clone(), source };
        let mut options = OpenOptions::new();
        let mut file = options.create(true).truncate(false).read(true).write(true).open(&path).map_err(io)?;
        let give_up_at = Instant::now() + WAIT;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < give_up_at => {
                    std::thread::sleep(WAIT / 30);
                }
                Err(TryLockError::WouldBlock) => return Err(StoreError::InUse { path: folder.to_owned() }),
                Err(TryLockError::Error(source)) => return Err(io(source)),
            }
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(io)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let mut words = text.split_whitespace();
        // After a loss of power it may hold anything; then nobody knows, and the database decides.
        let is_id = |word: &&str| word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let last = words.next().filter(is_id).map(|folder_id| Last {
            folder_id: folder_id.to_owned(),
            ended_in_order: words.next() == Some(NOBODY),
        });
        Ok((Self { path, file }, last))
    }

    /// Notes who has the folder. Only the next start reads it, to say what it found, so it is not synced.
    pub(super) fn note(&self, folder_id: &str, holder: Holder) -> Result<(), StoreError> {
        let holder = match holder {
            Holder::Server(pid) => pid.to_string(),
            Holder::Nobody => NOBODY.to_owned(),
        };
        self.write(&format!("{folder_id} {holder}\n"))
            .map_err(|source| StoreError::Io { path: self.path.clone(), source })
    }

    /// Writes over what was there. The first words stay the same, so that no crash leaves less than them.
    fn write(&self, text: &str) -> io::Result<()> {
        let mut file = &self.file;
        file.rewind()?;
        file.write_all(text.as_bytes())?;
        file.set_len(text.len() as u64)
    }
}
