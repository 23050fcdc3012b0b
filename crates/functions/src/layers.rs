//! Layers: published as versions that never change, shown, shared, deleted, and found for the functions that want them.
//!
//! A change goes the way of a function's: package durable → record durable → memory. A version that is deleted is gone
//! for everybody who asks, and stays for the functions that have it: they hold its package themselves.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use hearth_store::{Clock, LayerStore, LayerVersionRecord, Outcome, StoreError};
use hearth_types::{Architecture, CodeSha256, LayerName, LayerVersionArn, RevisionId, Runtime};

use crate::layer_policy::LayerStatement;
use crate::{
    DeployError, DeployedCode, Deployment, FunctionLayer, FunctionsSettings, LayersError, OpenError,
    layer_record,
};

/// A version of a layer, as it is described. Only its policy ever changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerVersion {
    /// Its ARN.
    pub arn: LayerVersionArn,
    /// A text for people.
    pub description: String,
    /// The license that its publisher named.
    pub license_info: Option<String>,
    /// The runtimes that its publisher says it is for. Shown, and looked for in lists; nothing is refused for it.
    pub compatible_runtimes: Vec<Runtime>,
    /// The instruction sets, likewise.
    pub compatible_architectures: Vec<Architecture>,
    /// When it was published, in milliseconds since 1970.
    pub created_ms: i64,
    /// SHA-256 of its package.
    pub code_sha256: CodeSha256,
    /// Size of its package, in bytes.
    pub code_size: u64,
    /// Who else may use it.
    pub statements: Vec<LayerStatement>,
    /// Fresh after each change of the statements.
    pub policy_revision_id: RevisionId,
}

/// A layer version to be.
#[derive(Debug)]
pub struct PublishLayerVersion {
    /// The layer, which begins with its first version.
    pub name: LayerName,
    /// A text for people.
    pub description: String,
    /// Its license.
    pub license_info: Option<String>,
    /// The runtimes it is for.
    pub compatible_runtimes: Vec<Runtime>,
    /// The instruction sets it is for.
    pub compatible_architectures: Vec<Architecture>,
    /// Its package.
    pub zip: Bytes,
}

/// Which versions a list is about.
#[derive(Debug, Clone, Copy, Default)]
pub struct LayerFilter {
    /// Only those that name this runtime.
    pub runtime: Option<Runtime>,
    /// Only those that name this instruction set.
    pub architecture: Option<Architecture>,
}

impl LayerFilter {
    fn matches(&self, version: &LayerVersion) -> bool {
        self.runtime.is_none_or(|runtime| version.compatible_runtimes.contains(&runtime))
            && self
                .architecture
                .is_none_or(|architecture| version.compatible_architectures.contains(&architecture))
    }
}

/// A layer version that a function is going to have. Its package stays as long as one of these is held.
#[derive(Debug, Clone)]
pub struct LayerInUse {
    /// What the function's configuration says.
    pub layer: FunctionLayer,
    /// The unpacked package.
    pub code: DeployedCode,
}

/// All layers of an account in a region.
pub struct Layers {
    store: Arc<dyn LayerStore>,
    deployment: Arc<dyn Deployment>,
    settings: FunctionsSettings,
    clock: Arc<dyn Clock>,
    layers: RwLock<BTreeMap<LayerName, Layer>>,
    /// One change at a time: they are rare and short, as packages are unpacked before.
    changing: tokio::sync::Mutex<()>,
    /// Whether some package could not be opened at the start.
    misses_code: AtomicBool,
}

#[derive(Default)]
struct Layer {
    /// The highest number that was ever given.
    last: u64,
    versions: BTreeMap<u64, Entry>,
}

struct Entry {
    version: Arc<LayerVersion>,
    /// `None` when it is lost.
    code: Option<DeployedCode>,
}

impl Layers {
    /// Reads every layer.
    pub async fn open(
        store: Arc<dyn LayerStore>,
        deployment: Arc<dyn Deployment>,
        settings: FunctionsSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, OpenError> {
        let layers = Arc::new(Self {
            store,
            deployment,
            settings,
            clock,
            layers: RwLock::default(),
            changing: tokio::sync::Mutex::new(()),
            misses_code: AtomicBool::new(false),
        });
        for stored in layers.store.load_all().await? {
            layers.load(&stored).await?;
        }
        Ok(layers)
    }

    async fn load(&self, stored: &LayerVersionRecord) -> Result<(), OpenError> {
        let version = layer_record::read(stored, &self.settings)?;
        let LayerVersionArn { name, version: number, .. } = version.arn.clone();
        let entry = if stored.is_deleted {
            None
        } else {
            let code = self.deployment.open(version.code_sha256, version.code_size).await;
            if let Err(error) = &code {
                // Named, and only this version is affected; its record is not touched.
                let reason = error.to_string();
                tracing::error!(layer = %version.arn, reason, "the package of a layer version is lost");
                self.misses_code.store(true, Ordering::Relaxed);
            }
            Some(Entry { version: Arc::new(version), code: code.ok() })
        };
        let mut layers = self.write();
        let layer = layers.entry(name).or_default();
        layer.last = layer.last.max(number);
        layer.versions.extend(entry.map(|entry| (number, entry)));
        Ok(())
    }

    /// Whether the package of some version could not be opened at the start. It may have been for a passing reason, so
    /// nothing that looks unused should be removed then.
    pub fn misses_code(&self) -> bool {
        self.misses_code.load(Ordering::Relaxed)
    }

    /// Publishes a version: the first of a new layer, or the next one.
    pub async fn publish(
        self: &Arc<Self>,
        request: PublishLayerVersion,
    ) -> Result<Arc<LayerVersion>, LayersError> {
        let layers = self.clone();
        to_the_end(async move { layers.publish_now(request).await }).await
    }

    async fn publish_now(&self, request: PublishLayerVersion) -> Result<Arc<LayerVersion>, LayersError> {
        let code = self.deployment.deploy(request.zip).await?;
        fail::fail_point!("layers::deployed");
        let _changing = self.changing.lock().await;
        let number = self.read().get(&request.name).map_or(0, |layer| layer.last) + 1;
        let mut version = LayerVersion {
            arn: self.arn(&request.name, number),
            description: request.description,
            license_info: request.license_info,
            compatible_runtimes: request.compatible_runtimes,
            compatible_architectures: request.compatible_architectures,
            created_ms: self.clock.epoch_ms(),
            code_sha256: code.sha256,
            code_size: code.size,
            statements: Vec::new(),
            policy_revision_id: RevisionId::random(),
        };
        loop {
            match self.store.insert(layer_record::write(&version)).await {
                Ok(Outcome::Done) => break,
                // A change of which the store could not say whether it was kept has taken the number.
                Ok(Outcome::Conflict) => version.arn.version += 1,
                Err(error) => {
                    if error.leaves_doubt() {
                        std::mem::forget(code.lease.clone());
                    }
                    return Err(error.into());
                }
            }
        }
        fail::fail_point!("layers::published");
        let (number, version) = (version.arn.version, Arc::new(version));
        {
            let mut layers = self.write();
            let layer = layers.entry(request.name).or_default();
            layer.last = number;
            layer.versions.insert(number, Entry { version: version.clone(), code: Some(code) });
        }
        tracing::info!(layer = %version.arn, "layer version published");
        Ok(version)
    }

    /// Returns a version.
    pub fn get(&self, name: &LayerName, number: u64) -> Option<Arc<LayerVersion>> {
        let layers = self.read();
        let entry = layers.get(name)?.versions.get(&number)?;
        Some(entry.version.clone())
    }

    /// Returns up to `limit` versions of a layer, the newest first, beginning below `before`, and whether there are more.
    pub fn list_versions(
        &self,
        name: &LayerName,
        filter: LayerFilter,
        before: Option<u64>,
        limit: usize,
    ) -> (Vec<Arc<LayerVersion>>, bool) {
        let layers = self.read();
        let Some(layer) = layers.get(name) else { return (Vec::new(), false) };
        let below = before.map_or(Bound::Unbounded, Bound::Excluded);
        let versions = layer.versions.range((Bound::Unbounded, below)).rev();
        let mut matching = versions.filter(|(_, entry)| filter.matches(&entry.version));
        let page = matching.by_ref().take(limit).map(|(_, entry)| entry.version.clone()).collect();
        (page, matching.next().is_some())
    }

    /// Returns the newest matching version of up to `limit` layers by name, beginning behind `after`, and whether there
    /// are more.
    pub fn list(
        &self,
        filter: LayerFilter,
        after: Option<&LayerName>,
        limit: usize,
    ) -> (Vec<Arc<LayerVersion>>, bool) {
        let layers = self.read();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut matching = layers.range::<LayerName, _>((from, Bound::Unbounded)).filter_map(|(_, layer)| {
            layer.versions.values().rev().map(|entry| &entry.version).find(|version| filter.matches(version))
        });
        let page = matching.by_ref().take(limit).cloned().collect();
        (page, matching.next().is_some())
    }

    /// Returns how many bytes the packages of all versions have together, as they were sent.
    pub fn code_bytes(&self) -> u64 {
        let layers = self.read();
        layers.values().flat_map(|layer| layer.versions.values()).map(|entry| entry.version.code_size).sum()
    }

    /// Deletes a version; says nothing when it is not there. Functions that have it keep it.
    pub async fn delete(self: &Arc<Self>, name: &LayerName, number: u64) -> Result<(), LayersError> {
        let (layers, name) = (self.clone(), name.clone());
        to_the_end(async move { layers.delete_now(&name, number).await }).await
    }

    async fn delete_now(&self, name: &LayerName, number: u64) -> Result<(), LayersError> {
        let _changing = self.changing.lock().await;
        let Some(version) = self.get(name, number) else { return Ok(()) };
        let is_last = self.read().get(name).is_some_and(|layer| layer.last == number);
        let record = layer_record::write(&version);
        if is_last {
            // The highest number is remembered, so that nobody gets it again.
            let revision_id = RevisionId::random().to_string();
            let deleted = LayerVersionRecord { is_deleted: true, revision_id, ..record.clone() };
            self.store.replace(record.revision_id, deleted).await?;
        } else {
            self.store.remove(record.key()).await?;
        }
        fail::fail_point!("layers::removed");
        let removed = self.write().get_mut(name).and_then(|layer| layer.versions.remove(&number));
        drop(removed); // its package goes with the last function that has it
        tracing::info!(layer = %version.arn, "layer version deleted");
        Ok(())
    }

    /// Lets somebody else use a version. `seen` is the revision of the policy that the caller has seen, if it matters.
    pub async fn add_statement(
        self: &Arc<Self>,
        name: &LayerName,
        number: u64,
        statement: LayerStatement,
        seen: Option<String>,
    ) -> Result<Arc<LayerVersion>, LayersError> {
        let change = move |version: &mut LayerVersion| {
            if version.statements.iter().any(|known| known.sid == statement.sid) {
                return Err(LayersError::StatementExists { sid: statement.sid });
            }
            version.statements.push(statement);
            version.check_policy_size()
        };
        self.change_policy(name, number, seen, change).await
    }

    /// Takes a statement back.
    pub async fn remove_statement(
        self: &Arc<Self>,
        name: &LayerName,
        number: u64,
        sid: String,
        seen: Option<String>,
    ) -> Result<Arc<LayerVersion>, LayersError> {
        let change = move |version: &mut LayerVersion| {
            let before = version.statements.len();
            version.statements.retain(|statement| statement.sid != sid);
            match version.statements.len() < before {
                true => Ok(()),
                false => Err(LayersError::StatementNotFound { sid }),
            }
        };
        self.change_policy(name, number, seen, change).await
    }

    async fn change_policy(
        self: &Arc<Self>,
        name: &LayerName,
        number: u64,
        seen: Option<String>,
        change: impl FnOnce(&mut LayerVersion) -> Result<(), LayersError> + Send + 'static,
    ) -> Result<Arc<LayerVersion>, LayersError> {
        let (layers, name) = (self.clone(), name.clone());
        to_the_end(async move {
            let _changing = layers.changing.lock().await;
            let current = layers
                .get(&name, number)
                .ok_or_else(|| LayersError::VersionNotFound { arn: layers.arn(&name, number) })?;
            let revision_id = current.policy_revision_id.to_string();
            // A version without a policy has no revision that anybody could have seen.
            if seen.is_some_and(|seen| current.statements.is_empty() || seen != revision_id) {
                return Err(LayersError::RevisionMismatch);
            }
            let mut changed = LayerVersion::clone(&current);
            change(&mut changed)?;
            changed.policy_revision_id = RevisionId::random();
            match layers.store.replace(revision_id, layer_record::write(&changed)).await? {
                Outcome::Done => {}
                Outcome::Conflict => return Err(LayersError::RevisionMismatch),
            }
            fail::fail_point!("layers::policy_changed");
            let changed = Arc::new(changed);
            let mut all = layers.write();
            let entry = all.get_mut(&name).and_then(|layer| layer.versions.get_mut(&number));
            if let Some(entry) = entry {
                entry.version = changed.clone();
            }
            Ok(changed)
        })
        .await
    }

    /// Finds a version for a function. While the result is held, its package stays, even if the version is deleted.
    pub fn for_function(&self, arn: &LayerVersionArn) -> Result<LayerInUse, LayersError> {
        let layers = self.read();
        let entry = layers
            .get(&arn.name)
            .and_then(|layer| layer.versions.get(&arn.version))
            .filter(|entry| entry.version.arn == *arn)
            .ok_or_else(|| LayersError::VersionNotFound { arn: arn.clone() })?;
        let code = entry.code.clone().ok_or(DeployError::Missing)?;
        let layer = FunctionLayer { arn: arn.clone(), code_sha256: code.sha256, code_size: code.size };
        Ok(LayerInUse { layer, code })
    }

    /// Returns the ARN of a version of a layer of this account.
    pub fn arn(&self, name: &LayerName, number: u64) -> LayerVersionArn {
        LayerVersionArn {
            region: self.settings.region.clone(),
            account: self.settings.account.clone(),
            name: name.clone(),
            version: number,
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<LayerName, Layer>> {
        self.layers.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<LayerName, Layer>> {
        self.layers.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Layers {
    /// A server that ends, in order or with an error, must not give free what its records need.
    fn drop(&mut self) {
        let layers = self.layers.get_mut().unwrap_or_else(PoisonError::into_inner);
        for code in
            layers.values().flat_map(|layer| layer.versions.values()).filter_map(|it| it.code.as_ref())
        {
            std::mem::forget(code.lease.clone());
        }
    }
}

/// Runs a change to its end, whether or not the caller waits for it.
async fn to_the_end<T: Send + 'static>(
    change: impl Future<Output = Result<T, LayersError>> + Send + 'static,
) -> Result<T, LayersError> {
    tokio::spawn(change).await.unwrap_or(Err(LayersError::Store(StoreError::Stopped)))
}
