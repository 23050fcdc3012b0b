//! DescribeLogGroups: by name, fifty on a page.

use hearth_telemetry::LogGroup;
use serde_json::{Value, json};

use crate::CloudWatchLogs;
use crate::create_log_group::LOG_GROUP_CLASSES;
use crate::error::LogsError;
use crate::identifier::{group_arn, of_identifier};
use crate::input::{Input, Text};
use crate::token::{next_token, place};

/// Most groups or streams on a page, and how many there are unless fewer are asked for.
///
/// Source: CloudWatch Logs API reference, "DescribeLogGroups", read 2026-11.
pub(crate) const PAGE_MAX: i64 = 50;

pub(crate) fn answer(api: &CloudWatchLogs, mut input: Input) -> Result<Value, LogsError> {
    let account = Text::ACCOUNT_ID;
    let accounts = input.texts("accountIdentifiers", 0, 20, &account)?.unwrap_or_default();
    let prefix = input.text("logGroupNamePrefix", &Text::LOG_GROUP_NAME)?;
    let pattern = input.text("logGroupNamePattern", &Text::LOG_GROUP_NAME_PATTERN)?;
    let token = input.text("nextToken", &Text::NEXT_TOKEN)?;
    let limit = input.integer("limit", 1, PAGE_MAX)?.unwrap_or(PAGE_MAX);
    let _linked = input.boolean("includeLinkedAccounts")?;
    let class = input.word("logGroupClass", LOG_GROUP_CLASSES)?;
    let identifiers = input.texts("logGroupIdentifiers", 1, 50, &Text::LOG_GROUP_IDENTIFIER)?;
    input.check()?;
    if prefix.is_some() && pattern.is_some() {
        return Err(LogsError::invalid_parameter(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        ));
    }
    // What functions have put just now makes groups, too.
    api.logs.flush();
    let limit = usize::try_from(limit).unwrap_or(1);
    let after = token.map(|token| place(&token, api.clock.epoch_ms())).transpose()?;
    let named: Option<Vec<LogGroup>> = identifiers
        .map(|all| all.iter().filter_map(|identifier| of_identifier(api, identifier).ok()).collect());
    let is_ours = accounts.is_empty() || accounts.iter().any(|account| account == api.account.as_str());
    let wanted = |group: &LogGroup| {
        let name = group.name.as_str();
        is_ours
            && prefix.as_ref().is_none_or(|prefix| name.starts_with(prefix))
            && pattern.as_ref().is_none_or(|pattern| name.contains(pattern))
            && class.as_ref().is_none_or(|class| group.class == *class)
            && named.as_ref().is_none_or(|named| named.iter().any(|one| one.name == group.name))
    };
    let mut groups = api.logs.groups(after.as_deref(), limit + 1, wanted);
    let has_more = groups.len() > limit;
    groups.truncate(limit);
    let described: Vec<Value> = groups.iter().map(|group| describe(api, group)).collect();
    let mut output = json!({ "logGroups": described });
    if let Some(last) = groups.last().filter(|_| has_more) {
        output["nextToken"] = next_token(last.name.as_str(), api.clock.epoch_ms()).into();
    }
    Ok(output)
}

fn describe(api: &CloudWatchLogs, group: &LogGroup) -> Value {
    let arn = group_arn(api, &group.name);
    let mut described = json!({
        "logGroupName": group.name.as_str(),
        "creationTime": group.created_ms,
        "metricFilterCount": 0,
        "arn": format!("{arn}:*"),
        "logGroupArn": arn,
        "storedBytes": api.logs.stored_bytes(&group.name),
        "logGroupClass": group.class,
        "deletionProtectionEnabled": group.deletion_protected,
    });
    if let Some(days) = group.retention_days {
        described["retentionInDays"] = days.into();
    }
    described
}
