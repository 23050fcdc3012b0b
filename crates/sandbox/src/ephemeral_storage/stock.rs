//! File systems of the default size that are made ahead. Each is used once; a thread of its own makes the next ones.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::{Maker, SIZE_MB_DEFAULT, Storage};

/// How many are ready. Ours: cold starts come in groups; one takes a loop device and some 100 KB of the host's memory.
const READY_MAX: usize = 8;

/// The stock. Dropping it ends the thread and what is ready.
pub(super) struct Stock {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    shelf: Mutex<Shelf>,
    changed: Condvar,
}

#[derive(Default)]
struct Shelf {
    ready: Vec<Storage>,
    /// Whether somebody has taken one since the thread looked last.
    is_wanted: bool,
    is_closed: bool,
}

impl Shared {
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stock {
    pub(super) fn start(maker: Arc<Maker>, first: Storage) -> io::Result<Self> {
        let shelf = Shelf { ready: vec![first], is_wanted: true, is_closed: false };
        let shared = Arc::new(Shared { shelf: Mutex::new(shelf), changed: Condvar::new() });
        let of_thread = shared.clone();
        let thread = thread::Builder::new()
            .name("ephemeral-storage".to_owned())
            .spawn(move || keep_full(&of_thread, &maker))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Takes one, if one is ready. Does not block.
    pub(super) fn take(&self) -> Option<Storage> {
        let mut shelf = self.shared.shelf();
        shelf.is_wanted = true;
        self.shared.changed.notify_one();
        shelf.ready.pop()
    }
}

impl Drop for Stock {
    fn drop(&mut self) {
        self.shared.shelf().is_closed = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

/// Makes what is missing, whenever one has been taken.
fn keep_full(shared: &Shared, maker: &Maker) {
    let mut shelf = shared.shelf();
    while !shelf.is_closed {
        if !shelf.is_wanted {
            shelf = shared.changed.wait(shelf).unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        if shelf.ready.len() >= READY_MAX {
            shelf.is_wanted = false;
            continue;
        }
        drop(shelf);
        let made = maker.make(SIZE_MB_DEFAULT);
        shelf = shared.shelf();
        match made {
            Ok(storage) => shelf.ready.push(storage),
            Err(error) => {
                // Not again before somebody wants one, who will hear of it too if it fails once more.
                shelf.is_wanted = false;
                let reason = &error.source;
                tracing::warn!(%error, %reason, "cannot make ephemeral storage ahead");
            }
        }
    }
}
