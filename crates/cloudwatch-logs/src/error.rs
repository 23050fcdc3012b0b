//! Our errors as those of CloudWatch Logs: the one place where they are turned. Where AWS's text is known, clients see it.
//!
//! Sources: the service model for names; recorded answers for texts, read 2026-11.

use std::error::Error;

use hearth_aws_wire::{Body, BodyError, ERROR_TYPE, Response};
use hearth_telemetry::LogStoreError;
use http::StatusCode;
use http::header::HeaderValue;
use serde_json::{Value, json};

/// An answer that is an error. All that is the caller's fault is a 400, what is not found too.
#[derive(Debug)]
pub(crate) struct LogsError {
    status: StatusCode,
    error_type: &'static str,
    message: String,
    /// A member besides the message.
    detail: Option<(&'static str, Value)>,
}

impl LogsError {
    pub(crate) fn into_response(self) -> Response {
        let mut body = json!({ "__type": self.error_type, "message": self.message });
        if let Some((name, value)) = self.detail {
            body[name] = value;
        }
        let mut response = http::Response::new(Body::from(body.to_string()));
        *response.status_mut() = self.status;
        response.headers_mut().insert(ERROR_TYPE, HeaderValue::from_static(self.error_type));
        response
    }

    fn of_caller(error_type: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error_type, message: message.into(), detail: None }
    }

    /// A constraint of the model, or a rule of the service, is broken.
    pub(crate) fn invalid_parameter(message: impl Into<String>) -> Self {
        Self::of_caller("InvalidParameterException", message)
    }

    /// A rule of the service that has another exception.
    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::of_caller("ValidationException", message)
    }

    /// The body is not what the model describes.
    pub(crate) fn serialization(message: impl Into<String>) -> Self {
        Self::of_caller("SerializationException", message)
    }

    /// A token that we have not handed out, or too long ago.
    pub(crate) fn next_token() -> Self {
        Self::invalid_parameter("The specified nextToken is invalid.")
    }

    pub(crate) fn group_not_found() -> Self {
        Self::of_caller("ResourceNotFoundException", "The specified log group does not exist.")
    }

    pub(crate) fn stream_not_found() -> Self {
        Self::of_caller("ResourceNotFoundException", "The specified log stream does not exist.")
    }

    pub(crate) fn too_many_tags() -> Self {
        Self::of_caller("TooManyTagsException", "A resource can have no more than 50 tags")
    }

    /// Something of which there is nothing else to say is not there.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::of_caller("ResourceNotFoundException", message)
    }

    /// There is as much of something as there may be.
    pub(crate) fn limit_exceeded(message: impl Into<String>) -> Self {
        Self::of_caller("LimitExceededException", message)
    }

    /// A query is none: from which character to which, and why.
    pub(crate) fn malformed_query(message: &str, start: usize, end: usize) -> Self {
        let location = json!({ "startCharOffset": start, "endCharOffset": end });
        let compile_error = json!({ "location": location, "message": message });
        Self {
            detail: Some(("queryCompileError", compile_error)),
            ..Self::of_caller("MalformedQueryException", message)
        }
    }

    /// No operation of the service has that name.
    pub(crate) fn unknown_operation(name: &str) -> Self {
        let message = format!("CloudWatch Logs has no operation {name}");
        Self::of_caller("UnknownOperationException", message)
    }

    /// 501: AWS has that, Hearth has not. SDKs do not retry a 501.
    pub(crate) fn not_implemented(what: &str) -> Self {
        let message = format!("Hearth does not implement {what} yet");
        Self {
            status: StatusCode::NOT_IMPLEMENTED,
            error_type: "NotImplementedException",
            message,
            detail: None,
        }
    }

    /// 503: events could not be taken.
    pub(crate) fn unavailable() -> Self {
        let message = "The service cannot complete the request.".to_owned();
        let error_type = "ServiceUnavailableException";
        Self { status: StatusCode::SERVICE_UNAVAILABLE, error_type, message, detail: None }
    }

    /// 500: our fault. What happened is in our log, not in the answer.
    pub(crate) fn service(error: &dyn Error) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        tracing::error!(error = text, "a request for logs failed");
        let message = "The service encountered an internal error.".to_owned();
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            error_type: "InternalFailure",
            message,
            detail: None,
        }
    }

    /// Reading the body failed.
    pub(crate) fn of_body(error: &BodyError) -> Self {
        match error {
            BodyError::TooLong { .. } => Self {
                status: StatusCode::PAYLOAD_TOO_LARGE,
                error_type: "RequestEntityTooLargeException",
                message: format!("Request must be smaller than {} bytes", crate::REQUEST_BYTES_MAX),
                detail: None,
            },
            BodyError::Incomplete(_) => Self::serialization("The request body is not complete"),
            BodyError::TooSlow => Self {
                status: StatusCode::REQUEST_TIMEOUT,
                error_type: "RequestTimeoutException",
                message: "The request body did not arrive in time".to_owned(),
                detail: None,
            },
        }
    }
}

impl From<LogStoreError> for LogsError {
    fn from(error: LogStoreError) -> Self {
        match error {
            LogStoreError::GroupNotFound => Self::group_not_found(),
            LogStoreError::StreamNotFound => Self::stream_not_found(),
            LogStoreError::GroupExists => {
                Self::of_caller("ResourceAlreadyExistsException", "The specified log group already exists")
            }
            LogStoreError::StreamExists => {
                Self::of_caller("ResourceAlreadyExistsException", "The specified log stream already exists")
            }
            LogStoreError::TooMany => Self::limit_exceeded("Resource limit exceeded."),
            LogStoreError::Protected => {
                Self::validation("The log group is protected: switch its deletion protection off first")
            }
            LogStoreError::Cursor(_) => Self::next_token(),
            LogStoreError::Closed => Self::unavailable(),
            error @ LogStoreError::Io { .. } => Self::service(&error),
        }
    }
}
