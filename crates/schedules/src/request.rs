//! Reading what a request says of a schedule. Limits and patterns are those of EventBridge Scheduler's model, read 2026-11.

use hearth_store::ScheduleRecord;
use hearth_types::{AccountId, FunctionReference, Region};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use crate::error::ScheduleError;
use crate::expression::Expression;

/// The group that a schedule is in unless it names another.
pub(crate) const DEFAULT_GROUP: &str = "default";

const NAME_CHARS_MAX: usize = 64;
const DESCRIPTION_CHARS_MAX: usize = 512;
const TIMEZONE_CHARS_MAX: usize = 50;
const ARN_CHARS_MAX: usize = 1_600;
const CLIENT_TOKEN_CHARS_MAX: usize = 64;
const WINDOW_MINUTES: (u64, u64) = (1, 1_440);
const EVENT_AGE_SECONDS: (u64, u64) = (60, 86_400);
const RETRY_ATTEMPTS: (u64, u64) = (0, 185);
/// Source: "Target" in the API reference: "The maximum size of the Input field is 256 KB."
const INPUT_BYTES_MAX: usize = 256 << 10;

/// Members of a target that belong to other services than Lambda.
const OTHER_TARGETS: &[&str] = &[
    "EcsParameters",
    "EventBridgeParameters",
    "EventBridgePutEventsV2Parameters",
    "EventBridgePutRawEventsParameters",
    "KinesisParameters",
    "SageMakerPipelineParameters",
    "SqsParameters",
];

/// The document of CreateSchedule or UpdateSchedule.
pub(crate) struct Document(Map<String, Value>);

impl Document {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, ScheduleError> {
        if body.is_empty() {
            return Ok(Self(Map::new()));
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            _ => Err(ScheduleError::validation("The request is not a JSON object.")),
        }
    }

    /// Whether a member is there, and not empty.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.member(name).is_some_and(|value| value.as_array().is_none_or(|items| !items.is_empty()))
    }

    fn member(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&self, name: &str, chars: (usize, usize)) -> Result<Option<String>, ScheduleError> {
        let Some(value) = self.member(name) else { return Ok(None) };
        let member = lower_first(name);
        let Some(text) = value.as_str() else {
            return Err(ScheduleError::constraint(&value.to_string(), &member, "Member must be a string"));
        };
        let count = text.chars().count();
        if count < chars.0 {
            let constraint = format!("Member must have length greater than or equal to {}", chars.0);
            return Err(ScheduleError::constraint(text, &member, &constraint));
        }
        if count > chars.1 {
            let constraint = format!("Member must have length less than or equal to {}", chars.1);
            return Err(ScheduleError::constraint(text, &member, &constraint));
        }
        Ok(Some(text.to_owned()))
    }

    fn number(&self, name: &str, range: (u64, u64)) -> Result<Option<u32>, ScheduleError> {
        let Some(value) = self.member(name) else { return Ok(None) };
        let number = value.as_u64().filter(|number| (range.0..=range.1).contains(number));
        match number.and_then(|number| u32::try_from(number).ok()) {
            Some(number) => Ok(Some(number)),
            None => {
                let constraint = format!("Member must be a number from {} to {}", range.0, range.1);
                Err(ScheduleError::constraint(&value.to_string(), &lower_first(name), &constraint))
            }
        }
    }

    fn word(&self, name: &str, words: [&str; 2]) -> Result<Option<String>, ScheduleError> {
        let Some(text) = self.text(name, (0, usize::MAX))? else { return Ok(None) };
        if words.contains(&text.as_str()) {
            return Ok(Some(text));
        }
        let constraint = format!("Member must satisfy enum value set: [{}]", words.join(", "));
        Err(ScheduleError::constraint(&text, &lower_first(name), &constraint))
    }

    /// Reads a time: seconds since 1970 as clients send it, or a text.
    fn time_ms(&self, name: &str) -> Result<Option<i64>, ScheduleError> {
        let Some(value) = self.member(name) else { return Ok(None) };
        let epoch_ms = match value {
            Value::Number(seconds) => seconds
                .as_f64()
                .map(|seconds| (seconds * 1_000.0).round() as i64)
                .and_then(|epoch_ms| Timestamp::from_millisecond(epoch_ms).ok()),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        match epoch_ms {
            Some(time) => Ok(Some(time.as_millisecond())),
            None => Err(ScheduleError::constraint(
                &value.to_string(),
                &lower_first(name),
                "Member must be a timestamp",
            )),
        }
    }

    fn object(&self, name: &str) -> Result<Option<Document>, ScheduleError> {
        match self.member(name) {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(Document(members.clone()))),
            Some(other) => Err(ScheduleError::constraint(
                &other.to_string(),
                &lower_first(name),
                "Member must be a structure",
            )),
        }
    }

    /// Returns the group that is named.
    pub(crate) fn group(&self) -> Result<String, ScheduleError> {
        match self.text("GroupName", (1, NAME_CHARS_MAX))? {
            Some(name) => checked_name(&name, "groupName").map(|()| name),
            None => Ok(DEFAULT_GROUP.to_owned()),
        }
    }

    /// Reads a schedule that is made or changed at `now_ms`.
    pub(crate) fn schedule(
        &self,
        name: &str,
        now_ms: i64,
        (region, account): (&Region, &AccountId),
    ) -> Result<ScheduleRecord, ScheduleError> {
        checked_name(name, "name")?;
        let required = |member: &str, given: Option<String>| {
            given.ok_or_else(|| ScheduleError::missing(&lower_first(member)))
        };
        let text = self.text("ScheduleExpression", (1, usize::MAX))?;
        let expression = required("ScheduleExpression", text)?;
        let timezone = self.text("ScheduleExpressionTimezone", (1, TIMEZONE_CHARS_MAX))?;
        let timezone = timezone.unwrap_or_else(|| "UTC".to_owned());
        let (parsed, zone) = parsed(&expression, &timezone)?;
        let (start_ms, end_ms) = (self.time_ms("StartDate")?, self.time_ms("EndDate")?);
        if let (Some(start_ms), Some(end_ms)) = (start_ms, end_ms)
            && start_ms >= end_ms
        {
            return Err(ScheduleError::validation("The StartDate is not before the EndDate."));
        }
        let target = self.object("Target")?.ok_or_else(|| ScheduleError::missing("target"))?;
        let target_arn = required("target.arn", target.text("Arn", (1, ARN_CHARS_MAX))?)?;
        check_target(&target_arn, region, account)?;
        let role_arn = required("target.roleArn", target.text("RoleArn", (1, ARN_CHARS_MAX))?)?;
        if !role_arn.starts_with("arn:aws") || !role_arn.contains(":role/") {
            let constraint = "Member must satisfy regular expression pattern: \
                              arn:aws[a-z-]*:iam::\\d{12}:role\\/[\\w+=,.@\\/-]+";
            return Err(ScheduleError::constraint(&role_arn, "target.roleArn", constraint));
        }
        if let Some(member) = OTHER_TARGETS.iter().find(|member| target.member(member).is_some()) {
            return Err(ScheduleError::unsupported(&format!("Target.{member}")));
        }
        if target.object("DeadLetterConfig")?.is_some_and(|config| !config.0.is_empty()) {
            return Err(ScheduleError::unsupported("Target.DeadLetterConfig"));
        }
        if self.member("KmsKeyArn").is_some() {
            return Err(ScheduleError::unsupported("KmsKeyArn"));
        }
        let input = target.text("Input", (1, INPUT_BYTES_MAX))?;
        if let Some(input) = &input
            && (input.len() > INPUT_BYTES_MAX
                || serde_json::from_str::<serde::de::IgnoredAny>(input).is_err())
        {
            return Err(ScheduleError::validation(
                "Target.Input must be well-formed JSON of at most 256 KB.",
            ));
        }
        let retries = target.object("RetryPolicy")?.unwrap_or(Document(Map::new()));
        let window = self.object("FlexibleTimeWindow")?;
        let window = window.ok_or_else(|| ScheduleError::missing("flexibleTimeWindow"))?;
        let mode = required("flexibleTimeWindow.mode", window.word("Mode", ["OFF", "FLEXIBLE"])?)?;
        let minutes = window.number("MaximumWindowInMinutes", WINDOW_MINUTES)?;
        let window_minutes = match (mode.as_str(), minutes) {
            ("OFF", None) | ("FLEXIBLE", Some(_)) => minutes,
            ("OFF", Some(_)) => {
                return Err(ScheduleError::validation(
                    "MaximumWindowInMinutes must not be set when Mode is OFF.",
                ));
            }
            _ => return Err(ScheduleError::missing("flexibleTimeWindow.maximumWindowInMinutes")),
        };
        let is_enabled = self.word("State", ["ENABLED", "DISABLED"])?.is_none_or(|state| state == "ENABLED");
        let first_ms = parsed.first_ms(&zone, now_ms, start_ms);
        Ok(ScheduleRecord {
            group: self.group()?,
            name: name.to_owned(),
            timezone,
            start_ms,
            end_ms,
            description: self.text("Description", (0, DESCRIPTION_CHARS_MAX))?,
            is_enabled,
            target_arn,
            role_arn,
            input,
            event_age_seconds_max: retries
                .number("MaximumEventAgeInSeconds", EVENT_AGE_SECONDS)?
                .unwrap_or(EVENT_AGE_SECONDS.1 as u32),
            retry_attempts_max: retries
                .number("MaximumRetryAttempts", RETRY_ATTEMPTS)?
                .unwrap_or(RETRY_ATTEMPTS.1 as u32),
            window_minutes,
            is_deleted_after: self
                .word("ActionAfterCompletion", ["NONE", "DELETE"])?
                .is_some_and(|word| word == "DELETE"),
            client_token: self.text("ClientToken", (1, CLIENT_TOKEN_CHARS_MAX))?,
            created_ms: now_ms,
            modified_ms: now_ms,
            next_ms: within(&parsed, end_ms, first_ms),
            expression,
        })
    }
}

/// Keeps a time only if it is not behind the end, which means nothing to what runs once.
pub(crate) fn within(expression: &Expression, end_ms: Option<i64>, next_ms: Option<i64>) -> Option<i64> {
    let end_ms = end_ms.filter(|_| !matches!(expression, Expression::At(_)));
    next_ms.filter(|next_ms| end_ms.is_none_or(|end_ms| *next_ms <= end_ms))
}

/// Reads an expression and the name of a time zone.
pub(crate) fn parsed(expression: &str, timezone: &str) -> Result<(Expression, TimeZone), ScheduleError> {
    let parsed = Expression::parse(expression).map_err(|error| {
        let shown: String = expression.chars().filter(|c| !c.is_control()).take(256).collect();
        ScheduleError::validation(format!("Invalid Schedule Expression {shown}. {error}"))
    })?;
    let zone = TimeZone::get(timezone).map_err(|_| {
        ScheduleError::constraint(
            timezone,
            "scheduleExpressionTimezone",
            "Member must be the name of a time zone",
        )
    })?;
    Ok((parsed, zone))
}

pub(crate) fn checked_name(name: &str, member: &str) -> Result<(), ScheduleError> {
    let is_name = (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if is_name {
        return Ok(());
    }
    Err(ScheduleError::constraint(
        name,
        member,
        "Member must satisfy regular expression pattern: [0-9a-zA-Z-_.]+, and have a length of at most 64",
    ))
}

/// Only functions of this account in this region can be called.
fn check_target(arn: &str, region: &Region, account: &AccountId) -> Result<(), ScheduleError> {
    let function = FunctionReference::parse(arn).ok().filter(|_| arn.starts_with("arn:"));
    let Some(function) = function else {
        return Err(ScheduleError::validation(format!(
            "Provided Arn is not in correct format, or not of a Lambda function, which is all that Hearth calls: {arn}"
        )));
    };
    if function.region.as_ref() != Some(region) || function.account.as_ref() != Some(account) {
        return Err(ScheduleError::validation(format!(
            "The function of Target.Arn has to be of the region {region} and the account {account}: {arn}"
        )));
    }
    Ok(())
}

/// `ScheduleExpression` is called `scheduleExpression` in what AWS says of it.
fn lower_first(member: &str) -> String {
    let mut letters = member.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}
