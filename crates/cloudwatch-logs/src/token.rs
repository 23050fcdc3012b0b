//! The tokens with which a client goes on where a page ended.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hearth_telemetry::Position;

use crate::error::LogsError;

/// How long a `nextToken` is valid.
///
/// Source: CloudWatch Logs API reference, "DescribeLogGroups", read 2026-11.
const VALID_MS: i64 = 86_400_000;

/// Writes a `nextToken` that remembers `place` from now on.
pub(crate) fn next_token(place: &str, now_ms: i64) -> String {
    URL_SAFE_NO_PAD.encode(format!("{now_ms}|{place}"))
}

/// Reads a `nextToken`: the place that it remembers.
pub(crate) fn place(token: &str, now_ms: i64) -> Result<String, LogsError> {
    let read = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let (issued_ms, place) = text.split_once('|')?;
        let issued_ms: i64 = issued_ms.parse().ok()?;
        // A clock that was set back does not make a token wrong.
        (now_ms.saturating_sub(issued_ms) <= VALID_MS).then(|| place.to_owned())
    };
    read().ok_or_else(LogsError::next_token)
}

/// Where to go on in a stream, and in which direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamToken {
    /// `f/…/s`: events from here on.
    Forward(Position),
    /// `b/…/s`: events before this.
    Backward(Position),
}

impl StreamToken {
    /// Writes the token as AWS does: 56 digits between a letter for the direction and `/s`.
    pub(crate) fn print(self) -> String {
        let (letter, Position { segment, offset }) = match self {
            Self::Forward(position) => ('f', position),
            Self::Backward(position) => ('b', position),
        };
        format!("{letter}/{segment:028}{offset:028}/s")
    }

    /// Reads a token.
    pub(crate) fn parse(token: &str) -> Result<Self, LogsError> {
        let read = || {
            let digits = token.get(2..)?.strip_suffix("/s")?;
            if digits.len() != 56 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let position =
                Position { segment: digits[..28].parse().ok()?, offset: digits[28..].parse().ok()? };
            match token.get(..2)? {
                "f/" => Some(Self::Forward(position)),
                "b/" => Some(Self::Backward(position)),
                _ => None,
            }
        };
        read().ok_or_else(LogsError::next_token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written_and_nothing_else_is_one() {
        let position = Position { segment: 7, offset: 1_234_567 };
        for token in [StreamToken::Forward(position), StreamToken::Backward(position)] {
            assert_eq!(StreamToken::parse(&token.print()).unwrap(), token);
        }
        assert_eq!(StreamToken::Forward(position).print().len(), 60);
        let long = format!("f/{}/s", "9".repeat(56));
        for bad in ["", "f", "f//s", "f/12/s", "ü/x/s", &long, &StreamToken::Forward(position).print()[..59]]
        {
            assert!(StreamToken::parse(bad).is_err(), "{bad}");
        }
        let token = next_token("a|b", 1_000);
        assert_eq!(place(&token, 1_000 + VALID_MS).unwrap(), "a|b");
        assert!(place(&token, 1_001 + VALID_MS).is_err(), "it is a day old");
        for bad in ["", "=", "garbage!", &URL_SAFE_NO_PAD.encode("no place")] {
            assert!(place(bad, 0).is_err(), "{bad}");
        }
    }
}
