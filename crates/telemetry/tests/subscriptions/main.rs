//! Telemetry on its way to extensions: real listeners, good ones and others.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod delivery;
mod listener;
mod loss;

use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use hearth_telemetry::{
    Clock, EnvironmentFacts, EnvironmentTelemetry, Feed, FunctionIdentity, InitPhase, LifecycleEvent,
    LogStore, LogStoreSettings, PhaseStatus, PutEvent, Recorder, Subscription, SubscriptionApi,
};
use hearth_tests::Folder;
use hearth_types::{
    Architecture, ColdReason, EnvironmentId, ExtensionName, FunctionName, InitializationType, LogFormat,
    LogGroupName, LogLevel, LogStreamName, RequestId, Runtime, Version,
};
use serde_json::{Value, json};

/// The telemetry of an environment whose Init has begun, and its log.
struct Environment {
    telemetry: EnvironmentTelemetry,
    logs: Arc<LogStore>,
    group: LogGroupName,
    _folder: Folder,
}

impl Environment {
    fn text() -> Self {
        Self::new(LogFormat::Text, None)
    }

    fn new(log_format: LogFormat, application_log_level: Option<LogLevel>) -> Self {
        let folder = Folder::new();
        let clock = Clock::new(Instant::now(), epoch_ms);
        let settings = LogStoreSettings { retention: Duration::from_secs(86_400), group_bytes_max: 64 << 20 };
        let logs = LogStore::open(folder.path(), settings, clock).unwrap();
        let function = FunctionName::new("resize").unwrap();
        let group = LogGroupName::of_function(&function);
        let identity = FunctionIdentity {
            version: Version::Latest,
            initialization_type: InitializationType::OnDemand,
            memory_size_mb: 128,
            runtime_version: None,
            log_group: group.clone(),
            log_format,
            system_log_level: LogLevel::Info,
            application_log_level,
        };
        let stream = LogStreamName::new("2026/11/25/[$LATEST]0f3c").unwrap();
        let record = Recorder::default().begin(EnvironmentFacts {
            id: EnvironmentId::random(),
            function,
            version: Version::Latest,
            log_group: group.clone(),
            log_stream: stream,
            created_epoch_ms: clock.epoch_ms(),
            why_created: ColdReason::FirstInvocation,
            initialization_type: InitializationType::OnDemand,
            architecture: Architecture::X86_64,
            memory_size_mb: 128,
            ephemeral_storage_mb: 512,
            runtime: Runtime::parse("python3.11").unwrap(),
            is_prebooted: false,
        });
        let feed = Feed::start(clock).unwrap();
        let telemetry = EnvironmentTelemetry::new(clock, identity, record, logs.clone(), feed);
        let mut environment = Self { telemetry, logs, group, _folder: folder };
        environment.take(LifecycleEvent::InitStarted { phase: InitPhase::Init });
        environment
    }

    fn take(&mut self, event: LifecycleEvent) {
        self.telemetry.take(Instant::now(), event);
    }

    fn end_init(&mut self) {
        let (phase, status) = (InitPhase::Init, PhaseStatus::Success);
        self.take(LifecycleEvent::RuntimeInitDone { phase, status: status.clone() });
        self.take(LifecycleEvent::InitDone { phase, status });
    }

    fn invoke(&mut self, line: &str) {
        let request_id = RequestId::random();
        self.take(LifecycleEvent::InvokeStarted {
            request_id,
            why_cold: None,
            particulars: None,
            trace: None,
            arrived: Instant::now(),
        });
        self.print(line);
        self.take(LifecycleEvent::ResponseSent { began: Instant::now(), bytes: 4 });
        let status = PhaseStatus::Success;
        self.take(LifecycleEvent::RuntimeDone { request_id, status: status.clone() });
        self.take(LifecycleEvent::InvokeDone { request_id, status, memory_bytes_max: 1 });
    }

    fn print(&mut self, line: &str) {
        self.telemetry.write(vec![put(line)]);
    }

    fn print_as_extension(&mut self, line: &str) {
        self.telemetry.write_extension(vec![put(line)]);
    }

    fn subscribe(&mut self, name: &str, api: SubscriptionApi, request: &Value) {
        let name = ExtensionName::new(name).unwrap();
        let subscription = Subscription::parse(api, request.to_string().as_bytes(), 1).unwrap();
        let types = subscription.types();
        self.telemetry.subscribe(name.clone(), subscription);
        self.take(LifecycleEvent::TelemetrySubscribed { extension: name, api, types });
    }

    /// Returns the messages of its log.
    fn log(&self) -> Vec<String> {
        self.logs.flush();
        let page = self.logs.read(&self.group, None, 10_000).unwrap();
        page.events.into_iter().map(|event| event.message).collect()
    }
}

fn put(line: &str) -> PutEvent {
    PutEvent { timestamp_ms: epoch_ms(), message: line.as_bytes().to_vec() }
}

fn epoch_ms() -> i64 {
    #[allow(clippy::disallowed_methods, reason = "the clock of these tests")]
    let now = std::time::SystemTime::now();
    now.duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

/// A request of the Telemetry API for HTTP. Nothing but a full batch or hurry makes it send.
fn http(types: &[&str], port: u16) -> Value {
    json!({
        "schemaVersion": "2022-12-13",
        "types": types,
        "buffering": { "timeoutMs": 30_000 },
        "destination": { "protocol": "HTTP", "URI": format!("http://sandbox.localdomain:{port}/events?a=1") },
    })
}

fn soon(mut request: Value) -> Value {
    request["buffering"]["timeoutMs"] = json!(25);
    request
}
