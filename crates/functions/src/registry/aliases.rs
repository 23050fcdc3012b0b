//! Aliases: made, changed, removed, listed. They are kept in the record of their function, and go with it.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hearth_store::{FunctionRecord, Outcome};
use hearth_types::{FunctionName, Qualifier, RevisionId, Version};

use super::concurrency::of_aliases;
use super::function_urls::FunctionUrls;
use super::{Entry, Functions, to_the_end};
use crate::{Alias, CreateAlias, FunctionUrl, FunctionsError, ProvisionedConcurrency, UpdateAlias};

/// Aliases of a function, by name.
pub(super) type Aliases = BTreeMap<Arc<str>, Arc<Alias>>;

/// Draws lots between the versions of an alias. Good enough to share calls out, and no secret: SplitMix64.
pub(super) struct Lots(AtomicU64);

impl Lots {
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(RandomState::new().build_hasher().finish()))
    }

    /// Returns a number from 0.0 to below 1.0.
    pub(super) fn draw(&self) -> f64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut bits = self.0.fetch_add(STEP, Ordering::Relaxed);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        (bits >> 11) as f64 / (1_u64 << 53) as f64
    }
}

impl Functions {
    /// Creates an alias.
    pub async fn create_alias(
        self: &Arc<Self>,
        name: &FunctionName,
        request: CreateAlias,
    ) -> Result<Arc<Alias>, FunctionsError> {
        let (functions, name) = (self.clone(), name.clone());
        to_the_end(async move {
            let _changing = functions.change(&name).await;
            let arn = functions.arn(&name, Some(Qualifier::Alias(request.name.clone())));
            let alias = Alias {
                name: request.name,
                version: request.version,
                description: request.description,
                additional: request.additional,
                revision_id: RevisionId::random(),
                policy: None,
                arn: arn.clone(),
            };
            let aliases = functions.check_alias(&name, &alias)?;
            if aliases.contains_key(&alias.name) {
                return Err(FunctionsError::AliasExists { arn });
            }
            functions.keep_alias(&name, aliases, alias).await
        })
        .await
    }

    /// Changes an alias.
    pub async fn update_alias(
        self: &Arc<Self>,
        name: &FunctionName,
        alias: Arc<str>,
        request: UpdateAlias,
    ) -> Result<Arc<Alias>, FunctionsError> {
        let (functions, name) = (self.clone(), name.clone());
        to_the_end(async move {
            let _changing = functions.change(&name).await;
            let current = functions.get_alias(&name, &alias)?;
            let is_stale = |seen: String| seen != current.revision_id.to_string();
            if request.revision_id.is_some_and(is_stale) {
                return Err(FunctionsError::RevisionMismatch);
            }
            let changed = Alias {
                version: request.version.unwrap_or(current.version),
                description: request.description.unwrap_or_else(|| current.description.clone()),
                additional: request.additional.unwrap_or_else(|| current.additional.clone()),
                revision_id: RevisionId::random(),
                ..Alias::clone(&current)
            };
            let aliases = functions.check_alias(&name, &changed)?;
            functions.keep_alias(&name, aliases, changed).await
        })
        .await
    }

    /// Removes an alias; says nothing when it is not there.
    pub async fn delete_alias(
        self: &Arc<Self>,
        name: &FunctionName,
        alias: Arc<str>,
    ) -> Result<(), FunctionsError> {
        let (functions, name) = (self.clone(), name.clone());
        to_the_end(async move {
            let _changing = functions.change(&name).await;
            let mut aliases = functions.of(&name, |entry| Ok(entry.aliases.clone()))?;
            match aliases.remove(&alias) {
                Some(_) => functions.keep_aliases(&name, aliases).await,
                None => Ok(()),
            }
        })
        .await
    }

    /// Returns an alias.
    pub fn get_alias(&self, name: &FunctionName, alias: &str) -> Result<Arc<Alias>, FunctionsError> {
        let entries = self.read();
        let found = entries.get(name).and_then(|entry| entry.aliases.get(alias));
        let arn = || self.arn(name, Some(Qualifier::Alias(Arc::from(alias))));
        found.cloned().ok_or_else(|| FunctionsError::AliasNotFound { arn: arn() })
    }

    /// Returns up to `limit` aliases by name, beginning behind `after`, and whether there are more. With `version`, only
    /// those that point to it.
    pub fn list_aliases(
        &self,
        name: &FunctionName,
        version: Option<Version>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Arc<Alias>>, bool), FunctionsError> {
        self.of(name, |entry| {
            let from = after.map_or(Bound::Unbounded, Bound::Excluded);
            let range = entry.aliases.range::<str, _>((from, Bound::Unbounded)).map(|(_, alias)| alias);
            let mut rest = range.filter(|alias| version.is_none_or(|version| alias.points_to(version)));
            let page = rest.by_ref().take(limit).cloned().collect();
            Ok((page, rest.next().is_some()))
        })
    }

    /// Checks that the versions of an alias are there and go together, and returns all aliases of the function.
    fn check_alias(&self, name: &FunctionName, alias: &Alias) -> Result<Aliases, FunctionsError> {
        self.of(name, |entry| {
            let additional = alias.additional.as_ref().map(|additional| Version::Number(additional.version));
            for version in std::iter::once(alias.version).chain(additional) {
                if let Version::Number(number) = version
                    && !entry.versions.contains_key(&number)
                {
                    let arn = self.arn(name, Some(Qualifier::Version(version)));
                    return Err(FunctionsError::NotFound { arn });
                }
            }
            if entry.provisioned.contains_key(&*alias.name) {
                if alias.version == Version::Latest {
                    return Err(FunctionsError::ProvisionedAliasOfLatest);
                }
                entry.check_versions_of_provisioned(alias)?;
            }
            match additional {
                Some(_) if alias.version == Version::Latest => Err(FunctionsError::AliasOfLatestAndAnother),
                Some(additional) if alias.version == additional => {
                    Err(FunctionsError::AliasOfOneVersionTwice { version: additional })
                }
                Some(_) | None => Ok(entry.aliases.clone()),
            }
        })
    }

    /// Keeps an alias in place of the one that has its name. The caller holds the lock of the function's changes.
    pub(super) async fn replace_alias(
        &self,
        name: &FunctionName,
        alias: Alias,
    ) -> Result<Arc<Alias>, FunctionsError> {
        let aliases = self.of(name, |entry| Ok(entry.aliases.clone()))?;
        self.keep_alias(name, aliases, alias).await
    }

    async fn keep_alias(
        &self,
        name: &FunctionName,
        mut aliases: Aliases,
        alias: Alias,
    ) -> Result<Arc<Alias>, FunctionsError> {
        let alias = Arc::new(alias);
        aliases.insert(alias.name.clone(), alias.clone());
        self.keep_aliases(name, aliases).await?;
        Ok(alias)
    }

    /// Keeps all aliases of a function. A URL goes with its alias; nothing else of the record changes, and neither does its
    /// revision.
    async fn keep_aliases(&self, name: &FunctionName, aliases: Aliases) -> Result<(), FunctionsError> {
        let written = aliases.values().map(|alias| alias.write()).collect();
        let (stored, provisioned, urls) = self.of(name, |entry| {
            let provisioned = of_aliases(entry.provisioned.clone(), &aliases);
            let kept = provisioned.values().map(ProvisionedConcurrency::write).collect();
            let stays =
                |url: &&Arc<FunctionUrl>| url.alias.as_ref().is_none_or(|alias| aliases.contains_key(alias));
            let urls: FunctionUrls = entry.urls.iter().filter(stays).cloned().collect();
            let function_urls = urls.iter().map(|url| url.write()).collect();
            let stored =
                FunctionRecord { aliases: written, provisioned: kept, function_urls, ..entry.stored.clone() };
            Ok((stored, provisioned, urls))
        })?;
        match self.store.replace(stored.revision_id.clone(), stored.clone()).await? {
            Outcome::Done => {}
            Outcome::Conflict => return Err(FunctionsError::RevisionMismatch),
        }
        fail::fail_point!("functions::aliased");
        self.own_urls(name, &urls);
        if let Some(entry) = self.write().get_mut(name) {
            entry.stored = stored;
            entry.aliases = aliases;
            entry.provisioned = provisioned;
            entry.urls = urls;
        }
        self.tell_concurrency(name);
        Ok(())
    }

    /// Looks at a function, if it is there.
    pub(super) fn of<T>(
        &self,
        name: &FunctionName,
        look: impl FnOnce(&Entry) -> Result<T, FunctionsError>,
    ) -> Result<T, FunctionsError> {
        let entries = self.read();
        let entry =
            entries.get(name).ok_or_else(|| FunctionsError::NotFound { arn: self.arn(name, None) })?;
        look(entry)
    }
}
