//! Reads a shard, and has its records worked off in order: one batch after the other, or of several partition keys at once.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use hearth_store::{ShardPosition, ShardPositionRecord};
use tokio::time::Instant;

use super::lane::Lane;
use super::stream::{Read, Stream, StreamRecord};
use super::window;
use crate::Poller;
use crate::backoff::Waits;
use crate::batch::EVENT_BYTES_MAX;
use crate::mapping::{Mapping, SourceKind};
use crate::status::Stop;

/// How often a shard of Kinesis is read that has nothing new.
///
/// Source: Lambda Developer Guide, "Polling and batching streams", read 2026-11.
const KINESIS_EVERY: Duration = Duration::from_secs(1);
/// The same of DynamoDB.
///
/// Source: as above.
const DYNAMODB_EVERY: Duration = Duration::from_millis(250);

/// A shard that is read.
pub(super) struct Shard {
    pub(super) poller: Arc<Poller>,
    pub(super) stream: Arc<Stream>,
    pub(super) mapping: Arc<Mapping>,
    pub(super) stop: Stop,
    /// How far it has been worked off.
    pub(super) at: ShardPositionRecord,
    /// Where to read on, if that is known better than by the position.
    pub(super) iterator: Option<String>,
}

/// Records that were read and not yet worked off.
#[derive(Default)]
struct Buffer {
    records: Vec<StreamRecord>,
    bytes: usize,
    /// The last record that was read, also one that no pattern wants.
    read_up_to: Option<String>,
    /// When the batching window of the first record is over.
    closes_at: Option<Instant>,
    /// Whether the shard has nothing more, ever.
    is_at_end: bool,
}

impl Shard {
    /// Reads until something else is wanted, or the shard has come to its end; returns how far it has been worked off.
    pub(super) async fn read(mut self) -> ShardPositionRecord {
        let mut buffer = Buffer::default();
        let mut backoff = Waits::of_services();
        while !self.stop.is_requested() {
            let mut is_at_tip = true;
            if !buffer.is_at_end && buffer.records.len() < self.capacity() {
                match self.fill(&mut buffer).await {
                    Ok(tip) => {
                        is_at_tip = tip;
                        backoff.reset();
                    }
                    Err(error) => {
                        let is_gone = error.code() == "ResourceNotFoundException";
                        self.poller.say_unreachable(&self.mapping, &error);
                        if !self.stop.wait(backoff.wait()).await || is_gone {
                            break;
                        }
                        continue;
                    }
                }
            }
            if self.is_time(&buffer) {
                if !self.work_off(&mut buffer).await {
                    break;
                }
            } else if buffer.records.is_empty() {
                if !self.pass_over(&mut buffer).await || !self.close_window(&buffer, is_at_tip).await {
                    break;
                }
                if buffer.is_at_end {
                    self.at.position = ShardPosition::Finished;
                    self.poller.keep(&self.mapping, &self.at, &self.stop).await;
                    break;
                }
                if is_at_tip && !self.stop.wait(self.every()).await {
                    break;
                }
            } else if is_at_tip {
                let left = buffer.closes_at.map_or(Duration::ZERO, |at| at - Instant::now());
                if !self.stop.wait(left.min(self.every())).await {
                    break;
                }
            }
        }
        self.at
    }

    /// How many records are gathered at most: a batch for each that may run.
    fn capacity(&self) -> usize {
        self.mapping.record.batch_size as usize * self.mapping.record.parallelization_factor as usize
    }

    fn every(&self) -> Duration {
        match self.stream.source.kind {
            SourceKind::DynamoDbStreams => DYNAMODB_EVERY,
            SourceKind::Kinesis | SourceKind::SqsStandard | SourceKind::SqsFifo => KINESIS_EVERY,
        }
    }

    /// Reads more, and returns whether there was nothing behind that.
    async fn fill(&mut self, buffer: &mut Buffer) -> Result<bool, hearth_aws_client::ClientError> {
        let iterator = match self.iterator.take() {
            Some(iterator) => iterator,
            None => {
                let position = match &buffer.read_up_to {
                    Some(read_up_to) => ShardPosition::After(read_up_to.clone()),
                    None => self.at.position.clone(),
                };
                match self.stream.iterator(&self.at.shard, &position).await {
                    Err(error) if error.code() == "TrimmedDataAccessException" => {
                        let reason = error.to_string();
                        self.poller.log(
                            &self.mapping,
                            &reason,
                            "records of a shard are gone before they were read",
                        );
                        self.stream.iterator(&self.at.shard, &ShardPosition::TrimHorizon).await?
                    }
                    iterator => iterator?,
                }
            }
        };
        let room = self.capacity() - buffer.records.len();
        let role = self.poller.role(&self.mapping);
        let read = self.stream.read(&self.at.shard, &iterator, room, &role).await;
        let Read { records, next, is_at_tip } = match read {
            // Five minutes have passed since it was given. The next one begins behind what was read.
            Err(error) if error.code() == "ExpiredIteratorException" => return Ok(false),
            Err(error) => {
                self.iterator = Some(iterator);
                return Err(error);
            }
            Ok(read) => read,
        };
        buffer.is_at_end = next.is_none();
        self.iterator = next;
        for record in records {
            buffer.read_up_to = Some(record.sequence_number.clone());
            if self.is_before_the_beginning(&record) || !self.mapping.filter.takes(&record.event) {
                continue;
            }
            if buffer.records.is_empty() {
                let window = Duration::from_secs(self.mapping.record.window_seconds.into());
                buffer.closes_at = Some(Instant::now() + window);
            }
            buffer.bytes += record.bytes;
            buffer.records.push(record);
        }
        Ok(is_at_tip)
    }

    /// DynamoDB cannot begin at a time: what is older is passed over. Its times are whole seconds.
    fn is_before_the_beginning(&self, record: &StreamRecord) -> bool {
        match self.at.position {
            ShardPosition::Since(since_ms) => record.arrival_ms < since_ms.div_euclid(1_000) * 1_000,
            ShardPosition::TrimHorizon | ShardPosition::After(_) | ShardPosition::Finished => false,
        }
    }

    /// Whether what was gathered is to be worked off now.
    fn is_time(&self, buffer: &Buffer) -> bool {
        let Some(first) = buffer.records.first() else { return false };
        let tumbling = self.mapping.record.tumbling_window_seconds;
        let ends_window = tumbling > 0
            && window::start_of(first.arrival_ms, tumbling)
                != window::start_of(buffer.records[buffer.records.len() - 1].arrival_ms, tumbling);
        buffer.records.len() >= self.capacity()
            || buffer.bytes >= EVENT_BYTES_MAX
            || buffer.closes_at.is_none_or(|at| at <= Instant::now())
            || buffer.is_at_end
            || ends_window
    }

    /// Has all that was gathered worked off. Returns whether to go on.
    async fn work_off(&mut self, buffer: &mut Buffer) -> bool {
        let records = std::mem::take(&mut buffer.records);
        (buffer.bytes, buffer.closes_at) = (0, None);
        let lanes = u64::from(self.mapping.record.parallelization_factor);
        let is_done = if lanes == 1 {
            let mut at = self.at.clone();
            let is_done = self.lane(Some(&mut at)).work_off(&records).await;
            self.at = at;
            is_done
        } else {
            let mut of_lanes: Vec<Vec<StreamRecord>> = (0..lanes).map(|_| Vec::new()).collect();
            for record in records {
                of_lanes[(record.key % lanes) as usize].push(record);
            }
            let running = of_lanes.iter().map(async |records| self.lane(None).work_off(records).await);
            join_all(running).await.into_iter().all(|is_done| is_done)
        };
        is_done && self.pass_over(buffer).await
    }

    fn lane<'a>(&'a self, at: Option<&'a mut ShardPositionRecord>) -> Lane<'a> {
        let Self { poller, stream, mapping, stop, .. } = self;
        Lane { poller, source: &stream.source, mapping, stop, shard: &self.at.shard, at }
    }

    /// Keeps that everything has been worked off that was read.
    async fn pass_over(&mut self, buffer: &mut Buffer) -> bool {
        let Some(read_up_to) = buffer.read_up_to.take() else { return true };
        let position = ShardPosition::After(read_up_to);
        if self.at.position == position {
            return true;
        }
        self.at.position = position;
        self.poller.keep(&self.mapping, &self.at, &self.stop).await
    }

    /// Closes the window that is open, when nothing can come that belongs to it. Returns whether to go on.
    async fn close_window(&mut self, buffer: &Buffer, is_at_tip: bool) -> bool {
        let tumbling = self.mapping.record.tumbling_window_seconds;
        let Some(open) = &self.at.window else { return true };
        let is_over = self.poller.clock.epoch_ms() >= window::end_of(open.start_ms, tumbling);
        if !(buffer.is_at_end || is_over && is_at_tip) {
            return true;
        }
        let mut at = self.at.clone();
        let is_done = self.lane(Some(&mut at)).close_window(window::End::Reached).await;
        self.at = at;
        is_done
    }
}
