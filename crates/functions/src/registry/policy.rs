//! Changes of the resource policies of functions. Like tags, they may come while the function settles; unlike them, they
//! give the function a new revision, as on AWS.

use std::sync::Arc;

use hearth_types::limits::POLICY_BYTES_MAX;
use hearth_types::{FunctionName, RevisionId};

use super::{Functions, to_the_end};
use crate::{Function, Policy, PolicyError, State, Statement};

impl Functions {
    /// Adds a statement to the policy of a function. `seen` is the revision of the policy that the caller has seen, if it
    /// matters; `bytes` returns how long the policy with these statements is as text.
    pub async fn add_permission(
        self: &Arc<Self>,
        name: &FunctionName,
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
        self.change_policy(name, change).await
    }

    /// Takes a statement from the policy of a function.
    pub async fn remove_permission(
        self: &Arc<Self>,
        name: &FunctionName,
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
        self.change_policy(name, change).await
    }

    async fn change_policy(
        self: &Arc<Self>,
        name: &FunctionName,
        change: impl FnOnce(Option<&Policy>) -> Result<Vec<Statement>, PolicyError> + Send + 'static,
    ) -> Result<(), PolicyError> {
        let (functions, name) = (self.clone(), name.clone());
        to_the_end(async move {
            let _changing = functions.change(&name).await;
            let current = functions.get(&name)?;
            let statements = change(current.policy.as_ref())?;
            let mut changed = Function::clone(&current);
            let policy = Policy { statements, revision_id: RevisionId::random() };
            changed.policy = Some(policy).filter(|policy| !policy.statements.is_empty());
            // One that settles, or that waits for its runtime, is known by its revision, and gets a new one at the end.
            if current.state == State::Active && !current.is_settling() {
                changed.revision_id = RevisionId::random();
            }
            functions.keep(&current, &changed).await?;
            if let Some(entry) = functions.write().get_mut(&name) {
                entry.function = Arc::new(changed);
            }
            tracing::info!(function = %name, "the policy of the function changed");
            Ok(())
        })
        .await
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
