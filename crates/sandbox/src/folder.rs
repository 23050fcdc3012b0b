//! The folders of environments on the host: one each, removed with it, and those of an earlier server at the start.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use hearth_types::EnvironmentId;

use crate::SandboxError;

/// How long a server that was killed may take to end; it is a matter of milliseconds.
const KILLED_SERVER_ENDS_WITHIN: Duration = Duration::from_secs(1);
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(5);

/// Where environments have their folders.
pub(crate) struct Folders {
    folder: PathBuf,
    left_over: usize,
}

impl Folders {
    /// Makes `folder`, empty: what an earlier server left in it is removed.
    pub(crate) fn start(folder: &Path) -> Result<Self, SandboxError> {
        let prepare = |source| SandboxError::Prepare { what: "its folder", source };
        let left_over = fs::read_dir(folder).map_or(0, Iterator::count);
        remove_left_over(folder).map_err(prepare)?;
        fs::create_dir_all(folder).map_err(prepare)?;
        Ok(Self { folder: folder.to_owned(), left_over })
    }

    /// Returns how many environments of an earlier server had left theirs behind.
    pub(crate) fn left_over(&self) -> usize {
        self.left_over
    }

    /// Makes the folder of an environment.
    pub(crate) fn make(&self, environment: EnvironmentId) -> Result<Folder, SandboxError> {
        let folder = Folder(self.folder.join(environment.to_string()));
        fs::create_dir_all(&folder.0).map_err(not_made)?;
        fail::fail_point!("sandbox::folder");
        Ok(folder)
    }
}

/// Removes what an earlier server left. One that was killed just now may still be in the middle of making a file.
fn remove_left_over(folder: &Path) -> io::Result<()> {
    let deadline = Instant::now() + KILLED_SERVER_ENDS_WITHIN;
    loop {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty && Instant::now() < deadline => {
                thread::sleep(LOOK_AGAIN_AFTER);
            }
            removed => return removed,
        }
    }
}

/// The folder of an environment. Dropping it removes it.
pub(crate) struct Folder(PathBuf);

fn not_made(source: io::Error) -> SandboxError {
    SandboxError::Prepare { what: "a folder of an environment", source }
}

impl Folder {
    /// Makes a folder in it.
    pub(crate) fn add(&self, name: &str) -> Result<(), SandboxError> {
        fs::create_dir(self.join(name)).map_err(not_made)
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A function may have left many files; removing them is no work for an async thread. What cannot be removed
        // now, because the tree is just being killed, goes with the next start of the server.
        let folder = std::mem::take(&mut self.0);
        let remove = move || {
            fail::fail_point!("sandbox::remove");
            if let Err(error) = fs::remove_dir_all(&folder) {
                tracing::warn!(folder = %folder.display(), %error, "cannot remove an environment's files");
            }
        };
        off_the_async_threads(remove);
    }
}

/// Does what may take a while where no async thread waits for it.
pub(crate) fn off_the_async_threads(work: impl FnOnce() + Send + 'static) {
    match tokio::runtime::Handle::try_current() {
        Ok(tokio) => drop(tokio.spawn_blocking(work)),
        Err(_) => work(),
    }
}
