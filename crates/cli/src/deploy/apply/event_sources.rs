//! Making, changing and deleting event source mappings. Each settles after it was changed, and refuses changes until then.

use super::super::event_sources::{MappingChange, MappingPlan, path, settled, uuids};
use super::super::plan::Action;
use super::super::server::Request;
use super::{ApplyError, Applying, Back, Settles};
use crate::client::{Client, ClientError};

/// What a mapping answers that settles.
const IN_USE: &str = "ResourceInUseException";

impl Applying<'_> {
    /// Makes and changes the mappings of a stack. Fails with what was being done.
    pub(in super::super) async fn event_source_mappings(
        &mut self,
        plan: &MappingPlan,
    ) -> Result<(), (String, ApplyError)> {
        for change in &plan.changes {
            let done = match change.action {
                Action::Create => self.create_mapping(change).await,
                Action::Update => self.update_mapping(change).await,
                Action::Keep | Action::Leave | Action::Delete => Ok(()),
            };
            done.map_err(|error| (doing(change), error))?;
        }
        Ok(())
    }

    async fn create_mapping(&mut self, change: &MappingChange) -> Result<(), ApplyError> {
        self.check_interrupted()?;
        if let Some(going) = &change.uuid {
            self.until_settled(going).await?;
        }
        // Its UUID is not known if the connection breaks.
        let back = Back::NewMapping {
            source_arn: change.source_arn.clone(),
            function_arn: change.function_arn.clone(),
        };
        let what = format!("event source mapping `{}`, which was new", change.name());
        self.change(&change.create(), what, back, Settles::Nothing).await?;
        for uuid in uuids(self.client, &change.source_arn, &change.function_arn).await? {
            self.until_settled(&uuid).await?;
        }
        Ok(())
    }

    async fn update_mapping(&mut self, change: &MappingChange) -> Result<(), ApplyError> {
        self.check_interrupted()?;
        let Some(uuid) = &change.uuid else { return Ok(()) };
        let what = format!("event source mapping `{}`", change.name());
        if !change.to.is_empty() {
            let (update, back) = change.update(uuid);
            // Somebody else may change it at the same time.
            loop {
                self.until_settled(uuid).await?;
                let settles = Settles::Mapping(uuid.clone());
                match self.change(&update, what.clone(), back.clone(), settles).await {
                    Err(ApplyError::Client(error)) if is_in_use(&error) => {}
                    done => break done?,
                }
            }
            self.until_settled(uuid).await?;
        }
        if let Some((set, remove)) = &change.tags {
            self.tag(&what, &change.arn, set, remove, &change.tags_before).await?;
        }
        Ok(())
    }

    async fn until_settled(&self, uuid: &str) -> Result<(), ApplyError> {
        settled(self.client, uuid, Some(&self.interrupted)).await.map(drop)
    }

    /// Deletes the mappings that the template has no longer. That cannot be taken back, for a new one of a stream would begin
    /// elsewhere; and so it comes after everything that can fail.
    pub(in super::super) async fn delete_mapping(
        &mut self,
        change: &MappingChange,
    ) -> Result<(), (String, ApplyError)> {
        let Some(uuid) = &change.uuid else { return Ok(()) };
        self.check_interrupted().map_err(|error| (doing(change), error))?;
        let removed = remove(self.client, uuid, || {
            self.undo.clear();
            self.is_final = true;
        });
        removed.await.map_err(|error| (doing(change), error))
    }
}

fn doing(change: &MappingChange) -> String {
    format!("{} event source mapping `{}`", change.action.word(), change.name())
}

fn is_in_use(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused { message, .. } if message.contains(IN_USE))
}

/// Removes a mapping that was made, whatever its UUID is.
pub(super) async fn remove_new(
    client: &Client,
    source_arn: &str,
    function_arn: &str,
) -> Result<(), ApplyError> {
    for uuid in uuids(client, source_arn, function_arn).await? {
        remove(client, &uuid, || {}).await?;
    }
    Ok(())
}

/// Removes a mapping, and waits until what it has begun is finished.
async fn remove(client: &Client, uuid: &str, mut begun: impl FnMut()) -> Result<(), ApplyError> {
    while settled(client, uuid, None).await?.is_some() {
        match Request::delete(path(uuid)).send(client).await {
            Ok(_) => begun(),
            Err(error) if is_in_use(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
