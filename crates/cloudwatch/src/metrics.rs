//! The metrics of a server: what is heard is counted in memory, a thread writes it every few seconds, and whoever reads finds
//! everything that has happened.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use hearth_invoke::{Concurrency, Counted, Meter};
use hearth_telemetry::{Clock, Feed, Listener, News};

use crate::counts::Minutes;
use crate::hear::Heard;
use crate::series::Series;
use crate::store::{Database, MetricsError, Point, SeriesFilter};
use crate::totals::Totals;

/// How often concurrency is looked at. Ours: what is noted is the most that was in use in between.
const LOOK: Duration = Duration::from_secs(1);
/// How often what was counted is written: a crash loses so much. Ours.
const WRITE_MS: i64 = 10_000;
/// With so many rows it is written once a minute, and no more often. Ours: each write of a minute costs as much as the first.
const ROWS_OFTEN_MAX: usize = 20_000;
/// With so many it is written at once, because they take room. Ours.
const ROWS_MAX: usize = 100_000;
/// How many summaries wait at most when the disk refuses; then no more is counted.
const UNWRITTEN_MAX: usize = 400_000;
/// How often old points are put together.
const AGE_MS: i64 = 3_600_000;
/// How many facts wait at most until the thread looks. Ours: a second of a hundred thousand calls.
const SAID_MAX: usize = 1 << 18;

/// What metrics are made of.
pub struct MetricsParts {
    /// Where they are kept.
    pub folder: PathBuf,
    /// Both clocks.
    pub clock: Clock,
    /// Where invocations are heard of.
    pub feed: Arc<Feed>,
    /// Where the use of concurrency is looked at.
    pub concurrency: Arc<Concurrency>,
}

/// The metrics of a server.
pub struct Metrics {
    clock: Clock,
    feed: Arc<Feed>,
    concurrency: Arc<Concurrency>,
    /// What happened, and when, in milliseconds since 1970.
    said: Mutex<Vec<(i64, Counted)>>,
    heard: Mutex<Heard>,
    /// Locked before `heard`, where both are.
    kept: Mutex<Kept>,
    steps_left_out: AtomicU64,
    lost: AtomicU64,
    stopped: Mutex<bool>,
    stop: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Kept {
    database: Database,
    /// What the database did not take; it is tried again.
    unwritten: Minutes,
    written_ms: i64,
}

impl Metrics {
    /// Opens the metrics, and starts the thread that writes them.
    pub fn start(parts: MetricsParts) -> Result<Arc<Self>, MetricsError> {
        let MetricsParts { folder, clock, feed, concurrency } = parts;
        let kept = Kept {
            database: Database::open(&folder)?,
            unwritten: Minutes::new(),
            written_ms: clock.epoch_ms(),
        };
        let metrics = Arc::new(Self {
            clock,
            feed,
            concurrency,
            said: Mutex::default(),
            heard: Mutex::default(),
            kept: Mutex::new(kept),
            steps_left_out: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            stopped: Mutex::new(false),
            stop: Condvar::new(),
            thread: Mutex::new(None),
        });
        let work = metrics.clone();
        let thread = std::thread::Builder::new().name("hearth-metrics".to_owned());
        let thread = thread.spawn(move || work.write_again_and_again()).map_err(MetricsError::Thread)?;
        *lock(&metrics.thread) = Some(thread);
        metrics.feed.add(Hearing(metrics.clone()));
        Ok(metrics)
    }

    /// Writes what is left, and ends. Call it after the feed is closed.
    pub fn close(&self) {
        *lock(&self.stopped) = true;
        self.stop.notify_all();
        if let Some(thread) = lock(&self.thread).take()
            && thread.join().is_err()
        {
            tracing::error!("who writes metrics panicked");
        }
    }

    /// Shows what has been counted since the server started. Blocks for a moment.
    pub fn with_totals<T>(&self, look: impl FnOnce(&Totals) -> T) -> T {
        self.feed.catch_up();
        let mut heard = lock(&self.heard);
        self.hear_said(&mut heard);
        look(&heard.totals)
    }

    /// Returns how many steps of environments were not counted, because there were too many at once.
    pub fn steps_left_out(&self) -> u64 {
        self.steps_left_out.load(Ordering::Relaxed)
    }

    /// Returns how many values were not kept: the disk refused them, or there were too many at once.
    pub fn values_lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Returns the points of series, also of what has just happened. Blocks on the disk.
    pub(crate) fn read(
        &self,
        series: &Series,
        range: (i64, i64),
        with_distribution: bool,
    ) -> Result<Vec<Point>, MetricsError> {
        lock(&self.kept).database.read(series, range, with_distribution)
    }

    /// Returns series. Blocks on the disk.
    pub(crate) fn list(
        &self,
        filter: &SeriesFilter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<(i64, Series)>, MetricsError> {
        lock(&self.kept).database.list(filter, after, limit)
    }

    /// Has everything in the database that has happened so far: whoever reads calls it first. Blocks on the disk.
    pub(crate) fn catch_up(&self) -> Result<(), MetricsError> {
        self.feed.catch_up();
        self.look();
        self.write(&mut lock(&self.kept))
    }

    fn write_again_and_again(&self) {
        let (mut aged_ms, mut age_after) = (self.clock.epoch_ms(), None);
        loop {
            let stopped = lock(&self.stopped);
            let waited = self.stop.wait_timeout_while(stopped, LOOK, |stopped| !*stopped);
            let is_stopped = *waited.unwrap_or_else(PoisonError::into_inner).0;
            self.look();
            let now = self.clock.epoch_ms();
            let mut kept = lock(&self.kept);
            if is_stopped || self.is_due(&kept, now) {
                self.write_or_say(&mut kept);
            }
            if is_stopped {
                return;
            }
            if age_after.is_none() && now - aged_ms >= AGE_MS {
                (aged_ms, age_after) = (now, Some(0));
            }
            if let Some(after) = age_after {
                age_after = kept.database.age(after, now / 1_000).unwrap_or_else(|error| {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "old metrics cannot be put together"
                    );
                    None
                });
            }
        }
    }

    fn is_due(&self, kept: &Kept, now: i64) -> bool {
        let rows = lock(&self.heard).counts.rows();
        let is_something_there = rows > 0 || !kept.unwritten.is_empty();
        let is_a_new_minute = kept.written_ms.div_euclid(60_000) != now.div_euclid(60_000);
        let is_late = rows < ROWS_OFTEN_MAX && (now - kept.written_ms).abs() >= WRITE_MS;
        is_something_there && (is_a_new_minute || is_late || rows >= ROWS_MAX)
    }

    /// Hears what was said, and looks at the concurrency that was used.
    fn look(&self) {
        let peaks = self.concurrency.take_peaks();
        let mut heard = lock(&self.heard);
        self.hear_said(&mut heard);
        heard.used(self.clock.epoch_ms(), &peaks);
        let lost = heard.counts.take_lost();
        self.lost.fetch_add(lost, Ordering::Relaxed);
    }

    fn hear_said(&self, heard: &mut Heard) {
        let said = std::mem::take(&mut *lock(&self.said));
        for (epoch_ms, counted) in said {
            heard.said(epoch_ms, counted);
        }
    }

    fn write(&self, kept: &mut Kept) -> Result<(), MetricsError> {
        kept.written_ms = self.clock.epoch_ms();
        if kept.unwritten.len() < UNWRITTEN_MAX {
            let counts = lock(&self.heard).counts.take();
            counts.add_to(&mut kept.unwritten);
        }
        if !kept.unwritten.is_empty() {
            kept.database.add(&kept.unwritten)?;
            kept.unwritten = Minutes::new();
        }
        Ok(())
    }

    fn write_or_say(&self, kept: &mut Kept) {
        if let Err(error) = self.write(kept) {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "metrics cannot be written, which is tried again");
        }
    }
}

impl Meter for Metrics {
    fn count(&self, counted: Counted) {
        let epoch_ms = self.clock.epoch_ms();
        let mut said = lock(&self.said);
        if said.len() < SAID_MAX {
            said.push((epoch_ms, counted));
        } else {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Hears of invocations that have ended.
struct Hearing(Arc<Metrics>);

impl Listener for Hearing {
    fn hear(&mut self, news: &News) {
        let metrics = &self.0;
        metrics.steps_left_out.fetch_add(news.left_out, Ordering::Relaxed);
        let mut heard = lock(&metrics.heard);
        // By which names the calls came was said before they ended.
        metrics.hear_said(&mut heard);
        news.invocations.iter().for_each(|invocation| heard.ended(invocation));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
