//! Schedule expressions: `rate(5 minutes)`, `cron(0 12 * * ? *)` and `at(2026-11-30T12:00:00)`, and when they come next.
//!
//! Source: EventBridge Scheduler User Guide, "Schedule types", read 2026-11.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::cron::Cron;

/// The longest expression. Source: EventBridge Scheduler API reference, read 2026-11.
const EXPRESSION_CHARS_MAX: usize = 256;

/// When a schedule runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// Again and again with the same time in between.
    Rate {
        /// That time, in seconds.
        seconds: i64,
    },
    /// At the minutes that a calendar says.
    Cron(Cron),
    /// Once.
    At(DateTime),
}

/// A text that is no schedule expression, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ExpressionError(pub(crate) String);

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let wrong = |why: &str| Err(ExpressionError(why.to_owned()));
        if text.len() > EXPRESSION_CHARS_MAX {
            return wrong("An expression has at most 256 characters.");
        }
        let inner = text.strip_suffix(')').and_then(|text| text.split_once('('));
        match inner {
            Some(("rate", rate)) => Self::parse_rate(rate),
            Some(("cron", cron)) => Cron::parse(cron).map(Self::Cron),
            Some(("at", at)) => match at.parse() {
                Ok(at) => Ok(Self::At(at)),
                Err(_) => wrong("at() takes a time such as 2026-11-30T12:00:00."),
            },
            _ => wrong("An expression is rate(...), cron(...) or at(...)."),
        }
    }

    fn parse_rate(rate: &str) -> Result<Self, ExpressionError> {
        let wrong = |why: &str| Err(ExpressionError(why.to_owned()));
        let mut parts = rate.split_ascii_whitespace();
        let (Some(number), Some(unit), None) = (parts.next(), parts.next(), parts.next()) else {
            return wrong("rate() takes a number and a unit, such as 5 minutes.");
        };
        let Some(number) = number.parse::<i64>().ok().filter(|number| *number > 0) else {
            return wrong("The number of rate() is a whole number from 1.");
        };
        let unit = match unit {
            "minute" | "minutes" => 60,
            "hour" | "hours" => 3_600,
            "day" | "days" => 86_400,
            _ => return wrong("The unit of rate() is minute, minutes, hour, hours, day or days."),
        };
        match number.checked_mul(unit).filter(|seconds| *seconds <= i64::from(u32::MAX)) {
            Some(seconds) => Ok(Self::Rate { seconds }),
            None => wrong("The number of rate() is too large."),
        }
    }

    /// Returns when a schedule runs for the first time, in milliseconds since 1970, if it is made or changed at `now_ms`
    /// and may not run before `start_ms`. `None`: never.
    pub(crate) fn first_ms(&self, zone: &TimeZone, now_ms: i64, start_ms: Option<i64>) -> Option<i64> {
        match self {
            // Without a start it starts at once.
            Self::Rate { .. } => match start_ms {
                Some(start_ms) if start_ms < now_ms => self.next_ms(zone, start_ms, now_ms - 1),
                Some(start_ms) => Some(start_ms),
                None => Some(now_ms),
            },
            Self::Cron(_) => {
                let from_ms = start_ms.map_or(now_ms, |start_ms| start_ms.max(now_ms));
                self.next_ms(zone, from_ms, from_ms - 1)
            }
            Self::At(at) => {
                let at_ms = instant(zone, *at)?.as_millisecond();
                (at_ms > now_ms).then_some(at_ms)
            }
        }
    }

    /// Returns when it runs after `after_ms`, in milliseconds since 1970, if it ran for `last_ms`. `None`: never again.
    pub(crate) fn next_ms(&self, zone: &TimeZone, last_ms: i64, after_ms: i64) -> Option<i64> {
        match self {
            Self::Rate { seconds } => {
                let every_ms = seconds * 1_000;
                let passed = after_ms.saturating_sub(last_ms).max(0) / every_ms;
                last_ms.checked_add(every_ms.checked_mul(passed + 1)?)
            }
            Self::Cron(cron) => {
                let after = Timestamp::from_millisecond(after_ms).ok()?;
                let first_day = zone.to_datetime(after).date();
                cron.times_from(first_day)
                    // A time that the clocks skip is skipped; one that they show twice counts once.
                    .filter_map(|at| instant(zone, at))
                    .find(|at| *at > after)
                    .map(Timestamp::as_millisecond)
            }
            Self::At(_) => None,
        }
    }
}

/// Returns when the clocks of a time zone show `at` first; `None` when they never do.
fn instant(zone: &TimeZone, at: DateTime) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(at);
    match ambiguous.offset() {
        AmbiguousOffset::Gap { .. } => None,
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => ambiguous.compatible().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn shown(epoch_ms: Option<i64>) -> String {
        epoch_ms
            .map_or("never".to_owned(), |epoch_ms| Timestamp::from_millisecond(epoch_ms).unwrap().to_string())
    }

    /// The next times after `after`.
    #[track_caller]
    fn check(expression: &str, zone: &str, after: &str, wanted: &[&str]) {
        let (expression, zone) = (Expression::parse(expression).unwrap(), TimeZone::get(zone).unwrap());
        let mut last = ms(after);
        let mut seen = Vec::new();
        for _ in wanted {
            let next = expression.next_ms(&zone, last, last);
            seen.push(shown(next));
            last = next.unwrap_or(last);
        }
        assert_eq!(seen, wanted);
    }

    #[test]
    fn a_rate_starts_at_once_or_at_its_start_and_keeps_its_step() {
        let rate = Expression::parse("rate(5 minutes)").unwrap();
        let now = ms("2026-11-30T12:00:30Z");
        let first = |start: Option<&str>| shown(rate.first_ms(&TimeZone::UTC, now, start.map(ms)));
        assert_eq!(first(None), "2026-11-30T12:00:30Z");
        assert_eq!(first(Some("2026-12-01T00:00:00Z")), "2026-12-01T00:00:00Z");
        assert_eq!(first(Some("2026-11-30T11:58:00Z")), "2026-11-30T12:03:00Z");
        // What was missed while the server was away is not made up one by one.
        let next = rate.next_ms(&TimeZone::UTC, ms("2026-11-30T12:00:00Z"), ms("2026-11-30T13:01:00Z"));
        assert_eq!(shown(next), "2026-11-30T13:05:00Z");
    }

    #[test]
    fn cron_follows_the_calendar_of_its_time_zone() {
        let after = "2026-11-30T12:00:00Z";
        check("cron(0 12 * * ? *)", "UTC", after, &["2026-12-01T12:00:00Z", "2026-12-02T12:00:00Z"]);
        check("cron(0/15 12 30 11 ? 2026)", "UTC", after, &["2026-11-30T12:15:00Z", "2026-11-30T12:30:00Z"]);
        check(
            "cron(0 18 ? * MON-FRI *)",
            "Europe/Berlin",
            after,
            &["2026-11-30T17:00:00Z", "2026-12-01T17:00:00Z"],
        );
        check("cron(0 8 1 * ? *)", "UTC", after, &["2026-12-01T08:00:00Z", "2027-01-01T08:00:00Z"]);
        check("cron(0 0 29 2 ? *)", "UTC", after, &["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]);
        check("cron(0 0 30 2 ? *)", "UTC", after, &["never"]);
        check("cron(0 0 1 1 ? 2025)", "UTC", after, &["never"]);
    }

    #[test]
    fn days_are_counted_from_the_end_by_weekday_and_by_week() {
        let after = "2026-11-30T12:00:00Z";
        check("cron(0 0 L * ? *)", "UTC", after, &["2026-12-31T00:00:00Z", "2027-01-31T00:00:00Z"]);
        // 2027-02-28 is a Sunday: the last weekday is the 26th.
        check("cron(0 0 LW 2 ? *)", "UTC", after, &["2027-02-26T00:00:00Z"]);
        // 2026-12-12 is a Saturday, 2027-08-01 a Sunday, and 2027-05-01 a Saturday at the beginning of its month.
        check("cron(0 0 12W 12 ? *)", "UTC", after, &["2026-12-11T00:00:00Z"]);
        check("cron(0 0 1W 8 ? 2027)", "UTC", after, &["2027-08-02T00:00:00Z"]);
        check("cron(0 0 1W 5 ? 2027)", "UTC", after, &["2027-05-03T00:00:00Z"]);
        // The second Tuesday; the last Friday; the last day of the week.
        check("cron(0 0 ? * 3#2 *)", "UTC", after, &["2026-12-08T00:00:00Z", "2027-01-12T00:00:00Z"]);
        check("cron(0 0 ? * 6L *)", "UTC", after, &["2026-12-25T00:00:00Z", "2027-01-29T00:00:00Z"]);
        check("cron(0 0 ? * L *)", "UTC", after, &["2026-12-05T00:00:00Z"]);
        check("cron(0 0 ? * SUN,WED *)", "UTC", after, &["2026-12-02T00:00:00Z", "2026-12-06T00:00:00Z"]);
    }

    #[test]
    fn what_clocks_skip_is_skipped_and_what_they_repeat_runs_once() {
        let at_2_30 = "cron(30 2 * * ? *)";
        let zone = "Europe/Berlin";
        // 2026-03-29: 2 o'clock is followed by 3 o'clock.
        let spring = ["2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z"];
        check(at_2_30, zone, "2026-03-27T12:00:00Z", &spring);
        // 2026-10-25: 2:30 comes twice.
        let autumn = ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"];
        check(at_2_30, zone, "2026-10-24T12:00:00Z", &autumn);
    }

    #[test]
    fn at_is_once_in_its_time_zone() {
        let at = Expression::parse("at(2026-12-01T09:00:00)").unwrap();
        let zone = TimeZone::get("America/New_York").unwrap();
        let first = at.first_ms(&zone, ms("2026-11-30T12:00:00Z"), None);
        assert_eq!(shown(first), "2026-12-01T14:00:00Z");
        assert_eq!(at.next_ms(&zone, first.unwrap(), first.unwrap()), None);
        assert_eq!(at.first_ms(&zone, ms("2026-12-02T12:00:00Z"), None), None);
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_read_has_a_next_time_after_the_last_or_none(
            text in "(rate|cron|at)\\([0-9*?/,LW#A-Z :-]{1,5}( [0-9*?/,LW#MONJA-]{1,5}){0,5}\\)",
            after_ms in -9_000_000_000_000_i64..9_000_000_000_000,
        ) {
            if let Ok(expression) = Expression::parse(&text) {
                let next_ms = expression.next_ms(&TimeZone::UTC, after_ms, after_ms);
                proptest::prop_assert!(next_ms.is_none_or(|next_ms| next_ms > after_ms), "{text}");
                let first_ms = expression.first_ms(&TimeZone::UTC, after_ms, Some(after_ms / 2));
                proptest::prop_assert!(first_ms.is_none_or(|first_ms| first_ms >= after_ms / 2), "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_expression_is_told() {
        for wrong in [
            "",
            "rate",
            "rate()",
            "rate(0 minutes)",
            "rate(5)",
            "rate(5 weeks)",
            "rate(9999999999999 days)",
            "every day",
            "at(tomorrow)",
            "cron()",
            "cron(* * * * *)",
            "cron(0 12 * * * *)",
            "cron(0 12 ? * ? *)",
            "cron(0 12 1 * MON *)",
            "cron(60 12 * * ? *)",
            "cron(0 24 * * ? *)",
            "cron(0 12 0 * ? *)",
            "cron(0 12 32 * ? *)",
            "cron(0 12 * 13 ? *)",
            "cron(0 12 ? * 8 *)",
            "cron(0 12 ? * 0 *)",
            "cron(0 12 ? * MON#6 *)",
            "cron(0 12 ? * 3#1,6#3 *)",
            "cron(0 12 * * ? 1969)",
            "cron(0/0 12 * * ? *)",
            "cron(0, 12 * * ? *)",
            "cron(? 12 * * ? *)",
            "cron(0 12 W * ? *)",
            "cron(0 12 \u{1F600} * ? *)",
        ] {
            assert!(Expression::parse(wrong).is_err(), "{wrong}");
        }
    }
}
