//! What pages are told while they are open: parts of themselves made anew, and log lines, as server-sent events. And the
//! data that their pictures are drawn from.
//!
//! A stream asks the APIs again and again as its viewer, no more often than is worth it, and ends with its reader, with the
//! server, and when the viewer may no longer look.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use hearth_aws_wire::{Body, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, StatusCode};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;

use crate::ask::{Api, Ask, Problem, Viewer};
use crate::facts::text;
use crate::page::{self, plain};
use crate::parts::{First, log_events};
use crate::sessions::Sessions;
use crate::text::encoded;
use crate::{facts, function_page, functions_page, lifecycle_page, value};

/// How many functions one stream of logs follows.
pub(crate) const TAILED_MAX: usize = 50;
/// How often a stream looks for news.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A stream that has nothing to say says so after this time: a reader that is gone is noticed then.
const SILENT_MAX: Duration = Duration::from_secs(15);
/// So many times longer than an answer took, nothing is asked again: a page must not keep the server busy.
const REST: u32 = 4;
/// How many log lines a stream sends at once; of more, the oldest are left out, and it says so.
const LINES_MAX: usize = 500;
/// How long before the last line lines are looked for: some come late.
const LATE_MS: i64 = 3_000;
/// What a stream of logs begins with: lines of this time, and no more than this number.
const BEFORE_MS: i64 = 3_600_000;
const BEFORE_MAX: usize = 100;
/// How many lines are remembered, to be sent only once.
const SEEN_MAX: usize = 20_000;

/// Whoever reads a stream.
pub(crate) struct Reader {
    pub(crate) ask: Arc<dyn Ask>,
    pub(crate) viewer: Viewer,
    /// The session in which it was asked for.
    pub(crate) session: (Arc<Sessions>, String),
    pub(crate) stopped: watch::Receiver<bool>,
}

impl Reader {
    /// Whether the viewer may still look: who has left, or whose key is gone, may not.
    fn may_look(&self) -> bool {
        let (sessions, id) = &self.session;
        match &self.viewer {
            Viewer::Anybody => !self.ask.asks_for_keys(),
            Viewer::Key { access_key_id, .. } => {
                self.ask.is_known(access_key_id) && sessions.viewer(id, self.ask.now_epoch_ms()).is_some()
            }
        }
    }

    fn api(&self) -> Api<'_> {
        Api { ask: &*self.ask, viewer: &self.viewer }
    }
}

/// What a stream is about.
enum Topic {
    /// A part of a page, made anew when something has changed.
    Part(Part, Option<String>),
    /// Only that something has changed.
    Changes,
    Logs(Tail),
}

enum Part {
    Functions,
    Function,
    Calls,
}

struct Stream {
    reader: Reader,
    topic: Topic,
    /// What was seen last.
    seen: Option<u64>,
    spoke: Instant,
    next: Instant,
    _place: OwnedSemaphorePermit,
}

/// Answers with a stream of events.
pub(crate) fn stream(
    reader: Reader,
    what: &[&str],
    function: Option<&str>,
    place: OwnedSemaphorePermit,
) -> Response {
    let function = function.map(str::to_owned);
    let topic = match (what, &function) {
        (["functions"], _) => Topic::Part(Part::Functions, None),
        (["function"], Some(_)) => Topic::Part(Part::Function, function),
        (["calls"], _) => Topic::Part(Part::Calls, function),
        (["changes"], _) => Topic::Changes,
        (["logs"], _) => Topic::Logs(Tail::new(function, reader.ask.now_epoch_ms())),
        _ => return plain(StatusCode::NOT_FOUND, "there is no such stream"),
    };
    let now = Instant::now();
    let stream = Stream { reader, topic, seen: None, spoke: now, next: now, _place: place };
    // The first piece opens the stream at once, so that the page knows.
    let pieces = stream::unfold((stream, true), |(mut stream, is_first)| async move {
        if is_first {
            return Some((Ok(Bytes::from_static(b"retry: 2000\n\n")), (stream, false)));
        }
        let piece = stream.next().await?;
        Some((Ok(piece), (stream, false)))
    });
    let mut response = Response::new(Body::growing(pieces));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    page::guard(response.headers_mut());
    response
}

impl Stream {
    /// Returns what is to be sent next; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(self.next) => {}
                _ = self.reader.stopped.wait_for(|stopped| *stopped) => return None,
            }
            let begun = Instant::now();
            let news = self.look().await;
            let took = begun.elapsed();
            self.next = Instant::now() + LOOK_EVERY.max(took * REST);
            match news {
                Ok(Some(event)) => {
                    self.spoke = Instant::now();
                    return Some(event);
                }
                Ok(None) if self.spoke.elapsed() > SILENT_MAX => {
                    self.spoke = Instant::now();
                    return Some(Bytes::from_static(b": nothing new\n\n"));
                }
                Ok(None) => {}
                // The page asks again, and is sent to sign in.
                Err(_) => return None,
            }
        }
    }

    async fn look(&mut self) -> Result<Option<Bytes>, Problem> {
        if !self.reader.may_look() {
            return Err(Problem::new(StatusCode::UNAUTHORIZED, "sign in first"));
        }
        if let Topic::Logs(tail) = &mut self.topic {
            let lines = tail.read(&self.reader.api()).await?;
            return Ok((!lines.is_empty()).then(|| event("lines", &Value::Array(lines))));
        }
        let api = self.reader.api();
        let mark = mark(&api).await?;
        if self.seen == Some(mark) {
            return Ok(None);
        }
        // What a page shows when it is opened is as new as this.
        self.seen = Some(mark);
        let now = Value::from(api.ask.now_epoch_ms());
        match &self.topic {
            Topic::Changes | Topic::Logs(_) => Ok(Some(event("changed", &now))),
            Topic::Part(part, function) => {
                let markup = match (part, function) {
                    (Part::Function, Some(name)) => function_page::part(&api, name).await,
                    (Part::Functions | Part::Function, _) => functions_page::part(&api).await,
                    (Part::Calls, function) => lifecycle_page::live_calls(&api, function.as_deref()).await,
                };
                Ok(Some(event("part", &Value::from(markup.into_string()))))
            }
        }
    }
}

/// An event whose data is one line of JSON.
fn event(name: &str, data: &Value) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}

/// Returns a number that changes when environments come, go, are called or change their state, and when functions do.
async fn mark(api: &Api<'_>) -> Result<u64, Problem> {
    let mut hasher = DefaultHasher::new();
    let environments = api.get("/_hearth/environments").await?;
    for environment in environments["environments"].as_array().into_iter().flatten() {
        text(environment, "environment_id").hash(&mut hasher);
        text(environment, "state").hash(&mut hasher);
        environment["invocations"].as_i64().hash(&mut hasher);
    }
    for function in facts::functions(api).await.into_iter().flatten() {
        text(&function, "RevisionId").hash(&mut hasher);
        text(&function, "State").hash(&mut hasher);
    }
    Ok(hasher.finish())
}

/// Follows the logs of functions.
struct Tail {
    function: Option<String>,
    from_ms: i64,
    /// Whether the lines from before were sent, which a page begins with.
    has_begun: bool,
    seen: HashSet<String>,
    order: VecDeque<String>,
}

impl Tail {
    fn new(function: Option<String>, now_ms: i64) -> Self {
        let from_ms = now_ms - BEFORE_MS;
        Self { function, from_ms, has_begun: false, seen: HashSet::new(), order: VecDeque::new() }
    }

    async fn read(&mut self, api: &Api<'_>) -> Result<Vec<Value>, Problem> {
        let now = api.ask.now_epoch_ms();
        let functions = match &self.function {
            Some(name) => {
                let path = format!("/2015-03-31/functions/{}/configuration", encoded(name));
                vec![api.get(&path).await?]
            }
            None => facts::functions(api).await?,
        };
        let limit = if self.has_begun { LINES_MAX } else { BEFORE_MAX };
        let mut lines = Vec::new();
        let mut left_out = 0;
        for function in functions.iter().take(TAILED_MAX) {
            let name = text(function, "FunctionName");
            let group = match text(&function["LoggingConfig"], "LogGroup") {
                "" => format!("/aws/lambda/{name}"),
                group => group.to_owned(),
            };
            let window = (self.from_ms, now + 60_000);
            let asked = if self.has_begun { 10_000 } else { BEFORE_MAX };
            let events = log_events(api, &group, None, window, (asked, First::Newest)).await?;
            let fresh: Vec<&Value> = events.iter().filter(|it| self.is_fresh(text(it, "eventId"))).collect();
            left_out += fresh.len().saturating_sub(limit);
            lines.extend(fresh[fresh.len().saturating_sub(limit)..].iter().map(|event| {
                json!({
                    "function": name,
                    "stream": event["logStreamName"],
                    "at": event["timestamp"],
                    "text": event["message"],
                })
            }));
        }
        self.from_ms = now - LATE_MS;
        lines.sort_by_key(|line| line["at"].as_i64());
        left_out += lines.len().saturating_sub(limit);
        lines.drain(..lines.len().saturating_sub(limit));
        // Nobody misses what was before the page was opened.
        if left_out > 0 && std::mem::replace(&mut self.has_begun, true) {
            lines.insert(0, json!({ "left_out": left_out }));
        }
        self.has_begun = true;
        Ok(lines)
    }

    fn is_fresh(&mut self, id: &str) -> bool {
        if id.is_empty() || !self.seen.insert(id.to_owned()) {
            return id.is_empty();
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > SEEN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        true
    }
}

/// Passes on the data of a picture, as the API has it.
pub(crate) async fn data(api: &Api<'_>, what: &str, query: &[(String, String)]) -> Response {
    let pair = |name: &str| {
        let value = value(query, name);
        if value.is_empty() { String::new() } else { format!("&{name}={}", encoded(&value)) }
    };
    let shared = format!("{}{}{}", pair("function"), pair("from_ms"), pair("to_ms"));
    let answered = match what {
        "lanes" => json_of(api, format!("/_hearth/lanes?{}", shared.trim_start_matches('&'))).await,
        "invocations" => {
            let day = api.ask.now_epoch_ms() - 86_400_000;
            let from =
                if value(query, "from_ms").is_empty() { format!("&from_ms={day}") } else { String::new() };
            json_of(api, format!("/_hearth/invocations?limit=5000{from}{shared}")).await
        }
        "logs" => {
            let number = |name: &str| value(query, name).parse().unwrap_or(0);
            let stream = Some(value(query, "stream")).filter(|stream| !stream.is_empty());
            let window = (number("from_ms"), number("to_ms"));
            let events =
                log_events(api, &value(query, "group"), stream.as_deref(), window, (1_000, First::Oldest))
                    .await;
            events.map(|events| Bytes::from(json!({ "events": events }).to_string()))
        }
        _ => return plain(StatusCode::NOT_FOUND, "there is no such data"),
    };
    match answered {
        Ok(json) => page::answer(StatusCode::OK, "application/json", json),
        Err(problem) => {
            let body = json!({ "message": problem.message }).to_string();
            page::answer(problem.status, "application/json", body)
        }
    }
}

/// Gets JSON without reading it: the server wrote it a moment ago.
async fn json_of(api: &Api<'_>, path: String) -> Result<Bytes, Problem> {
    let request = Request::builder().method(Method::GET).uri(path).body(Bytes::new());
    let request = request.map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "no such address"))?;
    let answer = api.send(request).await?;
    if answer.status.is_success() {
        Ok(answer.body)
    } else {
        Err(answer.json().err().unwrap_or(Problem::new(StatusCode::BAD_GATEWAY, "no answer")))
    }
}
