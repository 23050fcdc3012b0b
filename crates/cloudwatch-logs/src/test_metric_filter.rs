//! TestMetricFilter: which of some messages a filter pattern wants, and what it names in them. For trying patterns out.

use serde_json::{Value, json};

use crate::CloudWatchLogs;
use crate::error::LogsError;
use crate::filter_pattern::FilterPattern;
use crate::input::{Input, Text};

pub(crate) fn answer(_api: &CloudWatchLogs, mut input: Input) -> Result<Value, LogsError> {
    let pattern = input.required_text("filterPattern", &Text::FILTER_PATTERN)?;
    let messages = input.required_texts("logEventMessages", 1, 50, &Text::EVENT_MESSAGE)?;
    input.check()?;
    let pattern = FilterPattern::parse(&pattern)?;
    let wanted = messages.iter().enumerate().filter(|(_, message)| pattern.matches(message));
    let matches: Vec<Value> = wanted
        .map(|(number, message)| {
            json!({
                "eventNumber": number + 1,
                "eventMessage": message,
                "extractedValues": pattern.extracted(message),
            })
        })
        .collect();
    Ok(json!({ "matches": matches }))
}
