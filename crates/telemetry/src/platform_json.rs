//! What the platform says, as JSON: the lines of the JSON log format, the events of the Telemetry API and those of its
//! predecessor, the Logs API.
//!
//! Source: "Lambda Telemetry API Event schema reference" and "Lambda Logs API" of the Lambda Developer Guide, read
//! 2026-11, with the order of fields that recordings show.

use std::time::{Duration, Instant};

use hearth_types::{ExtensionName, RequestId, TraceHeader, Version};
use serde::{Serialize, Serializer};

use crate::environment::FunctionIdentity;
use crate::platform_event::{AnswerMeasures, Dropped, PlatformEvent, Span};
use crate::record::{EnvironmentRecord, InitPhase, PhaseStatus, Report, SubscriptionApi};
use crate::subscription::Schema;
use crate::{Clock, clock};

/// Why events were dropped. Source: Lambda Developer Guide, "Telemetry API event schema reference", read 2026-11.
const DROPPED_REASON: &str =
    "Some logs were dropped because the downstream consumer is slower than the logs production rate";
/// The same in the Logs API. Source: "Lambda Logs API", read 2026-11.
const DROPPED_REASON_LOGS_API: &str =
    "Consumer seems to have fallen behind as it has not acknowledged receipt of logs.";

/// A moment on both clocks: what turns monotonic times into times for people, always the same way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) instant: Instant,
    pub(crate) epoch_ms: i64,
}

impl Moment {
    /// Reads both clocks.
    pub(crate) fn now(clock: &Clock) -> Self {
        Self { instant: clock.now(), epoch_ms: clock.epoch_ms() }
    }

    /// Returns what the wall clock showed, or will show, at `at`, in milliseconds since 1970.
    pub(crate) fn epoch_ms_at(&self, at: Instant) -> i64 {
        clock::shift(self.epoch_ms, self.instant, at)
    }
}

/// Writes a time as AWS does: UTC, to the millisecond.
pub(crate) fn time(epoch_ms: i64) -> String {
    format!("{:.3}", jiff::Timestamp::from_millisecond(epoch_ms).unwrap_or_default())
}

/// What records say about function and environment.
#[derive(Clone, Copy)]
pub(crate) struct About<'a> {
    pub(crate) identity: &'a FunctionIdentity,
    pub(crate) environment: &'a EnvironmentRecord,
    pub(crate) moment: Moment,
}

impl About<'_> {
    /// Writes an event, without a line feed, in the shape of a schema; an invocation's end may be two. Nothing for what
    /// the schema does not have.
    pub(crate) fn write(
        &self,
        schema: Schema,
        at: Instant,
        event: &PlatformEvent,
        mut put: impl FnMut(Vec<u8>),
    ) {
        let time = time(self.moment.epoch_ms_at(at));
        match schema.api() {
            SubscriptionApi::Telemetry => {
                if let Some(json) = self.telemetry_event(schema, &time, event) {
                    put(json);
                }
            }
            SubscriptionApi::Logs => {
                if let PlatformEvent::Report { request_id, .. } = event {
                    put(json(&time, "platform.end", EndRecord { request_id: Text(request_id) }));
                }
                if let Some(json) = self.logs_event(schema, &time, event) {
                    put(json);
                }
            }
        }
    }

    fn telemetry_event(&self, schema: Schema, time: &str, event: &PlatformEvent) -> Option<Vec<u8>> {
        let initialization_type = self.identity.initialization_type.as_str();
        let json = match event {
            PlatformEvent::InitStart { phase } => {
                json(time, "platform.initStart", self.init_start(schema, *phase))
            }
            PlatformEvent::RestoreStart => {
                let of_init = self.init_start(schema, InitPhase::Restore);
                let record = RestoreStartRecord {
                    runtime_version: of_init.runtime_version,
                    runtime_version_arn: of_init.runtime_version_arn.or(of_init.runtime_arn),
                    function_name: of_init.function_name,
                    function_version: of_init.function_version,
                    instance_id: of_init.instance_id,
                    instance_max_memory: of_init.instance_max_memory,
                };
                json(time, "platform.restoreStart", record)
            }
            PlatformEvent::RestoreRuntimeDone { status } => {
                let record =
                    RestoreRuntimeDoneRecord { status: status.as_str(), error_type: init_error_type(status) };
                json(time, "platform.restoreRuntimeDone", record)
            }
            PlatformEvent::RestoreReport { status, duration } => {
                let record = RestoreReportRecord {
                    status: status.as_str(),
                    error_type: init_error_type(status),
                    metrics: InitMetrics { duration_ms: Milliseconds(*duration) },
                };
                json(time, "platform.restoreReport", record)
            }
            PlatformEvent::InitRuntimeDone { phase, status } => {
                let (phase, error_type) = (phase.as_str(), init_error_type(status));
                let record =
                    InitRuntimeDoneRecord { initialization_type, phase, status: status.as_str(), error_type };
                json(time, "platform.initRuntimeDone", record)
            }
            PlatformEvent::InitReport { phase, status, duration } => {
                let record = InitReportRecord {
                    initialization_type,
                    phase: phase.as_str(),
                    status: status.as_str(),
                    error_type: init_error_type(status),
                    metrics: InitMetrics { duration_ms: Milliseconds(*duration) },
                };
                json(time, "platform.initReport", record)
            }
            PlatformEvent::Start { request_id, trace } => {
                let version = Text(&self.environment.facts.version);
                let tracing = tracing(*request_id, trace.as_deref());
                json(time, "platform.start", StartRecord { request_id: Text(request_id), version, tracing })
            }
            PlatformEvent::RuntimeDone { request_id, status, answer, trace } => {
                let record = RuntimeDoneRecord {
                    request_id: Text(request_id),
                    status: status.as_str(),
                    error_type: status.error_type(),
                    metrics: answer.as_ref().map(AnswerMetrics::of),
                    spans: answer.as_ref().map(|answer| self.spans(&answer.spans)),
                    tracing: tracing(*request_id, trace.as_deref()),
                };
                json(time, "platform.runtimeDone", record)
            }
            PlatformEvent::Report { request_id, report, extension_overhead, trace } => {
                let record = ReportRecord {
                    request_id: Text(request_id),
                    status: report.status.as_str(),
                    error_type: report.status.error_type(),
                    metrics: ReportMetrics::of(report),
                    spans: extension_overhead.as_ref().map(|span| self.spans(std::slice::from_ref(span))),
                    tracing: tracing(*request_id, trace.as_deref()),
                };
                json(time, "platform.report", record)
            }
            PlatformEvent::Extension { .. } => extension(time, event)?,
            PlatformEvent::Subscription { api: SubscriptionApi::Telemetry, .. } => subscription(time, event)?,
            PlatformEvent::LogsDropped(lost) => dropped(time, *lost, DROPPED_REASON),
            // Each interface tells of its own subscribers, and only the Logs API of faults. What Hearth injects is for the
            // function's log: extensions know AWS's events, and no others.
            PlatformEvent::Subscription { api: SubscriptionApi::Logs, .. }
            | PlatformEvent::Fault { .. }
            | PlatformEvent::FaultInjected { .. } => return None,
        };
        Some(json)
    }

    fn logs_event(&self, schema: Schema, time: &str, event: &PlatformEvent) -> Option<Vec<u8>> {
        let json = match event {
            PlatformEvent::Start { request_id, .. } => {
                let (request_id, version) = (Text(request_id), Text(&self.environment.facts.version));
                json(time, "platform.start", StartRecord { request_id, version, tracing: None })
            }
            PlatformEvent::RuntimeDone { request_id, status, .. } if schema == Schema::Logs20210318 => {
                let record = LogsRuntimeDoneRecord { request_id: Text(request_id), status: status.as_str() };
                json(time, "platform.runtimeDone", record)
            }
            PlatformEvent::Fault { request_id } => {
                let record = format!("RequestId: {request_id} Process exited before completing request");
                json(time, "platform.fault", record)
            }
            PlatformEvent::Report { request_id, report, .. } => {
                let record =
                    LogsReportRecord { request_id: Text(request_id), metrics: ReportMetrics::of(report) };
                json(time, "platform.report", record)
            }
            PlatformEvent::Extension { .. } => extension(time, event)?,
            PlatformEvent::Subscription { api: SubscriptionApi::Logs, .. } => subscription(time, event)?,
            PlatformEvent::LogsDropped(lost) => dropped(time, *lost, DROPPED_REASON_LOGS_API),
            PlatformEvent::InitStart { .. }
            | PlatformEvent::InitRuntimeDone { .. }
            | PlatformEvent::InitReport { .. }
            | PlatformEvent::RestoreStart
            | PlatformEvent::RestoreRuntimeDone { .. }
            | PlatformEvent::RestoreReport { .. }
            | PlatformEvent::RuntimeDone { .. }
            | PlatformEvent::FaultInjected { .. }
            | PlatformEvent::Subscription { api: SubscriptionApi::Telemetry, .. } => return None,
        };
        Some(json)
    }

    /// Writes a line of the JSON log format, with its line feed; `None` for what has no line. The records are those of
    /// the Telemetry API; a subscription through the Logs API is told, too.
    pub(crate) fn log_line(&self, at: Instant, event: &PlatformEvent) -> Option<String> {
        let time = time(self.moment.epoch_ms_at(at));
        let json = match event {
            PlatformEvent::Subscription { .. } => subscription(&time, event),
            PlatformEvent::FaultInjected { request_id, fault } => {
                let record = InjectedFaultRecord {
                    request_id: request_id.as_ref().map(Text),
                    phase: fault.phase.as_str(),
                    deed: fault.deed.as_str(),
                    delay_ms: fault.deed.delay().map(Milliseconds),
                    extension: fault.extension.as_ref().map(Text),
                };
                Some(json(&time, "hearth.fault", record))
            }
            PlatformEvent::InitStart { .. }
            | PlatformEvent::InitRuntimeDone { .. }
            | PlatformEvent::InitReport { .. }
            | PlatformEvent::RestoreStart
            | PlatformEvent::RestoreRuntimeDone { .. }
            | PlatformEvent::RestoreReport { .. }
            | PlatformEvent::Start { .. }
            | PlatformEvent::RuntimeDone { .. }
            | PlatformEvent::Fault { .. }
            | PlatformEvent::Report { .. }
            | PlatformEvent::Extension { .. }
            | PlatformEvent::LogsDropped(_) => self.telemetry_event(Schema::LATEST, &time, event),
        };
        let mut line = String::from_utf8(json?).expect("JSON is UTF-8");
        line.push('\n');
        Some(line)
    }

    fn init_start(&self, schema: Schema, phase: InitPhase) -> InitStartRecord<'_> {
        let runtime_version = self.identity.runtime_version.as_ref();
        let arn = runtime_version.map(|(_, arn)| arn.as_str());
        let is_oldest = schema == Schema::Telemetry20220701;
        InitStartRecord {
            initialization_type: self.identity.initialization_type.as_str(),
            phase: phase.as_str(),
            runtime_version: runtime_version.map(|(name, _)| name.as_str()),
            runtime_version_arn: arn.filter(|_| !is_oldest),
            runtime_arn: arn.filter(|_| is_oldest),
            function_name: self.environment.facts.function.as_str(),
            function_version: Text(&self.environment.facts.version),
            instance_id: self.environment.facts.log_stream.as_str(),
            // In bytes, as recordings show; the documentation's example says 256.
            instance_max_memory: u64::from(self.identity.memory_size_mb) << 20,
        }
    }

    fn spans(&self, spans: &[Span]) -> Vec<SpanRecord> {
        spans
            .iter()
            .map(|span| SpanRecord {
                name: span.name,
                start: time(self.moment.epoch_ms_at(span.began)),
                duration_ms: Milliseconds(span.duration),
            })
            .collect()
    }
}

fn extension(time: &str, event: &PlatformEvent) -> Option<Vec<u8>> {
    let PlatformEvent::Extension { name, state, events, error_type } = event else { return None };
    let record = ExtensionRecord {
        name: name.as_str(),
        state: state.as_str(),
        events: events.names(),
        error_type: error_type.as_deref(),
    };
    Some(json(time, "platform.extension", record))
}

fn subscription(time: &str, event: &PlatformEvent) -> Option<Vec<u8>> {
    let PlatformEvent::Subscription { name, api, types } = event else { return None };
    let kind = match api {
        SubscriptionApi::Telemetry => "platform.telemetrySubscription",
        SubscriptionApi::Logs => "platform.logsSubscription",
    };
    let record = SubscriptionRecord { name: name.as_str(), state: "Subscribed", types: types.names() };
    Some(json(time, kind, record))
}

/// Writes `platform.logsDropped`, without a line feed, in the shape of a schema.
pub(crate) fn logs_dropped(schema: Schema, epoch_ms: i64, lost: Dropped) -> Vec<u8> {
    let reason = match schema.api() {
        SubscriptionApi::Telemetry => DROPPED_REASON,
        SubscriptionApi::Logs => DROPPED_REASON_LOGS_API,
    };
    dropped(&time(epoch_ms), lost, reason)
}

fn dropped(time: &str, lost: Dropped, reason: &'static str) -> Vec<u8> {
    let record = DroppedRecord { reason, dropped_records: lost.records, dropped_bytes: lost.bytes };
    json(time, "platform.logsDropped", record)
}

/// An Init that took too long names an error type in telemetry, though not in its text line. Source: AWS's open runtime
/// interface emulator, read 2026-11.
fn init_error_type(status: &PhaseStatus) -> Option<&str> {
    match status {
        PhaseStatus::Timeout => Some("Runtime.Unknown"),
        PhaseStatus::Success | PhaseStatus::Error { .. } | PhaseStatus::Failure => status.error_type(),
    }
}

/// The trace of an invocation. Nobody sends spans for it, so its span has no id of its own: the last 16 digits of the
/// request id are one that its start, its runtimeDone and its report share.
fn tracing(request_id: RequestId, trace: Option<&TraceHeader>) -> Option<TracingRecord<'_>> {
    let value = trace?.as_str();
    let span_id = request_id.to_string().chars().filter(|digit| *digit != '-').skip(16).collect();
    Some(TracingRecord { span_id, kind: "X-Amzn-Trace-Id", value })
}

fn json(time: &str, kind: &'static str, record: impl Serialize) -> Vec<u8> {
    serde_json::to_vec(&Envelope { time, kind, record }).expect("a record has string keys and finite numbers")
}

#[derive(Serialize)]
struct Envelope<'a, R> {
    time: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    record: R,
}

/// Something that is written as it prints.
struct Text<'a, T>(&'a T);

impl<T: std::fmt::Display> Serialize for Text<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0)
    }
}

/// A duration in milliseconds, to the microsecond.
struct Milliseconds(Duration);

impl Serialize for Milliseconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64((self.0.as_secs_f64() * 1_000_000.0).round() / 1_000.0)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InitStartRecord<'a> {
    initialization_type: &'static str,
    phase: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime_version_arn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime_arn: Option<&'a str>,
    function_name: &'a str,
    function_version: Text<'a, Version>,
    instance_id: &'a str,
    instance_max_memory: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RestoreStartRecord<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime_version_arn: Option<&'a str>,
    function_name: &'a str,
    function_version: Text<'a, Version>,
    instance_id: &'a str,
    instance_max_memory: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RestoreRuntimeDoneRecord<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RestoreReportRecord<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<&'a str>,
    metrics: InitMetrics,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InitRuntimeDoneRecord<'a> {
    initialization_type: &'static str,
    phase: &'static str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InitReportRecord<'a> {
    initialization_type: &'static str,
    phase: &'static str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<&'a str>,
    metrics: InitMetrics,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InitMetrics {
    duration_ms: Milliseconds,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StartRecord<'a> {
    request_id: Text<'a, RequestId>,
    version: Text<'a, Version>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracing: Option<TracingRecord<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EndRecord<'a> {
    request_id: Text<'a, RequestId>,
}

/// Hearth's own.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InjectedFaultRecord<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<Text<'a, RequestId>>,
    phase: &'static str,
    #[serde(rename = "do")]
    deed: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_ms: Option<Milliseconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extension: Option<Text<'a, ExtensionName>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RuntimeDoneRecord<'a> {
    request_id: Text<'a, RequestId>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<AnswerMetrics>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spans: Option<Vec<SpanRecord>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracing: Option<TracingRecord<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogsRuntimeDoneRecord<'a> {
    request_id: Text<'a, RequestId>,
    status: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AnswerMetrics {
    duration_ms: Milliseconds,
    produced_bytes: usize,
}

impl AnswerMetrics {
    fn of(answer: &AnswerMeasures) -> Self {
        Self { duration_ms: Milliseconds(answer.duration), produced_bytes: answer.produced_bytes }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReportRecord<'a> {
    request_id: Text<'a, RequestId>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<&'a str>,
    metrics: ReportMetrics,
    #[serde(skip_serializing_if = "Option::is_none")]
    spans: Option<Vec<SpanRecord>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracing: Option<TracingRecord<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogsReportRecord<'a> {
    request_id: Text<'a, RequestId>,
    metrics: ReportMetrics,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReportMetrics {
    duration_ms: Milliseconds,
    billed_duration_ms: u64,
    #[serde(rename = "memorySizeMB")]
    memory_size_mb: u32,
    #[serde(rename = "maxMemoryUsedMB")]
    max_memory_used_mb: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    init_duration_ms: Option<Milliseconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restore_duration_ms: Option<Milliseconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billed_restore_duration_ms: Option<u64>,
}

impl ReportMetrics {
    fn of(report: &Report) -> Self {
        Self {
            duration_ms: Milliseconds(report.duration),
            billed_duration_ms: report.billed_ms,
            memory_size_mb: report.memory_size_mb,
            max_memory_used_mb: report.max_memory_used_mb,
            init_duration_ms: report.init_duration.map(Milliseconds),
            restore_duration_ms: report.restore.map(|restore| Milliseconds(restore.duration)),
            billed_restore_duration_ms: report.restore.map(|restore| restore.billed_ms),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SpanRecord {
    name: &'static str,
    start: String,
    duration_ms: Milliseconds,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TracingRecord<'a> {
    span_id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    value: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExtensionRecord<'a> {
    name: &'a str,
    state: &'static str,
    events: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<&'a str>,
}

#[derive(Serialize)]
struct SubscriptionRecord<'a> {
    name: &'a str,
    state: &'static str,
    types: Vec<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DroppedRecord {
    reason: &'static str,
    dropped_records: u64,
    dropped_bytes: u64,
}
