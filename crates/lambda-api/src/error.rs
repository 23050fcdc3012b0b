//! Our errors as AWS's exceptions: the one place where they are turned. Where AWS's text is known, clients see it.
//!
//! Sources: the service model for names, statuses and spellings; recorded answers for texts, read 2026-11.

use std::collections::BTreeSet;

use hearth_aws_wire::{BodyError, ErrorBody, MessageKey, Response, WireError};
use hearth_functions::{ConcurrencyError, DeployError, FunctionsError, ResolveError};
use hearth_invoke::InvokeError;
use hearth_types::limits::{REQUEST_BYTES_MAX, UNZIPPED_BYTES_MAX, ZIP_BYTES_MAX};
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

impl From<FunctionsError> for ApiError {
    fn from(error: FunctionsError) -> Self {
        match error {
            FunctionsError::NotFound { arn } => Self::not_found(format!("Function not found: {arn}")),
            FunctionsError::AlreadyExists { name } => {
                Self::conflict(format!("Function already exist: {name}"))
            }
            FunctionsError::UpdateInProgress { arn } => Self::conflict(format!(
                "The operation cannot be performed at this time. An update is in progress for resource: {arn}"
            )),
            FunctionsError::Pending { .. } => Self::is_in_state("Pending"),
            FunctionsError::RevisionMismatch => Self::precondition_failed("GetFunction/GetAlias"),
            FunctionsError::TooManyTags => {
                Self::invalid_parameter("Number of tags exceeds resource tag limit.")
            }
            FunctionsError::CodeMismatch { expected, current } => Self::invalid_parameter(format!(
                "CodeSHA256 ({}) is different from current CodeSHA256 in $LATEST ({current}). Please try again with the \
                 CodeSHA256 in $LATEST.",
                crate::validation::cut(expected)
            )),
            // Believed: AWS's text is not recorded.
            FunctionsError::VersionInUse { arn, aliases } => {
                let version = arn.qualifier.map(|version| version.to_string()).unwrap_or_default();
                Self::conflict(format!(
                    "Function version {version} is still referenced by alias {}",
                    aliases.join(", ")
                ))
            }
            FunctionsError::AliasExists { arn } => Self::conflict(format!("Alias already exists: {arn}")),
            FunctionsError::AliasNotFound { arn } => Self::not_found(format!("Alias not found: {arn}")),
            // With two blanks, as AWS writes it.
            FunctionsError::UrlExists { arn } => Self::conflict(format!(
                "Failed to create function url config for [functionArn = {arn}]. Error message:  FunctionUrlConfig \
                 exists for this Lambda function"
            )),
            FunctionsError::UrlNotFound { .. } => {
                Self::not_found("The resource you requested does not exist.")
            }
            // Unlike its neighbours, without a `Type`.
            FunctionsError::AliasOfLatestAndAnother => Self::of_framework(
                StatusCode::BAD_REQUEST,
                "InvalidParameterValueException",
                "$LATEST is not supported for an alias pointing to more than 1 version",
            ),
            FunctionsError::AliasOfProvisionedVersion => Self::conflict(
                "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version",
            ),
            FunctionsError::ProvisionedAliasOfLatest => ConcurrencyError::ProvisionsLatest.into(),
            FunctionsError::AliasOfOneVersionTwice { version } => Self::invalid_parameter(format!(
                "Invalid function version {version}. Function version {version} is already included in routing \
                 configuration."
            )),
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

impl From<ConcurrencyError> for ApiError {
    fn from(error: ConcurrencyError) -> Self {
        // What has to do with numbers comes without a `Type`, as recorded.
        let number = |message: String| {
            Self::of_framework(StatusCode::BAD_REQUEST, "InvalidParameterValueException", message)
        };
        match error {
            ConcurrencyError::Functions(error) => error.into(),
            ConcurrencyError::ReservesTooMuch { unreserved_min } => number(format!(
                "Specified ReservedConcurrentExecutions for function decreases account's \
                 UnreservedConcurrentExecution below its minimum value of [{unreserved_min}]."
            )),
            // The blanks are AWS's.
            ConcurrencyError::ReservesLessThanProvisioned { reserved, provisioned } => number(format!(
                " ReservedConcurrentExecutions  {reserved} should not be lower than function's total provisioned \
                 concurrency [{provisioned}]."
            )),
            ConcurrencyError::ProvisionsMoreThanReserved => number(
                "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for \
                 function"
                    .to_owned(),
            ),
            ConcurrencyError::ProvisionsMoreThanUnreserved { unreserved } => number(format!(
                "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency \
                 [{unreserved}]."
            )),
            ConcurrencyError::ProvisionsTooMuch { unreserved_min } => number(format!(
                "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below \
                 its minimum value of [{unreserved_min}]."
            )),
            ConcurrencyError::ProvisionsLatest => Self::invalid_parameter(
                "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
            ),
            ConcurrencyError::VersionOfProvisionedAlias => {
                Self::conflict("Version is pointed by a Provisioned Concurrency alias")
            }
            ConcurrencyError::NotProvisioned { .. } => Self::of_caller(
                StatusCode::NOT_FOUND,
                "ProvisionedConcurrencyConfigNotFoundException",
                "No Provisioned Concurrency Config found for this function",
            ),
        }
    }
}

impl From<ResolveError> for ApiError {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::NotFound { arn } => Self::not_found(format!("Function not found: {arn}")),
            ResolveError::Pending { .. } => Self::is_in_state("Pending"),
            ResolveError::Failed { reason, .. } => Self::is_in_state(&format!("Failed ({reason})")),
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
            error @ InvokeError::Service(_) => Self::service(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use hearth_invoke::ThrottleReason;
    use hearth_store::StoreError;
    use hearth_types::{AccountId, CodeSha256, FunctionArn, FunctionName, Qualifier, Region};
    use http_body_util::BodyExt as _;

    use super::*;

    fn arn() -> FunctionArn {
        FunctionArn {
            region: Region::new("us-east-1").unwrap(),
            account: AccountId::new("000000000000").unwrap(),
            name: FunctionName::new("f").unwrap(),
            qualifier: Some(Qualifier::parse("42").unwrap()),
        }
    }

    async fn shown(error: impl Into<ApiError>) -> String {
        let error = error.into();
        let error_type = error.error_type();
        let response = error.into_response();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        format!("{status} {error_type} {}\n", String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn every_error_of_ours_is_one_of_aws_and_tells_nothing_of_the_server() {
        let secret = || Box::new(std::io::Error::other("/secret/path"));
        let mut table = String::new();
        for error in [
            FunctionsError::NotFound { arn: arn() },
            FunctionsError::AlreadyExists { name: arn().name },
            FunctionsError::UpdateInProgress { arn: arn() },
            FunctionsError::Pending { arn: arn() },
            FunctionsError::RevisionMismatch,
            FunctionsError::CodeMismatch { expected: "x".to_owned(), current: CodeSha256([0; 32]) },
            FunctionsError::VersionInUse { arn: arn(), aliases: vec!["live".to_owned()] },
            FunctionsError::Deploy(DeployError::Unpack { reason: "/secret/path".to_owned() }),
            FunctionsError::Deploy(DeployError::UnzippedTooLarge),
            FunctionsError::Deploy(DeployError::Missing),
            FunctionsError::Deploy(DeployError::Service(secret())),
            FunctionsError::Store(StoreError::Stopped),
        ] {
            table += &shown(error).await;
        }
        for error in [
            InvokeError::Resolve(ResolveError::NotFound { arn: arn() }),
            InvokeError::Resolve(ResolveError::Pending { arn: arn() }),
            InvokeError::Resolve(ResolveError::Failed { arn: arn(), reason: "no python3.11".to_owned() }),
            InvokeError::Throttled { reason: ThrottleReason::ConcurrentInvocationLimitExceeded },
            InvokeError::Recursive { arn: arn() },
            InvokeError::Draining,
            InvokeError::Code { reason: "`app.py` was changed".to_owned() },
            InvokeError::Service("/secret/path".to_owned()),
        ] {
            table += &shown(error).await;
        }
        expect![[r#"
            404 ResourceNotFoundException {"Message":"Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:42","Type":"User"}
            409 ResourceConflictException {"Type":"User","message":"Function already exist: f"}
            409 ResourceConflictException {"Type":"User","message":"The operation cannot be performed at this time. An update is in progress for resource: arn:aws:lambda:us-east-1:000000000000:function:f:42"}
            409 ResourceConflictException {"Type":"User","message":"The operation cannot be performed at this time. The function is currently in the following state: Pending"}
            412 PreconditionFailedException {"Type":"User","message":"The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id"}
            400 InvalidParameterValueException {"Type":"User","message":"CodeSHA256 (x) is different from current CodeSHA256 in $LATEST (AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=). Please try again with the CodeSHA256 in $LATEST."}
            409 ResourceConflictException {"Type":"User","message":"Function version 42 is still referenced by alias live"}
            400 InvalidParameterValueException {"Type":"User","message":"Could not unzip uploaded file. Please check your file, then try to upload again."}
            400 InvalidParameterValueException {"Type":"User","message":"Unzipped size must be smaller than 262144000 bytes"}
            500 ServiceException {"Message":"The AWS Lambda service encountered an internal error.","Type":"Service"}
            500 ServiceException {"Message":"The AWS Lambda service encountered an internal error.","Type":"Service"}
            500 ServiceException {"Message":"The AWS Lambda service encountered an internal error.","Type":"Service"}
            404 ResourceNotFoundException {"Message":"Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:42","Type":"User"}
            409 ResourceConflictException {"Type":"User","message":"The operation cannot be performed at this time. The function is currently in the following state: Pending"}
            409 ResourceConflictException {"Type":"User","message":"The operation cannot be performed at this time. The function is currently in the following state: Failed (no python3.11)"}
            429 TooManyRequestsException {"Reason":"ConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}
            400 RecursiveInvocationException {"Message":"arn:aws:lambda:us-east-1:000000000000:function:f:42 has called itself 16 times. Lambda stopped it as a recursive loop.","Type":"User"}
            503 ServiceUnavailableException {"message":"The server is stopping"}
            502 InvalidZipFileException {"Message":"Lambda could not use the deployment package: `app.py` was changed. Deploy it again.","Type":"Service"}
            500 ServiceException {"Message":"The AWS Lambda service encountered an internal error.","Type":"Service"}
        "#]].assert_eq(&table);
    }
}
