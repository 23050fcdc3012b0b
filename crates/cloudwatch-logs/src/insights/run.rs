//! Runs a query over the events of its groups, on a thread that may block.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hearth_telemetry::{Clock, EventQuery, LogStore, LogStoreError, PageBounds, Position, StreamSelection};
use hearth_types::{AccountId, LogGroupName};
use tokio::sync::watch;

use super::event::Event;
use super::parse::Query;
use super::pipeline::{Pipeline, ResultRow};
use super::queries::{Progress, Running};
use crate::CloudWatchLogs;
use crate::error::LogsError;

/// How much is read between two looks at the clock and at whoever stops it.
const PAGE: PageBounds = PageBounds { events_max: 1_000, bytes_max: 2 << 20, scanned_bytes_max: 4 << 20 };
/// How long a query runs.
///
/// Source: CloudWatch Logs API reference, "StartQuery", read 2026-11.
const RUNNING_LIMIT: Duration = Duration::from_secs(60 * 60);

/// What a query is to do.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) query: Query,
    pub(crate) groups: Vec<LogGroupName>,
    /// From this time on, up to and with that, in milliseconds since 1970.
    pub(crate) times_ms: (i64, i64),
    /// Most rows of its result.
    pub(crate) limit: usize,
}

/// Why a query has no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the query takes more memory than it may")]
    TooLarge,
    #[error("the query was stopped")]
    Stopped,
    #[error("the query takes longer than it may")]
    TimedOut,
    #[error("the logs cannot be read")]
    Logs(#[from] LogStoreError),
    #[error("the query broke")]
    Broken(#[source] tokio::task::JoinError),
}

/// What a query reads, and who may stop it.
struct Source {
    logs: Arc<LogStore>,
    clock: Clock,
    account: AccountId,
    /// Whether the server stops.
    ending: watch::Receiver<bool>,
}

impl Source {
    fn of(api: &CloudWatchLogs) -> Self {
        Self {
            logs: api.logs.clone(),
            clock: api.clock,
            account: api.account.clone(),
            ending: api.ending.subscribe(),
        }
    }
}

/// Runs a query as soon as there is a place. Its end finds everyone in `running`.
pub(crate) fn start(api: &CloudWatchLogs, job: Job, running: Running) {
    let source = Source::of(api);
    let (queries, clock) = (api.queries.clone(), api.clock);
    tokio::spawn(async move {
        let Some(_place) = running.place(&queries).await else { return };
        let query = running.query().clone();
        let work = move || run(&source, job, query.progress(), source.clock.now() + RUNNING_LIMIT);
        let result = match tokio::task::spawn_blocking(work).await {
            Ok(result) => result,
            Err(error) => Err(Failure::Broken(error)),
        };
        match &result {
            Err(error @ (Failure::Logs(_) | Failure::Broken(_))) => drop(LogsError::service(error)),
            Err(error) => tracing::info!(%error, "a query of logs has no result"),
            Ok(_) => {}
        }
        running.end(result, clock.epoch_ms());
    });
}

/// Reads all events of the groups in their times. Blocks on the disk.
fn run(source: &Source, job: Job, progress: &Progress, until: Instant) -> Result<Vec<ResultRow>, Failure> {
    source.logs.flush();
    let mut pipeline = Pipeline::new(job.query, job.limit, source.clock.epoch_ms());
    for group in &job.groups {
        let log = format!("{}:{group}", source.account);
        let query = EventQuery {
            streams: StreamSelection::All,
            start_ms: Some(job.times_ms.0),
            end_ms: Some(job.times_ms.1.saturating_add(1)),
            matches: &|_| true,
        };
        let mut from = Position::START;
        loop {
            let page = source.logs.read_forwards(group, &query, from, PAGE)?;
            from = page.end;
            for event in page.events {
                if progress.is_stopped() || *source.ending.borrow() {
                    return Err(Failure::Stopped);
                }
                if source.clock.now() > until {
                    return Err(Failure::TimedOut);
                }
                let bytes = event.message.len() as u64;
                pipeline.take(Event::new(event, log.clone()))?;
                progress.advance(bytes, pipeline.matched());
            }
            if progress.is_stopped() || *source.ending.borrow() {
                return Err(Failure::Stopped);
            }
            if !page.has_more {
                break;
            }
        }
        progress.one_group_more();
    }
    pipeline.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::insights::parse;
    use crate::test_api::{NOW_MS, TestApi};

    fn job(test: &TestApi) -> Job {
        let query = parse("stats count(*) as n").unwrap();
        Job { query, groups: vec![test.group.clone()], times_ms: (0, i64::MAX), limit: 10 }
    }

    #[test]
    fn a_query_ends_when_its_time_is_over_when_it_is_stopped_and_when_the_server_stops() {
        let test = TestApi::with("ends", &["one", "two"]);
        let source = Source::of(&test.api);
        let running = test.api.queries.begin(String::new(), Vec::new(), NOW_MS).unwrap();
        let progress = running.query().progress();
        let in_time = source.clock.now() + RUNNING_LIMIT;
        let rows = run(&source, job(&test), progress, in_time).unwrap();
        assert_eq!(rows, [[("n".to_owned(), "2".to_owned())]]);
        let over = run(&source, job(&test), progress, source.clock.now());
        assert!(matches!(over, Err(Failure::TimedOut)));
        test.api.stop();
        assert!(matches!(run(&source, job(&test), progress, in_time), Err(Failure::Stopped)));
        assert!(running.query().stop(NOW_MS) && progress.is_stopped());
    }
}
