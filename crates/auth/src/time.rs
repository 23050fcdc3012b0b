//! The moments of signatures: `20261130T142500Z`.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const FORMAT: &str = "%Y%m%dT%H%M%SZ";

/// Reads a moment, in milliseconds since 1970.
pub(crate) fn parse(text: &str) -> Option<i64> {
    // Without this, fields could be shorter than they look, and blanks be skipped.
    let shape = |(at, byte): (usize, u8)| match at {
        8 => byte == b'T',
        15 => byte == b'Z',
        _ => byte.is_ascii_digit(),
    };
    if text.len() != 16 || !text.bytes().enumerate().all(shape) {
        return None;
    }
    let moment = DateTime::strptime(FORMAT, text).ok()?.to_zoned(TimeZone::UTC).ok()?;
    Some(moment.timestamp().as_millisecond())
}

/// Writes a moment.
pub(crate) fn format(epoch_ms: i64) -> String {
    let moment = Timestamp::from_millisecond(epoch_ms).unwrap_or_default();
    moment.to_zoned(TimeZone::UTC).strftime(FORMAT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_as_it_prints() {
        assert_eq!(parse("20150830T123600Z"), Some(1_440_938_160_000));
        assert_eq!(format(1_440_938_160_999), "20150830T123600Z");
        for wrong in
            ["", "20150830", "20150830T123600", "20151330T123600Z", "2015083 T123600Z", "20150830t123600z"]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
