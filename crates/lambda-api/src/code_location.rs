//! `Code.Location`: a URL that anybody who has it can GET for ten minutes, as a presigned URL of AWS.

use std::fmt::Write as _;
use std::sync::OnceLock;

use hearth_aws_wire::{Body, Response};
use hearth_functions::{DeployError, FunctionsError};
use hearth_types::{CodeSha256, RequestId};
use http::header::{CONTENT_TYPE, HOST, HeaderValue};
use http::{Request, StatusCode};
use sha2::{Digest as _, Sha256};

use crate::LambdaApi;
use crate::error::ApiError;

/// How long a location is good. Source: GetFunction in the Lambda API reference, read 2026-11.
const VALID_MS: i64 = 600_000;

/// What signs locations: random, of this process alone.
#[derive(Default)]
pub(crate) struct CodeLocations {
    key: OnceLock<[u8; 32]>,
}

impl CodeLocations {
    /// Two digests, one around the other, so that nobody can extend what was signed.
    fn sign(&self, sha256: &str, expires_ms: i64) -> String {
        let key = self.key.get_or_init(|| {
            // Version 4 UUIDs are 122 random bits each.
            let seed = format!("{}{}{}", RequestId::random(), RequestId::random(), RequestId::random());
            Sha256::digest(seed).into()
        });
        let inner = Sha256::new().chain_update(key).chain_update(format!("{sha256}.{expires_ms}")).finalize();
        let outer = Sha256::new().chain_update(key).chain_update(inner).finalize();
        outer.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// Makes a location for a package, on the host that the client has reached us by.
pub(crate) fn location<B>(api: &LambdaApi, request: &Request<B>, sha256: CodeSha256) -> String {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let sha256 = sha256.to_hex();
    let expires_ms = api.clock.epoch_ms() + VALID_MS;
    let signature = api.code_locations.sign(&sha256, expires_ms);
    format!("http://{host}/_hearth/code/{sha256}.{expires_ms}.{signature}")
}

/// Answers a GET of a location.
pub(crate) async fn answer(api: &LambdaApi, token: &str) -> Result<Response, ApiError> {
    let denied = || ApiError::access_denied("The location of the code is wrong or has expired");
    let parts: Vec<&str> = token.split('.').collect();
    let [sha256, expires, signature] = parts[..] else { return Err(denied()) };
    let expires_ms: i64 = expires.parse().map_err(|_| denied())?;
    let expected = api.code_locations.sign(sha256, expires_ms);
    if !is_same(expected.as_bytes(), signature.as_bytes()) || api.clock.epoch_ms() > expires_ms {
        return Err(denied());
    }
    let sha256 = from_hex(sha256).ok_or_else(denied)?;
    let zip = match api.functions.archive(sha256).await {
        // Its function was deleted or has other code by now.
        Err(FunctionsError::Deploy(DeployError::Missing)) => {
            return Err(ApiError::not_found("The package is not there any more"));
        }
        archive => archive?,
    };
    let mut response = http::Response::new(Body::new(zip));
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    Ok(response)
}

/// Compares in a time that does not tell how far the two agree: otherwise a signature could be found digit by digit.
fn is_same(expected: &[u8], given: &[u8]) -> bool {
    expected.len() == given.len()
        && expected.iter().zip(given).fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
}

fn from_hex(text: &str) -> Option<CodeSha256> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(CodeSha256(bytes))
}
