//! The start: functions as they were kept, with their code and layers, and those whose code is lost.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hearth_store::FunctionRecord;

use super::{Entry, Functions};
use crate::{
    DeployError, DeployedCode, Failure, Function, LastUpdateStatus, OpenError, State, StateReasonCode, record,
};

impl Functions {
    /// Takes one function in, and goes on with what was under way.
    pub(super) async fn load(self: &Arc<Self>, stored: &FunctionRecord) -> Result<(), OpenError> {
        let mut function = record::read(stored, &self.settings)?;
        let serving = match &stored.serving {
            Some(serving) => {
                let before = record::read(serving, &self.settings)?;
                let opened = (self.open_code(&before).await, self.open_layers(&before).await);
                match opened {
                    (Ok(code), Ok(layers)) => Some(self.snapshot(&before, code, layers)),
                    _ => None,
                }
            }
            None => None,
        };
        let (code, layers) = (self.open_code(&function).await, self.open_layers(&function).await);
        let lost = match (&code, &layers) {
            (Err(error), _) => Some(error.to_string()),
            (_, Err(error)) => Some(format!("a layer cannot be used: {error}")),
            (Ok(_), Ok(_)) => None,
        };
        // Named, and only this function is affected; its record is not touched. There is nothing to settle.
        if let Some(reason) = lost {
            tracing::error!(function = %function.configuration.name, reason, "a function's code is lost");
            let failure = Failure { code: StateReasonCode::InvalidZipFileException, reason };
            if function.last_update.is_some() {
                function.last_update = Some(LastUpdateStatus::Failed(failure.clone()));
            }
            if serving.is_none() {
                function.state = State::Failed(failure);
            }
        }
        let (code, layers) = (code.ok(), layers.ok());
        let serves = function.state == State::Active
            && !matches!(
                function.last_update,
                Some(LastUpdateStatus::InProgress | LastUpdateStatus::Failed(_))
            );
        let serving = match (&code, &layers, serves) {
            (Some(code), Some(layers), true) => Some(self.snapshot(&function, code.clone(), layers.clone())),
            _ => serving,
        };
        let is_settling = function.is_settling();
        let name = function.configuration.name.clone();
        self.write().insert(name.clone(), Entry { function: Arc::new(function), code, layers, serving });
        if is_settling {
            self.begin_to_settle(name);
        }
        Ok(())
    }

    async fn open_code(&self, function: &Function) -> Result<DeployedCode, DeployError> {
        let opened = self.deployment.open(function.code_sha256, function.code_size).await;
        if opened.is_err() {
            self.misses_code.store(true, Ordering::Relaxed);
        }
        opened
    }
}
