//! Who may run one more invocation: the counters behind [`super::Concurrency`]. Pure: no lock, no clock, so that any order
//! of calls is a test.
//!
//! ```text
//!   account ──┬── what no function has reserved: shared
//!             └── reserved: one function's own
//!                   in either: provisioned (one version's own) and on-demand (the rest)
//! ```
//!
//! An invocation is counted in one place from its admission to its release, except that a function takes its running
//! invocations along when what it has reserved changes.

use std::collections::HashMap;
use std::time::Instant;

use hearth_types::{FunctionName, Version};

use super::rate::{Bucket, Rate};
use super::{ConcurrencyLimits, ThrottleReason};

/// Which function an invocation is counted for, until it is released.
pub(super) type Slot = usize;

/// How an invocation was admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    OnDemand,
    /// Of the provisioned concurrency of the version.
    Provisioned(Version),
    /// On demand, because all that is provisioned for the version is in use.
    Spillover,
}

/// Whether the rate of requests counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A caller who waits for the response.
    Request,
    /// The queue of asynchronous events, for which AWS has no such rate.
    Event,
}

/// What is used of a limit.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usage {
    /// Invocations that run.
    pub(super) in_use: u32,
    /// Those of them that run on demand.
    on_demand: u32,
    /// Provisioned environments that are initialized: set aside for their versions.
    pub(super) allocated: u32,
}

#[derive(Debug, Default)]
pub(super) struct Provisioned {
    pub(super) allocated: u32,
    pub(super) in_use: u32,
    /// The most that was in use since somebody asked.
    pub(super) peak: u32,
}

#[derive(Debug, Default)]
pub(super) struct Function {
    /// `None` in a slot that is free.
    pub(super) name: Option<FunctionName>,
    pub(super) usage: Usage,
    /// The most that ran since somebody asked.
    pub(super) peak: u32,
    pub(super) reserved: Option<u32>,
    requests: Bucket,
    new_environments: Bucket,
    pub(super) provisioned: Vec<(Version, Provisioned)>,
    /// The function was deleted: the slot is free once nothing of it runs.
    is_forgotten: bool,
}

/// The counters of an account.
#[derive(Debug)]
pub(super) struct Counters {
    limits: ConcurrencyLimits,
    pub(super) slots: Vec<Function>,
    free: Vec<Slot>,
    names: HashMap<FunctionName, Slot>,
    pub(super) in_use: u32,
    /// The most that ran since somebody asked.
    pub(super) peak: u32,
    /// The sum of what functions have reserved.
    pub(super) reserved: u32,
    /// What the functions without reserved concurrency use together.
    pub(super) unreserved: Usage,
    /// The most of these that ran since somebody asked.
    pub(super) unreserved_peak: u32,
    unreserved_requests: Bucket,
}

impl Function {
    fn forget_idle_versions(&mut self) {
        self.provisioned.retain(|(_, provisioned)| provisioned.allocated > 0 || provisioned.in_use > 0);
    }

    fn has_provisioned(&self, version: Version) -> bool {
        self.provisioned.iter().any(|(of, provisioned)| *of == version && provisioned.allocated > 0)
    }
}

impl Usage {
    /// What one invocation uses.
    fn of_one(share: Share) -> Self {
        Self { in_use: 1, on_demand: u32::from(!matches!(share, Share::Provisioned(_))), allocated: 0 }
    }

    fn add(&mut self, other: Self) {
        self.in_use += other.in_use;
        self.on_demand += other.on_demand;
        self.allocated += other.allocated;
    }

    fn subtract(&mut self, other: Self) {
        self.in_use -= other.in_use;
        self.on_demand -= other.on_demand;
        self.allocated -= other.allocated;
    }
}

impl Counters {
    pub(super) fn new(limits: ConcurrencyLimits) -> Self {
        Self {
            limits,
            slots: Vec::new(),
            free: Vec::new(),
            names: HashMap::new(),
            in_use: 0,
            peak: 0,
            reserved: 0,
            unreserved: Usage::default(),
            unreserved_peak: 0,
            unreserved_requests: Bucket::default(),
        }
    }

    pub(super) fn in_use(&self) -> u32 {
        self.in_use
    }

    pub(super) fn reserved_of(&self, name: &FunctionName) -> Option<u32> {
        self.names.get(name).and_then(|slot| self.slots[*slot].reserved)
    }

    /// Counts one more invocation of a version, or says whose limit is reached.
    pub(super) fn admit(
        &mut self,
        name: &FunctionName,
        version: Version,
        source: Source,
        now: &dyn Fn() -> Instant,
    ) -> Result<(Slot, Share), ThrottleReason> {
        let slot = self.slot(name);
        let unreserved_max = self.unreserved_max();
        let function = &mut self.slots[slot];
        let has_provisioned = function.has_provisioned(version);
        let is_reserved = function.reserved.is_some();
        let limit = function.reserved.unwrap_or(unreserved_max);
        let used = if is_reserved { function.usage } else { self.unreserved };
        let (full, too_often, requests) = match is_reserved {
            true => (
                ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded,
                ThrottleReason::ReservedFunctionInvocationRateLimitExceeded,
                &mut function.requests,
            ),
            false => (
                ThrottleReason::ConcurrentInvocationLimitExceeded,
                ThrottleReason::FunctionInvocationRateLimitExceeded,
                &mut self.unreserved_requests,
            ),
        };
        if used.in_use >= limit {
            return Err(full);
        }
        // Only while what was reserved a moment ago is still used by others.
        if self.in_use >= self.limits.account_max {
            return Err(ThrottleReason::ConcurrentInvocationLimitExceeded);
        }
        let has_free = |(of, provisioned): &&mut (Version, Provisioned)| {
            *of == version && provisioned.in_use < provisioned.allocated
        };
        let provisioned = function.provisioned.iter_mut().find(has_free);
        if provisioned.is_none() && used.on_demand >= limit.saturating_sub(used.allocated) {
            return Err(full);
        }
        if let (Source::Request, Some(per_unit)) = (source, self.limits.requests_per_unit) {
            let per_second = f64::from(limit) * f64::from(per_unit);
            if !requests.take(Rate { burst: per_second, per_second }, now) {
                return Err(too_often);
            }
        }
        let share = match provisioned {
            Some((_, provisioned)) => {
                provisioned.in_use += 1;
                provisioned.peak = provisioned.peak.max(provisioned.in_use);
                Share::Provisioned(version)
            }
            None if has_provisioned => Share::Spillover,
            None => Share::OnDemand,
        };
        let one = Usage::of_one(share);
        function.usage.add(one);
        function.peak = function.peak.max(function.usage.in_use);
        if !is_reserved {
            self.unreserved.add(one);
            self.unreserved_peak = self.unreserved_peak.max(self.unreserved.in_use);
        }
        self.in_use += 1;
        self.peak = self.peak.max(self.in_use);
        Ok((slot, share))
    }

    /// Counts an invocation no more.
    pub(super) fn release(&mut self, slot: Slot, share: Share) {
        let function = &mut self.slots[slot];
        if let Share::Provisioned(version) = share {
            if let Some((_, provisioned)) = function.provisioned.iter_mut().find(|(of, _)| *of == version) {
                provisioned.in_use -= 1;
            }
            function.forget_idle_versions();
        }
        let one = Usage::of_one(share);
        function.usage.subtract(one);
        if function.reserved.is_none() {
            self.unreserved.subtract(one);
        }
        self.in_use -= 1;
        self.free_if_over(slot);
    }

    /// Counts a new environment for an admitted invocation, or says that the function scales too fast.
    pub(super) fn scale_up(&mut self, slot: Slot, now: &dyn Fn() -> Instant) -> Result<(), ThrottleReason> {
        let Some(per_10_s) = self.limits.environments_per_10_s else { return Ok(()) };
        let function = &mut self.slots[slot];
        let rate = Rate { burst: f64::from(per_10_s), per_second: f64::from(per_10_s) / 10.0 };
        if function.new_environments.take(rate, now) {
            return Ok(());
        }
        Err(match function.reserved {
            Some(_) => ThrottleReason::ReservedFunctionInvocationRateLimitExceeded,
            None => ThrottleReason::FunctionInvocationRateLimitExceeded,
        })
    }

    /// Takes back that a new environment was counted: a warm one was found.
    pub(super) fn scaled_up_for_nothing(&mut self, slot: Slot) {
        self.slots[slot].new_environments.give_back();
    }

    /// Sets what a function has reserved, which takes its running invocations along.
    pub(super) fn reserve(&mut self, name: &FunctionName, reserved: Option<u32>) {
        if reserved.is_none() && !self.names.contains_key(name) {
            return;
        }
        let slot = self.slot(name);
        self.reserve_slot(slot, reserved);
    }

    fn reserve_slot(&mut self, slot: Slot, reserved: Option<u32>) {
        let function = &mut self.slots[slot];
        match (function.reserved, reserved) {
            (None, Some(_)) => self.unreserved.subtract(function.usage),
            (Some(_), None) => self.unreserved.add(function.usage),
            (None, None) | (Some(_), Some(_)) => {}
        }
        if function.reserved != reserved {
            function.requests = Bucket::default();
        }
        self.reserved = self.reserved - function.reserved.unwrap_or(0) + reserved.unwrap_or(0);
        function.reserved = reserved;
    }

    /// Says how many provisioned environments of a version are initialized.
    pub(super) fn allocate(&mut self, name: &FunctionName, version: Version, allocated: u32) {
        if allocated == 0 && !self.names.contains_key(name) {
            return;
        }
        let slot = self.slot(name);
        let function = &mut self.slots[slot];
        if !function.provisioned.iter().any(|(of, _)| *of == version) {
            function.provisioned.push((version, Provisioned::default()));
        }
        let mut before = 0;
        for (_, provisioned) in function.provisioned.iter_mut().filter(|(of, _)| *of == version) {
            before = std::mem::replace(&mut provisioned.allocated, allocated);
        }
        function.forget_idle_versions();
        let change = |usage: &mut Usage| usage.allocated = usage.allocated - before + allocated;
        change(&mut function.usage);
        if function.reserved.is_none() {
            change(&mut self.unreserved);
        }
        self.free_if_over(slot);
    }

    /// The function is deleted. What runs is counted until it ends.
    pub(super) fn forget(&mut self, name: &FunctionName) {
        let Some(slot) = self.names.remove(name) else { return };
        self.reserve_slot(slot, None);
        let function = &mut self.slots[slot];
        self.unreserved.allocated -= std::mem::take(&mut function.usage.allocated);
        function.provisioned.iter_mut().for_each(|(_, provisioned)| provisioned.allocated = 0);
        function.forget_idle_versions();
        function.is_forgotten = true;
        self.free_if_over(slot);
    }

    /// What the functions without reserved concurrency have together.
    fn unreserved_max(&self) -> u32 {
        self.limits.account_max.saturating_sub(self.reserved)
    }

    fn slot(&mut self, name: &FunctionName) -> Slot {
        if let Some(slot) = self.names.get(name) {
            return *slot;
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Function::default());
            self.slots.len() - 1
        });
        self.slots[slot].name = Some(name.clone());
        self.names.insert(name.clone(), slot);
        slot
    }

    fn free_if_over(&mut self, slot: Slot) {
        let function = &mut self.slots[slot];
        if function.is_forgotten && function.usage == Usage::default() {
            *function = Function::default();
            self.free.push(slot);
        }
    }
}

#[cfg(test)]
#[path = "counters_tests.rs"]
mod tests;
