//! Raw bytes on a connection to the API: request lines, heads, bodies, percent-encoding, and what clients sign with.
//!
//! Every connection ends, and every answer is a success or one of AWS's errors that blames the caller.

use hearth_aws_wire::{CredentialScope, decode, path_segments, query_pairs};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

use super::on_tokio;
use super::world::{Closes, World};

/// Runs one input.
pub fn run(data: &[u8]) {
    parts(data);
    on_tokio(async {
        let world = World::with_function().await;
        for answer in world.exchange(data, Closes::Client).await {
            answer.check();
        }
    });
}

/// The small parsers by themselves: few requests come as far as each of them.
fn parts(data: &[u8]) {
    let line = data.split(|&byte| byte == b'\n').next().unwrap_or_default();
    if let Ok(value) = HeaderValue::from_bytes(line) {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
        if let Some(scope) = CredentialScope::of(&headers) {
            assert!(![scope.access_key_id, scope.region, scope.service].contains(&""), "{scope:?}");
            assert!(!scope.region.contains('/') && !scope.service.contains('/'), "{scope:?}");
        }
    }
    if let Ok(text) = std::str::from_utf8(line) {
        let segments: Vec<&str> = path_segments(text).collect();
        assert!(segments.iter().all(|segment| !segment.contains('/')), "{segments:?}");
        assert!(segments.join("/").len() <= text.len());
        for (key, value) in query_pairs(text) {
            assert!(key.len() + value.len() <= text.len(), "decoding makes nothing longer");
        }
        if !text.contains('%') {
            assert_eq!(decode(text).as_deref(), Some(text));
        }
    }
}
