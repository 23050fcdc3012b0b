//! Our errors as AWS's exceptions: the one place where they are turned. Where AWS's text is known, clients see it.
//!
//! Sources: the service model for names, statuses and spellings; recorded answers for texts, read 2026-11.

use hearth_aws_wire::{BodyError, ErrorBody, MessageKey, Response, WireError};
use hearth_functions::{DeployError, FunctionsError, ResolveError};
use hearth_invoke::InvokeError;
use hearth_types::limits::{REQUEST_BYTES_MAX, SYNC_PAYLOAD_BYTES_MAX, UNZIPPED_BYTES_MAX, ZIP_BYTES_MAX};
use http::StatusCode;

/// An answer that is an error.
#[derive(Debug)]
pub(crate) struct ApiError(Box<WireError>);

impl ApiError {
    pub(crate) fn into_response(self) -> Response {
        self.0.into_response()
    }

    #[cfg(test)]
    pub(crate) fn error_type(&self) -> &'static str {
        self.0.error_type
    }

    #[cfg(test)]
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    fn new(
        status: StatusCode,
        error_type: &'static str,
        body: ErrorBody,
        key: MessageKey,
        message: impl Into<String>,
    ) -> Self {
        Self(Box::new(WireError { status, error_type, body, key, message: message.into(), more: Vec::new() }))
    }

    fn of_caller(status: StatusCode, error_type: &'static str, message: impl Into<String>) -> Self {
        Self::new(status, error_type, ErrorBody::User, MessageKey::Small, message)
    }

    fn of_framework(status: StatusCode, error_type: &'static str, message: impl Into<String>) -> Self {
        Self::new(status, error_type, ErrorBody::Framework, MessageKey::Small, message)
    }

    /// 400: a constraint of the model is broken.
    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::of_framework(StatusCode::BAD_REQUEST, "ValidationException", message)
    }

    /// 400: the body is not what the model describes.
    pub(crate) fn serialization(message: impl Into<String>) -> Self {
        Self::of_framework(StatusCode::BAD_REQUEST, "SerializationException", message)
    }

    /// 400: a rule of the service is broken.
    pub(crate) fn invalid_parameter(message: impl Into<String>) -> Self {
        Self::of_caller(StatusCode::BAD_REQUEST, "InvalidParameterValueException", message)
    }

    /// 400: the payload of an invocation is not JSON.
    pub(crate) fn invalid_request_content(message: impl Into<String>) -> Self {
        Self::of_caller(StatusCode::BAD_REQUEST, "InvalidRequestContentException", message)
    }

    /// 404: with AWS's capital `Message`.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        let error_type = "ResourceNotFoundException";
        Self::new(StatusCode::NOT_FOUND, error_type, ErrorBody::User, MessageKey::Capital, message)
    }

    /// 403: another account.
    pub(crate) fn access_denied(message: impl Into<String>) -> Self {
        let error_type = "AccessDeniedException";
        Self::new(StatusCode::FORBIDDEN, error_type, ErrorBody::Framework, MessageKey::Capital, message)
    }

    /// 404: no operation is at that path.
    pub(crate) fn unknown_operation() -> Self {
        let message = "There is no operation of AWS Lambda at this path";
        Self::of_framework(StatusCode::NOT_FOUND, "UnknownOperationException", message)
    }

    /// 405: there is one, but with another method.
    pub(crate) fn method_not_allowed() -> Self {
        let message = "The operation at this path has another method";
        Self::of_framework(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowedException", message)
    }

    /// 501: AWS has that, Hearth has not. SDKs do not retry a 501.
    pub(crate) fn not_implemented(what: &str) -> Self {
        let message = format!("Hearth does not implement {what} yet");
        Self::of_framework(StatusCode::NOT_IMPLEMENTED, "NotImplementedException", message)
    }

    /// 413: a request to the control plane.
    pub(crate) fn request_too_large(operation: &str) -> Self {
        let message =
            format!("Request must be smaller than {REQUEST_BYTES_MAX} bytes for the {operation} operation");
        Self::of_framework(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLargeException", message)
    }

    /// 413: an inline package.
    pub(crate) fn zip_too_large() -> Self {
        let message = format!("Zipped size must be smaller than {ZIP_BYTES_MAX} bytes");
        Self::of_framework(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLargeException", message)
    }

    /// 413: the payload of an invocation.
    pub(crate) fn payload_too_large(bytes: u64) -> Self {
        let message = format!(
            "{bytes} byte payload is too large for the RequestResponse invocation type (limit {SYNC_PAYLOAD_BYTES_MAX} bytes)"
        );
        Self::of_caller(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", message)
    }

    /// 400: the request was cut off.
    pub(crate) fn incomplete_body() -> Self {
        Self::serialization("The request body is not complete")
    }

    /// 500: our fault. What happened is in our log, not in the answer.
    pub(crate) fn service(error: &dyn std::error::Error) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        tracing::error!(error = text, "a request failed");
        let message = "The AWS Lambda service encountered an internal error.";
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, "ServiceException", ErrorBody::Service, MessageKey::Capital, message)
    }

    /// Reading the body of a control-plane request failed.
    pub(crate) fn of_body(error: &BodyError, operation: &str) -> Self {
        match error {
            BodyError::TooLong { .. } => Self::request_too_large(operation),
            BodyError::Incomplete(_) => Self::incomplete_body(),
        }
    }
}

impl From<FunctionsError> for ApiError {
    fn from(error: FunctionsError) -> Self {
        match error {
            FunctionsError::NotFound { arn } => Self::not_found(format!("Function not found: {arn}")),
            FunctionsError::AlreadyExists { name } => Self::of_caller(
                StatusCode::CONFLICT,
                "ResourceConflictException",
                format!("Function already exist: {name}"),
            ),
            FunctionsError::UpdateInProgress { arn } => Self::of_caller(
                StatusCode::CONFLICT,
                "ResourceConflictException",
                format!(
                    "The operation cannot be performed at this time. An update is in progress for resource: {arn}"
                ),
            ),
            FunctionsError::RevisionMismatch => Self::of_caller(
                StatusCode::PRECONDITION_FAILED,
                "PreconditionFailedException",
                "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to \
                 retrieve the latest Revision Id",
            ),
            FunctionsError::Deploy(DeployError::Unpack { reason }) => {
                tracing::info!(reason, "a package was refused");
                Self::invalid_parameter(
                    "Could not unzip uploaded file. Please check your file, then try to upload again.",
                )
            }
            FunctionsError::Deploy(DeployError::UnzippedTooLarge) => Self::invalid_parameter(format!(
                "Unzipped size must be smaller than {UNZIPPED_BYTES_MAX} bytes"
            )),
            FunctionsError::Deploy(error @ (DeployError::Missing | DeployError::Service(_))) => {
                Self::service(&error)
            }
            FunctionsError::Store(error) => Self::service(&error),
        }
    }
}

impl From<ResolveError> for ApiError {
    fn from(error: ResolveError) -> Self {
        let conflict =
            |message: String| Self::of_caller(StatusCode::CONFLICT, "ResourceConflictException", message);
        match error {
            ResolveError::NotFound { arn } => Self::not_found(format!("Function not found: {arn}")),
            ResolveError::Pending { .. } => conflict(
                "The operation cannot be performed at this time. The function is currently in the following state: \
                 Pending"
                    .to_owned(),
            ),
            ResolveError::Failed { reason, .. } => conflict(format!(
                "The operation cannot be performed at this time. The function is currently in the following state: \
                 Failed ({reason})"
            )),
        }
    }
}

impl From<InvokeError> for ApiError {
    fn from(error: InvokeError) -> Self {
        match error {
            InvokeError::Resolve(error) => error.into(),
            InvokeError::Throttled { reason } => {
                let status = StatusCode::TOO_MANY_REQUESTS;
                let mut throttled = Self::of_caller(status, "TooManyRequestsException", "Rate Exceeded.");
                throttled.0.more.push(("Reason", reason.to_string()));
                throttled
            }
            InvokeError::Draining => Self::of_framework(
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceUnavailableException",
                "The server is stopping",
            ),
            error @ InvokeError::Service(_) => Self::service(&error),
        }
    }
}
