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
    format: LogFormat,
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
        let format = identity.log_format;
        Self { logs, group, stream, format, application_log_level, tail: Vec::new() }
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
            keep_tail(&mut self.tail, &event.message, self.format);
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

/// Adds to the last bytes of a log. Text is cut at bytes; in the JSON format only whole records are kept, the latest
/// that fit: half a record is no JSON.
fn keep_tail(tail: &mut Vec<u8>, message: &[u8], format: LogFormat) {
    match format {
        LogFormat::Text => {
            let keep = &message[message.len().saturating_sub(limits::LOG_TAIL_BYTES)..];
            let excess = (tail.len() + keep.len()).saturating_sub(limits::LOG_TAIL_BYTES);
            tail.drain(..excess.min(tail.len()));
            tail.extend_from_slice(keep);
        }
        LogFormat::Json => {
            // A frame may come without a newline; two records in one line would not be JSON either.
            let newline: &[u8] = if message.ends_with(b"\n") { b"" } else { b"\n" };
            let length = message.len() + newline.len();
            let excess = (tail.len() + length).saturating_sub(limits::LOG_TAIL_BYTES);
            if excess > 0 {
                let from = excess.saturating_sub(1);
                let end = tail.iter().skip(from).position(|&byte| byte == b'\n');
                tail.drain(..end.map_or(tail.len(), |end| from + end + 1));
            }
            if length <= limits::LOG_TAIL_BYTES {
                tail.extend_from_slice(message);
                tail.extend_from_slice(newline);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_holds_the_last_4096_bytes() {
        let mut tail = Vec::new();
        keep_tail(&mut tail, &[b'a'; 4_000], LogFormat::Text);
        keep_tail(&mut tail, &[b'b'; 100], LogFormat::Text);
        assert_eq!((tail.len(), tail[0], tail[4_095]), (4_096, b'a', b'b'));
        keep_tail(&mut tail, &[b'c'; 10_000], LogFormat::Text);
        assert!(tail.len() == 4_096 && tail.iter().all(|&byte| byte == b'c'));
    }

    #[test]
    fn the_tail_of_the_json_format_holds_the_last_whole_records_that_fit() {
        let record = |letter: char, bytes: usize| format!("\"{}\"\n", String::from(letter).repeat(bytes - 3));
        let mut tail = Vec::new();
        let mut keep = |message: &str| {
            keep_tail(&mut tail, message.as_bytes(), LogFormat::Json);
            let lines = std::str::from_utf8(&tail).unwrap().split_inclusive('\n');
            let whole = |line: &str| line.starts_with('"') && line.ends_with("\"\n");
            lines
                .map(|line| (line.chars().nth(usize::from(whole(line))).unwrap(), line.len()))
                .collect::<Vec<(char, usize)>>()
        };
        assert_eq!(keep(&record('a', 1_000)), [('a', 1_000)]);
        assert_eq!(keep(record('b', 1_000).trim_end()), [('a', 1_000), ('b', 1_000)]);
        assert_eq!(keep(&record('c', 2_096)), [('a', 1_000), ('b', 1_000), ('c', 2_096)]);
        // One byte too many costs the whole first record.
        assert_eq!(keep(&record('d', 4)), [('b', 1_000), ('c', 2_096), ('d', 4)]);
        assert_eq!(keep(&record('e', 2_500)), [('d', 4), ('e', 2_500)]);
        assert_eq!(keep(&record('f', 4_096)), [('f', 4_096)]);
        // What does not fit at all shows as nothing, rather than as older records as if they were the last.
        assert!(keep(&record('g', 4_097)).is_empty());
        assert_eq!(keep(&record('h', 10)), [('h', 10)]);
    }
}
