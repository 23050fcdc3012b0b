//! The policies of a role: its own, and those that are attached to it.

use crate::Iam;
use crate::error::IamError;
use crate::form::Form;
use crate::policy_document::{self, INLINE_CHARS_MAX};
use crate::role_names::name;
use crate::roles::{encoded, end_of_page, page};
use crate::xml::Xml;

/// How many policies may be attached to a role. Source: "IAM and AWS STS quotas", read 2026-11.
const ATTACHED_MAX: usize = 20;
/// Longest name of a policy. Source: the IAM API reference, read 2026-11.
const NAME_CHARS_MAX: usize = 128;

impl Iam {
    pub(crate) async fn put_role_policy(&self, form: &Form) -> Result<Option<Xml>, IamError> {
        let name = name(form, "PolicyName", NAME_CHARS_MAX)?;
        let policy = form.required("PolicyDocument")?;
        policy_document::check_inline(policy)?;
        self.change(form, |role| {
            role.inline_policies.insert(name, policy.to_owned());
            if role.inline_policies.values().map(|policy| policy_document::chars(policy)).sum::<usize>()
                > INLINE_CHARS_MAX
            {
                return Err(IamError::limit(format!(
                    "Maximum policy size of {INLINE_CHARS_MAX} bytes exceeded for role {}",
                    role.name
                )));
            }
            Ok(())
        })
        .await?;
        Ok(None)
    }

    pub(crate) fn get_role_policy(&self, form: &Form) -> Result<Xml, IamError> {
        let (role, name) = (self.role(form)?, name(form, "PolicyName", NAME_CHARS_MAX)?);
        let policy = role.inline_policies.get(&name).ok_or_else(|| no_such_policy(&name))?;
        Ok(Xml::default()
            .with("RoleName", &role.name)
            .with("PolicyName", &name)
            .with("PolicyDocument", encoded(policy)))
    }

    pub(crate) async fn delete_role_policy(&self, form: &Form) -> Result<Option<Xml>, IamError> {
        let name = name(form, "PolicyName", NAME_CHARS_MAX)?;
        self.change(form, |role| {
            role.inline_policies.remove(&name).map(|_| ()).ok_or_else(|| no_such_policy(&name))
        })
        .await?;
        Ok(None)
    }

    pub(crate) fn list_role_policies(&self, form: &Form) -> Result<Xml, IamError> {
        let names = self.role(form)?.inline_policies.into_keys().collect();
        let (names, rest) = page(form, names, String::clone)?;
        let list = Xml::default().with_texts("PolicyNames", names.iter().map(String::as_str));
        Ok(end_of_page(list, rest))
    }

    pub(crate) async fn attach_role_policy(&self, form: &Form) -> Result<Option<Xml>, IamError> {
        let arn = policy_arn(form)?;
        // AWS's own policies are too many to know all: one that is not known allows nothing. Of this account there are none.
        if !arn.starts_with("arn:aws:iam::aws:policy/") {
            return Err(IamError::no_such_entity(format!(
                "Policy {arn} does not exist or is not attachable."
            )));
        }
        self.change(form, |role| {
            if role.attached_policies.contains(&arn) {
                return Ok(());
            }
            if role.attached_policies.len() >= ATTACHED_MAX {
                return Err(IamError::limit(format!(
                    "Cannot exceed quota for PoliciesPerRole: {ATTACHED_MAX}"
                )));
            }
            role.attached_policies.push(arn);
            Ok(())
        })
        .await?;
        Ok(None)
    }

    pub(crate) async fn detach_role_policy(&self, form: &Form) -> Result<Option<Xml>, IamError> {
        let arn = policy_arn(form)?;
        self.change(form, |role| {
            let before = role.attached_policies.len();
            role.attached_policies.retain(|attached| *attached != arn);
            match role.attached_policies.len() < before {
                true => Ok(()),
                false => Err(IamError::no_such_entity(format!("Policy {arn} was not found."))),
            }
        })
        .await?;
        Ok(None)
    }

    pub(crate) fn list_attached_role_policies(&self, form: &Form) -> Result<Xml, IamError> {
        let mut arns = self.role(form)?.attached_policies;
        arns.sort();
        let (arns, rest) = page(form, arns, String::clone)?;
        let describe = |arn: &String| {
            let name = arn.rsplit('/').next().unwrap_or_default();
            Xml::default().with("PolicyName", name).with("PolicyArn", arn)
        };
        Ok(end_of_page(Xml::default().with_list("AttachedPolicies", arns.iter().map(describe)), rest))
    }
}

fn no_such_policy(name: &str) -> IamError {
    IamError::no_such_entity(format!("The role policy with name {name} cannot be found."))
}

fn policy_arn(form: &Form) -> Result<String, IamError> {
    let arn = form.required("PolicyArn")?;
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let is_arn = matches!(parts[..], ["arn", _, "iam", "", _, policy] if policy.starts_with("policy/") && policy.len() > 7);
    if is_arn && arn.len() <= 2_048 && arn.bytes().all(|byte| matches!(byte, b'!'..=b'~')) {
        return Ok(arn.to_owned());
    }
    let shown: String = arn.chars().filter(|c| !c.is_control()).take(256).collect();
    Err(IamError::invalid_input(format!("ARN {shown} is not valid.")))
}
