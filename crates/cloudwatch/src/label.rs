//! Labels of results, with what they may say of the result itself: `${SUM}`, `${PROP('MetricName')}`.
//!
//! Source: CloudWatch User Guide, "Use dynamic labels", read 2026-11.

use crate::error::ApiError;
use crate::points::{Named, Values};

/// What a label may speak of.
pub(crate) struct About<'a> {
    /// The label without one.
    pub(crate) default: &'a str,
    /// The metric, its statistic and period; `None` of an expression.
    pub(crate) metric: Option<(&'a Named, &'a str, i64)>,
    pub(crate) region: &'a str,
    pub(crate) account: &'a str,
}

/// Returns a label with everything filled in.
pub(crate) fn filled(label: &str, about: &About<'_>, values: &Values) -> Result<String, ApiError> {
    let mut text = String::new();
    let mut rest = label;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((inside, behind)) = after.split_once('}') else { break };
        text += before;
        text += &one(inside.trim(), about, values)?;
        rest = behind;
    }
    text += rest;
    Ok(text)
}

fn one(inside: &str, about: &About<'_>, values: &Values) -> Result<String, ApiError> {
    let all = || values.values().copied();
    let number = |number: Option<f64>| number.map_or_else(|| "--".to_owned(), |number| number.to_string());
    let average = || (!values.is_empty()).then(|| all().sum::<f64>() / values.len() as f64);
    Ok(match inside {
        "LABEL" => about.default.to_owned(),
        "AVG" => number(average()),
        "SUM" => number(average().map(|_| all().sum())),
        "MIN" => number(all().reduce(f64::min)),
        "MAX" => number(all().reduce(f64::max)),
        "RANGE" => number(all().reduce(f64::max).zip(all().reduce(f64::min)).map(|(max, min)| max - min)),
        "FIRST" => number(all().next()),
        "LAST" => number(all().next_back()),
        "DATAPOINT_COUNT" => values.len().to_string(),
        _ => property(inside, about).ok_or_else(|| {
            ApiError::not_implemented(&format!("`{}` in labels", inside.chars().take(64).collect::<String>()))
        })?,
    })
}

fn property(inside: &str, about: &About<'_>) -> Option<String> {
    let name = inside.strip_prefix("PROP(")?.strip_suffix(')')?.trim();
    let name = name.trim_matches(['\'', '"']);
    match name {
        "AccountId" => return Some(about.account.to_owned()),
        "Region" => return Some(about.region.to_owned()),
        _ => {}
    }
    let Some((metric, statistic, period)) = about.metric else { return Some(String::new()) };
    Some(match name {
        "MetricName" => metric.name.clone(),
        "Namespace" => metric.namespace.clone(),
        "Stat" => statistic.to_owned(),
        "Period" => period.to_string(),
        _ => metric.dimensions.get(name.strip_prefix("Dim.")?).unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Dimensions;

    #[test]
    fn labels_say_what_they_are_asked_to() {
        let metric = Named {
            namespace: "AWS/Lambda".to_owned(),
            name: "Duration".to_owned(),
            dimensions: Dimensions::new([("FunctionName", "f")]),
        };
        let about = About {
            default: "Duration",
            metric: Some((&metric, "p99", 60)),
            region: "us-east-1",
            account: "1",
        };
        let values = Values::from([(0, 1.0), (60, 4.0)]);
        for (label, expected) in [
            ("plain $ text", "plain $ text"),
            ("${LABEL}: ${PROP('Stat')} of ${PROP('Dim.FunctionName')}", "Duration: p99 of f"),
            ("${MIN}-${MAX} ${SUM} ${AVG} ${LAST}", "1-4 5 2.5 4"),
            ("${PROP('Dim.Resource')}|${PROP(\"Period\")}", "|60"),
            ("${unfinished", "${unfinished"),
        ] {
            assert_eq!(filled(label, &about, &values).unwrap(), expected);
        }
        assert!(filled("${MAX_TIME}", &about, &values).is_err());
    }
}
