//! The limits of a pool.

use std::collections::BTreeMap;
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
    /// Where the connections of functions may go.
    pub networks: NetworkPolicies,
    /// How many Init phases run at once. More would only slow each other down.
    pub cold_starts_max: usize,
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
        (self.idle_timeout / 10).clamp(Duration::from_millis(20), Duration::from_secs(10))
    }
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
