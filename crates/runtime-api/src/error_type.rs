//! Error types and reports as runtimes send them, made safe for logs and callers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;

const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
const ERROR_BODY: &str = "lambda-runtime-function-error-body";
/// A body with what X-Ray wants to know besides the error.
const WITH_CAUSE: &[u8] = b"application/vnd.aws.lambda.error.cause+json";
/// Longest type that is kept. Ours: the type stands in log lines.
const ERROR_TYPE_BYTES_MAX: usize = 256;

/// Reads the header with the error type.
pub(crate) fn of(headers: &HeaderMap) -> String {
    sanitise(headers.get(ERROR_TYPE).and_then(|value| value.to_str().ok()).unwrap_or(""))
}

/// Keeps a type that has `Runtime.Xyz` or `Function.Xyz` in it. Source: AWS's open runtime interface emulator, 2026-11.
fn sanitise(value: &str) -> String {
    if value.len() <= ERROR_TYPE_BYTES_MAX && has_named_type(value) {
        return value.to_owned();
    }
    if value.starts_with("Function.") { "Function.Unknown" } else { "Runtime.Unknown" }.to_owned()
}

/// Whether `(Runtime|Function)\.[A-Z][a-zA-Z]+` is found in it.
fn has_named_type(value: &str) -> bool {
    ["Runtime.", "Function."].iter().any(|prefix| {
        value.match_indices(prefix).any(|(at, _)| {
            let name = &value.as_bytes()[at + prefix.len()..];
            matches!(name, [first, second, ..] if first.is_ascii_uppercase() && second.is_ascii_alphabetic())
        })
    })
}

/// Reads the error that a streamed response ended with, if it did.
pub(crate) fn of_trailers(trailers: &HeaderMap) -> Option<(String, Bytes)> {
    trailers.get(ERROR_TYPE)?;
    let body = trailers.get(ERROR_BODY).and_then(|value| STANDARD.decode(value.as_bytes()).ok());
    let error_type = of(trailers);
    let payload = match body {
        Some(body) => Bytes::from(body),
        None => payload_of_unreadable_report(&error_type),
    };
    Some((error_type, payload))
}

/// Whether the body has an `errorCause` that is not for the caller.
pub(crate) fn has_cause(headers: &HeaderMap) -> bool {
    headers.get(http::header::CONTENT_TYPE).is_some_and(|value| value.as_bytes() == WITH_CAUSE)
}

/// Removes `errorCause` from a report.
pub(crate) fn without_cause(payload: &Bytes) -> Bytes {
    match serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(payload) {
        Ok(mut report) => {
            report.remove("errorCause");
            Bytes::from(serde_json::Value::Object(report).to_string())
        }
        Err(_) => Bytes::from_static(b"\"Invalid error body\""),
    }
}

/// Returns what the caller gets when a report cannot be handed on.
pub(crate) fn payload_of_unreadable_report(error_type: &str) -> Bytes {
    let report = serde_json::json!({
        "errorType": error_type,
        "errorMessage": "The function reported an error that is too large or cannot be read",
    });
    Bytes::from(report.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_types_are_kept() {
        for kept in ["Runtime.ImportModuleError", "Function.ResponseSizeTooLarge", "x Runtime.Ab y"] {
            assert_eq!(sanitise(kept), kept);
        }
        assert_eq!(sanitise("Function.x"), "Function.Unknown");
        for unknown in ["", "unhandled", "Runtime.", "Runtime.A", "Runtime.aB", &"Runtime.Ab".repeat(100)] {
            assert_eq!(sanitise(unknown), "Runtime.Unknown", "{unknown}");
        }
    }

    #[test]
    fn the_cause_for_x_ray_is_not_for_the_caller() {
        let report =
            Bytes::from_static(br#"{"errorMessage":"m","errorCause":{"exceptions":[]},"errorType":"T"}"#);
        let left: serde_json::Value = serde_json::from_slice(&without_cause(&report)).unwrap();
        assert_eq!(left, serde_json::json!({ "errorMessage": "m", "errorType": "T" }));
        assert_eq!(without_cause(&Bytes::from_static(b"no")), "\"Invalid error body\"");
    }
}
