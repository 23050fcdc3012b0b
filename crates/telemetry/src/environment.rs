//! The telemetry of one environment: takes lifecycle events and output, and hands them to the record, the log stream and
//! the subscribers.
//!
//! What follows from an event is derived once ([`crate::derive`]); this module says who hears of it.

use std::sync::Arc;
use std::time::Instant;

use hearth_types::{
    ColdStart, ExtensionName, InitializationType, LogFormat, LogGroupName, LogLevel, RequestId, Version,
};

use crate::cold_start_line;
use crate::derive::Derivation;
use crate::feed::Feed;
use crate::function_log::FunctionLog;
use crate::platform_event::PlatformEvent;
use crate::platform_json::{About, Moment};
use crate::record::{EnvironmentRecord, LifecycleEvent};
use crate::subscription::{OpenSocket, Subscribers, Subscription, TelemetryKind};
use crate::{Clock, LogStore, PutEvent, lines};

/// What log lines say about the function.
#[derive(Debug, Clone)]
pub struct FunctionIdentity {
    /// Which version runs.
    pub version: Version,
    /// Why the environment was made.
    pub initialization_type: InitializationType,
    /// Configured memory, in MB.
    pub memory_size_mb: u32,
    /// Name and ARN of the runtime version; `None` for runtimes that print no INIT_START.
    pub runtime_version: Option<(String, String)>,
    /// Where lines go.
    pub log_group: LogGroupName,
    /// The format of platform lines.
    pub log_format: LogFormat,
    /// The least level of platform lines in the JSON format.
    pub system_log_level: LogLevel,
    /// The least level of the function's own lines in the JSON format; `None` when it has not been set.
    pub application_log_level: Option<LogLevel>,
}

/// Takes everything that one environment says and does, in order.
pub struct EnvironmentTelemetry {
    derivation: Derivation,
    outlets: Outlets,
}

/// Who hears of it.
struct Outlets {
    clock: Clock,
    identity: FunctionIdentity,
    record: Arc<EnvironmentRecord>,
    feed: Arc<Feed>,
    log: FunctionLog,
    subscribers: Subscribers,
    /// Read once for each Init and each invocation, so that all times of one agree.
    moment: Moment,
    /// Whether the log says why an invocation was cold.
    logs_cold_starts: bool,
}

impl EnvironmentTelemetry {
    /// Begins with an empty record.
    pub fn new(
        clock: Clock,
        identity: FunctionIdentity,
        record: Arc<EnvironmentRecord>,
        logs: Arc<LogStore>,
        feed: Arc<Feed>,
    ) -> Self {
        let derivation = Derivation::new(identity.memory_size_mb, identity.initialization_type);
        let log = FunctionLog::new(logs, record.facts.log_stream.clone(), &identity);
        let subscribers = Subscribers::new(clock);
        let moment = Moment::now(&clock);
        let logs_cold_starts = false;
        let outlets = Outlets { clock, identity, record, feed, log, subscribers, moment, logs_cold_starts };
        Self { derivation, outlets }
    }

    /// Reaches subscribers through sockets that `open` opens: in an environment with a network of its own, the host's
    /// loopback, which is where they are otherwise, is not theirs.
    pub fn reach_subscribers_through(mut self, open: OpenSocket) -> Self {
        self.outlets.subscribers.reach_through(open);
        self
    }

    /// Has the log say of each invocation that is cold why it is, or not. AWS's says nothing.
    pub fn log_cold_starts(mut self, are_logged: bool) -> Self {
        self.outlets.logs_cold_starts = are_logged;
        self
    }

    /// Returns the record that this writes to.
    pub fn record(&self) -> &Arc<EnvironmentRecord> {
        &self.outlets.record
    }

    /// Records a step, writes the log lines that follow from it, and tells subscribers.
    pub fn take(&mut self, at: Instant, event: LifecycleEvent) {
        let outlets = &mut self.outlets;
        if matches!(event, LifecycleEvent::InitStarted { .. } | LifecycleEvent::InvokeStarted { .. }) {
            outlets.moment = Moment::now(&outlets.clock);
        }
        if matches!(event, LifecycleEvent::InitStarted { .. }) {
            outlets.subscribers.begin_init();
        }
        let report = self.derivation.take(at, &event, |said| outlets.publish(at, &said));
        if matches!(event, LifecycleEvent::InitDone { .. }) {
            outlets.subscribers.end_init();
        }
        if let LifecycleEvent::InvokeStarted { request_id, why_cold: Some(reason), particulars, .. } = &event
            && outlets.logs_cold_starts
        {
            let (reason, particulars) = (*reason, particulars.clone());
            outlets.log_cold_start(at, *request_id, &ColdStart { reason, particulars });
        }
        if matches!(event, LifecycleEvent::InvokeDone { .. }) {
            outlets.log_dropped(at);
        }
        if matches!(event, LifecycleEvent::ResetDone | LifecycleEvent::ShutdownDone) {
            outlets.subscribers.end();
        }
        outlets.feed.push(&outlets.record, at, &event, report.as_ref());
        outlets.record.push(at, event, report);
    }

    /// Lets an extension hear of everything from now on, and of what Init has said so far; its former subscription ends.
    /// The line that tells of it comes from [`LifecycleEvent::TelemetrySubscribed`]. Needs a Tokio runtime.
    ///
    /// Subscriptions end with the processes: with [`LifecycleEvent::ResetDone`], [`LifecycleEvent::ShutdownDone`], or when
    /// this is dropped.
    pub fn subscribe(&mut self, extension: ExtensionName, subscription: Subscription) {
        let Outlets { identity, record, subscribers, moment, .. } = &mut self.outlets;
        let about = About { identity, environment: record, moment: *moment };
        subscribers.subscribe(extension, subscription, &about);
    }

    /// Sends subscribers now what waits for them, before they are told to end.
    pub fn hurry_subscribers(&mut self) {
        self.outlets.subscribers.hurry();
    }

    /// Whether a subscriber has not yet taken what it is being sent.
    pub fn is_delivering(&self) -> bool {
        self.outlets.subscribers.is_delivering()
    }

    /// Sends subscribers nothing while they stand still and could not answer; time does not count for them then, either.
    pub fn hold_subscribers(&mut self, are_frozen: bool) {
        self.outlets.subscribers.hold(are_frozen);
    }

    /// Writes what the function put out.
    pub fn write(&mut self, events: Vec<PutEvent>) {
        self.outlets.hand_on(TelemetryKind::Function, &events);
        self.outlets.log.write_filtered(events);
    }

    /// Writes what an extension put out. Neither log nor telemetry says which one it was, as on AWS.
    pub fn write_extension(&mut self, events: Vec<PutEvent>) {
        self.outlets.hand_on(TelemetryKind::Extension, &events);
        self.outlets.log.write(events);
    }

    /// Takes the log of the invocation that has just ended: its last bytes.
    pub fn take_tail(&mut self) -> Vec<u8> {
        self.outlets.log.take_tail()
    }

    /// Forgets the log of the invocation that has just ended: nobody asked for it.
    pub fn forget_tail(&mut self) {
        self.outlets.log.forget_tail();
    }

    /// Returns a wall-clock time stamp for output that carries none.
    pub fn timestamp_ms(&self) -> i64 {
        self.outlets.clock.epoch_ms()
    }

    /// Waits until the log store has room again for output; returns at once when it has.
    pub fn room_for_output(&self) -> impl Future<Output = ()> + Send + use<> {
        self.outlets.log.room()
    }
}

impl Outlets {
    fn publish(&mut self, at: Instant, said: &PlatformEvent) {
        if self.subscribers.is_wanted() {
            let Self { identity, record, subscribers, moment, .. } = self;
            let about = About { identity, environment: record, moment: *moment };
            subscribers.tell(&about, at, said);
        }
        if !self.feed.is_silent() {
            self.write_platform_lines(at, said);
        }
    }

    fn write_platform_lines(&mut self, at: Instant, said: &PlatformEvent) {
        let identity = &self.identity;
        let runtime_version = identity.runtime_version.as_ref();
        let text = match identity.log_format {
            LogFormat::Text => {
                lines::text(said, identity.version, identity.initialization_type, runtime_version)
            }
            LogFormat::Json if said.level(runtime_version.is_some()) < identity.system_log_level => None,
            LogFormat::Json => {
                About { identity, environment: &self.record, moment: self.moment }.log_line(at, said)
            }
        };
        if let Some(text) = text {
            self.log.write_lines(self.clock.epoch_ms(), &text);
        }
    }

    fn log_cold_start(&mut self, at: Instant, request_id: RequestId, cold_start: &ColdStart) {
        let FunctionIdentity { log_format, system_log_level, version, .. } = &self.identity;
        if *log_format == LogFormat::Json && LogLevel::Info < *system_log_level {
            return;
        }
        let (format, version) = (*log_format, version.to_string());
        let line =
            cold_start_line::line(format, self.moment.epoch_ms_at(at), request_id, &version, cold_start);
        self.log.write_lines(self.clock.epoch_ms(), &line);
    }

    /// Hands output on to subscribers, as it is: filters are for the log.
    fn hand_on(&mut self, kind: TelemetryKind, events: &[PutEvent]) {
        if self.subscribers.is_wanted() {
            let Self { identity, record, subscribers, moment, .. } = self;
            let about = About { identity, environment: record, moment: *moment };
            subscribers.hand_on(&about, kind, events);
        }
    }

    /// Has the function's log tell what subscribers have lost. Text has no line for it.
    fn log_dropped(&mut self, at: Instant) {
        if self.identity.log_format == LogFormat::Json {
            let dropped = self.subscribers.take_unlogged();
            if !dropped.is_none() {
                self.write_platform_lines(at, &PlatformEvent::LogsDropped(dropped));
            }
        }
    }
}
