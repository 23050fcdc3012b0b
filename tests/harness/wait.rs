//! Waiting for conditions, never for a time; and folders that go away with the test.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long a condition may take that is expected soon. Generous: it is only ever waited out by a failing test.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Waits until `condition` gives something, and returns it.
///
/// # Panics
/// When that takes longer than [`LIMIT`].
pub fn eventually<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    within(LIMIT, what, condition)
}

/// Waits until `condition` gives something, but not longer than `limit`.
///
/// # Panics
/// When it takes longer.
pub fn within<T>(limit: Duration, what: &str, condition: impl FnMut() -> Option<T>) -> T {
    try_within(limit, condition).unwrap_or_else(|| panic!("not within {limit:?}: {what}"))
}

/// Waits until `condition` gives something, and returns `None` when it takes longer than `limit`.
pub fn try_within<T>(limit: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        let value = condition();
        if value.is_some() || Instant::now() > deadline {
            return value;
        }
        pause();
    }
}

/// The one pause of all tests, between two looks at something that has no way to wake us.
pub(crate) fn pause() {
    thread::sleep(Duration::from_millis(10));
}

/// Returns the root of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A new folder that is removed when dropped.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes a folder.
    pub fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("hearth-test-{}-{count}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file into it and returns where that is.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Unpacked packages are read-only trees; removing one needs the right to write its folders.
        make_writable(&self.0);
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("cannot remove `{}`: {error}", self.0.display());
        }
    }
}

fn make_writable(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let Ok(entries) = fs::read_dir(folder) else { return };
    let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o755));
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_writable(&entry.path());
        }
    }
}
