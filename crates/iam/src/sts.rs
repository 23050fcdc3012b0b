//! STS AssumeRole: temporary keys, good for what the policies of their role say, until they expire. Whether the caller may
//! assume the role has been found out before.

use hearth_auth::{Caller, Identity};
use hearth_store::SessionRecord;

use crate::Iam;
use crate::error::IamError;
use crate::form::Form;
use crate::role_names::is_name;
use crate::roles::date;
use crate::sessions::TooMany;
use crate::xml::Xml;

/// How long a session is unless its caller says otherwise, and at least, in seconds. Source: AssumeRole in the STS API
/// reference, read 2026-11.
const SECONDS_DEFAULT: u32 = 3_600;
const SECONDS_MIN: u32 = 900;
const SECONDS_MAX: u32 = 43_200;
/// How long a session may be that a session begins. As above.
const SECONDS_MAX_OF_CHAINED: u32 = 3_600;
/// What would make a session weaker than its role: refused, because it would be taken and forgotten.
const UNSUPPORTED: [&str; 4] = ["Policy", "PolicyArns", "SerialNumber", "TokenCode"];

impl Iam {
    pub(crate) async fn assume_role(&self, form: &Form, caller: Option<Identity>) -> Result<Xml, IamError> {
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
        // From here on the role stays what it is.
        let _changing = self.changing.lock().await;
        let role = self.role_of_arn(arn).ok_or_else(|| {
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
        if seconds > SECONDS_MAX_OF_CHAINED && caller.as_ref().is_some_and(|it| it.role_arn.is_some()) {
            return Err(IamError::validation(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
            ));
        }
        let keys = self.sessions.new_key().map_err(|error| {
            tracing::error!(%error, "the kernel gives no random numbers");
            IamError::Failed
        })?;
        let now_ms = self.clock.epoch_ms();
        let expires_ms = now_ms.div_euclid(1_000) * 1_000 + i64::from(seconds) * 1_000;
        let forgotten = self
            .sessions
            .forgotten(now_ms)
            .map_err(|TooMany| IamError::limit("There are too many sessions; some have to expire first."))?;
        let record = SessionRecord {
            access_key_id: keys.access_key_id.clone(),
            role: role.key(),
            role_id: role.role_id.clone(),
            name: session.to_owned(),
            expires_ms,
            is_of_known_caller: caller.is_some(),
        };
        let kept = self.session_store.put_session(record.clone(), forgotten.clone()).await;
        kept.map_err(|error| IamError::store(&error))?;
        self.sessions.forget(&forgotten);
        let begun = self.sessions.add(&role, record);
        let Caller { arn, user_id } = begun.identity.caller.clone();
        let credentials = Xml::default()
            .with("AccessKeyId", &keys.access_key_id)
            .with("SecretAccessKey", keys.secret_access_key.expose())
            .with("SessionToken", keys.session_token.expose())
            .with("Expiration", date(expires_ms));
        let user = Xml::default().with("AssumedRoleId", user_id).with("Arn", arn);
        Ok(Xml::default().with_inside("Credentials", &credentials).with_inside("AssumedRoleUser", &user))
    }
}
