//! Reading and writing the small files of a group.

use std::fs::{self, File, OpenOptions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::error::CgroupError;

/// A file that stays open, because opening costs more than reading.
#[derive(Debug)]
pub(super) struct OpenFile {
    file: File,
    path: PathBuf,
}

impl OpenFile {
    pub(super) fn to_read(path: PathBuf) -> Result<Self, CgroupError> {
        let file = File::open(&path).map_err(CgroupError::io("open", &path))?;
        Ok(Self { file, path })
    }

    pub(super) fn to_write(path: PathBuf) -> Result<Self, CgroupError> {
        let file = OpenOptions::new().write(true).open(&path).map_err(CgroupError::io("open", &path))?;
        Ok(Self { file, path })
    }

    pub(super) fn both(path: PathBuf) -> Result<Self, CgroupError> {
        let file =
            OpenOptions::new().read(true).write(true).open(&path).map_err(CgroupError::io("open", &path))?;
        Ok(Self { file, path })
    }

    /// Returns a descriptor of its own for another process.
    pub(super) fn to_hand_on(&self) -> Result<OwnedFd, CgroupError> {
        self.file.try_clone().map(OwnedFd::from).map_err(CgroupError::io("open", &self.path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes all of `text` in one call, as the kernel wants it.
    pub(super) fn write(&self, text: &str) -> Result<(), CgroupError> {
        self.file.write_all_at(text.as_bytes(), 0).map_err(CgroupError::io("write", &self.path))
    }

    /// Reads the file from its beginning; what is beyond 1 KB does not matter in any file that is kept open.
    pub(super) fn read(&self) -> Result<String, CgroupError> {
        let mut bytes = [0; 1_024];
        let length = self.file.read_at(&mut bytes, 0).map_err(CgroupError::io("read", &self.path))?;
        Ok(String::from_utf8_lossy(&bytes[..length]).into_owned())
    }

    /// Reads a file that holds one number.
    pub(super) fn number(&self) -> Result<u64, CgroupError> {
        let text = self.read()?;
        text.trim().parse().map_err(|_| CgroupError::content(&self.path, "a number", &text))
    }

    /// Reads a line `key number`.
    pub(super) fn keyed(&self, key: &str, expected: &'static str) -> Result<u64, CgroupError> {
        let text = self.read()?;
        keyed_number(&text, key).ok_or_else(|| CgroupError::content(&self.path, expected, &text))
    }
}

/// Returns the number in a line `key number`.
pub(crate) fn keyed_number(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

/// Writes a setting; never makes a file.
pub(super) fn set(group: &Path, file: &str, value: &str) -> Result<(), CgroupError> {
    OpenFile::to_write(group.join(file))?.write(value)
}

/// Returns the processes of a group, not of those below it.
pub(super) fn processes_of(group: &Path) -> Result<Vec<i32>, CgroupError> {
    let path = group.join("cgroup.procs");
    let text = fs::read_to_string(&path).map_err(CgroupError::io("read", &path))?;
    Ok(text.lines().filter_map(|line| line.trim().parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyed_number_is_that_of_the_whole_key() {
        let text = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\nodd\noom x\n";
        assert_eq!(keyed_number(text, "oom_kill"), Some(3));
        assert_eq!(keyed_number(text, "oom"), None);
        assert_eq!(keyed_number(text, "odd"), None);
        assert_eq!(keyed_number("", "oom_kill"), None);
    }
}
