//! Signing a request, as clients do: for Hearth's own command line, and for tests.

use hmac::Mac as _;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use crate::canonical::{self, ALGORITHM, Scope, TERMINATOR};
use crate::time;

/// A request that is to be signed. Every one of its headers will be; `host` has to be there.
#[derive(Debug)]
pub struct ToSign<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its path and query.
    pub uri: &'a Uri,
    /// Its headers; date and token are added.
    pub headers: &'a mut HeaderMap,
    /// Its body.
    pub body: &'a [u8],
}

/// Signs a request: sets its `X-Amz-Date`, `X-Amz-Security-Token` and `Authorization`.
pub fn authorization(
    request: ToSign<'_>,
    (access_key_id, secret, token): (&str, &str, Option<&str>),
    (region, service): (&str, &str),
    now_epoch_ms: i64,
) {
    let ToSign { method, uri, headers, body } = request;
    let date = time::format(now_epoch_ms);
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("x-amz-date", &date);
    if let Some(token) = token {
        set("x-amz-security-token", token);
    }
    let mut signed: Vec<HeaderName> = headers.keys().cloned().collect();
    signed.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    let list = signed.iter().map(HeaderName::as_str).collect::<Vec<_>>().join(";");
    let path = if service == "s3" { canonical::path_of_s3(uri.path()) } else { canonical::path(uri.path()) };
    let mut canonical =
        format!("{method}\n{path}\n{}\n", canonical::query(uri.query().unwrap_or(""), None)).into_bytes();
    canonical.extend(canonical::headers(headers, &signed).unwrap_or_default());
    canonical.extend_from_slice(format!("\n{list}\n").as_bytes());
    let scope = Scope { day: date[..8].to_owned(), region: region.to_owned(), service: service.to_owned() };
    let to_sign = canonical::string_to_sign(&canonical, &canonical::payload_hash(body), &date, &scope);
    let signature = canonical::signature(secret, &scope, &to_sign).finalize().into_bytes();
    let authorization = format!(
        "{ALGORITHM} Credential={access_key_id}/{}/{region}/{service}/{TERMINATOR}, SignedHeaders={list}, Signature={}",
        scope.day,
        canonical::hex(&signature)
    );
    if let Ok(value) = HeaderValue::from_str(&authorization) {
        headers.insert(http::header::AUTHORIZATION, value);
    }
}
