//! Published versions: immutable snapshots of `$LATEST`, numbered from 1. A number is given once, also when its version
//! is deleted, until the function itself is.
//!
//! Each version has a record of its own beside that of its function, and holds its package itself.

use std::sync::Arc;

use hearth_store::{FunctionRecord, Outcome, StoreError};
use hearth_types::{FunctionName, Qualifier, RevisionId, Version};

use super::settling::SETTLE_AGAIN;
use super::{Functions, to_the_end};
use crate::leases::keep_if_in_doubt;
use crate::{
    DeployedCode, DeployedLayers, Failure, Function, FunctionConfiguration, FunctionsError, LastUpdateStatus,
    PublishVersion, ResolvedVersion, SnapshotFailure, State, StateReasonCode, Vpc, record,
};

/// A published version.
pub(super) struct Published {
    pub(super) function: Arc<Function>,
    /// The description that `$LATEST` had: the version may have been given another.
    pub(super) latest_description: String,
    /// Its code, kept on disk; `None` when it is lost.
    pub(super) code: Option<DeployedCode>,
    /// Its layers, likewise.
    pub(super) layers: Option<DeployedLayers>,
    /// What invocations run on, once it is active.
    pub(super) serving: Option<Arc<ResolvedVersion>>,
}

impl Published {
    /// Whether it was published from what `latest` still is.
    fn is_of(&self, latest: &Function) -> bool {
        let configuration = FunctionConfiguration {
            description: self.latest_description.clone(),
            ..FunctionConfiguration::clone(&self.function.configuration)
        };
        self.function.code_sha256 == latest.code_sha256 && configuration == *latest.configuration
    }

    fn record(&self) -> FunctionRecord {
        let latest_description = Some(self.latest_description.clone());
        FunctionRecord { latest_description, ..record::write(&self.function) }
    }
}

impl Functions {
    /// Publishes what `$LATEST` is. Returns the newest version instead when that is the same.
    pub async fn publish_version(
        self: &Arc<Self>,
        name: &FunctionName,
        request: PublishVersion,
    ) -> Result<Arc<Function>, FunctionsError> {
        let (functions, name) = (self.clone(), name.clone());
        to_the_end(async move {
            let _changing = functions.change(&name).await;
            let latest = functions.changeable(&name, request.revision_id.as_deref())?;
            let current = latest.code_sha256;
            if let Some(expected) = request.code_sha256.filter(|expected| *expected != current.to_string()) {
                return Err(FunctionsError::CodeMismatch { expected, current });
            }
            functions.publish(&latest, request.description).await
        })
        .await
    }

    /// Whether the newest version is what `$LATEST` is now.
    pub fn is_published(&self, name: &FunctionName) -> Result<bool, FunctionsError> {
        let entries = self.read();
        let not_found = || FunctionsError::NotFound { arn: self.arn(name, None) };
        let entry = entries.get(name).ok_or_else(not_found)?;
        Ok(entry.versions.get(&entry.last_version).is_some_and(|newest| newest.is_of(&entry.function)))
    }

    /// Publishes `latest`, which is what the function is now. The caller holds the lock of its changes.
    ///
    /// A version of a function that serves is active at once, mostly. Any other is pending, and settles on its own.
    pub(super) async fn publish(
        self: &Arc<Self>,
        latest: &Arc<Function>,
        description: Option<String>,
    ) -> Result<Arc<Function>, FunctionsError> {
        let name = &latest.configuration.name;
        let (code, layers, last) = {
            let entries = self.read();
            let not_found = || FunctionsError::NotFound { arn: self.arn(name, None) };
            let entry = entries.get(name).ok_or_else(not_found)?;
            if let Some(newest) = entry.versions.get(&entry.last_version)
                && newest.is_of(latest)
            {
                return Ok(newest.function.clone());
            }
            (entry.code.clone(), entry.layers.clone(), entry.last_version)
        };
        // What a snapshot is taken of is `Pending` until that is done; what AWS has to make a network of, too.
        let is_made_ready =
            latest.configuration.snap_start || latest.configuration.vpc.as_ref().is_some_and(Vpc::is_network);
        let serves = !is_made_ready
            && latest.state == State::Active
            && latest.last_update == Some(LastUpdateStatus::Successful)
            && code.is_some()
            && layers.is_some();
        let mut configuration = FunctionConfiguration::clone(&latest.configuration);
        let latest_description = configuration.description.clone();
        configuration.description = description.unwrap_or(configuration.description);
        let function = |number| Function {
            configuration: Arc::new(configuration.clone()),
            version: Version::Number(number),
            revision_id: RevisionId::random(),
            last_modified_ms: self.clock.epoch_ms(),
            state: if serves { State::Active } else { State::Pending },
            last_update: serves.then_some(LastUpdateStatus::Successful),
            tags: Default::default(), // tags are the function's
            policy: None,             // and so is its policy: a version has one of its own
            ..Function::clone(latest)
        };
        let mut number = last + 1;
        let mut published = Published {
            function: Arc::new(function(number)),
            latest_description,
            code,
            layers,
            serving: None,
        };
        loop {
            match self.store.insert(published.record()).await {
                Ok(Outcome::Done) => break,
                // A change of which the store could not say whether it was kept has taken the number.
                Ok(Outcome::Conflict) => {
                    number += 1;
                    published.function = Arc::new(function(number));
                }
                Err(error) => {
                    let (code, layers) = (published.code.as_ref(), published.layers.as_ref());
                    return Err(keep_if_in_doubt(error.into(), code, layers));
                }
            }
        }
        fail::fail_point!("functions::published");
        let function = published.function.clone();
        if let (Some(code), Some(layers), true) = (&published.code, &published.layers, serves) {
            published.serving = Some(self.snapshot(&function, code.clone(), layers.clone()));
        }
        if let Some(entry) = self.write().get_mut(name) {
            entry.last_version = number;
            entry.versions.insert(number, published);
        }
        tracing::info!(function = %name, version = number, "version published");
        if !serves {
            self.begin_to_settle_version(name.clone(), number);
        }
        Ok(function)
    }

    /// Changes what stands beside the configuration of a published version. The caller holds the lock of the function's
    /// changes.
    pub(super) async fn change_version(
        &self,
        name: &FunctionName,
        number: u64,
        change: impl FnOnce(&mut Function),
    ) -> Result<(), FunctionsError> {
        let arn = self.arn(name, Some(Qualifier::Version(Version::Number(number))));
        let (current, latest_description) = {
            let entries = self.read();
            let published = entries.get(name).and_then(|entry| entry.versions.get(&number));
            let published = published.ok_or_else(|| FunctionsError::NotFound { arn: arn.clone() })?;
            (published.function.clone(), published.latest_description.clone())
        };
        // It is settled by its revision, and what it settles to was made before.
        if current.is_settling() {
            return Err(FunctionsError::Pending { arn });
        }
        let mut changed = Function { revision_id: RevisionId::random(), ..Function::clone(&current) };
        change(&mut changed);
        let latest_description = Some(latest_description);
        let stored = FunctionRecord { latest_description, ..record::write(&changed) };
        match self.store.replace(current.revision_id.to_string(), stored).await? {
            Outcome::Done => {}
            Outcome::Conflict => return Err(FunctionsError::RevisionMismatch),
        }
        if let Some(published) = self.write().get_mut(name).and_then(|entry| entry.versions.get_mut(&number))
        {
            published.function = Arc::new(changed);
        }
        Ok(())
    }

    /// Returns what a qualifier means: `$LATEST`, or a version. Of an alias, it is the version that is not additional.
    pub fn get_qualified(
        &self,
        name: &FunctionName,
        qualifier: Option<&Qualifier>,
    ) -> Result<Arc<Function>, FunctionsError> {
        let not_found = || FunctionsError::NotFound { arn: self.arn(name, qualifier.cloned()) };
        let entries = self.read();
        let entry = entries.get(name).ok_or_else(not_found)?;
        match entry.version_of(qualifier, || 1.0).ok_or_else(not_found)? {
            Version::Latest => Ok(entry.function.clone()),
            Version::Number(number) => {
                let published = entry.versions.get(&number).ok_or_else(not_found)?;
                Ok(published.function.clone())
            }
        }
    }

    /// Returns up to `limit` versions of a function, `$LATEST` first, beginning behind `after`, and whether there are more.
    pub fn list_versions(
        &self,
        name: &FunctionName,
        after: Option<Version>,
        limit: usize,
    ) -> Result<(Vec<Arc<Function>>, bool), FunctionsError> {
        let entries = self.read();
        let not_found = || FunctionsError::NotFound { arn: self.arn(name, None) };
        let entry = entries.get(name).ok_or_else(not_found)?;
        let mut rest =
            entry.all_versions().filter(|function| after.is_none_or(|after| function.version > after));
        let page = rest.by_ref().take(limit).cloned().collect();
        Ok((page, rest.next().is_some()))
    }

    /// Returns up to `limit` versions of all functions, by name and number, beginning behind `after`, and whether there are
    /// more.
    pub fn list_all_versions(
        &self,
        after: Option<&(FunctionName, Version)>,
        limit: usize,
    ) -> (Vec<Arc<Function>>, bool) {
        let entries = self.read();
        let from = match after {
            None => std::ops::Bound::Unbounded,
            Some((name, _)) => std::ops::Bound::Included(name),
        };
        let range = entries.range::<FunctionName, _>((from, std::ops::Bound::Unbounded));
        let is_behind = |function: &&Arc<Function>| {
            after.is_none_or(|(name, version)| {
                (&function.configuration.name, &function.version) > (name, version)
            })
        };
        let mut rest = range.flat_map(|(_, entry)| entry.all_versions()).filter(is_behind);
        let page = rest.by_ref().take(limit).cloned().collect();
        (page, rest.next().is_some())
    }

    /// Deletes a version, unless an alias points to it; says nothing when it is not there. What runs, runs to its end.
    pub async fn delete_version(
        self: &Arc<Self>,
        name: &FunctionName,
        number: u64,
    ) -> Result<(), FunctionsError> {
        let (functions, name) = (self.clone(), name.clone());
        to_the_end(async move { functions.delete_version_now(&name, number).await }).await
    }

    async fn delete_version_now(&self, name: &FunctionName, number: u64) -> Result<(), FunctionsError> {
        let _changing = self.change(name).await;
        let (stored, revision_id) = {
            let entries = self.read();
            let not_found = || FunctionsError::NotFound { arn: self.arn(name, None) };
            let entry = entries.get(name).ok_or_else(not_found)?;
            let Some(published) = entry.versions.get(&number) else { return Ok(()) };
            let version = Version::Number(number);
            let pointing = entry.aliases.values().filter(|alias| alias.points_to(version));
            let aliases: Vec<String> = pointing.map(|alias| alias.name.to_string()).collect();
            if !aliases.is_empty() {
                let arn = self.arn(name, Some(Qualifier::Version(version)));
                return Err(FunctionsError::VersionInUse { arn, aliases });
            }
            let stored = FunctionRecord { is_deleted: true, ..published.record() };
            (stored, published.function.revision_id)
        };
        match self.store.replace(revision_id.to_string(), stored).await? {
            Outcome::Done => {}
            Outcome::Conflict => return Err(FunctionsError::RevisionMismatch),
        }
        fail::fail_point!("functions::version_deleted");
        let removed = self.write().get_mut(name).and_then(|entry| {
            entry.provisioned.remove(&number.to_string());
            entry.versions.remove(&number)
        });
        self.tell(name, Version::Number(number), None);
        self.tell_concurrency(name);
        drop(removed); // its code goes with the last environment that runs it
        self.settled.send_modify(|count| *count += 1);
        tracing::info!(function = %name, version = number, "version deleted");
        Ok(())
    }

    /// Lets a version settle on its own.
    pub(super) fn begin_to_settle_version(self: &Arc<Self>, name: FunctionName, number: u64) {
        let functions = self.clone();
        tokio::spawn(async move { functions.settle_version(&name, number).await });
    }

    async fn settle_version(&self, name: &FunctionName, number: u64) {
        let qualifier = Qualifier::Version(Version::Number(number));
        let Ok(before) = self.get_qualified(name, Some(&qualifier)) else { return };
        let ready = self.deployment.runtime_ready(before.configuration.runtime).await;
        let mut ready = ready.map_err(|reason| Failure { code: StateReasonCode::InvalidRuntime, reason });
        if ready.is_ok() && before.configuration.snap_start {
            ready = self.take_snapshot(name, number, &before).await;
        }
        while let Err(error) = self.settle_version_as(name, number, &before, &ready).await {
            tracing::error!(
                function = %name, version = number, error = &error as &dyn std::error::Error,
                "cannot keep a version's state"
            );
            if matches!(error, FunctionsError::Store(StoreError::Stopped)) {
                return;
            }
            tokio::time::sleep(SETTLE_AGAIN).await;
        }
    }

    /// Has the snapshot of a version taken, if it has all that it needs.
    async fn take_snapshot(
        &self,
        name: &FunctionName,
        number: u64,
        function: &Function,
    ) -> Result<(), Failure> {
        let packages = {
            let entries = self.read();
            let published = entries.get(name).and_then(|entry| entry.versions.get(&number));
            published.and_then(|published| Some((published.code.clone()?, published.layers.clone()?)))
        };
        let (Some((code, layers)), Some(listener)) = (packages, self.listener.get()) else { return Ok(()) };
        let taken = listener.take_snapshot(self.snapshot(function, code, layers)).await;
        taken.map_err(|SnapshotFailure { code, reason }| Failure { code, reason })
    }

    /// Makes a version active or failed, if it is still what it was `before`.
    pub(super) async fn settle_version_as(
        &self,
        name: &FunctionName,
        number: u64,
        before: &Function,
        ready: &Result<(), Failure>,
    ) -> Result<(), FunctionsError> {
        let _changing = self.change(name).await;
        let (stored, settled) = {
            let entries = self.read();
            let Some(published) = entries.get(name).and_then(|entry| entry.versions.get(&number)) else {
                return Ok(()); // deleted meanwhile
            };
            if published.function.revision_id != before.revision_id {
                return Ok(());
            }
            let lost = || Failure {
                code: StateReasonCode::InvalidZipFileException,
                reason: "the package or a layer is missing or damaged on disk: publish another version"
                    .to_owned(),
            };
            let has_all = published.code.is_some() && published.layers.is_some();
            let (state, last_update) = match ready {
                Ok(()) if has_all => (State::Active, Some(LastUpdateStatus::Successful)),
                Ok(()) => (State::Failed(lost()), None),
                Err(failure) => (State::Failed(failure.clone()), None),
            };
            let revision_id = RevisionId::random();
            let settled = Function { revision_id, state, last_update, ..Function::clone(before) };
            let latest_description = Some(published.latest_description.clone());
            (FunctionRecord { latest_description, ..record::write(&settled) }, Arc::new(settled))
        };
        fail::fail_point!("functions::settle");
        match self.store.replace(before.revision_id.to_string(), stored).await? {
            Outcome::Done => {}
            Outcome::Conflict => return Err(FunctionsError::RevisionMismatch),
        }
        if let Some(published) = self.write().get_mut(name).and_then(|entry| entry.versions.get_mut(&number))
        {
            if let (Some(code), Some(layers), State::Active) =
                (&published.code, &published.layers, &settled.state)
            {
                published.serving = Some(self.snapshot(&settled, code.clone(), layers.clone()));
            }
            published.function = settled;
        }
        self.tell_concurrency(name);
        self.settled.send_modify(|count| *count += 1);
        Ok(())
    }
}

impl super::Entry {
    /// `$LATEST` and every version, by number.
    pub(super) fn all_versions(&self) -> impl Iterator<Item = &Arc<Function>> {
        std::iter::once(&self.function).chain(self.versions.values().map(|version| &version.function))
    }
}
