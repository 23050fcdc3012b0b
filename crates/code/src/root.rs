//! Making files, folders and links beneath a folder, and nowhere else.
//!
//! A path is resolved once, by the kernel, from a descriptor of the folder on top, and never through a link. What is
//! made there is named by one component, relative to the descriptor that came out of it.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat, openat2};
use nix::sys::stat::{Mode, fchmod, fstat, mkdirat};
use nix::unistd::symlinkat;

/// A folder that is opened, and never a link.
const FOLDER: OFlag =
    OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// Everybody may look into folders.
const FOLDER_MODE: Mode = Mode::from_bits_truncate(0o755);

/// The folder on top.
pub(crate) struct Root {
    fd: OwnedFd,
    walk: Walk,
}

/// How folders below are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Walk {
    /// By `openat2`, which does not leave the root and follows no link. Linux 5.6.
    Beneath,
    /// Component by component, none of them a link.
    OneByOne,
}

impl Root {
    /// Opens the folder on top.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut root = Self { fd: open(path, FOLDER, Mode::empty())?, walk: Walk::Beneath };
        match root.folder(b"") {
            Ok(_) => Ok(root),
            // An old kernel; a filter of system calls that does not know it.
            Err(error)
                if [Errno::ENOSYS, Errno::EPERM]
                    .map(|errno| Some(errno as i32))
                    .contains(&error.raw_os_error()) =>
            {
                tracing::debug!("openat2 is missing; folders of packages are opened one by one");
                root.walk = Walk::OneByOne;
                Ok(root)
            }
            Err(error) => Err(error),
        }
    }

    /// Opens the folder on top for a way of walking.
    #[cfg(test)]
    pub(crate) fn open_with(path: &Path, walk: Walk) -> io::Result<Self> {
        Ok(Self { fd: open(path, FOLDER, Mode::empty())?, walk })
    }

    /// Opens a folder below by its path, which is empty for the root itself.
    pub(crate) fn folder(&self, path: &[u8]) -> io::Result<Folder> {
        match self.walk {
            Walk::Beneath => {
                let path = if path.is_empty() { b"." } else { path };
                let resolve = ResolveFlag::RESOLVE_BENEATH
                    | ResolveFlag::RESOLVE_NO_SYMLINKS
                    | ResolveFlag::RESOLVE_NO_MAGICLINKS
                    | ResolveFlag::RESOLVE_NO_XDEV;
                Ok(Folder(openat2(&self.fd, path, OpenHow::new().flags(FOLDER).resolve(resolve))?))
            }
            Walk::OneByOne => {
                let mut folder = self.fd.try_clone()?;
                for component in path.split(|&byte| byte == b'/').filter(|component| !component.is_empty()) {
                    if component == b".." {
                        return Err(Errno::EXDEV.into());
                    }
                    folder = openat(&folder, component, FOLDER, Mode::empty())?;
                }
                Ok(Folder(folder))
            }
        }
    }
}

/// A folder at or below the root.
pub(crate) struct Folder(OwnedFd);

impl Folder {
    /// Lets everybody see what is in it.
    pub(crate) fn open_to_all(&self) -> io::Result<()> {
        set_mode(&self.0, FOLDER_MODE)
    }

    /// Makes a folder in it.
    pub(crate) fn make_folder(&self, name: &[u8]) -> io::Result<()> {
        Ok(mkdirat(&self.0, name, FOLDER_MODE)?)
    }

    /// Makes a file in it, to write to: everybody may read it, as functions of AWS need, and run it, if it is a program;
    /// nobody may write it once it is closed, and no set-user-id bit comes out of an archive.
    pub(crate) fn make_file(&self, name: &[u8], is_executable: bool) -> io::Result<File> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mode = Mode::from_bits_truncate(if is_executable { 0o555 } else { 0o444 });
        let file = openat(&self.0, name, flags, mode)?;
        set_mode(&file, mode)?;
        Ok(file.into())
    }

    /// Makes a link in it.
    pub(crate) fn make_link(&self, name: &[u8], target: &[u8]) -> io::Result<()> {
        Ok(symlinkat(target, &self.0, name)?)
    }
}

/// Gives what was just made its mode, if the file mode creation mask of the server has taken something away. To look
/// is cheaper than to set it.
fn set_mode(made: &OwnedFd, mode: Mode) -> io::Result<()> {
    if fstat(made)?.st_mode & 0o7777 != mode.bits() {
        fchmod(made, mode)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn no_way_leads_through_a_link_or_out_of_the_root() {
        let top = hearth_tests::Folder::new();
        let path = top.path().join("root");
        fs::create_dir_all(path.join("a/b")).unwrap();
        fs::create_dir_all(top.path().join("outside")).unwrap();
        symlink("a", path.join("inside")).unwrap();
        symlink(top.path().join("outside"), path.join("out")).unwrap();
        symlink("../../..", path.join("a/b/up")).unwrap();
        for walk in [Walk::Beneath, Walk::OneByOne] {
            let root = Root::open_with(&path, walk).unwrap();
            for good in ["", "a", "a/b"] {
                assert!(root.folder(good.as_bytes()).is_ok(), "{walk:?} {good}");
            }
            for bad in ["inside", "inside/b", "out", "..", "a/../../outside", "a/b/up", "a/b/up/a", "none"] {
                assert!(root.folder(bad.as_bytes()).is_err(), "{walk:?} {bad}");
            }
            let folder = root.folder(b"a").unwrap();
            symlink("../../outside/new", path.join("a/planted")).unwrap();
            assert!(folder.make_file(b"planted", false).is_err(), "{walk:?}");
            assert!(folder.make_folder(b"planted").is_err(), "{walk:?}");
            assert!(folder.make_link(b"planted", b"b").is_err(), "{walk:?}");
            fs::remove_file(path.join("a/planted")).unwrap();
        }
        assert_eq!(fs::read_dir(top.path().join("outside")).unwrap().count(), 0);
        assert!(Root::open(&path.join("inside")).is_err(), "the root itself is no link");
    }
}
