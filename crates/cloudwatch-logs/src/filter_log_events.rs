//! FilterLogEvents: the events of a group, of some streams, times and messages. What `aws logs tail` asks for.

use std::time::Duration;

use hearth_telemetry::{EVENT_OVERHEAD_BYTES, EventQuery, LogEvent, PageBounds, Position, StreamSelection};
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
/// How much of that is read between two looks at the time.
const SCANNED_AT_ONCE_BYTES_MAX: u64 = 2 << 20;
/// How long one request reads: what a pattern costs is up to who wrote it.
const SCANNING_LIMIT: Duration = Duration::from_secs(5);

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

/// The events of a page, and where the next one begins, if there is one.
struct Found {
    events: Vec<LogEvent>,
    next: Option<Place>,
}

impl Place {
    fn print(self) -> String {
        match self {
            Self::Oldest => format!("f/{}", Position::START),
            Self::From(position) => format!("f/{position}"),
            Self::Newest => format!("b/{}", Position { segment: u64::MAX, offset: u64::MAX }),
            Self::Before(position) => format!("b/{position}"),
        }
    }

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
    let found = read(api, &group.name, &query, place, bounds, SCANNING_LIMIT)?;
    let events: Vec<Value> = found
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
    if let Some(next) = found.next {
        output["nextToken"] = next_token(&next.print(), now_ms).into();
    }
    Ok(output)
}

/// Reads a page, and says where the next one begins. Piece by piece, so that a pattern that is slow to match makes smaller
/// pages and not longer requests.
fn read(
    api: &CloudWatchLogs,
    group: &LogGroupName,
    query: &EventQuery<'_>,
    mut place: Place,
    bounds: PageBounds,
    limit: Duration,
) -> Result<Found, LogsError> {
    let until = api.clock.now() + limit;
    let mut left = PageBounds { scanned_bytes_max: SCANNED_AT_ONCE_BYTES_MAX, ..bounds };
    let mut pieces = bounds.scanned_bytes_max / SCANNED_AT_ONCE_BYTES_MAX;
    let mut events: Vec<LogEvent> = Vec::new();
    loop {
        let backwards = matches!(place, Place::Newest | Place::Before(_));
        let page = match place {
            Place::Oldest => api.logs.read_forwards(group, query, Position::START, left)?,
            Place::From(position) => api.logs.read_forwards(group, query, position, left)?,
            Place::Newest => api.logs.read_backwards(group, query, None, left)?,
            Place::Before(position) => api.logs.read_backwards(group, query, Some(position), left)?,
        };
        let bytes: usize = page.events.iter().map(|event| event.message.len() + EVENT_OVERHEAD_BYTES).sum();
        // A piece has one event at least: the next page begins with it when there is no room for it here.
        if bytes > left.bytes_max && !events.is_empty() {
            return Ok(Found { events: ordered(events, backwards), next: Some(place) });
        }
        place = if backwards { Place::Before(page.start) } else { Place::From(page.end) };
        left.events_max = left.events_max.saturating_sub(page.events.len());
        left.bytes_max = left.bytes_max.saturating_sub(bytes);
        events = if backwards { [page.events, events].concat() } else { [events, page.events].concat() };
        pieces = pieces.saturating_sub(1);
        let is_full = left.events_max == 0 || left.bytes_max < EVENT_OVERHEAD_BYTES;
        let is_enough = is_full || pieces == 0 || api.clock.now() >= until;
        if is_enough || !page.has_more {
            return Ok(Found { events: ordered(events, backwards), next: page.has_more.then_some(place) });
        }
    }
}

/// Puts events, which are in the order of their positions or nearly, into the one of their times.
fn ordered(mut events: Vec<LogEvent>, newest_first: bool) -> Vec<LogEvent> {
    events.sort_by_key(|event| event.timestamp_ms);
    if newest_first {
        events.reverse();
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_api::TestApi;

    /// The numbers of the events that match, a page each.
    fn pages(test: &TestApi, first: Place, limit: Duration) -> Vec<Vec<usize>> {
        let matches = |message: &str| message.ends_with("00");
        let query =
            EventQuery { streams: StreamSelection::All, start_ms: None, end_ms: None, matches: &matches };
        let bounds =
            PageBounds { events_max: 4, bytes_max: PAGE_BYTES_MAX, scanned_bytes_max: SCANNED_BYTES_MAX };
        let mut pages = Vec::new();
        let mut next = Some(first);
        while let Some(place) = next {
            let found = read(&test.api, &test.group, &query, place, bounds, limit).unwrap();
            let numbers = found.events.iter().map(|event| event.message.trim_start_matches('x').parse());
            pages.push(numbers.collect::<Result<_, _>>().unwrap());
            next = found.next.map(|next| Place::of_token(&next_token(&next.print(), 0), 0).unwrap());
        }
        pages
    }

    #[test]
    fn a_request_whose_time_is_over_has_a_smaller_page_and_nothing_is_lost_or_doubled() {
        // 9 MB: several pieces.
        let messages: Vec<String> =
            (1..=900).map(|number| format!("{}{number}", "x".repeat(10_000))).collect();
        let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
        let test = TestApi::with("time", &messages);
        test.api.logs.flush();
        let forwards: Vec<usize> = (1..=9).map(|number| number * 100).collect();
        let backwards: Vec<usize> = forwards.iter().rev().copied().collect();
        for (place, expected) in [(Place::Oldest, &forwards), (Place::Newest, &backwards)] {
            let in_time = pages(&test, place, Duration::from_secs(600));
            assert_eq!(in_time.concat(), *expected, "{place:?}");
            // As many as a page may have are on each, across the pieces.
            assert!(in_time[..2].iter().all(|page| page.len() == 4), "{in_time:?}");
            let over = pages(&test, place, Duration::ZERO);
            assert_eq!(over.concat(), *expected, "{place:?}");
            assert!(over.len() >= in_time.len(), "{over:?}");
        }
        assert!(pages(&test, Place::Oldest, Duration::ZERO).iter().any(|page| page.len() < 3));
    }
}
