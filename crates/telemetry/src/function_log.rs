//! The log stream of one environment: what goes to it, what is filtered, and its last bytes.

use std::sync::Arc;

use hearth_types::{LogFormat, LogGroupName, LogLevel, LogStreamName, limits};

use crate::application_level::application_level;
use crate::environment::FunctionIdentity;
use crate::{LogStore, PutEvent};

/// Writes to the log stream.
pub(crate) struct FunctionLog {
    logs: Arc<LogStore>,
    group: LogGroupName,
    stream: LogStreamName,
    /// Lines of the function below it are not written.
    application_log_level: Option<LogLevel>,
    /// The last bytes since the last invocation ended: what `LogType: Tail` shows.
    tail: Vec<u8>,
}

impl FunctionLog {
    pub(crate) fn new(logs: Arc<LogStore>, stream: LogStreamName, identity: &FunctionIdentity) -> Self {
        let application_log_level = match identity.log_format {
            LogFormat::Json => identity.application_log_level,
            LogFormat::Text => None,
        };
        // What has the lowest level passes all the same.
        let application_log_level = application_log_level.filter(|level| *level > LogLevel::Trace);
        let group = identity.log_group.clone();
        Self { logs, group, stream, application_log_level, tail: Vec::new() }
    }

    /// Writes what the function put out, except for what is below its level.
    pub(crate) fn write_filtered(&mut self, mut events: Vec<PutEvent>) {
        if let Some(least) = self.application_log_level {
            events.retain(|event| application_level(&event.message).is_none_or(|level| level >= least));
        }
        self.write(events);
    }

    /// Writes one or more whole lines of the platform.
    pub(crate) fn write_lines(&mut self, timestamp_ms: i64, text: &str) {
        let events: Vec<PutEvent> = text
            .split_inclusive('\n')
            .map(|line| PutEvent { timestamp_ms, message: line.as_bytes().to_vec() })
            .collect();
        self.write(events);
    }

    /// Writes events as they are.
    pub(crate) fn write(&mut self, events: Vec<PutEvent>) {
        for event in &events {
            keep_tail(&mut self.tail, &event.message);
        }
        // The store counts what it has to drop.
        let _ = self.logs.put(&self.group, &self.stream, events);
    }

    /// Takes the last bytes.
    pub(crate) fn take_tail(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.tail)
    }

    /// Forgets the last bytes.
    pub(crate) fn forget_tail(&mut self) {
        self.tail.clear();
    }

    /// Waits until the log store has room again for output; returns at once when it has.
    pub(crate) fn room(&self) -> impl Future<Output = ()> + Send + use<> {
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
