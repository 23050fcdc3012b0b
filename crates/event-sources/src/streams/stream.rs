//! A stream of Kinesis or DynamoDB: what a poller asks of it, and its records as functions see them.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;

use hearth_aws_client::ClientError;
use hearth_store::ShardPosition;
use serde_json::{Value, json};

use crate::aws::{Aws, DYNAMODB_STREAMS, KINESIS, Service};
use crate::mapping::{Source, SourceKind};

/// How many records DynamoDB gives at once at most. Kinesis gives as many as a batch has.
///
/// Source: Amazon DynamoDB Streams API Reference, read 2026-11.
const DYNAMODB_RECORDS_MAX: usize = 1_000;
/// How many records Kinesis gives at once at most.
///
/// Source: Amazon Kinesis Data Streams API Reference, read 2026-11.
const KINESIS_RECORDS_MAX: usize = 10_000;

/// A stream.
pub(crate) struct Stream {
    pub(crate) aws: Arc<Aws>,
    pub(crate) source: Source,
}

/// A shard, as a stream lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShardListed {
    pub(super) id: String,
    /// The shards that it came from.
    pub(super) parents: Vec<String>,
    /// Whether nothing is added any more.
    pub(super) is_closed: bool,
}

/// A record of a shard.
#[derive(Debug)]
pub(super) struct StreamRecord {
    pub(super) sequence_number: String,
    /// When it came, in milliseconds since 1970. DynamoDB says so to the second.
    pub(super) arrival_ms: i64,
    /// Of what has the same key, the order is kept.
    pub(super) key: u64,
    /// The record of the event.
    pub(super) event: Value,
    /// How long that is as JSON.
    pub(super) bytes: usize,
}

/// What one request has read.
pub(super) struct Read {
    pub(super) records: Vec<StreamRecord>,
    /// Where to read on; `None` at the end of a closed shard.
    pub(super) next: Option<String>,
    /// Whether there was nothing behind these when they were read.
    pub(super) is_at_tip: bool,
}

impl Stream {
    fn service(&self) -> &'static Service {
        match self.source.kind {
            SourceKind::DynamoDbStreams => &DYNAMODB_STREAMS,
            SourceKind::Kinesis | SourceKind::SqsStandard | SourceKind::SqsFifo => &KINESIS,
        }
    }

    fn is_dynamodb(&self) -> bool {
        self.source.kind == SourceKind::DynamoDbStreams
    }

    /// Lists the shards that are there.
    pub(super) async fn shards(&self) -> Result<Vec<ShardListed>, ClientError> {
        let mut shards = Vec::new();
        let mut asked = match self.is_dynamodb() {
            true => json!({ "StreamArn": self.source.arn }),
            false => json!({ "StreamARN": self.source.arn }),
        };
        loop {
            let (listed, next) = if self.is_dynamodb() {
                let answer = self.aws.ask(self.service(), "DescribeStream", &asked).await?;
                let last = answer["StreamDescription"]["LastEvaluatedShardId"]
                    .as_str()
                    .map(|last| json!({ "StreamArn": self.source.arn, "ExclusiveStartShardId": last }));
                (answer["StreamDescription"]["Shards"].clone(), last)
            } else {
                let answer = self.aws.ask(self.service(), "ListShards", &asked).await?;
                // With a token, the stream must not be named.
                let next = answer["NextToken"].as_str().map(|token| json!({ "NextToken": token }));
                (answer["Shards"].clone(), next)
            };
            let listed = listed.as_array().cloned().ok_or_else(|| self.unlike("the list of shards"))?;
            shards.extend(listed.iter().filter_map(ShardListed::read));
            match next {
                Some(next) => asked = next,
                None => return Ok(shards),
            }
        }
    }

    /// Returns an iterator that begins at a position.
    pub(super) async fn iterator(
        &self,
        shard: &str,
        position: &ShardPosition,
    ) -> Result<String, ClientError> {
        let asked = match position {
            ShardPosition::After(sequence_number) => json!({
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "StartingSequenceNumber": sequence_number,
                "SequenceNumber": sequence_number,
            }),
            ShardPosition::Since(epoch_ms) if !self.is_dynamodb() => json!({
                "ShardIteratorType": "AT_TIMESTAMP",
                "Timestamp": *epoch_ms as f64 / 1_000.0,
            }),
            ShardPosition::Since(_) | ShardPosition::TrimHorizon | ShardPosition::Finished => {
                json!({ "ShardIteratorType": "TRIM_HORIZON" })
            }
        };
        self.ask_for_iterator(shard, asked).await
    }

    /// Returns an iterator that begins with what comes from now on.
    pub(super) async fn latest(&self, shard: &str) -> Result<String, ClientError> {
        self.ask_for_iterator(shard, json!({ "ShardIteratorType": "LATEST" })).await
    }

    async fn ask_for_iterator(&self, shard: &str, mut asked: Value) -> Result<String, ClientError> {
        // Each service takes its own spelling, and refuses or ignores the other's.
        let (arn, foreign) = match self.is_dynamodb() {
            true => ("StreamArn", "StartingSequenceNumber"),
            false => ("StreamARN", "SequenceNumber"),
        };
        if let Some(asked) = asked.as_object_mut() {
            asked.remove(foreign);
        }
        asked[arn] = self.source.arn.as_str().into();
        asked["ShardId"] = shard.into();
        let answer = self.aws.ask(self.service(), "GetShardIterator", &asked).await?;
        let iterator = answer["ShardIterator"].as_str().map(str::to_owned);
        iterator.ok_or_else(|| self.unlike("GetShardIterator"))
    }

    /// Reads up to `number` records. `role` is who the function runs as.
    pub(super) async fn read(
        &self,
        shard: &str,
        iterator: &str,
        number: usize,
        role: &str,
    ) -> Result<Read, ClientError> {
        let most = if self.is_dynamodb() { DYNAMODB_RECORDS_MAX } else { KINESIS_RECORDS_MAX };
        let mut asked = json!({ "ShardIterator": iterator, "Limit": number.clamp(1, most) });
        if !self.is_dynamodb() {
            asked["StreamARN"] = self.source.arn.as_str().into();
        }
        let answer = self.aws.ask(self.service(), "GetRecords", &asked).await?;
        let records = answer["Records"].as_array().ok_or_else(|| self.unlike("GetRecords"))?;
        let read = records.iter().map(|record| self.record(shard, record, role));
        let records: Vec<StreamRecord> =
            read.collect::<Option<_>>().ok_or_else(|| self.unlike("GetRecords"))?;
        let is_at_tip = match answer["MillisBehindLatest"].as_u64() {
            Some(behind_ms) => behind_ms == 0,
            None => records.is_empty(),
        };
        Ok(Read { records, next: answer["NextShardIterator"].as_str().map(str::to_owned), is_at_tip })
    }

    fn record(&self, shard: &str, record: &Value, role: &str) -> Option<StreamRecord> {
        let (event, sequence_number, key) = if self.is_dynamodb() {
            let mut event = record.clone();
            // The image of a record says who deleted it only when DynamoDB did: `userIdentity` stays where it is.
            event["eventSourceARN"] = self.source.arn.as_str().into();
            event["awsRegion"] = self.source.region.as_str().into();
            let sequence_number = record["dynamodb"]["SequenceNumber"].as_str()?.to_owned();
            let key = record["dynamodb"]["Keys"].to_string();
            (event, sequence_number, key)
        } else {
            let sequence_number = record["SequenceNumber"].as_str()?.to_owned();
            let partition_key = record["PartitionKey"].as_str()?.to_owned();
            let mut event = json!({
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": partition_key,
                    "sequenceNumber": sequence_number,
                    "data": record["Data"].as_str()?,
                    "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"],
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": format!("{shard}:{sequence_number}"),
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": role,
                "awsRegion": self.source.region,
                "eventSourceARN": self.source.arn,
            });
            if let Some(encryption) = record["EncryptionType"].as_str().filter(|kind| *kind != "NONE") {
                event["kinesis"]["encryptionType"] = encryption.into();
            }
            (event, sequence_number, partition_key)
        };
        let arrival = match self.is_dynamodb() {
            true => &record["dynamodb"]["ApproximateCreationDateTime"],
            false => &record["ApproximateArrivalTimestamp"],
        };
        let arrival_ms = (arrival.as_f64()? * 1_000.0).round() as i64;
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let bytes = event.to_string().len();
        Some(StreamRecord { sequence_number, arrival_ms, key: hasher.finish(), event, bytes })
    }

    fn unlike(&self, what: &str) -> ClientError {
        let service = if self.is_dynamodb() { "DynamoDB Streams" } else { "Kinesis" };
        ClientError::Unreachable {
            code: String::new(),
            reason: format!("it does not answer {what} as {service} does"),
        }
    }
}

/// Asks whether a stream is there.
pub(crate) async fn find(aws: Arc<Aws>, source: Source) -> Result<(), ClientError> {
    Stream { aws, source }.shards().await.map(drop)
}

impl ShardListed {
    fn read(shard: &Value) -> Option<Self> {
        let parents = ["ParentShardId", "AdjacentParentShardId"];
        Some(Self {
            id: shard["ShardId"].as_str()?.to_owned(),
            parents: parents.iter().filter_map(|name| shard[name].as_str().map(str::to_owned)).collect(),
            is_closed: shard["SequenceNumberRange"]["EndingSequenceNumber"].is_string(),
        })
    }
}
