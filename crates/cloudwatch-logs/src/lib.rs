//! The CloudWatch Logs API: log groups, streams and events, in the JSON 1.1 protocol. One module an operation;
//! [`operations`] is the table. What it serves is the log store of [`hearth_telemetry`], which functions write to.
//!
//! Who calls, and whether they may, has been found out before a request comes here (`hearth-auth`).

mod asked;
mod create_log_group;
mod create_log_stream;
mod delete_log_group;
mod delete_log_stream;
mod describe_log_groups;
mod describe_log_streams;
mod describe_queries;
mod error;
mod filter_log_events;
mod filter_pattern;
mod get_log_events;
mod get_log_group_fields;
mod get_log_record;
mod get_query_results;
mod identifier;
mod input;
mod insights;
mod list_log_groups;
mod live_tail;
mod operations;
mod put_log_events;
mod regex;
mod retention_policy;
mod start_live_tail;
mod start_query;
mod stop_query;
mod tags;
#[cfg(test)]
mod test_api;
mod test_metric_filter;
mod token;
mod wildcard;

use std::sync::Arc;

use hearth_aws_wire::{Body, REQUEST_ID, Response, read_body};
use hearth_telemetry::{Clock, LogStore};
use hearth_types::{AccountId, Region, RequestId};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::sync::{Semaphore, watch};

use error::LogsError;
use input::Input;
use insights::Queries;
use operations::Found;

/// What the names of the operations stand behind in `X-Amz-Target`.
const TARGET: &str = "Logs_20140328.";
/// The largest body that is read. The messages of a batch are 1 MiB at most, and JSON may write each byte as six.
const REQUEST_BYTES_MAX: usize = 8 << 20;
/// From which length on a request counts as large.
const LARGE_BYTES_MIN: usize = 256 << 10;
/// How many large requests are worked on at once. Ours: parsed, one may take 16 times its size.
const LARGE_REQUESTS_MAX: usize = 4;
const CONTENT_TYPE_JSON: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.1");

/// The logs of one account in one region.
pub struct CloudWatchLogs {
    logs: Arc<LogStore>,
    clock: Clock,
    region: Region,
    account: AccountId,
    /// Room for large requests.
    large: Semaphore,
    /// Room for live tails.
    live_tails: Arc<Semaphore>,
    queries: Arc<Queries>,
    /// Whether live tails and queries are to end.
    ending: watch::Sender<bool>,
}

impl CloudWatchLogs {
    /// Puts the API in front of a log store.
    pub fn new(logs: Arc<LogStore>, clock: Clock, region: Region, account: AccountId) -> Arc<Self> {
        Arc::new(Self {
            logs,
            clock,
            region,
            account,
            large: Semaphore::new(LARGE_REQUESTS_MAX),
            live_tails: Arc::new(Semaphore::new(live_tail::SESSIONS_MAX)),
            queries: Arc::default(),
            ending: watch::Sender::new(false),
        })
    }

    /// Says whether a request is one of this service.
    pub fn is_asked<B>(request: &Request<B>) -> bool {
        // The path first: every call of a function comes by here.
        request.uri().path() == "/" && request.method() == Method::POST && operation(request).is_some()
    }

    /// Ends whatever goes on by itself: live tails and queries.
    pub fn stop(&self) {
        self.ending.send_replace(true);
    }

    /// Answers a request for which [`CloudWatchLogs::is_asked`] holds.
    pub async fn answer(self: &Arc<Self>, request: Request<Incoming>) -> Response {
        let request_id = RequestId::random().to_string();
        let mut response = match self.dispatch(request, &request_id).await {
            Ok(response) => response,
            Err(error) => error.into_response(),
        };
        let headers = response.headers_mut();
        headers.entry(CONTENT_TYPE).or_insert(CONTENT_TYPE_JSON);
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            headers.insert(REQUEST_ID, value);
        }
        response
    }

    async fn dispatch(
        self: &Arc<Self>,
        request: Request<Incoming>,
        request_id: &str,
    ) -> Result<Response, LogsError> {
        let name = operation(&request).unwrap_or_default();
        let (operation, puts_events) = (operations::find(name)?, name == "PutLogEvents");
        let body = read_body(request, REQUEST_BYTES_MAX).await.map_err(|error| LogsError::of_body(&error))?;
        // Who puts events waits, as functions do, while the disk is behind.
        if puts_events {
            self.logs.room().await;
        }
        let _place = match body.len() < LARGE_BYTES_MIN {
            true => None,
            false => Some(self.large.acquire().await.expect("nobody closes the semaphore")),
        };
        let (api, request_id) = (self.clone(), request_id.to_owned());
        // All of it reads or writes the disk.
        let work = move || match operation {
            Found::Operation(answer) => match answer(&api, Input::parse(&body)?)? {
                // An operation without output has no body.
                Value::Null => Ok(Response::new(Body::default())),
                output => Ok(Response::new(Body::from(output.to_string()))),
            },
            Found::LiveTail => start_live_tail::answer(&api, Input::parse(&body)?, &request_id),
        };
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(LogsError::service(&error)))
    }
}

/// The name of the operation that a request asks this service for.
fn operation<B>(request: &Request<B>) -> Option<&str> {
    request.headers().get("x-amz-target")?.to_str().ok()?.strip_prefix(TARGET)
}
