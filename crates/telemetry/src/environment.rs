//! The telemetry of one environment: takes lifecycle events and output, derives reports and log lines.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hearth_types::{
    ExtensionName, LogFormat, LogGroupName, LogLevel, LogStreamName, RequestId, Version, limits,
};

use crate::record::{EnvironmentRecord, InitPhase, LifecycleEvent, PhaseStatus, Report};
use crate::{Clock, LogStore, PutEvent, billing, lines};

/// What log lines say about the function.
#[derive(Debug, Clone)]
pub struct FunctionIdentity {
    /// Which version runs.
    pub version: Version,
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
}

/// Takes everything that one environment says and does, in order.
pub struct EnvironmentTelemetry {
    clock: Clock,
    identity: FunctionIdentity,
    record: Arc<EnvironmentRecord>,
    logs: Arc<LogStore>,
    stream: LogStreamName,
    init_started: Option<Instant>,
    /// Set by an Init that went well ahead of an invocation; the first REPORT takes it.
    init_duration: Option<Duration>,
    /// From when the running invocation's duration counts.
    counts_from: Option<Instant>,
    /// The last bytes of log since the last invocation ended: what `LogType: Tail` shows.
    tail: Vec<u8>,
}

impl EnvironmentTelemetry {
    /// Begins with an empty record.
    pub fn new(
        clock: Clock,
        identity: FunctionIdentity,
        record: Arc<EnvironmentRecord>,
        logs: Arc<LogStore>,
    ) -> Self {
        let stream = record.log_stream.clone();
        Self {
            clock,
            identity,
            record,
            logs,
            stream,
            init_started: None,
            init_duration: None,
            counts_from: None,
            tail: Vec::new(),
        }
    }

    /// Returns the record that this writes to.
    pub fn record(&self) -> &Arc<EnvironmentRecord> {
        &self.record
    }

    /// Records a step and writes the log lines that follow from it.
    pub fn take(&mut self, at: Instant, event: LifecycleEvent) {
        let report = self.derive(at, &event);
        self.record.push(at, event, report);
    }

    fn derive(&mut self, at: Instant, event: &LifecycleEvent) -> Option<Report> {
        match event {
            LifecycleEvent::InitStarted { phase } => {
                self.init_started = Some(at);
                match phase {
                    InitPhase::Init => self.write_init_start(),
                    InitPhase::Invoke => self.counts_from = Some(at),
                }
            }
            LifecycleEvent::InitDone { phase, status } => {
                let duration = self.init_started.take().map_or(Duration::ZERO, |started| at - started);
                match (status, phase) {
                    (PhaseStatus::Success, InitPhase::Init) => self.init_duration = Some(duration),
                    (PhaseStatus::Success, InitPhase::Invoke) => {}
                    _ => self.write_init_report(duration, *phase, status),
                }
            }
            LifecycleEvent::InvokeStarted { request_id, .. } => {
                self.counts_from.get_or_insert(at);
                self.write_start(*request_id);
            }
            LifecycleEvent::InvokeDone { request_id, status, memory_bytes_max } => {
                return Some(self.finish(at, *request_id, status, *memory_bytes_max));
            }
            LifecycleEvent::ExtensionStarted { .. }
            | LifecycleEvent::ExtensionRegistered { .. }
            | LifecycleEvent::TelemetrySubscribed { .. }
            | LifecycleEvent::ExtensionReady { .. }
            | LifecycleEvent::RuntimeStarted
            | LifecycleEvent::FunctionInitStarted
            | LifecycleEvent::RuntimeInitDone { .. }
            | LifecycleEvent::ExtensionReported { .. }
            | LifecycleEvent::ResponseSent { .. }
            | LifecycleEvent::RuntimeDone { .. }
            | LifecycleEvent::ExtensionDone { .. }
            | LifecycleEvent::ResetStarted { .. }
            | LifecycleEvent::ResetDone
            | LifecycleEvent::ShutdownStarted { .. }
            | LifecycleEvent::RuntimeTerminated
            | LifecycleEvent::RuntimeGone { .. }
            | LifecycleEvent::ExtensionShutdownSent { .. }
            | LifecycleEvent::ExtensionGone { .. }
            | LifecycleEvent::ShutdownDone => {}
        }
        None
    }

    fn finish(&mut self, at: Instant, request_id: RequestId, status: &PhaseStatus, memory: u64) -> Report {
        let duration = self.counts_from.take().map_or(Duration::ZERO, |from| at - from);
        let init_duration = self.init_duration.take();
        let memory_size_mb = self.identity.memory_size_mb;
        let report = Report {
            duration,
            billed_ms: billing::billed_ms(duration, init_duration),
            memory_size_mb,
            // Never above the memory size, as on AWS, also where nothing holds the function to it.
            max_memory_used_mb: memory.div_ceil(1 << 20).min(u64::from(memory_size_mb)),
            init_duration,
            status: status.clone(),
        };
        match self.identity.log_format {
            LogFormat::Text => {
                let text = lines::end(request_id) + &lines::report(request_id, &report);
                self.write_platform_lines(text);
            }
            LogFormat::Json => {
                let level = if *status == PhaseStatus::Success { LogLevel::Info } else { LogLevel::Warn };
                self.write_json(level, |time| lines::json_report(time, request_id, &report));
            }
        }
        report
    }

    fn write_init_start(&mut self) {
        let runtime_version = self.identity.runtime_version.clone();
        match (self.identity.log_format, &runtime_version) {
            (LogFormat::Text, Some((name, arn))) => self.write_platform_lines(lines::init_start(name, arn)),
            (LogFormat::Text, None) => {}
            (LogFormat::Json, named) => {
                let level = if named.is_some() { LogLevel::Info } else { LogLevel::Debug };
                let named = named.as_ref().map(|(name, arn)| (name.as_str(), arn.as_str()));
                let version = self.identity.version;
                self.write_json(level, |time| lines::json_init_start(time, version, named));
            }
        }
    }

    fn write_init_report(&mut self, duration: Duration, phase: InitPhase, status: &PhaseStatus) {
        match self.identity.log_format {
            LogFormat::Text => self.write_platform_lines(lines::init_report(duration, phase, status)),
            LogFormat::Json => {
                self.write_json(LogLevel::Warn, |time| {
                    lines::json_init_report(time, duration, phase, status)
                });
            }
        }
    }

    fn write_start(&mut self, request_id: RequestId) {
        let version = self.identity.version;
        match self.identity.log_format {
            LogFormat::Text => self.write_platform_lines(lines::start(request_id, version)),
            LogFormat::Json => {
                self.write_json(LogLevel::Info, |time| lines::json_start(time, request_id, version));
            }
        }
    }

    fn write_json(&mut self, level: LogLevel, line: impl FnOnce(&str) -> String) {
        if level >= self.identity.system_log_level {
            let time = jiff::Timestamp::from_millisecond(self.clock.epoch_ms()).unwrap_or_default();
            self.write_platform_lines(line(&format!("{time:.3}")));
        }
    }

    /// Writes one or more whole lines of the platform.
    fn write_platform_lines(&mut self, text: String) {
        let timestamp_ms = self.clock.epoch_ms();
        let events: Vec<PutEvent> = text
            .split_inclusive('\n')
            .map(|line| PutEvent { timestamp_ms, message: line.as_bytes().to_vec() })
            .collect();
        self.write(events);
    }

    /// Writes what the function put out.
    pub fn write(&mut self, events: Vec<PutEvent>) {
        for event in &events {
            keep_tail(&mut self.tail, &event.message);
        }
        // The store counts what it has to drop.
        let _ = self.logs.put(&self.identity.log_group, &self.stream, events);
    }

    /// Writes what an extension put out.
    pub fn write_extension(&mut self, _extension: &ExtensionName, events: Vec<PutEvent>) {
        self.write(events);
    }

    /// Takes the log of the invocation that has just ended: its last bytes.
    pub fn take_tail(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.tail)
    }

    /// Forgets the log of the invocation that has just ended: nobody asked for it.
    pub fn forget_tail(&mut self) {
        self.tail.clear();
    }

    /// Returns a wall-clock time stamp for output that carries none.
    pub fn timestamp_ms(&self) -> i64 {
        self.clock.epoch_ms()
    }

    /// Waits until the log store has room again for output; returns at once when it has.
    pub fn room_for_output(&self) -> impl Future<Output = ()> + Send + use<> {
        let logs = self.logs.clone();
        async move { logs.room().await }
    }
}

fn keep_tail(tail: &mut Vec<u8>, message: &[u8]) {
    let keep = &message[message.len().saturating_sub(limits::LOG_TAIL_BYTES)..];
    let excess = (tail.len() + keep.len()).saturating_sub(limits::LOG_TAIL_BYTES);
    tail.drain(..excess.min(tail.len()));
    tail.extend_from_slice(keep);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_holds_the_last_4096_bytes() {
        let mut tail = Vec::new();
        keep_tail(&mut tail, &[b'a'; 4_000]);
        keep_tail(&mut tail, &[b'b'; 100]);
        assert_eq!((tail.len(), tail[0], tail[4_095]), (4_096, b'a', b'b'));
        keep_tail(&mut tail, &[b'c'; 10_000]);
        assert!(tail.len() == 4_096 && tail.iter().all(|&byte| byte == b'c'));
    }
}
