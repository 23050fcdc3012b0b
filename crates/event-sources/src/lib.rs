//! Event source mappings: queues and streams that are polled, and functions that are called with what is in them.
//!
//! ```text
//!   EventSources: what mappings there are ── driver: a task a mapping ──┬─ sqs: receive, call, delete
//!                                                                        └─ streams: shards in order, positions kept
//! ```
//!
//! Calls go through `invoke` as any others. A mapping that is not polled has a task that waits for nothing but a change; where
//! there is no mapping there is no task.

mod aws;
mod backoff;
mod batch;
mod call;
mod driver;
mod filter;
mod mapping;
mod pattern;
mod poller;
mod rules;
mod sqs;
mod status;
mod streams;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hearth_aws_client::{ClientError, Endpoint};
use hearth_destinations::Services;
use hearth_functions::Functions;
use hearth_invoke::{EventClock, Invoker};
use hearth_store::{Clock, EventSourceMappingRecord, EventSourceMappingStore, Outcome, StoreError};
use hearth_types::{FunctionName, Qualifier, RevisionId, random_uuid};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use aws::Aws;
pub use filter::{FILTERS_MAX, FilterError};
pub use mapping::{
    Mapping, MappingChange, MappingState, NewMapping, REPORT_BATCH_ITEM_FAILURES, Source, SourceError,
    SourceKind, StartingPosition,
};
pub use pattern::{Pattern, PatternError};
pub(crate) use poller::Poller;
pub use rules::BrokenRule;
use status::{Status, Wanted};

/// Why a mapping cannot be made, changed or found.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    /// There is none of this UUID.
    #[error("there is no event source mapping `{uuid}`")]
    NotFound {
        /// Which one.
        uuid: String,
    },
    /// The function is not there.
    #[error("there is no function `{name}`")]
    NoFunction {
        /// Which one.
        name: String,
    },
    /// The same source and function have one.
    #[error("there is the event source mapping `{uuid}` already")]
    Duplicate {
        /// The mapping that is there.
        uuid: String,
    },
    /// Something is under way.
    #[error("the event source mapping `{uuid}` is being changed")]
    InUse {
        /// Which one.
        uuid: String,
    },
    /// It may not be set so.
    #[error(transparent)]
    Rule(#[from] BrokenRule),
    /// No endpoint is configured.
    #[error("no `aws-endpoint` is set")]
    NoEndpoint,
    /// The endpoint says that there is no such source.
    #[error("there is no source `{arn}`: {reason}")]
    NoSource {
        /// Its ARN.
        arn: String,
        /// What the endpoint says.
        reason: String,
    },
    /// It has as many tags as it may.
    #[error("there are too many tags")]
    TooManyTags,
    /// It could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How many tags a mapping has at most.
///
/// Source: Lambda Developer Guide, "Using tags on event source mappings", read 2026-11.
const TAGS_MAX: usize = 50;

/// A mapping and where it stands.
#[derive(Debug, Clone)]
pub struct DescribedMapping {
    /// The mapping.
    pub mapping: Arc<Mapping>,
    /// Where it stands.
    pub state: MappingState,
    /// How the last batch went, as AWS's `LastProcessingResult`.
    pub last_result: String,
}

/// Which mappings a list has.
#[derive(Debug, Clone, Default)]
pub struct MappingFilter {
    /// Those of this source.
    pub source_arn: Option<String>,
    /// Those of this function, version or alias.
    pub function: Option<(FunctionName, Option<Qualifier>)>,
}

/// What event sources are made of.
pub struct EventSourcesParts {
    /// Where mappings and positions are kept.
    pub store: Arc<dyn EventSourceMappingStore>,
    /// The functions.
    pub functions: Arc<Functions>,
    /// Whoever calls them.
    pub invoker: Arc<Invoker>,
    /// The time that requests are signed at, and that records get old by.
    pub clock: Arc<dyn EventClock>,
    /// The time that changes are noted at.
    pub wall_clock: Arc<dyn Clock>,
    /// Where queues and streams are.
    pub endpoint: Option<Endpoint>,
}

/// All event source mappings of an account in a region.
pub struct EventSources {
    shared: Arc<Shared>,
    /// One change at a time.
    changing: tokio::sync::Mutex<()>,
}

/// What the mappings have in common.
struct Shared {
    parts: EventSourcesParts,
    /// The endpoint, in both of its uses.
    reach: Option<(Arc<Aws>, Arc<Services>)>,
    entries: Mutex<BTreeMap<String, Entry>>,
    /// Whether the server ends. Looked at with the entries locked.
    ends: AtomicBool,
}

/// A mapping with its task.
struct Entry {
    mapping: Arc<Mapping>,
    status: Arc<Status>,
    wanted: watch::Sender<Wanted>,
    driver: Option<JoinHandle<()>>,
}

impl EventSources {
    /// Reads every mapping, and goes on polling. Needs a Tokio runtime.
    pub async fn open(parts: EventSourcesParts) -> Result<Arc<Self>, StoreError> {
        let reach = parts.endpoint.clone().map(|endpoint| {
            let services = Services::new(endpoint.clone(), parts.clock.clone());
            (Arc::new(Aws { endpoint, clock: parts.clock.clone() }), Arc::new(services))
        });
        let records = parts.store.mappings().await?;
        let shared =
            Arc::new(Shared { parts, reach, entries: Mutex::default(), ends: AtomicBool::new(false) });
        let number = records.len();
        for record in records {
            let uuid = record.uuid.clone();
            match Mapping::of(record) {
                Ok(mapping) => shared.begin(Arc::new(mapping), MappingState::Enabling),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(
                        mapping = uuid,
                        error,
                        "an event source mapping cannot be read, and is not polled"
                    );
                }
            }
        }
        if number > 0 && shared.reach.is_none() {
            tracing::warn!(mappings = number, "event sources are not polled: no `aws-endpoint` is set");
        }
        Ok(Arc::new(Self { shared, changing: Default::default() }))
    }

    /// Returns the ARN of a mapping.
    pub fn arn(&self, uuid: &str) -> String {
        let ours = self.shared.parts.functions.settings();
        format!("arn:aws:lambda:{}:{}:event-source-mapping:{uuid}", ours.region, ours.account)
    }

    /// Returns the UUID in an ARN of this account and region.
    pub fn uuid_of<'a>(&self, arn: &'a str) -> Option<&'a str> {
        arn.strip_prefix(&self.arn(""))
    }

    /// Returns a mapping.
    pub fn get(&self, uuid: &str) -> Result<DescribedMapping, MappingError> {
        self.shared.entries().get(uuid).map(Entry::describe).ok_or_else(|| not_found(uuid))
    }

    /// Returns up to `limit` mappings by UUID, beginning behind `after`, and whether there are more.
    pub fn list(
        &self,
        filter: &MappingFilter,
        after: Option<&str>,
        limit: usize,
    ) -> (Vec<DescribedMapping>, bool) {
        let is_meant = |mapping: &Mapping| {
            let function = (&mapping.function, &mapping.qualifier);
            filter.source_arn.as_ref().is_none_or(|arn| *arn == mapping.source.arn)
                && filter.function.as_ref().is_none_or(|(name, qualifier)| (name, qualifier) == function)
        };
        let entries = self.shared.entries();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rest = entries.range::<str, _>((from, Bound::Unbounded));
        let mut rest = rest.filter(|(_, entry)| is_meant(&entry.mapping));
        let page = rest.by_ref().take(limit).map(|(_, entry)| entry.describe()).collect();
        (page, rest.next().is_some())
    }

    /// Makes a mapping. When this returns it is kept; it is polled in a moment.
    pub async fn create(&self, new: NewMapping) -> Result<DescribedMapping, MappingError> {
        rules::check_members(&new.source, &new.settings)?;
        let source = new.source.clone();
        let uuid = random_uuid();
        let now_ms = self.shared.parts.wall_clock.epoch_ms();
        let record = new.record(uuid, RevisionId::random().to_string(), now_ms);
        rules::check_values(&source, &record)?;
        let mapping = self.read(record)?;
        self.check_function(&mapping)?;
        // The endpoint may take its time.
        self.check_source(&source).await?;
        let _changing = self.changing.lock().await;
        self.check_duplicates(&mapping)?;
        match self.shared.parts.store.insert_mapping(mapping.record.clone()).await? {
            Outcome::Done => {}
            Outcome::Conflict => return Err(StoreError::Stopped.into()),
        }
        fail::fail_point!("event_sources::mapping_kept");
        let mapping = Arc::new(mapping);
        self.shared.begin(mapping.clone(), MappingState::Creating);
        let last_result = Status::new(MappingState::Creating).last_result();
        Ok(DescribedMapping { mapping, state: MappingState::Creating, last_result })
    }

    /// Changes a mapping.
    pub async fn update(&self, uuid: &str, change: MappingChange) -> Result<DescribedMapping, MappingError> {
        let _changing = self.changing.lock().await;
        let current = self.settled(uuid)?;
        let was_enabled = current.mapping.record.enabled;
        rules::check_members(&current.mapping.source, &change)?;
        let mut record = self.changed(&current.mapping);
        change.apply(&mut record);
        rules::check_values(&current.mapping.source, &record)?;
        let mapping = self.read(record)?;
        self.check_function(&mapping)?;
        self.check_duplicates(&mapping)?;
        let mapping = self.replace(&current.mapping, mapping).await?;
        let (state, wanted) = match (was_enabled, mapping.record.enabled) {
            (_, false) if !was_enabled => (MappingState::Disabled, Wanted::Resting),
            (_, false) => (MappingState::Disabling, Wanted::Resting),
            (false, true) => (MappingState::Enabling, Wanted::Polling(mapping.clone())),
            (true, true) => (MappingState::Updating, Wanted::Polling(mapping.clone())),
        };
        self.want(uuid, state, wanted);
        Ok(DescribedMapping { mapping, state, last_result: current.last_result })
    }

    /// Removes a mapping. When this returns it is kept that it goes; it is gone when what it has begun is finished.
    pub async fn delete(&self, uuid: &str) -> Result<DescribedMapping, MappingError> {
        let _changing = self.changing.lock().await;
        let current = self.settled(uuid)?;
        let mut record = self.changed(&current.mapping);
        record.deleting = true;
        let mapping = self.replace(&current.mapping, self.read(record)?).await?;
        self.want(uuid, MappingState::Deleting, Wanted::Removed);
        Ok(DescribedMapping { mapping, state: MappingState::Deleting, last_result: current.last_result })
    }

    /// Changes the tags of a mapping.
    pub async fn change_tags(
        &self,
        uuid: &str,
        change: impl FnOnce(&mut BTreeMap<String, String>),
    ) -> Result<(), MappingError> {
        let _changing = self.changing.lock().await;
        let current = self.get(uuid)?;
        let mut record = current.mapping.record.clone();
        record.revision_id = RevisionId::random().to_string();
        change(&mut record.tags);
        if record.tags.len() > TAGS_MAX {
            return Err(MappingError::TooManyTags);
        }
        self.replace(&current.mapping, self.read(record)?).await?;
        Ok(())
    }

    /// Takes nothing more from sources. What runs goes on.
    pub fn stop(&self) {
        let entries = self.shared.entries();
        self.shared.ends.store(true, Ordering::Relaxed);
        for entry in entries.values() {
            let _ = entry.wanted.send(Wanted::Ended);
        }
    }

    /// Waits until nothing runs.
    pub async fn drain(&self) {
        let drivers: Vec<JoinHandle<()>> =
            self.shared.entries().values_mut().filter_map(|entry| entry.driver.take()).collect();
        for driver in drivers {
            if let Err(error) = driver.await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the task of an event source panicked"
                );
            }
        }
    }

    /// Returns a mapping that can be changed.
    fn settled(&self, uuid: &str) -> Result<DescribedMapping, MappingError> {
        let current = self.get(uuid)?;
        if current.state.is_settled() {
            return Ok(current);
        }
        Err(MappingError::InUse { uuid: uuid.to_owned() })
    }

    fn changed(&self, mapping: &Mapping) -> EventSourceMappingRecord {
        EventSourceMappingRecord {
            revision_id: RevisionId::random().to_string(),
            last_modified_ms: self.shared.parts.wall_clock.epoch_ms(),
            ..mapping.record.clone()
        }
    }

    /// Reads what is to be kept. Names were checked before they came here.
    fn read(&self, record: EventSourceMappingRecord) -> Result<Mapping, MappingError> {
        Mapping::of(record).map_err(|error| match error {
            mapping::RecordError::Filter(error) => BrokenRule::from(error).into(),
            error => BrokenRule(error.to_string()).into(),
        })
    }

    fn check_function(&self, mapping: &Mapping) -> Result<(), MappingError> {
        let Mapping { function, qualifier, .. } = mapping;
        match self.shared.parts.functions.get_qualified(function, qualifier.as_ref()) {
            Ok(_) => Ok(()),
            Err(_) => Err(MappingError::NoFunction { name: function.to_string() }),
        }
    }

    fn check_duplicates(&self, mapping: &Mapping) -> Result<(), MappingError> {
        let entries = self.shared.entries();
        let is_the_same = |other: &&Entry| {
            let other = &other.mapping;
            other.record.uuid != mapping.record.uuid
                && other.source == mapping.source
                && other.function == mapping.function
                && other.qualifier == mapping.qualifier
        };
        match entries.values().find(is_the_same) {
            Some(other) => Err(MappingError::Duplicate { uuid: other.mapping.record.uuid.clone() }),
            None => Ok(()),
        }
    }

    /// Refuses a source that the endpoint does not have. One that is away may have it.
    async fn check_source(&self, source: &Source) -> Result<(), MappingError> {
        let Some((aws, _)) = &self.shared.reach else { return Err(MappingError::NoEndpoint) };
        let found = match source.kind {
            SourceKind::SqsStandard | SourceKind::SqsFifo => sqs::url(aws, source).await.map(drop),
            SourceKind::Kinesis | SourceKind::DynamoDbStreams => {
                streams::find(aws.clone(), source.clone()).await
            }
        };
        match found {
            Err(ClientError::Refused { reason, .. }) => {
                Err(MappingError::NoSource { arn: source.arn.clone(), reason })
            }
            Err(ClientError::Unreachable { reason, .. }) => {
                let source = &source.arn;
                tracing::warn!(source, reason, "an event source is mapped that cannot be reached");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    async fn replace(&self, current: &Mapping, changed: Mapping) -> Result<Arc<Mapping>, MappingError> {
        let uuid = &changed.record.uuid;
        let expected = current.record.revision_id.clone();
        match self.shared.parts.store.replace_mapping(expected, changed.record.clone()).await? {
            Outcome::Done => {}
            Outcome::Conflict => return Err(not_found(uuid)),
        }
        fail::fail_point!("event_sources::mapping_kept");
        let changed = Arc::new(changed);
        if let Some(entry) = self.shared.entries().get_mut(&changed.record.uuid) {
            entry.mapping = changed.clone();
        }
        Ok(changed)
    }

    fn want(&self, uuid: &str, state: MappingState, wanted: Wanted) {
        let entries = self.shared.entries();
        if let Some(entry) = entries.get(uuid)
            && !self.shared.ends.load(Ordering::Relaxed)
        {
            entry.status.set_state(state);
            let _ = entry.wanted.send(wanted);
        }
    }
}

impl Shared {
    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to do what a mapping wants. `state` is that of one that is to be polled.
    fn begin(self: &Arc<Self>, mapping: Arc<Mapping>, state: MappingState) {
        let record = &mapping.record;
        let (state, wanted) = match (record.deleting, record.enabled) {
            (true, _) => (MappingState::Deleting, Wanted::Removed),
            (false, true) => (state, Wanted::Polling(mapping.clone())),
            (false, false) if state == MappingState::Creating => (state, Wanted::Resting),
            (false, false) => (MappingState::Disabled, Wanted::Resting),
        };
        let uuid = record.uuid.clone();
        let status = Arc::new(Status::new(state));
        // The entry is there before its task looks for it.
        let mut entries = self.entries();
        let ends = self.ends.load(Ordering::Relaxed);
        let (wanted, hears) = watch::channel(if ends { Wanted::Ended } else { wanted });
        let driver = tokio::spawn(driver::drive(self.clone(), uuid.clone(), status.clone(), hears));
        entries.insert(uuid, Entry { mapping, status, wanted, driver: Some(driver) });
    }
}

impl Entry {
    fn describe(&self) -> DescribedMapping {
        let (state, last_result) = (self.status.state(), self.status.last_result());
        DescribedMapping { mapping: self.mapping.clone(), state, last_result }
    }
}

fn not_found(uuid: &str) -> MappingError {
    MappingError::NotFound { uuid: uuid.to_owned() }
}
