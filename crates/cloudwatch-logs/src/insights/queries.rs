//! The queries of a server: those that wait or run, and those that have ended, for a while.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hearth_types::RequestId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::pipeline::ResultRow;
use super::run::Failure;
use crate::error::LogsError;

/// How many queries wait or run at once. Ours: AWS has 100.
const QUERIES_MAX: usize = 30;
/// How many of them run. Ours: each takes a processor.
const RUNNING_MAX: usize = 2;
/// How many ended ones are kept, for how long, and how much their results may take. Ours; AWS keeps them for 7 days.
const ENDED_MAX: usize = 1_000;
const KEPT_MS: i64 = 3_600_000;
const KEPT_BYTES_MAX: usize = 128 << 20;

/// How a query is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Scheduled,
    Running,
    Complete,
    Failed,
    Cancelled,
    Timeout,
}

impl Status {
    /// As AWS spells them.
    pub(crate) const WORDS: [&'static str; 7] =
        ["Scheduled", "Running", "Complete", "Failed", "Cancelled", "Timeout", "Unknown"];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Scheduled => "Scheduled",
            Self::Running => "Running",
            Self::Complete => "Complete",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
            Self::Timeout => "Timeout",
        }
    }

    fn has_ended(self) -> bool {
        !matches!(self, Self::Scheduled | Self::Running)
    }
}

/// How far a query is, and whether it is to stop.
#[derive(Debug)]
pub(crate) struct Progress {
    scanned: AtomicU64,
    bytes: AtomicU64,
    matched: AtomicU64,
    groups: AtomicU64,
    stop: watch::Sender<bool>,
}

impl Progress {
    pub(super) fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    pub(super) fn advance(&self, bytes: u64, matched: u64) {
        self.scanned.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.matched.store(matched, Ordering::Relaxed);
    }

    pub(super) fn one_group_more(&self) {
        self.groups.fetch_add(1, Ordering::Relaxed);
    }

    /// Events and bytes that were read, events that passed the filters, and groups that are done.
    pub(crate) fn figures(&self) -> [u64; 4] {
        [&self.scanned, &self.bytes, &self.matched, &self.groups].map(|figure| figure.load(Ordering::Relaxed))
    }
}

/// A query that was started.
#[derive(Debug)]
pub(crate) struct StartedQuery {
    pub(crate) id: String,
    pub(crate) text: String,
    pub(crate) groups: Vec<String>,
    pub(crate) created_ms: i64,
    progress: Progress,
    outcome: Mutex<Outcome>,
}

#[derive(Debug, Clone)]
struct Outcome {
    status: Status,
    results: Arc<Vec<ResultRow>>,
    bytes: usize,
    ended_ms: i64,
}

impl StartedQuery {
    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    pub(crate) fn status(&self) -> Status {
        self.outcome().status
    }

    /// What it has found; nothing before its end.
    pub(crate) fn results(&self) -> Arc<Vec<ResultRow>> {
        self.outcome().results.clone()
    }

    /// How long it took, or has taken so far.
    pub(crate) fn duration_ms(&self, now_ms: i64) -> i64 {
        let outcome = self.outcome();
        let until = if outcome.status.has_ended() { outcome.ended_ms } else { now_ms };
        (until - self.created_ms).max(0)
    }

    /// Stops it. Says whether it had not ended yet.
    pub(crate) fn stop(&self, now_ms: i64) -> bool {
        // In this order: whoever runs it says how it ended only when nothing is said yet.
        let was_running = self.settle(Status::Cancelled, Vec::new(), now_ms);
        self.progress.stop.send_replace(true);
        was_running
    }

    /// An end is final.
    fn settle(&self, status: Status, results: Vec<ResultRow>, now_ms: i64) -> bool {
        let row =
            |row: &ResultRow| row.iter().map(|(name, text)| name.len() + text.len() + 48).sum::<usize>();
        let mut outcome = self.outcome();
        if outcome.status.has_ended() {
            return false;
        }
        let bytes = results.iter().map(row).sum();
        *outcome = Outcome { status, results: Arc::new(results), bytes, ended_ms: now_ms };
        true
    }

    fn outcome(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All queries.
#[derive(Debug)]
pub(crate) struct Queries {
    /// The oldest first.
    all: Mutex<VecDeque<Arc<StartedQuery>>>,
    places: Arc<Semaphore>,
}

impl Default for Queries {
    fn default() -> Self {
        Self { all: Mutex::default(), places: Arc::new(Semaphore::new(RUNNING_MAX)) }
    }
}

impl Queries {
    /// Adds a query, unless too many have not ended.
    pub(crate) fn begin(&self, text: String, groups: Vec<String>, now_ms: i64) -> Result<Running, LogsError> {
        let mut all = self.lock();
        forget(&mut all, now_ms);
        if all.iter().filter(|query| !query.status().has_ended()).count() >= QUERIES_MAX {
            return Err(LogsError::limit_exceeded(format!(
                "There are {QUERIES_MAX} queries already that have not ended."
            )));
        }
        let progress = Progress {
            scanned: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            matched: AtomicU64::new(0),
            groups: AtomicU64::new(0),
            stop: watch::Sender::new(false),
        };
        let outcome = Outcome { status: Status::Scheduled, results: Arc::default(), bytes: 0, ended_ms: 0 };
        let query = Arc::new(StartedQuery {
            id: RequestId::random().to_string(),
            text,
            groups,
            created_ms: now_ms,
            progress,
            outcome: Mutex::new(outcome),
        });
        all.push_back(query.clone());
        Ok(Running { query })
    }

    /// Finds a query.
    pub(crate) fn find(&self, id: &str, now_ms: i64) -> Result<Arc<StartedQuery>, LogsError> {
        let mut all = self.lock();
        forget(&mut all, now_ms);
        let found = all.iter().find(|query| query.id == id).cloned();
        found.ok_or_else(|| LogsError::not_found("The specified query does not exist."))
    }

    /// Returns all of them, the newest first.
    pub(crate) fn list(&self, now_ms: i64) -> Vec<Arc<StartedQuery>> {
        let mut all = self.lock();
        forget(&mut all, now_ms);
        all.iter().rev().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<StartedQuery>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets what ended long ago, and the oldest of what is too much.
fn forget(all: &mut VecDeque<Arc<StartedQuery>>, now_ms: i64) {
    let (mut count, mut bytes) = (0, 0);
    let keeps: Vec<bool> = all
        .iter()
        .rev()
        .map(|query| {
            let outcome = query.outcome();
            if !outcome.status.has_ended() {
                return true;
            }
            count += 1;
            bytes += outcome.bytes;
            // The newest one is there whatever it takes.
            count == 1
                || (count <= ENDED_MAX && bytes <= KEPT_BYTES_MAX && now_ms - outcome.ended_ms <= KEPT_MS)
        })
        .collect();
    let mut keeps = keeps.into_iter().rev();
    all.retain(|_| keeps.next().unwrap_or(true));
}

/// The right and the duty to run a query: dropped, it fails.
pub(crate) struct Running {
    query: Arc<StartedQuery>,
}

impl Running {
    pub(crate) fn query(&self) -> &Arc<StartedQuery> {
        &self.query
    }

    /// Waits for a place. `None` when it is stopped before.
    pub(super) async fn place(&self, queries: &Queries) -> Option<OwnedSemaphorePermit> {
        let mut stop = self.query.progress.stop.subscribe();
        let place = tokio::select! {
            place = queries.places.clone().acquire_owned() => place.ok()?,
            _ = stop.wait_for(|stop| *stop) => return None,
        };
        let mut outcome = self.query.outcome();
        if outcome.status != Status::Scheduled {
            return None;
        }
        outcome.status = Status::Running;
        Some(place)
    }

    pub(super) fn end(self, result: Result<Vec<ResultRow>, Failure>, now_ms: i64) {
        let (status, results) = match result {
            Ok(results) => (Status::Complete, results),
            Err(Failure::Stopped) => (Status::Cancelled, Vec::new()),
            Err(Failure::TimedOut) => (Status::Timeout, Vec::new()),
            Err(Failure::TooLarge | Failure::Logs(_) | Failure::Broken(_)) => (Status::Failed, Vec::new()),
        };
        self.query.settle(status, results, now_ms);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.query.settle(Status::Failed, Vec::new(), self.query.created_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ended_queries_are_forgotten_after_a_while_and_running_ones_never() {
        let queries = Queries::default();
        let begin = |now_ms| queries.begin(String::new(), Vec::new(), now_ms).unwrap();
        let (old, newer, runs) = (begin(0), begin(1), begin(2));
        let row = vec![("field".to_owned(), "x".repeat(100))];
        old.query().settle(Status::Complete, vec![row.clone()], 10);
        assert!(!old.query().stop(11), "it has ended");
        let id = old.query().id.clone();
        assert_eq!(*queries.find(&id, KEPT_MS + 10).unwrap().results(), vec![row]);
        newer.query().settle(Status::Complete, Vec::new(), KEPT_MS);
        assert!(queries.find(&id, KEPT_MS + 11).is_err());
        let left: Vec<Status> = queries.list(10 * KEPT_MS).iter().map(|query| query.status()).collect();
        assert_eq!(left, [Status::Scheduled, Status::Complete]);
        // Nobody runs it: it fails.
        let query = runs.query().clone();
        drop(runs);
        assert_eq!(query.status(), Status::Failed);
    }

    #[test]
    fn results_that_take_too_much_go_and_so_do_queries_that_are_too_many() {
        let queries = Queries::default();
        for number in 0..6 {
            let running = queries.begin(format!("{number}"), Vec::new(), 0).unwrap();
            let large = vec![vec![("m".to_owned(), "x".repeat(30 << 20))]];
            running.query().settle(Status::Complete, large, 0);
        }
        let left: Vec<String> = queries.list(0).iter().map(|query| query.text.clone()).collect();
        assert_eq!(left, ["5", "4", "3", "2"]);
        let all: Vec<Running> =
            (0..QUERIES_MAX).map(|_| queries.begin(String::new(), Vec::new(), 0).unwrap()).collect();
        assert!(queries.begin(String::new(), Vec::new(), 0).is_err());
        drop(all);
        assert!(queries.begin(String::new(), Vec::new(), 0).is_ok());
    }
}
