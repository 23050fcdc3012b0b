//! The limits of a pool.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hearth_sandbox::NetworkPolicy;
use hearth_types::{AccountId, FunctionName, Region};

/// The limits of a pool.
#[derive(Debug, Clone)]
pub struct PoolSettings {
    /// Whose functions they are.
    pub account: AccountId,
    /// What functions see as their region.
    pub region: Region,
    /// Whether logs say why an invocation was cold. AWS's do not.
    pub log_cold_starts: bool,
    /// Whether snapshots are taken of published versions with SnapStart.
    pub snap_start: bool,
    /// How long an environment may be idle before it is ended. AWS does not say; 5 to 15 minutes are seen there.
    pub idle_timeout: Duration,
    /// What decides how long.
    pub keep_alive: KeepAlive,
    /// How much memory environments may have together; `None`: nobody counts.
    pub memory_bytes_max: Option<u64>,
    /// Whether a cold start waits for a moment while all processors are busy.
    pub waits_for_processors: bool,
    /// Where the connections of functions may go.
    pub networks: NetworkPolicies,
    /// How many Init phases run at once. More would only slow each other down.
    pub cold_starts_max: usize,
    /// How many runtimes of each version that is in use wait for their Init. 0: none.
    pub preboot: usize,
    /// Functions of which none does.
    pub not_prebooted: BTreeSet<FunctionName>,
    /// How many environments live at once; above, the one idle for longest goes.
    pub environments_max: usize,
    /// Whether traces are kept of functions that only pass them through, when no caller has decided.
    pub keep_passed_through_traces: bool,
    /// How long running invocations may take when the server stops.
    pub drain_limit: Duration,
    /// How long environments may take to end when the server stops.
    pub ending_limit: Duration,
}

impl PoolSettings {
    /// Returns how often to look for idle environments: a tenth of the time-out, so that none lives much too long.
    pub(crate) fn idle_check_period(&self) -> Duration {
        // The histogram keeps an environment for eleven seconds at least.
        let longest = match self.keep_alive {
            KeepAlive::Fixed => Duration::from_secs(10),
            KeepAlive::Histogram => Duration::from_secs(1),
        };
        (self.idle_timeout / 10).clamp(Duration::from_millis(20), longest)
    }
}

/// What decides how long an idle environment is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeepAlive {
    /// The idle time-out.
    #[default]
    Fixed,
    /// How long its function has been idle before: nearly all of those times, but no longer than some more than an hour. The
    /// idle time-out until enough of them are known.
    Histogram,
}

/// Where the connections of functions may go. Lambda has no such setting: the operator says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkPolicies {
    /// Of every function that is not named.
    pub default: NetworkPolicy,
    /// Of single functions, which need not exist.
    pub by_function: BTreeMap<FunctionName, NetworkPolicy>,
}

impl NetworkPolicies {
    /// Returns where the connections of a function may go.
    pub fn of(&self, function: &FunctionName) -> NetworkPolicy {
        self.by_function.get(function).copied().unwrap_or(self.default)
    }

    /// Returns the most that any function may.
    pub fn most(&self) -> NetworkPolicy {
        self.by_function.values().copied().fold(self.default, NetworkPolicy::max)
    }

    /// Returns whether some function may less than the others, or all may nothing.
    pub fn restrict(&self) -> bool {
        let none = NetworkPolicy::None;
        self.default == none || self.by_function.values().any(|&policy| policy == none)
    }
}
