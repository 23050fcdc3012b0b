//! The claim of a request to come from somebody: a SigV4 signature in its `Authorization` header, or in its query.
//!
//! Order: what the signature says of itself, whether the key is known, whether it is for this service, region and time.
//! All of that needs only the head. The signature itself covers the body, and is compared when that is there.

use std::sync::Arc;

use hearth_aws_wire::{CredentialScope, query_pairs};
use hearth_types::Region;
use hmac::Mac as _;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, HeaderName, Method, Uri};
use jiff::fmt::rfc2822;

use crate::canonical::{self, ALGORITHM, Scope, TERMINATOR, UNSIGNED_PAYLOAD};
use crate::chunks::{ChunkSigner, SIGNED_CHUNKS, SignedPayload, UNSIGNED_CHUNKS};
use crate::credential::{Credential, Credentials};
use crate::refusal::Refusal;
use crate::time;

const AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
/// The parameter of a presigned URL that its signature cannot cover.
const QUERY_SIGNATURE: &str = "X-Amz-Signature";

/// How far a request's time may be from ours, both ways. Source: "Signature expired" in AWS's answers, read 2026-11.
const WINDOW_MS: i64 = 5 * 60_000;
/// How long a presigned URL may be good for, in seconds. Source: "X-Amz-Expires" in the IAM User Guide, read 2026-11.
const EXPIRES_SECONDS_MAX: i64 = 604_800;
/// The service that signs paths and bodies in ways of its own.
const S3: &str = "s3";
/// More than any client signs; each costs a look through the headers.
const SIGNED_HEADERS_MAX: usize = 100;

/// What a signature has to be made for.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The service that is asked, such as `lambda`.
    pub service: &'a str,
    /// The regions that it answers for.
    pub regions: &'a [&'a Region],
    /// Now, in milliseconds since 1970.
    pub now_epoch_ms: i64,
}

/// Who a request claims to be from.
#[derive(Debug)]
pub struct Claim {
    credential: Arc<Credential>,
    /// The canonical request as far as the hash of the body.
    canonical: Vec<u8>,
    payload: Payload,
    date: String,
    scope: Scope,
    signature: [u8; 32],
    is_in_query: bool,
}

/// What the head says of the body.
#[derive(Debug)]
enum Payload {
    /// Nothing: its hash is in the signature.
    Signed,
    /// Its hash.
    Announced([u8; 32]),
    /// That it is not signed.
    Unsigned,
    /// That it comes in chunks, which carry signatures of their own or none: S3 alone.
    Chunks(&'static str),
}

/// The parts of a signature, wherever they stood.
struct Parts {
    credential: String,
    signed_headers: String,
    signature: String,
    date: String,
    token: Option<String>,
    /// In seconds; only in a query.
    expires: Option<i64>,
}

impl Claim {
    /// Reads the head of a request, and checks all that can be told without its body.
    pub fn of(
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        expected: &Expected<'_>,
        credentials: &dyn Credentials,
    ) -> Result<Self, Refusal> {
        let parts = if headers.contains_key(AUTHORIZATION) {
            Parts::of_headers(headers)?
        } else {
            Parts::of_query(uri.query().unwrap_or(""))?
        };
        let is_in_query = parts.expires.is_some();
        let scope = CredentialScope::parse(&parts.credential).ok_or_else(|| {
            Refusal::incomplete(format!("Credential must be KEY/DATE/REGION/SERVICE/{TERMINATOR}"))
        })?;
        let signature = canonical::unhex(&parts.signature).ok_or_else(Refusal::mismatch)?;
        let signed = signed_headers(&parts.signed_headers)?;
        let date_ms = time::parse(&parts.date)
            .ok_or_else(|| Refusal::incomplete("Date must be in ISO-8601 'basic format'"))?;

        let credential = credentials.find(scope.access_key_id).ok_or_else(Refusal::unknown_client)?;
        let is_token_right = match (&credential.session_token, &parts.token) {
            (None, None) => true,
            (Some(ours), Some(theirs)) => ours.is(theirs),
            (None, Some(_)) | (Some(_), None) => false,
        };
        if !is_token_right {
            return Err(Refusal::unknown_client());
        }
        if credential.expires_ms.is_some_and(|expires_ms| expires_ms <= expected.now_epoch_ms) {
            return Err(Refusal::expired_token());
        }
        check_scope(&scope, &parts.date, expected)?;
        check_time(date_ms, parts.expires, expected.now_epoch_ms)?;
        check_coverage(headers, &signed, is_in_query)?;

        let lines = canonical::headers(headers, &signed).map_err(|_| Refusal::mismatch())?;
        let query = uri.query().unwrap_or("");
        let mut canonical = format!(
            "{method}\n{}\n{}\n",
            if expected.service == S3 {
                canonical::path_of_s3(uri.path())
            } else {
                canonical::path(uri.path())
            },
            canonical::query(query, is_in_query.then_some(QUERY_SIGNATURE)),
        )
        .into_bytes();
        canonical.extend_from_slice(&lines);
        canonical.extend_from_slice(format!("\n{}\n", parts.signed_headers).as_bytes());
        let (day, region, service) = (scope.date.into(), scope.region.into(), scope.service.into());
        let scope = Scope { day, region, service };
        let payload = payload(headers, expected.service)?;
        Ok(Self { credential, canonical, payload, date: parts.date, scope, signature, is_in_query })
    }

    /// Proves the claim: returns the key that has signed this head and this body.
    pub fn verify(self, body: &[u8]) -> Result<Arc<Credential>, Refusal> {
        let hash = match self.payload {
            Payload::Unsigned => UNSIGNED_PAYLOAD.to_owned(),
            Payload::Chunks(_) => return Err(Refusal::mismatch()),
            Payload::Signed | Payload::Announced(_) => canonical::payload_hash(body),
        };
        // What was announced is part of the head that is signed, too; a body that is not the announced one is not signed.
        if matches!(&self.payload, Payload::Announced(announced) if canonical::hex(announced) != hash) {
            return Err(Refusal::mismatch());
        }
        self.compare(&hash)?;
        Ok(self.credential)
    }

    /// Proves the claim of a request to S3, whose signature says of the body only what the head does: returns the key that
    /// has signed the head, and what the body has to be compared with while it is read.
    pub fn verify_head(self) -> Result<(Arc<Credential>, SignedPayload), Refusal> {
        let (hash, payload) = match &self.payload {
            Payload::Unsigned => (UNSIGNED_PAYLOAD.to_owned(), SignedPayload::Unsigned),
            Payload::Announced(hash) => (canonical::hex(hash), SignedPayload::Hash(*hash)),
            Payload::Chunks(UNSIGNED_CHUNKS) => (UNSIGNED_CHUNKS.to_owned(), SignedPayload::Unsigned),
            Payload::Chunks(name) => {
                let secret = self.credential.secret_access_key.expose();
                let signer = ChunkSigner::new(secret, &self.scope, &self.date, &self.signature);
                ((*name).to_owned(), SignedPayload::Chunks(signer))
            }
            Payload::Signed if self.is_in_query => (UNSIGNED_PAYLOAD.to_owned(), SignedPayload::Unsigned),
            Payload::Signed => {
                return Err(Refusal::incomplete(
                    "Missing required header for this request: x-amz-content-sha256",
                ));
            }
        };
        self.compare(&hash)?;
        Ok((self.credential, payload))
    }

    fn compare(&self, hash: &str) -> Result<(), Refusal> {
        let to_sign = canonical::string_to_sign(&self.canonical, hash, &self.date, &self.scope);
        let ours = canonical::signature(self.credential.secret_access_key.expose(), &self.scope, &to_sign);
        // Takes the same time wherever the difference is.
        ours.verify_slice(&self.signature).map_err(|_| Refusal::mismatch())
    }
}

impl Parts {
    fn of_headers(headers: &HeaderMap) -> Result<Self, Refusal> {
        let text = |name: &HeaderName| {
            let mut values = headers.get_all(name).iter();
            let value = values.next()?.to_str().ok()?;
            values.next().is_none().then(|| value.to_owned())
        };
        let malformed = || Refusal::incomplete("Authorization header is not a SigV4 signature");
        let authorization = text(&AUTHORIZATION).ok_or_else(malformed)?;
        let parameters = authorization
            .strip_prefix(ALGORITHM)
            .filter(|rest| rest.starts_with([' ', '\t']))
            .ok_or_else(malformed)?;
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for parameter in parameters.split(',') {
            let (name, value) = parameter.trim().split_once('=').ok_or_else(malformed)?;
            let place = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => return Err(malformed()),
            };
            if place.replace(value.to_owned()).is_some() {
                return Err(malformed());
            }
        }
        let date = match headers.contains_key(AMZ_DATE) {
            true => text(&AMZ_DATE),
            false => text(&http::header::DATE).map(|date| in_basic_format(&date)),
        };
        let mut missing = String::new();
        for (name, is_missing) in [
            ("Credential", credential.is_none()),
            ("Signature", signature.is_none()),
            ("SignedHeaders", signed_headers.is_none()),
        ] {
            if is_missing {
                missing.push_str(&format!("Authorization header requires '{name}' parameter. "));
            }
        }
        if date.is_none() {
            missing.push_str(
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ",
            );
        }
        let (Some(credential), Some(signed_headers), Some(signature), Some(date)) =
            (credential, signed_headers, signature, date)
        else {
            return Err(Refusal::incomplete(missing.trim_end()));
        };
        let token = match headers.contains_key(SECURITY_TOKEN) {
            true => Some(text(&SECURITY_TOKEN).ok_or_else(Refusal::unknown_client)?),
            false => None,
        };
        Ok(Self { credential, signed_headers, signature, date, token, expires: None })
    }

    fn of_query(query: &str) -> Result<Self, Refusal> {
        if !query.contains("X-Amz-") {
            return Err(Refusal::missing_token());
        }
        let pairs = query_pairs(query);
        let one = |name: &str| {
            let mut values = pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value);
            match (values.next(), values.next()) {
                (Some(value), None) => Ok(Some(value.clone())),
                (None, _) => Ok(None),
                (Some(_), Some(_)) => {
                    Err(Refusal::incomplete(format!("AWS query-string parameter '{name}' is there twice")))
                }
            }
        };
        let [algorithm, credential, date, expires, signed_headers, signature] = [
            "X-Amz-Algorithm",
            "X-Amz-Credential",
            "X-Amz-Date",
            "X-Amz-Expires",
            "X-Amz-SignedHeaders",
            QUERY_SIGNATURE,
        ]
        .map(one);
        if let (None, None) = (
            algorithm.as_ref().ok().and_then(Option::as_ref),
            signature.as_ref().ok().and_then(Option::as_ref),
        ) && algorithm.is_ok()
            && signature.is_ok()
        {
            return Err(Refusal::missing_token());
        }
        let required = |name: &str, value: Result<Option<String>, Refusal>| {
            value?.ok_or_else(|| {
                Refusal::incomplete(format!("AWS query-string parameters must include '{name}'"))
            })
        };
        if required("X-Amz-Algorithm", algorithm)? != ALGORITHM {
            return Err(Refusal::incomplete(format!("X-Amz-Algorithm must be {ALGORITHM}")));
        }
        let expires = required("X-Amz-Expires", expires)?;
        let expires = expires.parse().ok().filter(|seconds| (1..=EXPIRES_SECONDS_MAX).contains(seconds));
        Ok(Self {
            credential: required("X-Amz-Credential", credential)?,
            signed_headers: required("X-Amz-SignedHeaders", signed_headers)?,
            signature: required(QUERY_SIGNATURE, signature)?,
            date: required("X-Amz-Date", date)?,
            token: one("X-Amz-Security-Token")?,
            expires: Some(expires.ok_or_else(|| {
                Refusal::incomplete(format!(
                    "X-Amz-Expires must be between 1 and {EXPIRES_SECONDS_MAX} seconds"
                ))
            })?),
        })
    }
}

/// The date of a `Date` header as it is signed; what cannot be read stays as it is, and is refused later.
fn in_basic_format(date: &str) -> String {
    let read = rfc2822::parse(date).map(|moment| time::format(moment.timestamp().as_millisecond()));
    read.unwrap_or_else(|_| date.to_owned())
}

fn signed_headers(list: &str) -> Result<Vec<HeaderName>, Refusal> {
    let malformed =
        || Refusal::incomplete("SignedHeaders must be names of headers in lower case and in order");
    let names: Vec<&str> = list.split(';').take(SIGNED_HEADERS_MAX + 1).collect();
    if names.len() > SIGNED_HEADERS_MAX || !names.is_sorted_by(|one, next| one < next) {
        return Err(malformed());
    }
    let name = |name: &str| {
        HeaderName::from_bytes(name.as_bytes())
            .ok()
            .filter(|read| read.as_str() == name)
            .ok_or_else(malformed)
    };
    names.into_iter().map(name).collect()
}

/// A signature is for one service in one region, on one day.
fn check_scope(scope: &CredentialScope<'_>, date: &str, expected: &Expected<'_>) -> Result<(), Refusal> {
    if scope.service != expected.service {
        let message = format!("Credential should be scoped to correct service: '{}'.", expected.service);
        return Err(Refusal::invalid(message));
    }
    if !expected.regions.iter().any(|region| region.as_str() == scope.region) {
        return Err(Refusal::invalid("Credential should be scoped to a valid region."));
    }
    let day = date.get(..8).unwrap_or_default();
    if scope.date != day {
        // Only what has been read as a date is repeated.
        let theirs: String = scope.date.chars().filter(char::is_ascii_digit).take(8).collect();
        return Err(Refusal::invalid(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{theirs}' != \
             '{day}', from '{date}'."
        )));
    }
    Ok(())
}

fn check_time(date_ms: i64, expires: Option<i64>, now_ms: i64) -> Result<(), Refusal> {
    let (date, now) = (time::format(date_ms), time::format(now_ms));
    // Times are told, and so compared, in whole seconds.
    let (date_s, now_s) = (date_ms.div_euclid(1_000), now_ms.div_euclid(1_000));
    if date_s > now_s + WINDOW_MS / 1_000 {
        let limit = time::format(now_ms + WINDOW_MS);
        return Err(Refusal::invalid(format!(
            "Signature not yet current: {date} is still later than {limit} ({now} + 5 min.)"
        )));
    }
    match expires {
        Some(seconds) if date_s + seconds < now_s => Err(Refusal::expired(format!(
            "Signature expired: {} is now earlier than {now}",
            time::format(date_ms + seconds * 1_000)
        ))),
        None if date_s < now_s - WINDOW_MS / 1_000 => {
            let limit = time::format(now_ms - WINDOW_MS);
            Err(Refusal::invalid(format!(
                "Signature expired: {date} is now earlier than {limit} ({now} - 5 min.)"
            )))
        }
        Some(_) | None => Ok(()),
    }
}

/// The host, and all that AWS's headers ask for, has to be signed: otherwise it could be changed on the way.
fn check_coverage(headers: &HeaderMap, signed: &[HeaderName], is_in_query: bool) -> Result<(), Refusal> {
    if !signed.contains(&HOST) {
        return Err(Refusal::invalid(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
        ));
    }
    // The token is compared anyway, and some clients add it when they have signed.
    let may_be_unsigned =
        |name: &HeaderName| *name == SECURITY_TOKEN && !is_in_query || !name.as_str().starts_with("x-amz-");
    match headers.keys().find(|name| !may_be_unsigned(name) && !signed.contains(name)) {
        None => Ok(()),
        Some(name) => {
            Err(Refusal::invalid(format!("'{name}' must be a 'SignedHeader' in the AWS Authorization.")))
        }
    }
}

fn payload(headers: &HeaderMap, service: &str) -> Result<Payload, Refusal> {
    let Some(value) = headers.get(CONTENT_SHA256) else { return Ok(Payload::Signed) };
    match value.to_str() {
        Ok(UNSIGNED_PAYLOAD) => Ok(Payload::Unsigned),
        Ok(name) if service == S3 && name.starts_with("STREAMING-") => {
            let known = SIGNED_CHUNKS.iter().chain([&UNSIGNED_CHUNKS]).find(|known| **known == name);
            known.map(|known| Payload::Chunks(known)).ok_or_else(Refusal::mismatch)
        }
        Ok(hash) => canonical::unhex(hash).map(Payload::Announced).ok_or_else(Refusal::mismatch),
        Err(_) => Err(Refusal::mismatch()),
    }
}

#[cfg(test)]
#[path = "claim_tests.rs"]
mod tests;
