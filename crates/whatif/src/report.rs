//! The question, and all that is answered to it: a curve for each family of policies.

use std::time::Duration;

use crate::advice::{self, Advice};
use crate::outcome::{Outcome, percentile, share};
use crate::policy::{Policy, PolicyKind};
use crate::prices::Prices;
use crate::simulation::{Scheduler, simulate};
use crate::traffic::Traffic;

/// The times of the curve of fixed keep-alive, in seconds.
const FIXED_S: [u64; 12] = [0, 1, 10, 30, 60, 120, 300, 600, 900, 1_800, 2_700, 3_600];
/// The memory limits of Greedy-Dual, in parts of what calls need at once at most.
const MEMORY_LIMITS: [f64; 6] = [1.0, 1.25, 1.5, 2.0, 3.0, 4.0];
/// How many points the curve of provisioned environments has at most.
const PROVISIONED_POINTS_MAX: u32 = 12;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// Which families.
    pub policies: Vec<PolicyKind>,
    /// The scheduler that the calls were recorded on.
    pub scheduler: Scheduler,
    /// Its idle time-out.
    pub idle_timeout: Duration,
}

/// The answer.
#[derive(Debug, Clone)]
pub struct Report {
    /// What was recorded.
    pub recorded: AsRecorded,
    /// What would have become of it, curve after curve.
    pub outcomes: Vec<Outcome>,
    /// What follows.
    pub advice: Advice,
}

/// What was recorded of the calls that are asked about.
#[derive(Debug, Clone, PartialEq)]
pub struct AsRecorded {
    /// When the first one arrived, in milliseconds since 1970.
    pub first_epoch_ms: i64,
    /// From then until the last one had ended.
    pub span: Duration,
    /// How many there were.
    pub calls: u64,
    /// How many of them waited for an Init.
    pub cold_calls: u64,
    /// What they waited: half of them at most this.
    pub added_p50_us: u64,
    /// 99 of 100 at most this.
    pub added_p99_us: u64,
    /// How many would run at once, had none waited.
    pub concurrency_max: u32,
    /// From how many recorded Inits those of the simulation are drawn.
    pub inits: u64,
    /// How many entries were left out because their numbers cannot be.
    pub left_out: u64,
}

impl AsRecorded {
    /// Returns the part of the calls that were cold.
    pub fn cold_share(&self) -> f64 {
        share(self.cold_calls, self.calls)
    }

    fn of(traffic: &Traffic) -> Self {
        let mut waited: Vec<u32> =
            traffic.calls.iter().map(|call| u32::try_from(call.waited_us).unwrap_or(u32::MAX)).collect();
        Self {
            first_epoch_ms: traffic.first_epoch_us.div_euclid(1_000),
            span: Duration::from_micros(traffic.asked_end_us),
            calls: traffic.calls.len() as u64,
            cold_calls: traffic.calls.iter().filter(|call| call.was_cold).count() as u64,
            added_p50_us: percentile(&mut waited, 50),
            added_p99_us: percentile(&mut waited, 99),
            concurrency_max: traffic.busiest().map_or(0, |function| traffic.concurrency_max(function)),
            inits: traffic.functions.iter().map(|function| function.inits.len() as u64).sum(),
            left_out: traffic.left_out(),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WhatIfError {
    /// Nothing to replay.
    #[error("no call of it is recorded in this time")]
    NoCalls,
    /// What a cold call would have waited is anybody's guess.
    #[error("no cold start of it is recorded in this time, so nobody knows what one takes")]
    NoInits,
}

/// Replays recorded calls under each policy that is asked for.
pub fn what_if(traffic: &Traffic, question: &Question, prices: &Prices) -> Result<Report, WhatIfError> {
    let asked = traffic.only_asked();
    if asked.calls.is_empty() {
        return Err(WhatIfError::NoCalls);
    }
    if !asked.knows_an_init() {
        return Err(WhatIfError::NoInits);
    }
    let recorded = AsRecorded { left_out: traffic.left_out(), ..AsRecorded::of(&asked) };
    let idle_timeout_us = u64::try_from(question.idle_timeout.as_micros()).unwrap_or(u64::MAX);
    let run = |policy: Policy| {
        // Only this one looks at the other functions.
        let traffic = if policy.kind() == PolicyKind::GreedyDual { traffic } else { &asked };
        simulate(traffic, policy, &question.scheduler, prices)
    };
    let points = |kind: PolicyKind| match kind {
        PolicyKind::Fixed => fixed(idle_timeout_us),
        PolicyKind::Histogram => vec![Policy::Histogram { fallback_us: idle_timeout_us }],
        PolicyKind::GreedyDual => greedy_dual(traffic.memory_mb_max()),
        PolicyKind::Provisioned => provisioned(recorded.concurrency_max, idle_timeout_us),
    };
    let outcomes: Vec<Outcome> = question.policies.iter().flat_map(|kind| points(*kind)).map(run).collect();
    let advice = advice::of(&recorded, &outcomes, idle_timeout_us);
    Ok(Report { recorded: AsRecorded { ..recorded }, outcomes, advice })
}

/// The curve, and the time that is set now.
fn fixed(idle_timeout_us: u64) -> Vec<Policy> {
    let mut times: Vec<u64> = FIXED_S.iter().map(|seconds| seconds * 1_000_000).collect();
    times.push(idle_timeout_us);
    times.sort_unstable();
    times.dedup();
    times.into_iter().map(|keep_alive_us| Policy::Fixed { keep_alive_us }).collect()
}

fn greedy_dual(memory_mb_max: u64) -> Vec<Policy> {
    let limit = |part: &f64| (memory_mb_max as f64 * part).ceil() as u64;
    let mut limits: Vec<u64> = MEMORY_LIMITS.iter().map(limit).collect();
    limits.dedup();
    limits.into_iter().map(|memory_mb| Policy::GreedyDual { memory_mb }).collect()
}

/// From none to as many as there were calls at once, evenly.
fn provisioned(concurrency_max: u32, keep_alive_us: u64) -> Vec<Policy> {
    let points = PROVISIONED_POINTS_MAX.min(concurrency_max + 1);
    let last = u64::from(points.max(2) - 1);
    let mut numbers: Vec<u32> =
        (0..=last).map(|at| (u64::from(concurrency_max) * at / last) as u32).collect();
    numbers.dedup();
    numbers.into_iter().map(|environments| Policy::Provisioned { environments, keep_alive_us }).collect()
}
