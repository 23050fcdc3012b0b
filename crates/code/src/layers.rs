//! Layers of a function, put one over the other as one tree: what AWS has under `/opt`.
//!
//! As if they were unpacked one after the other into one folder: of two files with a name, the later layer's stays; so
//! it does when one has a file where the other has a folder. Folders are put together.
//!
//! Files are hard links to those in the layers' own trees, so that putting layers together writes no data and takes no
//! room. A layer alone is not put together: its own tree is used.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use fail::fail_point;
use hearth_types::CodeSha256;
use nix::errno::Errno;
use sha2::{Digest as _, Sha256};

use crate::archive::Archive;
use crate::packages::{Package, Packages, PackagesError};
use crate::remove::remove_tree;

impl Packages {
    /// Puts the trees of `layers` together, a later one over an earlier one; `None` without layers. Who uses the result
    /// goes on holding the layers, too: after a restart of the machine it is made from them again.
    pub async fn merge(&self, layers: &[Package]) -> Result<Option<Package>, PackagesError> {
        match layers {
            [] => Ok(None),
            [layer] => Ok(Some(layer.clone())),
            _ => {
                // A caller who gives up must not give the lock free while a thread is still making the tree.
                let (packages, layers) = (self.clone(), layers.to_vec());
                let merged = tokio::spawn(async move { packages.merge_now(&layers).await });
                merged.await.unwrap_or(Err(PackagesError::Stopped)).map(Some)
            }
        }
    }

    async fn merge_now(&self, layers: &[Package]) -> Result<Package, PackagesError> {
        let digest = digest(layers);
        let roots: Vec<PathBuf> = layers.iter().map(|layer| layer.root.clone()).collect();
        let fill = move |new: &Path| merge_trees(&roots, new);
        self.tree_of(digest, fill).await
    }

    /// Returns how many bytes a package is when it is unpacked: what its archive says, and was held to when it was
    /// unpacked. What is on disk now may have been touched by a function.
    pub async fn unzipped_bytes(&self, sha256: CodeSha256) -> Result<u64, PackagesError> {
        let zip = self.archive(sha256).await?;
        let read = move || Ok(Archive::read(&zip)?.unpacked_bytes());
        tokio::task::spawn_blocking(read).await.unwrap_or(Err(PackagesError::Stopped))
    }
}

/// The name of what layers are together, in this order. It is no digest of a zip, so no package has it.
fn digest(layers: &[Package]) -> CodeSha256 {
    let mut hash = Sha256::new_with_prefix("layers\0");
    for layer in layers {
        hash.update(layer.sha256.0);
    }
    CodeSha256(hash.finalize().into())
}

fn merge_trees(roots: &[PathBuf], new: &Path) -> Result<(), PackagesError> {
    open_to_all(new).map_err(cannot_use(new))?;
    for root in roots {
        add(root, new)?;
    }
    Ok(())
}

/// Puts all that is in the folder `from` into the folder `to`, over what is there. Never follows a link: a folder of a
/// package is a folder in the result, too, so a link that stayed inside of its package stays inside of that.
fn add(from: &Path, to: &Path) -> Result<(), PackagesError> {
    for entry in fs::read_dir(from).map_err(cannot_use(from))? {
        let entry = entry.map_err(cannot_use(from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(cannot_use(&source))?;
        fail_point!("code::merge_entry", |_| Err(cannot_use(&target)(Errno::EIO.into())));
        if kind.is_dir() {
            make_folder(&target).map_err(cannot_use(&target))?;
            add(&source, &target)?;
        } else if kind.is_file() || kind.is_symlink() {
            put(&source, &target).map_err(cannot_use(&target))?;
        }
        // Nothing else comes out of an archive; a function may have put a socket there.
    }
    Ok(())
}

fn make_folder(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made.and_then(|()| open_to_all(path)),
    }
    if fs::symlink_metadata(path)?.is_dir() {
        return Ok(());
    }
    fs::remove_file(path)?;
    fs::create_dir(path)?;
    open_to_all(path)
}

/// Lets everybody look into a folder, whatever the file mode creation mask of the server has taken away.
fn open_to_all(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

/// Links a file or link to a second place.
fn put(source: &Path, target: &Path) -> io::Result<()> {
    let link = || match fs::hard_link(source, target) {
        Ok(()) => Ok(()),
        Err(error) => match error.raw_os_error().map(Errno::from_raw) {
            // Some file systems have no hard links, and none has any number of them.
            Some(Errno::EMLINK | Errno::EPERM | Errno::EOPNOTSUPP) => copy(source, target),
            _ => Err(error),
        },
    };
    match link() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            remove_tree(target).and_then(|()| link())
        }
        put => put,
    }
}

fn copy(source: &Path, target: &Path) -> io::Result<()> {
    if fs::symlink_metadata(source)?.is_symlink() {
        return symlink(fs::read_link(source)?, target);
    }
    // `copy` would write into, or through, what is there.
    let mut to = fs::File::create_new(target)?;
    io::copy(&mut fs::File::open(source)?, &mut to)?;
    to.set_permissions(fs::metadata(source)?.permissions())
}

fn cannot_use(path: &Path) -> impl FnOnce(io::Error) -> PackagesError {
    let path = path.to_owned();
    move |source| PackagesError::Io { path, source }
}
