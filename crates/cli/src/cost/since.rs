//! From when on costs are asked for.

use anyhow::{Context as _, bail};
use jiff::{SignedDuration, Timestamp};

const DAY_S: i64 = 86_400;

/// Reads a date, a moment, or how long ago it was: `90m`, `24h`, `7d`.
pub(super) fn parse(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    let wrong = || {
        format!(
            "`{text}` is no time: write 2026-11-30, 2026-11-30T12:00:00Z, or how long ago, as 90m, 24h or 7d"
        )
    };
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    if let Ok(date) = text.parse::<jiff::civil::Date>() {
        let midnight = date.to_datetime(jiff::civil::Time::midnight());
        return jiff::tz::Offset::UTC.to_timestamp(midnight).with_context(wrong);
    }
    let unit_s = match text.chars().next_back() {
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => DAY_S,
        _ => bail!(wrong()),
    };
    let count: i64 = text[..text.len() - 1].parse().ok().filter(|count| *count > 0).with_context(wrong)?;
    let ago = count.checked_mul(unit_s).map(SignedDuration::from_secs).with_context(wrong)?;
    now.checked_sub(ago).with_context(wrong)
}

/// Returns the midnight, in UTC, with which the last so many days began.
pub(super) fn midnight_of_day(now: Timestamp, days: u32) -> Timestamp {
    let today = now.as_second().div_euclid(DAY_S);
    Timestamp::from_second((today + 1 - i64::from(days)) * DAY_S).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates_moments_or_spans() {
        let now: Timestamp = "2026-11-30T12:34:56Z".parse().unwrap();
        let since = |text| parse(text, now).map(|at| at.to_string()).map_err(|error| error.to_string());
        assert_eq!(since("2026-11-29").unwrap(), "2026-11-29T00:00:00Z");
        assert_eq!(since("2026-11-29T01:02:03+01:00").unwrap(), "2026-11-29T00:02:03Z");
        assert_eq!(since("90m").unwrap(), "2026-11-30T11:04:56Z");
        assert_eq!(since("7d").unwrap(), "2026-11-23T12:34:56Z");
        for wrong in ["", "d", "-1d", "0h", "yesterday", "2026-13-01", "1w", "99999999999999999d", "é"] {
            assert!(since(wrong).unwrap_err().contains("is no time"), "{wrong}");
        }
        assert_eq!(midnight_of_day(now, 1).to_string(), "2026-11-30T00:00:00Z");
        assert_eq!(midnight_of_day(now, 30).to_string(), "2026-11-01T00:00:00Z");
    }
}
