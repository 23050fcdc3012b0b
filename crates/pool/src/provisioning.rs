//! Provisioned concurrency: environments that are initialized ahead of calls, and stay. One that ends is made anew; one
//! that cannot be made is tried again, less and less often.
//!
//! Which versions have how many is somebody else's to say ([`hearth_invoke::Environments::provision`]).

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use hearth_environment::Environment;
use hearth_functions::{ProvisionedVersion, ResolvedVersion};
use hearth_invoke::ProvisionedEnvironments;
use hearth_telemetry::ShutdownReason;
use hearth_types::{ColdReason, FunctionName, InitializationType, Version};

use crate::members::{FunctionEnvironments, Initializing};
use crate::why_cold::Past;
use crate::{FunctionVersion, Pool, key_of};

/// How long after an environment could not be initialized another one is tried; each failure in a row doubles it. Ours.
const RETRY_MIN: Duration = Duration::from_secs(1);
/// How long at most.
const RETRY_MAX: Duration = Duration::from_secs(300);

/// Why an environment could not be initialized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The function's Init failed, or took too long, or its processes died while nothing ran.
    Init,
    /// We failed.
    Ours,
}

impl Failure {
    /// Returns AWS's `StatusReason`. That of our failures is ours.
    fn as_str(self) -> &'static str {
        match self {
            Self::Init => "FUNCTION_ERROR_INIT_FAILURE",
            Self::Ours => "INTERNAL_ERROR",
        }
    }
}

/// What is to be provisioned of a version.
#[derive(Default)]
pub(crate) struct Provisioning {
    /// How many environments there are to be.
    pub(crate) target: u32,
    /// What they run.
    version: Option<Arc<ResolvedVersion>>,
    /// How many are being made, and are not in the pool yet.
    pub(crate) starting: u32,
    failure: Option<Failure>,
    /// How many failed in a row.
    failures: u32,
    /// None is tried before.
    retry_at: Option<Instant>,
    /// Somebody sleeps until then.
    awaited: Option<Instant>,
}

impl Provisioning {
    pub(crate) fn went_well(&mut self) {
        (self.failure, self.failures, self.retry_at) = (None, 0, None);
    }

    pub(crate) fn fail(&mut self, failure: Failure, now: Instant) {
        self.failure = Some(failure);
        // Of those that were made together, one failure counts.
        if self.retry_at.is_some_and(|at| at > now) {
            return;
        }
        let wait = RETRY_MIN.saturating_mul(1 << self.failures.min(16)).min(RETRY_MAX);
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Some(now + wait);
    }

    /// Whether anything is, or was.
    pub(crate) fn is_set(&self) -> bool {
        self.version.is_some()
    }

    fn set(&mut self, version: Arc<ResolvedVersion>, target: u32) {
        if self.target != target {
            self.went_well(); // whoever asks anew is not to wait for what failed before
        }
        (self.version, self.target) = (Some(version), target);
    }
}

/// What has to be done for a version to have what it is to have.
#[derive(Default)]
struct Balance {
    to_end: Vec<Arc<Environment>>,
    to_make: Vec<Arc<ResolvedVersion>>,
    retry_at: Option<Instant>,
    initialized: u32,
}

impl FunctionEnvironments {
    fn balance(&mut self, now: Instant, draining: bool) -> Balance {
        let target = if draining { 0 } else { self.provisioning.target };
        // Those that have only begun see for themselves whether they are wanted.
        let to_end = self.end_provisioned(self.provisioned_and_initializing().saturating_sub(target));
        let there = self.provisioned_and_begun();
        let mut balance = Balance { to_end, ..Balance::default() };
        if let Some(version) = &self.provisioning.version {
            match self.provisioning.retry_at.filter(|at| *at > now) {
                Some(at) if there < target && self.provisioning.awaited != Some(at) => {
                    (self.provisioning.awaited, balance.retry_at) = (Some(at), Some(at));
                }
                Some(_) => {}
                None => {
                    let missing = target.saturating_sub(there);
                    // After a failure one shows whether it works again.
                    let is_trying = there > self.provisioned();
                    let count = match self.provisioning.failure {
                        None => missing,
                        Some(_) => missing.min(u32::from(!is_trying)),
                    };
                    balance.to_make = vec![version.clone(); count as usize];
                }
            }
        }
        self.provisioning.starting += balance.to_make.len() as u32;
        balance.initialized = if self.is_deleted() { 0 } else { self.provisioned() };
        balance
    }
}

impl Pool {
    /// Keeps environments of these versions of a function provisioned, and of its others none.
    pub(crate) fn provision_versions(&self, name: &FunctionName, versions: Vec<ProvisionedVersion>) {
        let keys: Vec<FunctionVersion> = {
            let mut state = self.lock();
            let is_named = |number: Version| versions.iter().any(|named| named.version.version == number);
            for ((of, number), environments) in &mut state.versions {
                if of == name && !is_named(*number) {
                    environments.provisioning.target = 0;
                }
            }
            for ProvisionedVersion { version, count } in versions {
                let nothing_known =
                    || FunctionEnvironments::with(Past::default(), self.parts.settings.keep_alive);
                let environments = state.versions.entry(key_of(&version)).or_insert_with(nothing_known);
                environments.is_there(version.generation);
                environments.provisioning.set(version, count);
            }
            state.versions.keys().filter(|(of, _)| of == name).cloned().collect()
        };
        keys.iter().for_each(|key| self.balance(key));
    }

    pub(crate) fn provisioned_of(&self, name: &FunctionName, version: Version) -> ProvisionedEnvironments {
        let state = self.lock();
        let Some(environments) = state.versions.get(&(name.clone(), version)) else {
            return ProvisionedEnvironments::default();
        };
        ProvisionedEnvironments {
            initialized: environments.provisioned(),
            failure: environments.provisioning.failure.map(Failure::as_str),
        }
    }

    /// Makes what is missing of a version's provisioned environments, ends what is too much, and says how many there are.
    pub(crate) fn balance(&self, key: &FunctionVersion) {
        let now = self.parts.clock.now();
        let balance = {
            let mut state = self.lock();
            let draining = state.draining;
            let Some(environments) = state.versions.get_mut(key) else { return };
            let balance = environments.balance(now, draining);
            // Under the lock, so that the last one to say it is right.
            self.parts.concurrency.allocate(&key.0, key.1, balance.initialized);
            balance
        };
        for environment in balance.to_end {
            environment.shut_down(ShutdownReason::Unprovisioned);
        }
        for version in balance.to_make {
            let Some(pool) = self.this.upgrade() else { return };
            tokio::spawn(async move { pool.make_provisioned(version).await });
        }
        if let Some(at) = balance.retry_at {
            tokio::spawn(balance_at(self.this.clone(), key.clone(), at));
        }
        self.changed.notify_waiters();
    }

    /// Makes a provisioned environment when it is its turn, if it is still wanted then.
    async fn make_provisioned(&self, version: Arc<ResolvedVersion>) {
        let key = key_of(&version);
        let mut starting = ProvisionedStarting { pool: self, key: &key, is_counted: true };
        // Calls wait for their cold starts; this may not take all turns from them.
        let Ok(own_turn) = self.provisioned_starts.clone().acquire_owned().await else { return };
        let Ok(turn) = self.cold_starts.clone().acquire_owned().await else { return };
        let is_wanted = {
            let state = self.lock();
            let environments = state.versions.get(&key).filter(|_| !state.draining);
            environments.is_some_and(|environments| {
                environments.provisioned_and_begun() <= environments.provisioning.target
            })
        };
        if !is_wanted {
            return;
        }
        self.evict_if_full(&key.0);
        let initialization_type = InitializationType::ProvisionedConcurrency;
        let room = self.room_in_any_case(&version);
        let made =
            self.make_member(&version, &ColdReason::Provisioned.into(), initialization_type, room).await;
        let now = self.parts.clock.now();
        let mut state = self.lock();
        let Some(environments) = state.versions.get_mut(&key) else { return };
        match made {
            Ok(member) => {
                let environment = member.environment.clone();
                // Counted as one that is being initialized from here on, and never as both.
                environments.provisioning.starting -= 1;
                starting.is_counted = false;
                environments.insert_initializing(Initializing { member, _turns: [own_turn, turn] });
                drop(state);
                environment.begin_init();
            }
            // It is in the log already.
            Err(_) => {
                environments.provisioning.fail(Failure::Ours, now);
                drop(state);
            }
        }
        drop(starting);
    }
}

/// Counts a provisioned environment until it is in the pool, or will not be.
struct ProvisionedStarting<'a> {
    pool: &'a Pool,
    key: &'a FunctionVersion,
    is_counted: bool,
}

impl Drop for ProvisionedStarting<'_> {
    fn drop(&mut self) {
        if self.is_counted
            && let Some(environments) = self.pool.lock().versions.get_mut(self.key)
        {
            environments.provisioning.starting -= 1;
        }
        // What was changed meanwhile is seen now.
        self.pool.balance(self.key);
        self.pool.forget_if_empty(self.key);
    }
}

async fn balance_at(pool: Weak<Pool>, key: FunctionVersion, at: Instant) {
    tokio::time::sleep_until(at.into()).await;
    if let Some(pool) = pool.upgrade() {
        pool.balance(&key);
    }
}
