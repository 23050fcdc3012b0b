//! What goes wrong with invocations, as AWS's exceptions.

use hearth_aws_wire::{ErrorBody, MessageKey};
use hearth_invoke::InvokeError;
use http::StatusCode;

use super::ApiError;

impl From<InvokeError> for ApiError {
    fn from(error: InvokeError) -> Self {
        match error {
            InvokeError::Resolve(error) => error.into(),
            InvokeError::Throttled { reason } => {
                let status = StatusCode::TOO_MANY_REQUESTS;
                let mut throttled = Self::of_caller(status, "TooManyRequestsException", "Rate Exceeded.");
                throttled.wire.more.push(("Reason", reason.to_string()));
                throttled
            }
            // AWS names neither the text nor, in it, the number.
            InvokeError::Recursive { .. } => Self::new(
                StatusCode::BAD_REQUEST,
                "RecursiveInvocationException",
                ErrorBody::User,
                MessageKey::Capital,
                format!("{error}. Lambda stopped it as a recursive loop."),
            ),
            InvokeError::Draining => Self::of_framework(
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceUnavailableException",
                "The server is stopping",
            ),
            // AWS's exception for a package that it cannot use; whoever can deploy the function may know why.
            InvokeError::Code { reason } => {
                let message =
                    format!("Lambda could not use the deployment package: {reason}. Deploy it again.");
                let (status, error_type) = (StatusCode::BAD_GATEWAY, "InvalidZipFileException");
                Self::new(status, error_type, ErrorBody::Service, MessageKey::Capital, message)
            }
            InvokeError::SnapStart { error_type } => {
                let message = format!(
                    "The afterRestore runtime hook encountered an error ({error_type}). For more information, check the \
                     function's log."
                );
                Self::of_caller(StatusCode::BAD_REQUEST, "SnapStartException", &message)
            }
            InvokeError::SnapStartTimeout => Self::of_caller(
                StatusCode::REQUEST_TIMEOUT,
                "SnapStartTimeoutException",
                "Lambda couldn't restore the snapshot within the timeout limit.",
            ),
            error @ InvokeError::Service(_) => Self::service(&error),
        }
    }
}
