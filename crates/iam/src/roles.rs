//! The roles themselves.

use std::sync::PoisonError;

use hearth_store::RoleRecord;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::Iam;
use crate::error::IamError;
use crate::form::Form;
use crate::xml::Xml;
use crate::{policy_document, role_names, tags};

/// How many roles an account may have. Source: "IAM and AWS STS quotas", read 2026-11.
const ROLES_MAX: usize = 1_000;
/// Longest description. Source: CreateRole in the IAM API reference, read 2026-11.
const DESCRIPTION_CHARS_MAX: usize = 1_000;
/// The shortest session that a role may be limited to, and the longest, in seconds. As above.
const SESSION_SECONDS: (u32, u32) = (3_600, 43_200);
/// How many entries a page has unless a request says otherwise, and at most. As above.
const PAGE: (usize, u32) = (100, 1_000);

/// What stays as it is in a policy: they are shown percent-encoded.
const POLICY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl Iam {
    pub(crate) async fn create_role(&self, form: &Form) -> Result<Xml, IamError> {
        let name = role_names::role_name(form)?;
        let assume_role_policy = form.required("AssumeRolePolicyDocument")?.to_owned();
        let role = RoleRecord {
            path: role_names::path(form)?,
            role_id: random_id("AROA")?,
            created_ms: self.clock.epoch_ms(),
            description: description(form)?,
            session_seconds_max: session_seconds_max(form)?.unwrap_or(SESSION_SECONDS.0),
            permissions_boundary: form.get("PermissionsBoundary").map(str::to_owned),
            tags: tags::changed(Default::default(), form)?,
            inline_policies: Default::default(),
            attached_policies: vec![],
            assume_role_policy,
            name,
        };
        policy_document::check_trust(&role.assume_role_policy)?;
        let _changing = self.changing.lock().await;
        {
            let roles = self.roles.read().unwrap_or_else(PoisonError::into_inner);
            if roles.contains_key(&role.key()) {
                return Err(IamError::exists(&role.name));
            }
            if roles.len() >= ROLES_MAX {
                return Err(IamError::limit(format!("Cannot exceed quota for RolesPerAccount: {ROLES_MAX}")));
            }
        }
        let described = self.describe(&role, true);
        self.keep(role).await?;
        Ok(Xml::default().with_inside("Role", &described))
    }

    pub(crate) fn get_role(&self, form: &Form) -> Result<Xml, IamError> {
        Ok(Xml::default().with_inside("Role", &self.describe(&self.role(form)?, true)))
    }

    pub(crate) fn list_roles(&self, form: &Form) -> Result<Xml, IamError> {
        let prefix = form.get("PathPrefix").unwrap_or("/");
        let roles: Vec<RoleRecord> = {
            let roles = self.roles.read().unwrap_or_else(PoisonError::into_inner);
            roles.values().filter(|role| role.path.starts_with(prefix)).cloned().collect()
        };
        let (roles, rest) = page(form, roles, RoleRecord::key)?;
        let roles = roles.iter().map(|role| self.describe(role, false));
        Ok(end_of_page(Xml::default().with_list("Roles", roles), rest))
    }

    pub(crate) async fn update_role(&self, form: &Form) -> Result<Xml, IamError> {
        let (description, seconds) = (description(form)?, session_seconds_max(form)?);
        self.change(form, |role| {
            if form.has("Description") {
                role.description = description;
            }
            role.session_seconds_max = seconds.unwrap_or(role.session_seconds_max);
            Ok(())
        })
        .await?;
        Ok(Xml::default())
    }

    pub(crate) async fn update_role_description(&self, form: &Form) -> Result<Xml, IamError> {
        form.required("Description")?;
        let description = description(form)?;
        let role = self
            .change(form, |role| {
                role.description = description;
                Ok(())
            })
            .await?;
        Ok(Xml::default().with_inside("Role", &self.describe(&role, false)))
    }

    pub(crate) async fn update_assume_role_policy(&self, form: &Form) -> Result<Option<Xml>, IamError> {
        let policy = form.required("PolicyDocument")?;
        policy_document::check_trust(policy)?;
        self.change(form, |role| {
            role.assume_role_policy = policy.to_owned();
            Ok(())
        })
        .await?;
        Ok(None)
    }

    pub(crate) async fn delete_role(&self, form: &Form) -> Result<Option<Xml>, IamError> {
        let _changing = self.changing.lock().await;
        let role = self.role(form)?;
        if !role.attached_policies.is_empty() {
            return Err(IamError::delete_conflict("Cannot delete entity, must detach all policies first."));
        }
        if !role.inline_policies.is_empty() {
            return Err(IamError::delete_conflict("Cannot delete entity, must delete policies first."));
        }
        self.store.remove_role(role.key()).await.map_err(|error| IamError::store(&error))?;
        self.roles.write().unwrap_or_else(PoisonError::into_inner).remove(&role.key());
        // What is left of them should this fail has no role any more, and is not heeded.
        let ended = self.sessions.end_of_role(&role.role_id);
        if !ended.is_empty()
            && let Err(error) = self.session_store.forget_sessions(ended).await
        {
            tracing::warn!(%error, "the sessions of a deleted role are still kept");
        }
        Ok(None)
    }

    /// There are no instance profiles: tools ask before they delete a role.
    pub(crate) fn list_instance_profiles_for_role(&self, form: &Form) -> Result<Xml, IamError> {
        self.role(form)?;
        Ok(end_of_page(Xml::default().with_list("InstanceProfiles", []), None))
    }

    /// Returns the ARN of a role.
    pub(crate) fn arn(&self, role: &RoleRecord) -> String {
        crate::arn(&self.account, role)
    }

    fn describe(&self, role: &RoleRecord, in_full: bool) -> Xml {
        let mut xml = Xml::default()
            .with("Path", &role.path)
            .with("RoleName", &role.name)
            .with("RoleId", &role.role_id)
            .with("Arn", self.arn(role))
            .with("CreateDate", date(role.created_ms))
            .with("AssumeRolePolicyDocument", encoded(&role.assume_role_policy))
            .with_some("Description", role.description.as_deref())
            .with("MaxSessionDuration", role.session_seconds_max.to_string());
        if let Some(arn) = &role.permissions_boundary {
            let boundary = Xml::default()
                .with("PermissionsBoundaryType", "PermissionsBoundaryPolicy")
                .with("PermissionsBoundaryArn", arn);
            xml = xml.with_inside("PermissionsBoundary", &boundary);
        }
        if in_full && !role.tags.is_empty() {
            xml = xml.with_list("Tags", tags::describe(&role.tags));
        }
        if in_full { xml.with_inside("RoleLastUsed", &Xml::default()) } else { xml }
    }
}

/// Writes a policy as IAM shows it.
pub(crate) fn encoded(policy: &str) -> String {
    utf8_percent_encode(policy, POLICY).to_string()
}

/// Writes a time as IAM shows it, in whole seconds.
pub(crate) fn date(ms: i64) -> String {
    Timestamp::from_second(ms.div_euclid(1_000)).map_or_else(|_| String::new(), |date| date.to_string())
}

/// Takes a page of a list that is in order, and says behind which entry the next one begins.
pub(crate) fn page<T>(
    form: &Form,
    entries: Vec<T>,
    key: impl Fn(&T) -> String,
) -> Result<(Vec<T>, Option<String>), IamError> {
    let length = form.number("MaxItems", 1, PAGE.1)?.map_or(PAGE.0, |items| items as usize);
    let after = form.get("Marker");
    let mut rest = entries.into_iter().filter(|entry| after.is_none_or(|after| *key(entry) > *after));
    let page: Vec<T> = rest.by_ref().take(length).collect();
    let marker = rest.next().and(page.last()).map(&key);
    Ok((page, marker))
}

/// Says whether a list goes on.
pub(crate) fn end_of_page(xml: Xml, marker: Option<String>) -> Xml {
    xml.with("IsTruncated", marker.is_some().to_string()).with_some("Marker", marker)
}

/// Makes an id such as `AROA…`.
pub(crate) fn random_id(prefix: &str) -> Result<String, IamError> {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut bytes = [0; 17];
    getrandom::fill(&mut bytes).map_err(|error| {
        tracing::error!(%error, "the kernel gives no random numbers");
        IamError::Failed
    })?;
    let letters = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    Ok(prefix.chars().chain(letters).collect())
}

fn description(form: &Form) -> Result<Option<String>, IamError> {
    let description = form.get("Description");
    if description.is_some_and(|text| text.chars().count() > DESCRIPTION_CHARS_MAX) {
        let constraint = format!("Member must have length less than or equal to {DESCRIPTION_CHARS_MAX}");
        return Err(IamError::constraint("…", "description", &constraint));
    }
    Ok(description.filter(|text| !text.is_empty()).map(str::to_owned))
}

fn session_seconds_max(form: &Form) -> Result<Option<u32>, IamError> {
    form.number("MaxSessionDuration", SESSION_SECONDS.0, SESSION_SECONDS.1)
}
