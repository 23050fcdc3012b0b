//! Sessions of roles: temporary keys that are good until they expire. They are in memory alone, and end with the server:
//! no secret of them is ever on the disk.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use hearth_auth::{Caller, Credential, Credentials};

/// How many sessions there may be at once. Ours: each takes about 1 KB.
const SESSIONS_MAX: usize = 10_000;
/// How long a session is remembered when it is over, so that its owner hears that it has expired. Ours.
const REMEMBERED_MS: i64 = 24 * 3_600_000;

/// The sessions that go on, and those that have expired lately.
#[derive(Default)]
pub struct Sessions(RwLock<HashMap<String, Session>>);

struct Session {
    role_id: String,
    credential: Arc<Credential>,
}

impl Session {
    fn is_over(&self, ms: i64) -> bool {
        self.credential.expires_ms.is_some_and(|expires_ms| expires_ms <= ms)
    }
}

impl Sessions {
    /// Adds a session. `false` when there are too many already.
    pub(crate) fn add(&self, role_id: String, credential: Credential, now_ms: i64) -> bool {
        let mut sessions = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= SESSIONS_MAX {
            sessions.retain(|_, session| !session.is_over(now_ms));
        } else {
            sessions.retain(|_, session| !session.is_over(now_ms.saturating_sub(REMEMBERED_MS)));
        }
        if sessions.len() >= SESSIONS_MAX {
            return false;
        }
        let id = credential.access_key_id.clone();
        sessions.insert(id, Session { role_id, credential: Arc::new(credential) });
        true
    }

    /// Ends the sessions of a role that is deleted.
    pub(crate) fn end_of_role(&self, role_id: &str) {
        let mut sessions = self.0.write().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.role_id != role_id);
    }

    /// Returns whose session a key belongs to; `Err` when it is over. For servers that ask nobody for a key, and so verify
    /// none: it decides nothing but what is shown.
    pub fn claimed(&self, access_key_id: &str, now_ms: i64) -> Result<Option<Caller>, Expired> {
        let sessions = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match sessions.get(access_key_id) {
            Some(session) if session.is_over(now_ms) => Err(Expired),
            session => Ok(session.map(|session| session.credential.identity.caller.clone())),
        }
    }
}

/// A session that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expired;

impl Credentials for Sessions {
    fn find(&self, access_key_id: &str) -> Option<Arc<Credential>> {
        let sessions = self.0.read().unwrap_or_else(PoisonError::into_inner);
        sessions.get(access_key_id).map(|session| session.credential.clone())
    }
}
