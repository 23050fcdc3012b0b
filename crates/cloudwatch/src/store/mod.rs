//! Metrics at rest: a database of their own, so that they are found by series and time, and a crash leaves whole minutes.
//!
//! Points of a minute are kept for 15 days, then they are put together by five minutes, after 63 days by the hour, and after
//! 455 days they are gone, as in CloudWatch.
//!
//! A database and not files that are only appended to: a question is about one series over a long time, among a hundred
//! thousand that are written a minute; SQLite finds it by its index, and makes each write whole or nothing.

mod aging;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use crate::counts::Minutes;
use crate::metric::Metric;
use crate::series::{Dimensions, Series};
use crate::sketch::{DamagedSketch, Sketch};
use crate::summary::Summary;

/// The period of a fresh point, in seconds.
pub(crate) const FRESH: i64 = 60;
/// The version of the tables.
const SCHEMA: i64 = 1;

const TABLES: &str = "
    CREATE TABLE series (
        id INTEGER PRIMARY KEY,
        namespace TEXT NOT NULL,
        name TEXT NOT NULL,
        dimensions TEXT NOT NULL,
        last_start INTEGER NOT NULL,
        UNIQUE (namespace, name, dimensions)
    );
    CREATE TABLE points (
        series INTEGER NOT NULL,
        period INTEGER NOT NULL,
        start INTEGER NOT NULL,
        count INTEGER NOT NULL,
        sum REAL NOT NULL,
        min REAL NOT NULL,
        max REAL NOT NULL,
        sketch BLOB NOT NULL,
        PRIMARY KEY (series, period, start)
    ) WITHOUT ROWID;
    PRAGMA user_version = 1;
";

/// Why metrics cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The disk refuses.
    #[error("failed to make the folder `{}`", path.display())]
    Folder {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The thread that writes cannot be started.
    #[error("failed to start the thread that writes metrics")]
    Thread(#[source] io::Error),
    /// A newer Hearth has written it.
    #[error("the metrics are of version {found}, and this program knows {SCHEMA}")]
    Newer {
        /// Its version.
        found: i64,
    },
    /// The database refuses.
    #[error("failed to use the database of metrics")]
    Database(#[from] rusqlite::Error),
    /// What is in it is none of ours.
    #[error(transparent)]
    Damaged(#[from] DamagedSketch),
}

/// What is known of a series in a period.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Point {
    /// The second since 1970 in which it begins.
    pub(crate) start: i64,
    /// How long it is, in seconds.
    pub(crate) period: i64,
    /// Its values. Without their distribution, unless that was asked for.
    pub(crate) summary: Summary,
}

/// Which series a list has.
#[derive(Debug, Clone, Default)]
pub(crate) struct SeriesFilter {
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    /// Dimensions that they have, with these values if any.
    pub(crate) dimensions: Vec<(String, Option<String>)>,
    /// They have values since this second.
    pub(crate) since: i64,
}

/// The database.
pub(crate) struct Database {
    connection: Connection,
}

impl Database {
    /// Opens the database in a folder, and makes it if it is not there.
    pub(crate) fn open(folder: &Path) -> Result<Self, MetricsError> {
        fs::create_dir_all(folder)
            .map_err(|source| MetricsError::Folder { path: folder.to_owned(), source })?;
        let connection = Connection::open(folder.join("metrics.db"))?;
        // With a log ahead, a transaction is whole after a crash of the process and, but for the last ones, of the machine.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        match version {
            0 => connection.execute_batch(&format!("BEGIN; {TABLES} COMMIT;"))?,
            SCHEMA => {}
            found => return Err(MetricsError::Newer { found }),
        }
        connection.set_prepared_statement_cache_capacity(32);
        Ok(Self { connection })
    }

    /// Adds minutes to what is there, all or none of them.
    pub(crate) fn add(&mut self, minutes: &Minutes) -> Result<(), MetricsError> {
        fail::fail_point!("metrics::write", |_| Err(MetricsError::Database(rusqlite::Error::InvalidQuery)));
        let transaction = self.connection.transaction()?;
        for ((series, start), summary) in minutes {
            let id = id_of(&transaction, series, *start)?;
            merge(&transaction, id, FRESH, *start, summary)?;
        }
        transaction.commit()?;
        fail::fail_point!("metrics::written");
        Ok(())
    }

    /// Returns the points of a series that begin between two moments, the first included, oldest first.
    pub(crate) fn read(
        &self,
        series: &Series,
        (from, to): (i64, i64),
        with_distribution: bool,
    ) -> Result<Vec<Point>, MetricsError> {
        let Some(id) = find(&self.connection, series)? else { return Ok(Vec::new()) };
        let mut points = Vec::new();
        for period in aging::PERIODS {
            let sql = "SELECT start, count, sum, min, max, sketch FROM points
                       WHERE series = ?1 AND period = ?2 AND start >= ?3 AND start < ?4";
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query(params![id, period, from, to])?;
            while let Some(row) = rows.next()? {
                let summary = summary_of(row, with_distribution)?;
                points.push(Point { start: row.get(0)?, period, summary });
            }
        }
        points.sort_by_key(|point| point.start);
        Ok(points)
    }

    /// Returns up to `limit` series behind the one of a number, and their numbers.
    pub(crate) fn list(
        &self,
        filter: &SeriesFilter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<(i64, Series)>, MetricsError> {
        let sql = "SELECT id, namespace, name, dimensions FROM series
                   WHERE id > ?1 AND last_start >= ?2 AND (?3 IS NULL OR namespace = ?3) AND (?4 IS NULL OR name = ?4)
                   ORDER BY id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![after, filter.since, filter.namespace, filter.name])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let (namespace, name) = (row.get_ref(1)?, row.get_ref(2)?);
            let (Ok(namespace), Ok(name)) = (namespace.as_str(), name.as_str()) else { continue };
            let Some(metric) = Metric::find(namespace, name) else { continue };
            let Some(dimensions) = row.get_ref(3)?.as_str().ok().and_then(Dimensions::from_text) else {
                continue;
            };
            let has = |(name, value): &(String, Option<String>)| match dimensions.get(name) {
                Some(known) => value.as_ref().is_none_or(|value| value == known),
                None => false,
            };
            if filter.dimensions.iter().all(has) {
                found.push((row.get(0)?, Series { metric, dimensions }));
                if found.len() >= limit {
                    break;
                }
            }
        }
        Ok(found)
    }
}

/// Reads the values of a point from columns 1 to 5.
fn summary_of(row: &Row<'_>, with_distribution: bool) -> Result<Summary, MetricsError> {
    let sketch = match with_distribution {
        true => Sketch::from_bytes(row.get_ref(5)?.as_blob().map_err(rusqlite::Error::from)?)?,
        false => Sketch::default(),
    };
    let count: i64 = row.get(1)?;
    let (sum, min, max) = (row.get(2)?, row.get(3)?, row.get(4)?);
    Ok(Summary { count: u64::try_from(count).unwrap_or(0), sum, min, max, sketch })
}

fn find(connection: &Connection, series: &Series) -> Result<Option<i64>, MetricsError> {
    let sql = "SELECT id FROM series WHERE namespace = ?1 AND name = ?2 AND dimensions = ?3";
    let Series { metric, dimensions } = series;
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement
        .query_row(params![metric.namespace(), metric.name(), dimensions.to_text()], |row| row.get(0));
    Ok(found.optional()?)
}

/// Returns the number of a series that has a point which begins at `start`.
fn id_of(transaction: &Transaction<'_>, series: &Series, start: i64) -> Result<i64, MetricsError> {
    let sql = "INSERT INTO series (namespace, name, dimensions, last_start) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT DO UPDATE SET last_start = max(last_start, excluded.last_start) RETURNING id";
    let Series { metric, dimensions } = series;
    let mut statement = transaction.prepare_cached(sql)?;
    let values = params![metric.namespace(), metric.name(), dimensions.to_text(), start];
    Ok(statement.query_row(values, |row| row.get(0))?)
}

/// One distribution that is damaged must not keep all others from being written.
fn usable(sketch: Result<Sketch, DamagedSketch>) -> Sketch {
    sketch.unwrap_or_else(|error| {
        tracing::error!(%error, "percentiles of a metric are not of all of its values");
        Sketch::default()
    })
}

/// Adds values to a point.
fn merge(
    transaction: &Transaction<'_>,
    series: i64,
    period: i64,
    start: i64,
    more: &Summary,
) -> Result<(), MetricsError> {
    let sql = "SELECT sketch FROM points WHERE series = ?1 AND period = ?2 AND start = ?3";
    let mut statement = transaction.prepare_cached(sql)?;
    let known: Option<Vec<u8>> =
        statement.query_row(params![series, period, start], |row| row.get(0)).optional()?;
    let mut sketch = known.map(|bytes| usable(Sketch::from_bytes(&bytes))).unwrap_or_default();
    sketch.merge(&more.sketch);
    let sql = "INSERT INTO points (series, period, start, count, sum, min, max, sketch)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
               ON CONFLICT DO UPDATE SET count = count + excluded.count, sum = sum + excluded.sum,
                   min = min(min, excluded.min), max = max(max, excluded.max), sketch = excluded.sketch";
    let mut statement = transaction.prepare_cached(sql)?;
    let Summary { sum, min, max, .. } = more;
    let count = i64::try_from(more.count).unwrap_or(i64::MAX);
    statement.execute(params![series, period, start, count, sum, min, max, sketch.to_bytes()])?;
    Ok(())
}

#[cfg(test)]
mod tests;
