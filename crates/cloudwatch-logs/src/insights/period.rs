//! Periods: `5m`, `1h`, `30 seconds`, `1mo`; and the moments at which they begin.

use jiff::civil::Date;
use jiff::tz::TimeZone;

/// A period of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Period {
    Ms(i64),
    Months(i64),
}

impl Period {
    /// Reads a count and a unit.
    pub(super) fn new(count: i64, unit: &str) -> Option<Self> {
        if count < 1 {
            return None;
        }
        let ms = match unit {
            "ms" | "msec" | "millisecond" | "milliseconds" => 1,
            "s" | "sec" | "second" | "seconds" => 1_000,
            "m" | "min" | "minute" | "minutes" => 60_000,
            "h" | "hr" | "hour" | "hours" => 3_600_000,
            "d" | "day" | "days" => 86_400_000,
            "w" | "week" | "weeks" => 7 * 86_400_000,
            "mo" | "mon" | "month" | "months" => return Some(Self::Months(count)).filter(|_| count <= 1_200),
            "q" | "qtr" | "quarter" | "quarters" => {
                return Some(Self::Months(3 * count)).filter(|_| count <= 400);
            }
            "y" | "yr" | "year" | "years" => return Some(Self::Months(12 * count)).filter(|_| count <= 100),
            _ => return None,
        };
        count.checked_mul(ms).map(Self::Ms)
    }

    /// When the period begins that a moment is in. `None` outside of the calendar.
    pub(super) fn floor(self, at_ms: i64) -> Option<i64> {
        match self {
            Self::Ms(ms) => at_ms.checked_sub(at_ms.rem_euclid(ms)),
            Self::Months(months) => first_of(month_of(at_ms)?.div_euclid(months) * months),
        }
    }

    /// When the first period begins that does not begin before a moment.
    pub(super) fn ceil(self, at_ms: i64) -> Option<i64> {
        let floor = self.floor(at_ms)?;
        if floor == at_ms {
            return Some(floor);
        }
        match self {
            Self::Ms(ms) => floor.checked_add(ms),
            Self::Months(months) => first_of(month_of(floor)? + months),
        }
    }
}

/// Months since the year 0.
fn month_of(at_ms: i64) -> Option<i64> {
    let date = jiff::Timestamp::from_millisecond(at_ms).ok()?.to_zoned(TimeZone::UTC).date();
    Some(i64::from(date.year()) * 12 + i64::from(date.month()) - 1)
}

/// When a month begins.
fn first_of(month: i64) -> Option<i64> {
    let (year, month) = (i16::try_from(month.div_euclid(12)).ok()?, (month.rem_euclid(12) + 1) as i8);
    let date = Date::new(year, month, 1).ok()?;
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}
