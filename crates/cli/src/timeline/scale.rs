//! From time to columns.
//!
//! A column is the same time everywhere, with two exceptions, without which one could not see a call of 2 ms next
//! to an Init of 150 ms, or two bursts an hour apart: a span has at least a given number of columns, and a long time
//! in which every environment is idle is a break of a few columns that says how long it was.

/// A stretch of time in one lane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stretch {
    pub(super) start_ms: f64,
    pub(super) end_ms: f64,
    /// Something happens: not idle.
    pub(super) busy: bool,
}

/// How many columns a stretch has at least.
#[derive(Debug, Clone, Copy)]
pub(super) struct Least {
    pub(super) busy: usize,
    pub(super) idle: usize,
}

/// A long time in which nothing happened, made short.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Break {
    pub(super) start_ms: f64,
    pub(super) end_ms: f64,
    /// `⋯ 12 s ⋯`
    pub(super) label: String,
}

impl Break {
    fn new(start_ms: f64, end_ms: f64) -> Self {
        Self { start_ms, end_ms, label: format!("⋯ {} ⋯", how_long(end_ms - start_ms)) }
    }

    fn columns(&self) -> usize {
        self.label.chars().count()
    }
}

/// A scale from times to columns.
#[derive(Debug)]
pub(super) struct Scale {
    /// Times with their columns, both ascending; between two of them it is linear.
    points: Vec<(f64, f64)>,
    pub(super) breaks: Vec<Break>,
    /// Columns a millisecond, outside of breaks and of stretches that were widened.
    pub(super) per_ms: f64,
    /// Some stretch is so short that it was given more columns than its time says.
    pub(super) widened: bool,
}

impl Scale {
    /// Fits the time from `start_ms` to `end_ms` into `columns`; `None` if the stretches need more at the least.
    pub(super) fn fit(
        (start_ms, end_ms): (f64, f64),
        stretches: &[Stretch],
        least: Least,
        columns: usize,
    ) -> Option<Self> {
        let times = Times::new(start_ms, end_ms, stretches, least);
        let mut gaps = times.gaps.clone();
        let mut breaks = Vec::new();
        loop {
            let (per_ms, points) = times.spread(&breaks, columns)?;
            // The gap that wastes most, if the gaps take more than half and it is worth a break.
            let width = |gap: &(f64, f64)| (gap.1 - gap.0) * per_ms;
            let wasted: f64 = gaps.iter().map(width).sum();
            let longest =
                (0..gaps.len()).max_by(|one, other| width(&gaps[*one]).total_cmp(&width(&gaps[*other])));
            let wasteful = longest.filter(|at| {
                let columns_of_break = Break::new(gaps[*at].0, gaps[*at].1).columns();
                wasted * 2.0 > columns as f64 && width(&gaps[*at]) > columns_of_break as f64 + 4.0
            });
            let Some(at) = wasteful else {
                breaks.sort_by(|one: &Break, other| one.start_ms.total_cmp(&other.start_ms));
                let widened = times.is_widened(per_ms);
                return Some(Self { points, breaks, per_ms, widened });
            };
            let (start_ms, end_ms) = gaps.swap_remove(at);
            breaks.push(Break::new(start_ms, end_ms));
        }
    }

    /// Returns the columns that these stretches need at the least, without any room for proportion.
    pub(super) fn least_columns(
        (start_ms, end_ms): (f64, f64),
        stretches: &[Stretch],
        least: Least,
    ) -> usize {
        let times = Times::new(start_ms, end_ms, stretches, least);
        times.place(&[], 0.0).last().map_or(0, |(_, column)| column.ceil() as usize)
    }

    /// Returns the column in which `ms` begins.
    pub(super) fn column(&self, ms: f64) -> usize {
        let after = self.points.partition_point(|(at, _)| *at < ms);
        let column = match (after.checked_sub(1).map(|before| self.points[before]), self.points.get(after)) {
            (Some((left_ms, left)), Some((right_ms, right))) => {
                left + (right - left) * (ms - left_ms) / (right_ms - left_ms)
            }
            (None, Some((_, column))) => *column,
            (Some((_, column)), None) => column,
            (None, None) => 0.0,
        };
        column.round() as usize
    }
}

/// The moments at which something begins or ends, and what they demand.
struct Times {
    moments: Vec<f64>,
    /// For each moment: where the stretches that end there begin (an index), and their columns at the least.
    demands: Vec<Vec<(usize, f64)>>,
    /// When every lane is idle or empty.
    gaps: Vec<(f64, f64)>,
}

impl Times {
    fn new(start_ms: f64, end_ms: f64, stretches: &[Stretch], least: Least) -> Self {
        let clip = |ms: f64| ms.clamp(start_ms, end_ms);
        let inside = || {
            let clipped =
                stretches.iter().map(|stretch| (clip(stretch.start_ms), clip(stretch.end_ms), stretch.busy));
            clipped.filter(|(start, end, busy)| start < end || (*busy && start == end))
        };
        let mut moments: Vec<f64> = inside().flat_map(|(start, end, _)| [start, end]).collect();
        moments.extend([start_ms, end_ms]);
        moments.sort_by(f64::total_cmp);
        moments.dedup();
        let index = |ms: f64| moments.partition_point(|moment| *moment < ms);
        let mut demands = vec![Vec::new(); moments.len()];
        for (start, end, busy) in inside().filter(|(start, end, _)| start < end) {
            let columns = if busy { least.busy } else { least.idle };
            demands[index(end)].push((index(start), columns as f64));
        }
        let mut busy: Vec<(f64, f64)> =
            inside().filter(|it| it.2).map(|(start, end, _)| (start, end)).collect();
        busy.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut gaps = Vec::new();
        let mut until = start_ms;
        for (start, end) in busy.into_iter().chain([(end_ms, end_ms)]) {
            if start > until {
                gaps.push((until, start));
            }
            until = until.max(end);
        }
        Self { moments, demands, gaps }
    }

    /// Finds the columns a millisecond with which everything fits exactly.
    fn spread(&self, breaks: &[Break], columns: usize) -> Option<(f64, Vec<(f64, f64)>)> {
        let width = |per_ms| self.place(breaks, per_ms).last().map_or(0.0, |(_, column)| *column);
        let columns = columns as f64;
        if width(0.0) > columns {
            return None;
        }
        let mut fits = 0.0;
        let mut too_wide = 1.0;
        while width(too_wide) < columns && too_wide < 1e9 {
            too_wide *= 2.0;
        }
        // 60 halvings leave nothing that a column could show.
        for _ in 0..60 {
            let middle = f64::midpoint(fits, too_wide);
            if width(middle) <= columns {
                fits = middle;
            } else {
                too_wide = middle;
            }
        }
        Some((fits, self.place(breaks, fits)))
    }

    /// Says whether a stretch demands a column more than its time says: what the eye can see.
    fn is_widened(&self, per_ms: f64) -> bool {
        let demands = self.demands.iter().enumerate().flat_map(|(end, demands)| {
            demands.iter().map(move |(start, columns)| (self.moments[end] - self.moments[*start], *columns))
        });
        demands.into_iter().any(|(ms, columns)| columns - ms * per_ms >= 1.0)
    }

    /// Places the moments from left to right: as far apart as their time says, and as the stretches demand.
    fn place(&self, breaks: &[Break], per_ms: f64) -> Vec<(f64, f64)> {
        let mut points: Vec<(f64, f64)> = Vec::with_capacity(self.moments.len());
        for (at, moment) in self.moments.iter().enumerate() {
            let mut column = match points.last() {
                None => 0.0,
                Some((before, column)) => {
                    let is_over = |it: &&Break| it.start_ms <= *before && *moment <= it.end_ms;
                    let per_ms = match breaks.iter().find(is_over) {
                        Some(it) => it.columns() as f64 / (it.end_ms - it.start_ms),
                        None => per_ms,
                    };
                    column + per_ms * (moment - before)
                }
            };
            for (start, columns) in &self.demands[at] {
                column = column.max(points[*start].1 + columns);
            }
            points.push((*moment, column));
        }
        points
    }
}

/// Writes a duration as a person would say it.
fn how_long(ms: f64) -> String {
    let seconds = ms / 1_000.0;
    match seconds {
        ..1.0 => format!("{ms:.0} ms"),
        ..10.0 => format!("{seconds:.1} s"),
        ..120.0 => format!("{seconds:.0} s"),
        ..7_200.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.0} h", seconds / 3_600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy(start_ms: f64, end_ms: f64) -> Stretch {
        Stretch { start_ms, end_ms, busy: true }
    }

    const LEAST: Least = Least { busy: 2, idle: 1 };

    #[test]
    fn time_is_proportional_where_nothing_is_too_short() {
        let scale = Scale::fit((0.0, 100.0), &[busy(0.0, 60.0), busy(60.0, 100.0)], LEAST, 50).unwrap();
        assert_eq!([0.0, 30.0, 60.0, 100.0].map(|ms| scale.column(ms)), [0, 15, 30, 50]);
    }

    #[test]
    fn a_short_call_keeps_its_two_columns_and_the_rest_shares_what_is_left() {
        let stretches = [busy(0.0, 150.0), busy(150.0, 150.5), busy(151.0, 151.5)];
        let scale = Scale::fit((0.0, 151.5), &stretches, LEAST, 60).unwrap();
        let columns = [0.0, 150.0, 150.5, 151.0, 151.5].map(|ms| scale.column(ms));
        assert_eq!((columns[2] - columns[1], columns[4] - columns[3], columns[4]), (2, 2, 60));
    }

    #[test]
    fn a_long_silence_becomes_a_break() {
        let scale =
            Scale::fit((0.0, 12_300.0), &[busy(0.0, 150.0), busy(12_150.0, 12_300.0)], LEAST, 80).unwrap();
        assert_eq!(scale.breaks.len(), 1);
        assert_eq!(scale.breaks[0].label, "⋯ 12 s ⋯");
        assert_eq!([150.0, 12_150.0, 12_300.0].map(|ms| scale.column(ms)), [36, 44, 80]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let stretches: Vec<Stretch> = (0..50).map(|at| busy(f64::from(at), f64::from(at) + 1.0)).collect();
        assert!(Scale::fit((0.0, 50.0), &stretches, LEAST, 60).is_none());
        assert_eq!(Scale::least_columns((0.0, 50.0), &stretches, LEAST), 100);
    }
}
