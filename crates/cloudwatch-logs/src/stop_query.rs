//! StopQuery.

use serde_json::{Value, json};

use crate::CloudWatchLogs;
use crate::error::LogsError;
use crate::input::{Input, Text};

/// `success` says whether the query had not ended yet.
pub(crate) fn answer(api: &CloudWatchLogs, mut input: Input) -> Result<Value, LogsError> {
    let id = input.required_text("queryId", &Text::QUERY_ID)?;
    input.check()?;
    let now_ms = api.clock.epoch_ms();
    let query = api.queries.find(&id, now_ms)?;
    Ok(json!({ "success": query.stop(now_ms) }))
}
