//! GetLogGroupFields: which fields the events of a group have, and how many of them in a hundred.

use std::collections::BTreeMap;

use hearth_telemetry::{EventQuery, PageBounds, StreamSelection};
use serde_json::{Value, json};

use crate::CloudWatchLogs;
use crate::error::LogsError;
use crate::identifier::GroupMembers;
use crate::input::Input;
use crate::insights::Event;

/// How far around the time that is asked for, or before now, events are looked at.
///
/// Source: CloudWatch Logs API reference, "GetLogGroupFields", read 2026-11.
const AROUND_MS: i64 = 8 * 60_000;
const BEFORE_NOW_MS: i64 = 15 * 60_000;
/// How many events are looked at: the last ones.
const LOOKED_AT: PageBounds =
    PageBounds { events_max: 1_000, bytes_max: 8 << 20, scanned_bytes_max: 64 << 20 };
/// How many fields are named.
const FIELDS_MAX: usize = 1_000;

pub(crate) fn answer(api: &CloudWatchLogs, mut input: Input) -> Result<Value, LogsError> {
    let group = GroupMembers::read(&mut input)?;
    let time_s = input.integer("time", 0, i64::MAX)?;
    input.check()?;
    api.logs.flush();
    let group = group.existing(api)?;
    let (start_ms, end_ms) = match time_s.map(|time_s| time_s.saturating_mul(1_000)) {
        Some(time_ms) => (time_ms.saturating_sub(AROUND_MS), time_ms.saturating_add(AROUND_MS)),
        None => (api.clock.epoch_ms() - BEFORE_NOW_MS, i64::MAX),
    };
    let query = EventQuery {
        streams: StreamSelection::All,
        start_ms: Some(start_ms),
        end_ms: Some(end_ms),
        matches: &|_| true,
    };
    let page = api.logs.read_backwards(&group.name, &query, None, LOOKED_AT)?;
    let count = page.events.len();
    let mut having: BTreeMap<String, usize> = BTreeMap::new();
    for event in page.events {
        for (name, _) in Event::new(event, format!("{}:{}", api.account, group.name)).all() {
            if having.len() < FIELDS_MAX || having.contains_key(&name) {
                *having.entry(name).or_default() += 1;
            }
        }
    }
    let mut fields: Vec<(String, usize)> =
        having.into_iter().map(|(name, having)| (name, having * 100 / count.max(1))).collect();
    // What most have, first.
    fields.sort_by_key(|(_, percent)| std::cmp::Reverse(*percent));
    let fields: Vec<Value> =
        fields.into_iter().map(|(name, percent)| json!({ "name": name, "percent": percent })).collect();
    Ok(json!({ "logGroupFields": fields }))
}
