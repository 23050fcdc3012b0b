//! Errors as EventBridge Scheduler tells them. Source: "Errors" of each operation in its API reference, read 2026-11.

use hearth_aws_wire::{BodyError, ErrorBody, MessageKey, Response, WireError};
use hearth_store::StoreError;
use http::StatusCode;

/// Why an operation is refused.
#[derive(Debug)]
pub(crate) enum ScheduleError {
    /// The caller's fault: status, exception, text.
    Caller(StatusCode, &'static str, String),
    /// Ours. The detail is in our log.
    Failed,
}

impl ScheduleError {
    /// 400: a member is missing or wrong.
    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::Caller(StatusCode::BAD_REQUEST, "ValidationException", message.into())
    }

    /// 400: a member breaks a constraint.
    pub(crate) fn constraint(value: &str, member: &str, constraint: &str) -> Self {
        let value: String = value.chars().filter(|c| !c.is_control()).take(256).collect();
        Self::validation(format!(
            "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
        ))
    }

    /// 400: a member is missing.
    pub(crate) fn missing(member: &str) -> Self {
        Self::validation(format!(
            "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
        ))
    }

    /// 400: a member that Hearth cannot honour.
    pub(crate) fn unsupported(member: &str) -> Self {
        Self::validation(format!("{member} is not supported by Hearth yet"))
    }

    /// 404.
    pub(crate) fn not_found(what: &str, name: &str) -> Self {
        let message = format!("{what} {name} does not exist.");
        Self::Caller(StatusCode::NOT_FOUND, "ResourceNotFoundException", message)
    }

    /// 409: the name is taken.
    pub(crate) fn exists(what: &str, name: &str) -> Self {
        let message = format!("{what} {name} already exists.");
        Self::Caller(StatusCode::CONFLICT, "ConflictException", message)
    }

    /// 402.
    pub(crate) fn too_many(what: &str, most: usize) -> Self {
        let message = format!("There are {most} {what} already, which is the most.");
        Self::Caller(StatusCode::PAYMENT_REQUIRED, "ServiceQuotaExceededException", message)
    }

    /// 501.
    pub(crate) fn not_implemented(what: &str) -> Self {
        let message = format!("Hearth does not implement {what} of EventBridge Scheduler yet");
        Self::Caller(StatusCode::NOT_IMPLEMENTED, "NotImplementedException", message)
    }

    pub(crate) fn of_body(error: &BodyError) -> Self {
        match error {
            BodyError::TooLong { .. } => Self::validation("The request is too long."),
            BodyError::Incomplete(_) => Self::validation("The request is not complete."),
            BodyError::TooSlow => {
                let message = "The request took too long.".to_owned();
                Self::Caller(StatusCode::REQUEST_TIMEOUT, "RequestTimeoutException", message)
            }
        }
    }

    /// 500, with a line in our log.
    pub(crate) fn store(error: &StoreError) -> Self {
        tracing::error!(error = error as &dyn std::error::Error, "a schedule could not be kept");
        Self::Failed
    }

    pub(crate) fn into_response(self) -> Response {
        let (status, error_type, body, message) = match self {
            Self::Caller(status, error_type, message) => (status, error_type, ErrorBody::User, message),
            Self::Failed => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalServerException",
                ErrorBody::Service,
                "An internal error occurred.".to_owned(),
            ),
        };
        WireError { status, error_type, body, key: MessageKey::Capital, message, more: vec![] }
            .into_response()
    }
}
