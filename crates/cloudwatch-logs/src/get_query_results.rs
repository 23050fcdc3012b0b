//! GetQueryResults: how a query is, and what it has found.

use serde_json::{Value, json};

use crate::CloudWatchLogs;
use crate::error::LogsError;
use crate::input::{Input, Text};
use crate::insights::LIMIT_MAX;
use crate::start_query::LANGUAGES;
use crate::token::{next_token, place};

pub(crate) fn answer(api: &CloudWatchLogs, mut input: Input) -> Result<Value, LogsError> {
    let id = input.required_text("queryId", &Text::QUERY_ID)?;
    let token = input.text("nextToken", &Text::NEXT_TOKEN)?;
    let count = input.integer("maxItems", 0, LIMIT_MAX as i64)?;
    input.check()?;
    let now_ms = api.clock.epoch_ms();
    let query = api.queries.find(&id, now_ms)?;
    let from = match token {
        None => 0,
        Some(token) => place(&token, now_ms)?.parse::<usize>().map_err(|_| LogsError::next_token())?,
    };
    // Before the results, which are there with the end.
    let status = query.status();
    let results = query.results();
    let count = count.and_then(|count| usize::try_from(count).ok()).filter(|count| *count > 0);
    let until = from.saturating_add(count.unwrap_or(LIMIT_MAX)).min(results.len());
    let rows: Vec<Value> = results
        .get(from..until)
        .unwrap_or_default()
        .iter()
        .map(|row| row.iter().map(|(field, value)| json!({ "field": field, "value": value })).collect())
        .collect();
    let [scanned, bytes, matched, groups] = query.progress().figures();
    let mut output = json!({
        "queryLanguage": LANGUAGES[0],
        "results": rows,
        "statistics": {
            "recordsMatched": matched as f64,
            "recordsScanned": scanned as f64,
            "bytesScanned": bytes as f64,
            "logGroupsScanned": groups as f64,
            "estimatedRecordsSkipped": 0.0,
            "estimatedBytesSkipped": 0.0,
            "resultCount": results.len() as f64,
        },
        "status": status.word(),
    });
    if until < results.len() {
        output["nextToken"] = next_token(&until.to_string(), now_ms).into();
    }
    Ok(output)
}
