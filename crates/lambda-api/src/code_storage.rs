//! How much room packages may take together: those of functions, with all of their versions, and those of layers.

use crate::LambdaApi;
use crate::error::ApiError;

/// Returns how many bytes the packages of the account have, as they were sent.
pub(crate) fn used(api: &LambdaApi) -> u64 {
    api.functions.usage().code_bytes + api.layers.code_bytes()
}

/// Refuses packages of `more` bytes, in place of `less` bytes, for which there is no room. Several that come at once may
/// take a little more than there is.
pub(crate) fn check(api: &LambdaApi, more: u64, less: u64) -> Result<(), ApiError> {
    let wanted = used(api).saturating_sub(less).saturating_add(more);
    if wanted > api.code_bytes_max && more > less { Err(ApiError::code_storage_exceeded()) } else { Ok(()) }
}
