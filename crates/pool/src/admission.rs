//! Whether a call that found nothing warm really begins a cold start: while all processors are busy it waits for a moment,
//! and without memory for one more environment it waits, too.
//!
//! A call that waits here has its concurrency already, and it is counted as AWS counts it. It waits for something that is
//! about to be there, and never for longer than a part of what its cold start would take.

use std::sync::Arc;
use std::time::Duration;

use hearth_environment::Environment;
use hearth_functions::ResolvedVersion;
use hearth_invoke::{InvokeError, Permit, ThrottleReason};
use hearth_sandbox::runnable_processes;

use tokio::sync::{Notify, OwnedSemaphorePermit};

use crate::memory::Room;
use crate::{FunctionVersion, Pool, key_of};

/// How long a call waits for memory before it is throttled. Ours: long enough for environments to end that were told to,
/// which takes up to 2 seconds with extensions, and for an Init to show how little it needs.
const MEMORY_WAIT: Duration = Duration::from_secs(5);
/// How often it looks whether there is some, besides when something changed.
const MEMORY_LOOK: Duration = Duration::from_millis(20);
/// The longest that a call waits for a busy environment, or its cold start for others.
const BUSY_WAIT_MAX: Duration = Duration::from_secs(1);
/// How long a cold start waits for others when nobody knows what it takes: some of Node or Python on two busy processors
/// (measured).
const UNKNOWN_WAIT: Duration = Duration::from_millis(500);
/// How often it looks whether the processors are still busy.
const BUSY_LOOK: Duration = Duration::from_millis(5);
/// How many cold starts share a processor before the next one waits. With one each, a processor would idle while an Init
/// waits for a disk.
pub(crate) const STARTS_ON_PROCESSOR: usize = 2;

/// What came of a call that found nothing warm.
pub(crate) enum Admitted {
    /// An environment became warm meanwhile.
    Warm(Arc<Environment>),
    /// There is room for a new one.
    Cold(Permit, Place),
}

/// What a cold start needs of this host.
pub(crate) struct Place {
    pub(crate) room: Room,
    /// Held until its Init is over; `None` where nobody waits.
    pub(crate) processor: Option<OwnedSemaphorePermit>,
}

/// How long it is worth to wait.
struct Patience {
    wait: Duration,
    /// An environment will be free before that.
    is_soon_free: bool,
    freed: Arc<Notify>,
}

/// A call that waits for a busy environment, so that the next one that is free calls it.
struct Patient<'a> {
    pool: &'a Pool,
    key: &'a FunctionVersion,
}

impl<'a> Patient<'a> {
    fn new(pool: &'a Pool, key: &'a FunctionVersion) -> Self {
        if let Some(environments) = pool.lock().versions.get_mut(key) {
            environments.patient += 1;
        }
        Self { pool, key }
    }
}

impl Drop for Patient<'_> {
    fn drop(&mut self) {
        if let Some(environments) = self.pool.lock().versions.get_mut(self.key) {
            environments.patient = environments.patient.saturating_sub(1);
        }
    }
}

impl Pool {
    /// Waits until a cold start may begin, or needs not.
    ///
    /// # Errors
    /// When the server stops, or there is no memory and none becomes free.
    pub(crate) async fn admit_cold_start(
        &self,
        version: &Arc<ResolvedVersion>,
        permit: Permit,
    ) -> Result<Admitted, InvokeError> {
        let key = key_of(version);
        let (permit, processor) = if self.parts.settings.waits_for_processors {
            match self.wait_for_processors(&key, version, permit).await {
                Ok(environment) => return Ok(Admitted::Warm(environment)),
                Err(place) => place,
            }
        } else {
            (permit, None)
        };
        self.wait_for_memory(&key, version, permit, processor).await
    }

    /// Takes an environment that has become warm, or gives the permit back.
    fn take_if_warm(
        &self,
        key: &FunctionVersion,
        version: &ResolvedVersion,
        permit: Permit,
    ) -> Result<Arc<Environment>, Permit> {
        let mut state = self.lock();
        if !state.draining
            && let Some(environments) = state.versions.get_mut(key)
            && let Some(ready) = environments.take_ready(version.generation, &permit)
        {
            let environment = ready.member.environment.clone();
            environments.insert_busy(ready.begin(permit));
            return Ok(environment);
        }
        Err(permit)
    }

    /// Waits for a turn on the processors, or for an environment that is free before that. No turn is needed when
    /// processors idle, nor after the wait that is worth it.
    async fn wait_for_processors(
        &self,
        key: &FunctionVersion,
        version: &Arc<ResolvedVersion>,
        mut permit: Permit,
    ) -> Result<Arc<Environment>, (Permit, Option<OwnedSemaphorePermit>)> {
        let mut turn = self.starts_on_processors.clone().try_acquire_owned().ok();
        let began = self.parts.clock.now();
        let Some(patience) = self.patience(key, version.generation) else { return Err((permit, turn)) };
        let mut is_soon_free = patience.is_soon_free && self.are_processors_busy();
        if turn.is_some() && !is_soon_free {
            return Err((permit, turn));
        }
        // Who waits for an environment leaves the processors to cold starts of others.
        turn = None;
        let (_patient, freed) = (Patient::new(self, key), patience.freed);
        let turns = self.starts_on_processors.clone().acquire_owned();
        tokio::pin!(turns);
        loop {
            tokio::select! {
                () = freed.notified() => {}
                () = tokio::time::sleep(BUSY_LOOK) => {}
                taken = &mut turns, if turn.is_none() && !is_soon_free => turn = taken.ok(),
            }
            permit = match self.take_if_warm(key, version, permit) {
                Ok(environment) => return Ok(environment),
                Err(permit) => permit,
            };
            // More is known than before: others have had their Init.
            let Some(patience) = self.patience(key, version.generation) else { return Err((permit, turn)) };
            let is_over = self.parts.clock.now().saturating_duration_since(began) >= patience.wait;
            is_soon_free = patience.is_soon_free;
            if is_over || turn.is_some() || !self.are_processors_busy() {
                return Err((permit, turn));
            }
        }
    }

    /// Whether somebody waits for a processor. Where the kernel does not tell, nobody does.
    fn are_processors_busy(&self) -> bool {
        runnable_processes().is_some_and(|runnable| runnable > self.processors)
    }

    /// Says how long it is worth to wait, and for what. `None` when the server stops.
    fn patience(&self, key: &FunctionVersion, generation: u64) -> Option<Patience> {
        let mut state = self.lock();
        if state.draining {
            return None;
        }
        let environments = state.versions.get_mut(key)?;
        let habits = &environments.habits;
        let cold_start = habits.cold_start();
        let wait = cold_start.map_or(UNKNOWN_WAIT, |cold_start| cold_start / 2).min(BUSY_WAIT_MAX);
        let busy = environments.busy_of(generation);
        let calls_before_us = u32::try_from(environments.patient).unwrap_or(u32::MAX).saturating_add(1);
        let is_soon_free = busy > 0
            && cold_start.is_some()
            && habits.call().is_some_and(|call| call.saturating_mul(calls_before_us.div_ceil(busy)) <= wait);
        Some(Patience { wait, is_soon_free, freed: environments.freed.clone() })
    }

    async fn wait_for_memory(
        &self,
        key: &FunctionVersion,
        version: &Arc<ResolvedVersion>,
        mut permit: Permit,
        processor: Option<OwnedSemaphorePermit>,
    ) -> Result<Admitted, InvokeError> {
        let deadline = self.parts.clock.now() + MEMORY_WAIT;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let bytes = {
                let state = self.lock();
                if state.draining {
                    return Err(InvokeError::Draining);
                }
                self.needed(&state, key, version)
            };
            if let Some(room) = self.memory.try_take(bytes) {
                return Ok(Admitted::Cold(permit, Place { room, processor }));
            }
            permit = match self.take_if_warm(key, version, permit) {
                Ok(environment) => return Ok(Admitted::Warm(environment)),
                Err(permit) => permit,
            };
            self.evict_for_memory(bytes, Some(&key.0));
            if self.parts.clock.now() >= deadline {
                self.memory.refuse();
                // The concurrency that this host has room for is what is exceeded; callers, queues and streams come again.
                let reason = ThrottleReason::ConcurrentInvocationLimitExceeded;
                return Err(InvokeError::Throttled { reason });
            }
            let _ = tokio::time::timeout(MEMORY_LOOK, changed).await;
        }
    }

    /// Takes memory for an environment that is made in any case, and ends others for it.
    pub(crate) fn room_in_any_case(&self, version: &Arc<ResolvedVersion>) -> Room {
        let key = key_of(version);
        let bytes = self.needed(&self.lock(), &key, version);
        self.evict_for_memory(bytes, Some(&key.0));
        self.memory.take(bytes)
    }
}
