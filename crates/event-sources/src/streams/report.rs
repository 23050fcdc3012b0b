//! What is said of records that are given up: the record of a failure for a queue, topic or bucket.
//!
//! Source: Lambda Developer Guide, "Retain discarded batch records for a Kinesis data stream event source", and recorded
//! records, read 2026-11.

use hearth_destinations::object_key;
use hearth_types::{RequestId, random_uuid};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::stream::StreamRecord;
use crate::call::FailedCall;
use crate::mapping::{Source, SourceKind};

/// Why records are given up, as AWS's records call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// The function has failed as often as it may.
    RetryAttemptsExhausted,
    /// They are too old.
    RecordAgeExceeded,
}

impl Condition {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::RetryAttemptsExhausted => "RetryAttemptsExhausted",
            Self::RecordAgeExceeded => "RecordAgeExceeded",
        }
    }
}

/// Records that are given up.
pub(super) struct GivenUp<'a> {
    pub(super) condition: Condition,
    /// How often the function was called with them.
    pub(super) runs: u32,
    /// The last of these calls.
    pub(super) last_call: Option<&'a FailedCall>,
    /// At least one.
    pub(super) records: &'a [StreamRecord],
    pub(super) shard: &'a str,
    pub(super) now_ms: i64,
}

/// Returns the record of a failure. A bucket gets the event, too, as a text in `payload`.
pub(super) fn record(given_up: &GivenUp<'_>, source: &Source, function_arn: &str) -> Value {
    let GivenUp { condition, runs, last_call, records, shard, now_ms } = given_up;
    let arrival = |record: Option<&StreamRecord>| {
        let arrival_ms = record.map_or(0, |record| record.arrival_ms);
        match source.kind {
            SourceKind::DynamoDbStreams => seconds(arrival_ms),
            SourceKind::Kinesis | SourceKind::SqsStandard | SourceKind::SqsFifo => millis(arrival_ms),
        }
    };
    let sequence_number = |record: Option<&StreamRecord>| record.map(|record| record.sequence_number.clone());
    let (first, last) = (records.first(), records.last());
    let request_id = last_call.map_or_else(RequestId::random, |call| call.request_id);
    let mut report = json!({
        "requestContext": {
            "requestId": request_id.to_string(),
            "functionArn": function_arn,
            "condition": condition.as_str(),
            "approximateInvokeCount": runs,
        },
        "version": "1.0",
        "timestamp": millis(*now_ms),
    });
    // What never ran has no response.
    if let Some(call) = last_call {
        report["responseContext"] = json!({
            "statusCode": 200,
            "executedVersion": call.executed_version.to_string(),
            "functionError": "Unhandled",
        });
    }
    let batch_info = match source.kind {
        SourceKind::DynamoDbStreams => "DDBStreamBatchInfo",
        SourceKind::Kinesis | SourceKind::SqsStandard | SourceKind::SqsFifo => "KinesisBatchInfo",
    };
    report[batch_info] = json!({
        "shardId": shard,
        "startSequenceNumber": sequence_number(first),
        "endSequenceNumber": sequence_number(last),
        "approximateArrivalOfFirstRecord": arrival(first),
        "approximateArrivalOfLastRecord": arrival(last),
        "batchSize": records.len(),
        "streamArn": source.arn,
    });
    report
}

/// Returns the key of a record of a failure in a bucket.
pub(super) fn key(given_up: &GivenUp<'_>, mapping: &str) -> String {
    object_key(&format!("{mapping}/{}", given_up.shard), given_up.now_ms, &random_uuid())
}

pub(super) fn seconds(epoch_ms: i64) -> String {
    let at = Timestamp::from_millisecond(epoch_ms).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn millis(epoch_ms: i64) -> String {
    let at = Timestamp::from_millisecond(epoch_ms).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use hearth_types::Version;

    use super::*;

    fn a_record(sequence_number: &str, arrival_ms: i64) -> StreamRecord {
        let sequence_number = sequence_number.to_owned();
        StreamRecord { sequence_number, arrival_ms, key: 0, event: Value::Null, bytes: 0 }
    }

    #[test]
    fn a_record_of_a_failure_is_exactly_that_of_aws() {
        let request_id = RequestId::parse("c9b8fa9f-5a7f-xxxx-af9c-0c604cde93a5".replace('x', "0").as_str());
        let call = FailedCall { request_id: request_id.unwrap(), executed_version: Version::Latest };
        let records = [a_record("1", 1_573_702_725_000), a_record("2", 1_573_702_765_500)];
        let given_up = GivenUp {
            condition: Condition::RetryAttemptsExhausted,
            runs: 1,
            last_call: Some(&call),
            records: &records,
            shard: "shardId-000000000001",
            now_ms: 1_573_691_886_021,
        };
        let kinesis = Source::parse("arn:aws:kinesis:us-east-1:000000000000:stream/s").unwrap();
        let text = serde_json::to_string_pretty(&record(&given_up, &kinesis, "arn:f")).unwrap();
        expect_test::expect![[r#"
            {
              "KinesisBatchInfo": {
                "approximateArrivalOfFirstRecord": "2019-11-14T03:38:45.000Z",
                "approximateArrivalOfLastRecord": "2019-11-14T03:39:25.500Z",
                "batchSize": 2,
                "endSequenceNumber": "2",
                "shardId": "shardId-000000000001",
                "startSequenceNumber": "1",
                "streamArn": "arn:aws:kinesis:us-east-1:000000000000:stream/s"
              },
              "requestContext": {
                "approximateInvokeCount": 1,
                "condition": "RetryAttemptsExhausted",
                "functionArn": "arn:f",
                "requestId": "c9b8fa9f-5a7f-0000-af9c-0c604cde93a5"
              },
              "responseContext": {
                "executedVersion": "$LATEST",
                "functionError": "Unhandled",
                "statusCode": 200
              },
              "timestamp": "2019-11-14T00:38:06.021Z",
              "version": "1.0"
            }"#]]
        .assert_eq(&text);
        let arn = "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/l";
        let never_ran =
            GivenUp { last_call: None, runs: 0, condition: Condition::RecordAgeExceeded, ..given_up };
        let of_table = record(&never_ran, &Source::parse(arn).unwrap(), "arn:f");
        assert_eq!(of_table["DDBStreamBatchInfo"]["approximateArrivalOfLastRecord"], "2019-11-14T03:39:25Z");
        assert!(of_table.get("responseContext").is_none() && of_table.get("KinesisBatchInfo").is_none());
        let key = key(&never_ran, "m");
        let expected = "aws/lambda/m/shardId-000000000001/2019/11/14/2019-11-14T00.38.06-";
        assert!(key.starts_with(expected), "{key}");
    }
}
