//! All packages of this host, and who uses them.

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use fail::fail_point;
use hearth_store::{BlobStore, StoreError};
use hearth_types::CodeSha256;
use sha2::{Digest as _, Sha256};

use crate::error::UnpackError;
use crate::seal::Look;
use crate::trees::Trees;

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
    /// Its tree is not what was unpacked.
    #[error("the code `{}` was changed on disk after it was deployed", path.display())]
    Changed {
        /// The first entry that is another one or gone, as the package names it.
        path: PathBuf,
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
    trees: Arc<Trees>,
    blobs: Arc<dyn BlobStore>,
    leases: Mutex<HashMap<CodeSha256, Weak<Lease>>>,
    /// Adding and removing are exclusive for a digest; one lock for all is enough for what happens at deploy time.
    changing: tokio::sync::Mutex<()>,
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
        Ok(Self(Arc::new(Inner {
            trees: Arc::new(Trees::open(folder)?),
            blobs,
            leases: Mutex::default(),
            changing: tokio::sync::Mutex::new(()),
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
        if self.0.trees.path(sha256).is_dir()
            && let Err(PackagesError::Changed { path }) =
                self.0.check_content(sha256, Some(zip.clone())).await
        {
            tracing::warn!(package = %sha256, path = %path.display(), "code that was changed on disk is unpacked anew");
            self.0.trees.remove(sha256)?;
        }
        // Unpacked first: what is refused leaves nothing.
        self.0.unpack_if_missing(sha256, zip.clone()).await?;
        // From here on the lease removes the tree again when something fails.
        let package = self.0.package(sha256, size);
        self.0.keep_archive(sha256, zip).await?;
        Ok(package)
    }

    /// Finds a package that was added before, also by an earlier server. A tree that is gone is made again.
    pub async fn open_package(&self, sha256: CodeSha256, size: u64) -> Result<Package, PackagesError> {
        let _changing = self.0.changing.lock().await;
        if !self.0.trees.path(sha256).is_dir() {
            let zip = self.0.archive(sha256).await?;
            self.0.unpack_if_missing(sha256, zip).await?;
        }
        Ok(self.0.package(sha256, size))
    }

    /// Finds a tree that is made of others, or makes it with `fill`. It has a lease of its own, as packages have.
    pub(crate) async fn tree_of(
        &self,
        digest: CodeSha256,
        fill: impl FnOnce(&Path) -> Result<(), PackagesError> + Send + 'static,
    ) -> Result<Package, PackagesError> {
        let _changing = self.0.changing.lock().await;
        let trees = self.0.trees.clone();
        let look = tokio::task::spawn_blocking(move || trees.look(digest));
        if let Look::Changed(path) = look.await.map_err(|_| PackagesError::Stopped)? {
            tracing::warn!(path = %path.display(), "layers that were changed on disk are put together anew");
            self.0.trees.remove(digest)?;
        }
        if !self.0.trees.path(digest).is_dir() {
            let trees = self.0.trees.clone();
            tokio::task::spawn_blocking(move || trees.make_with(digest, fill))
                .await
                .map_err(|_| PackagesError::Stopped)??;
        }
        Ok(self.0.package(digest, 0))
    }

    /// Says whether a tree is on disk as it was deployed. To be asked before each use: it takes microseconds for each
    /// entry, and only when something looks changed is the content read.
    pub async fn check(&self, root: &Path) -> Result<(), PackagesError> {
        let Some(sha256) = root.file_name().and_then(|name| CodeSha256::from_hex(name.to_str()?)) else {
            return Ok(()); // no tree of ours
        };
        let trees = self.0.trees.clone();
        let look = tokio::task::spawn_blocking(move || trees.look(sha256));
        match look.await.map_err(|_| PackagesError::Stopped)? {
            Look::Intact => Ok(()),
            Look::Unknown | Look::Changed(_) => {
                // One at a time: many calls may find the same tree changed.
                let _changing = self.0.changing.lock().await;
                self.0.check_content(sha256, None).await
            }
        }
    }

    /// Returns a package as it was sent.
    pub async fn archive(&self, sha256: CodeSha256) -> Result<Bytes, PackagesError> {
        self.0.archive(sha256).await
    }

    /// Removes what nobody holds: for the start, when everything that is needed has been opened.
    /// Returns how many objects that were.
    pub async fn sweep(&self) -> Result<usize, PackagesError> {
        let _changing = self.0.changing.lock().await;
        let used: HashSet<String> = {
            let leases = self.0.leases.lock().unwrap_or_else(PoisonError::into_inner);
            leases
                .iter()
                .filter(|(_, lease)| lease.strong_count() > 0)
                .map(|(sha256, _)| sha256.to_hex())
                .collect()
        };
        self.0.trees.remove_unused(|name| used.contains(name))?;
        let mut removed = 0;
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
    async fn archive(&self, sha256: CodeSha256) -> Result<Bytes, PackagesError> {
        let zip = self.blobs.get(sha256.to_hex()).await?.ok_or(PackagesError::Missing { sha256 })?;
        let hashed = zip.clone();
        let found: [u8; 32] = tokio::task::spawn_blocking(move || Sha256::digest(&hashed).into())
            .await
            .map_err(|_| PackagesError::Stopped)?;
        if found == sha256.0 { Ok(zip) } else { Err(PackagesError::Damaged { sha256 }) }
    }

    /// Says whether a tree is what its package holds, by its content if it has to be. What is right is sealed again.
    async fn check_content(&self, sha256: CodeSha256, zip: Option<Bytes>) -> Result<(), PackagesError> {
        let look = {
            let trees = self.trees.clone();
            tokio::task::spawn_blocking(move || trees.look(sha256))
        };
        let changed = match look.await.map_err(|_| PackagesError::Stopped)? {
            Look::Intact => return Ok(()),
            Look::Unknown => None,
            Look::Changed(path) => Some(path),
        };
        let zip = match (zip, self.blobs.get(sha256.to_hex()).await?, changed) {
            (Some(zip), _, _) => zip,
            (None, Some(_), changed) => match (self.archive(sha256).await, changed) {
                (Ok(zip), _) => zip,
                (Err(_), Some(path)) => return Err(PackagesError::Changed { path }),
                (Err(error), None) => return Err(error),
            },
            // Layers that were put together have no object to compare with.
            (None, None, Some(path)) => return Err(PackagesError::Changed { path }),
            (None, None, None) => return self.trees.seal_again(sha256),
        };
        let trees = self.trees.clone();
        let compare = move || match trees.compare(sha256, &zip)? {
            None => trees.seal_again(sha256),
            Some(path) => Err(PackagesError::Changed { path }),
        };
        tokio::task::spawn_blocking(compare).await.map_err(|_| PackagesError::Stopped)?
    }

    /// Keeps a package as it was sent. A damaged object of its name is replaced.
    async fn keep_archive(&self, sha256: CodeSha256, zip: Bytes) -> Result<(), PackagesError> {
        fail_point!("code::write_archive", |_| Err(StoreError::Stopped.into()));
        if let Err(PackagesError::Damaged { .. }) = self.archive(sha256).await {
            self.blobs.delete(sha256.to_hex()).await?;
        }
        Ok(self.blobs.put(sha256.to_hex(), zip).await?)
    }

    async fn unpack_if_missing(&self, sha256: CodeSha256, zip: Bytes) -> Result<(), PackagesError> {
        if self.trees.path(sha256).is_dir() {
            return Ok(());
        }
        let trees = self.trees.clone();
        tokio::task::spawn_blocking(move || trees.make(sha256, &zip))
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
        Package { sha256, size, root: self.trees.path(sha256), lease }
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
        if let Err(error) = self.trees.remove(sha256) {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot remove an unused package");
        }
        fail_point!("code::delete_archive");
        if let Err(error) = self.blobs.delete(sha256.to_hex()).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot remove an unused package");
        }
    }
}
