use std::path::PathBuf;

use super::*;

/// A folder of the test's own, removed when it ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("hearth-metrics-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        Self(folder)
    }

    fn open(&self) -> Database {
        Database::open(&self.0).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn duration_of(function: &str) -> Series {
    Series { metric: Metric::Duration, dimensions: Dimensions::new([("FunctionName", function)]) }
}

fn minute(series: &Series, start: i64, values: &[f64]) -> Minutes {
    let mut summary = Summary::default();
    values.iter().for_each(|value| summary.add(*value));
    Minutes::from([((series.clone(), start), summary)])
}

#[test]
fn what_is_written_in_parts_is_read_as_one_also_after_opening_again() {
    let folder = Folder::new("parts");
    let series = duration_of("f");
    {
        let mut database = folder.open();
        database.add(&minute(&series, 60, &[1.0, 3.0])).unwrap();
        database.add(&minute(&series, 60, &[2.0])).unwrap();
        database.add(&minute(&series, 120, &[9.0])).unwrap();
        database.add(&minute(&duration_of("g"), 60, &[7.0])).unwrap();
    }
    let database = folder.open();
    let points = database.read(&series, (60, 121), true).unwrap();
    let seen: Vec<_> = points
        .iter()
        .map(|Point { start, period, summary: one }| (*start, *period, one.count, one.sum, one.min, one.max))
        .collect();
    assert_eq!(seen, [(60, 60, 3, 6.0, 1.0, 3.0), (120, 60, 1, 9.0, 9.0, 9.0)]);
    let median = points[0].summary.percentile(50.0).unwrap();
    assert!((median / 2.0 - 1.0).abs() <= 0.01, "{median}");
    assert_eq!(database.read(&series, (61, 120), true).unwrap(), []);
    assert_eq!(database.read(&duration_of("h"), (0, 1_000), true).unwrap(), []);
}

#[test]
fn points_get_coarser_with_age_and_are_gone_in_the_end() {
    let folder = Folder::new("aging");
    let mut database = folder.open();
    let series = duration_of("f");
    let day = 86_400;
    for start in (0..2 * 3_600).step_by(60) {
        database.add(&minute(&series, start, &[1.0])).unwrap();
    }
    let periods = |database: &Database| {
        let points = database.read(&series, (0, i64::MAX), false).unwrap();
        let total: u64 = points.iter().map(|point| point.summary.count).sum();
        let mut periods: Vec<i64> = points.iter().map(|point| point.period).collect();
        periods.dedup();
        (points.len(), total, periods)
    };
    database.age(0, 10 * day).unwrap();
    assert_eq!(periods(&database), (120, 120, vec![60]));
    // The first hour and a half is older than 15 days.
    database.age(0, 15 * day + 5_400 + 10).unwrap();
    assert_eq!(periods(&database), (18 + 30, 120, vec![300, 60]));
    database.age(0, 63 * day + 3_600 + 10).unwrap();
    assert_eq!(periods(&database), (1 + 12, 120, vec![3_600, 300]));
    database.age(0, 100 * day).unwrap();
    assert_eq!(periods(&database), (2, 120, vec![3_600]));
    database.age(0, 456 * day).unwrap();
    assert_eq!(periods(&database), (0, 0, vec![]));
    assert_eq!(
        database.list(&SeriesFilter { since: i64::MIN, ..SeriesFilter::default() }, 0, 10).unwrap(),
        []
    );
}

#[test]
fn a_list_is_filtered_and_goes_on_behind_its_last_one() {
    let folder = Folder::new("list");
    let mut database = folder.open();
    for number in 0..5 {
        database.add(&minute(&duration_of(&format!("f{number}")), 60 * number, &[1.0])).unwrap();
    }
    let names = |filter: &SeriesFilter, after: i64, limit: usize| {
        let list = database.list(filter, after, limit).unwrap();
        let names = list.iter().map(|(_, series)| series.dimensions.get("FunctionName").unwrap().to_owned());
        (names.collect::<Vec<_>>(), list.last().map_or(0, |(id, _)| *id))
    };
    let all = SeriesFilter { since: i64::MIN, ..SeriesFilter::default() };
    let (first, last) = names(&all, 0, 3);
    assert_eq!(first, ["f0", "f1", "f2"]);
    assert_eq!(names(&all, last, 3).0, ["f3", "f4"]);
    assert_eq!(names(&SeriesFilter { since: 180, ..SeriesFilter::default() }, 0, 9).0, ["f3", "f4"]);
    let by = |name: &str, value: Option<&str>| SeriesFilter {
        dimensions: vec![(name.to_owned(), value.map(str::to_owned))],
        ..all.clone()
    };
    assert_eq!(names(&by("FunctionName", Some("f3")), 0, 9).0, ["f3"]);
    assert_eq!(names(&by("FunctionName", None), 0, 9).0.len(), 5);
    assert_eq!(names(&by("Resource", None), 0, 9).0.len(), 0);
    let other = SeriesFilter { name: Some("Errors".to_owned()), ..all.clone() };
    assert_eq!(names(&other, 0, 9).0.len(), 0);
}

#[test]
fn a_database_of_a_newer_program_is_refused() {
    let folder = Folder::new("newer");
    folder.open().connection.execute_batch("PRAGMA user_version = 2").unwrap();
    let refused = Database::open(&folder.0).err().map(|error| error.to_string());
    assert_eq!(refused.as_deref(), Some("the metrics are of version 2, and this program knows 1"));
}

#[test]
fn a_damaged_distribution_is_told_to_its_readers_and_keeps_nothing_from_being_written() {
    let folder = Folder::new("damaged");
    let mut database = folder.open();
    let series = duration_of("f");
    database.add(&minute(&series, 60, &[1.0])).unwrap();
    database.connection.execute("UPDATE points SET sketch = x'ff'", []).unwrap();
    assert!(matches!(database.read(&series, (0, 100), true), Err(MetricsError::Damaged(_))));
    assert_eq!(database.read(&series, (0, 100), false).unwrap()[0].summary.count, 1);
    database.add(&minute(&series, 60, &[3.0])).unwrap();
    let point = &database.read(&series, (0, 100), true).unwrap()[0];
    assert_eq!((point.summary.count, point.summary.sum), (2, 4.0));
    database.connection.execute("UPDATE points SET sketch = x'ff'", []).unwrap();
    database.age(0, 16 * 86_400).unwrap();
    assert_eq!(database.read(&series, (0, 100), true).unwrap()[0].period, 300);
}
