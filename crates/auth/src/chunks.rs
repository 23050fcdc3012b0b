//! Bodies that are signed while they are sent: each chunk carries a signature over itself and the signature before.
//!
//! Source: "Signature calculations for the Authorization header: Transferring payload in multiple chunks" in the S3 API
//! reference, read 2026-11.

use std::fmt;

use hmac::Mac as _;
use sha2::{Digest as _, Sha256};

use crate::canonical::{self, Scope, TERMINATOR};

/// What stands in the place of the body's hash when chunks are signed; the second one with a trailer behind them.
pub(crate) const SIGNED_CHUNKS: [&str; 2] =
    ["STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"];
/// The same when they are not.
pub(crate) const UNSIGNED_CHUNKS: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/// What the signature of a head says of the body that is still to come. Goes along with the request.
#[derive(Debug, Clone)]
pub enum SignedPayload {
    /// Nothing.
    Unsigned,
    /// Its SHA-256.
    Hash([u8; 32]),
    /// It comes in chunks that are signed themselves.
    Chunks(ChunkSigner),
}

/// Follows the signatures of the chunks of one body.
#[derive(Clone)]
pub struct ChunkSigner {
    key: [u8; 32],
    /// Date and scope, as they stand in what is signed.
    place: String,
    previous: String,
}

impl fmt::Debug for ChunkSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkSigner").field("place", &self.place).finish_non_exhaustive()
    }
}

impl ChunkSigner {
    /// Begins with the signature of the head.
    pub(crate) fn new(secret: &str, scope: &Scope, date: &str, seed: &[u8; 32]) -> Self {
        let Scope { day, region, service } = scope;
        Self {
            key: canonical::signing_key(secret, scope),
            place: format!("{date}\n{day}/{region}/{service}/{TERMINATOR}"),
            previous: canonical::hex(seed),
        }
    }

    /// Says whether the next chunk, which has this SHA-256, has this signature. The empty one is the last.
    #[must_use]
    pub fn is_signed(&mut self, chunk_sha256: &[u8; 32], signature: &str) -> bool {
        let empty = canonical::hex(&Sha256::digest(b""));
        let hashes = format!("{empty}\n{}", canonical::hex(chunk_sha256));
        self.verify("AWS4-HMAC-SHA256-PAYLOAD", &hashes, signature)
    }

    /// Says whether the trailer, `name:value` and a line feed for each of its lines, has this signature.
    #[must_use]
    pub fn is_trailer_signed(&mut self, trailer: &[u8], signature: &str) -> bool {
        let hash = canonical::payload_hash(trailer);
        self.verify("AWS4-HMAC-SHA256-TRAILER", &hash, signature)
    }

    fn verify(&mut self, algorithm: &str, hashes: &str, signature: &str) -> bool {
        let Some(theirs) = canonical::unhex(signature) else { return false };
        let to_sign = format!("{algorithm}\n{}\n{}\n{hashes}", self.place, self.previous);
        let is_right = canonical::hmac(&self.key, &to_sign).verify_slice(&theirs).is_ok();
        self.previous = canonical::hex(&theirs);
        is_right
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of AWS's documentation: 66,560 letters `a` in chunks of 64 KiB.
    #[test]
    fn the_chunks_of_awss_example_are_signed_and_no_others() {
        let scope = Scope { day: "20130524".into(), region: "us-east-1".into(), service: "s3".into() };
        let seed =
            canonical::unhex("4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9").unwrap();
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        let signer = ChunkSigner::new(secret, &scope, "20130524T000000Z", &seed);
        let hash = |length: usize| Sha256::digest(vec![b'a'; length]).into();
        let chunks = [
            (65_536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
            (1_024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
            (0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
        ];
        let mut right = signer.clone();
        assert!(chunks.iter().all(|(length, signature)| right.is_signed(&hash(*length), signature)));
        let mut out_of_order = signer.clone();
        assert!(!out_of_order.is_signed(&hash(1_024), chunks[1].1));
        let mut changed = signer;
        assert!(!changed.is_signed(&hash(65_535), chunks[0].1));
    }
}
