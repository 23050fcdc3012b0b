//! Runtimes that are booted ahead of their Init: the next environment of a version, up to the point where its client would
//! begin to load the function's code.
//!
//! Such a ground has everything an ordinary environment has when its runtime has been started: walls, limits, code,
//! variables, its own keys and log stream. It is used once, by the version that it was made for, and costs no call and no
//! concurrency. Where code of the function would run while an interpreter boots, nothing is booted ahead.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use hearth_environment::Boot;
use hearth_functions::ResolvedVersion;
use hearth_invoke::InvokeError;
use hearth_runtime_api::BoundRuntimeApi;
use hearth_runtimes::WAIT_FOR_INIT;
use hearth_sandbox::{Prebooted, Sandbox, memory_is_short};
use hearth_types::{EnvironmentId, FunctionName, InitializationType, LogStreamName, RuntimeFamily};

use crate::acquire::StartsFrom;
use crate::own_api::OpenOwnApi;
use crate::{FunctionVersion, Pool, boot, key_of};

/// How many wait on a host at most, of all versions; above, the one that has waited for longest goes. Ours: each holds the
/// memory of a booted interpreter.
const PREBOOTED_MAX: usize = 8;
/// How long after a cold start the next is booted. Ours: it would take the processor from the Init that has just begun.
const REFILL_AFTER: Duration = Duration::from_millis(250);
/// With one of these an interpreter may run code of the function while it boots, or behave as nobody has foreseen.
const READ_AT_BOOT: [&str; 6] = ["NODE_", "PYTHON", "LD_", "OPENSSL_", "GCONV_", "AWS_LAMBDA_EXEC_WRAPPER"];

/// What an environment begins with.
pub(crate) struct Ground<S> {
    pub(crate) id: EnvironmentId,
    pub(crate) log_stream: LogStreamName,
    pub(crate) sandbox: S,
    pub(crate) runtime_api: BoundRuntimeApi,
    pub(crate) boot: Boot,
    pub(crate) own_api: OpenOwnApi,
}

impl<S> Ground<S> {
    fn with<T>(self, other: T) -> (S, Ground<T>) {
        let Self { id, log_stream, sandbox, runtime_api, boot, own_api } = self;
        (sandbox, Ground { id, log_stream, sandbox: other, runtime_api, boot, own_api })
    }
}

/// The grounds that wait.
#[derive(Default)]
pub(crate) struct Shelf {
    /// Longest there first.
    waiting: Vec<Waiting>,
    /// Of which versions more are being booted, and of which generation.
    filling: HashMap<FunctionVersion, u64>,
    closed: bool,
}

struct Waiting {
    key: FunctionVersion,
    version: Arc<ResolvedVersion>,
    since: Instant,
    ground: Ground<Prebooted>,
}

impl Waiting {
    fn is_of(&self, key: &FunctionVersion, generation: u64) -> bool {
        self.key == *key && self.version.generation == generation
    }
}

impl Pool {
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.prebooted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the runtimes that wait for their Init, of the functions that `is_meant` picks.
    pub fn prebooted(&self, is_meant: impl Fn(&FunctionName) -> bool) -> usize {
        self.shelf().waiting.iter().filter(|waiting| is_meant(&waiting.key.0)).count()
    }

    /// Takes a ground of this version whose runtime waits, if there is one, and has the next one booted.
    pub(crate) fn take_prebooted(&self, version: &Arc<ResolvedVersion>) -> Option<Ground<Box<dyn Sandbox>>> {
        if self.parts.settings.preboot == 0 {
            return None;
        }
        let key = key_of(version);
        let now_epoch_ms = self.parts.clock.epoch_ms();
        let mut passed_over = Vec::new();
        let taken = loop {
            let found = {
                let mut shelf = self.shelf();
                let is_it = |waiting: &Waiting| waiting.is_of(&key, version.generation);
                let at = shelf.waiting.iter().position(is_it);
                at.map(|at| shelf.waiting.remove(at))
            };
            let Some(found) = found else { break None };
            // The name of a log stream begins with the day.
            let stream = boot::log_stream(version, found.ground.id, now_epoch_ms);
            if stream == found.ground.log_stream && found.ground.sandbox.is_waiting() {
                let (sandbox, ground) = found.ground.with(());
                let sandbox: Box<dyn Sandbox> = Box::new(sandbox);
                break Some(ground.with(sandbox).1);
            }
            passed_over.push(found);
        };
        self.preboot_later(version);
        taken
    }

    /// Boots what is missing for a version, in the background.
    pub(crate) fn preboot_later(&self, version: &Arc<ResolvedVersion>) {
        let settings = &self.parts.settings;
        let is_off = settings.preboot == 0 || settings.not_prebooted.contains(&version.configuration.name);
        if is_off || !may_boot_ahead(version) {
            return;
        }
        let key = key_of(version);
        {
            let mut shelf = self.shelf();
            if shelf.closed || shelf.filling.get(&key) == Some(&version.generation) {
                return;
            }
            shelf.filling.insert(key.clone(), version.generation);
        }
        tokio::spawn(fill(self.this.clone(), key, version.clone()));
    }

    /// The same for a version that nobody has called yet, where it takes nothing from one that was.
    pub(crate) fn preboot_new(&self, version: &Arc<ResolvedVersion>) {
        if self.shelf().waiting.len() < PREBOOTED_MAX {
            self.preboot_later(version);
        }
    }

    /// Drops what was booted for other generations of a version.
    pub(crate) fn forget_prebooted(&self, key: &FunctionVersion, current: Option<u64>) {
        let dropped: Vec<Waiting> = {
            let mut shelf = self.shelf();
            if shelf.filling.get(key).copied() != current {
                shelf.filling.remove(key);
            }
            let is_old =
                |waiting: &mut Waiting| waiting.key == *key && Some(waiting.version.generation) != current;
            shelf.waiting.extract_if(.., is_old).collect()
        };
        drop(dropped); // without the lock: their processes end here
    }

    /// Drops all, and boots no more.
    pub(crate) fn close_prebooted(&self) {
        let dropped = {
            let mut shelf = self.shelf();
            shelf.closed = true;
            shelf.filling.clear();
            std::mem::take(&mut shelf.waiting)
        };
        drop(dropped);
    }

    /// Drops what nobody has wanted for long, and all when memory is short. Boots anew what has died.
    pub(crate) fn look_after_prebooted(&self, now: Instant) {
        if self.shelf().waiting.is_empty() {
            return;
        }
        let is_short = memory_is_short();
        let idle_timeout = self.parts.settings.idle_timeout;
        let mut has_died = Vec::new();
        let dropped: Vec<Waiting> = {
            let mut shelf = self.shelf();
            let goes = |waiting: &mut Waiting| {
                let is_over = is_short || now - waiting.since >= idle_timeout;
                if !is_over && !waiting.ground.sandbox.is_waiting() {
                    has_died.push(waiting.version.clone());
                    return true;
                }
                is_over
            };
            shelf.waiting.extract_if(.., goes).collect()
        };
        drop(dropped);
        has_died.iter().for_each(|version| self.preboot_later(version));
    }

    /// Boots one ground. Nobody waits for it.
    async fn preboot(&self, version: &Arc<ResolvedVersion>) -> Result<Ground<Prebooted>, InvokeError> {
        let ground =
            self.lay_ground(version, InitializationType::OnDemand, false, &StartsFrom::Nothing).await?;
        let cannot = |reason: String| InvokeError::Service(format!("cannot boot a runtime ahead: {reason}"));
        let command = (ground.boot.command)(&*ground.sandbox);
        let command = command.map_err(|_| cannot("there is no command to start".to_owned()))?;
        let (sandbox, ground) = ground.with(());
        let prebooted = Prebooted::boot(sandbox, command, WAIT_FOR_INIT).await;
        let prebooted = prebooted.map_err(|error| cannot(crate::acquire::chain(&error)))?;
        Ok(ground.with(prebooted).1)
    }

    /// Puts a ground on the shelf, if it is still wanted, and says whether there are enough now.
    fn shelve(
        &self,
        key: &FunctionVersion,
        version: &Arc<ResolvedVersion>,
        ground: Ground<Prebooted>,
    ) -> bool {
        let since = self.parts.clock.now();
        let waiting = Waiting { key: key.clone(), version: version.clone(), since, ground };
        let mut dropped = Vec::new();
        let mut shelf = self.shelf();
        if shelf.closed || shelf.filling.get(key) != Some(&version.generation) {
            drop(shelf);
            drop(waiting);
            return true;
        }
        shelf.waiting.push(waiting);
        while shelf.waiting.len() > PREBOOTED_MAX {
            dropped.push(shelf.waiting.remove(0));
        }
        drop(shelf);
        self.has_enough(key, version)
    }

    /// Says whether as many wait as are to, and if so, that nobody boots more.
    fn has_enough(&self, key: &FunctionVersion, version: &Arc<ResolvedVersion>) -> bool {
        let mut shelf = self.shelf();
        let is_it = |waiting: &&Waiting| waiting.is_of(key, version.generation);
        let wanted = self.parts.settings.preboot.min(PREBOOTED_MAX);
        let is_wanted = !shelf.closed && shelf.filling.get(key) == Some(&version.generation);
        let enough = !is_wanted || shelf.waiting.iter().filter(is_it).count() >= wanted;
        if enough && is_wanted {
            shelf.filling.remove(key);
        }
        enough
    }

    fn stop_filling(&self, key: &FunctionVersion, generation: u64) {
        let mut shelf = self.shelf();
        if shelf.filling.get(key) == Some(&generation) {
            shelf.filling.remove(key);
        }
    }
}

/// Boots what is missing for a version, one after the other, a while after one was taken.
async fn fill(pool: Weak<Pool>, key: FunctionVersion, version: Arc<ResolvedVersion>) {
    tokio::time::sleep(REFILL_AFTER).await;
    loop {
        let Some(pool) = pool.upgrade() else { return };
        if pool.has_enough(&key, &version) {
            return;
        }
        // Calls have half of the turns for themselves.
        let turn = pool.provisioned_starts.clone().acquire_owned().await;
        if turn.is_err() || memory_is_short() {
            return pool.stop_filling(&key, version.generation);
        }
        match pool.preboot(&version).await {
            Ok(ground) => {
                if pool.shelve(&key, &version, ground) {
                    return;
                }
            }
            Err(error) => {
                // Not again before somebody starts one, who hears of what is wrong.
                let function = &version.configuration.name;
                tracing::debug!(%function, ?error, "a runtime was not booted ahead");
                return pool.stop_filling(&key, version.generation);
            }
        }
    }
}

/// Says whether nothing of the function runs while its interpreter boots.
fn may_boot_ahead(version: &ResolvedVersion) -> bool {
    let is_language = matches!(
        version.configuration.runtime.family(),
        RuntimeFamily::NodeJs { .. } | RuntimeFamily::Python { .. }
    );
    let variables = version.configuration.environment.as_ref();
    let mut names = variables.into_iter().flatten().map(|(name, _)| name);
    let is_read_at_boot = |name: &String| READ_AT_BOOT.iter().any(|begin| name.starts_with(begin));
    let layers = version.layers.root.as_deref();
    is_language
        && !names.any(is_read_at_boot)
        && !has_libraries(&version.code.root)
        && !layers.is_some_and(has_libraries)
}

/// Says whether the loader would look for an interpreter's libraries here: the folder and its `lib` are on its path.
fn has_libraries(folder: &Path) -> bool {
    let is_library = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.is_ok_and(|entry| entry.file_name().to_string_lossy().contains(".so"))
    };
    folder.join("lib").exists() || std::fs::read_dir(folder).is_ok_and(|mut entries| entries.any(is_library))
}
