//! Sessions of roles: temporary keys that are good until they expire. What is kept of them holds no secret: that follows
//! from the id of the key and the master key of the data folder.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hearth_auth::{Caller, Credential, Credentials, Identity, MasterKey, Temporary};
use hearth_store::{RoleRecord, SessionRecord};
use hearth_types::AccountId;

use crate::role_rights::{boundary, policies};

/// How many sessions there may be at once. Ours: each takes about 1 KB.
const SESSIONS_MAX: usize = 10_000;
/// How long a session is remembered when it is over, so that its owner hears that it has expired. Ours.
const REMEMBERED_MS: i64 = 24 * 3_600_000;

/// The sessions that go on, and those that have expired lately.
pub struct Sessions {
    account: AccountId,
    master: MasterKey,
    sessions: RwLock<HashMap<String, Session>>,
}

struct Session {
    role_id: String,
    is_of_known_caller: bool,
    credential: Arc<Credential>,
}

impl Session {
    fn is_over(&self, ms: i64) -> bool {
        self.credential.expires_ms.is_some_and(|expires_ms| expires_ms <= ms)
    }
}

/// There are as many sessions as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany;

impl Sessions {
    pub(crate) fn new(account: AccountId, master: MasterKey) -> Self {
        Self { account, master, sessions: RwLock::default() }
    }

    /// Makes a key for a session.
    pub(crate) fn new_key(&self) -> std::io::Result<Temporary> {
        Temporary::derived(&self.master)
    }

    /// Returns the keys of sessions that a further one makes be forgotten.
    pub(crate) fn forgotten(&self, now_ms: i64) -> Result<Vec<String>, TooMany> {
        let sessions = self.read();
        let over_since = if sessions.len() < SESSIONS_MAX { now_ms - REMEMBERED_MS } else { now_ms };
        let forgotten: Vec<String> = sessions
            .iter()
            .filter(|(_, session)| session.is_over(over_since))
            .map(|(id, _)| id.clone())
            .collect();
        if sessions.len() - forgotten.len() >= SESSIONS_MAX { Err(TooMany) } else { Ok(forgotten) }
    }

    pub(crate) fn forget(&self, access_key_ids: &[String]) {
        let mut sessions = self.write();
        for id in access_key_ids {
            sessions.remove(id);
        }
    }

    /// Adds a session of a role, and returns its key.
    pub(crate) fn add(&self, role: &RoleRecord, record: SessionRecord) -> Arc<Credential> {
        let SessionRecord { access_key_id, name, expires_ms, is_of_known_caller, role_id, .. } = record;
        let keys = Temporary::derived_of(&self.master, access_key_id.clone());
        let caller = Caller {
            arn: format!("arn:aws:sts::{}:assumed-role/{}/{name}", self.account, role.name),
            user_id: format!("{role_id}:{name}"),
        };
        let identity = Identity {
            role_arn: Some(crate::arn(&self.account, role)),
            ..Identity::user(caller, self.account.clone(), Arc::from([]))
        };
        let credential = Arc::new(Credential {
            access_key_id: access_key_id.clone(),
            secret_access_key: keys.secret_access_key,
            session_token: Some(keys.session_token),
            expires_ms: Some(expires_ms),
            identity: if is_of_known_caller { with_rights(identity, role) } else { identity },
        });
        let session = Session { role_id, is_of_known_caller, credential: credential.clone() };
        self.write().insert(access_key_id, session);
        credential
    }

    /// Gives the sessions of a role the rights that its policies say now.
    pub(crate) fn change_rights(&self, role: &RoleRecord) {
        let mut sessions = self.write();
        // Nobody was known when the others began: should keys be asked for later, they open nothing.
        let of_role = |session: &&mut Session| session.role_id == role.role_id && session.is_of_known_caller;
        for session in sessions.values_mut().filter(of_role) {
            let credential = Credential::clone(&session.credential);
            let identity = with_rights(credential.identity.clone(), role);
            session.credential = Arc::new(Credential { identity, ..credential });
        }
    }

    /// Ends the sessions of a role that is deleted, and returns their keys.
    pub(crate) fn end_of_role(&self, role_id: &str) -> Vec<String> {
        let mut sessions = self.write();
        sessions.extract_if(|_, session| session.role_id == role_id).map(|(id, _)| id).collect()
    }

    /// Returns whose session a key belongs to; `Err` when it is over. For servers that ask nobody for a key, and so verify
    /// none: it decides nothing but what is shown.
    pub fn claimed(&self, access_key_id: &str, now_ms: i64) -> Result<Option<Caller>, Expired> {
        match self.read().get(access_key_id) {
            Some(session) if session.is_over(now_ms) => Err(Expired),
            session => Ok(session.map(|session| session.credential.identity.caller.clone())),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<String, Session>> {
        self.sessions.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<String, Session>> {
        self.sessions.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn with_rights(identity: Identity, role: &RoleRecord) -> Identity {
    Identity { policies: policies(role), boundary: boundary(role), ..identity }
}

/// A session that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expired;

impl Credentials for Sessions {
    fn find(&self, access_key_id: &str) -> Option<Arc<Credential>> {
        self.read().get(access_key_id).map(|session| session.credential.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role() -> RoleRecord {
        RoleRecord {
            name: "worker".to_owned(),
            path: "/".to_owned(),
            role_id: "AROA1".to_owned(),
            created_ms: 0,
            assume_role_policy: "{}".to_owned(),
            description: None,
            session_seconds_max: 3_600,
            permissions_boundary: None,
            tags: Default::default(),
            inline_policies: Default::default(),
            attached_policies: vec![],
        }
    }

    fn record(id: usize, expires_ms: i64) -> SessionRecord {
        SessionRecord {
            access_key_id: format!("ASIA{id}"),
            role: "worker".to_owned(),
            role_id: "AROA1".to_owned(),
            name: "me".to_owned(),
            expires_ms,
            is_of_known_caller: true,
        }
    }

    #[test]
    fn there_are_so_many_and_those_that_are_over_make_room() {
        let account = AccountId::new("000000000000").unwrap();
        let sessions = Sessions::new(account, MasterKey::random().unwrap());
        for id in 0..SESSIONS_MAX {
            assert_eq!(sessions.forgotten(0), Ok(vec![]));
            sessions.add(&role(), record(id, if id == 7 { 1_000 } else { 2_000 }));
        }
        assert_eq!(sessions.forgotten(999), Err(TooMany));
        assert_eq!(sessions.forgotten(1_000), Ok(vec!["ASIA7".to_owned()]));
        sessions.forget(&["ASIA7".to_owned()]);
        assert!(sessions.find("ASIA7").is_none());
        assert_eq!(sessions.forgotten(3_000), Ok(vec![]), "they are remembered for a day");
        assert_eq!(sessions.claimed("ASIA8", 3_000), Err(Expired));
        assert_eq!(sessions.forgotten(2_000 + REMEMBERED_MS).unwrap().len(), SESSIONS_MAX - 1);
        assert_eq!(sessions.end_of_role("AROA2").len(), 0);
        assert_eq!(sessions.end_of_role("AROA1").len(), SESSIONS_MAX - 1);
    }
}
