//! Making a function.

use std::collections::BTreeMap;
use std::sync::Arc;

use hearth_store::Outcome;
use hearth_types::{RevisionId, Version};

use super::aliases::Aliases;
use super::concurrency::Provisioned;
use super::function_urls::FunctionUrls;
use super::{Entry, Functions, to_the_end};
use crate::leases::keep_if_in_doubt;
use crate::{CreateFunction, Function, FunctionsError, Management, State, record};

impl Functions {
    /// Creates a function. It is `Pending` in the answer, and settles soon.
    pub async fn create(self: &Arc<Self>, request: CreateFunction) -> Result<Arc<Function>, FunctionsError> {
        let functions = self.clone();
        to_the_end(async move { functions.create_now(request).await }).await
    }

    async fn create_now(self: &Arc<Self>, request: CreateFunction) -> Result<Arc<Function>, FunctionsError> {
        let name = request.configuration.name.clone();
        let exists = || FunctionsError::AlreadyExists { name: name.clone() };
        let _changing = self.change(&name).await;
        if self.read().contains_key(&name) {
            return Err(exists());
        }
        let code = self.deployment.deploy(request.zip).await?;
        let layers = self.deploy_layers(code.sha256, request.layers).await?;
        fail::fail_point!("functions::deployed");
        let function = Arc::new(Function {
            configuration: Arc::new(request.configuration),
            arn: self.arn(&name, None),
            version: Version::Latest,
            code_sha256: code.sha256,
            code_size: code.size,
            revision_id: RevisionId::random(),
            last_modified_ms: self.clock.epoch_ms(),
            state: State::Pending,
            last_update: None,
            tags: request.tags,
            policy: None,
            management: Management {
                code_signing_config: request.code_signing_config,
                ..Management::default()
            },
        });
        let stored = record::write(&function);
        match self.store.insert(stored.clone()).await {
            Ok(Outcome::Done) => {}
            Ok(Outcome::Conflict) => return Err(exists()),
            Err(error) => return Err(keep_if_in_doubt(error.into(), Some(&code), Some(&layers))),
        }
        fail::fail_point!("functions::created");
        let (code, layers) = (Some(code), Some(layers));
        let entry = Entry {
            function: function.clone(),
            code,
            layers,
            serving: None,
            versions: BTreeMap::new(),
            last_version: 0,
            aliases: Aliases::new(),
            provisioned: Provisioned::new(),
            urls: FunctionUrls::new(),
            stored,
        };
        self.write().insert(name.clone(), entry);
        tracing::info!(function = %name, "function created");
        self.begin_to_settle(name);
        match request.publish {
            true => self.publish(&function, None).await,
            false => Ok(function),
        }
    }
}
