//! Values as they come, summed up by minute until they are written.
//!
//! An invocation is counted once, for how its function was called; what follows for the function and for the account is summed
//! up when it is written. That keeps the thread that hears of invocations quick.

use std::collections::HashMap;

use hearth_types::{FunctionName, Qualifier, Version};

use crate::metric::{Kind, Metric};
use crate::series::{Dimensions, Series};
use crate::summary::Summary;

const MINUTE_MS: i64 = 60_000;
/// How many rows wait at most to be written: only while the disk refuses there are so many. Ours.
const ROWS_MAX: usize = 200_000;

/// Summaries of series by the second since 1970 in which their minute began.
pub(crate) type Minutes = HashMap<(Series, i64), Summary>;

/// How a function was called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Called {
    /// By which version or alias.
    pub(crate) qualifier: Option<Qualifier>,
    /// Which version ran, if the alias points to two.
    pub(crate) executed_version: Option<Version>,
}

/// What has been counted and not been written.
#[derive(Default)]
pub(crate) struct Counts {
    /// Of each function, by minute and by how it was called.
    functions: HashMap<FunctionName, HashMap<(i64, Called), Row>>,
    /// What does not add up from functions.
    others: Minutes,
    /// How many rows and others there are.
    rows: usize,
    /// How many values found no room.
    lost: u64,
}

/// The metrics of one minute: a few, so that looking through them is quick.
#[derive(Default)]
pub(crate) struct Row(Vec<(Metric, Summary)>);

impl Row {
    pub(crate) fn add(&mut self, metric: Metric, value: f64) {
        match self.0.iter_mut().find(|(known, _)| *known == metric) {
            Some((_, summary)) => summary.add(value),
            None => {
                let mut summary = Summary::default();
                summary.add(value);
                self.0.push((metric, summary));
            }
        }
    }
}

impl Counts {
    /// Returns the row of a function's minute. `None` when there is no room for another one.
    pub(crate) fn row(&mut self, function: &FunctionName, called: Called, epoch_ms: i64) -> Option<&mut Row> {
        let key = (second_of_minute(epoch_ms), called);
        if !self.functions.get(function).is_some_and(|minutes| minutes.contains_key(&key)) {
            if self.rows >= ROWS_MAX {
                self.lost += 1;
                return None;
            }
            self.rows += 1;
        }
        if !self.functions.contains_key(function) {
            self.functions.insert(function.clone(), HashMap::new());
        }
        self.functions.get_mut(function).map(|minutes| minutes.entry(key).or_default())
    }

    /// Adds a value of a series that is no sum of others.
    pub(crate) fn add(&mut self, series: Series, epoch_ms: i64, value: f64) {
        let key = (series, second_of_minute(epoch_ms));
        if let Some(summary) = self.others.get_mut(&key) {
            summary.add(value);
        } else if self.rows < ROWS_MAX {
            self.rows += 1;
            self.others.entry(key).or_default().add(value);
        } else {
            self.lost += 1;
        }
    }

    /// Returns how many rows wait to be written.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Returns how many values were lost since this was asked last.
    pub(crate) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// Takes everything.
    pub(crate) fn take(&mut self) -> Self {
        let lost = std::mem::take(&mut self.lost);
        let taken = std::mem::take(self);
        self.lost = lost;
        taken
    }

    /// Sums up what was counted for functions, for the account and for how they were called, and adds it to `minutes`.
    pub(crate) fn add_to(self, minutes: &mut Minutes) {
        for (key, summary) in self.others {
            minutes.entry(key).or_default().merge(&summary);
        }
        for (function, rows) in self.functions {
            for ((second, called), Row(row)) in rows {
                for (metric, summary) in row {
                    debug_assert!(metric.kind() != Kind::Level, "levels do not add up");
                    for dimensions in called.dimensions(&function) {
                        minutes.entry((Series { metric, dimensions }, second)).or_default().merge(&summary);
                    }
                }
            }
        }
    }
}

impl Called {
    /// Returns all combinations under which AWS publishes the metrics of a function that was called like this.
    ///
    /// Source: Lambda Developer Guide, "Using CloudWatch metrics with Lambda", read 2026-11. For a call that names no
    /// version, AWS publishes the function's name as its `Resource`.
    fn dimensions(&self, function: &FunctionName) -> Vec<Dimensions> {
        let by_function = ("FunctionName", function.to_string());
        let resource = match &self.qualifier {
            Some(qualifier) => format!("{function}:{qualifier}"),
            None => function.to_string(),
        };
        let by_resource = ("Resource", resource);
        let mut all = vec![
            Dimensions::default(),
            Dimensions::new([by_function.clone()]),
            Dimensions::new([by_function.clone(), by_resource.clone()]),
        ];
        if let Some(version) = self.executed_version {
            all.push(Dimensions::new([by_function, by_resource, ("ExecutedVersion", version.to_string())]));
        }
        all
    }
}

/// The second in which the minute of a moment begins.
fn second_of_minute(epoch_ms: i64) -> i64 {
    epoch_ms.div_euclid(MINUTE_MS) * (MINUTE_MS / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_by_an_alias_with_weights_counts_for_account_function_alias_and_version() {
        let function = FunctionName::new("f").unwrap();
        let called = Called {
            qualifier: Some(Qualifier::parse("live").unwrap()),
            executed_version: Some(Version::Number(2)),
        };
        let mut counts = Counts::default();
        counts.row(&function, called, 61_000).unwrap().add(Metric::Invocations, 1.0);
        counts.row(&function, Called::default(), 119_999).unwrap().add(Metric::Invocations, 1.0);
        let mut minutes = Minutes::new();
        counts.take().add_to(&mut minutes);
        assert_eq!(counts.rows(), 0);
        let mut seen: Vec<String> = minutes
            .iter()
            .map(|((series, second), summary)| {
                format!("{} {second} {}", series.dimensions.to_text(), summary.sum)
            })
            .collect();
        seen.sort();
        let expected = [
            r#"{"ExecutedVersion":"2","FunctionName":"f","Resource":"f:live"} 60 1"#,
            r#"{"FunctionName":"f","Resource":"f"} 60 1"#,
            r#"{"FunctionName":"f","Resource":"f:live"} 60 1"#,
            r#"{"FunctionName":"f"} 60 2"#,
            "{} 60 2",
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn what_waits_is_bounded_and_what_finds_no_room_is_counted() {
        let mut counts = Counts::default();
        let function = FunctionName::new("f").unwrap();
        for minute in 0..ROWS_MAX as i64 + 3 {
            let row = counts.row(&function, Called::default(), minute * MINUTE_MS);
            assert_eq!(row.is_some(), (minute as usize) < ROWS_MAX);
        }
        assert_eq!((counts.rows(), counts.take_lost(), counts.take_lost()), (ROWS_MAX, 3, 0));
    }
}
