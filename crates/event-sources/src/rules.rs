//! What a mapping may be set to, by source. The texts are AWS's where they are recorded, and made after them elsewhere.

use hearth_store::EventSourceMappingRecord;

use crate::filter::FilterError;
use crate::mapping::{MappingChange, Source, SourceKind};

/// A rule that is broken, as the caller is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BrokenRule(pub String);

/// Refuses members that a source does not have.
pub(crate) fn check_members(source: &Source, change: &MappingChange) -> Result<(), BrokenRule> {
    let is_queue = source.kind.is_queue();
    let of_streams = [
        (change.parallelization_factor.is_some(), "ParallelizationFactor"),
        (change.on_failure.as_ref().is_some_and(|arn| !arn.is_empty()), "DestinationConfig"),
        (change.record_age_seconds_max.is_some(), "MaximumRecordAgeInSeconds"),
        (change.retries_max.is_some(), "MaximumRetryAttempts"),
        (change.bisect.is_some(), "BisectBatchOnFunctionError"),
        (change.tumbling_window_seconds.is_some(), "TumblingWindowInSeconds"),
    ];
    let of_queues = [(matches!(change.concurrency_max, Some(Some(_))), "ScalingConfig")];
    let foreign = if is_queue { &of_streams[..] } else { &of_queues[..] };
    match foreign.iter().find(|(is_set, _)| *is_set) {
        Some((_, member)) => Err(unsupported(member)),
        None => Ok(()),
    }
}

/// Refuses values that do not go together.
pub(crate) fn check_values(source: &Source, record: &EventSourceMappingRecord) -> Result<(), BrokenRule> {
    let broken = |text: &str| Err(BrokenRule(text.to_owned()));
    match source.kind {
        SourceKind::SqsFifo if record.window_seconds > 0 => {
            return broken("Batching window is not supported for FIFO queues.");
        }
        SourceKind::SqsFifo if record.batch_size > 10 => {
            return broken("Batch size must be between 1 and 10 for FIFO queues.");
        }
        SourceKind::SqsStandard if record.batch_size > 10 && record.window_seconds == 0 => {
            return broken(
                "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
            );
        }
        SourceKind::SqsStandard | SourceKind::SqsFifo | SourceKind::Kinesis | SourceKind::DynamoDbStreams => {
        }
    }
    if source.kind.is_queue() {
        return match record.starting_position {
            Some(_) => Err(unsupported("StartingPosition")),
            None => Ok(()),
        };
    }
    match (record.starting_position.as_deref(), record.starting_timestamp_ms) {
        (Some("AT_TIMESTAMP"), _) if source.kind == SourceKind::DynamoDbStreams => {
            return Err(BrokenRule(format!("Unsupported starting position for arn type: {}", source.arn)));
        }
        (Some("AT_TIMESTAMP"), None) => {
            return broken("StartingPositionTimestamp is required for StartingPosition AT_TIMESTAMP.");
        }
        _ => {}
    }
    if (0..60).contains(&record.record_age_seconds_max) {
        return broken("MaximumRecordAgeInSeconds must be -1, or between 60 and 604800.");
    }
    if record.tumbling_window_seconds > 0 && record.parallelization_factor > 1 {
        return broken("ParallelizationFactor must be 1 with TumblingWindowInSeconds.");
    }
    let destination = record.on_failure.as_deref().unwrap_or("arn:aws:sqs:::");
    match destination.split(':').nth(2) {
        Some("sqs" | "sns" | "s3") if destination.starts_with("arn:") => Ok(()),
        _ => Err(BrokenRule(format!(
            "The provided destination config DestinationConfig(onSuccess=null, \
             onFailure=OnFailure(destination={destination})) is invalid."
        ))),
    }
}

impl From<FilterError> for BrokenRule {
    fn from(error: FilterError) -> Self {
        match error {
            FilterError::Pattern(_) => Self("Invalid filter pattern definition.".to_owned()),
            FilterError::TooMany => Self("FilterCriteria must not have more than 5 filters.".to_owned()),
        }
    }
}

fn unsupported(member: &str) -> BrokenRule {
    BrokenRule(format!("Unsupported {member} parameter for given event source mapping type."))
}
