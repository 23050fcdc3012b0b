//! The canonical form of a request, which is what is signed: made of the request as it came over the wire.
//!
//! Nothing is put in order that the router does not put in order, too. A path with `..` in it is signed as it is, although
//! clients sign what remains of it: two readings of one request are how signatures are bypassed.
//!
//! Source: "Create a signed AWS API request" in the IAM User Guide, read 2026-11.

use hmac::{Hmac, Mac as _};
use http::{HeaderMap, HeaderName};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use sha2::{Digest as _, Sha256};

/// The one algorithm.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How a scope ends.
pub(crate) const TERMINATOR: &str = "aws4_request";
/// Stands in the place of the hash of a body that is not signed.
pub(crate) const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// What stays as it is in a query.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// What stays as it is in a path.
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');

/// Encodes a path that is encoded already once more, as every service but S3 wants it.
pub(crate) fn path(wire: &str) -> String {
    let wire = if wire.is_empty() { "/" } else { wire };
    percent_encode(wire.as_bytes(), PATH).to_string()
}

/// Encodes a path once, as S3 wants it: decoded and encoded again, because some clients leave more as it is.
pub(crate) fn path_of_s3(wire: &str) -> String {
    let bytes: Vec<u8> = percent_decode_str(if wire.is_empty() { "/" } else { wire }).collect();
    percent_encode(&bytes, PATH).to_string()
}

/// Sorts the pairs of a query; `without` is left out. Decoded and encoded again: some clients leave more as it is.
pub(crate) fn query(wire: &str, without: Option<&str>) -> String {
    let again = |text: &str| {
        let bytes: Vec<u8> = percent_decode_str(&text.replace('+', " ")).collect();
        percent_encode(&bytes, UNRESERVED).to_string()
    };
    let pairs = wire.split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<(String, String)> = pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (again(key), again(value)))
        .filter(|(key, _)| without.is_none_or(|without| key != without))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join("&")
}

/// Returns one line for each of the signed headers. `Err` names the one that is not there.
pub(crate) fn headers<'a>(headers: &HeaderMap, signed: &'a [HeaderName]) -> Result<Vec<u8>, &'a HeaderName> {
    let mut lines = Vec::new();
    for name in signed {
        if !headers.contains_key(name) {
            return Err(name);
        }
        lines.extend_from_slice(name.as_str().as_bytes());
        for (at, value) in headers.get_all(name).iter().enumerate() {
            lines.push(if at == 0 { b':' } else { b',' });
            let words = value.as_bytes().split(|byte| matches!(byte, b' ' | b'\t'));
            for (at, word) in words.filter(|word| !word.is_empty()).enumerate() {
                if at > 0 {
                    lines.push(b' ');
                }
                lines.extend_from_slice(word);
            }
        }
        lines.push(b'\n');
    }
    Ok(lines)
}

/// What a signature is made for, besides the request: `DATE/REGION/SERVICE/aws4_request`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    /// `20261130`
    pub(crate) day: String,
    pub(crate) region: String,
    pub(crate) service: String,
}

/// Returns what is signed, given a canonical request that ends before the hash of its body.
pub(crate) fn string_to_sign(canonical: &[u8], payload_hash: &str, date: &str, scope: &Scope) -> String {
    let hash = Sha256::new().chain_update(canonical).chain_update(payload_hash).finalize();
    let Scope { day, region, service } = scope;
    format!("{ALGORITHM}\n{date}\n{day}/{region}/{service}/{TERMINATOR}\n{}", hex(&hash))
}

/// Begins the code of what is signed; whoever signs finishes it, whoever verifies compares it.
pub(crate) fn signature(secret: &str, scope: &Scope, string_to_sign: &str) -> Hmac<Sha256> {
    hmac(&signing_key(secret, scope), string_to_sign)
}

/// Derives what signs for a scope.
pub(crate) fn signing_key(secret: &str, scope: &Scope) -> [u8; 32] {
    let mut key = hmac(format!("AWS4{secret}").as_bytes(), &scope.day).finalize().into_bytes();
    for part in [&*scope.region, &scope.service, TERMINATOR] {
        key = hmac(&key, part).finalize().into_bytes();
    }
    key.into()
}

pub(crate) fn hmac(key: &[u8], text: &str) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length").chain_update(text)
}

/// The hash of a body, as it stands in a canonical request.
pub(crate) fn payload_hash(body: &[u8]) -> String {
    hex(&Sha256::digest(body))
}

/// Lower hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |number: u8| char::from(DIGITS[usize::from(number)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Reads 64 lower hex digits.
pub(crate) fn unhex(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let text: &[u8; 64] = text.as_bytes().try_into().ok()?;
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}
