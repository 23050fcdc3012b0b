//! The beginning of a streamed HTTP response: status, headers and cookies as JSON, then eight zero bytes.

use bytes::{Bytes, BytesMut};
use serde_json::Value;

use crate::answer::{self, Head};

/// The content type of a stream that begins so.
pub(crate) const CONTENT_TYPE: &str = "application/vnd.awslambda.http-integration-response";
/// What follows the JSON.
const DELIMITER: [u8; 8] = [0; 8];
/// How long the JSON may be. Ours: AWS's limit is not documented.
const BYTES_MAX: usize = 256 << 10;

/// A prelude that is not whole yet.
#[derive(Default)]
pub(crate) struct Prelude(BytesMut);

/// What came of one more piece.
pub(crate) enum Read {
    /// There is more to come.
    More,
    /// It is whole; what follows it belongs to the body.
    Whole(Head, Bytes),
    /// It is none.
    Wrong,
}

impl Prelude {
    /// Takes one more piece.
    pub(crate) fn add(&mut self, piece: &[u8]) -> Read {
        // The delimiter may have begun in the piece before.
        let from = self.0.len().saturating_sub(DELIMITER.len() - 1);
        self.0.extend_from_slice(piece);
        let found = self.0[from..].windows(DELIMITER.len()).position(|window| window == DELIMITER);
        let Some(at) = found.map(|at| from + at) else {
            return if self.0.len() > BYTES_MAX { Read::Wrong } else { Read::More };
        };
        let rest = self.0.split_off(at + DELIMITER.len()).freeze();
        let head = match serde_json::from_slice(&self.0[..at]) {
            Ok(Value::Object(members)) => answer::head(&members),
            Ok(_) | Err(_) => None,
        };
        head.map_or(Read::Wrong, |head| Read::Whole(head, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prelude_is_found_however_it_is_cut() {
        let stream = b"{\"statusCode\":404,\"headers\":{\"x\":\"1\"}}\0\0\0\0\0\0\0\0body";
        for cut in 0..stream.len() {
            let mut prelude = Prelude::default();
            let whole = match prelude.add(&stream[..cut]) {
                Read::Whole(head, rest) => (head, [&rest[..], &stream[cut..]].concat()),
                Read::More => match prelude.add(&stream[cut..]) {
                    Read::Whole(head, rest) => (head, rest.to_vec()),
                    Read::More | Read::Wrong => panic!("cut at {cut}"),
                },
                Read::Wrong => panic!("cut at {cut}"),
            };
            assert_eq!((whole.0.status.as_u16(), &whole.1[..]), (404, &b"body"[..]), "cut at {cut}");
            assert_eq!(whole.0.headers["x"], "1");
        }
    }

    #[test]
    fn what_is_no_prelude_is_wrong() {
        for stream in [
            &b"[]\0\0\0\0\0\0\0\0"[..],
            b"\0\0\0\0\0\0\0\0",
            b"{\"statusCode\":1}\0\0\0\0\0\0\0\0",
            &[b'x'; BYTES_MAX + 1],
        ] {
            assert!(matches!(Prelude::default().add(stream), Read::Wrong));
        }
        assert!(matches!(Prelude::default().add(b"{}"), Read::More));
    }
}
