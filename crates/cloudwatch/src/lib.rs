//! Metrics: what is counted of functions ([`Metrics`]), and CloudWatch's API for it ([`CloudWatch`]).
//!
//! ```text
//!   telemetry's feed ─┐                      ┌─> totals since the start ──> whoever scrapes
//!   invoke's meter ───┼─> hear ──> counts ───┤
//!   concurrency ──────┘                      └─> store: minutes on disk ──> GetMetricData, …
//! ```
//!
//! Everything is counted once, in [`hear`], so that the two sides cannot differ. Who calls the API, and whether they may, has
//! been found out before a request comes here (`hearth-auth`).

mod counts;
mod error;
mod expression;
mod get_metric_data;
mod get_metric_statistics;
mod hear;
mod input;
mod label;
mod list_metrics;
mod metric;
mod metrics;
mod operations;
mod points;
mod series;
mod sketch;
mod statistic;
mod store;
mod summary;
mod totals;
mod wire;

use std::sync::Arc;

use hearth_auth::{Asked, Resource};
use hearth_aws_wire::{ERROR_TYPE, Response, read_body};
use hearth_telemetry::Clock;
use hearth_types::{AccountId, Region};
use http::Request;
use hyper::body::Incoming;
use tokio::sync::Semaphore;

use error::ApiError;
use wire::{Output, Protocol};

pub use metric::{Kind, Metric};
pub use metrics::{Metrics, MetricsParts};
pub use store::MetricsError;
pub use totals::{BUCKETS, FUNCTIONS_MAX, FunctionTotals, Histogram, OTHERS, Totals};

/// The largest body that is read: 500 queries with their dimensions are below.
const REQUEST_BYTES_MAX: usize = 2 << 20;
/// How many requests are worked on at once. Ours: each may have a year of points of a series in memory.
const AT_ONCE: usize = 4;

/// CloudWatch's metrics of one account in one region.
pub struct CloudWatch {
    metrics: Arc<Metrics>,
    clock: Clock,
    region: Region,
    account: AccountId,
    at_once: Semaphore,
}

impl CloudWatch {
    /// Puts the API in front of metrics.
    pub fn new(metrics: Arc<Metrics>, clock: Clock, region: Region, account: AccountId) -> Arc<Self> {
        Arc::new(Self { metrics, clock, region, account, at_once: Semaphore::new(AT_ONCE) })
    }

    /// Says whether a request is one to this service.
    pub fn is_asked<B>(request: &Request<B>) -> bool {
        Protocol::of(request).is_some()
    }

    /// Returns what a request with this body asks for, as policies name it.
    pub fn asked<B>(request: &Request<B>, body: &[u8]) -> Asked {
        let name = Protocol::of(request).and_then(|protocol| protocol.read(request, body).ok());
        let name = name.map(|(name, _)| operations::plain(&name)).filter(|name| !name.is_empty());
        // What cannot be read has no effect, and takes the right to everything.
        let resource = if name.is_some() { Resource::Any } else { Resource::Untold };
        Asked { action: format!("cloudwatch:{}", name.unwrap_or_else(|| "Unknown".to_owned())), resource }
    }

    /// Returns a refusal as this service tells it. It comes in the shape of the query protocol.
    pub fn refuse<B>(request: &Request<B>, refusal: &Response, message: &str) -> Response {
        let code = refusal.headers().get(ERROR_TYPE).and_then(|code| code.to_str().ok()).unwrap_or_default();
        let error = ApiError::other(refusal.status(), code, message);
        Protocol::of(request).unwrap_or(Protocol::Query).answer("", Err(error))
    }

    /// Answers a request for which [`CloudWatch::is_asked`] holds.
    pub async fn answer(self: &Arc<Self>, request: Request<Incoming>) -> Response {
        let protocol = Protocol::of(&request).unwrap_or(Protocol::Query);
        let (head, body) = request.into_parts();
        let head = Request::from_parts(head, ());
        let read = read_body(head.clone().map(|()| body), REQUEST_BYTES_MAX).await;
        let read = read.map_err(|error| ApiError::of_body(&error, REQUEST_BYTES_MAX));
        let (name, answer) = match read.and_then(|body| protocol.read(&head, &body)) {
            Ok((name, input)) => {
                let answer = self.dispatch(&name, input).await;
                (operations::plain(&name), answer)
            }
            Err(error) => (String::new(), Err(error)),
        };
        protocol.answer(&name, answer)
    }

    async fn dispatch(self: &Arc<Self>, name: &str, input: input::Input) -> Result<Output, ApiError> {
        let operation = operations::find(name)?;
        let _place = self.at_once.acquire().await.expect("nobody closes the semaphore");
        let api = self.clone();
        let work = move || operation(&api, input);
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(ApiError::service(&error)))
    }
}
