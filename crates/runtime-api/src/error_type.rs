//! Error types and reports as runtimes send them, made safe for logs and callers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::Value;

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
    // Log lines have fields between tabs: a type with a tab would be two of them.
    if value.len() <= ERROR_TYPE_BYTES_MAX && !value.contains('\t') && has_named_type(value) {
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

/// Removes `errorCause` from a report: the caller gets the three members that AWS hands on, in AWS's order.
pub(crate) fn without_cause(payload: &Bytes) -> Bytes {
    match serde_json::from_slice::<Report>(payload) {
        Ok(report) => {
            let mut json = format!(
                "{{\"errorMessage\":{},\"errorType\":{}",
                Value::from(report.message.unwrap_or_default()),
                Value::from(report.error_type.unwrap_or_default())
            );
            if let Some(stack_trace) = report.stack_trace.filter(|lines| !lines.is_empty()) {
                json += &format!(",\"stackTrace\":{}", Value::from(stack_trace));
            }
            Bytes::from(escape_html(&(json + "}")))
        }
        Err(_) => Bytes::from_static(b"\"Invalid error body\""),
    }
}

/// A report as AWS reads it. Members that are missing are empty; any other type of a member is no report.
#[derive(Deserialize)]
struct Report {
    #[serde(rename = "errorMessage")]
    message: Option<String>,
    #[serde(rename = "errorType")]
    error_type: Option<String>,
    #[serde(rename = "stackTrace")]
    stack_trace: Option<Vec<String>>,
}

/// Escapes in JSON what Go's encoder escapes. Outside of strings none of it can occur.
fn escape_html(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                escaped.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            other => escaped.push(other),
        }
    }
    escaped
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
    fn a_type_cannot_add_fields_to_a_log_line() {
        assert_eq!(sanitise("Runtime.Ab\tStatus: success"), "Runtime.Unknown");
        assert_eq!(sanitise("Function.Ab\tStatus: success"), "Function.Unknown");
    }

    #[test]
    fn the_cause_for_x_ray_is_not_for_the_caller() {
        let of = |report: &str| {
            String::from_utf8(without_cause(&Bytes::copy_from_slice(report.as_bytes())).to_vec()).unwrap()
        };
        assert_eq!(
            of(
                r#"{"stackTrace":["<b>"],"errorCause":{"exceptions":[]},"errorType":"T","errorMessage":"a & b","x":1}"#
            ),
            r#"{"errorMessage":"a \u0026 b","errorType":"T","stackTrace":["\u003cb\u003e"]}"#
        );
        assert_eq!(of("{}"), r#"{"errorMessage":"","errorType":""}"#);
        for no_report in ["no", "", "[]", r#"{"errorMessage":1}"#, r#"{"stackTrace":[{"line":1}]}"#] {
            assert_eq!(of(no_report), "\"Invalid error body\"", "{no_report}");
        }
    }
}
