//! Settling: what may take long is checked, and a function becomes active or failed.

use std::sync::Arc;
use std::time::Duration;

use hearth_store::StoreError;
use hearth_types::{FunctionName, RevisionId, Runtime, Version};

use super::{Entry, Functions};
use crate::{
    Failure, Function, FunctionConfiguration, FunctionsError, LastUpdateStatus, State, StateReasonCode,
};

/// How long after a failed attempt to keep what a function settled to the next one is made. Ours: long enough for a
/// full disk not to fill the log, short enough that nobody waits for it after room was made.
pub(super) const SETTLE_AGAIN: Duration = Duration::from_millis(500);

impl Functions {
    /// Lets a function settle on its own.
    pub(super) fn begin_to_settle(self: &Arc<Self>, name: FunctionName) {
        let functions = self.clone();
        tokio::spawn(async move { functions.settle(&name).await });
    }

    /// Checks what may take long, and makes the function active or failed.
    async fn settle(&self, name: &FunctionName) {
        let Ok(before) = self.get(name) else { return };
        let ready = self.deployment.runtime_ready(before.configuration.runtime).await;
        let result = ready.map_err(|reason| Failure { code: StateReasonCode::InvalidRuntime, reason });
        // The store may refuse for a while, as when its disk is full. Until it takes the new state, the function is
        // what the store says: unsettled.
        while let Err(error) = self.settle_as(name, &before, &result).await {
            tracing::error!(function = %name, error = &error as &dyn std::error::Error, "cannot keep a function's state");
            if matches!(error, FunctionsError::Store(StoreError::Stopped)) {
                return;
            }
            tokio::time::sleep(SETTLE_AGAIN).await;
        }
    }

    /// Looks again at the functions that failed because their runtime was not there, for when it may have come: they
    /// become active then. A failed *update* stays failed, and has to be made again: what serves meanwhile must not
    /// change at a time that nobody expects.
    pub async fn settle_again(&self, is_meant: impl Fn(Runtime) -> bool) {
        let failed: Vec<Arc<Function>> = {
            let entries = self.read();
            let functions = entries.values().flat_map(Entry::all_versions);
            functions.filter(|function| lacks_runtime(function)).cloned().collect()
        };
        for before in failed {
            let FunctionConfiguration { name, runtime, .. } = &*before.configuration;
            if !is_meant(*runtime) || self.deployment.runtime_ready(*runtime).await.is_err() {
                continue;
            }
            let settled = match before.version {
                Version::Latest => self.settle_as(name, &before, &Ok(())).await,
                Version::Number(number) => self.settle_version_as(name, number, &before, &Ok(())).await,
            };
            match settled {
                Ok(()) => tracing::info!(function = %name, %runtime, "the runtime of the function has come"),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(function = %name, error, "cannot keep a function's state");
                }
            }
        }
    }

    /// Makes the function active or failed, if it is still what it was `before`.
    async fn settle_as(
        &self,
        name: &FunctionName,
        before: &Function,
        ready: &Result<(), Failure>,
    ) -> Result<(), FunctionsError> {
        let _changing = self.change(name).await;
        // It may have been deleted, and even created again, meanwhile.
        let (current, has_code, has_layers) = match self.read().get(name) {
            Some(entry) if entry.function.revision_id == before.revision_id => {
                (entry.function.clone(), entry.code.is_some(), entry.layers.is_some())
            }
            _ => return Ok(()),
        };
        let lost = |reason: &str| {
            Err(Failure { code: StateReasonCode::InvalidZipFileException, reason: reason.to_owned() })
        };
        let result = match (ready, has_code, has_layers) {
            (Ok(()), false, _) => {
                lost("the package is missing or damaged on disk: update the function's code")
            }
            (Ok(()), true, false) => lost(
                "a layer is missing or damaged on disk: publish it again and update the function's layers",
            ),
            (ready, _, _) => ready.clone(),
        };
        let mut settled = Function { revision_id: RevisionId::random(), ..Function::clone(&current) };
        match (current.last_update.is_some(), &result) {
            (false, Ok(())) => settled.state = State::Active,
            (false, Err(failure)) => settled.state = State::Failed(failure.clone()),
            (true, Ok(())) => {
                settled.state = State::Active;
                settled.last_update = Some(LastUpdateStatus::Successful);
            }
            (true, Err(failure)) => settled.last_update = Some(LastUpdateStatus::Failed(failure.clone())),
        }
        // As on AWS: a function that was created shows a successful last update once it is active.
        if settled.state == State::Active && settled.last_update.is_none() {
            settled.last_update = Some(LastUpdateStatus::Successful);
        }
        let settled = Arc::new(settled);
        fail::fail_point!("functions::settle");
        self.keep(&current, &settled).await?;
        fail::fail_point!("functions::settled");
        let serving = {
            let mut entries = self.write();
            let Some(entry) = entries.get_mut(name) else { return Ok(()) };
            entry.function = settled.clone();
            if result.is_ok()
                && let (Some(code), Some(layers)) = (&entry.code, &entry.layers)
            {
                entry.serving = Some(self.snapshot(&settled, code.clone(), layers.clone()));
            }
            entry.serving.clone()
        };
        if let Some(serving) = serving {
            self.tell(name, serving.version, Some(&serving));
        }
        self.settled.send_modify(|count| *count += 1);
        Ok(())
    }
}

/// Whether a function has failed because its runtime was not there, and nothing of it is under way.
fn lacks_runtime(function: &Function) -> bool {
    match &function.state {
        State::Failed(failure) => failure.code == StateReasonCode::InvalidRuntime && !function.is_settling(),
        State::Pending | State::Active => false,
    }
}
