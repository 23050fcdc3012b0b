//! What buckets and keys may be called. Source: "General purpose bucket naming rules" and "Naming Amazon S3 objects" in
//! the S3 User Guide, read 2026-11.

use std::net::Ipv4Addr;

use crate::error::S3Error;

/// Longest key, in bytes.
const KEY_BYTES_MAX: usize = 1_024;

/// Checks the name of a bucket to be.
pub(crate) fn check_bucket(name: &str) -> Result<(), S3Error> {
    if is_bucket(name) {
        Ok(())
    } else {
        Err(S3Error::new(400, "InvalidBucketName", "The specified bucket is not valid."))
    }
}

fn is_bucket(name: &str) -> bool {
    let is_end =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = name.as_bytes();
    (3..=63).contains(&bytes.len())
        && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(byte))
        && is_end(bytes.first())
        && is_end(bytes.last())
        && !name.contains("..")
        && name.parse::<Ipv4Addr>().is_err()
        && !["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|prefix| name.starts_with(prefix))
        && !["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"]
            .iter()
            .any(|suffix| name.ends_with(suffix))
}

/// Checks a key.
pub(crate) fn check_key(key: &str) -> Result<(), S3Error> {
    if key.len() > KEY_BYTES_MAX {
        return Err(S3Error::new(400, "KeyTooLongError", "Your key is too long"));
    }
    if key.contains('\0') {
        return Err(S3Error::invalid_argument("Key", "The key has a character that keys cannot have"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_buckets_are_those_of_s3() {
        for name in ["abc", "my.bucket-1", "a".repeat(63).as_str()] {
            assert!(is_bucket(name), "{name}");
        }
        for name in [
            "ab",
            "Abc",
            "a_b",
            "-abc",
            "abc.",
            "a..b",
            "1.2.3.4",
            "xn--abc",
            "abc-s3alias",
            "../etc",
            &"a".repeat(64),
            "",
        ] {
            assert!(!is_bucket(name), "{name}");
        }
    }
}
