//! Unpacking a zip into a new folder, believing nothing that it says.
//!
//! First all of the archive is read (`archive`) and its names are put together as a tree (`plan`): most of what is
//! refused is refused before anything is on disk. Then the tree is made, folder by folder, beneath the descriptor of
//! the new folder (`root`), each folder being opened once.

use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use fail::fail_point;
use hearth_types::limits::UNZIPPED_BYTES_MAX;
use nix::errno::Errno;

use crate::archive::{Archive, Entry, Kind};
use crate::content::Unpacker;
use crate::error::UnpackError;
use crate::plan::{Plan, stays_inside};
use crate::root::{Folder, Root};

/// Longest link target that Linux takes.
const LINK_BYTES_MAX: u64 = 4_095;

/// Unpacks `zip` into `folder`, which is empty and nobody else's. Returns the number of bytes.
///
/// What is there after an error is to be removed. Nothing is ever outside of `folder`, and never more than
/// [`UNZIPPED_BYTES_MAX`] is written.
pub fn unpack(zip: &[u8], folder: &Path) -> Result<u64, UnpackError> {
    let archive = Archive::read(zip)?;
    let plan = check(&archive)?;
    let root = Root::open(folder).map_err(|source| UnpackError::Write { path: folder.to_owned(), source })?;
    make(&plan, &root, folder)?;
    Ok(archive.unpacked_bytes())
}

/// Refuses what can be refused before anything is written.
fn check<'a>(archive: &'a Archive<'a>) -> Result<Plan<'a>, UnpackError> {
    // No entry becomes larger than it says (see `content`), so this is the limit of what is written. How well something
    // is packed needs no limit of its own then: zeros are, and are no attack.
    if archive.unpacked_bytes() > UNZIPPED_BYTES_MAX {
        return Err(UnpackError::TooLarge);
    }
    Plan::of(archive)
}

/// Makes the tree beneath `root`, whose path is `top`.
fn make(plan: &Plan<'_>, root: &Root, top: &Path) -> Result<(), UnpackError> {
    let mut unpacker = Unpacker::new();
    for planned in plan.folders() {
        let place = Place { top, below: &planned.path };
        let cannot_open = |source| place.cannot_write(b"", source);
        let folder = root.folder(&planned.path).map_err(cannot_open)?;
        folder.open_to_all().map_err(cannot_open)?;
        for (name, entry) in planned.children {
            match entry {
                None => folder.make_folder(name).map_err(|source| place.cannot_make(name, source))?,
                Some(entry) => make_entry(entry, name, &folder, place, &mut unpacker)?,
            }
        }
    }
    Ok(())
}

fn make_entry(
    entry: &Entry<'_>,
    name: &[u8],
    folder: &Folder,
    place: Place<'_>,
    unpacker: &mut Unpacker,
) -> Result<(), UnpackError> {
    let cannot_make = |source| place.cannot_make(name, source);
    let cannot_write = |source| place.cannot_write(name, source);
    fail_point!("code::unpack_entry", |_| Err(cannot_write(Errno::EIO.into())));
    match entry.kind {
        Kind::Folder => folder.make_folder(name).map_err(cannot_make),
        Kind::File { is_executable } => {
            let mut file = folder.make_file(name, is_executable).map_err(cannot_make)?;
            unpacker.unpack(entry, |piece| file.write_all(piece).map_err(cannot_write))
        }
        Kind::Link => {
            if entry.size > LINK_BYTES_MAX {
                return Err(entry.refused("is a link with a target that is too long"));
            }
            let mut target = Vec::new();
            unpacker.unpack(entry, |piece| {
                target.extend_from_slice(piece);
                Ok(())
            })?;
            if !stays_inside(place.below, &target) {
                return Err(entry.refused("is a link that leaves the package"));
            }
            folder.make_link(name, &target).map_err(cannot_make)
        }
    }
}

/// The folder that is being filled.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// For messages only.
    top: &'a Path,
    below: &'a [u8],
}

impl Place<'_> {
    /// Whose fault is it? Some file systems take two names for one, or do not take every name.
    fn cannot_make(&self, name: &[u8], source: io::Error) -> UnpackError {
        match source.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EEXIST | Errno::ENAMETOOLONG | Errno::EINVAL | Errno::EILSEQ) => {
                UnpackError::refused(name, "has a name that this file system cannot keep")
            }
            _ => self.cannot_write(name, source),
        }
    }

    fn cannot_write(&self, name: &[u8], source: io::Error) -> UnpackError {
        let path = self.top.join(OsStr::from_bytes(self.below)).join(OsStr::from_bytes(name));
        UnpackError::Write { path, source }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use hearth_tests::{Folder, RawEntry, RawZip};

    use super::*;
    use crate::root::Walk;

    fn unpack_by(walk: Walk, zip: &[u8], folder: &Path) -> Result<(), UnpackError> {
        let archive = Archive::read(zip)?;
        make(&check(&archive)?, &Root::open_with(folder, walk).unwrap(), folder)
    }

    #[test]
    fn a_kernel_without_openat2_makes_the_same_tree() {
        let zip = RawZip::of([
            RawEntry::stored("a/b/c/d", b"x"),
            RawEntry::link("a/link", "b/c"),
            RawEntry::stored("e", b"y"),
        ]);
        for walk in [Walk::Beneath, Walk::OneByOne] {
            let folder = Folder::new();
            unpack_by(walk, &zip.bytes(), folder.path()).unwrap();
            assert_eq!(fs::read(folder.path().join("a/link/d")).unwrap(), b"x", "{walk:?}");
            assert_eq!(fs::read(folder.path().join("e")).unwrap(), b"y", "{walk:?}");
        }
    }

    #[test]
    fn what_somebody_has_put_in_the_way_is_neither_used_nor_changed() {
        let zip = RawZip::of([RawEntry::stored("a/b", b"x"), RawEntry::stored("c", b"x")]).bytes();
        for walk in [Walk::Beneath, Walk::OneByOne] {
            for planted in ["a", "c"] {
                let (folder, outside) = (Folder::new(), Folder::new());
                symlink(outside.path().join("new"), folder.path().join(planted)).unwrap();
                let error = unpack_by(walk, &zip, folder.path()).unwrap_err();
                assert!(matches!(error, UnpackError::Refused { .. }), "{walk:?} {planted} {error}");
                assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0, "{walk:?} {planted}");
            }
        }
    }
}
