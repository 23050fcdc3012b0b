//! GetAccountSettings: how much the account may have, and how much it has.

use hearth_aws_wire::{Response, json_response};
use hearth_types::limits::{UNZIPPED_BYTES_MAX, ZIP_BYTES_MAX};
use http::{Request, StatusCode};

use crate::error::ApiError;
use crate::generated::shapes::{
    AccountLimit, AccountUsage, GetAccountSettingsRequest, GetAccountSettingsResponse,
};
use crate::routes::Call;
use crate::{LambdaApi, code_storage, input};

/// Answers GetAccountSettings.
pub(crate) fn answer<B>(api: &LambdaApi, call: Call, request: &Request<B>) -> Result<Response, ApiError> {
    let Call { operation, labels } = call;
    let GetAccountSettingsRequest {} = input::of_head(operation, labels, request)?;
    let usage = api.functions.usage();
    let concurrency = i64::from(api.invoker.account_concurrency());
    let reserved = i64::from(api.functions.reserved_concurrency());
    let number = |bytes: u64| i64::try_from(bytes).ok();
    let reply = GetAccountSettingsResponse {
        account_limit: Some(AccountLimit {
            total_code_size: number(api.code_bytes_max),
            code_size_unzipped: number(UNZIPPED_BYTES_MAX),
            code_size_zipped: number(ZIP_BYTES_MAX as u64),
            concurrent_executions: Some(concurrency),
            // Provisioned concurrency that is not reserved as well counts as unreserved, as AWS documents it.
            unreserved_concurrent_executions: Some((concurrency - reserved).max(0)),
        }),
        account_usage: Some(AccountUsage {
            total_code_size: number(code_storage::used(api)),
            function_count: i64::try_from(usage.functions).ok(),
        }),
    };
    let text = serde_json::to_vec(&reply).map_err(|error| ApiError::service(&error))?;
    Ok(json_response(StatusCode::OK, text))
}
