//! ListLogGroups: names and ARNs of groups, a thousand on a page. What newer consoles ask first.

use hearth_telemetry::LogGroup;
use serde_json::{Value, json};

use crate::CloudWatchLogs;
use crate::create_log_group::LOG_GROUP_CLASSES;
use crate::error::LogsError;
use crate::identifier::group_arn;
use crate::input::{Input, Text};
use crate::token::{next_token, place};

/// Most groups on a page, and how many there are unless others are asked for.
///
/// Source: the service model (2014-03-28) of botocore 1.44.5.
const PAGE_MAX: i64 = 1_000;
const PAGE: i64 = 50;

pub(crate) fn answer(api: &CloudWatchLogs, mut input: Input) -> Result<Value, LogsError> {
    let pattern = input.text("logGroupNamePattern", &Text::LOG_GROUP_NAME_REGEX)?;
    let class = input.word("logGroupClass", LOG_GROUP_CLASSES)?;
    let _linked = input.boolean("includeLinkedAccounts")?;
    let accounts = input.texts("accountIdentifiers", 0, 20, &Text::ACCOUNT_ID)?.unwrap_or_default();
    let token = input.text("nextToken", &Text::NEXT_TOKEN)?;
    let limit = input.integer("limit", 1, PAGE_MAX)?.unwrap_or(PAGE);
    input.check()?;
    for other in ["dataSources", "fieldIndexNames", "logGroupTags"] {
        if input.has(other) {
            return Err(LogsError::not_implemented(&format!("{other} of ListLogGroups")));
        }
    }
    api.logs.flush();
    let after = token.map(|token| place(&token, api.clock.epoch_ms())).transpose()?;
    let limit = usize::try_from(limit).unwrap_or(1);
    let is_ours = accounts.is_empty() || accounts.iter().any(|account| account == api.account.as_str());
    let wanted = |group: &LogGroup| {
        is_ours
            && class.as_ref().is_none_or(|class| group.class == *class)
            && pattern.as_ref().is_none_or(|pattern| matches(pattern, group.name.as_str()))
    };
    let mut groups = api.logs.groups(after.as_deref(), limit + 1, wanted);
    let has_more = groups.len() > limit;
    groups.truncate(limit);
    let described: Vec<Value> = groups
        .iter()
        .map(|group| {
            json!({
                "logGroupName": group.name.as_str(),
                "logGroupArn": group_arn(api, &group.name),
                "logGroupClass": group.class,
            })
        })
        .collect();
    let mut output = json!({ "logGroups": described });
    if let Some(last) = groups.last().filter(|_| has_more) {
        output["nextToken"] = next_token(last.name.as_str(), api.clock.epoch_ms()).into();
    }
    Ok(output)
}

/// The little that the model allows of regular expressions: parts, and with `^` beginnings, one of which has to be there.
fn matches(pattern: &str, name: &str) -> bool {
    pattern.split('|').any(|part| match part.strip_prefix('^') {
        Some(beginning) => name.starts_with(beginning),
        None => name.contains(part),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_parts_and_beginnings() {
        for (pattern, expected) in [
            ("lambda", true),
            ("^lambda", false),
            ("^/aws|none", true),
            ("none|resize", true),
            ("none", false),
        ] {
            assert_eq!(matches(pattern, "/aws/lambda/resize"), expected, "{pattern}");
        }
    }
}
