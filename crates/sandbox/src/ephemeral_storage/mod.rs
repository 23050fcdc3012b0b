//! Ephemeral storage: the `/tmp` of an environment, on disk, so that what a function writes there is not its memory.
//!
//! Each environment has an ext4 file system of its own, of its function's `EphemeralStorage.Size`, in a sparse file
//! below the data folder. The file loses its name before anything is in it, the loop device over it frees itself, and
//! the mount is nowhere but in the environment: whatever ends first, the kernel takes the rest down and gives the space
//! back, without anybody walking the files. Nothing has to be found and removed after a crash.
//!
//! ```text
//!   template    what `mke2fs` wrote for this size, once: some 50 KB       (template.rs)
//!      │ written into
//!   file        sparse, without a name, takes disk as the function writes
//!      │ under
//!   loop        direct I/O: the host caches nothing twice                  (loop_device.rs)
//!      │ mounted, nosuid, nodev
//!   mount       nowhere; init puts it at /tmp of the environment           (mount.rs)
//! ```
//!
//! Those of the default size are made ahead ([`stock`]).
//!
//! This module does not limit what the host's disk has: files are sparse, so the sum of all sizes may be more.

mod loop_device;
mod mount;
mod stock;
mod template;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::statfs::{FsType, TMPFS_MAGIC, fstatfs};

use self::stock::Stock;
use self::template::Template;
use crate::{Fact, SandboxError};

/// `EphemeralStorage.Size` of a function that does not say anything about it, in MB.
///
/// Source: Lambda API reference, `EphemeralStorage`, read 2026-11.
pub(crate) const SIZE_MB_DEFAULT: u32 = 512;

/// For how many sizes the template is kept. Ours: a template takes some 50 to 150 KB of memory and 30 ms to make, and who
/// has more sizes than this waits for it now and then.
const TEMPLATES_MAX: usize = 64;

const RAMFS_MAGIC: FsType = FsType(0x8584_58f6);

/// Where the files of `/tmp` are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EphemeralStorageKind {
    /// On disk, in a file system for each environment that ends at the function's `EphemeralStorage.Size`.
    Disk,
    /// In memory, at most `EphemeralStorage.Size`. It counts against `MemorySize`, which on AWS it does not.
    Memory {
        /// Why it cannot be on disk.
        why: String,
    },
}

impl From<EphemeralStorageKind> for Fact {
    fn from(kind: EphemeralStorageKind) -> Self {
        match kind {
            EphemeralStorageKind::Disk => {
                Self::in_force("/tmp", "on disk, and ends at EphemeralStorage.Size")
            }
            EphemeralStorageKind::Memory { why } => {
                let state = format!(
                    "in memory, ends at EphemeralStorage.Size, and counts against MemorySize, unlike on AWS: {why}"
                );
                Self::missing("/tmp", state)
            }
        }
    }
}

/// What could not be done on the way to a file system, and why.
#[derive(Debug, thiserror::Error)]
#[error("{step}")]
pub(crate) struct StorageError {
    step: String,
    source: io::Error,
}

impl StorageError {
    /// Says which step an error belongs to.
    fn at<E: Into<io::Error>>(step: impl Into<String>) -> impl FnOnce(E) -> Self {
        move |error| Self { step: step.into(), source: error.into() }
    }
}

impl From<StorageError> for SandboxError {
    fn from(error: StorageError) -> Self {
        Self::EphemeralStorage { step: error.step, source: error.source }
    }
}

/// Makes the `/tmp` of environments.
pub(crate) enum EphemeralStorages {
    Disk(Disk),
    Memory { why: String },
}

/// What makes them, and those that are ready.
pub(crate) struct Disk {
    maker: Arc<Maker>,
    stock: Stock,
}

impl EphemeralStorages {
    /// Finds out whether they can be on disk, by making one. `folder` is where the files will be. Blocks for some 50 ms.
    pub(crate) fn start(folder: &Path) -> Result<Self, SandboxError> {
        let maker = Arc::new(Maker::new(folder));
        match maker.make(SIZE_MB_DEFAULT) {
            Ok(first) => {
                let stock = Stock::start(maker.clone(), first)
                    .map_err(StorageError::at("start the thread that makes it"))?;
                Ok(Self::Disk(Disk { maker, stock }))
            }
            Err(StorageError { step, source }) => {
                Ok(Self::Memory { why: format!("failed to {step}: {source}") })
            }
        }
    }

    pub(crate) fn kind(&self) -> EphemeralStorageKind {
        match self {
            Self::Disk(_) => EphemeralStorageKind::Disk,
            Self::Memory { why } => EphemeralStorageKind::Memory { why: why.clone() },
        }
    }

    /// Returns one that nobody has used; `None` when they are in memory, where init makes them.
    pub(crate) async fn take(&self, size_mb: u32) -> Result<Option<Storage>, SandboxError> {
        let Self::Disk(Disk { maker, stock }) = self else { return Ok(None) };
        if size_mb == SIZE_MB_DEFAULT
            && let Some(ready) = stock.take()
        {
            return Ok(Some(ready));
        }
        let maker = maker.clone();
        match tokio::task::spawn_blocking(move || maker.make(size_mb)).await {
            Ok(made) => Ok(Some(made?)),
            Err(error) => Err(SandboxError::EphemeralStorage {
                step: "wait for it".to_owned(),
                source: io::Error::other(error),
            }),
        }
    }
}

/// Makes file systems of any size.
pub(crate) struct Maker {
    folder: PathBuf,
    files: AtomicU64,
    templates: Mutex<HashMap<u32, Arc<Template>>>,
}

impl Maker {
    fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), files: AtomicU64::new(0), templates: Mutex::default() }
    }

    /// Makes one. Takes some milliseconds, and a few tens for the first of a size.
    fn make(&self, size_mb: u32) -> Result<Storage, StorageError> {
        let template = self.template(size_mb)?;
        let file = self.new_file()?;
        template.write_into(&file)?;
        Storage::of(&file)
    }

    fn template(&self, size_mb: u32) -> Result<Arc<Template>, StorageError> {
        // Locked meanwhile, so that none is made twice. Whoever comes for another size can wait as well.
        let mut templates = self.templates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(template) = templates.get(&size_mb) {
            return Ok(template.clone());
        }
        let template = Arc::new(Template::make(size_mb, || self.new_file())?);
        if templates.len() >= TEMPLATES_MAX
            && let Some(other) = templates.keys().copied().find(|&size| size != SIZE_MB_DEFAULT)
        {
            templates.remove(&other);
        }
        templates.insert(size_mb, template.clone());
        Ok(template)
    }

    /// Makes a file that has no name any more: it goes with whoever uses it last, however that ends.
    fn new_file(&self) -> Result<File, StorageError> {
        let name = format!("ephemeral-storage-{}", self.files.fetch_add(1, Ordering::Relaxed));
        let path = self.folder.join(name);
        let file = fs::OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        let file = file.map_err(StorageError::at("make a file"))?;
        fail::fail_point!("sandbox::storage_file");
        fs::remove_file(&path).map_err(StorageError::at("unlink a file"))?;
        let kind = fstatfs(&file).map_err(StorageError::at("look at a file"))?.filesystem_type();
        if kind == TMPFS_MAGIC || kind == RAMFS_MAGIC {
            let source = io::Error::new(io::ErrorKind::Unsupported, "the data folder is in memory itself");
            return Err(StorageError { step: "make a file on disk".to_owned(), source });
        }
        Ok(file)
    }
}

/// The `/tmp` of one environment, mounted nowhere yet. Dropping it ends it.
pub(crate) struct Storage {
    mount: OwnedFd,
    contents: Contents,
}

impl Storage {
    /// Mounts what is in a file.
    fn of(file: &File) -> Result<Self, StorageError> {
        let device = loop_device::attach(file)?;
        let mount = mount::mount(&device)?;
        let contents = Contents(Some(mount::root(&mount)?));
        Ok(Self { mount, contents })
    }

    /// Returns the mount, for init.
    pub(crate) fn mount(&self) -> BorrowedFd<'_> {
        self.mount.as_fd()
    }

    /// Gives up the mount, which is in its place now, and returns what ends the file system.
    pub(crate) fn placed(self) -> Contents {
        self.contents
    }
}

/// What is in a file system in use. Dropping it ends the file system at once: nobody will read what is not on disk yet,
/// so it is not written any more. The space is back with the last process that sees it.
pub(crate) struct Contents(Option<OwnedFd>);

impl Drop for Contents {
    fn drop(&mut self) {
        let Some(root) = self.0.take() else { return };
        // If the environment has gone already, this is the last to hold it, and freeing its pages takes a while.
        crate::folder::off_the_async_threads(move || {
            if let Err(error) = mount::shut_down(&root) {
                tracing::debug!(%error, "what was written to /tmp last goes to the disk before it is removed");
            }
            drop(root);
        });
    }
}
