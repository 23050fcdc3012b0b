//! Which idle environments have to go: one when there are too many, those that are worth least when memory runs short, and
//! those that nobody has called for long.
//!
//! Provisioned environments never do.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use hearth_environment::Environment;
use hearth_keep_alive::{Candidate, choose};
use hearth_telemetry::ShutdownReason;
use hearth_types::{EnvironmentId, FunctionName};

use crate::members::Ready;
use crate::why_cold::LastEnd;
use crate::{FunctionVersion, Pool, State};

impl Pool {
    /// Ends the environments that nobody has called for longer than their function's are kept.
    pub(crate) fn end_idle(&self, now: Instant) {
        let settings = &self.parts.settings;
        let mut to_end = Vec::new();
        for environments in self.lock().versions.values_mut() {
            let limit = environments.habits.keep_for(settings.idle_timeout);
            let is_idle = |ready: &Ready| now - ready.idle_since >= limit && !ready.member.is_provisioned();
            let last_end = |ready: &Ready| Some(LastEnd::Idle { since: ready.idle_since, limit });
            to_end.extend(environments.end_ready(is_idle, last_end));
        }
        for environment in to_end {
            environment.shut_down(ShutdownReason::IdleTimeout);
        }
    }

    /// Makes room for one more environment, of `function`, by ending the one that has been idle for longest.
    pub(crate) fn evict_if_full(&self, function: &FunctionName) {
        let oldest = {
            let mut state = self.lock();
            if state.environments() < self.parts.settings.environments_max {
                return;
            }
            let mut oldest: Option<(Instant, EnvironmentId, FunctionVersion)> = None;
            for (key, environments) in &state.versions {
                if let Some((since, id)) = environments.oldest_idle()
                    && oldest.as_ref().is_none_or(|(known, _, _)| since < *known)
                {
                    oldest = Some((since, id, key.clone()));
                }
            }
            let Some((_, id, key)) = oldest else { return };
            let evicted = |_: &Ready| Some(LastEnd::EvictedFor(function.clone()));
            let environments = state.versions.get_mut(&key);
            environments.map(|environments| {
                environments.end_ready(|ready| ready.member.environment.id() == id, evicted)
            })
        };
        for environment in oldest.into_iter().flatten() {
            environment.shut_down(ShutdownReason::Evicted);
        }
    }

    /// Ends those idle environments that are worth least, so that somebody can have `bytes` more: `by`, or whoever on this
    /// host when it is nobody. Ends none where all of them together are not enough. What ends already counts as free.
    pub(crate) fn evict_for_memory(&self, bytes: u64, by: Option<&FunctionName>) {
        let missing = self.memory.missing_for(bytes);
        if missing == 0 {
            return;
        }
        let to_end = {
            let mut state = self.lock();
            self.take_worth_least(&mut state, missing, by)
        };
        for environment in to_end {
            environment.shut_down(ShutdownReason::Evicted);
        }
    }

    /// Ends idle environments until the host has `bytes` more, or has nothing left to end.
    pub(crate) fn evict_for_host(&self, bytes: u64) {
        let to_end = {
            let mut state = self.lock();
            let idle: u64 =
                state.versions.values().flat_map(|version| version.worths()).map(|idle| idle.2).sum();
            self.take_worth_least(&mut state, bytes.min(idle), None)
        };
        for environment in to_end {
            environment.shut_down(ShutdownReason::Evicted);
        }
    }

    fn take_worth_least(
        &self,
        state: &mut State,
        bytes: u64,
        by: Option<&FunctionName>,
    ) -> Vec<Arc<Environment>> {
        let ending: u64 = state.versions.values().map(|version| version.bytes_ending()).sum();
        let missing = bytes.saturating_sub(ending);
        if missing == 0 {
            return Vec::new();
        }
        let candidates = state.versions.iter().flat_map(|(key, environments)| {
            let of = environments.worths();
            of.map(move |(id, worth, bytes)| Candidate { key: (key.clone(), id), worth, bytes })
        });
        let mut to_end = Vec::new();
        let chosen = choose(candidates.collect(), missing);
        chosen.iter().for_each(|chosen| self.memory.went(chosen.worth));
        let ids: HashSet<EnvironmentId> = chosen.iter().map(|chosen| chosen.key.1).collect();
        let evicted = |_: &Ready| Some(LastEnd::EvictedForMemory(by.cloned()));
        let keys: HashSet<FunctionVersion> = chosen.into_iter().map(|chosen| chosen.key.0).collect();
        for key in keys {
            if let Some(environments) = state.versions.get_mut(&key) {
                let is_chosen = |ready: &Ready| ids.contains(&ready.member.environment.id());
                to_end.extend(environments.end_ready(is_chosen, evicted));
            }
        }
        to_end
    }
}
