//! Polls a stream: finds its shards, and reads each of them when those that it came from are worked off.
//!
//! How far a shard has been worked off is kept before anything else of it is read as new, so that a server that starts again
//! goes on there: records may come twice, and none is left out. `LATEST` is fixed when the mapping is first polled: what
//! comes after that comes, also if the server ends before it has worked anything off.

mod batches;
mod lane;
mod report;
mod retry;
mod shard;
mod stream;
mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hearth_aws_client::ClientError;
use hearth_store::{ShardPosition, ShardPositionRecord, StoreError};
use tokio::task::{Id, JoinSet};

use crate::Poller;
use crate::aws::Aws;
use crate::backoff::Waits;
use crate::mapping::Mapping;
use crate::status::Stop;
use shard::Shard;
use stream::{ShardListed, Stream};

pub(crate) use stream::find;

/// How often the shards of a stream are listed, besides each time when one has ended. Ours.
const LIST_EVERY: Duration = Duration::from_secs(30);

/// Why a stream cannot be polled at the moment.
#[derive(Debug, thiserror::Error)]
enum PollError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("how far the stream has been read cannot be kept")]
    Store(#[from] StoreError),
}

/// Polls until something else is wanted.
pub(crate) async fn poll(poller: Arc<Poller>, aws: Arc<Aws>, mapping: Arc<Mapping>, stop: Stop) {
    let stream = Arc::new(Stream { aws, source: mapping.source.clone() });
    let mut shards = Shards {
        poller,
        stream,
        mapping,
        stop,
        positions: BTreeMap::new(),
        latest: BTreeMap::new(),
        reading: BTreeMap::new(),
        tasks: JoinSet::new(),
    };
    let mut backoff = Waits::of_services();
    let mut are_known = false;
    while !shards.stop.is_requested() {
        let looked = match are_known {
            false => shards.begin().await,
            true => Ok(()),
        };
        let looked = match looked {
            Ok(()) => {
                are_known = true;
                shards.look().await
            }
            Err(error) => Err(error),
        };
        match looked {
            Ok(()) => {
                shards.poller.status.settle();
                backoff.reset();
                shards.wait(LIST_EVERY).await;
            }
            Err(PollError::Client(error)) => {
                shards.poller.say_unreachable(&shards.mapping, &error);
                shards.wait(backoff.wait()).await;
            }
            Err(PollError::Store(error)) => {
                let reason = format!("{error}");
                shards.poller.log(
                    &shards.mapping,
                    &reason,
                    "a stream is not read: its position cannot be kept",
                );
                shards.wait(backoff.wait()).await;
            }
        }
    }
    while shards.tasks.join_next().await.is_some() {}
}

/// The shards of a stream.
struct Shards {
    poller: Arc<Poller>,
    stream: Arc<Stream>,
    mapping: Arc<Mapping>,
    stop: Stop,
    /// How far each has been read when it was last looked at.
    positions: BTreeMap<String, ShardPositionRecord>,
    /// Iterators that begin where `LATEST` was, by shard.
    latest: BTreeMap<String, String>,
    /// Shards that are read, with their tasks.
    reading: BTreeMap<String, Id>,
    /// Each returns the position that its shard has come to.
    tasks: JoinSet<ShardPositionRecord>,
}

impl Shards {
    /// Reads the positions, and fixes those of a mapping that has none.
    async fn begin(&mut self) -> Result<(), PollError> {
        let (store, record) = (&self.poller.store, &self.mapping.record);
        let known = store.positions(record.uuid.clone()).await?;
        if !known.is_empty() {
            self.positions = known.into_iter().map(|record| (record.shard.clone(), record)).collect();
            return Ok(());
        }
        let since_ms = self.poller.clock.epoch_ms();
        let mut positions = Vec::new();
        for shard in self.stream.shards().await? {
            let position = match record.starting_position.as_deref() {
                Some("TRIM_HORIZON") => ShardPosition::TrimHorizon,
                Some("AT_TIMESTAMP") => ShardPosition::Since(record.starting_timestamp_ms.unwrap_or(0)),
                // What is closed has nothing that is new.
                _ if shard.is_closed => ShardPosition::Finished,
                _ => {
                    self.latest.insert(shard.id.clone(), self.stream.latest(&shard.id).await?);
                    ShardPosition::Since(since_ms)
                }
            };
            positions.push(self.position(&shard, position));
        }
        store.put_positions(positions.clone()).await?;
        self.positions = positions.into_iter().map(|record| (record.shard.clone(), record)).collect();
        Ok(())
    }

    fn position(&self, shard: &ShardListed, position: ShardPosition) -> ShardPositionRecord {
        let mapping = self.mapping.record.uuid.clone();
        ShardPositionRecord { mapping, shard: shard.id.clone(), position, window: None }
    }

    /// Looks which shards there are, forgets those that are gone, and reads those whose turn it is.
    async fn look(&mut self) -> Result<(), PollError> {
        let listed = self.stream.shards().await?;
        let ids: BTreeSet<&str> = listed.iter().map(|shard| shard.id.as_str()).collect();
        let is_gone = |id: &&String| !ids.contains(id.as_str()) && !self.reading.contains_key(*id);
        let gone: Vec<String> = self.positions.keys().filter(is_gone).cloned().collect();
        for id in gone {
            if let Some(record) = self.positions.remove(&id) {
                self.poller.store.remove_position(record.key()).await?;
            }
        }
        for shard in &listed {
            if self.reading.contains_key(&shard.id) || !is_turn(shard, &ids, &self.positions) {
                continue;
            }
            let known = self.positions.get(&shard.id).cloned();
            // A shard that was not there before is read from its beginning.
            let record = match known {
                Some(record) => record,
                None => {
                    let record = self.position(shard, ShardPosition::TrimHorizon);
                    self.poller.store.put_positions(vec![record.clone()]).await?;
                    record
                }
            };
            if record.position == ShardPosition::Finished {
                continue;
            }
            let id = shard.id.clone();
            let shard = Shard {
                poller: self.poller.clone(),
                stream: self.stream.clone(),
                mapping: self.mapping.clone(),
                stop: self.stop.clone(),
                at: record,
                iterator: self.latest.remove(&shard.id),
            };
            let task = self.tasks.spawn(shard.read());
            self.reading.insert(id, task.id());
        }
        Ok(())
    }

    /// Waits until the shards are to be looked at again.
    async fn wait(&mut self, wait: Duration) {
        tokio::select! {
            () = self.stop.requested() => {}
            () = tokio::time::sleep(wait) => {}
            Some(ended) = self.tasks.join_next() => match ended {
                Ok(record) => {
                    self.reading.remove(&record.shard);
                    self.positions.insert(record.shard.clone(), record);
                }
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "the poller of a shard panicked");
                    self.reading.retain(|_, task| *task != error.id());
                }
            },
        }
    }
}

/// Whether a shard may be read: those that it came from are worked off, or gone.
fn is_turn(
    shard: &ShardListed,
    listed: &BTreeSet<&str>,
    positions: &BTreeMap<String, ShardPositionRecord>,
) -> bool {
    shard.parents.iter().all(|parent| {
        let position = positions.get(parent).map(|record| &record.position);
        !listed.contains(parent.as_str()) || position == Some(&ShardPosition::Finished)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_waits_for_those_that_it_came_from() {
        let shard = ShardListed {
            id: "c".to_owned(),
            parents: vec!["a".to_owned(), "b".to_owned()],
            is_closed: false,
        };
        let record = |shard: &str, position| {
            let (mapping, shard) = ("m".to_owned(), shard.to_owned());
            (shard.clone(), ShardPositionRecord { mapping, shard, position, window: None })
        };
        let mut positions =
            BTreeMap::from([record("a", ShardPosition::Finished), record("b", ShardPosition::TrimHorizon)]);
        assert!(!is_turn(&shard, &BTreeSet::from(["a", "b", "c"]), &positions));
        assert!(is_turn(&shard, &BTreeSet::from(["a", "c"]), &positions), "b is gone");
        positions.extend([record("b", ShardPosition::Finished)]);
        assert!(is_turn(&shard, &BTreeSet::from(["a", "b", "c"]), &positions));
    }
}
