//! A live tail: each second the events that have come, as messages of an event stream, until the client goes away.
//!
//! It reads the store as everybody does, from where it was. Whoever is slower than what is logged gets a part of it, and
//! is told so.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _};
use hearth_aws_wire::{Body, CutOff, EVENT_STREAM, Response, event, exception};
use hearth_telemetry::{EventQuery, LogEvent, LogStoreError, PageBounds, Position, StreamSelection};
use hearth_types::{LogGroupName, RequestId};
use http::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;

use crate::CloudWatchLogs;
use crate::error::LogsError;
use crate::filter_pattern::FilterPattern;
use crate::identifier::group_arn;

/// How many sessions there are at once. Ours: each reads each second.
pub(crate) const SESSIONS_MAX: usize = 16;
/// Between two updates.
///
/// Source, as of the next two: CloudWatch Logs API reference, "StartLiveTail", read 2026-11.
const PAUSE: Duration = Duration::from_secs(1);
/// Most events of an update.
const EVENTS_MAX: usize = 500;
/// How long a session lasts.
pub(crate) const SESSION_LIMIT: Duration = Duration::from_secs(3 * 3_600);
/// Most bytes of the messages of an update. Ours: clients refuse messages of 24 MiB, and JSON may write each byte as six.
const UPDATE_BYTES_MAX: usize = 2 << 20;
/// How much of what has come to a group in a second is looked at. What is behind it is left out.
const LOOKED_AT: PageBounds =
    PageBounds { events_max: 10_000, bytes_max: 4 << 20, scanned_bytes_max: 16 << 20 };
const JSON: &str = "application/json";

/// What the request said, which the first message repeats.
pub(crate) struct Asked {
    pub(crate) identifiers: Vec<String>,
    pub(crate) names: Option<Vec<String>>,
    pub(crate) prefixes: Option<Vec<String>>,
    pub(crate) pattern: Option<String>,
}

/// Which events are sent.
pub(crate) struct Wanted {
    /// Of these groups, from there on.
    pub(crate) groups: Vec<(LogGroupName, Position)>,
    pub(crate) streams: StreamSelection,
    /// Of streams that begin with one of these. None are all.
    pub(crate) prefixes: Vec<String>,
    pub(crate) pattern: FilterPattern,
}

/// One session. Dropped when its client hangs up.
pub(crate) struct LiveTail {
    api: Arc<CloudWatchLogs>,
    wanted: Wanted,
    next_at: Instant,
    ends_at: Instant,
    ending: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

impl LiveTail {
    /// Returns a session that begins now and lasts for `limit`. It gives its place back when it ends.
    pub(crate) fn new(
        api: Arc<CloudWatchLogs>,
        wanted: Wanted,
        place: OwnedSemaphorePermit,
        limit: Duration,
    ) -> Self {
        let (now, ending) = (Instant::now(), api.ending.subscribe());
        Self { api, wanted, next_at: now + PAUSE, ends_at: now + limit, ending, _place: place }
    }

    /// Returns the response that lasts as long as the session.
    pub(crate) fn into_response(self, asked: &Asked, request_id: &str) -> Response {
        let mut response = Response::new(Body::growing(self.messages(asked, request_id)));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
        response
    }

    fn messages(
        self,
        asked: &Asked,
        request_id: &str,
    ) -> impl Stream<Item = Result<Bytes, CutOff>> + Send + 'static {
        let start = json!({
            "requestId": request_id,
            "sessionId": RequestId::random().to_string(),
            "logGroupIdentifiers": asked.identifiers,
            "logStreamNames": asked.names.as_deref().unwrap_or_default(),
            "logStreamNamePrefixes": asked.prefixes.as_deref().unwrap_or_default(),
            "logEventFilterPattern": asked.pattern.as_deref().unwrap_or_default(),
        });
        // Clients of the JSON protocol take the output besides the stream from the first message; it has none.
        let first = [message("initial-response", &json!({})), message("sessionStart", &start)];
        let updates = stream::unfold(Some(self), |session| async { session?.step().await });
        stream::iter(first).chain(updates).map(Ok)
    }

    /// Waits for its time, and returns the next message. No session comes back with the last one.
    async fn step(mut self) -> Option<(Bytes, Option<Self>)> {
        let is_over = self.next_at > self.ends_at;
        tokio::select! {
            () = tokio::time::sleep_until(self.next_at.min(self.ends_at)) => {}
            // The server stops.
            _ = self.ending.wait_for(|ending| *ending) => return None,
        }
        if is_over {
            return Some((failure("SessionTimeoutException", "The session has timed out."), None));
        }
        // Whoever was away for longer is not sent the updates that were missed.
        self.next_at = (self.next_at + PAUSE).max(Instant::now());
        let work = move || {
            let update = self.update();
            (self, update)
        };
        match tokio::task::spawn_blocking(work).await {
            Ok((session, Ok(update))) => Some((message("sessionUpdate", &update), Some(session))),
            Ok((_, Err(LogStoreError::Closed))) => None,
            Ok((_, Err(error))) => Some((broken(&error), None)),
            Err(error) => Some((broken(&error), None)),
        }
    }

    /// Reads what has come. Blocks on the disk.
    fn update(&mut self) -> Result<Value, LogStoreError> {
        self.api.logs.flush();
        let Wanted { groups, streams, prefixes, pattern } = &mut self.wanted;
        let mut found: Vec<(String, LogEvent)> = Vec::new();
        let mut is_sampled = false;
        for (group, from) in groups {
            let matches = |message: &str| pattern.matches(message);
            let query =
                EventQuery { streams: streams.clone(), start_ms: None, end_ms: None, matches: &matches };
            let page = match self.api.logs.read_forwards(group, &query, *from, LOOKED_AT) {
                // The group was deleted, and has come back.
                Err(LogStoreError::Cursor(_)) => {
                    self.api.logs.read_forwards(group, &query, Position::START, LOOKED_AT)?
                }
                page => page?,
            };
            *from = if page.has_more { end_of(&self.api, group)?.max(page.end) } else { page.end };
            is_sampled |= page.has_more;
            let arn = group_arn(&self.api, group);
            let is_wanted = |event: &LogEvent| {
                prefixes.is_empty() || prefixes.iter().any(|prefix| event.log_stream.starts_with(prefix))
            };
            found.extend(page.events.into_iter().filter(is_wanted).map(|event| (arn.clone(), event)));
        }
        let count = found.len();
        if count > EVENTS_MAX {
            is_sampled = true;
            // Some from everywhere.
            let mut number = 0;
            found.retain(|_| {
                number += 1;
                number * EVENTS_MAX / count > (number - 1) * EVENTS_MAX / count
            });
        }
        let mut bytes = 0;
        let mut results = Vec::new();
        for (arn, event) in found {
            bytes += event.message.len();
            if bytes > UPDATE_BYTES_MAX && !results.is_empty() {
                is_sampled = true;
                break;
            }
            results.push(json!({
                "logStreamName": event.log_stream,
                "logGroupIdentifier": arn,
                "message": event.message,
                "timestamp": event.timestamp_ms,
                "ingestionTime": event.ingestion_ms,
            }));
        }
        Ok(json!({ "sessionMetadata": { "sampled": is_sampled }, "sessionResults": results }))
    }
}

/// Returns where a group ends now. Blocks on the disk.
pub(crate) fn end_of(api: &CloudWatchLogs, group: &LogGroupName) -> Result<Position, LogStoreError> {
    let query =
        EventQuery { streams: StreamSelection::All, start_ms: None, end_ms: None, matches: &|_| true };
    let bounds = PageBounds { events_max: 1, bytes_max: usize::MAX, scanned_bytes_max: u64::MAX };
    Ok(api.logs.read_backwards(group, &query, None, bounds)?.end)
}

fn message(kind: &str, payload: &Value) -> Bytes {
    Bytes::from(event(kind, JSON, Bytes::from(payload.to_string())).concat())
}

fn failure(kind: &str, text: &str) -> Bytes {
    let payload = json!({ "message": text }).to_string();
    Bytes::from(exception(kind, JSON, Bytes::from(payload)).concat())
}

/// What is our fault goes to our log, and ends the session.
fn broken(error: &dyn std::error::Error) -> Bytes {
    let _ = LogsError::service(error);
    failure("SessionStreamingException", "The session cannot go on.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_api::TestApi;

    #[tokio::test]
    async fn a_session_whose_time_is_over_says_so_and_gives_its_place_back() {
        let test = TestApi::with("over", &["before"]);
        let (api, group) = (test.api.clone(), test.group.clone());
        let place = api.live_tails.clone().try_acquire_owned().unwrap();
        let wanted = Wanted {
            groups: vec![(group.clone(), end_of(&api, &group).unwrap())],
            streams: StreamSelection::All,
            prefixes: Vec::new(),
            pattern: FilterPattern::parse("").unwrap(),
        };
        let asked = Asked { identifiers: Vec::new(), names: None, prefixes: None, pattern: None };
        let session = LiveTail::new(api.clone(), wanted, place, Duration::ZERO);
        assert_eq!(api.live_tails.available_permits(), SESSIONS_MAX - 1);
        let messages: Vec<_> = session.messages(&asked, "r").collect().await;
        let texts: Vec<String> = messages
            .into_iter()
            .map(|message| String::from_utf8_lossy(&message.unwrap()).into_owned())
            .collect();
        assert_eq!(texts.len(), 3, "{texts:?}");
        assert!(texts[0].contains("initial-response") && texts[1].contains("sessionStart"), "{texts:?}");
        assert!(texts[2].contains("exception") && texts[2].contains("SessionTimeoutException"), "{texts:?}");
        assert_eq!(api.live_tails.available_permits(), SESSIONS_MAX);
    }
}
