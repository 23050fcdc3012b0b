//! `GET /_hearth/lanes`: what every environment did in a span of time, and the calls that it had, of one function or of all.
//! Moments are milliseconds since 1970, with three decimals.
//!
//! Environments that the recorder still knows are told step by step; calls of others, and those that have fallen out of the
//! record, are told from the journal: of those nothing is known between two calls.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use hearth_aws_wire::Response;
use hearth_telemetry::journal::{JournalEntry, JournalQuery};
use hearth_telemetry::timeline::{self, Span};
use hearth_telemetry::{EnvironmentRecord, LifecycleEvent};
use hearth_types::{EnvironmentId, FunctionName, RequestId};
use http::StatusCode;
use serde_json::{Value, json};

use super::{Insight, Query, answer, error};

/// Most calls in one answer, the latest.
const CALLS_MAX: usize = 50_000;
/// The longest that a call lasts, with its Init: so long before the span of time one may have begun that reaches into it.
const LONGEST_MS: i64 = 930_000;

/// A span of time, in milliseconds since 1970.
#[derive(Clone, Copy)]
struct Window {
    from_ms: f64,
    to_ms: f64,
}

impl Window {
    fn has(&self, start_ms: f64, end_ms: Option<f64>) -> bool {
        start_ms < self.to_ms && end_ms.is_none_or(|end_ms| end_ms >= self.from_ms)
    }
}

impl Insight {
    pub(super) async fn lanes(&self, query: &Query<'_>) -> Response {
        let function = match query.get("function").map(|name| FunctionName::new(&name)).transpose() {
            Ok(function) => function,
            Err(cause) => return error(StatusCode::BAD_REQUEST, &cause.to_string()),
        };
        let ms = |name| query.number(name).and_then(|ms| i64::try_from(ms).ok());
        let (from_ms, to_ms) = (ms("from_ms"), ms("to_ms"));
        let window = Window {
            from_ms: from_ms.map_or(f64::MIN, |ms| ms as f64),
            to_ms: to_ms.map_or(f64::MAX, |ms| ms as f64),
        };
        let asked = JournalQuery {
            function: function.clone(),
            from_epoch_ms: from_ms.map(|ms| ms.saturating_sub(LONGEST_MS)),
            to_epoch_ms: to_ms,
            limit: Some(CALLS_MAX),
        };
        let (feed, journal, recorder, clock) =
            (self.feed.clone(), self.journal.clone(), self.recorder.clone(), self.clock);
        let read = move || -> std::io::Result<Value> {
            feed.catch_up();
            let entries = journal.entries(&asked)?;
            let records = recorder.environments(function.as_ref());
            let now = clock.now();
            // Of one moment of both clocks, so that steps that follow each other do so here, too.
            let zero_ms = clock.epoch_ms() as f64 - 1_000.0 * clock.since_start(now).as_secs_f64();
            let at = move |at: Instant| rounded(zero_ms + 1_000.0 * clock.since_start(at).as_secs_f64());
            let lanes = lanes(&records, &entries, window, at);
            Ok(json!({
                "now_ms": at(now),
                "is_complete": entries.len() < CALLS_MAX,
                "lanes": lanes,
            }))
        };
        match tokio::task::spawn_blocking(read).await.map_err(std::io::Error::other).flatten() {
            Ok(value) => answer(&value),
            Err(cause) => {
                tracing::error!(error = &cause as &dyn std::error::Error, "the journal cannot be read");
                error(StatusCode::INTERNAL_SERVER_ERROR, "the journal cannot be read")
            }
        }
    }
}

/// Three decimals.
fn rounded(ms: f64) -> f64 {
    (ms * 1_000.0).round() / 1_000.0
}

fn lanes(
    records: &[Arc<EnvironmentRecord>],
    entries: &[JournalEntry],
    window: Window,
    at: impl Fn(Instant) -> f64 + Copy,
) -> Vec<Value> {
    let mut of_environment: HashMap<EnvironmentId, Vec<&JournalEntry>> = HashMap::new();
    for entry in entries {
        of_environment.entry(entry.environment).or_default().push(entry);
    }
    let mut lanes: Vec<(f64, Value)> = Vec::new();
    for record in records {
        let entries = of_environment.remove(&record.facts.id).unwrap_or_default();
        let steps = record.events();
        let spans = timeline::spans(&steps);
        let told: HashSet<RequestId> = spans.iter().filter_map(|span| span.request_id).collect();
        // An Init that is over fell out of the record before the calls did.
        let mut all: Vec<Value> = entries
            .iter()
            .filter(|entry| !told.contains(&entry.request_id))
            .flat_map(|entry| spans_of(entry))
            .filter(|span| has(window, span))
            .collect();
        all.extend(spans.iter().map(|span| span_json(span, at)).filter(|span| has(window, span)));
        let calls = calls(&entries, &spans, window, at);
        if all.is_empty() && calls.is_empty() {
            continue;
        }
        let facts = &record.facts;
        let ended = steps.last().filter(|(_, event, _)| matches!(event, LifecycleEvent::ShutdownDone));
        let extensions: Vec<Value> = timeline::extensions(&steps)
            .iter()
            .map(|lane| {
                let spans = lane.spans.iter().map(|span| {
                    let status = span.failure.as_ref().map(|failure| failure.as_str());
                    json!([span.phase.as_str(), at(span.start), span.end.map(at), Value::Null, status])
                });
                let spans: Vec<Value> = spans.filter(|span| has(window, span)).collect();
                json!({ "name": lane.name.as_str(), "spans": spans })
            })
            .collect();
        lanes.push((
            facts.created_epoch_ms as f64,
            json!({
                "environment_id": facts.id.to_string(),
                "function_name": facts.function.as_str(),
                "version": facts.version.to_string(),
                "log_group": facts.log_group.as_str(),
                "log_stream": facts.log_stream.as_str(),
                "memory_size_mb": facts.memory_size_mb,
                "why_cold": facts.why_created.as_str(),
                "initialization_type": facts.initialization_type.as_str(),
                "ended_ms": ended.map(|(ended, ..)| at(*ended)),
                "is_recorded": true,
                "spans": all,
                "extensions": extensions,
                "calls": calls,
            }),
        ));
    }
    for (id, entries) in of_environment {
        let spans: Vec<Value> =
            entries.iter().flat_map(|entry| spans_of(entry)).filter(|span| has(window, span)).collect();
        let calls = calls(&entries, &[], window, at);
        let (Some(first), false) = (entries.first(), calls.is_empty()) else { continue };
        lanes.push((
            first.started_epoch_ms as f64,
            json!({
                "environment_id": id.to_string(),
                "function_name": first.function.as_str(),
                "version": first.version.to_string(),
                "log_group": first.log_group.as_str(),
                "log_stream": first.log_stream.as_str(),
                "memory_size_mb": first.memory_size_mb,
                "why_cold": entries.iter().find_map(|entry| entry.why_cold).map(|why| why.as_str()),
                "initialization_type": first.initialization_type.as_str(),
                "ended_ms": Value::Null,
                "is_recorded": false,
                "spans": spans,
                "extensions": [],
                "calls": calls,
            }),
        ));
    }
    lanes.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    lanes.into_iter().map(|(_, lane)| lane).collect()
}

fn has(window: Window, span: &Value) -> bool {
    span[1].as_f64().is_some_and(|start_ms| window.has(start_ms, span[2].as_f64()))
}

/// Phase, start, end, request, status.
fn span_json(span: &Span, at: impl Fn(Instant) -> f64) -> Value {
    json!([
        span.phase.as_str(),
        at(span.start),
        span.end.map(&at),
        span.request_id.map(|id| id.to_string()),
        span.status.as_ref().map(|status| status.as_str()),
    ])
}

/// The spans of a call of which only the journal tells: the parts of its Init end where it begins.
fn spans_of(entry: &JournalEntry) -> Vec<Value> {
    let ms = |us: u64| us as f64 / 1_000.0;
    let start_ms = entry.started_epoch_ms as f64;
    let mut parts: Vec<(&str, u64)> = [
        ("extension-init", entry.extension_init_us),
        ("runtime-init", entry.runtime_init_us),
        ("function-init", entry.function_init_us),
        ("extension-wait", entry.extension_wait_us),
    ]
    .into_iter()
    .filter_map(|(phase, us)| Some((phase, us.filter(|us| *us > 0)?)))
    .collect();
    if parts.is_empty() {
        parts.extend(entry.init_us.map(|init_us| ("init", init_us)));
    }
    let mut begins = start_ms - ms(parts.iter().map(|(_, us)| us).sum());
    let mut spans = Vec::new();
    for (phase, us) in parts {
        let ends = begins + ms(us);
        spans.push(json!([phase, rounded(begins), rounded(ends), Value::Null, "success"]));
        begins = ends;
    }
    let overhead_us = entry.extension_overhead_us.unwrap_or(0).min(entry.duration_us);
    let (done, ended) = (start_ms + ms(entry.duration_us - overhead_us), start_ms + ms(entry.duration_us));
    let id = entry.request_id.to_string();
    spans.push(json!(["invoke", start_ms, rounded(done), id, entry.status]));
    if overhead_us > 0 {
        spans.push(json!(["extension-overhead", rounded(done), rounded(ended), id, entry.status]));
    }
    spans
}

/// The figures of calls that have ended, at the same moments as their spans.
fn calls(
    entries: &[&JournalEntry],
    spans: &[Span],
    window: Window,
    at: impl Fn(Instant) -> f64,
) -> Vec<Value> {
    let ms = |us: u64| us as f64 / 1_000.0;
    let started: HashMap<RequestId, Instant> =
        spans.iter().rev().filter_map(|span| Some((span.request_id?, span.start))).collect();
    let call = |entry: &&JournalEntry| {
        let start_ms =
            started.get(&entry.request_id).map_or(entry.started_epoch_ms as f64, |started| at(*started));
        window.has(start_ms, Some(start_ms + ms(entry.duration_us))).then(|| {
            json!({
                "request_id": entry.request_id.to_string(),
                "start_ms": start_ms,
                "journal_ms": entry.started_epoch_ms,
                "duration_ms": ms(entry.duration_us),
                "init_ms": entry.init_us.map(ms),
                "overhead_ms": entry.extension_overhead_us.map(ms),
                "billed_ms": entry.billed_ms,
                "max_memory_used_mb": entry.max_memory_used_mb,
                "why_cold": entry.why_cold.map(|why| why.as_str()),
                "status": entry.status,
                "error_type": entry.error_type,
            })
        })
    };
    entries.iter().filter_map(call).collect()
}
