//! What becomes of points that get old: they are put together, and in the end removed.

use std::collections::BTreeMap;

use rusqlite::params;

use super::{Database, FRESH, MetricsError, merge, summary_of, usable};
use crate::sketch::Sketch;
use crate::summary::Summary;

const DAY: i64 = 86_400;
/// The periods that points have, in seconds.
pub(crate) const PERIODS: [i64; 3] = [FRESH, 300, 3_600];

/// Points of a period become points of the next when they are so old, in seconds.
///
/// Source: CloudWatch User Guide, "Metrics retention", read 2026-11.
const STEPS: [(i64, i64, i64); 2] = [(FRESH, 15 * DAY, 300), (300, 63 * DAY, 3_600)];
/// When points are removed.
const KEPT: i64 = 455 * DAY;
/// How many series are looked at in one transaction, so that readers and writers get their turn.
const SERIES_AT_ONCE: usize = 200;

impl Database {
    /// Puts old points of some series together, from behind the series of a number on. Returns where to go on; `None` at the
    /// end.
    pub(crate) fn age(&mut self, after: i64, now: i64) -> Result<Option<i64>, MetricsError> {
        let transaction = self.connection.transaction()?;
        let ids: Vec<i64> = {
            let sql = "SELECT id FROM series WHERE id > ?1 ORDER BY id LIMIT ?2";
            let mut statement = transaction.prepare_cached(sql)?;
            let ids = statement.query_map(params![after, SERIES_AT_ONCE as i64], |row| row.get(0))?;
            ids.collect::<Result<_, _>>()?
        };
        for &id in &ids {
            for (period, age, next) in STEPS {
                // Whole periods of the next kind only.
                let before = (now - age).div_euclid(next) * next;
                let mut together: BTreeMap<i64, Summary> = BTreeMap::new();
                {
                    let sql = "SELECT start, count, sum, min, max, sketch FROM points
                               WHERE series = ?1 AND period = ?2 AND start < ?3";
                    let mut statement = transaction.prepare_cached(sql)?;
                    let mut rows = statement.query(params![id, period, before])?;
                    while let Some(row) = rows.next()? {
                        let start: i64 = row.get(0)?;
                        let mut summary = summary_of(row, false)?;
                        let bytes = row.get_ref(5)?.as_blob().map_err(rusqlite::Error::from)?;
                        summary.sketch = usable(Sketch::from_bytes(bytes));
                        together.entry(start.div_euclid(next) * next).or_default().merge(&summary);
                    }
                }
                if together.is_empty() {
                    continue;
                }
                for (start, summary) in &together {
                    merge(&transaction, id, next, *start, summary)?;
                }
                let sql = "DELETE FROM points WHERE series = ?1 AND period = ?2 AND start < ?3";
                transaction.prepare_cached(sql)?.execute(params![id, period, before])?;
            }
            let sql = "DELETE FROM points WHERE series = ?1 AND period = 3600 AND start < ?2";
            transaction.prepare_cached(sql)?.execute(params![id, now - KEPT])?;
            let sql = "DELETE FROM series WHERE id = ?1 AND last_start < ?2
                       AND NOT EXISTS (SELECT 1 FROM points WHERE series = ?1)";
            transaction.prepare_cached(sql)?.execute(params![id, now - KEPT])?;
        }
        transaction.commit()?;
        Ok(ids.last().copied().filter(|_| ids.len() == SERIES_AT_ONCE))
    }
}
