//! Removing a tree, however deep and wide it is, and whatever somebody has made of it.
//!
//! In mode `process`, functions can write where their code is. So a tree may be deeper than descriptors and the stack
//! reach, its folders may be closed to us, and a link in it may point anywhere.

use std::ffi::CString;
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, fstat};
use nix::unistd::{UnlinkatFlags, unlinkat};

/// A folder itself, not where a link leads. Works without the right to read it.
const PLACE: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// A folder to read and write.
const FOLDER: OFlag = OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

/// Removes `path` and all below it. Never follows a link.
///
/// Only the folder that is being emptied is open. From there it goes down by name, and up by `..`, which must be where it
/// came from.
pub(crate) fn remove_tree(path: &Path) -> io::Result<()> {
    let mut folder = match open(path, PLACE, Mode::empty()) {
        Ok(top) => writable(&top)?,
        Err(Errno::ENOTDIR | Errno::ELOOP) => return fs::remove_file(path),
        Err(error) => return Err(error.into()),
    };
    let mut above = Vec::new();
    let mut level = Level::of(&folder, CString::default())?;
    loop {
        if let Some(name) = level.folders.pop() {
            folder = writable(&openat(&folder, name.as_c_str(), PLACE, Mode::empty())?)?;
            above.push(std::mem::replace(&mut level, Level::of(&folder, name)?));
            continue;
        }
        let Some(parent) = above.pop() else { return fs::remove_dir(path) };
        folder = openat(&folder, c"..", FOLDER, Mode::empty())?;
        if identity(&folder)? != parent.identity {
            return Err(Errno::ESTALE.into()); // somebody has moved it meanwhile
        }
        unlinkat(&folder, level.name.as_c_str(), UnlinkatFlags::RemoveDir)?;
        level = parent;
    }
}

/// A folder that is being removed.
struct Level {
    /// Device and inode.
    identity: (u64, u64),
    name: CString,
    /// Those in it that are still to be removed.
    folders: Vec<CString>,
}

impl Level {
    fn of(folder: &OwnedFd, name: CString) -> io::Result<Self> {
        Ok(Self { identity: identity(folder)?, name, folders: remove_all_but_folders(folder)? })
    }
}

fn identity(folder: &OwnedFd) -> io::Result<(u64, u64)> {
    let stat = fstat(folder)?;
    Ok((stat.st_dev, stat.st_ino))
}

/// Removes everything in a folder but folders that are not empty, and returns those.
fn remove_all_but_folders(folder: &OwnedFd) -> io::Result<Vec<CString>> {
    let mut left = Vec::new();
    for entry in Dir::from_fd(folder.try_clone()?)?.iter() {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        match unlinkat(folder, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) => continue,
            Err(Errno::EISDIR | Errno::EPERM) => {}
            Err(error) => return Err(error.into()),
        }
        match unlinkat(folder, name, UnlinkatFlags::RemoveDir) {
            Ok(()) => {}
            Err(Errno::ENOTEMPTY | Errno::EEXIST) => left.push(name.to_owned()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(left)
}

/// Opens a folder of which only the place is known, for reading and writing, if it has to be with force.
fn writable(place: &OwnedFd) -> io::Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", place.as_raw_fd());
    // Without `/proc` it is as it is, and what follows may still succeed.
    let _ = fs::set_permissions(&path, Permissions::from_mode(0o700));
    Ok(openat(place, c".", FOLDER, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use nix::sys::stat::mkdirat;

    use super::*;

    #[test]
    fn case_027_a_tree_of_any_depth_and_width_is_removed_and_nothing_else() {
        let top = hearth_tests::Folder::new();
        let (tree, outside) = (top.path().join("tree"), top.path().join("outside"));
        fs::create_dir_all(tree.join("wide")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("kept"), "kept").unwrap();
        // Deeper than a path can say, and than descriptors go.
        let mut folder = open(&tree, PLACE, Mode::empty()).unwrap();
        for depth in 0..2_100 {
            mkdirat(&folder, "d", Mode::S_IRWXU).unwrap();
            if depth % 100 == 0 {
                nix::unistd::symlinkat(&outside, &folder, "link").unwrap();
            }
            folder = openat(&folder, "d", PLACE, Mode::empty()).unwrap();
        }
        for number in 0..50 {
            let below = tree.join(format!("wide/{number}/below"));
            fs::create_dir_all(&below).unwrap();
            fs::write(below.join("file\n"), "x").unwrap();
            symlink("/", below.join("root")).unwrap();
            fs::set_permissions(&below, Permissions::from_mode(0o000)).unwrap();
            fs::set_permissions(below.parent().unwrap(), Permissions::from_mode(0o555)).unwrap();
        }
        symlink(&outside, top.path().join("link")).unwrap();
        remove_tree(&tree).unwrap();
        remove_tree(&top.path().join("link")).unwrap();
        assert_eq!(fs::read_dir(top.path()).unwrap().count(), 1);
        assert_eq!(fs::read(outside.join("kept")).unwrap(), b"kept");
        let missing = remove_tree(&tree).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }
}
