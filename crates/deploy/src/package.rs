//! Deployment packages: a folder becomes the same zip every time, so that what has not changed is seen not to have.

use std::fs;
use std::io::{self, Cursor, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::stack::Code;

/// Largest sum of the files of a folder. Source: Lambda quotas, unzipped package, read 2026-11.
const UNZIPPED_BYTES_MAX: u64 = 262_144_000;
/// Largest package. Source: Lambda quotas, zipped and sent directly, read 2026-11.
const ZIPPED_BYTES_MAX: u64 = 52_428_800;
/// How deep folders may be: deeper ones are links that lead around.
const DEPTH_MAX: usize = 64;

/// Why a package cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The file system said no.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// What was read.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// There is no file in it.
    #[error("`{}` is an empty folder", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// It is too large for Lambda.
    #[error("`{}` is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The folder or file.
        path: PathBuf,
        /// How large it may be.
        limit: u64,
    },
    /// Not a file, not a folder; or links that lead around; or a name that no zip can have.
    #[error("`{}` cannot be in a package", path.display())]
    Strange {
        /// What it is about.
        path: PathBuf,
    },
    /// The zip could not be written.
    #[error("cannot make a zip of `{}`", path.display())]
    Zip {
        /// The folder or file.
        path: PathBuf,
        /// Why not.
        source: zip::result::ZipError,
    },
}

/// Makes the package of `code`: a zip as it is, anything else zipped.
///
/// The zip depends on nothing but the names, contents and permissions of the files: entries are in the order of their names,
/// and as old as zips can be.
///
/// # Errors
/// When it cannot be read or is too large.
pub fn package(code: &Code) -> Result<Vec<u8>, PackageError> {
    let (path, files) = match code {
        Code::Inline { file_name, text } => {
            let path = PathBuf::from(file_name);
            return zip(&path, vec![((*file_name).to_owned(), 0o644, Content::Text(text))]);
        }
        // Whoever asks the server has it: nothing is made of it here.
        Code::Bucket { bucket, key, .. } => {
            return Err(PackageError::Strange { path: PathBuf::from(format!("s3://{bucket}/{key}")) });
        }
        Code::Path { path, .. } => {
            let read = |source| PackageError::Read { path: path.clone(), source };
            let metadata = fs::metadata(path).map_err(read)?;
            if metadata.is_file() {
                if metadata.len() > ZIPPED_BYTES_MAX {
                    return Err(PackageError::TooLarge { path: path.clone(), limit: ZIPPED_BYTES_MAX });
                }
                let content = fs::read(path).map_err(read)?;
                if content.starts_with(b"PK\x03\x04") {
                    return Ok(content);
                }
                let name = path.file_name().and_then(|name| name.to_str());
                let name = name.ok_or_else(|| PackageError::Strange { path: path.clone() })?.to_owned();
                (path, vec![(name, mode(&metadata), Content::File(path.clone()))])
            } else if metadata.is_dir() {
                let mut files = Vec::new();
                let mut bytes = 0;
                walk(path, "", 0, &mut bytes, &mut files)?;
                if files.is_empty() {
                    return Err(PackageError::Empty { path: path.clone() });
                }
                (path, files)
            } else {
                return Err(PackageError::Strange { path: path.clone() });
            }
        }
    };
    zip(path, files)
}

enum Content<'code> {
    Text(&'code str),
    File(PathBuf),
}

/// Everybody may read what is in a package, and run what its owner may run: functions have a user of their own.
fn mode(metadata: &fs::Metadata) -> u32 {
    if metadata.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 }
}

/// Finds the files beneath a folder. Links are followed, as by the AWS CLI.
fn walk<'code>(
    folder: &Path,
    prefix: &str,
    depth: usize,
    bytes: &mut u64,
    files: &mut Vec<(String, u32, Content<'code>)>,
) -> Result<(), PackageError> {
    if depth > DEPTH_MAX {
        return Err(PackageError::Strange { path: folder.to_owned() });
    }
    let read = |path: &Path, source| PackageError::Read { path: path.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(|source| read(folder, source))? {
        let path = entry.map_err(|source| read(folder, source))?.path();
        let strange = || PackageError::Strange { path: path.clone() };
        let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(strange)?;
        let name = format!("{prefix}{name}");
        let metadata = fs::metadata(&path).map_err(|source| read(&path, source))?;
        if metadata.is_dir() {
            walk(&path, &format!("{name}/"), depth + 1, bytes, files)?;
        } else if metadata.is_file() {
            *bytes += metadata.len();
            if *bytes > UNZIPPED_BYTES_MAX {
                return Err(PackageError::TooLarge { path: folder.to_owned(), limit: UNZIPPED_BYTES_MAX });
            }
            files.push((name, mode(&metadata), Content::File(path)));
        } else {
            return Err(strange());
        }
    }
    Ok(())
}

fn zip(path: &Path, mut files: Vec<(String, u32, Content<'_>)>) -> Result<Vec<u8>, PackageError> {
    files.sort_by(|(left, ..), (right, ..)| left.cmp(right));
    let failed = |source| PackageError::Zip { path: path.to_owned(), source };
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, mode, content) in files {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(6))
            .last_modified_time(DateTime::default())
            .unix_permissions(mode);
        zip.start_file(name, options).map_err(failed)?;
        let write = |source: io::Error| failed(source.into());
        match content {
            Content::Text(text) => zip.write_all(text.as_bytes()).map_err(write)?,
            Content::File(file) => {
                let read = |source| PackageError::Read { path: file.clone(), source };
                let mut opened = fs::File::open(&file).map_err(read)?;
                io::copy(&mut opened, &mut zip).map_err(read)?;
            }
        }
    }
    let zip = zip.finish().map_err(failed)?.into_inner();
    if zip.len() as u64 > ZIPPED_BYTES_MAX {
        return Err(PackageError::TooLarge { path: path.to_owned(), limit: ZIPPED_BYTES_MAX });
    }
    Ok(zip)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn of(path: &Path) -> Result<Vec<u8>, PackageError> {
        package(&Code::Path { path: path.to_owned(), line: 1 })
    }

    #[test]
    fn a_folder_becomes_the_same_zip_whenever_and_wherever_it_is_made() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        for (folder, names) in folders.iter().zip([["b/x.py", "a.py"], ["a.py", "b/x.py"]]) {
            fs::create_dir(folder.path().join("b")).unwrap();
            for name in names {
                fs::write(folder.path().join(name), name).unwrap();
            }
        }
        let old = fs::File::open(folders[0].path().join("a.py")).unwrap();
        old.set_modified(std::time::UNIX_EPOCH).unwrap();
        let zip = of(folders[0].path()).unwrap();
        assert_eq!(zip, of(folders[1].path()).unwrap());
        let mut archive = zip::ZipArchive::new(Cursor::new(&zip)).unwrap();
        assert_eq!(archive.file_names().map(Result::unwrap).collect::<Vec<_>>(), ["a.py", "b/x.py"]);
        assert_eq!(archive.by_index(0).unwrap().unix_mode().unwrap() & 0o777, 0o644);

        let program = folders[1].path().join("a.py");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        assert_ne!(zip, of(folders[1].path()).unwrap(), "permissions are part of a package");
    }

    #[test]
    fn a_zip_is_taken_as_it_is_and_a_file_is_zipped() {
        let folder = tempfile::tempdir().unwrap();
        let inner = package(&Code::Inline { file_name: "index.py", text: "x".to_owned() }).unwrap();
        let path = folder.path().join("made.zip");
        fs::write(&path, &inner).unwrap();
        assert_eq!(of(&path).unwrap(), inner);
        let path = folder.path().join("index.py");
        fs::write(&path, "x").unwrap();
        assert_eq!(of(&path).unwrap(), inner);
    }

    #[test]
    fn what_cannot_be_a_package_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let error = |path: &Path| of(path).unwrap_err().to_string();
        assert!(error(folder.path()).ends_with("is an empty folder"));
        assert!(error(&folder.path().join("nowhere")).starts_with("cannot read"));
        symlink(folder.path(), folder.path().join("around")).unwrap();
        let around = error(folder.path());
        assert!(around.contains("around/around"), "{around}");
    }
}
