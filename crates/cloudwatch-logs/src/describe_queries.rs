//! DescribeQueries: the queries that run, and those that have ended and are kept; the newest first.

use serde_json::{Value, json};

use crate::CloudWatchLogs;
use crate::error::LogsError;
use crate::input::{Input, Text};
use crate::insights::Status;
use crate::start_query::LANGUAGES;
use crate::token::{next_token, place};

/// How many there are on a page unless fewer are asked for.
const COUNT_MAX: i64 = 1_000;

pub(crate) fn answer(api: &CloudWatchLogs, mut input: Input) -> Result<Value, LogsError> {
    let group = input.text("logGroupName", &Text::LOG_GROUP_NAME)?;
    let status = input.word("status", &Status::WORDS)?;
    let language = input.word("queryLanguage", LANGUAGES)?;
    let count = input.integer("maxResults", 1, COUNT_MAX)?.unwrap_or(COUNT_MAX);
    let token = input.text("nextToken", &Text::NEXT_TOKEN)?;
    input.check()?;
    let now_ms = api.clock.epoch_ms();
    // The last one of the page before.
    let after = token.map(|token| place(&token, now_ms)).transpose()?;
    let mut queries = api.queries.list(now_ms);
    if let Some(after) = after {
        let at = queries.iter().position(|query| query.id == after).ok_or_else(LogsError::next_token)?;
        queries.drain(..=at);
    }
    queries.retain(|query| {
        group.as_ref().is_none_or(|group| query.groups.contains(group))
            && status.as_ref().is_none_or(|status| query.status().word() == status)
            && language.as_deref().is_none_or(|language| language == LANGUAGES[0])
    });
    let count = usize::try_from(count).unwrap_or(1);
    let next = (queries.len() > count).then(|| next_token(&queries[count - 1].id, now_ms));
    queries.truncate(count);
    let described: Vec<Value> = queries
        .iter()
        .map(|query| {
            json!({
                "queryLanguage": LANGUAGES[0],
                "queryId": query.id,
                "queryString": query.text,
                "status": query.status().word(),
                "createTime": query.created_ms,
                "logGroupName": query.groups.first(),
                "queryDuration": query.duration_ms(now_ms),
                "bytesScanned": query.progress().figures()[1] as f64,
            })
        })
        .collect();
    let mut output = json!({ "queries": described });
    if let Some(next) = next {
        output["nextToken"] = next.into();
    }
    Ok(output)
}
