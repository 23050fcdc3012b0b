//! Tags of log groups: TagResource, UntagResource and ListTagsForResource, and the older three that name the group.

use std::collections::BTreeMap;

use hearth_telemetry::LogGroup;
use hearth_types::Arn;
use serde_json::{Value, json};

use crate::CloudWatchLogs;
use crate::error::LogsError;
use crate::identifier::{existing, of_identifier};
use crate::input::{Input, Text};

/// How many tags a group may have.
const TAGS_MAX: usize = 50;

pub(crate) fn tag_resource(api: &CloudWatchLogs, mut input: Input) -> Result<Value, LogsError> {
    let arn = input.required_text("resourceArn", &Text::RESOURCE_ARN)?;
    let tags = input.required_tags("tags")?;
    input.check()?;
    tag(api, &of_arn(api, &arn)?, tags)
}

pub(crate) fn untag_resource(api: &CloudWatchLogs, mut input: Input) -> Result<Value, LogsError> {
    let arn = input.required_text("resourceArn", &Text::RESOURCE_ARN)?;
    let keys = input.required_texts("tagKeys", 0, TAGS_MAX, &Text::TAG_KEY)?;
    input.check()?;
    untag(api, &of_arn(api, &arn)?, keys)
}

pub(crate) fn list_for_resource(api: &CloudWatchLogs, mut input: Input) -> Result<Value, LogsError> {
    let arn = input.required_text("resourceArn", &Text::RESOURCE_ARN)?;
    input.check()?;
    Ok(json!({ "tags": of_arn(api, &arn)?.tags }))
}

pub(crate) fn tag_log_group(api: &CloudWatchLogs, mut input: Input) -> Result<Value, LogsError> {
    let name = input.required_text("logGroupName", &Text::LOG_GROUP_NAME)?;
    let tags = input.required_tags("tags")?;
    input.check()?;
    tag(api, &existing(api, &name)?, tags)
}

pub(crate) fn untag_log_group(api: &CloudWatchLogs, mut input: Input) -> Result<Value, LogsError> {
    let name = input.required_text("logGroupName", &Text::LOG_GROUP_NAME)?;
    let keys = input.required_texts("tags", 1, usize::MAX, &Text::TAG_KEY)?;
    input.check()?;
    untag(api, &existing(api, &name)?, keys)
}

pub(crate) fn list_of_log_group(api: &CloudWatchLogs, mut input: Input) -> Result<Value, LogsError> {
    let name = input.required_text("logGroupName", &Text::LOG_GROUP_NAME)?;
    input.check()?;
    Ok(json!({ "tags": existing(api, &name)?.tags }))
}

/// Only groups have tags here. Destinations, the other resources that have, are none of Hearth's.
fn of_arn(api: &CloudWatchLogs, arn: &str) -> Result<LogGroup, LogsError> {
    match Arn::parse(arn) {
        Some(_) => of_identifier(api, arn),
        None => Err(LogsError::invalid_parameter(format!("The resource ARN is invalid: {arn}"))),
    }
}

fn tag(api: &CloudWatchLogs, group: &LogGroup, tags: BTreeMap<String, String>) -> Result<Value, LogsError> {
    let new = tags.keys().filter(|key| !group.tags.contains_key(*key)).count();
    if group.tags.len() + new > TAGS_MAX {
        return Err(LogsError::too_many_tags());
    }
    api.logs.change_group(&group.name, |group| group.tags.extend(tags))?;
    Ok(Value::Null)
}

fn untag(api: &CloudWatchLogs, group: &LogGroup, keys: Vec<String>) -> Result<Value, LogsError> {
    api.logs.change_group(&group.name, move |group| group.tags.retain(|key, _| !keys.contains(key)))?;
    Ok(Value::Null)
}
