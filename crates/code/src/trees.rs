//! The folder of unpacked packages. A tree has the name of its package when it is complete, and only then: while it is
//! being made its name begins with `new-`, and from the moment on when nobody wants it with `old-`.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, SyncSender};

use fail::fail_point;
use hearth_types::CodeSha256;
use uuid::Uuid;

use crate::packages::PackagesError;
use crate::remove::remove_tree;
use crate::seal::{self, Look};
use crate::unpack::unpack;

/// How the name of a tree begins that is being made.
const NEW: &str = "new-";
/// How the name of a tree begins that is being removed.
const OLD: &str = "old-";

/// The folder of unpacked packages.
pub(crate) struct Trees {
    folder: PathBuf,
    /// The seals of trees, each under its tree's name.
    seals: PathBuf,
    /// Wakes the thread that removes old trees.
    wake: SyncSender<()>,
}

impl Trees {
    /// Opens the trees below `data`. What an earlier server left half done is removed.
    pub(crate) fn open(data: &Path) -> Result<Self, PackagesError> {
        let folder = data.join("trees");
        fs::create_dir_all(&folder).map_err(cannot_use(&folder))?;
        let seals = data.join("seals");
        fs::create_dir_all(&seals).map_err(cannot_use(&seals))?;
        let wake = start_remover(folder.clone()).map_err(cannot_use(&folder))?;
        let trees = Self { folder, seals, wake };
        // A tree is a copy of its object, so it need not survive a crash of the machine, and syncing thousands of files
        // at each deployment can be spared: what was unpacked before the machine started is unpacked anew.
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let boot_id_path = data.join("boot-id");
        let trusted =
            !boot_id.is_empty() && fs::read_to_string(&boot_id_path).is_ok_and(|known| known == boot_id);
        for name in trees.names()? {
            if name.starts_with(OLD) {
                trees.wake();
            } else if name.starts_with(NEW) || !trusted {
                trees.hide(&name)?;
            }
        }
        for name in names(&trees.seals).map_err(cannot_use(&trees.seals))? {
            if !trees.folder.join(&name).is_dir() {
                trees.remove_seal(&name);
            }
        }
        // Only now: cut off before, the next start still trusts no tree. Cut off in between, it is no id.
        write_boot_id(&boot_id_path, &boot_id).map_err(cannot_use(&boot_id_path))?;
        Ok(trees)
    }

    /// Returns where the tree of a package is, or would be.
    pub(crate) fn path(&self, sha256: CodeSha256) -> PathBuf {
        self.folder.join(sha256.to_hex())
    }

    /// Unpacks a package beside its place, and puts it there when it is complete. Takes its time.
    pub(crate) fn make(&self, sha256: CodeSha256, zip: &[u8]) -> Result<(), PackagesError> {
        self.make_with(sha256, |new| Ok(unpack(zip, new).map(drop)?))
    }

    /// Has `fill` fill a new folder beside the place of a tree, and puts it there when it is complete.
    pub(crate) fn make_with(
        &self,
        sha256: CodeSha256,
        fill: impl FnOnce(&Path) -> Result<(), PackagesError>,
    ) -> Result<(), PackagesError> {
        let (new, tree) = (self.unused_name(NEW), self.path(sha256));
        let made = make(fill, &new, &tree, &self.seal(sha256));
        // What is still there is removed at the next start at the latest; why there is no tree matters more.
        if made.is_err() {
            self.remove_seal(&sha256.to_hex());
            if new.exists() {
                remove(&new);
            }
        }
        made
    }

    /// Looks whether the tree of a package is still what was put there.
    pub(crate) fn look(&self, sha256: CodeSha256) -> Look {
        seal::look(&self.path(sha256), &self.seal(sha256))
    }

    /// From now on the tree is right as it is.
    pub(crate) fn seal_again(&self, sha256: CodeSha256) -> Result<(), PackagesError> {
        let seal = self.seal(sha256);
        seal::write(&self.path(sha256), &seal).map_err(cannot_use(&seal))
    }

    /// Compares the tree of a package with what the package holds, which is unpacked once more for that. Returns the
    /// first entry that is another one.
    pub(crate) fn compare(&self, sha256: CodeSha256, zip: &[u8]) -> Result<Option<PathBuf>, PackagesError> {
        let (original, tree) = (self.unused_name(NEW), self.path(sha256));
        fs::create_dir(&original).map_err(cannot_use(&original))?;
        let compared = unpack(zip, &original)
            .map_err(PackagesError::from)
            .and_then(|_| seal::first_difference(&original, &tree).map_err(cannot_use(&tree)));
        remove(&original);
        compared
    }

    fn seal(&self, sha256: CodeSha256) -> PathBuf {
        self.seals.join(sha256.to_hex())
    }

    fn remove_seal(&self, name: &str) {
        // A seal without a tree is removed at the next start, and one of another tree is no better than none.
        let _ = fs::remove_file(self.seals.join(name));
    }

    /// Gives up a tree. It is out of sight at once; removing it may take long, and nobody has to wait for that.
    pub(crate) fn remove(&self, sha256: CodeSha256) -> Result<(), PackagesError> {
        self.hide(&sha256.to_hex())
    }

    /// Gives up every tree that `is_used` does not name. No tree may be in the making.
    pub(crate) fn remove_unused(&self, is_used: impl Fn(&str) -> bool) -> Result<(), PackagesError> {
        let unused = self.names()?.into_iter().filter(|name| !name.starts_with(OLD) && !is_used(name));
        unused.into_iter().try_for_each(|name| self.hide(&name))
    }

    fn hide(&self, name: &str) -> Result<(), PackagesError> {
        let tree = self.folder.join(name);
        fail_point!("code::hide_tree", |_| Err(cannot_use(&tree)(nix::errno::Errno::EIO.into())));
        match fs::rename(&tree, self.unused_name(OLD)) {
            Ok(()) => {
                self.remove_seal(name);
                self.wake();
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(cannot_use(&tree)(error)),
        }
        Ok(())
    }

    fn wake(&self) {
        // Full: it is about to look anyway. Gone: the next start removes what is left.
        let _ = self.wake.try_send(());
    }

    fn names(&self) -> Result<Vec<String>, PackagesError> {
        names(&self.folder).map_err(cannot_use(&self.folder))
    }

    fn unused_name(&self, prefix: &str) -> PathBuf {
        self.folder.join(format!("{prefix}{}", Uuid::new_v4().simple()))
    }
}

fn make(
    fill: impl FnOnce(&Path) -> Result<(), PackagesError>,
    new: &Path,
    tree: &Path,
    seal: &Path,
) -> Result<(), PackagesError> {
    fail_point!("code::make_tree", |_| Err(cannot_use(new)(nix::errno::Errno::EIO.into())));
    fs::create_dir(new).map_err(cannot_use(new))?;
    fill(new)?;
    seal::write(new, seal).map_err(cannot_use(seal))?;
    fail_point!("code::rename_tree", |_| Err(cannot_use(tree)(nix::errno::Errno::EIO.into())));
    fs::rename(new, tree).map_err(cannot_use(tree))
}

/// Starts the thread that removes old trees whenever it is woken, and ends with the last [`Trees`]. One thread, and no
/// list: the folder says what there is to remove. Cut off, it leaves the rest to the next start.
fn start_remover(folder: PathBuf) -> io::Result<SyncSender<()>> {
    let (wake, woken) = mpsc::sync_channel(1);
    let remove_old = move || {
        let mut given_up = HashSet::new();
        while woken.recv().is_ok() {
            for name in names(&folder).unwrap_or_default() {
                if name.starts_with(OLD) && !given_up.contains(&name) && !remove(&folder.join(&name)) {
                    given_up.insert(name);
                }
            }
        }
    };
    std::thread::Builder::new().name("remove-trees".to_owned()).spawn(remove_old)?;
    Ok(wake)
}

/// Removes a tree that nobody sees. What cannot be removed is left to the next start.
fn remove(tree: &Path) -> bool {
    let now = || {
        fail_point!("code::remove_tree", |_| Err(nix::errno::Errno::EIO.into()));
        remove_tree(tree)
    };
    let removed = now();
    if let Err(error) = &removed {
        tracing::warn!(tree = %tree.display(), %error, "a tree that nobody uses stays until the next start");
    }
    removed.is_ok()
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

/// Notes during which run of the machine the trees are made.
fn write_boot_id(path: &Path, boot_id: &str) -> io::Result<()> {
    fail_point!("code::write_boot_id", |_| Err(nix::errno::Errno::EIO.into()));
    fs::write(path, boot_id)
}

fn cannot_use(path: &Path) -> impl FnOnce(io::Error) -> PackagesError {
    let path = path.to_owned();
    move |source| PackagesError::Io { path, source }
}
