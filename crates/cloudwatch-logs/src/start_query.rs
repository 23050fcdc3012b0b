//! StartQuery: begins a query of CloudWatch Logs Insights.

use serde_json::{Value, json};

use crate::CloudWatchLogs;
use crate::error::LogsError;
use crate::identifier::of_identifier;
use crate::input::{Input, Text};
use crate::insights::{Job, LIMIT_MAX, parse, start};

/// How many groups a query reads.
///
/// Source, as of the next: CloudWatch Logs API reference, "StartQuery", read 2026-11.
const GROUPS_MAX: usize = 50;
/// How many rows a query has when neither it nor its request says so.
const LIMIT_DEFAULT: i64 = 1_000;
/// The languages of queries. Hearth knows the first.
pub(crate) const LANGUAGES: &[&str] = &["CWLI", "SQL", "PPL"];

pub(crate) fn answer(api: &CloudWatchLogs, mut input: Input) -> Result<Value, LogsError> {
    let language = input.word("queryLanguage", LANGUAGES)?;
    let name = input.text("logGroupName", &Text::LOG_GROUP_NAME)?;
    let names = input.texts("logGroupNames", 0, usize::MAX, &Text::LOG_GROUP_NAME)?;
    let identifiers = input.texts("logGroupIdentifiers", 0, usize::MAX, &Text::LOG_GROUP_IDENTIFIER)?;
    let start_s = input.required_integer("startTime", 0, i64::MAX)?;
    let end_s = input.required_integer("endTime", 0, i64::MAX)?;
    let text = input.required_text("queryString", &Text::QUERY)?;
    let limit = input.integer("limit", 1, LIMIT_MAX as i64)?;
    input.check()?;
    if language.is_some_and(|language| language != LANGUAGES[0]) {
        return Err(LogsError::not_implemented("queries of logs in SQL or PPL"));
    }
    let named = [name.map(|name| vec![name]), names, identifiers];
    let mut named = named.into_iter().flatten().filter(|names| !names.is_empty());
    let (Some(wanted), None) = (named.next(), named.next()) else {
        return Err(LogsError::invalid_parameter(
            "Exactly one of logGroupName, logGroupNames and logGroupIdentifiers has to name log groups.",
        ));
    };
    if wanted.len() > GROUPS_MAX {
        return Err(LogsError::invalid_parameter(format!("A query reads {GROUPS_MAX} log groups at most.")));
    }
    if start_s > end_s {
        return Err(LogsError::invalid_parameter("The start time of a query is not after its end time."));
    }
    let query = parse(&text)?;
    let mut groups = Vec::new();
    for identifier in &wanted {
        let group = of_identifier(api, identifier).map_err(|_| {
            LogsError::not_found(format!(
                "Log group '{identifier}' does not exist for account ID '{}' (Service: AWSLogs; Status Code: 400; \
                 Error Code: ResourceNotFoundException)",
                api.account
            ))
        })?;
        if !groups.contains(&group.name) {
            groups.push(group.name);
        }
    }
    // The language's own limit counts when there is one; it is not larger either.
    let default = if query.has_limit() { LIMIT_MAX } else { usize::try_from(LIMIT_DEFAULT).unwrap_or(1) };
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).filter(|_| !query.has_limit());
    let job = Job {
        query,
        groups: groups.clone(),
        times_ms: (start_s.saturating_mul(1_000), end_s.saturating_mul(1_000).saturating_add(999)),
        limit: limit.unwrap_or(default),
    };
    let names = groups.iter().map(ToString::to_string).collect();
    let running = api.queries.begin(text, names, api.clock.epoch_ms())?;
    let id = running.query().id.clone();
    start(api, job, running);
    Ok(json!({ "queryId": id }))
}
