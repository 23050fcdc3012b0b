//! `/_hearth/metrics`: what is counted, and how things stand, in Prometheus's text format.
//!
//! Counts and times are those of `hearth-cloudwatch`, so that Prometheus and CloudWatch cannot differ; levels are read when
//! somebody scrapes. The format is written by hand: a crate for it would want to count by itself.

mod names;
mod process;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hearth_aws_wire::{Body, Response};
use hearth_cloudwatch::{BUCKETS, FunctionTotals, Histogram, Kind, Metric, OTHERS, Totals};
use hearth_telemetry::LogStore;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use tokio::sync::Mutex;

use crate::insight::Insight;
use names::{PHASES, counter, histogram};

const FORMAT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
/// How often it is looked at how much room logs take: there is a file or more for each group. Ours.
const LOG_BYTES_FOR: Duration = Duration::from_secs(60);

/// How much room logs took when somebody looked last.
#[derive(Default)]
pub(crate) struct LogBytes(Mutex<Option<(Instant, u64)>>);

impl LogBytes {
    async fn get(&self, logs: &Arc<LogStore>, now: Instant) -> u64 {
        // Who scrapes meanwhile waits for this look, and takes it.
        let mut last = self.0.lock().await;
        if let Some((at, bytes)) = *last
            && now.saturating_duration_since(at) < LOG_BYTES_FOR
        {
            return bytes;
        }
        let logs = logs.clone();
        let look = move || {
            let groups = logs.groups(None, usize::MAX, |_| true);
            groups.iter().map(|group| logs.stored_bytes(&group.name)).sum()
        };
        let bytes = tokio::task::spawn_blocking(look).await.unwrap_or(0);
        *last = Some((now, bytes));
        bytes
    }
}

/// Answers whoever scrapes.
pub(crate) async fn answer(insight: &Insight) -> Response {
    let mut page = Page::default();
    page.build();
    let metrics = insight.metrics.clone();
    let counted = tokio::task::spawn_blocking(move || {
        metrics.with_totals(|totals| page.totals(totals));
        page
    });
    let Ok(mut page) = counted.await else {
        let mut response = Response::new(Body::from("the metrics cannot be read\n".to_owned()));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return response;
    };
    levels(insight, &mut page).await;
    process::write(&mut page, insight.clock);
    let mut response = Response::new(Body::from(page.text));
    response.headers_mut().insert(CONTENT_TYPE, FORMAT);
    response
}

/// How things stand now.
async fn levels(insight: &Insight, page: &mut Page) {
    page.family("hearth_environments", "gauge", "Execution environments that live, by state.");
    let mut states = std::collections::BTreeMap::<&'static str, u64>::new();
    for status in insight.pool.environments() {
        *states.entry(status.environment.state().0).or_default() += 1;
    }
    for (state, number) in states {
        page.sample("hearth_environments", &[("state", state)], number as f64);
    }
    let concurrency = &insight.concurrency;
    page.single(
        "hearth_concurrent_executions",
        "gauge",
        "Invocations that run now.",
        concurrency.in_use().into(),
    );
    let help = "How many invocations may run at once.";
    page.single("hearth_concurrent_executions_limit", "gauge", help, concurrency.account_max().into());
    match insight.events.counts().await {
        Ok(counts) => {
            let help = "Asynchronous events that wait or run.";
            page.single("hearth_async_events_queued", "gauge", help, counts.queued as f64);
            let help = "Messages that wait to be brought to destinations and dead-letter queues.";
            page.single("hearth_destination_deliveries_queued", "gauge", help, counts.deliveries as f64);
        }
        // Two families less, and the reason in our log: what else is known is worth more than an error.
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "events cannot be counted");
        }
    }
    let help = "Steps of environments that were not counted, because too many came at once.";
    page.single("hearth_feed_steps_left_out_total", "counter", help, insight.metrics.steps_left_out() as f64);
    let help =
        "Values that are missing in CloudWatch, because the disk refused them or too many came at once.";
    page.single("hearth_metric_values_lost_total", "counter", help, insight.metrics.values_lost() as f64);
    let help = "Log events that were dropped, because the disk was too far behind.";
    page.single("hearth_log_events_dropped_total", "counter", help, insight.logs.dropped_events() as f64);
    let bytes = insight.log_bytes.get(&insight.logs, insight.clock.now()).await;
    page.single("hearth_log_size_bytes", "gauge", "How much room logs take on the disk.", bytes as f64);
}

/// A page while it is written.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    /// Begins a metric.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// Adds a value. No label's value has a character that would have to be escaped, and if it had, it would be.
    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.text.push_str(name);
        for (at, (label, of)) in labels.iter().enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            let of = of.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.text, "{before}{label}=\"{of}\"");
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{end} {value}");
    }

    /// Adds a metric that has one value.
    fn single(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    fn build(&mut self) {
        self.family("hearth_build_info", "gauge", "Which Hearth this is; always 1.");
        self.sample("hearth_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    }

    /// Adds what has been counted since the start.
    fn totals(&mut self, totals: &Totals) {
        for metric in Metric::ALL.iter().filter(|metric| metric.kind() == Kind::Count) {
            let Some(name) = counter(*metric) else { continue };
            self.family(name, "counter", metric.meaning());
            for (function, totals) in functions(totals) {
                if let Some(count) = totals.counts.get(metric) {
                    self.sample(name, &[("function", function)], *count);
                }
            }
        }
        let name = "hearth_cold_starts_total";
        self.family(name, "counter", "Invocations that had to wait for an Init, by the reason for it.");
        for (function, totals) in functions(totals) {
            for (reason, count) in &totals.cold_starts {
                self.sample(name, &[("function", function), ("reason", reason.as_str())], *count as f64);
            }
        }
        let name = "hearth_failed_invocations_total";
        self.family(name, "counter", "Invocations that did not succeed, by how they ended.");
        for (function, totals) in functions(totals) {
            for (status, count) in &totals.failures {
                self.sample(name, &[("function", function), ("status", status)], *count as f64);
            }
        }
        for metric in Metric::ALL.iter().filter(|metric| metric.kind() == Kind::Milliseconds) {
            let Some(name) = histogram(*metric) else { continue };
            self.family(name, "histogram", metric.meaning());
            for (function, totals) in functions(totals) {
                if let Some(times) = totals.times.get(metric) {
                    self.histogram(name, &[("function", function)], times);
                }
            }
        }
        let name = "hearth_init_phase_duration_seconds";
        self.family(name, "histogram", "How long the phases of Init took, where they are known.");
        for (function, totals) in functions(totals) {
            for (metric, phase) in PHASES {
                if let Some(times) = totals.times.get(&metric) {
                    self.histogram(name, &[("function", function), ("phase", phase)], times);
                }
            }
        }
    }

    fn histogram(&mut self, name: &str, labels: &[(&str, &str)], times: &Histogram) {
        let bucket = format!("{name}_bucket");
        let mut so_far = 0;
        for (end, count) in BUCKETS.iter().zip(times.buckets) {
            so_far += count;
            self.sample(&bucket, &[labels, &[("le", &end.to_string())]].concat(), so_far as f64);
        }
        self.sample(&bucket, &[labels, &[("le", "+Inf")]].concat(), times.count as f64);
        self.sample(&format!("{name}_sum"), labels, times.seconds);
        self.sample(&format!("{name}_count"), labels, times.count as f64);
    }
}

/// All functions by their names in labels.
fn functions(totals: &Totals) -> impl Iterator<Item = (&str, &FunctionTotals)> {
    totals.functions().map(|(name, totals)| (name.map_or(OTHERS, |name| name.as_str()), totals))
}
