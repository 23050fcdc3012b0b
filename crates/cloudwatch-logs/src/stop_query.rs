//! StopQuery.

use serde_json::{Value, json};

use crate::CloudWatchLogs;
use crate::error::LogsError;
use crate::input::{Input, Text};

/// A query that has ended is not stopped: that is an error, as on AWS.
pub(crate) fn answer(api: &CloudWatchLogs, mut input: Input) -> Result<Value, LogsError> {
    let id = input.required_text("queryId", &Text::QUERY_ID)?;
    input.check()?;
    let now_ms = api.clock.epoch_ms();
    let query = api.queries.find(&id, now_ms)?;
    if !query.stop(now_ms) {
        return Err(LogsError::invalid_parameter("The specified query is not running."));
    }
    Ok(json!({ "success": true }))
}
