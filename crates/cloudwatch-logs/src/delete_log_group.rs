//! DeleteLogGroup, and what protects a group against it. A group that a function still writes to comes back with its next
//! line.

use serde_json::Value;

use crate::CloudWatchLogs;
use crate::error::LogsError;
use crate::identifier::{group_name, of_identifier};
use crate::input::{Input, Text};

pub(crate) fn answer(api: &CloudWatchLogs, mut input: Input) -> Result<Value, LogsError> {
    let name = input.required_text("logGroupName", &Text::LOG_GROUP_NAME)?;
    input.check()?;
    api.logs.delete_group(&group_name(&name)?)?;
    Ok(Value::Null)
}

/// PutLogGroupDeletionProtection.
pub(crate) fn protect(api: &CloudWatchLogs, mut input: Input) -> Result<Value, LogsError> {
    let identifier = input.required_text("logGroupIdentifier", &Text::LOG_GROUP_IDENTIFIER)?;
    let is_protected = input.boolean("deletionProtectionEnabled")?;
    input.check()?;
    let is_protected = is_protected.ok_or_else(|| {
        LogsError::invalid_parameter(
            "1 validation error detected: Value null at 'deletionProtectionEnabled' failed to satisfy constraint: \
             Member must not be null",
        )
    })?;
    let group = of_identifier(api, &identifier)?;
    api.logs.change_group(&group.name, move |group| group.deletion_protected = is_protected)?;
    Ok(Value::Null)
}
