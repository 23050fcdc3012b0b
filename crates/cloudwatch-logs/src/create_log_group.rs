//! CreateLogGroup.

use hearth_telemetry::LogGroup;
use serde_json::Value;

use crate::CloudWatchLogs;
use crate::error::LogsError;
use crate::identifier::group_name;
use crate::input::{Input, Text};

/// The classes of groups. Hearth keeps all alike.
pub(crate) const LOG_GROUP_CLASSES: &[&str] = &["STANDARD", "INFREQUENT_ACCESS", "DELIVERY", "ESSENTIALS"];

pub(crate) fn answer(api: &CloudWatchLogs, mut input: Input) -> Result<Value, LogsError> {
    let name = input.required_text("logGroupName", &Text::LOG_GROUP_NAME)?;
    let key = input.text("kmsKeyId", &Text::KMS_KEY_ID)?;
    let tags = input.tags("tags")?;
    let class = input.word("logGroupClass", LOG_GROUP_CLASSES)?;
    let is_protected = input.boolean("deletionProtectionEnabled")?;
    input.check()?;
    if key.is_some() {
        return Err(LogsError::not_implemented("log groups that are encrypted with a key"));
    }
    let mut group = LogGroup::new(group_name(&name)?, api.clock.epoch_ms());
    group.tags = tags.unwrap_or_default();
    group.class = class.unwrap_or(group.class);
    group.deletion_protected = is_protected.unwrap_or(false);
    api.logs.create_group(group)?;
    Ok(Value::Null)
}
