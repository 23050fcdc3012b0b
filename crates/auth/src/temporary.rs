//! Temporary keys: those of an execution role, made when an environment begins and good for nothing when it is gone.

use std::{fmt, io};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::credential::Secret;

/// What AWS's access key ids are made of.
const KEY_ID_ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// What temporary key ids begin with.
const KEY_ID_TEMPORARY: &str = "ASIA";
/// What those of users begin with.
const KEY_ID_PERMANENT: &str = "AKIA";
/// How many characters follow.
const KEY_ID_RANDOM: usize = 16;
/// 40 characters, as AWS's secrets have.
const SECRET_BYTES: usize = 30;
/// 192 characters: AWS's are longer, and say nothing to anybody else either.
const TOKEN_BYTES: usize = 144;

/// A new key, not yet anybody's.
#[derive(Debug, Clone)]
pub struct Temporary {
    /// `ASIA…`.
    pub access_key_id: String,
    /// The secret of the key.
    pub secret_access_key: Secret,
    /// The token that belongs to both.
    pub session_token: Secret,
}

impl Temporary {
    /// Makes a key from the random numbers of the kernel.
    pub fn random() -> io::Result<Self> {
        Ok(Self {
            access_key_id: key_id(KEY_ID_TEMPORARY)?,
            secret_access_key: secret(SECRET_BYTES)?,
            session_token: secret(TOKEN_BYTES)?,
        })
    }

    /// Makes a key whose secrets follow from its id and a master key: whoever has that needs to keep no more than the id.
    pub fn derived(master: &MasterKey) -> io::Result<Self> {
        Ok(Self::derived_of(master, key_id(KEY_ID_TEMPORARY)?))
    }

    /// Returns the key with this id, as [`Temporary::derived`] has made it.
    pub fn derived_of(master: &MasterKey, access_key_id: String) -> Self {
        let secret_access_key = master.secret("secret access key", &access_key_id, SECRET_BYTES);
        let session_token = master.secret("session token", &access_key_id, TOKEN_BYTES);
        Self { access_key_id, secret_access_key, session_token }
    }

    /// Makes a key that somebody keeps: its id begins with `AKIA`, and it has no token.
    pub fn permanent() -> io::Result<(String, Secret)> {
        Ok((key_id(KEY_ID_PERMANENT)?, secret(SECRET_BYTES)?))
    }
}

/// What the secrets of temporary keys follow from.
#[derive(Clone)]
pub struct MasterKey([u8; MasterKey::BYTES]);

impl MasterKey {
    /// How long it is: as long as what a hash of it says.
    pub const BYTES: usize = 32;

    /// Makes one from the random numbers of the kernel.
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0; Self::BYTES];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(Self(bytes))
    }

    /// Reads one that was kept; `None` when it has another length.
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes.try_into().ok()?))
    }

    /// Returns it, for whoever keeps it.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Derives a secret of so many bytes: HMACs of its use, its key id and a counter, one after the other.
    fn secret(&self, used_as: &str, id: &str, length: usize) -> Secret {
        let mut bytes = Vec::with_capacity(length + Self::BYTES);
        for counter in 0_u8.. {
            if bytes.len() >= length {
                break;
            }
            let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("an HMAC takes keys of any length");
            mac.update(format!("{used_as}\n{id}\n{counter}").as_bytes());
            bytes.extend_from_slice(&mac.finalize().into_bytes());
        }
        bytes.truncate(length);
        Secret::new(STANDARD.encode(bytes))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

fn key_id(prefix: &str) -> io::Result<String> {
    let mut bytes = [0; KEY_ID_RANDOM];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let letters = bytes.iter().map(|byte| char::from(KEY_ID_ALPHABET[usize::from(byte % 32)]));
    Ok(prefix.chars().chain(letters).collect())
}

fn secret(length: usize) -> io::Result<Secret> {
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(Secret::new(STANDARD.encode(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_derived_follows_from_the_master_key_and_the_id_alone() {
        let [master, another] = [(); 2].map(|()| MasterKey::random().unwrap());
        let made = Temporary::derived(&master).unwrap();
        assert_eq!(made.secret_access_key.expose().len(), 40);
        assert_eq!(made.session_token.expose().len(), 192);
        let kept = MasterKey::of_bytes(master.expose()).unwrap();
        let again = Temporary::derived_of(&kept, made.access_key_id.clone());
        assert_eq!(again.secret_access_key, made.secret_access_key);
        assert_eq!(again.session_token, made.session_token);
        assert!(!made.session_token.expose().starts_with(&made.secret_access_key.expose()[..8]));
        let other = Temporary::derived_of(&another, made.access_key_id.clone());
        assert_ne!(other.secret_access_key, made.secret_access_key);
        assert_ne!(Temporary::derived(&master).unwrap().secret_access_key, made.secret_access_key);
        assert!(MasterKey::of_bytes(&[0; 31]).is_none());
        assert_eq!(format!("{master:?}"), "(secret)");
    }

    #[test]
    fn keys_look_as_aws_makes_them_and_no_two_are_alike() {
        let [one, other] = [(); 2].map(|()| Temporary::random().unwrap());
        assert!(one.access_key_id.starts_with("ASIA") && one.access_key_id.len() == 20, "{one:?}");
        assert_eq!(one.secret_access_key.expose().len(), 40);
        assert_ne!(one.access_key_id, other.access_key_id);
        assert_ne!(one.secret_access_key, other.secret_access_key);
        assert_ne!(one.session_token, other.session_token);
        assert!(!format!("{one:?}").contains(one.secret_access_key.expose()));
    }
}
