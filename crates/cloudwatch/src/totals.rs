//! What has been counted since the server started, by function: for whoever scrapes.

use std::collections::{BTreeMap, HashMap};

use hearth_types::{ColdReason, FunctionName};

use crate::metric::{Kind, Metric};

/// How many functions are told apart. Further ones are counted together: whoever scrapes keeps a series for each.
pub const FUNCTIONS_MAX: usize = 1_000;

/// What all functions that are not told apart are called. A function of this name is one of them.
pub const OTHERS: &str = "_other";

/// The upper ends of the buckets of times, in seconds.
pub const BUCKETS: [f64; 15] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 900.0];

/// Times by length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histogram {
    /// How many were not longer than each of [`BUCKETS`], and longer than the one before.
    pub buckets: [u64; BUCKETS.len()],
    /// How many there were.
    pub count: u64,
    /// Their sum, in seconds.
    pub seconds: f64,
}

impl Histogram {
    fn add(&mut self, seconds: f64) {
        if let Some(at) = BUCKETS.iter().position(|end| seconds <= *end) {
            self.buckets[at] += 1;
        }
        self.count += 1;
        self.seconds += seconds;
    }
}

/// What has been counted for a function.
#[derive(Debug, Default)]
pub struct FunctionTotals {
    /// Its counts.
    pub counts: BTreeMap<Metric, f64>,
    /// Its times. Boxed: a map has room for eleven at least, and a function has few.
    pub times: BTreeMap<Metric, Box<Histogram>>,
    /// Its cold starts by reason.
    pub cold_starts: BTreeMap<ColdReason, u64>,
    /// Its invocations that did not succeed, by how they ended.
    pub failures: BTreeMap<&'static str, u64>,
}

impl FunctionTotals {
    /// Adds a value.
    pub(crate) fn add(&mut self, metric: Metric, value: f64) {
        match metric.kind() {
            Kind::Count | Kind::Level => *self.counts.entry(metric).or_default() += value,
            Kind::Milliseconds => self.times.entry(metric).or_default().add(value / 1_000.0),
        }
    }
}

/// What has been counted for all functions.
#[derive(Debug, Default)]
pub struct Totals {
    functions: HashMap<FunctionName, FunctionTotals>,
    others: Option<FunctionTotals>,
}

impl Totals {
    /// Returns the totals of a function, or those that it shares with all that found no place.
    pub(crate) fn of(&mut self, function: &FunctionName) -> &mut FunctionTotals {
        let is_full = self.functions.len() >= FUNCTIONS_MAX;
        if function.as_str() == OTHERS || (is_full && !self.functions.contains_key(function)) {
            return self.others.get_or_insert_default();
        }
        self.functions.entry(function.clone()).or_default()
    }

    /// Returns all of them by name. `None` is of all functions that found no place.
    pub fn functions(&self) -> impl Iterator<Item = (Option<&FunctionName>, &FunctionTotals)> {
        let mut named: Vec<_> = self.functions.iter().collect();
        named.sort_by_key(|(name, _)| *name);
        named
            .into_iter()
            .map(|(name, totals)| (Some(name), totals))
            .chain(self.others.iter().map(|totals| (None, totals)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_above_the_limit_are_counted_together() {
        let mut totals = Totals::default();
        for number in 0..FUNCTIONS_MAX + 5 {
            totals.of(&FunctionName::new(&format!("f{number}")).unwrap()).add(Metric::Invocations, 1.0);
        }
        totals.of(&FunctionName::new("f0").unwrap()).add(Metric::Duration, 3.0);
        let all: Vec<_> = totals.functions().collect();
        assert_eq!(all.len(), FUNCTIONS_MAX + 1);
        let (name, others) = all.last().unwrap();
        assert_eq!((*name, others.counts[&Metric::Invocations]), (None, 5.0));
        let (name, first) = &all[0];
        assert_eq!(name.unwrap().as_str(), "f0");
        let histogram = &first.times[&Metric::Duration];
        assert_eq!((histogram.count, histogram.seconds, histogram.buckets[2]), (1, 0.003, 1));
    }
}
