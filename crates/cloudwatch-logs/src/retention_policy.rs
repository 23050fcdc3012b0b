//! PutRetentionPolicy and DeleteRetentionPolicy: how long a group keeps its events.

use serde_json::Value;

use crate::CloudWatchLogs;
use crate::error::LogsError;
use crate::identifier::group_name;
use crate::input::{Input, Text};

/// What a retention may be, in days.
///
/// Source: CloudWatch Logs API reference, "PutRetentionPolicy", read 2026-11.
const DAYS: &[i64] = &[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1_096, 1_827, 2_192, 2_557, 2_922, 3_288,
    3_653,
];

pub(crate) fn put(api: &CloudWatchLogs, mut input: Input) -> Result<Value, LogsError> {
    let group = input.required_text("logGroupName", &Text::LOG_GROUP_NAME)?;
    let days = input.required_integer("retentionInDays", i64::MIN, i64::MAX)?;
    input.check()?;
    let group = group_name(&group)?;
    let known = u32::try_from(days).ok().filter(|_| DAYS.contains(&days));
    let Some(retention_days) = known else {
        let all: Vec<String> = DAYS.iter().map(i64::to_string).collect();
        return Err(LogsError::invalid_parameter(format!(
            "1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: Member \
             must satisfy enum value set: [{}]",
            all.join(", ")
        )));
    };
    api.logs.change_group(&group, move |group| group.retention_days = Some(retention_days))?;
    Ok(Value::Null)
}

/// The group is kept as long as the server keeps logs.
pub(crate) fn delete(api: &CloudWatchLogs, mut input: Input) -> Result<Value, LogsError> {
    let group = input.required_text("logGroupName", &Text::LOG_GROUP_NAME)?;
    input.check()?;
    api.logs.change_group(&group_name(&group)?, |group| group.retention_days = None)?;
    Ok(Value::Null)
}
