//! STS AssumeRole: temporary keys, good for what their caller may do, until they expire.

use std::sync::{Arc, PoisonError};

use hearth_auth::{Caller, Credential, Identity, Temporary};

use crate::Iam;
use crate::error::IamError;
use crate::form::Form;
use crate::role_names::is_name;
use crate::roles::date;
use crate::xml::Xml;

/// How long a session is unless its caller says otherwise, and at least, in seconds. Source: AssumeRole in the STS API
/// reference, read 2026-11.
const SECONDS_DEFAULT: u32 = 3_600;
const SECONDS_MIN: u32 = 900;
const SECONDS_MAX: u32 = 43_200;
/// What would make a session weaker than its caller: refused, because it would be taken and forgotten.
const UNSUPPORTED: [&str; 4] = ["Policy", "PolicyArns", "SerialNumber", "TokenCode"];

impl Iam {
    pub(crate) fn assume_role(&self, form: &Form, caller: Option<Identity>) -> Result<Xml, IamError> {
        let arn = form.required("RoleArn")?;
        let session = form.required("RoleSessionName")?;
        if !is_name(session, 64) || session.len() < 2 {
            let constraint =
                "Member must satisfy regular expression pattern: [\\w+=,.@-]*, and have 2 to 64 characters";
            return Err(IamError::constraint(session, "roleSessionName", constraint));
        }
        if let Some(name) = UNSUPPORTED.iter().find(|name| form.has(name)) {
            return Err(IamError::validation(format!("{name} is not supported by Hearth yet")));
        }
        let seconds = form.number("DurationSeconds", SECONDS_MIN, SECONDS_MAX)?.unwrap_or(SECONDS_DEFAULT);
        let role = {
            let roles = self.roles.read().unwrap_or_else(PoisonError::into_inner);
            let name = arn.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
            roles.get(&name).filter(|role| self.arn(role) == arn).cloned()
        };
        let role = role.ok_or_else(|| {
            let root = || format!("arn:aws:iam::{}:root", self.account);
            let user = caller.as_ref().map_or_else(root, |identity| identity.caller.arn.clone());
            let arn: String = arn.chars().filter(|c| !c.is_control()).take(2_048).collect();
            IamError::access_denied(format!(
                "User: {user} is not authorized to perform: sts:AssumeRole on resource: {arn}"
            ))
        })?;
        if seconds > role.session_seconds_max {
            return Err(IamError::validation(
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            ));
        }
        let keys = Temporary::random().map_err(|error| {
            tracing::error!(%error, "the kernel gives no random numbers");
            IamError::Failed
        })?;
        let now_ms = self.clock.epoch_ms();
        let expires_ms = now_ms.div_euclid(1_000) * 1_000 + i64::from(seconds) * 1_000;
        let user_id = format!("{}:{session}", role.role_id);
        let arn = format!("arn:aws:sts::{}:assumed-role/{}/{session}", self.account, role.name);
        let (rights, own) = match caller {
            Some(identity) => (identity.rights, identity.own),
            // Nobody has to be known now. Should keys be asked for later, this one opens nothing.
            None => (Arc::from([]), None),
        };
        let credential = Credential {
            access_key_id: keys.access_key_id.clone(),
            secret_access_key: keys.secret_access_key.clone(),
            session_token: Some(keys.session_token.clone()),
            expires_ms: Some(expires_ms),
            identity: Identity { caller: Caller { arn: arn.clone(), user_id: user_id.clone() }, rights, own },
        };
        if !self.sessions.add(role.role_id, credential, now_ms) {
            return Err(IamError::limit("There are too many sessions; some have to expire first."));
        }
        let credentials = Xml::default()
            .with("AccessKeyId", &keys.access_key_id)
            .with("SecretAccessKey", keys.secret_access_key.expose())
            .with("SessionToken", keys.session_token.expose())
            .with("Expiration", date(expires_ms));
        let user = Xml::default().with("AssumedRoleId", user_id).with("Arn", arn);
        Ok(Xml::default().with_inside("Credentials", &credentials).with_inside("AssumedRoleUser", &user))
    }
}
