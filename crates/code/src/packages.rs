//! All packages of this host, and who uses them.

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use fail::fail_point;
use hearth_store::{BlobStore, StoreError};
use hearth_types::CodeSha256;
use sha2::{Digest as _, Sha256};

use crate::error::UnpackError;
use crate::remove::remove_tree;
use crate::unpack::unpack;

/// How the name of a tree begins that is not complete, or not wanted any more.
const HIDDEN: &str = "new-";

/// Why a package is not there.
#[derive(Debug, thiserror::Error)]
pub enum PackagesError {
    /// The zip is refused.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// It was never added, or its object is gone.
    #[error("the package {sha256} is not there")]
    Missing {
        /// Which one.
        sha256: CodeSha256,
    },
    /// Its object is not what was kept.
    #[error("the package {sha256} is damaged")]
    Damaged {
        /// Which one.
        sha256: CodeSha256,
    },
    /// Our disk refuses.
    #[error("failed to use `{}`", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The object store refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The work was cut off: the server ends.
    #[error("the server is stopping")]
    Stopped,
}

/// A package that is unpacked here.
#[derive(Clone)]
pub struct Package {
    /// SHA-256 of the zip.
    pub sha256: CodeSha256,
    /// Size of the zip, in bytes.
    pub size: u64,
    /// The tree.
    pub root: PathBuf,
    /// The tree stays as long as one of these is held.
    pub lease: Arc<dyn Any + Send + Sync>,
}

/// All packages of this host. Cheap to clone.
#[derive(Clone)]
pub struct Packages(Arc<Inner>);

struct Inner {
    trees: PathBuf,
    blobs: Arc<dyn BlobStore>,
    leases: Mutex<HashMap<CodeSha256, Weak<Lease>>>,
    /// Adding and removing are exclusive for a digest; one lock for all is enough for what happens at deploy time.
    changing: tokio::sync::Mutex<()>,
    temporary: AtomicU64,
    keep_all: AtomicBool,
}

struct Lease {
    sha256: CodeSha256,
    inner: Weak<Inner>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(inner) = self.inner.upgrade() else { return };
        if inner.keep_all.load(Ordering::Acquire) {
            return;
        }
        let sha256 = self.sha256;
        if let Ok(tokio) = tokio::runtime::Handle::try_current() {
            tokio.spawn(async move { inner.remove_if_unused(sha256).await });
        }
        // Without Tokio the server is at its end; the next start removes what nobody uses.
    }
}

impl Packages {
    /// Opens the trees below `folder`. What an earlier server left half done is removed.
    pub fn open(folder: &Path, blobs: Arc<dyn BlobStore>) -> Result<Self, PackagesError> {
        let trees = folder.join("trees");
        let io = |source| PackagesError::Io { path: trees.clone(), source };
        fs::create_dir_all(&trees).map_err(io)?;
        // A tree is a copy of its object, so it need not survive a crash of the machine, and syncing thousands of files
        // at each deployment can be spared: what was unpacked before the machine started is unpacked anew.
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let boot_id_path = folder.join("boot-id");
        let trusted =
            !boot_id.is_empty() && fs::read_to_string(&boot_id_path).is_ok_and(|known| known == boot_id);
        for entry in fs::read_dir(&trees).map_err(io)? {
            let entry = entry.map_err(io)?;
            if !trusted || entry.file_name().to_string_lossy().starts_with(HIDDEN) {
                remove_tree(&entry.path())
                    .map_err(|source| PackagesError::Io { path: entry.path(), source })?;
            }
        }
        // Only now: cut off before, the next start still trusts no tree.
        write_boot_id(&boot_id_path, &boot_id)
            .map_err(|source| PackagesError::Io { path: boot_id_path, source })?;
        Ok(Self(Arc::new(Inner {
            trees,
            blobs,
            leases: Mutex::default(),
            changing: tokio::sync::Mutex::new(()),
            temporary: AtomicU64::new(0),
            keep_all: AtomicBool::new(false),
        })))
    }

    /// Adds a package. When it returns, its object is durable.
    pub async fn add(&self, zip: Bytes) -> Result<Package, PackagesError> {
        // A caller who gives up must not give the lock free while a thread is still unpacking.
        let packages = self.clone();
        tokio::spawn(async move { packages.add_now(zip).await }).await.unwrap_or(Err(PackagesError::Stopped))
    }

    async fn add_now(&self, zip: Bytes) -> Result<Package, PackagesError> {
        let size = zip.len() as u64;
        let hashed = zip.clone();
        let sha256 = CodeSha256(
            tokio::task::spawn_blocking(move || Sha256::digest(&hashed).into())
                .await
                .map_err(|_| PackagesError::Stopped)?,
        );
        let _changing = self.0.changing.lock().await;
        // Unpacked first: what is refused leaves nothing.
        self.0.unpack_if_missing(sha256, zip.clone()).await?;
        // From here on the lease removes the tree again when something fails.
        let package = self.0.package(sha256, size);
        fail_point!("code::write_archive", |_| Err(StoreError::Stopped.into()));
        self.0.blobs.put(sha256.to_hex(), zip).await?;
        Ok(package)
    }

    /// Finds a package that was added before, also by an earlier server. A tree that is gone is made again.
    pub async fn open_package(&self, sha256: CodeSha256, size: u64) -> Result<Package, PackagesError> {
        let _changing = self.0.changing.lock().await;
        if !self.0.tree(sha256).is_dir() {
            let zip = self.0.archive(sha256).await?;
            self.0.unpack_if_missing(sha256, zip).await?;
        }
        Ok(self.0.package(sha256, size))
    }

    /// Returns a package as it was sent.
    pub async fn archive(&self, sha256: CodeSha256) -> Result<Bytes, PackagesError> {
        self.0.archive(sha256).await
    }

    /// Removes what nobody holds: for the start, when everything that is needed has been opened.
    /// Returns how many trees and objects that were.
    pub async fn sweep(&self) -> Result<usize, PackagesError> {
        let _changing = self.0.changing.lock().await;
        let io = |source| PackagesError::Io { path: self.0.trees.clone(), source };
        let used: HashSet<String> = {
            let leases = self.0.leases.lock().unwrap_or_else(PoisonError::into_inner);
            let held = leases.iter().filter(|(_, lease)| lease.strong_count() > 0);
            held.map(|(sha256, _)| sha256.to_hex()).collect()
        };
        let mut removed = 0;
        for entry in fs::read_dir(&self.0.trees).map_err(io)? {
            let entry = entry.map_err(io)?;
            if !used.contains(&*entry.file_name().to_string_lossy()) {
                removed += 1;
                hide_and_remove(&entry.path())
                    .map_err(|source| PackagesError::Io { path: entry.path(), source })?;
            }
        }
        for key in self.0.blobs.list().await? {
            if !used.contains(&key) {
                removed += 1;
                self.0.blobs.delete(key).await?;
            }
        }
        Ok(removed)
    }

    /// From now on dropping a lease removes nothing: the server ends, and its functions stay.
    pub fn keep_all(&self) {
        self.0.keep_all.store(true, Ordering::Release);
    }
}

impl Inner {
    fn tree(&self, sha256: CodeSha256) -> PathBuf {
        self.trees.join(sha256.to_hex())
    }

    async fn archive(&self, sha256: CodeSha256) -> Result<Bytes, PackagesError> {
        let zip = self.blobs.get(sha256.to_hex()).await?.ok_or(PackagesError::Missing { sha256 })?;
        let hashed = zip.clone();
        let found: [u8; 32] = tokio::task::spawn_blocking(move || Sha256::digest(&hashed).into())
            .await
            .map_err(|_| PackagesError::Stopped)?;
        if found == sha256.0 { Ok(zip) } else { Err(PackagesError::Damaged { sha256 }) }
    }

    async fn unpack_if_missing(&self, sha256: CodeSha256, zip: Bytes) -> Result<(), PackagesError> {
        let tree = self.tree(sha256);
        if tree.is_dir() {
            return Ok(());
        }
        let number = self.temporary.fetch_add(1, Ordering::Relaxed);
        let new = self.trees.join(format!("{HIDDEN}{}-{number}", std::process::id()));
        tokio::task::spawn_blocking(move || {
            let made = make_tree(&zip, &new, &tree);
            // What is still there is removed at the next start at the latest; why there is no tree matters more.
            if made.is_err()
                && let Err(error) = remove_tree(&new)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(tree = %new.display(), %error, "cannot remove what is left of a refused package");
            }
            made
        })
        .await
        .map_err(|_| PackagesError::Stopped)?
    }

    fn package(self: &Arc<Self>, sha256: CodeSha256, size: u64) -> Package {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let held = leases.get(&sha256).and_then(Weak::upgrade);
        let lease = held.unwrap_or_else(|| {
            let lease = Arc::new(Lease { sha256, inner: Arc::downgrade(self) });
            leases.insert(sha256, Arc::downgrade(&lease));
            lease
        });
        Package { sha256, size, root: self.tree(sha256), lease }
    }

    /// Removes a package whose last lease was dropped, unless somebody has taken it again since.
    async fn remove_if_unused(self: Arc<Self>, sha256: CodeSha256) {
        let _changing = self.changing.lock().await;
        {
            let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
            if leases.get(&sha256).is_some_and(|lease| lease.strong_count() > 0) {
                return;
            }
            leases.remove(&sha256);
        }
        if self.keep_all.load(Ordering::Acquire) {
            return;
        }
        let tree = self.tree(sha256);
        let shown = tree.clone();
        match tokio::task::spawn_blocking(move || hide_and_remove(&tree)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(tree = %shown.display(), %error, "cannot remove an unused package");
            }
            Err(_) => return,
        }
        fail_point!("code::delete_archive");
        if let Err(error) = self.blobs.delete(sha256.to_hex()).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot remove an unused package");
        }
    }
}

/// Unpacks a package beside its place, and puts it there when it is complete.
fn make_tree(zip: &[u8], new: &Path, tree: &Path) -> Result<(), PackagesError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| PackagesError::Io { path, source }
    };
    fail_point!("code::make_tree", |_| Err(io(new)(nix::errno::Errno::EIO.into())));
    fs::create_dir(new).map_err(io(new))?;
    unpack(zip, new)?;
    fail_point!("code::rename_tree", |_| Err(io(tree)(nix::errno::Errno::EIO.into())));
    fs::rename(new, tree).map_err(io(tree))
}

/// Removes a tree, first out of sight: what is left of it after a crash is no tree any more.
fn hide_and_remove(tree: &Path) -> io::Result<()> {
    let name = tree.file_name().unwrap_or_default().to_string_lossy();
    let hidden = tree.with_file_name(format!("{HIDDEN}{}", name.trim_start_matches(HIDDEN)));
    fail_point!("code::hide_tree", |_| Err(nix::errno::Errno::EIO.into()));
    if hidden != tree {
        match fs::rename(tree, &hidden) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        }
    }
    fail_point!("code::remove_tree", |_| Err(nix::errno::Errno::EIO.into()));
    remove_tree(&hidden)
}

/// Notes during which run of the machine the trees are being made. A file that is cut off is no id, and not trusted.
fn write_boot_id(path: &Path, boot_id: &str) -> io::Result<()> {
    fail_point!("code::write_boot_id", |_| Err(nix::errno::Errno::EIO.into()));
    fs::write(path, boot_id)
}
