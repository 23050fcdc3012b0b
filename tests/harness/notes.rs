//! What functions and extensions tell a test as they go, outside of the log.

use std::io::{BufRead as _, BufReader};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::link::Links;
use crate::wait::eventually;

/// Python source of `notes_of(number)`, which returns what tells these notes a line: a function of a text. What has been
/// told is not lost when the process ends, whoever ends it.
pub const PYTHON_NOTES: &str = concat!(
    include_str!("link.py"),
    "
def notes_of(number):
    stream = link(number)
    return lambda text: stream.sendall(f'{text}\\n'.encode())
"
);

/// Lines, in the order in which each process wrote them.
#[derive(Debug)]
pub struct Notes {
    links: Links,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    lines: Vec<String>,
    writers: usize,
}

impl Notes {
    /// Waits for whoever has something to tell.
    pub fn new() -> Self {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let theirs = Arc::clone(&shared);
        let links = Links::new(move |stream| {
            let shared = Arc::clone(&theirs);
            shared.lock().unwrap().writers += 1;
            thread::spawn(move || {
                let mut reader = BufReader::new(stream);
                let mut line = String::new();
                // Half a line was not told.
                while reader.read_line(&mut line).is_ok() && line.ends_with('\n') {
                    shared.lock().unwrap().lines.push(line.trim_end_matches('\n').to_owned());
                    line.clear();
                }
                shared.lock().unwrap().writers -= 1;
            });
        });
        Self { links, shared }
    }

    /// Returns the number that functions know them by.
    pub fn number(&self) -> u64 {
        self.links.number()
    }

    /// Returns what has been told so far.
    pub fn lines(&self) -> Vec<String> {
        self.shared.lock().unwrap().lines.clone()
    }

    /// Waits until nobody is left who could tell more, and returns everything.
    pub fn all(&self) -> Vec<String> {
        eventually("whoever tells something has ended", || {
            let shared = self.shared.lock().unwrap();
            (shared.writers == 0).then(|| shared.lines.clone())
        })
    }
}

impl Default for Notes {
    fn default() -> Self {
        Self::new()
    }
}
