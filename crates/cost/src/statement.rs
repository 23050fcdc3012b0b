//! A statement: costs gathered by function or by day, their sum, and what tiers and the free tier would take off it.

use std::collections::BTreeMap;

use hearth_telemetry::journal::{EnvironmentLife, JournalEntry};
use hearth_types::{Architecture, FunctionName};

use crate::bill::{BilledTime, BillingRule, Cost, of_call, of_environment, on_demand_mb_ms};
use crate::money::Money;
use crate::prices::Prices;

const DAY_MS: i64 = 86_400_000;
/// How many rows a statement has at most. What is beyond is in the sum, and is counted.
const ROWS_MAX: usize = 10_000;

/// What rows are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Functions.
    Function,
    /// Days, in UTC.
    Day,
}

/// What has gathered in a row, or in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Row {
    /// How many invocations.
    pub requests: u64,
    /// How many of them were cold.
    pub cold: u64,
    /// Their billed time, in ms.
    pub billed_ms: u64,
    /// That of their Inits.
    pub init_ms: u64,
    /// Billed time with the memory, in MB·ms.
    pub mb_ms: u128,
    /// What it costs.
    pub cost: Cost,
    /// What those that were cold cost.
    pub cold_cost: Money,
}

/// What is taken off the sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Discounts {
    /// By the lower prices of large months.
    pub tiers: Money,
    /// By what is free each month.
    pub free_tier: Money,
}

/// Costs that gather.
#[derive(Debug)]
pub struct Statement<'a> {
    prices: &'a Prices,
    rule: BillingRule,
    by: By,
    rows: BTreeMap<Key, Row>,
    total: Row,
    /// Invocations that belong to no row: there were too many.
    rowless: u64,
    /// By day, so that nothing has to be asked of a calendar for each call.
    days: BTreeMap<i64, OnDemand>,
}

/// What a row is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Function(FunctionName),
    /// Since 1970.
    Day(i64),
}

/// What tiers and the free tier are about.
#[derive(Debug, Clone, Copy, Default)]
struct OnDemand {
    requests: u64,
    x86_64_mb_ms: u128,
    arm64_mb_ms: u128,
}

impl Row {
    fn add_call(&mut self, call: &JournalEntry, time: BilledTime, cost: Cost) {
        self.requests += 1;
        self.billed_ms = self.billed_ms.saturating_add(time.total_ms());
        self.init_ms = self.init_ms.saturating_add(time.init_ms);
        self.mb_ms += u128::from(call.memory_size_mb) * u128::from(time.total_ms());
        self.cost += cost;
        if call.why_cold.is_some() {
            self.cold += 1;
            self.cold_cost += cost.total();
        }
    }
}

impl<'a> Statement<'a> {
    /// Begins with nothing.
    pub fn new(prices: &'a Prices, rule: BillingRule, by: By) -> Self {
        Self {
            prices,
            rule,
            by,
            rows: BTreeMap::new(),
            total: Row::default(),
            rowless: 0,
            days: BTreeMap::new(),
        }
    }

    /// Adds an invocation; returns what it costs.
    pub fn add_call(&mut self, call: &JournalEntry) -> Cost {
        let time = BilledTime::of(call, self.rule);
        let cost = of_call(call, self.prices, self.rule);
        self.total.add_call(call, time, cost);
        let key = match self.by {
            By::Function => Key::Function(call.function.clone()),
            By::Day => Key::Day(day(call.started_epoch_ms)),
        };
        match self.row(key) {
            Some(row) => row.add_call(call, time, cost),
            None => self.rowless += 1,
        }
        let of_day = self.days.entry(day(call.started_epoch_ms)).or_default();
        of_day.requests += 1;
        match on_demand_mb_ms(call, self.rule) {
            Some((Architecture::X86_64, mb_ms)) => of_day.x86_64_mb_ms += mb_ms,
            Some((Architecture::Arm64, mb_ms)) => of_day.arm64_mb_ms += mb_ms,
            None => {}
        }
        cost
    }

    /// Adds what keeping an environment cost between two moments, in milliseconds since 1970.
    pub fn add_environment(&mut self, life: &EnvironmentLife, from_ms: i64, to_ms: i64) {
        if !life.is_provisioned() {
            return;
        }
        let (from_ms, to_ms) =
            (from_ms.max(life.made_epoch_ms), to_ms.min(life.ended_epoch_ms.saturating_add(1)));
        match self.by {
            By::Function => self.add_kept(life, Key::Function(life.function.clone()), from_ms, to_ms),
            By::Day => {
                let mut begins = from_ms;
                while begins < to_ms {
                    let ends = begins.div_euclid(DAY_MS).saturating_add(1).saturating_mul(DAY_MS).min(to_ms);
                    self.add_kept(life, Key::Day(day(begins)), begins, ends);
                    begins = ends;
                }
            }
        }
    }

    fn add_kept(&mut self, life: &EnvironmentLife, key: Key, from_ms: i64, to_ms: i64) {
        let cost = of_environment(life, from_ms, to_ms, self.prices);
        self.total.cost += cost;
        if let Some(row) = self.row(key) {
            row.cost += cost;
        }
    }

    fn row(&mut self, key: Key) -> Option<&mut Row> {
        if self.rows.len() >= ROWS_MAX && !self.rows.contains_key(&key) {
            return None;
        }
        Some(self.rows.entry(key).or_default())
    }

    /// Returns the rows, by name or day.
    pub fn rows(&self) -> impl Iterator<Item = (String, &Row)> {
        let name = |key: &Key| match key {
            Key::Function(function) => function.as_str().to_owned(),
            Key::Day(day) => date(day.saturating_mul(DAY_MS)),
        };
        self.rows.iter().map(move |(key, row)| (name(key), row))
    }

    /// Returns the sum of all, also of what has no row.
    pub fn total(&self) -> &Row {
        &self.total
    }

    /// Returns how many invocations are in no row.
    pub fn rowless(&self) -> u64 {
        self.rowless
    }

    /// Returns what is taken off the sum. Each calendar month, in UTC, counts for itself, with what of it is in here: a
    /// part of a month has all that is free in it. What is free is taken off the dearer architecture first.
    pub fn discounts(&self, with_tiers: bool, with_free_tier: bool) -> Discounts {
        let mut discounts = Discounts::default();
        let (x86_64, arm64) = (&self.prices.x86_64, &self.prices.arm64);
        let mut months: BTreeMap<String, OnDemand> = BTreeMap::new();
        for (day, of_day) in &self.days {
            let month = months.entry(month(day.saturating_mul(DAY_MS))).or_default();
            month.requests += of_day.requests;
            month.x86_64_mb_ms += of_day.x86_64_mb_ms;
            month.arm64_mb_ms += of_day.arm64_mb_ms;
        }
        for month in months.values() {
            let (mut x86_mb_ms, mut arm_mb_ms) = (month.x86_64_mb_ms, month.arm64_mb_ms);
            if with_free_tier {
                let requests = month.requests.min(self.prices.free_requests);
                discounts.free_tier += self.prices.requests_per_million.for_each_of_a_million(requests);
                let mut free_mb_ms = self.prices.free_mb_ms();
                let mut by_price = [(x86_64, &mut x86_mb_ms), (arm64, &mut arm_mb_ms)];
                by_price.sort_by_key(|(prices, _)| std::cmp::Reverse(prices.duration));
                for (prices, mb_ms) in by_price {
                    let free = free_mb_ms.min(*mb_ms);
                    free_mb_ms -= free;
                    *mb_ms -= free;
                    discounts.free_tier += prices.duration.for_mb_ms(free);
                }
            }
            if with_tiers {
                for (prices, mb_ms) in [(x86_64, x86_mb_ms), (arm64, arm_mb_ms)] {
                    discounts.tiers += prices.duration.for_mb_ms(mb_ms).less(prices.tiered(mb_ms));
                }
            }
        }
        discounts
    }
}

fn day(epoch_ms: i64) -> i64 {
    epoch_ms.div_euclid(DAY_MS)
}

/// `2026-11-30`, in UTC.
pub fn date(epoch_ms: i64) -> String {
    let timestamp = jiff::Timestamp::from_millisecond(epoch_ms).unwrap_or_default();
    timestamp.to_string().chars().take(10).collect()
}

fn month(epoch_ms: i64) -> String {
    date(epoch_ms).chars().take(7).collect()
}
