//! The tags of roles.

use std::collections::BTreeMap;

use crate::Iam;
use crate::error::IamError;
use crate::form::Form;
use crate::roles::{end_of_page, page};
use crate::xml::Xml;

/// How many tags a role may have, and how long their keys and values are. Source: "Tags for IAM resources", read 2026-11.
const TAGS_MAX: usize = 50;
const KEY_CHARS_MAX: usize = 128;
const VALUE_CHARS_MAX: usize = 256;

impl Iam {
    pub(crate) async fn tag_role(&self, form: &Form) -> Result<Option<Xml>, IamError> {
        self.change(form, |role| {
            role.tags = changed(std::mem::take(&mut role.tags), form)?;
            Ok(())
        })
        .await?;
        Ok(None)
    }

    pub(crate) async fn untag_role(&self, form: &Form) -> Result<Option<Xml>, IamError> {
        let keys = form.list("TagKeys")?;
        self.change(form, |role| {
            role.tags.retain(|key, _| !keys.contains(key));
            Ok(())
        })
        .await?;
        Ok(None)
    }

    pub(crate) fn list_role_tags(&self, form: &Form) -> Result<Xml, IamError> {
        let tags = self.role(form)?.tags.into_iter().collect();
        let (tags, rest) = page(form, tags, |(key, _): &(String, String)| key.clone())?;
        Ok(end_of_page(Xml::default().with_list("Tags", describe(&tags.into_iter().collect())), rest))
    }
}

/// Adds the tags of a form to those that are there.
pub(crate) fn changed(
    mut tags: BTreeMap<String, String>,
    form: &Form,
) -> Result<BTreeMap<String, String>, IamError> {
    for (key, value) in form.pairs("Tags")? {
        if key.is_empty() || key.chars().count() > KEY_CHARS_MAX || value.chars().count() > VALUE_CHARS_MAX {
            return Err(IamError::invalid_input(
                "Tag keys have 1 to 128 characters, and tag values at most 256.",
            ));
        }
        tags.insert(key, value);
    }
    match tags.len() > TAGS_MAX {
        true => Err(IamError::limit(format!("The number of tags has reached the maximum limit: {TAGS_MAX}"))),
        false => Ok(tags),
    }
}

/// Describes tags as they are listed.
pub(crate) fn describe(tags: &BTreeMap<String, String>) -> Vec<Xml> {
    tags.iter().map(|(key, value)| Xml::default().with("Key", key).with("Value", value)).collect()
}
