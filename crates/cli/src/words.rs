//! How things that the server tells by id are told to people.

use hearth_types::ColdReason;

/// How many characters of an id are shown: enough to tell some thousands apart.
const SHORT_ID: usize = 8;

/// Returns the beginning of an id.
pub(crate) fn short_id(id: &str) -> &str {
    id.char_indices().nth(SHORT_ID).map_or(id, |(end, _)| &id[..end])
}

/// Returns the environment's short id from the name of its log stream: `2026/11/25/[$LATEST]<32 hex>`.
pub(crate) fn short_stream(log_stream: &str) -> &str {
    short_id(log_stream.rsplit(']').next().unwrap_or(log_stream))
}

/// Returns the sentence for a reason; one that this program does not know yet is shown as it came.
pub(crate) fn why_cold(reason: &str) -> &str {
    ColdReason::ALL.iter().find(|known| known.as_str() == reason).map_or(reason, |known| known.explanation())
}

/// Makes text that a function wrote harmless for a terminal: control characters become visible, tabs stay.
pub(crate) fn visible(text: &str) -> String {
    let show = |character: char| match character {
        '\t' | '\n' => character,
        _ if character.is_control() => '\u{fffd}',
        _ => character,
    };
    text.chars().map(show).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_reasons_and_output_are_readable() {
        assert_eq!(short_id("0f3c8a21b4d6"), "0f3c8a21");
        assert_eq!(short_id("é"), "é");
        assert_eq!(short_stream("2026/11/25/[$LATEST]7be0d14c99"), "7be0d14c");
        assert_eq!(why_cold("all-busy"), "all environments busy");
        assert_eq!(why_cold("new-reason"), "new-reason");
        assert_eq!(visible("a\tb\x1b[2J\u{9b}c\n"), "a\tb\u{fffd}[2J\u{fffd}c\n");
    }
}
