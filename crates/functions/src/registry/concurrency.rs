//! Changes of what of the account's concurrency belongs to a function. They are kept in the record of the function, and go
//! with it. Whoever counts invocations is told, and told all of it each time.

use std::collections::BTreeMap;
use std::sync::Arc;

use hearth_store::{FunctionRecord, Outcome};
use hearth_types::{FunctionName, Qualifier, Version};

use super::aliases::Aliases;
use super::{Entry, Functions, to_the_end};
use crate::concurrency::unreserved_min;
use crate::{
    ConcurrencyError, ConcurrencyListener, Function, FunctionsError, ProvisionedConcurrency,
    ProvisionedVersion, VersionShare,
};

/// Provisioned concurrency of a function, by qualifier.
pub(super) type Provisioned = BTreeMap<String, ProvisionedConcurrency>;

impl Functions {
    /// Says who hears of concurrency, once, and tells them of what there is.
    pub fn set_concurrency_listener(&self, listener: Arc<dyn ConcurrencyListener>) {
        if self.concurrency_listener.set(listener).is_err() {
            tracing::error!("a second listener for concurrency was refused");
            return;
        }
        let names: Vec<FunctionName> = self.read().keys().cloned().collect();
        names.iter().for_each(|name| self.tell_concurrency(name));
    }

    /// Sets what a function has reserved of the account's `account_max`; `None` gives it back.
    pub async fn set_reserved_concurrency(
        self: &Arc<Self>,
        name: &FunctionName,
        reserved: Option<u32>,
        account_max: u32,
    ) -> Result<(), ConcurrencyError> {
        let (functions, name) = (self.clone(), name.clone());
        to_the_end(async move {
            let _changing = functions.change(&name).await;
            let _sharing = functions.sharing_concurrency.lock().await;
            let current = functions.get(&name)?;
            if let Some(reserved) = reserved {
                functions.check_reserved(&current, reserved, account_max)?;
            }
            let mut changed = Function::clone(&current);
            changed.management.reserved_concurrency = reserved;
            functions.keep(&current, &changed).await?;
            fail::fail_point!("functions::concurrency");
            if let Some(entry) = functions.write().get_mut(&name) {
                entry.function = Arc::new(changed);
            }
            functions.tell_concurrency(&name);
            Ok(())
        })
        .await
    }

    fn check_reserved(
        &self,
        current: &Function,
        reserved: u32,
        account_max: u32,
    ) -> Result<(), ConcurrencyError> {
        let name = &current.configuration.name;
        let entries = self.read();
        let provisioned = entries.get(name).map_or(0, Entry::provisioned_total);
        if reserved < provisioned {
            return Err(ConcurrencyError::ReservesLessThanProvisioned { reserved, provisioned });
        }
        // Less than before is always fine: the account's limit may have been lowered since.
        if reserved <= current.management.reserved_concurrency.unwrap_or(0) {
            return Ok(());
        }
        let others: u64 =
            entries.iter().filter(|(other, _)| *other != name).map(|(_, entry)| entry.set_aside()).sum();
        let unreserved_min = unreserved_min(account_max);
        if others + u64::from(reserved) + u64::from(unreserved_min) > u64::from(account_max) && reserved > 0 {
            return Err(ConcurrencyError::ReservesTooMuch { unreserved_min });
        }
        Ok(())
    }

    /// Returns what all functions together have reserved.
    pub fn reserved_concurrency(&self) -> u32 {
        let entries = self.read();
        let reserved = entries.values().filter_map(|entry| entry.function.management.reserved_concurrency);
        reserved.fold(0, u32::saturating_add)
    }

    /// Asks for so many environments of a version or alias, initialized ahead of calls.
    pub async fn put_provisioned_concurrency(
        self: &Arc<Self>,
        name: &FunctionName,
        qualifier: Qualifier,
        requested: u32,
        account_max: u32,
    ) -> Result<ProvisionedConcurrency, ConcurrencyError> {
        let (functions, name) = (self.clone(), name.clone());
        to_the_end(async move {
            let _changing = functions.change(&name).await;
            let _sharing = functions.sharing_concurrency.lock().await;
            functions.check_provisioned(&name, &qualifier, requested, account_max)?;
            let last_modified_ms = functions.clock.epoch_ms();
            let config = ProvisionedConcurrency { qualifier, requested, last_modified_ms };
            let mut provisioned = functions.of(&name, |entry| Ok(entry.provisioned.clone()))?;
            provisioned.insert(config.qualifier.to_string(), config.clone());
            functions.keep_provisioned(&name, provisioned).await?;
            Ok(config)
        })
        .await
    }

    fn check_provisioned(
        &self,
        name: &FunctionName,
        qualifier: &Qualifier,
        requested: u32,
        account_max: u32,
    ) -> Result<(), ConcurrencyError> {
        let entries = self.read();
        let not_found = |qualifier| FunctionsError::NotFound { arn: self.arn(name, qualifier) };
        let entry = entries.get(name).ok_or_else(|| not_found(None))?;
        match qualifier {
            Qualifier::Version(Version::Latest) => return Err(ConcurrencyError::ProvisionsLatest),
            Qualifier::Version(version @ Version::Number(number)) => {
                if !entry.versions.contains_key(number) {
                    return Err(not_found(Some(qualifier.clone())).into());
                }
                let mut pointing = entry.aliases.values().filter(|alias| alias.points_to(*version));
                if pointing.any(|alias| entry.provisioned.contains_key(&*alias.name)) {
                    return Err(ConcurrencyError::VersionOfProvisionedAlias);
                }
            }
            Qualifier::Alias(alias) => {
                let arn = || self.arn(name, Some(qualifier.clone()));
                let alias =
                    entry.aliases.get(alias).ok_or_else(|| FunctionsError::AliasNotFound { arn: arn() })?;
                if alias.version == Version::Latest {
                    return Err(ConcurrencyError::ProvisionsLatest);
                }
                entry.check_versions_of_provisioned(alias)?;
            }
        }
        let before = entry.provisioned.get(&qualifier.to_string()).map_or(0, |before| before.requested);
        let others_of_it = entry.provisioned_total() - before;
        if let Some(reserved) = entry.function.management.reserved_concurrency {
            return match u64::from(others_of_it) + u64::from(requested) > u64::from(reserved) {
                true => Err(ConcurrencyError::ProvisionsMoreThanReserved),
                false => Ok(()),
            };
        }
        if requested <= before {
            return Ok(());
        }
        let all: u64 = entries.values().map(Entry::set_aside).sum();
        let unreserved = u64::from(account_max).saturating_sub(all - u64::from(before)) as u32;
        if requested > unreserved {
            return Err(ConcurrencyError::ProvisionsMoreThanUnreserved { unreserved });
        }
        let unreserved_min = unreserved_min(account_max);
        match unreserved - requested < unreserved_min {
            true => Err(ConcurrencyError::ProvisionsTooMuch { unreserved_min }),
            false => Ok(()),
        }
    }

    /// Provisions nothing of a version or alias any more; says nothing when nothing was.
    pub async fn delete_provisioned_concurrency(
        self: &Arc<Self>,
        name: &FunctionName,
        qualifier: Qualifier,
    ) -> Result<(), ConcurrencyError> {
        let (functions, name) = (self.clone(), name.clone());
        to_the_end(async move {
            let _changing = functions.change(&name).await;
            let mut provisioned = functions.of(&name, |entry| Ok(entry.provisioned.clone()))?;
            match provisioned.remove(&qualifier.to_string()) {
                Some(_) => Ok(functions.keep_provisioned(&name, provisioned).await?),
                None => Ok(()),
            }
        })
        .await
    }

    /// Returns what is provisioned of a function, by qualifier, each with the versions that it means.
    pub fn provisioned_concurrency(
        &self,
        name: &FunctionName,
    ) -> Result<Vec<(ProvisionedConcurrency, Vec<VersionShare>)>, FunctionsError> {
        self.of(name, |entry| Ok(entry.provisioned_versions().collect()))
    }

    async fn keep_provisioned(
        &self,
        name: &FunctionName,
        provisioned: Provisioned,
    ) -> Result<(), FunctionsError> {
        let written = provisioned.values().map(ProvisionedConcurrency::write).collect();
        let stored =
            self.of(name, |entry| Ok(FunctionRecord { provisioned: written, ..entry.stored.clone() }))?;
        match self.store.replace(stored.revision_id.clone(), stored.clone()).await? {
            Outcome::Done => {}
            Outcome::Conflict => return Err(FunctionsError::RevisionMismatch),
        }
        fail::fail_point!("functions::concurrency");
        if let Some(entry) = self.write().get_mut(name) {
            entry.stored = stored;
            entry.provisioned = provisioned;
        }
        self.tell_concurrency(name);
        Ok(())
    }

    /// Tells whoever counts invocations how much concurrency a function has. The caller holds the lock of its changes, or
    /// nobody changes anything yet.
    pub(super) fn tell_concurrency(&self, name: &FunctionName) {
        let Some(listener) = self.concurrency_listener.get() else { return };
        let told = self.read().get(name).map(|entry| {
            let mut counts: BTreeMap<u64, u32> = BTreeMap::new();
            for share in entry.provisioned_versions().flat_map(|(_, versions)| versions) {
                *counts.entry(share.number).or_default() += share.count;
            }
            let serving = |number| entry.versions.get(&number).and_then(|version| version.serving.clone());
            // One that is still being published is told of when it is active.
            let provisioned = counts.into_iter().filter_map(|(number, count)| {
                serving(number).map(|version| ProvisionedVersion { version, count })
            });
            (entry.function.management.reserved_concurrency, provisioned.collect())
        });
        match told {
            Some((reserved, provisioned)) => listener.changed(name, reserved, provisioned),
            None => listener.deleted(name),
        }
    }
}

impl Entry {
    /// What is provisioned, each with the versions that it means.
    fn provisioned_versions(&self) -> impl Iterator<Item = (ProvisionedConcurrency, Vec<VersionShare>)> {
        self.provisioned.iter().map(|(qualifier, config)| {
            let alias = self.aliases.get(&**qualifier).map(|alias| &**alias);
            (config.clone(), config.versions(alias))
        })
    }

    fn provisioned_total(&self) -> u32 {
        self.provisioned.values().map(|config| config.requested).fold(0, u32::saturating_add)
    }

    /// How much of the account's concurrency no other function can have: what is reserved, or else what is provisioned.
    fn set_aside(&self) -> u64 {
        self.function.management.reserved_concurrency.unwrap_or_else(|| self.provisioned_total()).into()
    }

    /// Refuses an alias with provisioned concurrency that points to a version with its own.
    pub(super) fn check_versions_of_provisioned(&self, alias: &crate::Alias) -> Result<(), FunctionsError> {
        let own = self.versions.keys().filter(|number| self.provisioned.contains_key(&number.to_string()));
        let mut own = own.map(|number| Version::Number(*number));
        match own.any(|version| alias.points_to(version)) {
            true => Err(FunctionsError::AliasOfProvisionedVersion),
            false => Ok(()),
        }
    }
}

/// Keeps what still has its alias.
pub(super) fn of_aliases(mut provisioned: Provisioned, aliases: &Aliases) -> Provisioned {
    provisioned.retain(|qualifier, config| match config.qualifier {
        Qualifier::Alias(_) => aliases.contains_key(&**qualifier),
        Qualifier::Version(_) => true,
    });
    provisioned
}
