//! What identifies a checkpoint and a callback to those who hold them. Both are base64, as the model asks; what is in them
//! is nobody's business.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Which checkpoint of which invocation is expected next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CheckpointToken<'a> {
    pub(crate) execution: &'a str,
    pub(crate) invocation: u64,
    pub(crate) sequence: u64,
}

impl CheckpointToken<'_> {
    pub(crate) fn encode(&self) -> String {
        STANDARD.encode(format!("checkpoint:{}:{}:{}", self.execution, self.invocation, self.sequence))
    }

    /// Reads the invocation and the sequence number of a token of `execution`.
    pub(crate) fn decode(token: &str, execution: &str) -> Option<(u64, u64)> {
        let text = String::from_utf8(STANDARD.decode(token).ok()?).ok()?;
        let rest = text.strip_prefix("checkpoint:")?.strip_prefix(execution)?.strip_prefix(':')?;
        let (invocation, sequence) = rest.split_once(':')?;
        Some((invocation.parse().ok()?, sequence.parse().ok()?))
    }
}

/// Names a callback of an execution.
pub(crate) fn callback_id(execution: &str, operation: &str) -> String {
    STANDARD.encode(format!("callback:{execution}:{operation}"))
}

/// Reads the execution and the operation of a callback.
pub(crate) fn read_callback_id(callback_id: &str) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(callback_id).ok()?).ok()?;
    let (execution, operation) = text.strip_prefix("callback:")?.split_once(':')?;
    Some((execution.to_owned(), operation.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_read_as_they_were_written_and_as_nothing_else() {
        let token = CheckpointToken { execution: "e", invocation: 3, sequence: 17 };
        assert_eq!(CheckpointToken::decode(&token.encode(), "e"), Some((3, 17)));
        assert_eq!(CheckpointToken::decode(&token.encode(), "f"), None);
        assert_eq!(CheckpointToken::decode(&callback_id("e", "3:17"), "e"), None);
        assert_eq!(read_callback_id(&callback_id("e", "o-1")), Some(("e".to_owned(), "o-1".to_owned())));
        for odd in ["", "?", "AAAA", &token.encode()] {
            assert_eq!(read_callback_id(odd), None, "{odd}");
        }
    }
}
