//! Changes of the resource policies of functions, versions and aliases. Like tags, they may come while a function settles;
//! unlike them, they give what they are of a new revision, as on AWS.

use std::sync::Arc;

use hearth_types::limits::POLICY_BYTES_MAX;
use hearth_types::{FunctionName, Qualifier, RevisionId, Version};

use super::{Functions, to_the_end};
use crate::{Alias, Function, FunctionsError, Policy, PolicyError, State, Statement};

impl Functions {
    /// Returns the policy of a function, or of one of its versions or aliases; `None` when it has none.
    pub fn policy(
        &self,
        name: &FunctionName,
        qualifier: Option<&Qualifier>,
    ) -> Result<Option<Policy>, FunctionsError> {
        match qualifier {
            Some(Qualifier::Alias(alias)) => {
                self.get(name)?;
                Ok(self.get_alias(name, alias)?.policy.clone())
            }
            None | Some(Qualifier::Version(_)) => Ok(self.get_qualified(name, qualifier)?.policy.clone()),
        }
    }

    /// Adds a statement to a policy. `seen` is the revision of the policy that the caller has seen, if it matters; `bytes`
    /// returns how long the policy with these statements is as text.
    pub async fn add_permission(
        self: &Arc<Self>,
        name: &FunctionName,
        qualifier: Option<Qualifier>,
        statement: Statement,
        seen: Option<String>,
        bytes: impl FnOnce(&[Statement]) -> usize + Send + 'static,
    ) -> Result<(), PolicyError> {
        let change = move |policy: Option<&Policy>| {
            check_revision(policy, seen)?;
            let mut statements = policy.map_or(Vec::new(), |policy| policy.statements.clone());
            if statements.iter().any(|known| known.sid == statement.sid) {
                return Err(PolicyError::StatementExists { sid: statement.sid });
            }
            statements.push(statement);
            match bytes(&statements) {
                0..=POLICY_BYTES_MAX => Ok(statements),
                bytes => Err(PolicyError::TooLong { bytes }),
            }
        };
        self.change_policy(name, qualifier, change).await.map(drop)
    }

    /// Takes a statement from a policy.
    pub async fn remove_permission(
        self: &Arc<Self>,
        name: &FunctionName,
        qualifier: Option<Qualifier>,
        sid: String,
        seen: Option<String>,
    ) -> Result<(), PolicyError> {
        let change = move |policy: Option<&Policy>| {
            let mut statements = policy.ok_or(PolicyError::NoPolicy)?.statements.clone();
            let before = statements.len();
            statements.retain(|statement| statement.sid != sid);
            if statements.len() == before {
                return Err(PolicyError::StatementNotFound { sid });
            }
            check_revision(policy, seen)?;
            Ok(statements)
        };
        self.change_policy(name, qualifier, change).await.map(drop)
    }

    /// Sets all statements of a policy; none of them removes it. Returns its new revision.
    pub async fn put_policy(
        self: &Arc<Self>,
        name: &FunctionName,
        qualifier: Option<Qualifier>,
        statements: Vec<Statement>,
        seen: Option<String>,
    ) -> Result<RevisionId, PolicyError> {
        let change = move |policy: Option<&Policy>| {
            if policy.is_none() && statements.is_empty() {
                return Err(PolicyError::NoPolicy);
            }
            check_revision(policy, seen)?;
            Ok(statements)
        };
        self.change_policy(name, qualifier, change).await
    }

    async fn change_policy(
        self: &Arc<Self>,
        name: &FunctionName,
        qualifier: Option<Qualifier>,
        change: impl FnOnce(Option<&Policy>) -> Result<Vec<Statement>, PolicyError> + Send + 'static,
    ) -> Result<RevisionId, PolicyError> {
        let (functions, name) = (self.clone(), name.clone());
        to_the_end(async move {
            let _changing = functions.change(&name).await;
            let current = functions.policy(&name, qualifier.as_ref())?;
            let statements = change(current.as_ref())?;
            let revision_id = RevisionId::random();
            let policy =
                Some(Policy { statements, revision_id }).filter(|policy| !policy.statements.is_empty());
            match qualifier {
                None | Some(Qualifier::Version(Version::Latest)) => {
                    functions.keep_policy_of_latest(&name, policy).await?;
                }
                Some(Qualifier::Version(Version::Number(number))) => {
                    let change = |version: &mut Function| version.policy = policy;
                    functions.change_version(&name, number, change).await?;
                }
                Some(Qualifier::Alias(alias)) => {
                    let current = functions.get_alias(&name, &alias)?;
                    let revision_id = RevisionId::random();
                    let changed = Alias { policy, revision_id, ..Alias::clone(&current) };
                    functions.replace_alias(&name, changed).await?;
                }
            }
            tracing::info!(function = %name, "the policy of the function changed");
            Ok(revision_id)
        })
        .await
    }

    async fn keep_policy_of_latest(
        &self,
        name: &FunctionName,
        policy: Option<Policy>,
    ) -> Result<(), FunctionsError> {
        let current = self.get(name)?;
        let mut changed = Function { policy, ..Function::clone(&current) };
        // One that settles, or that waits for its runtime, is known by its revision, and gets a new one at the end.
        if current.state == State::Active && !current.is_settling() {
            changed.revision_id = RevisionId::random();
        }
        self.keep(&current, &changed).await?;
        if let Some(entry) = self.write().get_mut(name) {
            entry.function = Arc::new(changed);
        }
        Ok(())
    }
}

/// A function without a policy has no revision of one that anybody could have seen.
fn check_revision(policy: Option<&Policy>, seen: Option<String>) -> Result<(), PolicyError> {
    let latest = policy.map(|policy| policy.revision_id.to_string());
    match seen {
        Some(seen) if latest != Some(seen.clone()) => Err(PolicyError::RevisionMismatch),
        _ => Ok(()),
    }
}
