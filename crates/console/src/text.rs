//! How values become text: numbers with their units, times, and text of strangers in which nothing hides.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stands for nothing.
pub(crate) const NOTHING: &str = "–";

/// All but what needs no encoding anywhere in an address.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Returns a text as one part of a path or query.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// Returns milliseconds as AWS's REPORT lines show them, shorter where decimals say nothing.
pub(crate) fn ms(ms: f64) -> String {
    if !ms.is_finite() {
        return NOTHING.to_owned();
    }
    match ms.abs() {
        below if below < 100.0 => format!("{ms:.2} ms"),
        below if below < 10_000.0 => format!("{} ms", grouped(ms.round() as i64)),
        below if below < 120_000.0 => format!("{:.1} s", ms / 1_000.0),
        below if below < 7_200_000.0 => format!("{:.1} min", ms / 60_000.0),
        _ => format!("{:.1} h", ms / 3_600_000.0),
    }
}

/// Returns a number with its thousands apart.
pub(crate) fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a share in percent.
pub(crate) fn percent(part: usize, whole: usize) -> String {
    if whole == 0 {
        return NOTHING.to_owned();
    }
    format!("{:.1} %", 100.0 * part as f64 / whole as f64)
}

/// Returns a moment in UTC, to the millisecond.
pub(crate) fn moment(epoch_ms: i64) -> String {
    let timestamp = jiff::Timestamp::from_millisecond(epoch_ms).unwrap_or_default();
    format!("{timestamp:.3}").replace('T', " ").replace('Z', "")
}

/// Returns the time of day in UTC, to the millisecond.
pub(crate) fn time_of_day(epoch_ms: i64) -> String {
    moment(epoch_ms).split_once(' ').map_or_else(String::new, |(_, time)| time.to_owned())
}

/// Returns the text of a stranger in which every character can be seen: control characters, also those of terminals, and
/// those that turn or hide text, by their numbers. Line ends and tabs stay.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => shown.push(character),
            '\r' => {}
            '\u{1b}' => shown.push_str("\u{27e8}ESC\u{27e9}"),
            '\u{0}'..='\u{1f}'
            | '\u{7f}'
            | '\u{80}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}' => {
                let _ = write!(shown, "\u{27e8}U+{:04X}\u{27e9}", character as u32);
            }
            _ => shown.push(character),
        }
    }
    shown
}

/// Returns the beginning of a text, and says so when that is not all of it.
pub(crate) fn beginning(text: &str, bytes_max: usize) -> (&str, bool) {
    if text.len() <= bytes_max {
        return (text, false);
    }
    let end = (0..=bytes_max).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    (&text[..end], true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hides_in_the_text_of_a_stranger() {
        let hostile = "\u{1b}[31mred\u{7}\r\n\u{202e}cod\u{2066}\tx\u{200b}\u{0}";
        assert_eq!(visible(hostile), "⟨ESC⟩[31mred⟨U+0007⟩\n⟨U+202E⟩cod⟨U+2066⟩\tx⟨U+200B⟩⟨U+0000⟩");
        assert_eq!(visible("<script>é漢</script>"), "<script>é漢</script>");
    }

    #[test]
    fn numbers_have_units_and_no_more_digits_than_they_deserve() {
        let shown = [4.3712, 151.47, 12_345.0, 300_000.0, 90_000_000.0].map(ms);
        assert_eq!(shown, ["4.37 ms", "151 ms", "12.3 s", "5.0 min", "25.0 h"]);
        assert_eq!([0, 999, 1_000, -1_234_567].map(grouped), ["0", "999", "1,000", "-1,234,567"]);
        assert_eq!(percent(1, 3), "33.3 %");
        assert_eq!(moment(1_764_536_802_123), "2025-11-30 21:06:42.123");
        assert_eq!(beginning("aé", 2), ("a", true));
        assert_eq!(encoded("/aws/lambda/a b"), "%2Faws%2Flambda%2Fa%20b");
    }
}
