//! DescribeLogStreams: by name, or by the time of the last event.

use std::cmp::Ordering;

use hearth_telemetry::LogStream;
use serde_json::{Value, json};

use crate::CloudWatchLogs;
use crate::describe_log_groups::PAGE_MAX;
use crate::error::LogsError;
use crate::identifier::{GroupMembers, group_arn};
use crate::input::{Input, Text};
use crate::token::{next_token, place};

/// Where streams come in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OrderBy {
    LogStreamName,
    LastEventTime,
}

/// What a stream is sorted by. One without events comes before all others, as if its last event were long ago.
type Key = (i64, String);

impl OrderBy {
    fn key(self, stream: &LogStream) -> Key {
        let last = stream.last_event_ms.unwrap_or(i64::MIN);
        (if self == Self::LastEventTime { last } else { 0 }, stream.name.clone())
    }
}

pub(crate) fn answer(api: &CloudWatchLogs, mut input: Input) -> Result<Value, LogsError> {
    let group = GroupMembers::read(&mut input)?;
    let prefix = input.text("logStreamNamePrefix", &Text::LOG_STREAM_NAME)?;
    let order = input.word("orderBy", &["LogStreamName", "LastEventTime"])?;
    let is_descending = input.boolean("descending")?.unwrap_or(false);
    let token = input.text("nextToken", &Text::NEXT_TOKEN)?;
    let limit = input.integer("limit", 1, PAGE_MAX)?.unwrap_or(PAGE_MAX);
    input.check()?;
    let order = match order.as_deref() {
        Some("LastEventTime") => OrderBy::LastEventTime,
        _ => OrderBy::LogStreamName,
    };
    if order == OrderBy::LastEventTime && prefix.is_some() {
        return Err(LogsError::invalid_parameter(
            "Cannot order by LastEventTime with a logStreamNamePrefix.",
        ));
    }
    api.logs.flush();
    let group = group.existing(api)?;
    let after =
        token.map(|token| read_token(&token, order, is_descending, api.clock.epoch_ms())).transpose()?;
    let in_order =
        |one: &Key, other: &Key| -> Ordering { if is_descending { other.cmp(one) } else { one.cmp(other) } };
    let mut streams: Vec<(Key, LogStream)> = api
        .logs
        .streams(&group.name)?
        .into_iter()
        .filter(|stream| prefix.as_ref().is_none_or(|prefix| stream.name.starts_with(prefix)))
        .map(|stream| (order.key(&stream), stream))
        .filter(|(key, _)| after.as_ref().is_none_or(|after| in_order(key, after) == Ordering::Greater))
        .collect();
    streams.sort_by(|(one, _), (other, _)| in_order(one, other));
    let limit = usize::try_from(limit).unwrap_or(1);
    let has_more = streams.len() > limit;
    streams.truncate(limit);
    let arn = group_arn(api, &group.name);
    let described: Vec<Value> = streams.iter().map(|(_, stream)| describe(&arn, stream)).collect();
    let mut output = json!({ "logStreams": described });
    if let Some((key, _)) = streams.last().filter(|_| has_more) {
        output["nextToken"] = write_token(key, order, is_descending, api.clock.epoch_ms()).into();
    }
    Ok(output)
}

fn write_token(key: &Key, order: OrderBy, is_descending: bool, now_ms: i64) -> String {
    next_token(&format!("{order:?}|{is_descending}|{}|{}", key.0, key.1), now_ms)
}

/// A token goes on in the order in which it was begun.
fn read_token(token: &str, order: OrderBy, is_descending: bool, now_ms: i64) -> Result<Key, LogsError> {
    let place = place(token, now_ms)?;
    let rest = place.strip_prefix(&format!("{order:?}|{is_descending}|"));
    let key = rest.and_then(|rest| {
        let (last_ms, name) = rest.split_once('|')?;
        Some((last_ms.parse().ok()?, name.to_owned()))
    });
    key.ok_or_else(LogsError::next_token)
}

fn describe(group_arn: &str, stream: &LogStream) -> Value {
    let mut described = json!({
        "logStreamName": stream.name,
        "creationTime": stream.created_ms,
        "arn": format!("{group_arn}:log-stream:{}", stream.name),
        "uploadSequenceToken": format!("{:056}", stream.last_ingestion_ms.unwrap_or(stream.created_ms)),
        // As on AWS, which counts the bytes of groups only.
        "storedBytes": 0,
    });
    for (member, value) in [
        ("firstEventTimestamp", stream.first_event_ms),
        ("lastEventTimestamp", stream.last_event_ms),
        ("lastIngestionTime", stream.last_ingestion_ms),
    ] {
        if let Some(value) = value {
            described[member] = value.into();
        }
    }
    described
}
