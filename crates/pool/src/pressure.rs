//! What environments really have of the memory, looked at once a second, and what follows when it runs short.
//!
//! Nothing is read for a call. An idle environment is measured once, since it stands still; of the busy ones a bounded number
//! at each look.

use std::sync::{Arc, Weak};
use std::time::Duration;

use hearth_environment::Environment;
use hearth_sandbox::{HostMemory, HostMemoryFiles, MemoryBytes};

use crate::memory::Room;
use crate::{FunctionVersion, Pool, State};

/// How often. Ours: memory that a function takes meanwhile is what the budget leaves of the host's.
const PERIOD: Duration = Duration::from_secs(1);
/// How many environments are measured at a look: some 30 µs each.
const MEASURED_MAX: usize = 128;
/// The share of the host's memory that is left alone, for page cache and everybody else.
const HOST_RESERVE: u64 = 20;

/// One to measure.
struct Subject {
    key: FunctionVersion,
    environment: Arc<Environment>,
    room: Arc<Room>,
    /// It may soon have what its function was seen with.
    bytes_min: u64,
}

/// Looks until the pool is gone.
pub(crate) async fn watch(pool: Weak<Pool>) {
    let files = Arc::new(HostMemoryFiles::find());
    let mut turn = 0_usize;
    let mut was_short = false;
    loop {
        tokio::time::sleep(PERIOD).await;
        let Some(pool) = pool.upgrade() else { return };
        if pool.memory.held() == 0 {
            pool.memory.set_host_short(false);
            continue;
        }
        turn = turn.wrapping_add(MEASURED_MAX / 2);
        let subjects = pool.subjects(turn);
        let files = files.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let measured = subjects.into_iter().map(|subject| (subject.environment.memory(), subject));
            (measured.collect::<Vec<_>>(), files.read())
        });
        let Ok((measured, host)) = looked.await else { return };
        pool.take_note(measured);
        pool.evict_for_memory(0, None);
        if let Some(HostMemory { bytes, bytes_available }) = host {
            let missing = (bytes / HOST_RESERVE).saturating_sub(bytes_available);
            let is_short = missing > 0;
            pool.memory.set_host_short(is_short);
            pool.evict_for_host(missing);
            if is_short && !was_short {
                tracing::warn!(
                    available_mb = bytes_available >> 20,
                    "this host runs short of memory: idle environments end, and no new ones are made"
                );
            }
            was_short = is_short;
        }
        let refused = pool.memory.refused();
        if refused > 0 {
            let held_mb = pool.memory.held() >> 20;
            let limit_mb = pool.memory.bytes_max().unwrap_or_default() >> 20;
            tracing::warn!(
                refused,
                held_mb,
                limit_mb,
                "calls were throttled: there is no memory for more environments"
            );
        }
        // Who waits for room looks again.
        pool.changed.notify_waiters();
    }
}

impl Pool {
    fn subjects(&self, turn: usize) -> Vec<Subject> {
        let state = self.lock();
        let mut idle = Vec::new();
        let mut busy = Vec::new();
        for (key, environments) in &state.versions {
            for (member, is_ready) in environments.alive() {
                if is_ready && member.room.is_measured() {
                    continue;
                }
                let to = if is_ready { &mut idle } else { &mut busy };
                let bytes_min = if is_ready { 0 } else { self.needed(&state, key, &member.version) };
                let (environment, room) = (member.environment.clone(), member.room.clone());
                to.push(Subject { key: key.clone(), environment, room, bytes_min });
            }
        }
        drop(state);
        if !busy.is_empty() {
            let first = turn % busy.len();
            busy.rotate_left(first);
        }
        busy.truncate(MEASURED_MAX / 2);
        idle.truncate(MEASURED_MAX - busy.len());
        idle.extend(busy);
        idle
    }

    fn take_note(&self, measured: Vec<(MemoryBytes, Subject)>) {
        let mut state = self.lock();
        for (memory, Subject { key, room, bytes_min, .. }) in measured {
            room.set(memory.now.max(bytes_min));
            room.set_measured(bytes_min == 0);
            if let Some(environments) = state.versions.get_mut(&key) {
                environments.habits.had(memory.most);
            }
        }
    }

    /// Returns what one more environment of a version needs.
    pub(crate) fn needed(
        &self,
        state: &State,
        key: &FunctionVersion,
        version: &hearth_functions::ResolvedVersion,
    ) -> u64 {
        let seen = state.versions.get(key).and_then(|environments| environments.habits.memory_bytes_max());
        let bytes_limit = u64::from(version.configuration.memory.get()) << 20;
        self.memory.needed(bytes_limit, seen)
    }
}
