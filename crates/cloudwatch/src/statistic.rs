//! Statistics of the values of a period: what they are called, and what they are.

use crate::summary::Summary;

/// The statistics that have a name of their own.
pub(crate) const NAMED: [(&str, Statistic); 5] = [
    ("Minimum", Statistic::Minimum),
    ("Maximum", Statistic::Maximum),
    ("Average", Statistic::Average),
    ("SampleCount", Statistic::SampleCount),
    ("Sum", Statistic::Sum),
];

/// Statistics that CloudWatch has and Hearth has not: trimmed means, counts and sums within bounds, and the like.
const OTHERS: [&str; 6] = ["tm", "wm", "tc", "ts", "pr", "iqm"];

/// A statistic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Statistic {
    Minimum,
    Maximum,
    Average,
    SampleCount,
    Sum,
    /// The value below which so many of a hundred are.
    Percentile(f64),
}

/// Why a text is no statistic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoStatistic {
    /// CloudWatch has it.
    NotImplemented,
    /// Nobody has.
    Unknown,
}

impl Statistic {
    /// Reads `Sum`, `p99`, `p99.9` and so on.
    pub(crate) fn parse(text: &str) -> Result<Self, NoStatistic> {
        if let Some((_, statistic)) = NAMED.iter().find(|(name, _)| *name == text) {
            return Ok(*statistic);
        }
        if let Some(percent) = text.strip_prefix('p').filter(|percent| is_percent(percent)) {
            let percent: f64 = percent.parse().map_err(|_| NoStatistic::Unknown)?;
            return if percent <= 100.0 { Ok(Self::Percentile(percent)) } else { Err(NoStatistic::Unknown) };
        }
        let lower = text.to_ascii_lowercase();
        let is_of = |rest: &str| {
            rest.is_empty() || rest.starts_with(['(', '.']) || rest.starts_with(|c: char| c.is_ascii_digit())
        };
        match OTHERS.iter().any(|known| lower.strip_prefix(known).is_some_and(is_of)) {
            true => Err(NoStatistic::NotImplemented),
            false => Err(NoStatistic::Unknown),
        }
    }

    /// Whether it takes the distribution of the values.
    pub(crate) const fn is_percentile(self) -> bool {
        matches!(self, Self::Percentile(_))
    }

    /// Returns what it is of some values, of which there is at least one.
    pub(crate) fn of(self, summary: &Summary) -> f64 {
        match self {
            Self::Minimum => summary.min,
            Self::Maximum => summary.max,
            Self::Average => summary.sum / summary.count.max(1) as f64,
            Self::SampleCount => summary.count as f64,
            Self::Sum => summary.sum,
            Self::Percentile(percent) => summary.percentile(percent).unwrap_or(summary.min),
        }
    }
}

/// Digits, and up to ten behind a point.
fn is_percent(text: &str) -> bool {
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    whole.len() <= 3 && rest.len() <= 10 && are_digits(whole) && are_digits(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_known_refused_by_name_or_unknown() {
        assert_eq!(Statistic::parse("Sum"), Ok(Statistic::Sum));
        assert_eq!(Statistic::parse("p99.9"), Ok(Statistic::Percentile(99.9)));
        assert_eq!(Statistic::parse("p100"), Ok(Statistic::Percentile(100.0)));
        for text in ["tm90", "TM(10%:90%)", "IQM", "PR(:300)", "wm98", "ts99"] {
            assert_eq!(Statistic::parse(text), Err(NoStatistic::NotImplemented), "{text}");
        }
        for text in ["", "sum", "p", "p101", "p1e1", "p-1", "p99.", "pNaN", "None", "p0.12345678901"] {
            assert_eq!(Statistic::parse(text), Err(NoStatistic::Unknown), "{text}");
        }
    }
}
