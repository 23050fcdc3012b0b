//! What can be told of a signature without knowing any key.

use hearth_auth::SignedPayload;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::error::S3Error;
use crate::request::Asked;

/// Refuses a presigned URL whose time is over: also where nobody has to be known, so that what works there works elsewhere.
pub(crate) fn check(asked: &Asked, now_ms: i64) -> Result<(), S3Error> {
    let expires_s = if let Some(seconds) = asked.query("X-Amz-Expires") {
        let begun =
            asked.query("X-Amz-Date").and_then(|date| DateTime::strptime("%Y%m%dT%H%M%SZ", date).ok());
        let begun = begun.and_then(|date| date.to_zoned(TimeZone::UTC).ok());
        begun
            .zip(seconds.parse::<i64>().ok())
            .map(|(begun, seconds)| begun.timestamp().as_second().saturating_add(seconds))
    } else if asked.has("AWSAccessKeyId") {
        asked.query("Expires").and_then(|seconds| seconds.parse().ok())
    } else {
        return Ok(());
    };
    match expires_s {
        Some(expires_s) if expires_s >= now_ms.div_euclid(1_000) => Ok(()),
        _ => Err(S3Error::new(403, "AccessDenied", "Request has expired")),
    }
}

/// Returns what the head says of its body.
pub(crate) fn claimed_payload(asked: &Asked) -> SignedPayload {
    let hash = asked.header("x-amz-content-sha256").filter(|hash| hash.len() == 64 && hash.is_ascii());
    let byte = |hash: &str, at: usize| u8::from_str_radix(&hash[2 * at..2 * at + 2], 16).ok();
    let hash = hash.and_then(|hash| (0..32).map(|at| byte(hash, at)).collect::<Option<Vec<u8>>>());
    match hash.and_then(|hash| hash.try_into().ok()) {
        Some(hash) => SignedPayload::Hash(hash),
        None => SignedPayload::Unsigned,
    }
}
