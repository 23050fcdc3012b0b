//! Tags of functions. They are no part of what runs: a change of them touches neither the function's revision nor its
//! environments, and is allowed while the function settles.

use std::collections::BTreeMap;
use std::sync::Arc;

use hearth_types::FunctionName;
use hearth_types::limits::TAGS_MAX;

use super::{Functions, to_the_end};
use crate::{Function, FunctionsError};

impl Functions {
    /// Gives a function tags, over those it has. All of them or, on an error, none.
    pub async fn tag(
        self: &Arc<Self>,
        name: &FunctionName,
        tags: BTreeMap<String, String>,
    ) -> Result<(), FunctionsError> {
        self.change_tags(name, move |all| all.extend(tags)).await
    }

    /// Takes tags from a function. A key that it has not is no error.
    pub async fn untag(
        self: &Arc<Self>,
        name: &FunctionName,
        keys: Vec<String>,
    ) -> Result<(), FunctionsError> {
        self.change_tags(name, move |all| all.retain(|key, _| !keys.contains(key))).await
    }

    async fn change_tags(
        self: &Arc<Self>,
        name: &FunctionName,
        change: impl FnOnce(&mut BTreeMap<String, String>) + Send + 'static,
    ) -> Result<(), FunctionsError> {
        let (functions, name) = (self.clone(), name.clone());
        to_the_end(async move {
            let _changing = functions.change(&name).await;
            let current = functions.get(&name)?;
            let mut tagged = Function::clone(&current);
            change(&mut tagged.tags);
            if tagged.tags.len() > TAGS_MAX {
                return Err(FunctionsError::TooManyTags);
            }
            if tagged.tags == current.tags {
                return Ok(());
            }
            functions.keep(&current, &tagged).await?;
            if let Some(entry) = functions.write().get_mut(&name) {
                entry.function = Arc::new(tagged);
            }
            tracing::info!(function = %name, "tags of the function changed");
            Ok(())
        })
        .await
    }
}
