//! `DurableConfig`: what makes a function durable. It is said when the function is made, or never.

use hearth_functions::{DurableConfiguration, Function};

use crate::error::ApiError;
use crate::generated::shapes::DurableConfig;

/// How long an execution may take when its function does not say, in seconds: a day. Ours: AWS's is not documented.
const EXECUTION_TIMEOUT_S_DEFAULT: u32 = 86_400;
/// How long an execution is kept when its function does not say, in days. Source: Lambda Developer Guide, "Configure Lambda
/// durable functions", read 2026-11.
const RETENTION_DAYS_DEFAULT: u32 = 14;

/// Reads the configuration of a new function, whose bounds the model has checked.
pub(crate) fn read(config: DurableConfig) -> DurableConfiguration {
    let defaults = DurableConfiguration {
        execution_timeout_s: EXECUTION_TIMEOUT_S_DEFAULT,
        retention_days: RETENTION_DAYS_DEFAULT,
        kms_key_arn: None,
    };
    with(defaults, config)
}

/// Reads a change of the configuration of a function. What is not said stays.
pub(crate) fn change(function: &Function, config: DurableConfig) -> Result<DurableConfiguration, ApiError> {
    match &function.configuration.durable {
        Some(durable) => Ok(with(durable.clone(), config)),
        None => Err(ApiError::invalid_parameter(
            "DurableConfig can be set only when a function is created: this function is not durable",
        )),
    }
}

fn with(current: DurableConfiguration, config: DurableConfig) -> DurableConfiguration {
    let number = |value: Option<i64>, current: u32| {
        value.and_then(|value| u32::try_from(value).ok()).unwrap_or(current)
    };
    DurableConfiguration {
        execution_timeout_s: number(config.execution_timeout, current.execution_timeout_s),
        retention_days: number(config.retention_period_in_days, current.retention_days),
        kms_key_arn: match config.kms_key_arn {
            None => current.kms_key_arn,
            Some(arn) => Some(arn).filter(|arn| !arn.is_empty()),
        },
    }
}

/// Describes it in replies.
pub(crate) fn describe(durable: &DurableConfiguration) -> DurableConfig {
    DurableConfig {
        kms_key_arn: durable.kms_key_arn.clone(),
        retention_period_in_days: Some(durable.retention_days.into()),
        execution_timeout: Some(durable.execution_timeout_s.into()),
    }
}
