//! Code signing configurations: whose signatures functions take, and what happens to code without one.
//!
//! Signatures are made by AWS Signer, and Hearth has nothing to verify them with. So to Hearth no code is signed: a
//! configuration that warns warns of every deployment, and one that enforces refuses every deployment.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use hearth_store::{Clock, CodeSigningConfigRecord, CodeSigningStore, Outcome, StoreError};
use hearth_types::RevisionId;
use hearth_types::limits::TAGS_MAX;
use tokio::sync::{Mutex, MutexGuard};

use crate::{FunctionsSettings, OpenError};

/// What happens when code is deployed that is not signed by an allowed publisher.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CodeSigningPolicy {
    /// It is deployed, and the log says so.
    #[default]
    Warn,
    /// It is refused.
    Enforce,
}

impl CodeSigningPolicy {
    /// Reads AWS's word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Warn, Self::Enforce].into_iter().find(|known| known.as_str() == text)
    }

    /// Returns AWS's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warn => "Warn",
            Self::Enforce => "Enforce",
        }
    }
}

/// A code signing configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeSigningConfig {
    /// `csc-` and 17 characters.
    pub id: String,
    /// A text for people.
    pub description: String,
    /// ARNs of versions of signing profiles.
    pub allowed_publishers: Vec<String>,
    /// What happens to code that they have not signed.
    pub policy: CodeSigningPolicy,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// When it was last changed, in milliseconds since 1970. Tags do not count.
    pub last_modified_ms: i64,
    revision_id: String,
}

/// A change of a configuration. What is `None` stays as it is.
#[derive(Debug, Default)]
pub struct CodeSigningChange {
    /// A text for people.
    pub description: Option<String>,
    /// ARNs of versions of signing profiles.
    pub allowed_publishers: Option<Vec<String>>,
    /// What happens to code that they have not signed.
    pub policy: Option<CodeSigningPolicy>,
}

/// Why a configuration cannot be used or changed.
#[derive(Debug, thiserror::Error)]
pub enum CodeSigningError {
    /// There is none of this ARN.
    #[error("there is no code signing configuration `{arn}`")]
    NotFound {
        /// Which one.
        arn: String,
    },
    /// It would have more tags than it may.
    #[error("a code signing configuration has at most {TAGS_MAX} tags")]
    TooManyTags,
    /// The change could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// All configurations of an account in a region.
pub struct CodeSigningConfigs {
    store: Arc<dyn CodeSigningStore>,
    settings: FunctionsSettings,
    clock: Arc<dyn Clock>,
    configs: RwLock<BTreeMap<String, Arc<CodeSigningConfig>>>,
    /// One change at a time; who gives a function a configuration holds it too.
    changing: Mutex<()>,
}

/// A configuration that is not removed while this is there.
pub struct Held<'a> {
    /// Which one.
    pub config: Arc<CodeSigningConfig>,
    _changing: MutexGuard<'a, ()>,
}

impl CodeSigningConfigs {
    /// Reads every configuration.
    pub async fn open(
        store: Arc<dyn CodeSigningStore>,
        settings: FunctionsSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, OpenError> {
        let mut configs = BTreeMap::new();
        for record in store.load_all().await? {
            let config = read(&record)?;
            configs.insert(record.id, Arc::new(config));
        }
        let (configs, changing) = (RwLock::new(configs), Mutex::default());
        Ok(Arc::new(Self { store, settings, clock, configs, changing }))
    }

    /// Returns the ARN of a configuration.
    pub fn arn(&self, id: &str) -> String {
        let FunctionsSettings { region, account } = &self.settings;
        format!("arn:aws:lambda:{region}:{account}:code-signing-config:{id}")
    }

    /// Returns the id in an ARN of this account and region.
    pub fn id_of<'a>(&self, arn: &'a str) -> Option<&'a str> {
        arn.strip_prefix(&self.arn(""))
    }

    /// Returns a configuration.
    pub fn get(&self, id: &str) -> Result<Arc<CodeSigningConfig>, CodeSigningError> {
        self.read().get(id).cloned().ok_or_else(|| self.not_found(id))
    }

    /// Returns up to `limit` configurations by id, beginning behind `after`, and whether there are more.
    pub fn list(&self, after: Option<&str>, limit: usize) -> (Vec<Arc<CodeSigningConfig>>, bool) {
        let configs = self.read();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = configs.range::<str, _>((from, Bound::Unbounded)).map(|(_, config)| config.clone());
        let page = rest.by_ref().take(limit).collect();
        (page, rest.next().is_some())
    }

    /// Creates a configuration.
    pub async fn create(
        &self,
        change: CodeSigningChange,
        tags: BTreeMap<String, String>,
    ) -> Result<Arc<CodeSigningConfig>, CodeSigningError> {
        check_number(&tags)?;
        let random = RevisionId::random().to_string().replace('-', "");
        let config = CodeSigningConfig {
            id: format!("csc-{}", &random[..17]),
            description: change.description.unwrap_or_default(),
            allowed_publishers: change.allowed_publishers.unwrap_or_default(),
            policy: change.policy.unwrap_or_default(),
            tags,
            last_modified_ms: self.clock.epoch_ms(),
            revision_id: RevisionId::random().to_string(),
        };
        let _changing = self.changing.lock().await;
        match self.store.insert(write(&config)).await? {
            Outcome::Done => Ok(self.take_in(config)),
            Outcome::Conflict => Err(StoreError::Stopped.into()),
        }
    }

    /// Changes a configuration.
    pub async fn update(
        &self,
        id: &str,
        change: CodeSigningChange,
    ) -> Result<Arc<CodeSigningConfig>, CodeSigningError> {
        let _changing = self.changing.lock().await;
        let current = self.get(id)?;
        let changed = CodeSigningConfig {
            description: change.description.unwrap_or_else(|| current.description.clone()),
            allowed_publishers: change
                .allowed_publishers
                .unwrap_or_else(|| current.allowed_publishers.clone()),
            policy: change.policy.unwrap_or(current.policy),
            last_modified_ms: self.clock.epoch_ms(),
            ..CodeSigningConfig::clone(&current)
        };
        self.keep(&current, changed).await
    }

    /// Gives a configuration tags, over those it has. All of them or, on an error, none.
    pub async fn tag(&self, id: &str, tags: BTreeMap<String, String>) -> Result<(), CodeSigningError> {
        self.change_tags(id, |all| all.extend(tags)).await
    }

    /// Takes tags from a configuration. A key that it has not is no error.
    pub async fn untag(&self, id: &str, keys: &[String]) -> Result<(), CodeSigningError> {
        self.change_tags(id, |all| all.retain(|key, _| !keys.contains(key))).await
    }

    async fn change_tags(
        &self,
        id: &str,
        change: impl FnOnce(&mut BTreeMap<String, String>),
    ) -> Result<(), CodeSigningError> {
        let _changing = self.changing.lock().await;
        let current = self.get(id)?;
        let mut changed = CodeSigningConfig::clone(&current);
        change(&mut changed.tags);
        check_number(&changed.tags)?;
        if changed.tags == current.tags {
            return Ok(());
        }
        self.keep(&current, changed).await.map(drop)
    }

    async fn keep(
        &self,
        current: &CodeSigningConfig,
        changed: CodeSigningConfig,
    ) -> Result<Arc<CodeSigningConfig>, CodeSigningError> {
        let changed = CodeSigningConfig { revision_id: RevisionId::random().to_string(), ..changed };
        match self.store.replace(current.revision_id.clone(), write(&changed)).await? {
            Outcome::Done => Ok(self.take_in(changed)),
            Outcome::Conflict => Err(self.not_found(&current.id)),
        }
    }

    /// Keeps a configuration from being removed or changed, for a function to be given it.
    pub async fn hold(&self, id: &str) -> Result<Held<'_>, CodeSigningError> {
        let _changing = self.changing.lock().await;
        Ok(Held { config: self.get(id)?, _changing })
    }

    /// Removes a configuration that nobody was given.
    pub async fn remove(&self, held: Held<'_>) -> Result<(), CodeSigningError> {
        let id = &held.config.id;
        let outcome = self.store.remove(id.clone()).await?;
        self.configs.write().unwrap_or_else(PoisonError::into_inner).remove(id);
        match outcome {
            Outcome::Done => Ok(()),
            Outcome::Conflict => Err(self.not_found(id)),
        }
    }

    fn not_found(&self, id: &str) -> CodeSigningError {
        CodeSigningError::NotFound { arn: self.arn(id) }
    }

    fn take_in(&self, config: CodeSigningConfig) -> Arc<CodeSigningConfig> {
        let config = Arc::new(config);
        let mut configs = self.configs.write().unwrap_or_else(PoisonError::into_inner);
        configs.insert(config.id.clone(), config.clone());
        config
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<String, Arc<CodeSigningConfig>>> {
        self.configs.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check_number(tags: &BTreeMap<String, String>) -> Result<(), CodeSigningError> {
    if tags.len() > TAGS_MAX { Err(CodeSigningError::TooManyTags) } else { Ok(()) }
}

fn write(config: &CodeSigningConfig) -> CodeSigningConfigRecord {
    CodeSigningConfigRecord {
        id: config.id.clone(),
        revision_id: config.revision_id.clone(),
        description: config.description.clone(),
        allowed_publishers: config.allowed_publishers.clone(),
        policy: config.policy.as_str().to_owned(),
        tags: config.tags.clone(),
        last_modified_ms: config.last_modified_ms,
    }
}

/// Reads a record. What it says is checked again: the file may have been touched.
fn read(record: &CodeSigningConfigRecord) -> Result<CodeSigningConfig, OpenError> {
    let policy = CodeSigningPolicy::parse(&record.policy).ok_or_else(|| OpenError::Record {
        name: record.id.clone(),
        field: "code signing policy",
        value: record.policy.clone(),
    })?;
    Ok(CodeSigningConfig {
        id: record.id.clone(),
        description: record.description.clone(),
        allowed_publishers: record.allowed_publishers.clone(),
        policy,
        tags: record.tags.clone(),
        last_modified_ms: record.last_modified_ms,
        revision_id: record.revision_id.clone(),
    })
}
