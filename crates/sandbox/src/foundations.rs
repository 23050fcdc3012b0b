//! What environments begin with, whatever their function: kept ready, so that a cold start finds most of its work done.
//!
//! A foundation is an init with its namespaces, its users and the part of its root file system that all functions see. It
//! is used once, for one environment, and nothing of any function has been near it before. Only as root: without, the
//! network comes first, which takes most of the time.

use std::fs;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use hearth_sandbox_init::messages::{self, FromInit, ToInit};
use hearth_sandbox_init::{WALLED_ENVIRONMENT, shown_of_host};

use crate::SandboxError;
use crate::launcher::Launchers;
use crate::processes::Processes;
use crate::rootless::Mode;

/// The first user of all environments. Each environment gets the next one, and none is used twice within a server's life.
/// A server begins anywhere in the range: two servers of a host share no users, for whom the kernel counts processes.
/// The range lies between what systemd gives to containers and the foreign users above, where no tool assigns any.
pub(crate) const USER_FIRST: u32 = 1_900_000_000;
/// How many there are before they begin again.
const USERS: u32 = 100_000_000;
/// The first of as many that are user 0 in the user namespace of an environment.
const ROOT_USER_FIRST: u32 = USER_FIRST + USERS;
/// The last user that an environment may have.
pub(crate) const USER_LAST: u32 = ROOT_USER_FIRST + USERS - 1;

/// How many are kept ready. Ours: as many as networks and ephemeral storages are.
const READY: usize = 8;
/// How long after one was taken the next is laid. Ours: it would take the processor from the start that it was taken for.
const REFILL_AFTER: Duration = Duration::from_millis(25);

/// One that nobody uses yet.
pub(crate) struct Foundation {
    pub(crate) processes: Processes,
    /// The files of the host that it shows.
    shows: Shown,
    /// Whether its init has said that it is there.
    pub(crate) is_laid: bool,
}

impl Foundation {
    /// Waits until it is there.
    pub(crate) async fn laid(&mut self) -> Result<(), SandboxError> {
        if !self.is_laid {
            match self.processes.receive().await {
                Some((FromInit::FoundationLaid, _)) => self.is_laid = true,
                Some((FromInit::WallsFailed { step, errno }, _)) => {
                    return Err(SandboxError::Build {
                        step,
                        source: std::io::Error::from_raw_os_error(errno),
                    });
                }
                _ => return Err(SandboxError::InitGone),
            }
        }
        Ok(())
    }
}

/// Which files of the host an environment shows, by device and number: a file that has been replaced since, as an update
/// of the host does, is another one.
#[derive(PartialEq, Eq)]
struct Shown(Vec<Option<(u64, u64)>>);

impl Shown {
    fn now() -> Self {
        let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        Self(shown_of_host().map(|path| fs::metadata(path).ok().map(identity)).collect())
    }
}

/// Lays foundations, and keeps some ready. Dropping it ends those that nobody has taken.
pub(crate) struct Foundations(Arc<Shared>);

struct Shared {
    launchers: Launchers,
    root: PathBuf,
    users: AtomicU32,
    mode: Mode,
    /// Whether nothing else counts the memory of processes.
    meters_memory: bool,
    shelf: Mutex<Shelf>,
}

#[derive(Default)]
struct Shelf {
    ready: Vec<Foundation>,
    is_being_filled: bool,
}

impl Foundations {
    /// Begins without any. `root` is a folder that no function is to see: each environment has its root file system mounted
    /// there, seen by nobody else. With `meters_memory` the memory of what runs on them is added up.
    pub(crate) fn new(root: &Path, mode: Mode, meters_memory: bool) -> Result<Self, SandboxError> {
        let (launchers, root) = (Launchers::start()?, root.to_owned());
        let (users, shelf) = (AtomicU32::new(anywhere()), Mutex::default());
        Ok(Self(Arc::new(Shared { launchers, root, users, mode, meters_memory, shelf })))
    }

    /// Takes one that is ready and shows what the host has now, or begins a new one. Has more made ready.
    pub(crate) fn take(&self) -> Result<Foundation, SandboxError> {
        let shown = Shown::now();
        let mut outdated = Vec::new();
        let mut shelf = self.0.shelf();
        let taken = loop {
            match shelf.ready.pop() {
                Some(foundation) if foundation.shows != shown => outdated.push(foundation),
                taken => break taken,
            }
        };
        if !shelf.is_being_filled {
            shelf.is_being_filled = true;
            tokio::spawn(fill(Arc::downgrade(&self.0)));
        }
        drop(shelf);
        match taken {
            Some(foundation) => Ok(foundation),
            None => self.begin(WALLED_ENVIRONMENT),
        }
    }

    /// Begins a new one, below an init of this kind.
    pub(crate) fn begin(&self, kind: &[u8]) -> Result<Foundation, SandboxError> {
        self.0.begin(kind)
    }
}

impl Shared {
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, kind: &[u8]) -> Result<Foundation, SandboxError> {
        let number = self.users.fetch_add(1, Ordering::Relaxed) % USERS;
        let user = USER_FIRST + number;
        let (user_on_host, root_user) = match self.mode {
            Mode::Root { with_user_namespace } => {
                (Some(user), with_user_namespace.then_some(ROOT_USER_FIRST + number))
            }
            Mode::Rootless => (None, None),
        };
        let shows = Shown::now();
        let processes = Processes::begin(&self.launchers, kind, user_on_host, self.meters_memory)?;
        let foundation = messages::Foundation { root: self.root.clone().into(), user, root_user };
        // When no init could be forked, the launcher says so in its place, and it hears nothing.
        let _unheard = processes.say(&ToInit::LayFoundation(foundation), &[]);
        Ok(Foundation { processes, shows, is_laid: false })
    }
}

/// Lays what is missing, one after the other, a while after one was taken.
async fn fill(shared: Weak<Shared>) {
    tokio::time::sleep(REFILL_AFTER).await;
    loop {
        let begun = {
            let Some(shared) = shared.upgrade() else { return };
            let mut shelf = shared.shelf();
            if shelf.ready.len() >= READY {
                shelf.is_being_filled = false;
                return;
            }
            drop(shelf);
            shared.begin(WALLED_ENVIRONMENT)
        };
        let laid = match begun {
            Ok(mut foundation) => foundation.laid().await.map(|()| foundation),
            Err(error) => Err(error),
        };
        let Some(shared) = shared.upgrade() else { return };
        let mut shelf = shared.shelf();
        match laid {
            Ok(foundation) => shelf.ready.push(foundation),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot lay the foundation of an environment ahead"
                );
                // Not again before somebody takes one, who will hear of it too if it fails once more.
                shelf.is_being_filled = false;
                return;
            }
        }
    }
}

/// A number that is another one in each process.
fn anywhere() -> u32 {
    // The standard library's hashes begin with random keys; this is no secret and needs no better source.
    (RandomState::new().build_hasher().finish() % u64::from(USERS)) as u32
}
