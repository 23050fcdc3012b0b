//! StartLiveTail: begins a session that sends what is logged from now on.

use std::sync::Arc;

use hearth_aws_wire::Response;
use hearth_telemetry::StreamSelection;
use hearth_types::Arn;

use crate::CloudWatchLogs;
use crate::error::LogsError;
use crate::filter_pattern::FilterPattern;
use crate::identifier::of_identifier;
use crate::input::{Input, Text};
use crate::live_tail::{Asked, LiveTail, SESSION_LIMIT, Wanted, end_of};

pub(crate) fn answer(
    api: &Arc<CloudWatchLogs>,
    mut input: Input,
    request_id: &str,
) -> Result<Response, LogsError> {
    let identifiers = input.required_texts("logGroupIdentifiers", 1, 10, &Text::LOG_GROUP_IDENTIFIER)?;
    let names = input.texts("logStreamNames", 1, 100, &Text::LOG_STREAM_NAME)?;
    let prefixes = input.texts("logStreamNamePrefixes", 1, 100, &Text::LOG_STREAM_NAME)?;
    let written = input.text("logEventFilterPattern", &Text::FILTER_PATTERN)?;
    input.check()?;
    let pattern = FilterPattern::parse(written.as_deref().unwrap_or_default())?;
    let asked = Asked {
        identifiers: identifiers.clone(),
        names: names.clone(),
        prefixes: prefixes.clone(),
        pattern: written,
    };
    let (streams, prefixes) = match (names, prefixes) {
        (Some(_), Some(_)) => {
            return Err(LogsError::invalid_parameter(
                "logStreamNames and logStreamNamePrefixes are mutually exclusive parameters.",
            ));
        }
        (Some(_), None) | (None, Some(_)) if identifiers.len() > 1 => {
            return Err(LogsError::invalid_parameter(
                "logStreamNames and logStreamNamePrefixes can be specified with a single log group only.",
            ));
        }
        (Some(names), None) => (StreamSelection::Named(names), Vec::new()),
        (None, prefixes) => (StreamSelection::All, prefixes.unwrap_or_default()),
    };
    if let Some(wrong) = identifiers.iter().find(|text| Arn::parse(text).is_none() || text.ends_with('*')) {
        return Err(LogsError::invalid_parameter(format!(
            "A log group has to be named by its ARN, which does not end with `:*`: {wrong}"
        )));
    }
    // What was put before is not of this session.
    api.logs.flush();
    let mut groups = Vec::new();
    for identifier in &identifiers {
        let name = of_identifier(api, identifier)?.name;
        if groups.iter().all(|(other, _)| *other != name) {
            let end = end_of(api, &name)?;
            groups.push((name, end));
        }
    }
    let place = api.live_tails.clone().try_acquire_owned();
    let place = place.map_err(|_| LogsError::limit_exceeded("Too many live tails are open at once."))?;
    let wanted = Wanted { groups, streams, prefixes, pattern };
    Ok(LiveTail::new(api.clone(), wanted, place, SESSION_LIMIT).into_response(&asked, request_id))
}
