//! What a role's policies let its sessions do, and who may assume it.

use std::sync::Arc;

use hearth_auth::policy::{Document, managed};
use hearth_store::RoleRecord;

/// Returns the policies of a role: its own, and those of AWS that are attached and known here. One that is not known
/// allows nothing.
pub(crate) fn policies(role: &RoleRecord) -> Arc<[Document]> {
    let own = role.inline_policies.iter().map(|(name, text)| read(role, name, text));
    let attached = role.attached_policies.iter().filter_map(|arn| managed::document(arn));
    own.chain(attached).collect()
}

/// Returns what bounds a role. A boundary that is not known here leaves nothing.
pub(crate) fn boundary(role: &RoleRecord) -> Option<Arc<Document>> {
    let arn = role.permissions_boundary.as_deref()?;
    Some(Arc::new(managed::document(arn).unwrap_or_default()))
}

/// Returns who may assume a role.
pub(crate) fn trust(role: &RoleRecord) -> Document {
    read(role, "AssumeRolePolicyDocument", &role.assume_role_policy)
}

/// Reads a policy. It was one when it was kept, by the rules of that day.
fn read(role: &RoleRecord, name: &str, text: &str) -> Document {
    Document::parse(text).unwrap_or_else(|error| {
        tracing::warn!(role = role.name, name, %error, "a policy cannot be read, and so denies everything");
        Document::that_denies_everything()
    })
}
