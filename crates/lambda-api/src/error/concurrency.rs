//! What goes wrong with reserved and provisioned concurrency, as AWS's exceptions.

use hearth_functions::ConcurrencyError;
use http::StatusCode;

use super::ApiError;

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
