//! From what happened to values of metrics: invocations that have ended ([`hearth_telemetry::Feed`]), what only their walk
//! knows ([`Counted`]), and how much concurrency was used.

use std::collections::HashMap;
use std::time::Duration;

use hearth_invoke::{ConcurrencyPeaks, Counted, Fact, ProvisionedUse};
use hearth_telemetry::{FinishedInvocation, PhaseStatus};
use hearth_types::{FunctionName, Qualifier, RequestId, Version};

use crate::counts::{Called, Counts};
use crate::metric::Metric;
use crate::series::{Dimensions, Series};
use crate::totals::Totals;

/// For how long it is remembered by which name a call came that has not ended. Above Lambda's longest Init and invocation.
const REMEMBERED_MS: i64 = 3_600_000;
/// How many calls are remembered. Far above what runs at once.
const REMEMBERED_MAX: usize = 100_000;

/// Everything that was heard.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) counts: Counts,
    pub(crate) totals: Totals,
    runs: Runs,
}

/// By which names calls came that run. In two generations, so that those whose end is never heard of are forgotten.
#[derive(Default)]
struct Runs {
    now: HashMap<RequestId, Run>,
    before: HashMap<RequestId, Run>,
    since_ms: i64,
}

struct Run {
    called: Called,
    provisioned: ProvisionedUse,
}

impl Runs {
    fn begin(&mut self, request_id: RequestId, run: Run, epoch_ms: i64) {
        if self.now.len() >= REMEMBERED_MAX || epoch_ms - self.since_ms > REMEMBERED_MS {
            self.before = std::mem::take(&mut self.now);
            self.since_ms = epoch_ms;
        }
        self.now.insert(request_id, run);
    }

    fn end(&mut self, request_id: &RequestId) -> Option<Run> {
        self.now.remove(request_id).or_else(|| self.before.remove(request_id))
    }
}

impl Heard {
    /// Counts an invocation that has ended. All of it counts for the minute in which it began.
    pub(crate) fn ended(&mut self, invocation: &FinishedInvocation) {
        let FinishedInvocation { environment, summary, started_epoch_ms, .. } = invocation;
        let (function, report) = (&environment.facts.function, &summary.report);
        let run = self.runs.end(&summary.request_id);
        let provisioned = run.as_ref().map_or(ProvisionedUse::None, |run| run.provisioned);
        let called = run.map(|run| run.called).unwrap_or_default();
        let is_error = match report.status {
            PhaseStatus::Timeout | PhaseStatus::Error { .. } => true,
            // That it is ours, AWS does not count as the function's.
            PhaseStatus::Success | PhaseStatus::Failure => false,
        };
        let totals = self.totals.of(function);
        let mut row = self.counts.row(function, called, *started_epoch_ms);
        let mut add = |metric: Metric, value: f64| {
            totals.add(metric, value);
            if let Some(row) = &mut row {
                row.add(metric, value);
            }
        };
        add(Metric::Invocations, 1.0);
        // With a value for each, their averages are the rates of errors and throttles, as on AWS.
        add(Metric::Errors, f64::from(u8::from(is_error)));
        add(Metric::Throttles, 0.0);
        add(Metric::Duration, ms(report.duration));
        match provisioned {
            ProvisionedUse::None => {}
            ProvisionedUse::Provisioned => add(Metric::ProvisionedConcurrencyInvocations, 1.0),
            ProvisionedUse::Spillover => add(Metric::ProvisionedConcurrencySpilloverInvocations, 1.0),
        }
        let times = [
            (Metric::PostRuntimeExtensionsDuration, summary.extension_overhead),
            (Metric::InitDuration, report.init_duration),
            (Metric::ExtensionInitDuration, summary.extension_init),
            (Metric::RuntimeInitDuration, summary.runtime_init),
            (Metric::FunctionInitDuration, summary.function_init),
        ];
        for (metric, time) in times {
            if let Some(time) = time {
                add(metric, ms(time));
            }
        }
        if let Some(reason) = summary.why_cold {
            add(Metric::ColdStarts, 1.0);
            *totals.cold_starts.entry(reason).or_default() += 1;
            let dimensions = [("FunctionName", function.as_str()), ("Reason", reason.as_str())];
            let series = Series { metric: Metric::ColdStarts, dimensions: Dimensions::new(dimensions) };
            self.counts.add(series, *started_epoch_ms, 1.0);
        }
        if report.status != PhaseStatus::Success {
            *totals.failures.entry(report.status.as_str()).or_default() += 1;
        }
    }

    /// Counts what was said at a moment.
    pub(crate) fn said(&mut self, epoch_ms: i64, counted: Counted) {
        let Counted { function, qualifier, fact } = counted;
        if let Fact::Runs { request_id, executed_version, provisioned } = fact {
            let called = Called { qualifier, executed_version };
            self.runs.begin(request_id, Run { called, provisioned }, epoch_ms);
            return;
        }
        let totals = self.totals.of(&function);
        let mut row = self.counts.row(&function, Called { qualifier, executed_version: None }, epoch_ms);
        let mut add = |metric: Metric, value: f64| {
            totals.add(metric, value);
            if let Some(row) = &mut row {
                row.add(metric, value);
            }
        };
        match fact {
            Fact::Runs { .. } => {}
            Fact::Throttled => add(Metric::Throttles, 1.0),
            Fact::RecursionStopped => add(Metric::RecursiveInvocationsDropped, 1.0),
            Fact::EventReceived => add(Metric::AsyncEventsReceived, 1.0),
            Fact::EventRuns { age } => add(Metric::AsyncEventAge, ms(age)),
            Fact::EventDropped => add(Metric::AsyncEventsDropped, 1.0),
            Fact::DeadLetterFailed => add(Metric::DeadLetterErrors, 1.0),
            Fact::DestinationFailed => add(Metric::DestinationDeliveryFailures, 1.0),
            Fact::BatchRuns { age } => add(Metric::IteratorAge, ms(age)),
            Fact::UrlAnswered { status, latency } => {
                add(Metric::UrlRequestCount, 1.0);
                add(Metric::UrlRequestLatency, ms(latency));
                let is_4xx = (400..500).contains(&status);
                let is_5xx = (500..600).contains(&status);
                add(Metric::Url4xxCount, f64::from(u8::from(is_4xx)));
                add(Metric::Url5xxCount, f64::from(u8::from(is_5xx)));
            }
        }
    }

    /// Takes how much concurrency was used up to a moment. What nobody used is no value.
    pub(crate) fn used(&mut self, epoch_ms: i64, peaks: &ConcurrencyPeaks) {
        let mut add =
            |metric, dimensions, value| self.counts.add(Series { metric, dimensions }, epoch_ms, value);
        let account = [
            (Metric::ConcurrentExecutions, peaks.account),
            (Metric::UnreservedConcurrentExecutions, peaks.unreserved),
            (Metric::ClaimedAccountConcurrency, peaks.claimed),
        ];
        for (metric, value) in account {
            if value > 0 {
                add(metric, Dimensions::default(), f64::from(value));
            }
        }
        let (mut provisioned, mut allocated) = (0, 0);
        for function in &peaks.functions {
            let name = &function.name;
            if function.peak > 0 {
                add(Metric::ConcurrentExecutions, of(name, None), f64::from(function.peak));
            }
            let (mut of_function, mut allocated_of_function) = (0, 0);
            for version in &function.versions {
                let dimensions = of(name, Some(version.version));
                let (peak, all) = (version.peak, version.allocated);
                add(Metric::ProvisionedConcurrentExecutions, dimensions.clone(), f64::from(peak));
                add(Metric::ProvisionedConcurrencyUtilization, dimensions, share(peak, all));
                of_function += peak;
                allocated_of_function += all;
            }
            if !function.versions.is_empty() {
                let used = share(of_function, allocated_of_function);
                add(Metric::ProvisionedConcurrentExecutions, of(name, None), f64::from(of_function));
                add(Metric::ProvisionedConcurrencyUtilization, of(name, None), used);
            }
            provisioned += of_function;
            allocated += allocated_of_function;
        }
        if allocated > 0 {
            add(Metric::ProvisionedConcurrentExecutions, Dimensions::default(), f64::from(provisioned));
            add(
                Metric::ProvisionedConcurrencyUtilization,
                Dimensions::default(),
                share(provisioned, allocated),
            );
        }
    }
}

fn of(function: &FunctionName, version: Option<Version>) -> Dimensions {
    let by_function = ("FunctionName", function.to_string());
    match version.map(Qualifier::Version) {
        Some(version) => Dimensions::new([by_function, ("Resource", format!("{function}:{version}"))]),
        None => Dimensions::new([by_function]),
    }
}

fn share(used: u32, of: u32) -> f64 {
    if of == 0 { 0.0 } else { f64::from(used.min(of)) / f64::from(of) }
}

/// Milliseconds, with what is below them.
fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
