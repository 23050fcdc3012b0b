//! What of the account's concurrency belongs to a function: what it has reserved, and what is provisioned of its versions.

use std::sync::Arc;

use hearth_store::{ProvisionedConcurrencyRecord, StoreError};
use hearth_types::limits::UNRESERVED_CONCURRENCY_MIN;
use hearth_types::{FunctionArn, FunctionName, Qualifier, Version};

use crate::{Alias, FunctionsError, OpenError, ResolvedVersion};

/// Provisioned concurrency as it was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct ProvisionedConcurrency {
    /// Of a published version, or of an alias.
    pub qualifier: Qualifier,
    /// How many environments are to be initialized ahead of calls.
    pub requested: u32,
    /// When that was asked for, in milliseconds since 1970.
    pub last_modified_ms: i64,
}

/// How much of what is provisioned a version gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionShare {
    /// Its number.
    pub number: u64,
    /// How many environments.
    pub count: u32,
}

/// So many environments of a version are to be initialized ahead of calls.
#[derive(Debug, Clone)]
pub struct ProvisionedVersion {
    /// What they run.
    pub version: Arc<ResolvedVersion>,
    /// How many there are to be.
    pub count: u32,
}

/// Why concurrency cannot be reserved or provisioned.
#[derive(Debug, thiserror::Error)]
pub enum ConcurrencyError {
    /// For a reason that has nothing to do with numbers.
    #[error(transparent)]
    Functions(#[from] FunctionsError),
    /// Too little would be left for functions that have reserved nothing.
    #[error("less than {unreserved_min} of the account's concurrency would be unreserved")]
    ReservesTooMuch {
        /// How much must be left.
        unreserved_min: u32,
    },
    /// More is provisioned.
    #[error("{provisioned} are provisioned, and {reserved} would be reserved")]
    ReservesLessThanProvisioned {
        /// What was asked for.
        reserved: u32,
        /// Of all versions together.
        provisioned: u32,
    },
    /// The function has reserved less.
    #[error("more would be provisioned than the function has reserved")]
    ProvisionsMoreThanReserved,
    /// The account has less.
    #[error("the account has {unreserved} left that are unreserved")]
    ProvisionsMoreThanUnreserved {
        /// How much.
        unreserved: u32,
    },
    /// Too little would be left for functions that have reserved nothing.
    #[error("less than {unreserved_min} of the account's concurrency would be unreserved")]
    ProvisionsTooMuch {
        /// How much must be left.
        unreserved_min: u32,
    },
    /// `$LATEST` changes, so nothing of it can be provisioned.
    #[error("`$LATEST` is not published")]
    ProvisionsLatest,
    /// An alias of the version has provisioned concurrency.
    #[error("an alias with provisioned concurrency points to the version")]
    VersionOfProvisionedAlias,
    /// Nothing is provisioned.
    #[error("nothing is provisioned of {arn}")]
    NotProvisioned {
        /// Of which version or alias.
        arn: FunctionArn,
    },
}

impl From<StoreError> for ConcurrencyError {
    fn from(error: StoreError) -> Self {
        FunctionsError::from(error).into()
    }
}

/// Returns how much of an account's concurrency must stay unreserved. A small account, which has no more than that, may
/// reserve all of it; on AWS it may reserve nothing.
pub(crate) fn unreserved_min(account_max: u32) -> u32 {
    if account_max > UNRESERVED_CONCURRENCY_MIN { UNRESERVED_CONCURRENCY_MIN } else { 0 }
}

impl ProvisionedConcurrency {
    /// Returns how many environments of which versions that means. An alias of two versions shares them out by its weight,
    /// as on AWS; how AWS rounds is not known.
    pub(crate) fn versions(&self, alias: Option<&Alias>) -> Vec<VersionShare> {
        let versions = match (&self.qualifier, alias) {
            (Qualifier::Version(version), _) => vec![(*version, self.requested)],
            (Qualifier::Alias(_), None) => vec![],
            (Qualifier::Alias(_), Some(alias)) => {
                let share = alias.additional.as_ref().map_or(0.0, |additional| additional.weight);
                let additional = (f64::from(self.requested) * share).round() as u32;
                let second = alias.additional.as_ref().map(|other| Version::Number(other.version));
                let second = second.map(|version| (version, additional));
                std::iter::once((alias.version, self.requested - additional.min(self.requested)))
                    .chain(second)
                    .collect()
            }
        };
        let published = versions.into_iter().filter_map(|(version, count)| match version {
            Version::Latest => None,
            Version::Number(number) => Some(VersionShare { number, count }),
        });
        published.filter(|share| share.count > 0).collect()
    }

    pub(crate) fn write(&self) -> ProvisionedConcurrencyRecord {
        ProvisionedConcurrencyRecord {
            qualifier: self.qualifier.to_string(),
            requested: self.requested,
            last_modified_ms: self.last_modified_ms,
        }
    }

    pub(crate) fn read(
        record: &ProvisionedConcurrencyRecord,
        name: &FunctionName,
    ) -> Result<Self, OpenError> {
        let qualifier = Qualifier::parse(&record.qualifier).map_err(|_| OpenError::Record {
            name: name.to_string(),
            field: "qualifier of provisioned concurrency",
            value: record.qualifier.clone(),
        })?;
        let ProvisionedConcurrencyRecord { requested, last_modified_ms, .. } = *record;
        Ok(Self { qualifier, requested, last_modified_ms })
    }
}
