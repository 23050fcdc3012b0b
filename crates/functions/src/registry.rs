//! All functions of an account in a region: made, changed, settled, removed, resolved.
//!
//! A change goes this way, so that a crash at any moment leaves the old or the new, and an acknowledged change stays:
//! package durable → record durable → memory → listener. While a function settles (its runtime is checked), what was
//! there before goes on serving.

mod aliases;
mod concurrency;
mod creation;
mod function_urls;
mod loading;
mod management;
mod policy;
mod settling;
mod tags;
mod updates;
mod usage;
mod versions;

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use hearth_store::{Clock, FunctionRecord, FunctionStore, Outcome, StoreError};
use hearth_types::{AccountId, CodeSha256, FunctionArn, FunctionName, Qualifier, Region, Version};
use tokio::sync::{OwnedMutexGuard, watch};

use self::aliases::{Aliases, Lots};
use self::concurrency::Provisioned;
use self::function_urls::FunctionUrls;
use self::versions::Published;
use crate::leases::keep_on_disk;
use crate::{
    ConcurrencyListener, DeployedCode, DeployedLayers, Deployment, Function, FunctionsError,
    LastUpdateStatus, OpenError, ProvisionedConcurrency, ResolveError, ResolvedVersion, State,
    VersionListener, record,
};

pub use usage::FunctionsUsage;

/// Whose functions these are.
#[derive(Debug, Clone)]
pub struct FunctionsSettings {
    /// The region in their ARNs.
    pub region: Region,
    /// The account in their ARNs.
    pub account: AccountId,
}

/// All functions of an account in a region.
pub struct Functions {
    store: Arc<dyn FunctionStore>,
    pub(crate) deployment: Arc<dyn Deployment>,
    settings: FunctionsSettings,
    clock: Arc<dyn Clock>,
    listener: OnceLock<Arc<dyn VersionListener>>,
    concurrency_listener: OnceLock<Arc<dyn ConcurrencyListener>>,
    entries: RwLock<BTreeMap<FunctionName, Entry>>,
    /// One change of a function at a time, creations and removals included.
    changing: Mutex<BTreeMap<FunctionName, Arc<tokio::sync::Mutex<()>>>>,
    /// One change of how the account's concurrency is shared out at a time.
    sharing_concurrency: tokio::sync::Mutex<()>,
    generations: AtomicU64,
    lots: Lots,
    /// Whose URL an id is.
    url_owners: Mutex<HashMap<Arc<str>, FunctionName>>,
    /// Whether the code of some function could not be opened at the start.
    pub(crate) misses_code: AtomicBool,
    /// Changes whenever a function has settled or is removed.
    settled: watch::Sender<u64>,
}

struct Entry {
    /// `$LATEST`.
    function: Arc<Function>,
    /// The code of `function`, kept on disk; `None` when it is lost.
    code: Option<DeployedCode>,
    /// The layers of `function`, likewise.
    layers: Option<DeployedLayers>,
    /// What invocations run on: `function` once it has settled, and what was there before until then.
    serving: Option<Arc<ResolvedVersion>>,
    /// Its published versions, by number.
    versions: BTreeMap<u64, Published>,
    /// The highest number that a version ever had.
    last_version: u64,
    /// Its aliases.
    aliases: Aliases,
    /// What is provisioned of its versions.
    provisioned: Provisioned,
    /// Its URLs.
    urls: FunctionUrls,
    /// What the store has of `$LATEST`, the aliases, the URLs and what is provisioned.
    stored: FunctionRecord,
}

impl Functions {
    /// Reads every function, and goes on with what was under way when the last server ended. Needs a Tokio runtime.
    pub async fn open(
        store: Arc<dyn FunctionStore>,
        deployment: Arc<dyn Deployment>,
        settings: FunctionsSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, OpenError> {
        let functions = Arc::new(Self {
            store,
            deployment,
            settings,
            clock,
            listener: OnceLock::new(),
            concurrency_listener: OnceLock::new(),
            sharing_concurrency: tokio::sync::Mutex::default(),
            entries: RwLock::default(),
            changing: Mutex::default(),
            generations: AtomicU64::new(0),
            lots: Lots::new(),
            url_owners: Mutex::default(),
            misses_code: AtomicBool::new(false),
            settled: watch::Sender::new(0),
        });
        let (versions, latest): (Vec<_>, Vec<_>) =
            functions.store.load_all().await?.into_iter().partition(|stored| stored.version.is_some());
        for stored in latest {
            functions.load(&stored).await?;
        }
        for stored in versions {
            functions.load_version(&stored).await?;
        }
        Ok(functions)
    }

    /// Whether the code of some function could not be opened at the start. It may have been for a passing reason, so
    /// nothing that looks unused should be removed then.
    pub fn misses_code(&self) -> bool {
        self.misses_code.load(Ordering::Relaxed)
    }

    /// Says who hears of changes. Once.
    pub fn set_listener(&self, listener: Arc<dyn VersionListener>) {
        if self.listener.set(listener).is_err() {
            tracing::error!("a second listener for versions was refused");
        }
    }

    /// Returns a function.
    pub fn get(&self, name: &FunctionName) -> Result<Arc<Function>, FunctionsError> {
        let entries = self.read();
        let entry =
            entries.get(name).ok_or_else(|| FunctionsError::NotFound { arn: self.arn(name, None) })?;
        Ok(entry.function.clone())
    }

    /// Returns up to `limit` functions by name, beginning behind `after`, and whether there are more.
    pub fn list(&self, after: Option<&FunctionName>, limit: usize) -> (Vec<Arc<Function>>, bool) {
        let entries = self.read();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = entries.range::<FunctionName, _>((from, Bound::Unbounded));
        let page = rest.by_ref().take(limit).map(|(_, entry)| entry.function.clone()).collect();
        (page, rest.next().is_some())
    }

    /// Removes a function. What runs, runs to its end.
    pub async fn delete(self: &Arc<Self>, name: &FunctionName) -> Result<(), FunctionsError> {
        let (functions, name) = (self.clone(), name.clone());
        to_the_end(async move { functions.delete_now(&name).await }).await
    }

    async fn delete_now(&self, name: &FunctionName) -> Result<(), FunctionsError> {
        let _changing = self.change(name).await;
        let not_found = || FunctionsError::NotFound { arn: self.arn(name, None) };
        if !self.read().contains_key(name) {
            return Err(not_found());
        }
        let outcome = self.store.remove(name.to_string()).await?;
        fail::fail_point!("functions::removed");
        let removed = self.write().remove(name);
        self.own_urls(name, &[]);
        self.tell(name, Version::Latest, None);
        for number in removed.iter().flat_map(|entry| entry.versions.keys()) {
            self.tell(name, Version::Number(*number), None);
        }
        drop(removed); // its code goes with the last environment that runs it
        self.tell_concurrency(name);
        self.settled.send_modify(|count| *count += 1);
        tracing::info!(function = %name, "function deleted");
        match outcome {
            Outcome::Done => Ok(()),
            Outcome::Conflict => Err(not_found()),
        }
    }

    /// Returns the package of a function as it was sent.
    pub async fn archive(&self, sha256: CodeSha256) -> Result<Bytes, FunctionsError> {
        Ok(self.deployment.archive(sha256).await?)
    }

    /// Returns what an invocation runs on. Touches no disk and does not wait.
    pub fn resolve(
        &self,
        name: &FunctionName,
        qualifier: Option<&Qualifier>,
    ) -> Result<Arc<ResolvedVersion>, ResolveError> {
        let not_found = || ResolveError::NotFound { arn: self.arn(name, qualifier.cloned()) };
        let entries = self.read();
        let entry = entries.get(name).ok_or_else(not_found)?;
        let (serving, function) =
            match entry.version_of(qualifier, || self.lots.draw()).ok_or_else(not_found)? {
                Version::Latest => (&entry.serving, &entry.function),
                Version::Number(number) => {
                    let published = entry.versions.get(&number).ok_or_else(not_found)?;
                    (&published.serving, &published.function)
                }
            };
        match (serving, &function.state) {
            (Some(serving), State::Pending | State::Active) => Ok(serving.clone()),
            (_, State::Failed(failure)) => Err(ResolveError::Failed {
                arn: self.arn(name, qualifier.cloned()),
                reason: failure.reason.clone(),
            }),
            (None, State::Pending | State::Active) => {
                Err(ResolveError::Pending { arn: self.arn(name, qualifier.cloned()) })
            }
        }
    }

    /// Waits until neither a function nor a version of it is being created or updated. Returns at once for one that is not
    /// there.
    pub async fn wait_until_settled(&self, name: &FunctionName) {
        let mut settled = self.settled.subscribe();
        while self.read().get(name).is_some_and(Entry::is_settling) {
            if settled.changed().await.is_err() {
                return;
            }
        }
    }

    /// Returns the ARN of a function of this account.
    pub fn arn(&self, name: &FunctionName, qualifier: Option<Qualifier>) -> FunctionArn {
        FunctionArn {
            region: self.settings.region.clone(),
            account: self.settings.account.clone(),
            name: name.clone(),
            qualifier,
        }
    }

    /// Returns whose functions these are.
    pub fn settings(&self) -> &FunctionsSettings {
        &self.settings
    }

    /// Writes `changed` over `current`. While it is in progress, or when it failed, the record holds what serves too.
    async fn keep(&self, current: &Function, changed: &Function) -> Result<(), FunctionsError> {
        let name = &changed.configuration.name;
        let mut stored = record::write(changed);
        if let Some(entry) = self.read().get(name) {
            stored.aliases.clone_from(&entry.stored.aliases);
            stored.provisioned = entry.provisioned.values().map(ProvisionedConcurrency::write).collect();
            stored.function_urls.clone_from(&entry.stored.function_urls);
        }
        let keeps_serving =
            matches!(changed.last_update, Some(LastUpdateStatus::InProgress | LastUpdateStatus::Failed(_)));
        if keeps_serving {
            let serving = self.read().get(name).and_then(|entry| entry.serving.clone());
            stored.serving = serving.map(|serving| {
                let before = Function {
                    configuration: serving.configuration.clone(),
                    code_sha256: serving.code.sha256,
                    code_size: serving.code.size,
                    ..current.clone()
                };
                Box::new(record::write(&before))
            });
        }
        match self.store.replace(current.revision_id.to_string(), stored.clone()).await? {
            Outcome::Done => {}
            Outcome::Conflict => return Err(FunctionsError::RevisionMismatch),
        }
        if let Some(entry) = self.write().get_mut(name) {
            entry.stored = stored;
        }
        Ok(())
    }

    fn snapshot(
        &self,
        function: &Function,
        code: DeployedCode,
        layers: DeployedLayers,
    ) -> Arc<ResolvedVersion> {
        Arc::new(ResolvedVersion {
            arn: function.arn.clone(),
            version: function.version,
            configuration: function.configuration.clone(),
            code,
            layers,
            generation: self.generations.fetch_add(1, Ordering::Relaxed) + 1,
        })
    }

    fn tell(&self, name: &FunctionName, version: Version, current: Option<&Arc<ResolvedVersion>>) {
        if let Some(listener) = self.listener.get() {
            listener.replaced(name, version, current);
        }
    }

    /// Waits until nobody else changes `name`, and keeps others waiting.
    async fn change(&self, name: &FunctionName) -> Changing<'_> {
        let lock = {
            let mut changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
            changing.entry(name.clone()).or_default().clone()
        };
        Changing { functions: self, name: name.clone(), guard: Some(lock.lock_owned().await) }
    }

    fn url_owners(&self) -> MutexGuard<'_, HashMap<Arc<str>, FunctionName>> {
        self.url_owners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<FunctionName, Entry>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<FunctionName, Entry>> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn is_settling(&self) -> bool {
        self.function.is_settling() || self.versions.values().any(|version| version.function.is_settling())
    }

    /// Returns the version that a qualifier means, which need not be there. `draw` decides between two of an alias.
    fn version_of(&self, qualifier: Option<&Qualifier>, draw: impl FnOnce() -> f64) -> Option<Version> {
        match qualifier {
            None => Some(Version::Latest),
            Some(Qualifier::Version(version)) => Some(*version),
            Some(Qualifier::Alias(alias)) => Some(self.aliases.get(alias)?.choose(draw())),
        }
    }
}

/// Runs a change to its end, whether or not the caller waits for it: a client that hangs up half way must not leave a
/// record that nobody shows, or one whose package is given free.
async fn to_the_end<T: Send + 'static, E: From<StoreError> + Send + 'static>(
    change: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, E> {
    tokio::spawn(change).await.unwrap_or(Err(StoreError::Stopped.into()))
}

/// The right to change a function. Forgets the lock of a name when nobody else waits for it.
struct Changing<'a> {
    functions: &'a Functions,
    name: FunctionName,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        let mut changing = self.functions.changing.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.guard.take());
        // Others get a clone only under the lock that we hold, so one means that it is the map's.
        if changing.get(&self.name).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            changing.remove(&self.name);
        }
    }
}

impl Drop for Functions {
    /// A server that ends, in order or with an error, must not give free what its records need.
    fn drop(&mut self) {
        let entries = self.entries.get_mut().unwrap_or_else(PoisonError::into_inner);
        for entry in entries.values() {
            let serving = entry.serving.as_deref();
            let versions = || entry.versions.values();
            keep_on_disk(
                entry
                    .code
                    .iter()
                    .chain(serving.map(|serving| &serving.code))
                    .chain(versions().filter_map(|version| version.code.as_ref())),
                entry
                    .layers
                    .iter()
                    .chain(serving.map(|serving| &serving.layers))
                    .chain(versions().filter_map(|version| version.layers.as_ref())),
            );
        }
    }
}
