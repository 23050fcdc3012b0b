//! ListMetrics: which series there are.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use crate::CloudWatch;
use crate::error::ApiError;
use crate::input::Input;
use crate::points::NAME_MAX;
use crate::store::SeriesFilter;
use crate::wire::Output;

/// Source of these: API reference of ListMetrics, read 2026-11.
const PAGE: usize = 500;
const DIMENSIONS_MAX: usize = 10;
/// What had no value for so long is not listed, in seconds.
const LISTED: i64 = 14 * 86_400;
const RECENTLY: i64 = 3 * 3_600;

/// Answers the operation.
pub(crate) fn answer(api: &CloudWatch, mut input: Input) -> Result<Output, ApiError> {
    let namespace = input.text("Namespace", NAME_MAX)?;
    let name = input.text("MetricName", NAME_MAX)?;
    let dimensions = input.list("Dimensions")?.unwrap_or_default();
    if dimensions.len() > DIMENSIONS_MAX {
        return Err(ApiError::invalid_value(format!(
            "The collection Dimensions must not have a size greater than {DIMENSIONS_MAX}."
        )));
    }
    let dimensions = dimensions
        .into_iter()
        .map(|mut one| Ok((one.required_text("Name", NAME_MAX)?, one.text("Value", 1_024)?)));
    let dimensions = dimensions.collect::<Result<Vec<_>, ApiError>>()?;
    let listed = match input.text("RecentlyActive", 64)?.as_deref() {
        None => LISTED,
        Some("PT3H") => RECENTLY,
        Some(_) => {
            let message = "The parameter RecentlyActive must be a value in the set [ PT3H ].";
            return Err(ApiError::invalid_value(message));
        }
    };
    let after = match input.text("NextToken", NAME_MAX)? {
        None => 0,
        Some(token) => {
            let text = BASE64.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let invalid = || ApiError::invalid_value("The parameter NextToken is not valid.");
            text.and_then(|text| text.parse().ok()).ok_or_else(invalid)?
        }
    };
    let is_of_others =
        input.text("OwningAccount", NAME_MAX)?.is_some_and(|owner| owner != api.account.as_str());
    api.metrics.catch_up()?;
    let since = api.clock.epoch_ms() / 1_000 - listed;
    let mut found = match is_of_others {
        true => Vec::new(),
        false => api.metrics.list(&SeriesFilter { namespace, name, dimensions, since }, after, PAGE + 1)?,
    };
    let has_more = found.len() > PAGE;
    found.truncate(PAGE);
    let next = found.last().filter(|_| has_more).map(|(id, _)| BASE64.encode(id.to_string()));
    let metrics = found.into_iter().map(|(_, series)| {
        let dimensions = series.dimensions.iter().map(|(name, value)| {
            Output::Members(vec![("Name", Output::text(name)), ("Value", Output::text(value))])
        });
        Output::Members(vec![
            ("Namespace", Output::text(series.metric.namespace())),
            ("MetricName", Output::text(series.metric.name())),
            ("Dimensions", Output::List(dimensions.collect())),
        ])
    });
    let mut members = vec![("Metrics", Output::List(metrics.collect()))];
    if let Some(next) = next {
        members.push(("NextToken", Output::Text(next)));
    }
    Ok(Output::Members(members))
}
