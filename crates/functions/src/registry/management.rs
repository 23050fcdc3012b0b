//! Changes of what stands beside the configuration. They touch neither the revision nor the environments; a published version
//! is kept under a new revision.

use std::sync::Arc;

use hearth_types::{FunctionName, Version};

use super::{Functions, to_the_end};
use crate::{Function, FunctionsError, RecursiveLoop, UpdateRuntimeOn};

impl Functions {
    /// Says what happens to a function that calls itself.
    pub async fn set_recursive_loop(
        self: &Arc<Self>,
        name: &FunctionName,
        recursive_loop: RecursiveLoop,
    ) -> Result<(), FunctionsError> {
        self.manage(name, move |function| function.management.recursive_loop = recursive_loop).await
    }

    /// Says when the runtime of a function, or of one of its versions, is updated.
    pub async fn set_update_runtime_on(
        self: &Arc<Self>,
        name: &FunctionName,
        version: Version,
        update_runtime_on: UpdateRuntimeOn,
    ) -> Result<(), FunctionsError> {
        let change = move |function: &mut Function| function.management.update_runtime_on = update_runtime_on;
        let number = match version {
            Version::Latest => return self.manage(name, change).await,
            Version::Number(number) => number,
        };
        let (functions, name) = (self.clone(), name.clone());
        to_the_end(async move {
            let _changing = functions.change(&name).await;
            functions.change_version(&name, number, change).await
        })
        .await
    }

    /// Says whose signatures a function takes: the id of a configuration, which the caller holds.
    pub async fn set_code_signing_config(
        self: &Arc<Self>,
        name: &FunctionName,
        id: Option<String>,
    ) -> Result<(), FunctionsError> {
        self.manage(name, move |function| function.management.code_signing_config = id).await
    }

    async fn manage(
        self: &Arc<Self>,
        name: &FunctionName,
        change: impl FnOnce(&mut Function) + Send + 'static,
    ) -> Result<(), FunctionsError> {
        let (functions, name) = (self.clone(), name.clone());
        to_the_end(async move {
            let _changing = functions.change(&name).await;
            let current = functions.get(&name)?;
            let mut changed = Function::clone(&current);
            change(&mut changed);
            functions.keep(&current, &changed).await?;
            if let Some(entry) = functions.write().get_mut(&name) {
                entry.function = Arc::new(changed);
            }
            Ok(())
        })
        .await
    }
}
