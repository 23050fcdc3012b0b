//! The limits of a pool.

use std::time::Duration;

use hearth_types::{AccountId, Region};

/// The limits of a pool.
#[derive(Debug, Clone)]
pub struct PoolSettings {
    /// Whose functions they are.
    pub account: AccountId,
    /// What functions see as their region.
    pub region: Region,
    /// How long an environment may be idle before it is ended. AWS does not say; 5 to 15 minutes are seen there.
    pub idle_timeout: Duration,
    /// How many Init phases run at once. More would only slow each other down.
    pub cold_starts_max: usize,
    /// How many environments live at once; above, the one idle for longest goes.
    pub environments_max: usize,
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
