//! Files that functions and extensions write, in the `/tmp` of their environment.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::processes::processes_of_this_test;

/// A file that a test reads and somebody in an environment writes. What it was told is there to be read as long as the
/// test looked before the environment ended.
#[derive(Debug)]
pub struct FileInside {
    path: String,
    found: Mutex<Option<File>>,
}

impl FileInside {
    /// Takes a name that nobody else has.
    pub fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // Functions without walls have one `/tmp` for all.
        let path = format!("/tmp/hearth-inside-{}-{count}", std::process::id());
        Self { path, found: Mutex::new(None) }
    }

    /// Returns where it is to be written.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns what is in it: of the first environment of this test that has one.
    pub fn text(&self) -> String {
        let mut found = self.found.lock().unwrap();
        if found.is_none() {
            let processes = processes_of_this_test();
            *found = processes.iter().find_map(|id| File::open(format!("/proc/{id}/root{}", self.path)).ok());
        }
        let Some(file) = found.as_mut() else { return String::new() };
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        text
    }
}

impl Default for FileInside {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for FileInside {
    fn drop(&mut self) {
        // Without walls it is still there.
        let _ = fs::remove_file(&self.path);
    }
}
