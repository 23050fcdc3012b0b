//! From points on disk to the values of a question: one for each period that it asks for.

use std::collections::BTreeMap;

use crate::error::ApiError;
use crate::input::Input;
use crate::metric::Metric;
use crate::metrics::Metrics;
use crate::series::{Dimensions, Series};
use crate::statistic::Statistic;
use crate::summary::Summary;

const DAY: i64 = 86_400;
/// The longest texts of the model.
pub(crate) const NAME_MAX: usize = 255;
const DIMENSION_VALUE_MAX: usize = 1_024;
const DIMENSIONS_MAX: usize = 30;
/// Periods below a minute, which metrics of Lambda have no values of.
const HIGH_RESOLUTION: [i64; 5] = [1, 5, 10, 20, 30];
/// The longest period. Source: API reference of PutMetricAlarm and GetMetricStatistics, read 2026-11.
const PERIOD_MAX: i64 = 86_400 * 365;

/// Values by the second since 1970 in which their period begins.
pub(crate) type Values = BTreeMap<i64, f64>;

/// From when to when, in seconds since 1970, and in which periods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) period: i64,
    /// Where periods begin to be counted.
    pub(crate) origin: i64,
}

/// A metric as a request names it.
pub(crate) struct Named {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) dimensions: Dimensions,
}

impl Named {
    /// Reads what names a metric.
    pub(crate) fn read(input: &mut Input) -> Result<Self, ApiError> {
        let namespace = input.required_text("Namespace", NAME_MAX)?;
        let name = input.required_text("MetricName", NAME_MAX)?;
        let dimensions = input.list("Dimensions")?.unwrap_or_default();
        if dimensions.len() > DIMENSIONS_MAX {
            let path = input.path("Dimensions");
            return Err(ApiError::invalid_value(format!(
                "The collection {path} must not have a size greater than {DIMENSIONS_MAX}."
            )));
        }
        let dimensions = dimensions.into_iter().map(|mut one| {
            Ok((one.required_text("Name", NAME_MAX)?, one.required_text("Value", DIMENSION_VALUE_MAX)?))
        });
        let dimensions = Dimensions::new(dimensions.collect::<Result<Vec<_>, ApiError>>()?);
        Ok(Self { namespace, name, dimensions })
    }

    /// Returns the series, if there is such a metric and it has this unit.
    pub(crate) fn series(&self, unit: Option<&str>) -> Option<Series> {
        let metric = Metric::find(&self.namespace, &self.name)?;
        let is_in_unit = unit.is_none_or(|unit| unit == metric.unit());
        is_in_unit.then(|| Series { metric, dimensions: self.dimensions.clone() })
    }
}

/// Reads a period that has to be there.
pub(crate) fn read_period(input: &mut Input) -> Result<i64, ApiError> {
    let path = input.path("Period");
    let period = input.integer("Period")?.ok_or_else(|| ApiError::missing(&path))?;
    if period < 1 {
        return Err(ApiError::invalid_value(format!(
            "The parameter {path} must be greater than or equal to 1."
        )));
    }
    if period > PERIOD_MAX || (period % 60 != 0 && !HIGH_RESOLUTION.contains(&period)) {
        let message = format!("The parameter {path} must be 1, 5, 10, 20, 30 or a multiple of 60.");
        return Err(ApiError::invalid_value(message));
    }
    Ok(period)
}

/// Rounds the start of a question down, the further the older it is: older points are coarser.
///
/// Source: API reference of GetMetricData, `StartTime`, read 2026-11.
pub(crate) fn rounded_start(start: i64, now: i64) -> i64 {
    let step = match now - start {
        age if age <= 15 * DAY => 60,
        age if age <= 63 * DAY => 300,
        _ => 3_600,
    };
    start.div_euclid(step) * step
}

impl Range {
    /// Returns what there is of a series in each period.
    pub(crate) fn summaries(
        self,
        metrics: &Metrics,
        series: &Series,
        with_distribution: bool,
    ) -> Result<BTreeMap<i64, Summary>, ApiError> {
        let mut periods: BTreeMap<i64, Summary> = BTreeMap::new();
        for point in metrics.read(series, (self.from, self.to), with_distribution)? {
            // What has been put together cannot be taken apart again.
            if self.period % point.period == 0 {
                let start = self.period_of(point.start);
                periods.entry(start).or_default().merge(&point.summary);
            }
        }
        Ok(periods)
    }

    /// Returns a statistic of each period in which there was something.
    pub(crate) fn values(
        self,
        metrics: &Metrics,
        series: &Series,
        statistic: Statistic,
    ) -> Result<Values, ApiError> {
        let periods = self.summaries(metrics, series, statistic.is_percentile())?;
        Ok(periods.into_iter().map(|(start, summary)| (start, statistic.of(&summary))).collect())
    }

    /// Returns when the period of a moment begins.
    pub(crate) fn period_of(self, second: i64) -> i64 {
        (second - self.origin).div_euclid(self.period) * self.period + self.origin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_rounded_by_their_age_and_periods_counted_from_their_origin() {
        let now = 1_000 * DAY;
        assert_eq!(rounded_start(now - 61, now), now - 120);
        assert_eq!(rounded_start(now - 16 * DAY - 1, now), now - 16 * DAY - 300);
        assert_eq!(rounded_start(now - 64 * DAY - 1, now), now - 64 * DAY - 3_600);
        let range = Range { from: 120, to: 900, period: 300, origin: 120 };
        assert_eq!([120, 419, 420].map(|second| range.period_of(second)), [120, 120, 420]);
        assert_eq!(Range { origin: 0, ..range }.period_of(419), 300);
    }
}
