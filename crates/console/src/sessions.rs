//! Who has signed in: sessions in memory, and the tokens that tell a form of our own from one of somebody else's page.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::ask::Viewer;

/// How long a session lasts: a working day, and nobody stays signed in over night.
const LASTS_MS: i64 = 12 * 3_600_000;
/// How many sessions there are at once. Above it the one that ends first makes room.
const SESSIONS_MAX: usize = 1_024;
/// How long ids and tokens are: 256 bits.
const BYTES: usize = 32;

/// The sessions of a server. They end with it.
pub(crate) struct Sessions {
    /// By the hash of their ids, so that no look-up tells by its time how much of a guess is right.
    by_hash: Mutex<HashMap<[u8; BYTES], Session>>,
    key: [u8; BYTES],
}

struct Session {
    viewer: Viewer,
    ends_ms: i64,
}

impl Sessions {
    pub(crate) fn new() -> io::Result<Self> {
        let mut key = [0; BYTES];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        Ok(Self { by_hash: Mutex::default(), key })
    }

    /// Makes an id that nobody can guess.
    pub(crate) fn fresh_id() -> io::Result<String> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(hex(&bytes))
    }

    /// Whether a text could be such an id.
    pub(crate) fn is_id(text: &str) -> bool {
        text.len() == 2 * BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    }

    /// Begins a session, and returns its id.
    pub(crate) fn begin(&self, viewer: Viewer, now_ms: i64) -> io::Result<String> {
        let id = Self::fresh_id()?;
        let mut sessions = self.by_hash.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.ends_ms > now_ms);
        if sessions.len() >= SESSIONS_MAX
            && let Some(first) = sessions.iter().min_by_key(|(_, session)| session.ends_ms)
        {
            let hash = *first.0;
            sessions.remove(&hash);
        }
        sessions.insert(hash(&id), Session { viewer, ends_ms: now_ms + LASTS_MS });
        Ok(id)
    }

    /// Returns whose session this is.
    pub(crate) fn viewer(&self, id: &str, now_ms: i64) -> Option<Viewer> {
        let sessions = self.by_hash.lock().unwrap_or_else(PoisonError::into_inner);
        sessions
            .get(&hash(id))
            .filter(|session| session.ends_ms > now_ms)
            .map(|session| session.viewer.clone())
    }

    /// Ends a session.
    pub(crate) fn end(&self, id: &str) {
        self.by_hash.lock().unwrap_or_else(PoisonError::into_inner).remove(&hash(id));
    }

    /// Returns the token that forms carry which are shown to whoever has this cookie. Other sites can neither read it nor
    /// make it.
    pub(crate) fn token(&self, id: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("an HMAC takes keys of any length");
        mac.update(b"form\n");
        mac.update(id.as_bytes());
        hex(&mac.finalize().into_bytes())
    }

    /// Whether a form carries that token.
    pub(crate) fn is_token(&self, id: &str, token: &str) -> bool {
        self.token(id).as_bytes().ct_eq(token.as_bytes()).into()
    }
}

fn hash(id: &str) -> [u8; BYTES] {
    Sha256::digest(id.as_bytes()).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn somebody(number: usize) -> Viewer {
        Viewer::Key { access_key_id: format!("AKIA{number}"), arn: String::new() }
    }

    #[test]
    fn a_session_ends_after_its_time_and_when_its_owner_leaves() {
        let sessions = Sessions::new().unwrap();
        let id = sessions.begin(somebody(1), 1_000).unwrap();
        assert!(Sessions::is_id(&id));
        assert_eq!(sessions.viewer(&id, 2_000), Some(somebody(1)));
        assert_eq!(sessions.viewer(&id, 1_000 + LASTS_MS), None);
        assert_eq!(sessions.viewer(&Sessions::fresh_id().unwrap(), 2_000), None);
        sessions.end(&id);
        assert_eq!(sessions.viewer(&id, 2_000), None);
    }

    #[test]
    fn there_are_never_more_sessions_than_their_limit_and_the_oldest_makes_room() {
        let sessions = Sessions::new().unwrap();
        let ids: Vec<String> =
            (0..=SESSIONS_MAX as i64).map(|at| sessions.begin(somebody(at as usize), at).unwrap()).collect();
        assert_eq!(sessions.by_hash.lock().unwrap().len(), SESSIONS_MAX);
        assert_eq!(sessions.viewer(&ids[0], 2_000), None);
        assert!(sessions.viewer(&ids[1], 2_000).is_some());
    }

    #[test]
    fn a_token_is_good_for_its_own_session_and_server_only() {
        let [one, other] = [(); 2].map(|()| Sessions::new().unwrap());
        let [mine, theirs] = [(); 2].map(|()| Sessions::fresh_id().unwrap());
        let token = one.token(&mine);
        assert!(one.is_token(&mine, &token));
        assert!(!one.is_token(&theirs, &token));
        assert!(!other.is_token(&mine, &token));
        assert!(!one.is_token(&mine, ""));
    }
}
