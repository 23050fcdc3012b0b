//! The execution environments of this host: which are warm, when a new one is made, when one is ended.
//!
//! Fulfils the port [`Environments`] of `invoke`. An environment moves between collections as it changes its state:
//!
//! ```text
//!   (cold start) ──> Busy ──────────settled──> Ready ──begin──> Busy
//!   (provisioned) ─> Initializing ──settled──> Ready
//!                      │                         │
//!                      └── obsolete ──┐          ├── idle, replaced, deleted, evicted, draining, not wanted
//!                                     v          v
//!                                        Ending ──gone──> (nothing)
//! ```
//!
//! Beside them are environments that are only measured, and that no call finds (`measure.rs`).

mod acquire;
mod admission;
mod boot;
mod eviction;
mod habits;
mod injected_faults;
mod measure;
mod members;
mod memory;
mod own_api;
mod preboot;
mod pressure;
mod provisioning;
mod sampling;
mod settings;
mod snapshots;
mod streaming;
mod why_cold;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures_util::future::BoxFuture;
use hearth_environment::{Environment, Owner};
use hearth_functions::{ProvisionedVersion, ResolvedVersion, SnapshotFailure, VersionListener};
use hearth_invoke::{
    BegunResponse, Concurrency, Environments, InvokeError, InvokeRequest, InvokeResponse, Permit,
    ProvisionedEnvironments,
};
use hearth_runtimes::Runtimes;
use hearth_sandbox::Sandboxes;
use hearth_telemetry::{Clock, Feed, LogStore, Recorder, ShutdownReason};
use hearth_types::{EnvironmentId, FunctionName, Version};
use tokio::sync::{Notify, Semaphore};

use admission::STARTS_ON_PROCESSOR;
pub use injected_faults::{AddedFault, FAULTS_MAX, InjectedFaults, TooManyFaults, WantedFault};
use measure::Measured;
pub use measure::{Measure, MeasuredInit};
use members::{FunctionEnvironments, Member, Ready};
use memory::Memory;
pub use own_api::{OpenOwnApi, OwnApi};
use sampling::Sampling;
pub use settings::{KeepAlive, NetworkPolicies, PoolSettings};
use snapshots::Snapshots;
use why_cold::LastEnd;

/// What the pool needs to know of code before an environment runs it.
pub trait CodeOnDisk: Send + Sync + 'static {
    /// Says whether the code and layers of a version are on this host as they were deployed.
    fn check<'a>(&'a self, version: &'a ResolvedVersion) -> BoxFuture<'a, Result<(), ChangedCode>>;
}

/// Code on disk is not what was deployed.
#[derive(Debug)]
pub struct ChangedCode(pub Box<dyn std::error::Error + Send + Sync>);

/// What the pool is made of.
pub struct PoolParts {
    /// Its limits.
    pub settings: PoolSettings,
    /// Where processes run.
    pub sandboxes: Arc<dyn Sandboxes>,
    /// Offers Hearth's API to environments.
    pub own_api: Arc<dyn OwnApi>,
    /// Whether code is on disk as it was deployed.
    pub code: Arc<dyn CodeOnDisk>,
    /// How runtimes are started.
    pub runtimes: Arc<Runtimes>,
    /// Where logs go.
    pub logs: Arc<LogStore>,
    /// Where every step is recorded.
    pub recorder: Arc<Recorder>,
    /// Where their steps go.
    pub feed: Arc<Feed>,
    /// Who is told how many provisioned environments there are.
    pub concurrency: Arc<Concurrency>,
    /// Both clocks.
    pub clock: Clock,
    /// The faults that somebody wants; `None` where nobody may.
    pub faults: Option<Arc<InjectedFaults>>,
}

/// The environments of this host.
pub struct Pool {
    parts: PoolParts,
    /// Environments call back; this is what they call.
    this: Weak<Self>,
    cold_starts: Arc<Semaphore>,
    /// Those that need not wait for others on the processors.
    starts_on_processors: Arc<Semaphore>,
    /// Those of provisioned environments: half of them, so that calls have theirs.
    provisioned_starts: Arc<Semaphore>,
    /// How much of it environments have.
    memory: Arc<Memory>,
    /// How many processors there are.
    processors: usize,
    state: Mutex<State>,
    sampling: Sampling,
    /// Runtimes that wait for their Init. Never locked together with the state.
    prebooted: Mutex<preboot::Shelf>,
    snapshots: Snapshots,
    /// Rung whenever an environment settled or is gone.
    changed: Notify,
}

/// A version of a function; `$LATEST` is one, too. Each has environments of its own.
type FunctionVersion = (FunctionName, Version);

fn key_of(version: &ResolvedVersion) -> FunctionVersion {
    (version.configuration.name.clone(), version.version)
}

#[derive(Default)]
struct State {
    versions: HashMap<FunctionVersion, FunctionEnvironments>,
    /// For one Init each.
    measured: HashMap<EnvironmentId, Measured>,
    /// When versions were created or changed that nobody has called yet.
    deployed: HashMap<FunctionVersion, i64>,
    draining: bool,
}

impl State {
    fn environments(&self) -> usize {
        self.versions.values().map(FunctionEnvironments::len).sum::<usize>() + self.measured.len()
    }
}

/// An environment as an operator sees it.
pub struct EnvironmentStatus {
    /// The environment.
    pub environment: Arc<Environment>,
}

impl Pool {
    /// Makes an empty pool, and starts to look for idle environments. Needs a Tokio runtime.
    pub fn start(parts: PoolParts) -> Arc<Self> {
        let cold_starts = Arc::new(Semaphore::new(parts.settings.cold_starts_max));
        let sampling = Sampling::new(parts.settings.keep_passed_through_traces);
        let provisioned_starts = Arc::new(Semaphore::new(parts.settings.cold_starts_max.div_ceil(2)));
        let memory = Memory::new(parts.clock, parts.settings.memory_bytes_max);
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let counts_memory = memory.bytes_max().is_some();
        let pool = Arc::new_cyclic(|this| Self {
            parts,
            this: this.clone(),
            cold_starts,
            starts_on_processors: Arc::new(Semaphore::new(processors.saturating_mul(STARTS_ON_PROCESSOR))),
            provisioned_starts,
            memory,
            processors,
            state: Mutex::default(),
            sampling,
            prebooted: Mutex::default(),
            snapshots: Snapshots::default(),
            changed: Notify::new(),
        });
        tokio::spawn(end_idle_environments(Arc::downgrade(&pool)));
        if counts_memory {
            tokio::spawn(pressure::watch(Arc::downgrade(&pool)));
        }
        pool
    }

    /// Returns every environment that lives.
    pub fn environments(&self) -> Vec<EnvironmentStatus> {
        let state = self.lock();
        let members = state.versions.values().flat_map(FunctionEnvironments::members);
        let members = members.chain(state.measured.values().map(|measured| &measured.member));
        members.map(|member| EnvironmentStatus { environment: member.environment.clone() }).collect()
    }

    /// Takes no more invocations, waits for the running ones up to the drain limit, and ends every environment.
    pub async fn drain(&self) {
        self.lock().draining = true;
        self.close_prebooted();
        self.end_ready(|_| true, |_| None, ShutdownReason::ServerStops);
        // Nobody waits for those that are still being initialized.
        self.provisioned_starts.close();
        self.end_measured();
        let keys: Vec<FunctionVersion> = self.lock().versions.keys().cloned().collect();
        keys.iter().for_each(|key| self.balance(key));
        let limit = self.parts.settings.drain_limit;
        if tokio::time::timeout(limit, self.until(|state| state.busy() == 0)).await.is_err() {
            tracing::warn!("invocations still run at the end of the drain limit; they are ended");
            self.end_busy();
        }
        let ending_limit = self.parts.settings.ending_limit;
        if tokio::time::timeout(ending_limit, self.until(|state| state.environments() == 0)).await.is_err() {
            tracing::warn!("environments are still there; their sandboxes end with the server");
        }
    }

    async fn until(&self, reached: impl Fn(&State) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if reached(&self.lock()) {
                return;
            }
            changed.await;
        }
    }

    /// Ends the ready environments that `choose` picks.
    fn end_ready(
        &self,
        choose: impl Fn(&Ready) -> bool,
        last_end: impl Fn(&Ready) -> Option<LastEnd>,
        reason: ShutdownReason,
    ) {
        let mut to_end = Vec::new();
        {
            let mut state = self.lock();
            for environments in state.versions.values_mut() {
                to_end.extend(environments.end_ready(&choose, &last_end));
            }
        }
        for environment in to_end {
            environment.shut_down(reason);
        }
    }

    fn end_busy(&self) {
        let busy: Vec<_> = self.lock().versions.values().flat_map(FunctionEnvironments::busy).collect();
        for environment in busy {
            environment.shut_down(ShutdownReason::ServerStops);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn busy(&self) -> usize {
        self.versions.values().map(|environments| environments.busy().len() + environments.starting).sum()
    }
}

async fn end_idle_environments(pool: Weak<Pool>) {
    loop {
        let Some(period) = pool.upgrade().map(|pool| pool.parts.settings.idle_check_period()) else { return };
        tokio::time::sleep(period).await;
        let Some(pool) = pool.upgrade() else { return };
        let now = pool.parts.clock.now();
        pool.look_after_prebooted(now);
        pool.end_idle(now);
    }
}

impl Environments for Pool {
    fn run(
        &self,
        version: Arc<ResolvedVersion>,
        permit: Permit,
        request: InvokeRequest,
    ) -> BoxFuture<'_, Result<InvokeResponse, InvokeError>> {
        Box::pin(self.run_in_environment(version, permit, request))
    }

    fn run_streaming(
        &self,
        version: Arc<ResolvedVersion>,
        permit: Permit,
        request: InvokeRequest,
    ) -> BoxFuture<'_, Result<BegunResponse, InvokeError>> {
        Box::pin(self.stream_from_environment(version, permit, request))
    }

    fn is_one_finishing(&self) -> bool {
        let state = self.lock();
        let mut busy = state.versions.values().flat_map(FunctionEnvironments::busy);
        busy.any(|environment| environment.has_answered())
    }

    fn provision(&self, name: &FunctionName, versions: Vec<ProvisionedVersion>) {
        self.provision_versions(name, versions);
    }

    fn provisioned(&self, name: &FunctionName, version: Version) -> ProvisionedEnvironments {
        self.provisioned_of(name, version)
    }
}

impl VersionListener for Pool {
    fn replaced(&self, name: &FunctionName, version: Version, current: Option<&Arc<ResolvedVersion>>) {
        let reason = match current {
            Some(_) => ShutdownReason::FunctionUpdated,
            None => ShutdownReason::FunctionDeleted,
        };
        let key = (name.clone(), version);
        self.forget_prebooted(&key, current.map(|current| current.generation));
        if let Some(current) = current {
            self.preboot_new(current);
        } else {
            self.snapshots.forget(&key);
        }
        let now_epoch_ms = self.parts.clock.epoch_ms();
        let to_end = {
            let mut state = self.lock();
            let state = &mut *state;
            let Some(environments) = state.versions.get_mut(&key) else {
                match current {
                    Some(_) => state.deployed.insert(key, now_epoch_ms),
                    None => state.deployed.remove(&key),
                };
                return;
            };
            environments.replace(current.map(Arc::as_ref), now_epoch_ms)
        };
        for environment in to_end {
            environment.shut_down(reason);
        }
        // `$LATEST` goes with the function. One of the same name that comes later is another.
        if let (Some(faults), Version::Latest, None) = (&self.parts.faults, version, current) {
            faults.remove(|fault| fault.wanted.function == *name);
        }
        self.balance(&key);
        self.forget_if_empty(&key);
    }

    fn take_snapshot(&self, version: Arc<ResolvedVersion>) -> BoxFuture<'_, Result<(), SnapshotFailure>> {
        Box::pin(self.take_snapshot_of(version))
    }
}

fn key_of_environment(environment: &Environment) -> FunctionVersion {
    let record = environment.record();
    (record.facts.function.clone(), record.facts.version)
}

impl Owner for Pool {
    fn initialized(&self, environment: &Arc<Environment>) {
        self.see_restore(environment);
        let key = key_of_environment(environment);
        let now = self.parts.clock.now();
        let memory_bytes = self.memory.bytes_max().map(|_| environment.memory().most);
        {
            let mut state = self.lock();
            let Some(environments) = state.versions.get_mut(&key) else { return };
            environments.initialized(environment.id(), now, memory_bytes.unwrap_or_default());
        }
        // It may have more than it was given.
        self.evict_for_memory(0, Some(&key.0));
        // What it needs is known now: others that wait for memory may need less than it was thought.
        self.changed.notify_waiters();
    }

    fn settled(&self, environment: &Arc<Environment>) {
        let key = key_of_environment(environment);
        let is_warm = environment.is_warm();
        let (obsolete, is_provisioned) = {
            let mut state = self.lock();
            let draining = state.draining;
            let now = self.parts.clock.now();
            let Some(environments) = state.versions.get_mut(&key) else { return };
            let obsolete = environments.settle(environment.id(), is_warm, now, draining);
            (obsolete, environments.provisioning.is_set())
        };
        if let Some(reason) = obsolete {
            environment.shut_down(reason);
        }
        if is_provisioned {
            self.balance(&key);
        }
        self.changed.notify_waiters();
    }

    fn gone(&self, environment: &Arc<Environment>) {
        let key = key_of_environment(environment);
        // The member, with its listener and its code, is dropped after the lock.
        let now = self.parts.clock.now();
        let remove = |environments: &mut FunctionEnvironments| environments.remove(environment.id(), now);
        let member: Option<Member> = self.lock().versions.get_mut(&key).and_then(remove);
        let is_provisioned = member.as_ref().is_some_and(Member::is_provisioned);
        drop(member);
        if is_provisioned {
            self.balance(&key);
        }
        self.forget_if_empty(&key);
        self.changed.notify_waiters();
    }
}

impl Pool {
    /// Forgets a deleted version once its last environment is gone.
    fn forget_if_empty(&self, key: &FunctionVersion) {
        let mut state = self.lock();
        if state.versions.get(key).is_some_and(FunctionEnvironments::is_over) {
            state.versions.remove(key);
        }
    }
}
