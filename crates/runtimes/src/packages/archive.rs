//! Archives of runtime packages: a zip of regular files, written and read as a stream.
//!
//! They are made here and checked by digest before they are read, so nothing in one can surprise us; whatever is not a
//! regular file inside the tree is refused all the same.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::manifest::{Archive, sha256_of};

/// Fast rather than small: level 6 makes the archive of Node.js 22 some 8 % smaller in three times the time.
const COMPRESSION_LEVEL: i64 = 1;

/// Packs the files of `tree` into `target`, durably, and says what came out. Empty folders are left out.
pub(crate) fn pack(tree: &Path, target: &Path) -> io::Result<Archive> {
    let mut zip = ZipWriter::new(BufWriter::new(File::create_new(target)?));
    let mut files = Vec::new();
    list(tree, Path::new(""), &mut files)?;
    // In an order of its own, and without times: the same files make the same archive.
    files.sort();
    for name in files {
        let path = tree.join(&name);
        let metadata = fs::metadata(&path)?;
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(COMPRESSION_LEVEL))
            .last_modified_time(zip::DateTime::default())
            .large_file(metadata.len() > u64::from(u32::MAX))
            .unix_permissions(metadata.permissions().mode() & 0o777);
        let name = name.to_str().ok_or_else(|| other(format!("`{}` is no text", path.display())))?;
        zip.start_file(name, options).map_err(io::Error::other)?;
        io::copy(&mut File::open(&path)?, &mut zip)?;
    }
    let mut file = zip.finish().map_err(io::Error::other)?;
    file.flush()?;
    let size = file.get_ref().metadata()?.len();
    file.get_ref().sync_all()?;
    Ok(Archive { sha256: sha256_of(target)?, size })
}

/// Unpacks an archive into a new folder.
pub(crate) fn unpack(archive: &Path, tree: &Path) -> io::Result<()> {
    let mut zip = ZipArchive::new(io::BufReader::new(File::open(archive)?)).map_err(io::Error::other)?;
    fs::create_dir(tree)?;
    for at in 0..zip.len() {
        let mut entry = zip.by_index(at).map_err(io::Error::other)?;
        let name = entry.enclosed_name().filter(|_| entry.is_file());
        let name = name.ok_or_else(|| other(format!("entry {at} does not belong into a package")))?;
        let path = tree.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        // Functions are other users, whatever mask the server or who packed it may have.
        let is_executable = entry.unix_mode().unwrap_or(0o644) & 0o111 != 0;
        file.set_permissions(Permissions::from_mode(if is_executable { 0o755 } else { 0o644 }))?;
        io::copy(&mut entry, &mut file)?;
    }
    open_to_all(tree)
}

/// Lets everybody look into a folder and those below.
fn open_to_all(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_to_all(&entry.path())?;
        }
    }
    Ok(())
}

fn list(tree: &Path, below: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(tree.join(below))? {
        let entry = entry?;
        let name = below.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            list(tree, &name, files)?;
        } else if kind.is_file() {
            files.push(name);
        } else {
            return Err(other(format!("`{}` is neither a file nor a folder", entry.path().display())));
        }
    }
    Ok(())
}

fn other(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_comes_out_of_its_archive_as_it_went_in_and_equal_trees_make_equal_archives() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        for tree in ["one", "two"] {
            let tree = folder.join(tree);
            fs::create_dir_all(tree.join("bin")).unwrap();
            fs::write(tree.join("bin/node"), "program").unwrap();
            fs::set_permissions(tree.join("bin/node"), Permissions::from_mode(0o755)).unwrap();
            fs::write(tree.join("text"), "").unwrap();
            // What the mask of who installed it has taken away.
            fs::set_permissions(tree.join("text"), Permissions::from_mode(0o600)).unwrap();
        }
        let archive = pack(&folder.join("one"), &folder.join("one.zip")).unwrap();
        assert_eq!(archive, pack(&folder.join("two"), &folder.join("two.zip")).unwrap());

        let out = folder.join("out");
        unpack(&folder.join("one.zip"), &out).unwrap();
        assert_eq!(fs::read_to_string(out.join("bin/node")).unwrap(), "program");
        for (name, mode) in [("", 0o755), ("bin", 0o755), ("bin/node", 0o755), ("text", 0o644)] {
            let there = fs::metadata(out.join(name)).unwrap().permissions().mode() & 0o777;
            assert_eq!(there, mode, "{name}");
        }
        assert_eq!(fs::read_to_string(out.join("text")).unwrap(), "");
    }

    #[test]
    fn what_is_no_file_and_no_folder_is_not_packed() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        fs::create_dir(&tree).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", tree.join("link")).unwrap();
        let error = pack(&tree, &folder.path().join("zip")).unwrap_err();
        assert!(error.to_string().contains("link` is neither a file nor a folder"), "{error}");
    }
}
