//! The exporter: takes invocations from the feed, and a task that brings their spans to the collector.

use std::sync::Arc;
use std::time::Duration;

use hearth_telemetry::{Clock, Listener, News};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::collector::{Collector, Sent};
use crate::otlp::ExportTraceServiceRequest;
use crate::queue::{Queue, count};
use crate::spans::{Origin, spans_of};

/// How long spans gather before they are sent. Ours: people look at traces later than that.
const GATHER: Duration = Duration::from_secs(1);
/// How many spans one request has, about.
const BATCH_SPANS: usize = 2_048;
/// How long to wait after the first failure; each further one doubles it, up to the most.
const BACKOFF: Duration = Duration::from_millis(500);
const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// How long one batch is tried. What comes meanwhile waits, as far as there is room.
const TRIED_MAX: Duration = Duration::from_secs(120);
/// How often dropped spans are told of.
const TOLD_EVERY: Duration = Duration::from_secs(60);
/// How long the last spans may take when the server ends.
const CLOSING_MAX: Duration = Duration::from_secs(3);

/// Brings traces to a collector.
#[derive(Debug)]
pub struct Traces {
    queue: Arc<Queue>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// Hears of invocations.
struct Hearing {
    queue: Arc<Queue>,
    origin: Origin,
}

/// Starts to bring traces to a collector, and returns who has to be added to the feed. Needs a Tokio runtime.
pub fn start(collector: Collector, origin: Origin, clock: Clock) -> (Arc<Traces>, impl Listener) {
    let queue = Arc::new(Queue::default());
    let sending = Sending { queue: queue.clone(), collector, clock, told: None, untold: 0 };
    let task = Mutex::new(Some(tokio::spawn(sending.run())));
    (Arc::new(Traces { queue: queue.clone(), task }), Hearing { queue, origin })
}

impl Listener for Hearing {
    fn hear(&mut self, news: &News) {
        for invocation in &news.invocations {
            if let Some(spans) = spans_of(invocation, &self.origin) {
                self.queue.put(spans);
            }
        }
    }
}

impl Traces {
    /// Sends what is left, for a few seconds at most, and ends.
    pub async fn close(&self) {
        self.queue.close();
        let Some(mut task) = self.task.lock().await.take() else { return };
        if tokio::time::timeout(CLOSING_MAX, &mut task).await.is_err() {
            task.abort();
            tracing::warn!("the collector of traces did not take the last spans in time");
        }
    }
}

struct Sending {
    queue: Arc<Queue>,
    collector: Collector,
    clock: Clock,
    /// When the log last told of dropped spans, and how many it has not told of.
    told: Option<std::time::Instant>,
    untold: u64,
}

impl Sending {
    async fn run(mut self) {
        loop {
            match self.queue.is_empty_and_closed() {
                (true, true) => break,
                // Once a minute it looks up, so that what was dropped does not wait for the next trace to be told of.
                (true, false) => {
                    let _ = tokio::time::timeout(TOLD_EVERY, self.queue.rung.notified()).await;
                    if self.queue.is_empty_and_closed() == (false, false) {
                        tokio::time::sleep(GATHER).await;
                    }
                }
                (false, _) => self.send_batch().await,
            }
            self.tell(None);
        }
        self.told = None;
        self.tell(None);
    }

    async fn send_batch(&mut self) {
        let request = ExportTraceServiceRequest { resource_spans: self.queue.take(BATCH_SPANS) };
        let spans = request.resource_spans.iter().map(count).sum();
        let begun = Instant::now();
        let mut backoff = BACKOFF;
        let (dropped, why) = loop {
            match self.collector.send(&request).await {
                Sent::Taken { rejected, why } => break (rejected, Some(why).filter(|why| !why.is_empty())),
                Sent::Refused(why) => break (spans as u64, Some(why)),
                Sent::Unreachable { why, .. } if begun.elapsed() >= TRIED_MAX => {
                    break (spans as u64, Some(why));
                }
                Sent::Unreachable { why, after } => {
                    self.tell(Some(&why));
                    let wait = after.unwrap_or(backoff).clamp(backoff, BACKOFF_MAX);
                    tokio::time::sleep(wait).await;
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                }
            }
        };
        self.queue.sent(spans, dropped);
        self.tell(why.as_deref());
    }

    /// Tells the log of dropped spans: at once, then once a minute.
    fn tell(&mut self, why: Option<&str>) {
        self.untold += self.queue.take_dropped();
        let now = self.clock.now();
        let is_due = self.told.is_none_or(|told| now.saturating_duration_since(told) >= TOLD_EVERY);
        if self.untold > 0 && is_due {
            let reason = why.unwrap_or("it does not keep up");
            tracing::warn!(
                dropped_spans = self.untold,
                reason,
                "the collector of traces does not take all spans"
            );
            self.told = Some(now);
            self.untold = 0;
        }
    }
}
