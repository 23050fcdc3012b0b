//! GetLogRecord: all fields of the event that `@ptr` of a query's result names.

use hearth_telemetry::{EventQuery, PageBounds, StreamSelection};
use serde_json::{Map, Value, json};

use crate::CloudWatchLogs;
use crate::error::LogsError;
use crate::identifier::group_name;
use crate::input::{Input, Text};
use crate::insights::{Event, pointer_position, position_of};

pub(crate) fn answer(api: &CloudWatchLogs, mut input: Input) -> Result<Value, LogsError> {
    let pointer = input.required_text("logRecordPointer", &Text::LOG_RECORD_POINTER)?;
    let _unmask = input.boolean("unmask")?;
    input.check()?;
    let wrong = || LogsError::invalid_parameter("The specified logRecordPointer is invalid.");
    let (position, group) = pointer_position(&pointer).ok_or_else(wrong)?;
    let group = group_name(&group).map_err(|_| wrong())?;
    let gone = || LogsError::not_found("The specified log record does not exist.");
    let query =
        EventQuery { streams: StreamSelection::All, start_ms: None, end_ms: None, matches: &|_| true };
    let bounds = PageBounds { events_max: 1, bytes_max: usize::MAX, scanned_bytes_max: 8 << 20 };
    let page = api.logs.read_forwards(&group, &query, position, bounds).map_err(|error| match error {
        hearth_telemetry::LogStoreError::Cursor(_) => gone(),
        error => error.into(),
    })?;
    let event =
        page.events.into_iter().next().map(|event| Event::new(event, format!("{}:{group}", api.account)));
    let event = event.filter(|event| position_of(event) == position).ok_or_else(gone)?;
    let mut record: Map<String, Value> =
        event.all().into_iter().map(|(name, value)| (name, value.into())).collect();
    record.insert("@ptr".to_owned(), pointer.into());
    Ok(json!({ "logRecord": record }))
}
