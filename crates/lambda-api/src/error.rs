//! Our errors as AWS's exceptions: the one place where they are turned. Where AWS's text is known, clients see it.
//!
//! [`ApiError`] has the exceptions; the modules below say which of them an error of ours is. Errors of one group of
//! operations alone are turned next to these.
//!
//! Sources: the service model for names, statuses and spellings; recorded answers for texts, read 2026-11.

mod concurrency;
mod durable;
mod functions;
mod invoke;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use hearth_aws_wire::{BodyError, ErrorBody, MessageKey, Response, WireError};
use hearth_types::limits::{REQUEST_BYTES_MAX, ZIP_BYTES_MAX};
use http::StatusCode;
use http::header::{ALLOW, HeaderValue};

/// An answer that is an error.
#[derive(Debug)]
pub(crate) struct ApiError {
    wire: Box<WireError>,
    /// The methods that a path has, when the request had another.
    allow: Option<HeaderValue>,
}

impl ApiError {
    pub(crate) fn into_response(self) -> Response {
        let mut response = self.wire.into_response();
        if let Some(allow) = self.allow {
            response.headers_mut().insert(ALLOW, allow);
        }
        response
    }

    #[cfg(test)]
    pub(crate) fn error_type(&self) -> &'static str {
        self.wire.error_type
    }

    #[cfg(test)]
    pub(crate) fn message(&self) -> &str {
        &self.wire.message
    }

    fn new(
        status: StatusCode,
        error_type: &'static str,
        body: ErrorBody,
        key: MessageKey,
        message: impl Into<String>,
    ) -> Self {
        let wire = WireError { status, error_type, body, key, message: message.into(), more: Vec::new() };
        Self { wire: Box::new(wire), allow: None }
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

    /// 409: something of that name is there.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::of_caller(StatusCode::CONFLICT, "ResourceConflictException", message)
    }

    /// 409: a durable execution of that name was started with another event.
    pub(crate) fn durable_execution_already_started(name: &str) -> Self {
        let error_type = "DurableExecutionAlreadyStartedException";
        let message =
            format!("A durable execution of the name {name} was already started with another payload.");
        Self::new(StatusCode::CONFLICT, error_type, ErrorBody::User, MessageKey::Capital, message)
    }

    /// 400: nobody waits for the answer to a callback any more.
    pub(crate) fn callback_timeout() -> Self {
        let error_type = "CallbackTimeoutException";
        let message = "The callback has timed out or has already been completed.";
        Self::new(StatusCode::BAD_REQUEST, error_type, ErrorBody::User, MessageKey::Capital, message)
    }

    /// 400: an event source mapping that something else is done to.
    pub(crate) fn mapping_in_use(verb: &str) -> Self {
        let message = format!("Cannot {verb} the event source mapping because it is in use.");
        Self::of_caller(StatusCode::BAD_REQUEST, "ResourceInUseException", message)
    }

    /// 412: the caller has seen another revision; `operation` shows the latest one.
    pub(crate) fn precondition_failed(operation: &str) -> Self {
        let message = format!(
            "The Revision Id provided does not match the latest Revision Id. Call the {operation} API to retrieve the \
             latest Revision Id"
        );
        Self::of_caller(StatusCode::PRECONDITION_FAILED, "PreconditionFailedException", message)
    }

    /// 400: a policy has no room for one more statement.
    pub(crate) fn policy_too_long(bytes: usize, bytes_max: usize) -> Self {
        let message = format!("The final policy size ({bytes}) is bigger than the limit ({bytes_max}).");
        Self::of_caller(StatusCode::BAD_REQUEST, "PolicyLengthExceededException", message)
    }

    /// 400: the packages of the account would take too much room. Believed: AWS's text is not recorded.
    pub(crate) fn code_storage_exceeded() -> Self {
        let error_type = "CodeStorageExceededException";
        Self::of_caller(StatusCode::BAD_REQUEST, error_type, "Code storage limit exceeded.")
    }

    /// 400: code that is not signed, as far as Hearth can know.
    pub(crate) fn code_verification_failed() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "CodeVerificationFailedException",
            ErrorBody::User,
            MessageKey::Capital,
            "The code signing policy of the function is Enforce, and Hearth cannot verify signatures: it takes all code as \
             unsigned. Set UntrustedArtifactOnDeployment to Warn, or take the code signing configuration from the function.",
        )
    }

    /// 404: a code signing configuration. Unlike its neighbours, without a `Type`, as recorded.
    pub(crate) fn code_signing_config_missing(message: impl Into<String>) -> Self {
        let error_type = "ResourceNotFoundException";
        Self::new(StatusCode::NOT_FOUND, error_type, ErrorBody::Framework, MessageKey::Capital, message)
    }

    /// 404: a code signing configuration that a function is to have.
    pub(crate) fn code_signing_config_not_found(message: impl Into<String>) -> Self {
        let error_type = "CodeSigningConfigNotFoundException";
        Self::new(StatusCode::NOT_FOUND, error_type, ErrorBody::User, MessageKey::Capital, message)
    }

    /// 403: another account.
    pub(crate) fn access_denied(message: impl Into<String>) -> Self {
        let error_type = "AccessDeniedException";
        Self::new(StatusCode::FORBIDDEN, error_type, ErrorBody::Framework, MessageKey::Capital, message)
    }

    /// 409: what the function is in the middle of does not allow it.
    fn is_in_state(state: &str) -> Self {
        let message = format!(
            "The operation cannot be performed at this time. The function is currently in the following state: {state}"
        );
        Self::conflict(message)
    }

    /// 400: an operation on functions, asked for one of their versions.
    pub(crate) fn not_of_a_version() -> Self {
        Self::invalid_parameter(
            "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. \
             Please specify either a function name or an unqualified function ARN.",
        )
    }

    /// 404: no operation is at that path.
    pub(crate) fn unknown_operation() -> Self {
        let message = "There is no operation of AWS Lambda at this path";
        Self::of_framework(StatusCode::NOT_FOUND, "UnknownOperationException", message)
    }

    /// 405: there is one, but with another method.
    pub(crate) fn method_not_allowed(allowed: &BTreeSet<&'static str>) -> Self {
        let allowed: Vec<&str> = allowed.iter().copied().collect();
        let message = "The operation at this path has another method";
        let error = Self::of_framework(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowedException", message);
        Self { allow: HeaderValue::from_str(&allowed.join(", ")).ok(), ..error }
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
    pub(crate) fn payload_too_large(bytes: u64, invocation_type: &str, bytes_max: usize) -> Self {
        let message = format!(
            "{bytes} byte payload is too large for the {invocation_type} invocation type (limit {bytes_max} bytes)"
        );
        Self::of_caller(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", message)
    }

    /// 415: the payload of an invocation says that it is something else than JSON.
    pub(crate) fn unsupported_media_type(content_type: &str) -> Self {
        let message = format!("The content type of the request body is not JSON: {content_type}");
        Self::of_caller(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaTypeException", message)
    }

    /// 400: the request was cut off.
    pub(crate) fn incomplete_body() -> Self {
        Self::serialization("The request body is not complete")
    }

    /// 408: the client has stopped in the middle of its request.
    pub(crate) fn slow_body() -> Self {
        let message = "The request body did not arrive in time";
        Self::of_framework(StatusCode::REQUEST_TIMEOUT, "RequestTimeoutException", message)
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
            BodyError::TooSlow => Self::slow_body(),
        }
    }
}
