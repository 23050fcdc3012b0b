//! Function URLs: made, changed, removed, listed, and found by their ids. They are kept in the record of their function,
//! and go with it, or with their alias.

use std::sync::Arc;

use hearth_store::{FunctionRecord, Outcome};
use hearth_types::{FunctionName, Qualifier, RequestId};

use super::{Functions, to_the_end};
use crate::{AuthType, FunctionUrl, FunctionUrlChange, FunctionsError, InvokeMode};

/// The URLs of a function: its own first, then those of its aliases by name.
pub(super) type FunctionUrls = Vec<Arc<FunctionUrl>>;

impl Functions {
    /// Gives a function, or an alias, a URL.
    pub async fn create_url(
        self: &Arc<Self>,
        name: &FunctionName,
        alias: Option<Arc<str>>,
        auth_type: AuthType,
        change: FunctionUrlChange,
    ) -> Result<Arc<FunctionUrl>, FunctionsError> {
        let (functions, name) = (self.clone(), name.clone());
        to_the_end(async move {
            let _changing = functions.change(&name).await;
            let arn = functions.arn(&name, alias.clone().map(Qualifier::Alias));
            let mut urls = functions.of(&name, |entry| {
                match alias.as_ref().is_none_or(|alias| entry.aliases.contains_key(alias)) {
                    true => Ok(entry.urls.clone()),
                    false => Err(FunctionsError::NotFound { arn: arn.clone() }),
                }
            })?;
            if urls.iter().any(|url| url.alias == alias) {
                return Err(FunctionsError::UrlExists { arn });
            }
            let now = functions.clock.epoch_ms();
            let url = Arc::new(FunctionUrl {
                arn,
                alias,
                id: fresh_id(),
                auth_type,
                invoke_mode: change.invoke_mode.unwrap_or(InvokeMode::Buffered),
                cors: change.cors.filter(|cors| *cors != Default::default()),
                created_ms: now,
                last_modified_ms: now,
            });
            urls.push(url.clone());
            urls.sort_by(|one, other| one.alias.cmp(&other.alias));
            functions.keep_urls(&name, urls).await?;
            Ok(url)
        })
        .await
    }

    /// Changes a URL. Its id stays.
    pub async fn update_url(
        self: &Arc<Self>,
        name: &FunctionName,
        alias: Option<Arc<str>>,
        change: FunctionUrlChange,
    ) -> Result<Arc<FunctionUrl>, FunctionsError> {
        let (functions, name) = (self.clone(), name.clone());
        to_the_end(async move {
            let _changing = functions.change(&name).await;
            let current = functions.get_url(&name, alias.as_deref())?;
            let cors = match change.cors {
                None => current.cors.clone(),
                Some(cors) => Some(cors).filter(|cors| *cors != Default::default()),
            };
            let changed = Arc::new(FunctionUrl {
                auth_type: change.auth_type.unwrap_or(current.auth_type),
                invoke_mode: change.invoke_mode.unwrap_or(current.invoke_mode),
                cors,
                last_modified_ms: functions.clock.epoch_ms(),
                ..FunctionUrl::clone(&current)
            });
            let mut urls = functions.of(&name, |entry| Ok(entry.urls.clone()))?;
            for url in urls.iter_mut().filter(|url| url.id == changed.id) {
                *url = changed.clone();
            }
            functions.keep_urls(&name, urls).await?;
            Ok(changed)
        })
        .await
    }

    /// Takes a URL away.
    pub async fn delete_url(
        self: &Arc<Self>,
        name: &FunctionName,
        alias: Option<Arc<str>>,
    ) -> Result<(), FunctionsError> {
        let (functions, name) = (self.clone(), name.clone());
        to_the_end(async move {
            let _changing = functions.change(&name).await;
            let current = functions.get_url(&name, alias.as_deref())?;
            let mut urls = functions.of(&name, |entry| Ok(entry.urls.clone()))?;
            urls.retain(|url| url.id != current.id);
            functions.keep_urls(&name, urls).await
        })
        .await
    }

    /// Returns the URL of a function, or of an alias.
    pub fn get_url(
        &self,
        name: &FunctionName,
        alias: Option<&str>,
    ) -> Result<Arc<FunctionUrl>, FunctionsError> {
        let found =
            self.of(name, |entry| Ok(entry.urls.iter().find(|url| url.alias.as_deref() == alias).cloned()))?;
        found.ok_or_else(|| FunctionsError::UrlNotFound {
            arn: self.arn(name, alias.map(|alias| Qualifier::Alias(Arc::from(alias)))),
        })
    }

    /// Returns all URLs of a function: its own first, then those of its aliases by name.
    pub fn list_urls(&self, name: &FunctionName) -> Result<Vec<Arc<FunctionUrl>>, FunctionsError> {
        self.of(name, |entry| Ok(entry.urls.clone()))
    }

    /// Returns the URL of an id. Touches no disk and does not wait.
    pub fn url_of_id(&self, id: &str) -> Option<(FunctionName, Arc<FunctionUrl>)> {
        let name = self.url_owners().get(id)?.clone();
        let entries = self.read();
        let url = entries.get(&name)?.urls.iter().find(|url| *url.id == *id)?.clone();
        Some((name, url))
    }

    /// Keeps all URLs of a function. Nothing else of its record changes, and neither does its revision.
    async fn keep_urls(&self, name: &FunctionName, urls: FunctionUrls) -> Result<(), FunctionsError> {
        let written = urls.iter().map(|url| url.write()).collect();
        let stored =
            self.of(name, |entry| Ok(FunctionRecord { function_urls: written, ..entry.stored.clone() }))?;
        match self.store.replace(stored.revision_id.clone(), stored.clone()).await? {
            Outcome::Done => {}
            Outcome::Conflict => return Err(FunctionsError::RevisionMismatch),
        }
        fail::fail_point!("functions::url_kept");
        self.own_urls(name, &urls);
        if let Some(entry) = self.write().get_mut(name) {
            entry.stored = stored;
            entry.urls = urls;
        }
        Ok(())
    }

    /// Notes whose the ids are. None: those of a function that is gone are forgotten.
    pub(super) fn own_urls(&self, name: &FunctionName, urls: &[Arc<FunctionUrl>]) {
        let mut owners = self.url_owners();
        owners.retain(|_, owner| owner != name);
        owners.extend(urls.iter().map(|url| (url.id.clone(), name.clone())));
    }
}

/// Returns 32 random lower-case letters and digits.
fn fresh_id() -> Arc<str> {
    Arc::from(RequestId::random().to_string().replace('-', ""))
}
