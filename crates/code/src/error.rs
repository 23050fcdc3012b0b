//! Why a zip is refused.

use std::io;
use std::path::PathBuf;

use hearth_types::limits::UNZIPPED_BYTES_MAX;

/// Most files, folders and links of a package, folders that names imply included. Ours: each costs an inode.
pub(crate) const ENTRIES_MAX: usize = 250_000;

/// How much of an entry's name an error shows. A name may be 65,535 bytes long.
const SHOWN_NAME_BYTES_MAX: usize = 120;

/// Why a zip is refused. All but [`UnpackError::Write`] are the fault of whoever made it.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It is no zip, it is damaged, or it has parts that we do not read.
    #[error("it is no zip archive that can be read: {problem}")]
    NoArchive {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// An entry is damaged, would leave the folder, or is not a file, folder or link.
    #[error("the entry `{name}` {problem}")]
    Refused {
        /// Which entry, escaped and shortened.
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

impl UnpackError {
    pub(crate) fn no_archive(problem: &'static str) -> Self {
        Self::NoArchive { problem }
    }

    pub(crate) fn refused(name: &[u8], problem: &'static str) -> Self {
        let shown = &name[..name.len().min(SHOWN_NAME_BYTES_MAX)];
        let dots = if shown.len() < name.len() { "…" } else { "" };
        Self::Refused { name: format!("{}{dots}", shown.escape_ascii()), problem }
    }
}
