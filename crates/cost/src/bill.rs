//! What an invocation and a kept environment cost, by AWS's rules.

use std::ops::AddAssign;

use hearth_telemetry::journal::{EnvironmentLife, JournalEntry};
use hearth_types::{Architecture, InitializationType, Runtime};

use crate::money::Money;
use crate::prices::Prices;

/// Which Init is billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BillingRule {
    /// Every one: AWS's rule since 2025-08-01.
    #[default]
    Today,
    /// Not that of a zip package on a managed runtime, on demand: AWS's rule until then.
    BeforeAugust2025,
}

impl BillingRule {
    /// Every rule.
    pub const ALL: &'static [Self] = &[Self::Today, Self::BeforeAugust2025];

    /// Returns its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Today => "today",
            Self::BeforeAugust2025 => "before-2025-08",
        }
    }

    /// Finds the rule with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|rule| rule.as_str() == word)
    }
}

/// A cost by what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// The requests themselves.
    pub requests: Money,
    /// The time of invocations.
    pub duration: Money,
    /// The time of Inits.
    pub init: Money,
    /// `/tmp` above what is free.
    pub ephemeral_storage: Money,
    /// Streamed responses above what is free.
    pub streaming: Money,
    /// Keeping provisioned environments.
    pub provisioned: Money,
}

impl Cost {
    /// Returns the whole.
    pub fn total(&self) -> Money {
        let Self { requests, duration, init, ephemeral_storage, streaming, provisioned } = *self;
        [requests, duration, init, ephemeral_storage, streaming, provisioned].into_iter().sum()
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.duration += other.duration;
        self.init += other.init;
        self.ephemeral_storage += other.ephemeral_storage;
        self.streaming += other.streaming;
        self.provisioned += other.provisioned;
    }
}

/// The billed time of an invocation, in ms. Its parts are rounded so that they add up to what REPORT says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BilledTime {
    /// That of the invocation.
    pub duration_ms: u64,
    /// That of its Init.
    pub init_ms: u64,
}

impl BilledTime {
    /// Returns what is billed of an invocation.
    pub fn of(call: &JournalEntry, rule: BillingRule) -> Self {
        let duration_ms = call.duration_us.div_ceil(1_000).min(call.billed_ms);
        let init_ms = match rule {
            BillingRule::BeforeAugust2025 if init_was_free(call.initialization_type, call.runtime) => 0,
            BillingRule::Today | BillingRule::BeforeAugust2025 => call.billed_ms - duration_ms,
        };
        Self { duration_ms, init_ms }
    }

    /// Returns all of it.
    pub fn total_ms(self) -> u64 {
        self.duration_ms + self.init_ms
    }
}

/// Whether Init was not billed before 2025-08-01. Hearth's functions are zip packages; there is no other one yet.
fn init_was_free(initialization_type: InitializationType, runtime: Runtime) -> bool {
    let is_managed = !runtime.as_str().starts_with("provided");
    initialization_type == InitializationType::OnDemand && is_managed
}

/// Returns what an invocation costs: its request, its time, its `/tmp` and its response. That its environment may have
/// been kept for it is not in there.
pub fn of_call(call: &JournalEntry, prices: &Prices, rule: BillingRule) -> Cost {
    let time = BilledTime::of(call, rule);
    let of_architecture = prices.of(call.architecture);
    let price = match call.initialization_type {
        InitializationType::OnDemand | InitializationType::SnapStart => of_architecture.duration,
        InitializationType::ProvisionedConcurrency => of_architecture.provisioned_duration,
    };
    let memory_mb = u128::from(call.memory_size_mb);
    let storage_mb = u128::from(call.ephemeral_storage_mb.saturating_sub(prices.ephemeral_storage_free_mb));
    Cost {
        requests: prices.requests_per_million.for_each_of_a_million(1),
        duration: price.for_mb_ms(memory_mb * u128::from(time.duration_ms)),
        init: price.for_mb_ms(memory_mb * u128::from(time.init_ms)),
        ephemeral_storage: prices.ephemeral_storage.for_mb_ms(storage_mb * u128::from(time.total_ms())),
        // Only a response that streams can be so long.
        streaming: prices
            .streaming
            .for_bytes(call.response_bytes.saturating_sub(prices.streaming_free_bytes)),
        provisioned: Money::ZERO,
    }
}

/// Returns what keeping an environment costs between two moments, in milliseconds since 1970: nothing unless it is
/// provisioned. Its Init, which no invocation is billed for, belongs to the moment at which it was made.
pub fn of_environment(life: &EnvironmentLife, from_ms: i64, to_ms: i64, prices: &Prices) -> Cost {
    if !life.is_provisioned() {
        return Cost::default();
    }
    let kept_ms = life.ended_epoch_ms.min(to_ms).saturating_sub(life.made_epoch_ms.max(from_ms)).max(0);
    let init_ms = match (from_ms..to_ms).contains(&life.made_epoch_ms) {
        true => life.init_us.div_ceil(1_000),
        false => 0,
    };
    let memory_mb = u128::from(life.memory_size_mb);
    let of_architecture = prices.of(life.architecture);
    Cost {
        init: of_architecture.provisioned_duration.for_mb_ms(memory_mb * u128::from(init_ms)),
        provisioned: of_architecture.provisioned.for_mb_ms(memory_mb * u128::from(kept_ms.unsigned_abs())),
        ..Cost::default()
    }
}

/// The time on demand of an invocation in MB·ms, by architecture: what tiers and the free tier are about.
pub(crate) fn on_demand_mb_ms(call: &JournalEntry, rule: BillingRule) -> Option<(Architecture, u128)> {
    let mb_ms = u128::from(call.memory_size_mb) * u128::from(BilledTime::of(call, rule).total_ms());
    (call.initialization_type != InitializationType::ProvisionedConcurrency)
        .then_some((call.architecture, mb_ms))
}
