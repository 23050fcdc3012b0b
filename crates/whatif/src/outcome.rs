//! What became of the calls under a policy.

use crate::policy::Policy;
use crate::prices::Prices;

/// What became of the calls that are asked about.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Under which policy.
    pub policy: Policy,
    /// How many calls there were.
    pub calls: u64,
    /// How many of them waited for an Init.
    pub cold_calls: u64,
    /// How many would have been throttled: as many as may run at once did.
    pub throttled: u64,
    /// Cold calls that came shortly after an environment was ended for being idle: the real scheduler, which looks only now
    /// and then, might still have had it.
    pub near_boundary: u64,
    /// What calls waited for an environment and its Init: half of them at most this.
    pub added_p50_us: u64,
    /// 99 of 100 at most this.
    pub added_p99_us: u64,
    /// All of it, by the number of calls.
    pub added_mean_us: f64,
    /// How many environments were made.
    pub environments_made: u64,
    /// For how long there were environments, together.
    pub environment_us: u128,
    /// What of it was Init.
    pub init_us: u128,
    /// What of it was calls.
    pub busy_us: u128,
    /// What of it was waiting for calls.
    pub idle_us: u128,
    /// The same time as all of it, by memory.
    pub memory_mb_us: u128,
    /// How often all environments together needed more memory than the policy's limit, because all were busy.
    pub over_limit: u64,
    /// What AWS would have billed.
    pub cost: Cost,
}

/// US dollars, by what they are for.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Cost {
    /// Requests.
    pub requests: f64,
    /// Duration, on demand and in provisioned environments.
    pub duration: f64,
    /// Inits that are billed with a call, or made ahead of one.
    pub init: f64,
    /// Provisioned environments, used or not.
    pub provisioned: f64,
}

impl Cost {
    /// Returns all of it.
    pub fn total(&self) -> f64 {
        self.requests + self.duration + self.init + self.provisioned
    }
}

impl Outcome {
    /// Returns the part of the calls that were cold.
    pub fn cold_share(&self) -> f64 {
        share(self.cold_calls, self.calls)
    }

    /// Returns environment-seconds.
    pub fn environment_seconds(&self) -> f64 {
        self.environment_us as f64 / 1e6
    }

    /// Returns GB-seconds that environments held, used or not.
    pub fn memory_gb_seconds(&self) -> f64 {
        self.memory_mb_us as f64 / 1e6 / 1_024.0
    }
}

pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// What is counted while a simulation runs.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) cold_calls: u64,
    pub(crate) throttled: u64,
    pub(crate) near_boundary: u64,
    pub(crate) over_limit: u64,
    pub(crate) environments_made: u64,
    pub(crate) environment_us: u128,
    pub(crate) init_us: u128,
    pub(crate) busy_us: u128,
    pub(crate) idle_us: u128,
    pub(crate) memory_mb_us: u128,
    /// What each call waited. An hour and more is the same: four bytes a call have to do.
    pub(crate) waited_us: Vec<u32>,
    /// Billed milliseconds, by memory.
    pub(crate) duration_mb_ms: u128,
    pub(crate) duration_on_provisioned_mb_ms: u128,
    pub(crate) init_mb_ms: u128,
    pub(crate) provisioned_mb_us: u128,
}

impl Tally {
    /// Counts a call that has its environment.
    pub(crate) fn wait(&mut self, waited_us: u64) {
        self.waited_us.push(u32::try_from(waited_us).unwrap_or(u32::MAX));
    }

    /// Counts what is billed for a call on demand: parts are added before they are rounded.
    pub(crate) fn bill(&mut self, runs_us: u64, init_us: u64, memory_mb: u32) {
        let (alone, with_init) = (runs_us.div_ceil(1_000), (runs_us + init_us).div_ceil(1_000));
        self.duration_mb_ms += u128::from(alone) * u128::from(memory_mb);
        self.init_mb_ms += u128::from(with_init - alone) * u128::from(memory_mb);
    }

    pub(crate) fn outcome(mut self, policy: Policy, prices: &Prices) -> Outcome {
        let ran = self.waited_us.len() as u64;
        let sum: f64 = self.waited_us.iter().map(|us| f64::from(*us)).sum();
        let (added_p50_us, added_p99_us) =
            (percentile(&mut self.waited_us, 50), percentile(&mut self.waited_us, 99));
        let gb_seconds = |mb_ms: u128| mb_ms as f64 / 1_024.0 / 1_000.0;
        let duration = gb_seconds(self.duration_mb_ms) * prices.gb_second
            + gb_seconds(self.duration_on_provisioned_mb_ms) * prices.gb_second_on_provisioned;
        Outcome {
            policy,
            calls: ran + self.throttled,
            cold_calls: self.cold_calls,
            throttled: self.throttled,
            near_boundary: self.near_boundary,
            added_p50_us,
            added_p99_us,
            added_mean_us: sum / (ran as f64).max(1.0),
            environments_made: self.environments_made,
            environment_us: self.environment_us,
            init_us: self.init_us,
            busy_us: self.busy_us,
            idle_us: self.idle_us,
            memory_mb_us: self.memory_mb_us,
            over_limit: self.over_limit,
            cost: Cost {
                requests: ran as f64 * prices.request,
                duration,
                init: gb_seconds(self.init_mb_ms) * prices.gb_second,
                provisioned: self.provisioned_mb_us as f64 / 1e6 / 1_024.0 * prices.gb_second_provisioned,
            },
        }
    }
}

/// The smallest value that at least so many of a hundred do not exceed.
pub(crate) fn percentile(values: &mut [u32], of_hundred: usize) -> u64 {
    if values.is_empty() {
        return 0;
    }
    let at = (values.len() * of_hundred).div_ceil(100).max(1) - 1;
    u64::from(*values.select_nth_unstable(at).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_there_is() {
        assert_eq!(percentile(&mut [], 50), 0);
        assert_eq!(percentile(&mut [7], 99), 7);
        let mut hundred: Vec<u32> = (1..=100).rev().collect();
        assert_eq!((percentile(&mut hundred, 50), percentile(&mut hundred, 99)), (50, 99));
    }
}
