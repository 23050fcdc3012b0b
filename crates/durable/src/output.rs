//! What an invocation of a durable function returns: how its execution goes on.

use hearth_store::ErrorObject;
use serde::Deserialize;

/// How an execution goes on after an invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// It waits for an operation.
    Pending,
    /// It has returned: JSON, or nothing when that was said at a checkpoint.
    Succeeded(Option<String>),
    /// It has failed.
    Failed(ErrorObject),
    /// The function did not say what a durable function says.
    Invalid(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wire {
    status: Option<String>,
    result: Option<String>,
    error: Option<ErrorObject>,
}

impl Output {
    /// Reads what a function returned.
    pub fn read(payload: &[u8]) -> Self {
        let Wire { status, result, error } = match serde_json::from_slice(payload) {
            Ok(wire) => wire,
            Err(error) => return Self::Invalid(format!("Invalid invocation output: {error}")),
        };
        match status.as_deref() {
            Some("PENDING") => Self::Pending,
            Some("SUCCEEDED") if error.is_some() => {
                Self::Invalid("Cannot provide an Error for SUCCEEDED status.".to_owned())
            }
            Some("SUCCEEDED") => Self::Succeeded(result),
            Some("FAILED") if result.is_some() => {
                Self::Invalid("Cannot provide a Result for FAILED status.".to_owned())
            }
            Some("FAILED") => Self::Failed(error.unwrap_or_default()),
            Some(other) => Self::Invalid(format!("Invalid invocation output: unknown status {other}")),
            None => Self::Invalid("Response status is required".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_durable_functions_return_is_read_and_nothing_else() {
        let read = |text: &str| Output::read(text.as_bytes());
        assert_eq!(read(r#"{"Status":"PENDING"}"#), Output::Pending);
        assert_eq!(read(r#"{"Status":"SUCCEEDED","Result":"1"}"#), Output::Succeeded(Some("1".to_owned())));
        assert_eq!(read(r#"{"Status":"SUCCEEDED"}"#), Output::Succeeded(None));
        let error = ErrorObject { error_type: Some("E".to_owned()), ..ErrorObject::default() };
        assert_eq!(read(r#"{"Status":"FAILED","Error":{"ErrorType":"E"}}"#), Output::Failed(error));
        for odd in [
            "null",
            "3",
            "{}",
            "{\"Status\":\"DONE\"}",
            "",
            r#"{"Status":"FAILED","Result":"1"}"#,
            r#"{"Status":"SUCCEEDED","Error":{}}"#,
        ] {
            assert!(matches!(read(odd), Output::Invalid(_)), "{odd}");
        }
    }
}
