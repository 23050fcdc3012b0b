//! What an event source mapping is: a source, a function, and how records come from one to the other.

use std::collections::BTreeMap;

use hearth_store::EventSourceMappingRecord;
use hearth_types::{Arn, FunctionName, NameError, Qualifier};

use crate::filter::{Filter, FilterError};

/// The response type that lets a function name the records that it could not work off.
pub const REPORT_BATCH_ITEM_FAILURES: &str = "ReportBatchItemFailures";

/// What kind of source a mapping has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// A standard queue of SQS.
    SqsStandard,
    /// A FIFO queue of SQS.
    SqsFifo,
    /// A data stream of Kinesis.
    Kinesis,
    /// The stream of a table of DynamoDB.
    DynamoDbStreams,
}

impl SourceKind {
    /// Whether it is a queue, and not a stream.
    pub const fn is_queue(self) -> bool {
        matches!(self, Self::SqsStandard | Self::SqsFifo)
    }
}

/// Why an ARN is no source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Lambda has no such source.
    #[error("it is no source of events")]
    Unrecognized,
    /// Lambda has it, and Hearth has not.
    #[error("Hearth does not poll {0}")]
    NotPolled(&'static str),
}

/// The queue or stream that a mapping polls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its ARN.
    pub arn: String,
    /// What it is.
    pub kind: SourceKind,
    /// The region in its ARN.
    pub region: String,
    /// The account in its ARN.
    pub account: String,
    /// What follows in its ARN.
    pub resource: String,
}

impl Source {
    /// Reads an ARN.
    pub fn parse(arn: &str) -> Result<Self, SourceError> {
        let Arn { service, region, account, resource, .. } =
            Arn::parse(arn).ok_or(SourceError::Unrecognized)?;
        let kind = match service {
            "sqs" if resource.ends_with(".fifo") => SourceKind::SqsFifo,
            "sqs" => SourceKind::SqsStandard,
            "kinesis" if resource.contains("/consumer/") => {
                return Err(SourceError::NotPolled("consumers of Amazon Kinesis with enhanced fan-out"));
            }
            "kinesis" if resource.starts_with("stream/") => SourceKind::Kinesis,
            "dynamodb" if resource.starts_with("table/") && resource.contains("/stream/") => {
                SourceKind::DynamoDbStreams
            }
            "kafka" => return Err(SourceError::NotPolled("Amazon MSK")),
            "mq" => return Err(SourceError::NotPolled("Amazon MQ")),
            "rds" => return Err(SourceError::NotPolled("Amazon DocumentDB")),
            _ => return Err(SourceError::Unrecognized),
        };
        if resource.is_empty() {
            return Err(SourceError::Unrecognized);
        }
        let [arn, region, account, resource] = [arn, region, account, resource].map(str::to_owned);
        Ok(Self { arn, kind, region, account, resource })
    }
}

/// A mapping as it is polled: what is kept, read once.
#[derive(Debug)]
pub struct Mapping {
    /// What is kept.
    pub record: EventSourceMappingRecord,
    /// Its source.
    pub source: Source,
    /// Its function.
    pub function: FunctionName,
    /// The version or alias that is called.
    pub qualifier: Option<Qualifier>,
    pub(crate) filter: Filter,
}

/// Why a record is no mapping.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Filter(#[from] FilterError),
}

impl Mapping {
    pub(crate) fn of(record: EventSourceMappingRecord) -> Result<Self, RecordError> {
        let source = Source::parse(&record.event_source_arn)?;
        let function = FunctionName::new(&record.function)?;
        let qualifier = record.qualifier.as_deref().map(Qualifier::parse).transpose()?;
        let filter = Filter::parse(source.kind, &record.filters)?;
        Ok(Self { record, source, function, qualifier, filter })
    }

    /// Whether the function names the records that it could not work off.
    pub(crate) fn reports_failures(&self) -> bool {
        self.record.response_types.iter().any(|kind| kind == REPORT_BATCH_ITEM_FAILURES)
    }
}

/// Where a mapping stands, as AWS's `State`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MappingState {
    /// It is new, and about to be polled.
    Creating,
    /// It was switched on, and is about to be polled.
    Enabling,
    /// It is polled.
    Enabled,
    /// It was switched off, and finishes what it has begun.
    Disabling,
    /// It is not polled.
    Disabled,
    /// It was changed, and finishes what it has begun.
    Updating,
    /// It is going to be gone.
    Deleting,
}

impl MappingState {
    /// Returns AWS's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "Creating",
            Self::Enabling => "Enabling",
            Self::Enabled => "Enabled",
            Self::Disabling => "Disabling",
            Self::Disabled => "Disabled",
            Self::Updating => "Updating",
            Self::Deleting => "Deleting",
        }
    }

    /// Whether nothing is under way.
    pub(crate) const fn is_settled(self) -> bool {
        matches!(self, Self::Enabled | Self::Disabled)
    }
}

/// From where a stream is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartingPosition {
    /// From what comes from now on.
    Latest,
    /// From the oldest record that is there.
    TrimHorizon,
    /// From what came at a time or later, in milliseconds since 1970.
    AtTimestamp(i64),
}

/// What can be set of a mapping. What is `None` stays as it is, or has the default of its source.
#[derive(Debug, Clone, Default)]
pub struct MappingChange {
    /// The function, and the version or alias of it.
    pub function: Option<(FunctionName, Option<Qualifier>)>,
    /// Whether the source is polled.
    pub enabled: Option<bool>,
    /// How many records a batch has at most.
    pub batch_size: Option<u32>,
    /// How long records are gathered, in seconds.
    pub window_seconds: Option<u32>,
    /// Patterns, one of which a record has to match. Without any, all do.
    pub filters: Option<Vec<String>>,
    /// `ReportBatchItemFailures`, or nothing.
    pub response_types: Option<Vec<String>>,
    /// How many calls of a queue's batches run at once; `None` inside: as many as there is room for.
    pub concurrency_max: Option<Option<u32>>,
    /// How many batches of a shard run at once.
    pub parallelization_factor: Option<u32>,
    /// The ARN of who hears of records that are given up; empty for nobody.
    pub on_failure: Option<String>,
    /// How old a record may be, in seconds; -1: any age.
    pub record_age_seconds_max: Option<i64>,
    /// How often a batch is tried again; -1: until its records are too old.
    pub retries_max: Option<i64>,
    /// Whether a batch that fails is split.
    pub bisect: Option<bool>,
    /// How long a tumbling window is, in seconds; 0: there is none.
    pub tumbling_window_seconds: Option<u32>,
}

impl MappingChange {
    /// Changes `record`.
    pub(crate) fn apply(self, record: &mut EventSourceMappingRecord) {
        fn set<T>(to: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *to = value;
            }
        }
        if let Some((function, qualifier)) = self.function {
            record.function = function.to_string();
            record.qualifier = qualifier.map(|qualifier| qualifier.to_string());
        }
        set(&mut record.enabled, self.enabled);
        set(&mut record.batch_size, self.batch_size);
        set(&mut record.window_seconds, self.window_seconds);
        set(&mut record.filters, self.filters);
        set(&mut record.response_types, self.response_types);
        set(&mut record.concurrency_max, self.concurrency_max);
        set(&mut record.parallelization_factor, self.parallelization_factor);
        set(&mut record.on_failure, self.on_failure.map(|arn| Some(arn).filter(|arn| !arn.is_empty())));
        set(&mut record.record_age_seconds_max, self.record_age_seconds_max);
        set(&mut record.retries_max, self.retries_max);
        set(&mut record.bisect, self.bisect);
        set(&mut record.tumbling_window_seconds, self.tumbling_window_seconds);
    }
}

/// A mapping that is to be made.
#[derive(Debug, Clone)]
pub struct NewMapping {
    /// The source.
    pub source: Source,
    /// From where it is read, when it is a stream.
    pub starting_position: Option<StartingPosition>,
    /// What is set; the function has to be.
    pub settings: MappingChange,
    /// The tags.
    pub tags: BTreeMap<String, String>,
}

impl NewMapping {
    /// Returns the record with the defaults of its source.
    ///
    /// Source: Lambda API Reference, "CreateEventSourceMapping", and recorded answers, read 2026-11.
    pub(crate) fn record(self, uuid: String, revision_id: String, now_ms: i64) -> EventSourceMappingRecord {
        let starting_timestamp_ms = match self.starting_position {
            Some(StartingPosition::AtTimestamp(timestamp_ms)) => Some(timestamp_ms),
            Some(StartingPosition::Latest | StartingPosition::TrimHorizon) | None => None,
        };
        let starting_position = self.starting_position.map(|position| match position {
            StartingPosition::Latest => "LATEST".to_owned(),
            StartingPosition::TrimHorizon => "TRIM_HORIZON".to_owned(),
            StartingPosition::AtTimestamp(_) => "AT_TIMESTAMP".to_owned(),
        });
        let mut record = EventSourceMappingRecord {
            uuid,
            revision_id,
            function: String::new(),
            qualifier: None,
            event_source_arn: self.source.arn,
            enabled: true,
            deleting: false,
            last_modified_ms: now_ms,
            batch_size: if self.source.kind.is_queue() { 10 } else { 100 },
            window_seconds: 0,
            filters: Vec::new(),
            response_types: Vec::new(),
            concurrency_max: None,
            parallelization_factor: 1,
            starting_position,
            starting_timestamp_ms,
            on_failure: None,
            record_age_seconds_max: -1,
            retries_max: -1,
            bisect: false,
            tumbling_window_seconds: 0,
            tags: self.tags,
        };
        self.settings.apply(&mut record);
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_apart_by_their_arns() {
        let kind = |arn: &str| Source::parse(arn).map(|source| source.kind);
        assert_eq!(kind("arn:aws:sqs:us-east-1:000000000000:q"), Ok(SourceKind::SqsStandard));
        assert_eq!(kind("arn:aws:sqs:us-east-1:000000000000:q.fifo"), Ok(SourceKind::SqsFifo));
        assert_eq!(kind("arn:aws:kinesis:us-east-1:000000000000:stream/s"), Ok(SourceKind::Kinesis));
        let stream = "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026-01-01T00:00:00.000";
        assert_eq!(kind(stream), Ok(SourceKind::DynamoDbStreams));
        for arn in [
            "",
            "q",
            "arn:aws:sqs:us-east-1:000000000000:",
            "arn:aws:dynamodb:us-east-1:000000000000:table/t",
        ] {
            assert_eq!(kind(arn), Err(SourceError::Unrecognized), "{arn}");
        }
        let consumer = "arn:aws:kinesis:us-east-1:000000000000:stream/s/consumer/c:1";
        for arn in [consumer, "arn:aws:kafka:us-east-1:1:cluster/c/1", "arn:aws:mq:us-east-1:1:broker:b"] {
            assert!(matches!(kind(arn), Err(SourceError::NotPolled(_))), "{arn}");
        }
    }
}
