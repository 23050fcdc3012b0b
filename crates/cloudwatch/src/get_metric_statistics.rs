//! GetMetricStatistics: one metric, several statistics.

use crate::CloudWatch;
use crate::error::ApiError;
use crate::get_metric_data::no_statistic;
use crate::input::Input;
use crate::points::{NAME_MAX, Named, Range, read_period, rounded_start};
use crate::statistic::{NAMED, Statistic};
use crate::wire::Output;

/// Source of these: API reference of GetMetricStatistics, read 2026-11.
const DATAPOINTS_MAX: i64 = 1_440;
const EXTENDED_MAX: usize = 10;

/// Answers the operation.
pub(crate) fn answer(api: &CloudWatch, mut input: Input) -> Result<Output, ApiError> {
    let metric = Named::read(&mut input)?;
    let (start, end) = (input.required_time("StartTime")?, input.required_time("EndTime")?);
    let period = read_period(&mut input)?;
    let unit = input.text("Unit", NAME_MAX)?;
    let statistics = read_statistics(&input.texts("Statistics")?)?;
    let extended = read_extended(input.texts("ExtendedStatistics")?)?;
    match (statistics.is_empty(), extended.is_empty()) {
        (true, true) => {
            let message =
                "Either the parameter Statistics or the parameter ExtendedStatistics must be specified.";
            return Err(ApiError::invalid_combination(message));
        }
        (false, false) => {
            let message = "The parameters ExtendedStatistics and Statistics are mutually exclusive and you have specified both.";
            return Err(ApiError::invalid_combination(message));
        }
        (true, false) | (false, true) => {}
    }
    if start >= end {
        let message = "The parameter StartTime must be less than the parameter EndTime.";
        return Err(ApiError::invalid_value(message));
    }
    let asked = (end - start) / period;
    if asked > DATAPOINTS_MAX {
        return Err(ApiError::invalid_combination(format!(
            "You have requested up to {} datapoints, which exceeds the limit of 1,440. You may reduce the datapoints \
             requested by increasing Period, or decreasing the time range.",
            with_commas(asked)
        )));
    }
    let start = rounded_start(start, api.clock.epoch_ms() / 1_000);
    api.metrics.catch_up()?;
    let mut datapoints = Vec::new();
    if let Some(series) = metric.series(unit.as_deref()) {
        let range = Range { from: start, to: end, period, origin: start };
        let with_distribution = !extended.is_empty();
        for (start, summary) in range.summaries(&api.metrics, &series, with_distribution)? {
            let mut members = vec![("Timestamp", Output::Time(start))];
            for (name, statistic) in &statistics {
                members.push((*name, Output::Number(statistic.of(&summary))));
            }
            members.push(("Unit", Output::text(series.metric.unit())));
            if with_distribution {
                let extended = extended
                    .iter()
                    .map(|(name, statistic)| (name.clone(), Output::Number(statistic.of(&summary))));
                members.push(("ExtendedStatistics", Output::Map(extended.collect())));
            }
            datapoints.push(Output::Members(members));
        }
    }
    Ok(Output::Members(vec![("Label", Output::Text(metric.name)), ("Datapoints", Output::List(datapoints))]))
}

/// Returns the statistics that are asked for, in the order of the model.
fn read_statistics(texts: &[String]) -> Result<Vec<(&'static str, Statistic)>, ApiError> {
    for (at, text) in texts.iter().enumerate() {
        if !NAMED.iter().any(|(name, _)| name == text) {
            let names: Vec<&str> = NAMED.iter().map(|(name, _)| *name).collect();
            return Err(ApiError::invalid_value(format!(
                "The parameter Statistics.member.{} must be a value in the set [ {} ].",
                at + 1,
                names.join(", ")
            )));
        }
    }
    let order = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"];
    let asked = order.iter().filter(|name| texts.iter().any(|text| text == **name));
    Ok(asked.filter_map(|name| NAMED.iter().find(|(known, _)| known == name).copied()).collect())
}

fn read_extended(texts: Vec<String>) -> Result<Vec<(String, Statistic)>, ApiError> {
    if texts.len() > EXTENDED_MAX {
        return Err(ApiError::invalid_value(format!(
            "The collection ExtendedStatistics must not have a size greater than {EXTENDED_MAX}."
        )));
    }
    let read = |(at, text): (usize, String)| {
        let path = format!("ExtendedStatistics.member.{}", at + 1);
        let statistic = Statistic::parse(&text).map_err(|why| no_statistic(why, &text, &path))?;
        Ok((text, statistic))
    };
    texts.into_iter().enumerate().map(read).collect()
}

/// `14400` as `14,400`.
fn with_commas(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::with_commas;

    #[test]
    fn large_numbers_have_commas() {
        assert_eq!([7, 999, 1_441, 1_234_567].map(with_commas), ["7", "999", "1,441", "1,234,567"]);
    }
}
