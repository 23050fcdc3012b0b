//! PutLogEvents: what log shippers send.

use hearth_telemetry::{EVENT_OVERHEAD_BYTES, PutEvent};
use serde_json::{Value, json};

use crate::CloudWatchLogs;
use crate::error::LogsError;
use crate::identifier::{existing, stream_name};
use crate::input::{Input, Text};

// Source of all limits: CloudWatch Logs API reference, "PutLogEvents", read 2026-11.
const EVENTS_MAX: usize = 10_000;
const BATCH_BYTES_MAX: usize = 1_048_576;
const HOUR_MS: i64 = 3_600_000;
/// How old an event may be.
const AGE_MS_MAX: i64 = 14 * 24 * HOUR_MS;
/// How far ahead of us a shipper's clock may be.
const AHEAD_MS_MAX: i64 = 2 * HOUR_MS;
/// How far apart the events of a batch may be.
const SPAN_MS_MAX: i64 = 24 * HOUR_MS;

pub(crate) fn answer(api: &CloudWatchLogs, mut input: Input) -> Result<Value, LogsError> {
    let group = input.required_text("logGroupName", &Text::LOG_GROUP_NAME)?;
    let stream = input.required_text("logStreamName", &Text::LOG_STREAM_NAME)?;
    let mut events = input.structures("logEvents", 1, EVENTS_MAX, |event| {
        let timestamp_ms = event.required_integer("timestamp", 0, i64::MAX)?;
        let message = event.required_text("message", &Text::EVENT_MESSAGE)?;
        Ok(PutEvent { timestamp_ms, message: message.into_bytes() })
    })?;
    // Whatever it is: it is ignored.
    let _sequence_token = input.text("sequenceToken", &Text::NEXT_TOKEN)?;
    input.check()?;
    let bytes: usize = events.iter().map(|event| event.message.len() + EVENT_OVERHEAD_BYTES).sum();
    if bytes > BATCH_BYTES_MAX {
        return Err(LogsError::invalid_parameter(format!(
            "Upload too large: {bytes} bytes exceeds limit of {BATCH_BYTES_MAX}"
        )));
    }
    if !events.is_sorted_by_key(|event| event.timestamp_ms) {
        return Err(LogsError::invalid_parameter(
            "Log events in a single PutLogEvents request must be in chronological order.",
        ));
    }
    let (group, stream) = (existing(api, &group)?, stream_name(&stream)?);
    let now_ms = api.clock.epoch_ms();
    let times = Times::of(&events, now_ms, group.retention_days);
    let (first, behind) = (times.too_old.max(times.expired), times.too_new);
    let accepted = &events[first.min(behind)..behind];
    if let [earliest, .., latest] = accepted
        && latest.timestamp_ms - earliest.timestamp_ms > SPAN_MS_MAX
    {
        return Err(LogsError::invalid_parameter(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        ));
    }
    if !api.logs.has_stream(&group.name, stream.as_str())? {
        // An environment may have written its first line just now.
        api.logs.flush();
        if !api.logs.has_stream(&group.name, stream.as_str())? {
            return Err(LogsError::stream_not_found());
        }
    }
    let rejected = times.rejected(events.len());
    events.truncate(behind);
    events.drain(..first.min(behind));
    if !api.logs.put(&group.name, &stream, events) {
        return Err(LogsError::unavailable());
    }
    // Who has an answer reads what it has sent.
    api.logs.flush();
    let mut output = json!({ "nextSequenceToken": format!("{now_ms:056}") });
    if let Some(rejected) = rejected {
        output["rejectedLogEventsInfo"] = rejected;
    }
    Ok(output)
}

/// Which events of a batch, in order, are out of time.
#[derive(Debug, PartialEq, Eq)]
struct Times {
    /// So many at the beginning are older than 14 days.
    too_old: usize,
    /// So many at the beginning are older than the group keeps.
    expired: usize,
    /// From this one on they are too far ahead.
    too_new: usize,
}

impl Times {
    fn of(events: &[PutEvent], now_ms: i64, retention_days: Option<u32>) -> Self {
        let before = |time_ms: i64| events.partition_point(|event| event.timestamp_ms < time_ms);
        let kept_ms = retention_days.map(|days| i64::from(days) * 24 * HOUR_MS);
        Self {
            too_old: before(now_ms - AGE_MS_MAX),
            expired: kept_ms.map_or(0, |kept_ms| before(now_ms - kept_ms)),
            too_new: before(now_ms + AHEAD_MS_MAX + 1),
        }
    }

    fn rejected(&self, events: usize) -> Option<Value> {
        let mut info = json!({});
        if self.too_new < events {
            info["tooNewLogEventStartIndex"] = self.too_new.into();
        }
        if self.too_old > 0 {
            info["tooOldLogEventEndIndex"] = self.too_old.into();
        }
        if self.expired > 0 {
            info["expiredLogEventEndIndex"] = self.expired.into();
        }
        info.as_object().is_some_and(|info| !info.is_empty()).then_some(info)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_out_of_time_are_rejected_from_both_ends() {
        const NOW: i64 = 1_764_000_000_000;
        let events: Vec<PutEvent> = [-15 * 24 * HOUR_MS, -2 * 24 * HOUR_MS, 0, 2 * HOUR_MS, 2 * HOUR_MS + 1]
            .map(|ago| PutEvent { timestamp_ms: NOW + ago, message: b"x".to_vec() })
            .to_vec();
        assert_eq!(Times::of(&events, NOW, None), Times { too_old: 1, expired: 0, too_new: 4 });
        let times = Times::of(&events, NOW, Some(1));
        assert_eq!(times, Times { too_old: 1, expired: 2, too_new: 4 });
        let info = json!({
            "tooNewLogEventStartIndex": 4, "tooOldLogEventEndIndex": 1, "expiredLogEventEndIndex": 2,
        });
        assert_eq!(times.rejected(5), Some(info));
        assert_eq!(Times::of(&events[2..3], NOW, None).rejected(1), None);
    }
}
