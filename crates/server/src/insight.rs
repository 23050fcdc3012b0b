//! Hearth's own HTTP, under `/_hearth/`: what runs, what happened, what an Init imports, and the logs. All of it is JSON, but
//! for what Prometheus scrapes.

mod cold_json;
mod cost;
mod faults;
pub(crate) mod flame;
mod flame_advice;
mod flame_json;
mod invocations_json;
mod lanes;
mod live;
mod prices;
mod tax;
mod timeline_json;
mod top;
mod whatif;
mod whatif_json;

use std::sync::Arc;
use std::time::{Duration, Instant};

use hearth_aws_wire::{Body, Response};
use hearth_cloudwatch::Metrics;
use hearth_cost::Prices;
use hearth_functions::Functions;
use hearth_invoke::{Concurrency, EventQueue};
use hearth_pool::{InjectedFaults, Pool};
use hearth_sandbox::Facts;
use hearth_telemetry::journal::{Journal, JournalQuery};
use hearth_telemetry::timeline;
use hearth_telemetry::{Clock, Feed, LogStore, LogStoreError, Recorder};
use hearth_types::{FunctionName, LogGroupName};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

pub(crate) use cost::STATEMENTS_MAX;
pub(crate) use live::Live;

use self::flame::Flames;

use crate::prometheus::{self, LogBytes};

/// Longest time that a request for logs waits for new ones.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// Most events in one page of logs.
const EVENTS_MAX: usize = 10_000;
/// Most invocations in one answer.
const INVOCATIONS_MAX: usize = 100_000;

pub(crate) use self::whatif::Scheduling;

/// Answers everything under `/_hearth/` but the code of functions.
pub(crate) struct Insight {
    pub(crate) functions: Arc<Functions>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) events: Arc<EventQueue>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) feed: Arc<Feed>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) prices: Arc<Prices>,
    pub(crate) live: Arc<Live>,
    /// Turns of those who make a statement of costs.
    pub(crate) statements: Arc<Semaphore>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) concurrency: Arc<Concurrency>,
    pub(crate) logs: Arc<LogStore>,
    pub(crate) log_bytes: LogBytes,
    pub(crate) clock: Clock,
    pub(crate) walls: Facts,
    pub(crate) scheduling: Scheduling,
    pub(crate) flames: Arc<Flames>,
    /// The faults that somebody wants; `None` where nobody may.
    pub(crate) faults: Option<Arc<InjectedFaults>>,
}

impl Insight {
    /// Answers one request; `path` is what follows `/_hearth/`.
    pub(crate) async fn answer<B>(&self, path: &str, request: &Request<B>) -> Response {
        if let Some(name) = path.strip_prefix("functions/").and_then(|rest| rest.strip_suffix("/flame")) {
            return match self.existing(name) {
                Ok(name) => self.flame(&name, request).await,
                Err(response) => *response,
            };
        }
        if request.method() != Method::GET {
            return error(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here");
        }
        let query = Query(request.uri().query().unwrap_or(""));
        let parts: Vec<&str> = path.split('/').collect();
        match parts[..] {
            ["health"] => answer(&json!({ "status": "ready", "version": env!("CARGO_PKG_VERSION") })),
            ["environments"] => self.environments(&query),
            ["isolation"] => self.isolation(),
            ["invocations"] => self.invocations(&query).await,
            ["cost"] => self.cost(&query).await,
            ["prices"] => self.prices(),
            ["top"] => self.top().await,
            ["lanes"] => self.lanes(&query).await,
            ["events"] => self.events().await,
            ["metrics"] => prometheus::answer(self).await,
            ["functions", name, "timeline"] => match self.existing(name) {
                Ok(name) => self.timeline(&name),
                Err(response) => *response,
            },
            ["functions", name, "whatif"] => self.whatif(name, &query).await,
            ["functions", name, "tax"] => match self.existing(name) {
                Ok(name) => self.tax(&name),
                Err(response) => *response,
            },
            ["logs", name] => match FunctionName::new(&decoded(name)) {
                Ok(name) => self.logs(&name, &query).await,
                Err(cause) => error(StatusCode::BAD_REQUEST, &cause.to_string()),
            },
            _ => error(StatusCode::NOT_FOUND, "there is nothing here"),
        }
    }

    /// What keeps functions away from this host and from each other, and what does not.
    fn isolation(&self) -> Response {
        let Facts { isolation, facts } = &self.walls;
        let facts: Vec<Value> = facts
            .iter()
            .map(|fact| json!({ "what": fact.what, "state": fact.state, "in_force": fact.is_in_force }))
            .collect();
        answer(&json!({ "isolation": isolation.name(), "facts": facts }))
    }

    /// How many asynchronous events wait or run, and how many were dropped, by reason.
    async fn events(&self) -> Response {
        match self.events.counts().await {
            Ok(counts) => {
                let dropped: serde_json::Map<String, Value> =
                    counts.dropped.into_iter().map(|(reason, count)| (reason, count.into())).collect();
                answer(
                    &json!({ "queued": counts.queued, "deliveries": counts.deliveries, "dropped": dropped }),
                )
            }
            Err(cause) => {
                tracing::error!(error = &cause as &dyn std::error::Error, "events cannot be counted");
                error(StatusCode::INTERNAL_SERVER_ERROR, "the events cannot be counted")
            }
        }
    }

    /// The invocations that have ended, oldest first: of one function or of all, by the time in which they started.
    async fn invocations(&self, query: &Query<'_>) -> Response {
        let function = match query.get("function").map(|name| FunctionName::new(&name)).transpose() {
            Ok(function) => function,
            Err(cause) => return error(StatusCode::BAD_REQUEST, &cause.to_string()),
        };
        let ms = |name| query.number(name).and_then(|ms| i64::try_from(ms).ok());
        let asked = JournalQuery {
            function,
            from_epoch_ms: ms("from_ms"),
            to_epoch_ms: ms("to_ms"),
            limit: Some(
                query.number("limit").map_or(1_000, |limit| limit as usize).clamp(1, INVOCATIONS_MAX),
            ),
        };
        let (feed, journal) = (self.feed.clone(), self.journal.clone());
        let read = move || {
            feed.catch_up();
            journal.entries_and_damage(&asked)
        };
        match tokio::task::spawn_blocking(read).await.map_err(std::io::Error::other).flatten() {
            Ok((entries, scanned)) => {
                let entry = |entry| invocations_json::entry(entry, &self.prices);
                let entries: Vec<Value> = entries.iter().map(entry).collect();
                answer(&json!({ "invocations": entries, "damaged_lines": scanned.damaged }))
            }
            Err(cause) => {
                tracing::error!(error = &cause as &dyn std::error::Error, "the journal cannot be read");
                error(StatusCode::INTERNAL_SERVER_ERROR, "the journal cannot be read")
            }
        }
    }

    fn existing(&self, name: &str) -> Result<FunctionName, Box<Response>> {
        let name = FunctionName::new(&decoded(name))
            .map_err(|cause| Box::new(error(StatusCode::BAD_REQUEST, &cause.to_string())))?;
        match self.functions.get(&name) {
            Ok(_) => Ok(name),
            Err(cause) => Err(Box::new(error(StatusCode::NOT_FOUND, &cause.to_string()))),
        }
    }

    fn environments(&self, query: &Query<'_>) -> Response {
        let function = query.get("function");
        let function = function.as_deref();
        answer(&json!({
            "environments": self.environment_values(function),
            // Nothing of their functions runs there yet: they are no environments.
            "prebooted": self.pool.prebooted(|name| function.is_none_or(|only| name.as_str() == only)),
        }))
    }

    /// The environments of one function, or of all, the oldest first.
    fn environment_values(&self, function: Option<&str>) -> Vec<Value> {
        let mut environments: Vec<(i64, Value)> = self
            .pool
            .environments()
            .into_iter()
            .map(|status| status.environment)
            .filter(|environment| {
                function.is_none_or(|name| environment.record().facts.function.as_str() == name)
            })
            .map(|environment| {
                let record = environment.record();
                let (state, pid) = environment.state();
                let value = json!({
                    "environment_id": record.facts.id.to_string(),
                    "function_name": record.facts.function.as_str(),
                    "version": record.facts.version.to_string(),
                    "state": state,
                    "log_stream": record.facts.log_stream.as_str(),
                    "created_at": timestamp(record.facts.created_epoch_ms),
                    "invocations": record.invocations(),
                    "why_cold": record.facts.why_created.as_str(),
                    "prebooted": record.facts.is_prebooted,
                    "max_memory_used_mb": environment.memory_bytes_max().div_ceil(1 << 20),
                    "pid": pid,
                });
                (record.facts.created_epoch_ms, value)
            })
            .collect();
        environments.sort_by_key(|(created, _)| *created);
        environments.into_iter().map(|(_, value)| value).collect()
    }

    fn timeline(&self, name: &FunctionName) -> Response {
        let records = self.recorder.environments(Some(name));
        let steps: Vec<_> = records.iter().map(|record| record.events()).collect();
        let mut invocations: Vec<_> = records
            .iter()
            .zip(&steps)
            .flat_map(|(record, steps)| timeline::invocations(record.facts.id, steps))
            .collect();
        invocations.sort_by_key(|invocation| invocation.start);
        let ms = |at| self.ms(at);
        answer(&json!({
            "function_name": name.as_str(),
            "now_ms": self.ms(self.clock.now()),
            "environments": records
                .iter()
                .zip(&steps)
                .map(|(record, steps)| {
                    json!({
                        "environment_id": record.facts.id.to_string(),
                        "log_stream": record.facts.log_stream.as_str(),
                        "why_cold": record.facts.why_created.as_str(),
                        "prebooted": record.facts.is_prebooted,
                        "spans": timeline_json::spans(&timeline::spans(steps), ms),
                        "extensions": timeline_json::extensions(&timeline::extensions(steps), ms),
                        "injected_faults": timeline_json::fault_marks(&timeline::faults(steps), ms),
                    })
                })
                .collect::<Vec<Value>>(),
            "invocations": invocations
                .iter()
                .map(|invocation| timeline_json::invocation(invocation, ms))
                .collect::<Vec<Value>>(),
        }))
    }

    async fn logs(&self, name: &FunctionName, query: &Query<'_>) -> Response {
        let limit = query.number("limit").map_or(1_000, |limit| limit as usize).clamp(1, EVENTS_MAX);
        let wait = Duration::from_millis(query.number("wait_ms").unwrap_or(0)).min(WAIT_MAX);
        let cursor = query.get("after");
        let group = match self.functions.get(name) {
            Ok(function) => function.configuration.logging.group.clone(),
            // The function is gone; its logs stay until their retention ends.
            Err(_) => LogGroupName::of_function(name),
        };
        let deadline = self.clock.now() + wait;
        let mut changes = self.logs.changes();
        loop {
            let (logs, group, after) = (self.logs.clone(), group.clone(), cursor.clone());
            let mut seen = changes;
            let read = tokio::task::spawn_blocking(move || {
                logs.flush();
                // In this order, what is written while we read counts as news.
                seen.mark_unchanged();
                (logs.read(&group, after.as_deref(), limit), seen)
            });
            let Ok((read, seen)) = read.await else {
                return error(StatusCode::INTERNAL_SERVER_ERROR, "the logs cannot be read");
            };
            changes = seen;
            let page = match read {
                Ok(page) => page,
                Err(cause @ LogStoreError::Cursor(_)) => {
                    return error(StatusCode::BAD_REQUEST, &cause.to_string());
                }
                Err(cause) => {
                    tracing::error!(error = &cause as &dyn std::error::Error, "cannot read logs");
                    return error(StatusCode::INTERNAL_SERVER_ERROR, "the logs cannot be read");
                }
            };
            let has_come = !page.events.is_empty() || self.clock.now() >= deadline;
            if has_come || tokio::time::timeout_at(deadline.into(), changes.changed()).await.is_err() {
                let events: Vec<Value> = page
                    .events
                    .iter()
                    .map(|event| {
                        json!({
                            "timestamp_ms": event.timestamp_ms,
                            "log_stream": event.log_stream,
                            "message": event.message,
                        })
                    })
                    .collect();
                return answer(&json!({ "events": events, "cursor": page.cursor }));
            }
        }
    }

    fn ms(&self, at: Instant) -> f64 {
        ms(self.clock.since_start(at))
    }
}

/// Milliseconds with three decimals.
fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

pub(crate) fn timestamp(epoch_ms: i64) -> String {
    let timestamp = jiff::Timestamp::from_millisecond(epoch_ms).unwrap_or_default();
    format!("{timestamp:.3}")
}

fn decoded(part: &str) -> String {
    percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned()
}

pub(crate) struct Query<'a>(pub(crate) &'a str);

impl Query<'_> {
    fn get(&self, name: &str) -> Option<String> {
        self.0.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            (key == name).then(|| decoded(&value.replace('+', " ")))
        })
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }
}

fn answer(value: &Value) -> Response {
    reply(StatusCode::OK, value)
}

fn error(status: StatusCode, message: &str) -> Response {
    reply(status, &json!({ "message": message }))
}

fn reply(status: StatusCode, value: &Value) -> Response {
    let mut response = http::Response::new(Body::from(value.to_string()));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}
