//! The form that a request of the query protocol is.

use std::collections::BTreeMap;

use hearth_aws_wire::query_pairs;

use crate::error::IamError;

/// How many members a list may have: more than any operation takes.
const MEMBERS_MAX: usize = 200;

/// The parameters of a request.
#[derive(Debug, Clone)]
pub struct Form(BTreeMap<String, String>);

impl Form {
    /// Reads a form, or a query. Of a parameter that is there twice, the first one counts.
    pub fn parse(text: &str) -> Self {
        let mut pairs = BTreeMap::new();
        for (name, value) in query_pairs(text) {
            pairs.entry(name).or_insert(value);
        }
        Self(pairs)
    }

    /// Returns the operation that is asked for.
    pub fn action(&self) -> Option<&str> {
        self.get("Action")
    }

    /// Returns a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns a parameter that has to be there.
    pub(crate) fn required(&self, name: &str) -> Result<&str, IamError> {
        self.get(name).ok_or_else(|| IamError::missing(name))
    }

    /// Returns a number within bounds, if it is there.
    pub(crate) fn number(&self, name: &str, least: u32, most: u32) -> Result<Option<u32>, IamError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        let member = format!("{}{}", name[..1].to_ascii_lowercase(), &name[1..]);
        let constraint = format!("Member must have value between {least} and {most}");
        number.map(Some).ok_or_else(|| IamError::constraint(text, &member, &constraint))
    }

    /// Whether a parameter, or a list of that name, is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        let list = format!("{name}.member.");
        self.0.keys().any(|key| key == name || key.starts_with(&list))
    }

    /// Returns the members of a list of texts.
    pub(crate) fn list(&self, name: &str) -> Result<Vec<String>, IamError> {
        let mut members = Vec::new();
        while let Some(member) = self.get(&format!("{name}.member.{}", members.len() + 1)) {
            if members.len() == MEMBERS_MAX {
                return Err(IamError::validation(format!("{name} has more than {MEMBERS_MAX} members")));
            }
            members.push(member.to_owned());
        }
        Ok(members)
    }

    /// Returns the members of a list of keys with values.
    pub(crate) fn pairs(&self, name: &str) -> Result<Vec<(String, String)>, IamError> {
        let mut members = Vec::new();
        loop {
            let member = format!("{name}.member.{}", members.len() + 1);
            let Some(key) = self.get(&format!("{member}.Key")) else { return Ok(members) };
            if members.len() == MEMBERS_MAX {
                return Err(IamError::validation(format!("{name} has more than {MEMBERS_MAX} members")));
            }
            let value = self.get(&format!("{member}.Value")).unwrap_or_default();
            members.push((key.to_owned(), value.to_owned()));
        }
    }
}
