//! Unpacking a zip into a new folder, believing nothing that it says.
//!
//! Entries are read by a zip library; where they go is decided here. A name is taken apart into plain components, folders
//! are made one by one, files are only ever created new and never through a link, links are made last. Sizes count as
//! bytes come out, not as headers claim.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Cursor, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use hearth_types::limits::UNZIPPED_BYTES_MAX;
use zip::ZipArchive;
use zip::result::ZipError;

/// Most entries of an archive. Ours: each costs an inode.
const ENTRIES_MAX: usize = 250_000;
/// Deepest folder. Ours: nothing real comes near.
const DEPTH_MAX: usize = 256;
/// Longest path inside a package. Ours: Linux takes 4,095 bytes, and the data folder needs some of them.
const PATH_BYTES_MAX: usize = 3_072;
/// Longest link target that Linux takes.
const LINK_BYTES_MAX: u64 = 4_095;

/// Why a zip is refused.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It is no zip, or it is damaged, encrypted or packed with a method other than stored and deflated.
    #[error("it is no zip archive that can be read")]
    Zip(#[from] ZipError),
    /// An entry's data is damaged.
    #[error("the entry `{name}` is damaged")]
    Entry {
        /// Which entry.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// An entry would leave the folder, or is not a file, folder or link.
    #[error("the entry `{name}` {problem}")]
    Refused {
        /// Which entry.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The unpacked bytes are more than allowed.
    #[error("the unpacked package is larger than {UNZIPPED_BYTES_MAX} bytes")]
    TooLarge,
    /// There are more entries than allowed, folders that their names imply included.
    #[error("the archive has more than {ENTRIES_MAX} entries")]
    TooManyEntries,
    /// Our disk refuses.
    #[error("failed to write `{}`", path.display())]
    Write {
        /// What was being written.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

/// Unpacks `zip` into `root`, an empty folder. Returns the number of bytes. What is there after an error is to be removed.
pub(crate) fn unpack(zip: &Bytes, root: &Path) -> Result<u64, UnpackError> {
    let mut archive = ZipArchive::new(Cursor::new(zip.clone()))?;
    if archive.len() > ENTRIES_MAX {
        return Err(UnpackError::TooManyEntries);
    }
    if archive.is_empty() {
        return Err(ZipError::InvalidArchive("it has no entries".into()).into());
    }
    if archive.has_duplicate_names() {
        // Which one would count?
        return Err(ZipError::InvalidArchive("it has two entries of the same name".into()).into());
    }
    check_count(&archive)?;
    let mut tree = Tree {
        root,
        seen: HashSet::new(),
        folders: HashSet::new(),
        links: Vec::new(),
        left: UNZIPPED_BYTES_MAX,
    };
    for index in 0..archive.len() {
        let entry = archive.by_index(index)?;
        tree.add(entry)?;
    }
    tree.make_links()?;
    tree.finish()?;
    Ok(UNZIPPED_BYTES_MAX - tree.left)
}

/// Counts files and folders before the first of them is made. One name of some hundred bytes can stand for as many
/// folders, so entries alone say little about inodes.
fn check_count(archive: &ZipArchive<Cursor<Bytes>>) -> Result<(), UnpackError> {
    let mut paths = HashSet::new();
    for name in archive.file_names() {
        // A name that is no path is refused when its turn comes.
        let Some(path) = plain_path(&name?) else { continue };
        for ancestor in path.ancestors() {
            if !paths.insert(ancestor.to_owned()) {
                break;
            }
        }
        if paths.len() > ENTRIES_MAX {
            return Err(UnpackError::TooManyEntries);
        }
    }
    Ok(())
}

struct Tree<'a> {
    root: &'a Path,
    /// Every path that an entry has made. The same name twice is refused: which one would count?
    seen: HashSet<PathBuf>,
    folders: HashSet<PathBuf>,
    links: Vec<(String, PathBuf, PathBuf)>,
    left: u64,
}

impl Tree<'_> {
    fn add<R: io::Read + io::Seek>(
        &mut self,
        mut entry: zip::read::ZipFile<'_, R>,
    ) -> Result<(), UnpackError> {
        let name = entry.name()?.into_owned();
        let refused = |problem| UnpackError::Refused { name: name.clone(), problem };
        let path = plain_path(&name).ok_or_else(|| refused("has a name that leaves the package"))?;
        if path.as_os_str().is_empty() {
            return Ok(()); // the root itself, as `./`
        }
        let mode = entry.unix_mode().unwrap_or(0o644);
        let kind = mode & 0o170_000;
        if entry.is_dir() || kind == 0o040_000 {
            return self.make_folder(&path, &name);
        }
        if !self.seen.insert(path.clone()) || self.folders.contains(&path) {
            return Err(refused("is there twice"));
        }
        if let Some(parent) = path.parent() {
            self.make_folder(parent, &name)?;
        }
        match kind {
            0 | 0o100_000 => self.write_file(&mut entry, &path, mode, &name),
            0o120_000 => {
                let mut target = Vec::new();
                let damaged = |source| UnpackError::Entry { name: name.clone(), source };
                entry.by_ref().take(LINK_BYTES_MAX + 1).read_to_end(&mut target).map_err(damaged)?;
                let target = String::from_utf8(target).map_err(|_| refused("is a link to no text"))?;
                if target.len() as u64 > LINK_BYTES_MAX || !stays_inside(&path, &target) {
                    return Err(refused("is a link that leaves the package"));
                }
                self.left = self.left.checked_sub(target.len() as u64).ok_or(UnpackError::TooLarge)?;
                self.links.push((name, path, PathBuf::from(target)));
                Ok(())
            }
            _ => Err(refused("is neither a file nor a folder nor a link")),
        }
    }

    fn make_folder(&mut self, path: &Path, name: &str) -> Result<(), UnpackError> {
        let mut folder = PathBuf::new();
        for component in path.components() {
            folder.push(component);
            if self.folders.contains(&folder) {
                continue;
            }
            if self.seen.contains(&folder) {
                return Err(UnpackError::Refused {
                    name: name.to_owned(),
                    problem: "is a file and a folder",
                });
            }
            let full = self.root.join(&folder);
            fs::create_dir(&full).map_err(|source| UnpackError::Write { path: full, source })?;
            self.folders.insert(folder.clone());
        }
        Ok(())
    }

    fn write_file(
        &mut self,
        entry: &mut impl io::Read,
        path: &Path,
        mode: u32,
        name: &str,
    ) -> Result<(), UnpackError> {
        let full = self.root.join(path);
        let cannot = |source| UnpackError::Write { path: full.clone(), source };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
            .mode(0o600)
            .open(&full)
            .map_err(cannot)?;
        let mut buffer = [0; 64 * 1_024];
        loop {
            let length = entry
                .read(&mut buffer)
                .map_err(|source| UnpackError::Entry { name: name.to_owned(), source })?;
            if length == 0 {
                break;
            }
            self.left = self.left.checked_sub(length as u64).ok_or(UnpackError::TooLarge)?;
            file.write_all(&buffer[..length]).map_err(cannot)?;
        }
        // Everybody may read, as functions of AWS need; nobody may write; no set-user-id.
        let mode = if mode & 0o111 == 0 { 0o444 } else { 0o555 };
        file.set_permissions(fs::Permissions::from_mode(mode)).map_err(cannot)
    }

    /// Links come last: nothing is ever written through one.
    fn make_links(&mut self) -> Result<(), UnpackError> {
        for (_, path, target) in std::mem::take(&mut self.links) {
            let full = self.root.join(&path);
            std::os::unix::fs::symlink(&target, &full)
                .map_err(|source| UnpackError::Write { path: full.clone(), source })?;
        }
        Ok(())
    }

    /// Makes folders readable for everybody.
    fn finish(&self) -> Result<(), UnpackError> {
        let root = PathBuf::new();
        for folder in self.folders.iter().chain([&root]) {
            let full = self.root.join(folder);
            fs::set_permissions(&full, fs::Permissions::from_mode(0o755))
                .map_err(|source| UnpackError::Write { path: full.clone(), source })?;
        }
        Ok(())
    }
}

/// Takes a name apart into plain components. `None` when it is absolute, goes up, or means something else elsewhere.
fn plain_path(name: &str) -> Option<PathBuf> {
    if name.is_empty() || name.starts_with('/') || name.contains(['\\', '\0']) {
        return None;
    }
    let drive = name.as_bytes().get(1) == Some(&b':') && name.as_bytes()[0].is_ascii_alphabetic();
    let mut path = PathBuf::new();
    for component in name.split('/') {
        match component {
            "" | "." => {}
            ".." => return None,
            plain if plain.len() > 255 => return None,
            plain => path.push(plain),
        }
    }
    (!drive && path.components().count() <= DEPTH_MAX && path.as_os_str().len() <= PATH_BYTES_MAX)
        .then_some(path)
}

/// Whether a link at `path` with this target ends inside the package, whatever other links there are: a target may go up
/// only as far as the link is deep, and only at its beginning.
fn stays_inside(path: &Path, target: &str) -> bool {
    if target.is_empty() || target.starts_with('/') || target.contains('\0') {
        return false;
    }
    let depth = path.components().count() - 1;
    let components: Vec<&str> = target.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let ups = components.iter().take_while(|part| **part == "..").count();
    ups <= depth && components[ups..].iter().all(|part| *part != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leaves_the_package_is_no_path() {
        for good in ["a", "a/b.js", "./a", "a//b", "ä/ü", "a..b"] {
            assert!(plain_path(good).is_some(), "{good}");
        }
        for bad in ["", "/a", "../a", "a/../../b", "a/..", "C:\\x", "C:x", "a\\b", "a\0b", &"x/".repeat(300)]
        {
            assert!(plain_path(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_link_may_go_up_only_as_far_as_it_is_deep() {
        let check = |path: &str, target: &str| stays_inside(Path::new(path), target);
        assert!(check("node_modules/.bin/tool", "../tool/cli.js"));
        assert!(check("libx.so", "libx.so.1"));
        assert!(!check("link", "../etc/passwd"));
        assert!(!check("link", "/etc/passwd"));
        assert!(!check("a/link", "b/../../../x"));
        assert!(!check("a/link", "../../x"));
    }
}
