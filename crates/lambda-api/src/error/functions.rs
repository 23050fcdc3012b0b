//! What goes wrong with functions and their code, as AWS's exceptions.

use hearth_functions::{ConcurrencyError, DeployError, FunctionsError, ResolveError};
use hearth_types::limits::UNZIPPED_BYTES_MAX;
use http::StatusCode;

use super::ApiError;

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

impl From<ResolveError> for ApiError {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::NotFound { arn } => Self::not_found(format!("Function not found: {arn}")),
            ResolveError::Pending { .. } => Self::is_in_state("Pending"),
            ResolveError::Failed { reason, .. } => Self::is_in_state(&format!("Failed ({reason})")),
        }
    }
}
