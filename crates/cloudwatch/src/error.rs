//! Our errors as CloudWatch's: names in the query protocol, which SDKs show in all protocols, and in the model.
//!
//! Sources: the service model for names; recorded answers for texts, read 2026-11.

use std::error::Error;

use hearth_aws_wire::BodyError;
use http::StatusCode;

use crate::store::MetricsError;

/// An answer that is an error.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    /// Its name in the query protocol.
    pub(crate) code: String,
    /// Its name in the model.
    pub(crate) shape: String,
    pub(crate) message: String,
}

impl ApiError {
    fn of_caller(code: &str, shape: &str, message: impl Into<String>) -> Self {
        let (code, shape) = (code.to_owned(), shape.to_owned());
        Self { status: StatusCode::BAD_REQUEST, code, shape, message: message.into() }
    }

    /// An error that was made elsewhere, and has one name.
    pub(crate) fn other(status: StatusCode, code: &str, message: &str) -> Self {
        let message = message.to_owned();
        Self { status, code: code.to_owned(), shape: code.to_owned(), message }
    }

    pub(crate) fn invalid_value(message: impl Into<String>) -> Self {
        Self::of_caller("InvalidParameterValue", "InvalidParameterValueException", message)
    }

    pub(crate) fn invalid_combination(message: impl Into<String>) -> Self {
        Self::of_caller("InvalidParameterCombination", "InvalidParameterCombinationException", message)
    }

    pub(crate) fn missing(parameter: &str) -> Self {
        let message = format!("The parameter {parameter} is required.");
        Self::of_caller("MissingParameter", "MissingRequiredParameterException", message)
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::of_caller("ValidationError", "ValidationException", message)
    }

    pub(crate) fn next_token() -> Self {
        let message = "The next token is not valid for this request";
        Self::of_caller("InvalidNextToken", "InvalidNextToken", message)
    }

    /// The body is not what the protocol or the model describes.
    pub(crate) fn serialization(message: impl Into<String>) -> Self {
        Self::of_caller("MalformedInput", "SerializationException", message)
    }

    /// No operation of the service has that name.
    pub(crate) fn unknown_operation(name: &str) -> Self {
        let message = format!("CloudWatch has no operation {name}");
        Self::of_caller("InvalidAction", "UnknownOperationException", message)
    }

    /// 501: AWS has that, Hearth has not. SDKs do not retry a 501.
    pub(crate) fn not_implemented(what: &str) -> Self {
        let message = format!("Hearth does not implement {what} yet");
        Self::other(StatusCode::NOT_IMPLEMENTED, "NotImplementedException", &message)
    }

    /// 500: our fault. What happened is in our log, not in the answer.
    pub(crate) fn service(error: &(dyn Error + 'static)) -> Self {
        tracing::error!(error, "a request for metrics failed");
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            code: "InternalServiceError".to_owned(),
            shape: "InternalServiceFault".to_owned(),
            message: "The service encountered an internal error.".to_owned(),
        }
    }

    /// Reading the body failed.
    pub(crate) fn of_body(error: &BodyError, bytes_max: usize) -> Self {
        match error {
            BodyError::TooLong { .. } => {
                let message = format!("Request must be smaller than {bytes_max} bytes");
                Self::other(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &message)
            }
            BodyError::Incomplete(_) => Self::serialization("The request body is not complete"),
            BodyError::TooSlow => {
                let message = "The request body did not arrive in time";
                Self::other(StatusCode::REQUEST_TIMEOUT, "RequestTimeout", message)
            }
        }
    }
}

impl From<MetricsError> for ApiError {
    fn from(error: MetricsError) -> Self {
        Self::service(&error)
    }
}
