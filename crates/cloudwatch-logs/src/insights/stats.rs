//! Aggregations: `count`, `sum`, `pct` and the like, of the rows of a group.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::expression::{Expression, Row};
use super::run::Failure;
use super::value::Value;

/// How many numbers a percentile keeps exactly. From then on it is right to half a percent.
const EXACT_MAX: usize = 4_096;
/// How many different values are counted for one group.
const DISTINCT_MAX: usize = 1_000_000;

/// One aggregation of `stats`.
#[derive(Debug, Clone)]
pub(super) struct Aggregation {
    kind: Kind,
    /// What is aggregated; nothing for `count(*)`.
    of: Option<Expression>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Count,
    CountDistinct,
    Sum,
    Avg,
    Min,
    Max,
    Percentile(f64),
    Stddev,
    Earliest,
    Latest,
    SortsFirst,
    SortsLast,
}

impl Aggregation {
    /// Says whether a function aggregates.
    pub(super) fn is_one(name: &str) -> bool {
        Kind::find(name).is_some()
    }

    /// `None` when it does not take such arguments.
    pub(super) fn new(name: &str, arguments: Vec<Expression>) -> Option<Self> {
        let mut kind = Kind::find(name)?;
        let mut arguments = arguments.into_iter();
        let of = arguments.next();
        if let Kind::Percentile(percent) = &mut kind {
            match arguments.next() {
                Some(Expression::Literal(Value::Number(given))) if (0.0..=100.0).contains(&given) => {
                    *percent = given;
                }
                None if name.eq_ignore_ascii_case("median") => {}
                _ => return None,
            }
        }
        let is_complete = of.is_some() || kind == Kind::Count;
        (is_complete && arguments.next().is_none()).then_some(Self { kind, of })
    }

    /// Returns it before the first row.
    pub(super) fn begin(&self) -> State {
        match self.kind {
            Kind::CountDistinct => State::Distinct(HashSet::new()),
            Kind::Percentile(_) => State::Numbers(Numbers::default()),
            Kind::Earliest | Kind::Latest | Kind::SortsFirst | Kind::SortsLast => State::Chosen(None),
            _ => State::Moments { count: 0, sum: 0.0, mean: 0.0, squares: 0.0, min: f64::NAN, max: f64::NAN },
        }
    }

    /// Takes a row into account, whose time is `at_ms`.
    pub(super) fn take(&self, state: &mut State, row: &dyn Row, at_ms: f64) -> Result<(), Failure> {
        let value = match &self.of {
            Some(of) => of.of(row)?,
            None => Value::Number(1.0),
        };
        if value == Value::Missing {
            return Ok(());
        }
        match state {
            State::Distinct(seen) => {
                let mut hasher = DefaultHasher::new();
                value.print().hash(&mut hasher);
                seen.insert(hasher.finish());
                if seen.len() > DISTINCT_MAX {
                    return Err(Failure::TooLarge);
                }
            }
            State::Numbers(numbers) => value.number().into_iter().for_each(|number| numbers.add(number)),
            State::Chosen(chosen) => {
                let is_chosen = chosen.as_ref().is_none_or(|(other, at)| match self.kind {
                    Kind::Earliest => at_ms < *at,
                    Kind::Latest => at_ms >= *at,
                    Kind::SortsFirst => value.compare(other).is_some_and(|order| order.is_lt()),
                    _ => value.compare(other).is_some_and(|order| order.is_gt()),
                });
                if is_chosen {
                    *chosen = Some((value, at_ms));
                }
            }
            State::Moments { count, .. } if self.kind == Kind::Count => *count += 1,
            State::Moments { count, sum, mean, squares, min, max } => {
                if let Some(number) = value.number() {
                    *count += 1;
                    *sum += number;
                    let distance = number - *mean;
                    *mean += distance / *count as f64;
                    *squares += distance * (number - *mean);
                    *min = min.min(number);
                    *max = max.max(number);
                }
            }
        }
        Ok(())
    }

    /// Returns the result.
    pub(super) fn result(&self, state: &State) -> Value {
        match (self.kind, state) {
            (Kind::Percentile(percent), State::Numbers(numbers)) => numbers.percentile(percent),
            (_, State::Distinct(seen)) => Value::Number(seen.len() as f64),
            (_, State::Chosen(chosen)) => chosen.as_ref().map_or(Value::Missing, |(value, _)| value.clone()),
            (kind, State::Moments { count, sum, mean, squares, min, max }) => match kind {
                Kind::Count => Value::Number(*count as f64),
                _ if *count == 0 => Value::Missing,
                Kind::Sum => Value::of_number(*sum),
                Kind::Avg => Value::of_number(*mean),
                Kind::Min => Value::of_number(*min),
                Kind::Max => Value::of_number(*max),
                // Of the sample.
                Kind::Stddev if *count > 1 => Value::of_number((squares / (*count - 1) as f64).sqrt()),
                _ => Value::Number(0.0),
            },
            (_, State::Numbers(_)) => Value::Missing,
        }
    }
}

impl Kind {
    fn find(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "count" => Self::Count,
            "count_distinct" => Self::CountDistinct,
            "sum" => Self::Sum,
            "avg" => Self::Avg,
            "min" => Self::Min,
            "max" => Self::Max,
            "pct" | "percentile" | "median" => Self::Percentile(50.0),
            "stddev" => Self::Stddev,
            "earliest" => Self::Earliest,
            "latest" => Self::Latest,
            "sortsfirst" => Self::SortsFirst,
            "sortslast" => Self::SortsLast,
            _ => return None,
        })
    }
}

/// How far an aggregation is.
#[derive(Debug)]
pub(super) enum State {
    /// The hashes of values. Two different ones in a million have the same in one of ten million cases.
    Distinct(HashSet<u64>),
    Numbers(Numbers),
    Chosen(Option<(Value, f64)>),
    Moments {
        count: u64,
        sum: f64,
        mean: f64,
        squares: f64,
        min: f64,
        max: f64,
    },
}

impl State {
    /// About how much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Distinct(seen) => seen.capacity() * 16 + 64,
            Self::Numbers(numbers) => numbers.exact.capacity() * 8 + numbers.buckets.len() * 48 + 64,
            Self::Chosen(Some((Value::Text(text), _))) => text.len() + 64,
            Self::Chosen(_) | Self::Moments { .. } => 64,
        }
    }
}

/// Numbers of which percentiles are asked.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    exact: Vec<f64>,
    /// When there are too many: how many there are of about the same size.
    buckets: BTreeMap<i32, u64>,
    count: u64,
}

/// Between two buckets: one percent.
const STEP: f64 = 1.01;

impl Numbers {
    fn add(&mut self, number: f64) {
        self.count += 1;
        if self.buckets.is_empty() && self.exact.len() < EXACT_MAX {
            self.exact.push(number);
            return;
        }
        for number in std::mem::take(&mut self.exact).into_iter().chain([number]) {
            *self.buckets.entry(bucket(number)).or_default() += 1;
        }
    }

    /// The number below which so many percent are: the nearest rank.
    fn percentile(&self, percent: f64) -> Value {
        if self.count == 0 {
            return Value::Missing;
        }
        let rank = ((percent / 100.0 * self.count as f64).ceil() as u64).clamp(1, self.count);
        if self.buckets.is_empty() {
            let mut sorted = self.exact.clone();
            sorted.sort_by(f64::total_cmp);
            return sorted.get(rank as usize - 1).map_or(Value::Missing, |number| Value::of_number(*number));
        }
        let mut below = 0;
        for (bucket, count) in &self.buckets {
            below += count;
            if below >= rank {
                return Value::of_number(middle(*bucket));
            }
        }
        Value::Missing
    }
}

/// Buckets of positive numbers are positive, of negative ones negative; 0 is what is nearly nothing.
fn bucket(number: f64) -> i32 {
    const NOTHING: f64 = 1e-9;
    if number.abs() < NOTHING {
        return 0;
    }
    let size = ((number.abs() / NOTHING).ln() / STEP.ln()).floor() as i32 + 1;
    if number < 0.0 { -size } else { size }
}

fn middle(bucket: i32) -> f64 {
    if bucket == 0 {
        return 0.0;
    }
    let size = 1e-9 * STEP.powf(f64::from(bucket.abs()) - 0.5);
    if bucket < 0 { -size } else { size }
}
