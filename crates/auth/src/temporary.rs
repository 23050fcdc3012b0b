//! Temporary keys: those of an execution role, made when an environment begins and good for nothing when it is gone.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

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

    /// Makes a key that somebody keeps: its id begins with `AKIA`, and it has no token.
    pub fn permanent() -> io::Result<(String, Secret)> {
        Ok((key_id(KEY_ID_PERMANENT)?, secret(SECRET_BYTES)?))
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
