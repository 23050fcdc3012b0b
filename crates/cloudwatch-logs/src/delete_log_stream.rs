//! DeleteLogStream.

use serde_json::Value;

use crate::CloudWatchLogs;
use crate::error::LogsError;
use crate::identifier::{group_name, stream_name};
use crate::input::{Input, Text};

pub(crate) fn answer(api: &CloudWatchLogs, mut input: Input) -> Result<Value, LogsError> {
    let group = input.required_text("logGroupName", &Text::LOG_GROUP_NAME)?;
    let stream = input.required_text("logStreamName", &Text::LOG_STREAM_NAME)?;
    input.check()?;
    let (group, stream) = (group_name(&group)?, stream_name(&stream)?);
    api.logs.flush();
    api.logs.delete_stream(&group, &stream)?;
    Ok(Value::Null)
}
