//! Which group a request means: by its name, or by an ARN with or without `:*`.

use hearth_telemetry::LogGroup;
use hearth_types::{Arn, LogGroupName, LogStreamName};

use crate::CloudWatchLogs;
use crate::error::LogsError;
use crate::input::{Input, Text};

/// The group of a request that names it by `logGroupName` or by `logGroupIdentifier`.
#[derive(Debug)]
pub(crate) struct GroupMembers {
    name: Option<String>,
    identifier: Option<String>,
}

impl GroupMembers {
    pub(crate) fn read(input: &mut Input) -> Result<Self, LogsError> {
        let name = input.text("logGroupName", &Text::LOG_GROUP_NAME)?;
        let identifier = input.text("logGroupIdentifier", &Text::LOG_GROUP_IDENTIFIER)?;
        Ok(Self { name, identifier })
    }

    /// Returns the group, which has to exist.
    pub(crate) fn existing(self, api: &CloudWatchLogs) -> Result<LogGroup, LogsError> {
        match (self.name, self.identifier) {
            (Some(_), Some(_)) => Err(LogsError::validation(
                "LogGroup name and LogGroup ARN are mutually exclusive parameters.",
            )),
            (None, None) => {
                Err(LogsError::invalid_parameter("LogGroup name or LogGroup ARN must be specified."))
            }
            (Some(name), None) => existing(api, &name),
            (None, Some(identifier)) => of_identifier(api, &identifier),
        }
    }
}

/// Returns the group of a name that satisfies the model.
pub(crate) fn existing(api: &CloudWatchLogs, name: &str) -> Result<LogGroup, LogsError> {
    Ok(api.logs.group(&group_name(name)?)?)
}

/// Returns the group of a name or an ARN.
pub(crate) fn of_identifier(api: &CloudWatchLogs, identifier: &str) -> Result<LogGroup, LogsError> {
    let Some(arn) = Arn::parse(identifier) else { return existing(api, identifier) };
    let ours =
        arn.service == "logs" && arn.region == api.region.as_str() && arn.account == api.account.as_str();
    let name = arn.resource.strip_prefix("log-group:").filter(|_| ours);
    let name = name.map(|name| name.strip_suffix(":*").unwrap_or(name));
    existing(api, name.ok_or_else(LogsError::group_not_found)?)
}

/// What the model allows and nothing can have, does not exist.
pub(crate) fn group_name(name: &str) -> Result<LogGroupName, LogsError> {
    LogGroupName::new(name).map_err(|_| LogsError::group_not_found())
}

/// As [`group_name`], for a stream.
pub(crate) fn stream_name(name: &str) -> Result<LogStreamName, LogsError> {
    LogStreamName::new(name).map_err(|_| {
        LogsError::invalid_parameter(
            "Invalid LogGroup or LogStream, both must have length less than or equal to 512.",
        )
    })
}

/// The ARN of a group, as resources are tagged by.
pub(crate) fn group_arn(api: &CloudWatchLogs, name: &LogGroupName) -> String {
    format!("arn:aws:logs:{}:{}:log-group:{name}", api.region, api.account)
}
