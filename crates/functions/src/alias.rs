//! Aliases: names that point to a version, or to two of them by weight.

use std::sync::Arc;

use hearth_store::AliasRecord;
use hearth_types::{FunctionArn, Qualifier, RevisionId, Version};

use crate::{OpenError, Policy, policy_record};

/// Another version that an alias points to.
#[derive(Debug, Clone, PartialEq)]
pub struct AdditionalVersion {
    /// Its number.
    pub version: u64,
    /// The share of calls that it gets, from 0.0 to 1.0.
    pub weight: f64,
}

/// A name that points to a version.
#[derive(Debug, Clone, PartialEq)]
pub struct Alias {
    /// The function's ARN, with the alias as its qualifier.
    pub arn: FunctionArn,
    /// Its name.
    pub name: Arc<str>,
    /// The version that it points to.
    pub version: Version,
    /// A text for people.
    pub description: String,
    /// A version that gets a share of the calls instead.
    pub additional: Option<AdditionalVersion>,
    /// Fresh after each change.
    pub revision_id: RevisionId,
    /// Who else may use it; `None` without a statement.
    pub policy: Option<Policy>,
}

/// An alias to be.
#[derive(Debug)]
pub struct CreateAlias {
    /// Its name: 1 to 128 of `[a-zA-Z0-9-_]`, not all digits.
    pub name: Arc<str>,
    /// The version that it points to.
    pub version: Version,
    /// A text for people.
    pub description: String,
    /// A version that gets a share of the calls instead.
    pub additional: Option<AdditionalVersion>,
}

/// A change of an alias. What is `None` stays as it is.
#[derive(Debug, Default)]
pub struct UpdateAlias {
    /// The version that it points to.
    pub version: Option<Version>,
    /// A text for people.
    pub description: Option<String>,
    /// A version that gets a share of the calls; `Some(None)` removes it.
    pub additional: Option<Option<AdditionalVersion>>,
    /// The revision of the alias that the caller has seen, if it matters to them.
    pub revision_id: Option<String>,
}

impl Alias {
    /// Whether calls through it may run a version.
    pub fn points_to(&self, version: Version) -> bool {
        let additional = self.additional.as_ref().map(|additional| Version::Number(additional.version));
        self.version == version || additional == Some(version)
    }

    /// Returns the version of one call. `draw` is from 0.0 to below 1.0, any number as likely as any other.
    pub(crate) fn choose(&self, draw: f64) -> Version {
        match &self.additional {
            Some(additional) if draw < additional.weight => Version::Number(additional.version),
            Some(_) | None => self.version,
        }
    }

    pub(crate) fn write(&self) -> AliasRecord {
        let additional = self.additional.as_ref();
        AliasRecord {
            name: self.name.to_string(),
            function_version: self.version.to_string(),
            description: self.description.clone(),
            additional: additional.map(|additional| (additional.version, additional.weight.to_string())),
            revision_id: self.revision_id.to_string(),
            policy: self.policy.as_ref().map(policy_record::write),
        }
    }

    /// Reads a record. What it says is checked again: the file may have been touched.
    pub(crate) fn read(record: &AliasRecord, function: &FunctionArn) -> Result<Self, OpenError> {
        let wrong = |field, value: &str| OpenError::Record {
            name: function.name.to_string(),
            field,
            value: value.to_owned(),
        };
        let name: Arc<str> = match Qualifier::parse(&record.name) {
            Ok(Qualifier::Alias(name)) => name,
            Ok(Qualifier::Version(_)) | Err(_) => return Err(wrong("alias", &record.name)),
        };
        let version = match Qualifier::parse(&record.function_version) {
            Ok(Qualifier::Version(version)) => version,
            Ok(Qualifier::Alias(_)) | Err(_) => {
                return Err(wrong("version of an alias", &record.function_version));
            }
        };
        let additional = match &record.additional {
            None => None,
            Some((version, text)) => match text.parse() {
                Ok(weight) if (0.0..=1.0).contains(&weight) => {
                    Some(AdditionalVersion { version: *version, weight })
                }
                _ => return Err(wrong("weight of an alias", text)),
            },
        };
        let wrong_policy = || wrong("policy of an alias", &record.name);
        let policy = record.policy.as_ref();
        let policy = policy.map(|policy| policy_record::read(policy).ok_or_else(wrong_policy)).transpose()?;
        Ok(Self {
            policy,
            arn: function.with_qualifier(Some(Qualifier::Alias(name.clone()))),
            name,
            version,
            description: record.description.clone(),
            additional,
            revision_id: RevisionId::parse(&record.revision_id)
                .ok_or_else(|| wrong("revision id of an alias", &record.revision_id))?,
        })
    }
}
