//! Connections between a test and its functions, whatever walls are between them.
//!
//! A function behind walls reaches nothing of its host. But what it listens at, in its own `/tmp`, can be reached by a
//! test that may look into the processes of its servers: through `/proc/PID/root`. So functions listen (`link.py`), and the
//! test connects.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use crate::processes::processes_of_this_test;
use crate::wait::pause;

/// Looks for connections until it is dropped.
#[derive(Debug)]
pub(crate) struct Links {
    number: u64,
    dropped: Arc<AtomicBool>,
}

impl Links {
    /// Hands every connection that is made with its number to `connected`.
    pub(crate) fn new(connected: impl FnMut(UnixStream) + Send + 'static) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        // Functions without walls have one `/tmp` for all.
        let number = u64::from(std::process::id()) << 20 | COUNT.fetch_add(1, Ordering::Relaxed);
        let dropped = Arc::new(AtomicBool::new(false));
        let is_dropped = Arc::clone(&dropped);
        thread::spawn(move || look(&format!("hearth-link-{number}-"), connected, &is_dropped));
        Self { number, dropped }
    }

    /// Returns what functions call it by.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        self.dropped.store(true, Ordering::Relaxed);
    }
}

fn look(prefix: &str, mut connected: impl FnMut(UnixStream), is_dropped: &AtomicBool) {
    // By name, which is chance: numbers of files and of file systems are given again.
    let mut seen = HashSet::new();
    while !is_dropped.load(Ordering::Relaxed) {
        let mut folders = HashSet::new();
        for process in processes_of_this_test() {
            let folder = format!("/proc/{process}/root/tmp");
            let Ok(metadata) = fs::metadata(&folder) else { continue };
            if !folders.insert((metadata.dev(), metadata.ino())) {
                continue; // of a process of the same environment
            }
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let is_link = entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix));
                if !is_link || seen.contains(&entry.file_name()) {
                    continue;
                }
                // Between its making and its listening nobody can connect.
                if let Ok(stream) = UnixStream::connect(Path::new(&folder).join(entry.file_name())) {
                    let _ = fs::remove_file(entry.path());
                    seen.insert(entry.file_name());
                    connected(stream);
                }
            }
        }
        pause();
    }
}
