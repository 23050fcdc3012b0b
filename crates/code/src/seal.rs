//! Whether a tree on disk is still what was put there.
//!
//! When a tree is made, a seal is written beside it: each of its entries with kind, size and time of change. Looking at a
//! tree is one `lstat` for each entry, cheap enough for every cold start. What looks changed is compared byte for byte with
//! what its package holds, so that a mere new time, of a backup that was played back, condemns nothing.
//!
//! What somebody has added is not looked at: interpreters keep compiled files there where they may write.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What a look at a tree gives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Every entry is as it was.
    Intact,
    /// Nothing is known of it: no seal, or none that can be read.
    Unknown,
    /// The first entry that is another one, or gone.
    Changed(PathBuf),
}

/// Writes the seal of the tree `tree` to `seal`.
pub(crate) fn write(tree: &Path, seal: &Path) -> io::Result<()> {
    let mut text = Vec::new();
    for path in entries(tree)? {
        let metadata = fs::symlink_metadata(tree.join(&path))?;
        text.extend_from_slice(facts(&metadata).as_bytes());
        text.push(b' ');
        text.extend_from_slice(path.as_os_str().as_bytes());
        text.push(0);
    }
    fs::write(seal, text)
}

/// Compares the tree `tree` with its seal.
pub(crate) fn look(tree: &Path, seal: &Path) -> Look {
    let Ok(text) = fs::read(seal) else { return Look::Unknown };
    // Cut off, it does not end as it should.
    if text.last().is_some_and(|&last| last != 0) || (text.is_empty() && !is_empty(tree)) {
        return Look::Unknown;
    }
    for line in text.split(|&byte| byte == 0).filter(|line| !line.is_empty()) {
        let mut parts = line.splitn(2, |&byte| byte == b' ');
        let (Some(sealed), Some(path)) = (parts.next(), parts.next()) else { return Look::Unknown };
        let path = Path::new(OsStr::from_bytes(path));
        let found = fs::symlink_metadata(tree.join(path));
        if found.map_or(true, |metadata| facts(&metadata).as_bytes() != sealed) {
            return Look::Changed(path.to_owned());
        }
    }
    Look::Intact
}

/// Compares every entry of `original` with that of the same name in `tree`, byte for byte, and returns the first that
/// is another one there.
pub(crate) fn first_difference(original: &Path, tree: &Path) -> io::Result<Option<PathBuf>> {
    for path in entries(original)? {
        if !is_same(&original.join(&path), &tree.join(&path))? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// What is compared: kind and mode, size, time. Folders change with what is added; their mode is theirs.
fn facts(metadata: &Metadata) -> String {
    if metadata.is_dir() {
        return format!("{:o}", metadata.mode());
    }
    format!("{:o},{},{}.{}", metadata.mode(), metadata.size(), metadata.mtime(), metadata.mtime_nsec())
}

/// All entries below `tree`, relative to it, never through a link. Without recursion: trees may be deep.
fn entries(tree: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(tree.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path.clone());
            }
            found.push(path);
        }
    }
    Ok(found)
}

fn is_empty(tree: &Path) -> bool {
    fs::read_dir(tree).is_ok_and(|mut entries| entries.next().is_none())
}

fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let Ok(found) = fs::symlink_metadata(other) else { return Ok(false) };
    let wanted = fs::symlink_metadata(one)?;
    if wanted.mode() != found.mode() {
        return Ok(false);
    }
    if wanted.is_dir() {
        return Ok(true);
    }
    if wanted.is_symlink() {
        return Ok(fs::read_link(one)? == fs::read_link(other)?);
    }
    if wanted.size() != found.size() {
        return Ok(false);
    }
    // An entry that cannot be read is none that was unpacked here.
    let Ok(mut other) = File::open(other) else { return Ok(false) };
    let mut one = File::open(one)?;
    let (mut wanted, mut found) = (vec![0; 64 * 1_024], vec![0; 64 * 1_024]);
    loop {
        let length = one.read(&mut wanted)?;
        if length == 0 {
            return Ok(true);
        }
        if other.read_exact(&mut found[..length]).is_err() || wanted[..length] != found[..length] {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use hearth_tests::Folder;

    use super::*;

    fn sealed() -> (Folder, PathBuf, PathBuf) {
        let folder = Folder::new();
        let (tree, seal) = (folder.path().join("tree"), folder.path().join("seal"));
        fs::create_dir_all(tree.join("a/b")).unwrap();
        fs::write(tree.join("a/b/c"), "content").unwrap();
        fs::write(tree.join("a name\nof two lines"), "").unwrap();
        symlink("a/b", tree.join("link")).unwrap();
        write(&tree, &seal).unwrap();
        assert_eq!(look(&tree, &seal), Look::Intact);
        (folder, tree, seal)
    }

    #[test]
    fn whatever_is_changed_removed_or_replaced_is_named() {
        type Change = fn(&Path);
        let changes: [(&str, Change); 5] = [
            ("a/b/c", |tree| fs::write(tree.join("a/b/c"), "CONTENT").unwrap()),
            ("a/b/c", |tree| fs::remove_file(tree.join("a/b/c")).unwrap()),
            ("link", |tree| {
                fs::remove_file(tree.join("link")).unwrap();
                symlink("a", tree.join("link")).unwrap();
            }),
            ("link", |tree| {
                fs::remove_file(tree.join("link")).unwrap();
                fs::create_dir(tree.join("link")).unwrap();
            }),
            ("a name\nof two lines", |tree| fs::write(tree.join("a name\nof two lines"), "x").unwrap()),
        ];
        for (path, change) in changes {
            let (_folder, tree, seal) = sealed();
            change(&tree);
            assert_eq!(look(&tree, &seal), Look::Changed(path.into()));
        }
    }

    #[test]
    fn what_is_added_is_no_change_and_a_seal_that_is_cut_off_says_nothing() {
        let (_folder, tree, seal) = sealed();
        fs::write(tree.join("a/compiled"), "x").unwrap();
        assert_eq!(look(&tree, &seal), Look::Intact);
        let text = fs::read(&seal).unwrap();
        for cut in [0, 1, text.len() - 1] {
            fs::write(&seal, &text[..cut]).unwrap();
            assert_eq!(look(&tree, &seal), Look::Unknown, "{cut}");
        }
        fs::remove_file(&seal).unwrap();
        assert_eq!(look(&tree, &seal), Look::Unknown);
    }

    #[test]
    fn content_decides_and_not_its_time() {
        let (_folder, tree, _) = sealed();
        let (_other_folder, other, _) = sealed();
        assert_eq!(first_difference(&tree, &other).unwrap(), None);
        fs::write(other.join("more"), "x").unwrap();
        assert_eq!(first_difference(&tree, &other).unwrap(), None);
        fs::write(other.join("a/b/c"), "cOntent").unwrap();
        assert_eq!(first_difference(&tree, &other).unwrap(), Some("a/b/c".into()));
    }
}
