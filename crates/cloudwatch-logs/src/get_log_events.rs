//! GetLogEvents: the events of one stream, in pages that can be turned both ways.

use hearth_telemetry::{EventQuery, PageBounds, Position, StreamSelection};
use serde_json::{Value, json};

use crate::CloudWatchLogs;
use crate::error::LogsError;
use crate::identifier::GroupMembers;
use crate::input::{Input, Text};
use crate::token::StreamToken;

/// Most events on a page, and how many there are unless fewer are asked for.
///
/// Source: CloudWatch Logs API reference, "GetLogEvents", read 2026-11.
pub(crate) const EVENTS_MAX: i64 = 10_000;
/// Most bytes on a page.
pub(crate) const PAGE_BYTES_MAX: usize = 1_048_576;

pub(crate) fn answer(api: &CloudWatchLogs, mut input: Input) -> Result<Value, LogsError> {
    let group = GroupMembers::read(&mut input)?;
    let stream = input.required_text("logStreamName", &Text::LOG_STREAM_NAME)?;
    let start_ms = input.timestamp("startTime")?;
    let end_ms = input.timestamp("endTime")?;
    let token = input.text("nextToken", &Text::NEXT_TOKEN)?;
    let limit = input.integer("limit", 1, EVENTS_MAX)?.unwrap_or(EVENTS_MAX);
    let from_head = input.boolean("startFromHead")?.unwrap_or(false);
    let _unmask = input.boolean("unmask")?;
    input.check()?;
    let token = token.as_deref().map(StreamToken::parse).transpose()?;
    api.logs.flush();
    let group = group.existing(api)?;
    if !api.logs.has_stream(&group.name, &stream)? {
        return Err(LogsError::stream_not_found());
    }
    let streams = StreamSelection::Named(vec![stream]);
    let query = EventQuery { streams, start_ms, end_ms, matches: &|_| true };
    let bounds = PageBounds {
        events_max: usize::try_from(limit).unwrap_or(1),
        bytes_max: PAGE_BYTES_MAX,
        // An index says where the stream is; an empty page would end the reading of most clients.
        scanned_bytes_max: u64::MAX,
    };
    let forwards = |from| api.logs.read_forwards(&group.name, &query, from, bounds);
    let backwards = |before| api.logs.read_backwards(&group.name, &query, before, bounds);
    // Where an empty page stays: its tokens say nothing new, so that clients know that it is the end.
    let (page, here) = match (token, from_head) {
        (Some(StreamToken::Forward(from)), _) => (forwards(from)?, from),
        (Some(StreamToken::Backward(before)), _) => (backwards(Some(before))?, before),
        (None, true) => (forwards(Position::START)?, Position::START),
        (None, false) => (backwards(None)?, Position::START),
    };
    let (start, end) = if page.events.is_empty() { (here, here) } else { (page.start, page.end) };
    let events: Vec<Value> = page
        .events
        .into_iter()
        .map(|event| {
            json!({
                "timestamp": event.timestamp_ms,
                "message": event.message,
                "ingestionTime": event.ingestion_ms,
            })
        })
        .collect();
    Ok(json!({
        "events": events,
        "nextForwardToken": StreamToken::Forward(end).print(),
        "nextBackwardToken": StreamToken::Backward(start).print(),
    }))
}
