//! FilterLogEvents: the events of a group, of some streams, times and messages. What `aws logs tail` asks for.

use hearth_telemetry::{EventPage, EventQuery, PageBounds, Position, StreamSelection};
use hearth_types::LogGroupName;
use serde_json::{Value, json};

use crate::CloudWatchLogs;
use crate::error::LogsError;
use crate::filter_pattern::FilterPattern;
use crate::get_log_events::{EVENTS_MAX, PAGE_BYTES_MAX};
use crate::identifier::GroupMembers;
use crate::input::{Input, Text};
use crate::token::{next_token, place};

/// How much of the disk one request reads. What is left comes with the next token, so that no request takes long,
/// however large the group and however rare what is looked for. 64 MiB are read in a few tenths of a second.
const SCANNED_BYTES_MAX: u64 = 64 << 20;

/// Where to go on, and in which direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// From the oldest on.
    Oldest,
    /// From here on.
    From(Position),
    /// From the newest back.
    Newest,
    /// Before this.
    Before(Position),
}

impl Place {
    fn of_token(token: &str, now_ms: i64) -> Result<Self, LogsError> {
        let place = place(token, now_ms)?;
        let read = || match place.split_once('/')? {
            ("f", position) => Some(Self::From(Position::parse(position)?)),
            ("b", position) => Some(Self::Before(Position::parse(position)?)),
            _ => None,
        };
        read().ok_or_else(LogsError::next_token)
    }
}

pub(crate) fn answer(api: &CloudWatchLogs, mut input: Input) -> Result<Value, LogsError> {
    let group = GroupMembers::read(&mut input)?;
    let names = input.texts("logStreamNames", 1, 100, &Text::LOG_STREAM_NAME)?;
    let prefix = input.text("logStreamNamePrefix", &Text::LOG_STREAM_NAME)?;
    let start_ms = input.timestamp("startTime")?;
    let end_ms = input.timestamp("endTime")?;
    let pattern = input.text("filterPattern", &Text::FILTER_PATTERN)?;
    let token = input.text("nextToken", &Text::NEXT_TOKEN)?;
    let limit = input.integer("limit", 1, EVENTS_MAX)?.unwrap_or(EVENTS_MAX);
    let from_head = input.boolean("startFromHead")?.unwrap_or(true);
    // They always are.
    let _interleaved = input.boolean("interleaved")?;
    let _unmask = input.boolean("unmask")?;
    input.check()?;
    let now_ms = api.clock.epoch_ms();
    let place = match token {
        Some(token) => Place::of_token(&token, now_ms)?,
        None if from_head => Place::Oldest,
        None => Place::Newest,
    };
    let pattern = FilterPattern::parse(&pattern.unwrap_or_default())?;
    let streams = match (names, prefix) {
        (Some(_), Some(_)) => {
            return Err(LogsError::invalid_parameter(
                "logStreamNames and logStreamNamePrefix are mutually exclusive parameters.",
            ));
        }
        (Some(names), None) => StreamSelection::Named(names),
        (None, Some(prefix)) => StreamSelection::Prefix(prefix),
        (None, None) => StreamSelection::All,
    };
    api.logs.flush();
    let group = group.existing(api)?;
    if let StreamSelection::Named(names) = &streams {
        for name in names {
            if !api.logs.has_stream(&group.name, name)? {
                return Err(LogsError::stream_not_found());
            }
        }
    }
    let matches = |message: &str| pattern.matches(message);
    // Unlike GetLogEvents, this one includes the end.
    let end_ms = end_ms.map(|end_ms| end_ms.saturating_add(1));
    let query = EventQuery { streams, start_ms, end_ms, matches: &matches };
    let events_max = usize::try_from(limit).unwrap_or(1);
    let bounds = PageBounds { events_max, bytes_max: PAGE_BYTES_MAX, scanned_bytes_max: SCANNED_BYTES_MAX };
    let (page, next) = read(api, &group.name, &query, place, bounds)?;
    let events: Vec<Value> = page
        .events
        .into_iter()
        .map(|event| {
            json!({
                "eventId": event.event_id(),
                "logStreamName": event.log_stream,
                "timestamp": event.timestamp_ms,
                "message": event.message,
                "ingestionTime": event.ingestion_ms,
            })
        })
        .collect();
    let mut output = json!({ "events": events, "searchedLogStreams": [] });
    if page.has_more {
        output["nextToken"] = next_token(&next, now_ms).into();
    }
    Ok(output)
}

/// Reads a page, and says where the next one begins.
fn read(
    api: &CloudWatchLogs,
    group: &LogGroupName,
    query: &EventQuery<'_>,
    place: Place,
    bounds: PageBounds,
) -> Result<(EventPage, String), LogsError> {
    let from = match place {
        Place::Oldest => Position::START,
        Place::From(position) => position,
        Place::Newest | Place::Before(_) => {
            let before = if let Place::Before(position) = place { Some(position) } else { None };
            let mut page = api.logs.read_backwards(group, query, before, bounds)?;
            page.events.reverse();
            let next = format!("b/{}", page.start);
            return Ok((page, next));
        }
    };
    let page = api.logs.read_forwards(group, query, from, bounds)?;
    let next = format!("f/{}", page.end);
    Ok((page, next))
}
