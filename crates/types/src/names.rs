//! Names: of functions, layers, versions, regions, accounts, log groups and log streams.

use std::fmt;
use std::sync::Arc;

/// A name that breaks its rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not a valid {what}")]
pub struct NameError {
    /// What the value should have been.
    pub what: &'static str,
    /// The value as it was given.
    pub value: String,
}

macro_rules! shared_name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `value` against the rule of this name.
            pub fn new(value: &str) -> Result<Self, NameError> {
                let valid: fn(&str) -> bool = $valid;
                if !valid(value) {
                    return Err(NameError { what: $what, value: value.to_owned() });
                }
                Ok(Self(Arc::from(value)))
            }

            /// Returns the name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

shared_name!(
    /// The bare name of a function: 1 to 64 of `[a-zA-Z0-9-_]`.
    FunctionName,
    "function name",
    |value| (1..=64).contains(&value.len())
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
);

shared_name!(
    /// The bare name of a layer: 1 to 140 of `[a-zA-Z0-9-_]`.
    LayerName,
    "layer name",
    |value| (1..=140).contains(&value.len())
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
);

shared_name!(
    /// A region, such as `us-east-1`.
    Region,
    "region",
    |value| (1..=32).contains(&value.len())
        && value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
);

shared_name!(
    /// An account: twelve digits.
    AccountId,
    "account id",
    |value| value.len() == 12 && value.bytes().all(|b| b.is_ascii_digit())
);

shared_name!(
    /// A log group: 1 to 512 of `[.\-_/#A-Za-z0-9]`.
    LogGroupName,
    "log group name",
    |value| (1..=512).contains(&value.len())
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_/#".contains(&b))
);

shared_name!(
    /// A log stream: one for each execution environment. 1 to 512 characters without `:` and `*`.
    LogStreamName,
    "log stream name",
    |value| (1..=512).contains(&value.chars().count()) && !value.contains([':', '*'])
);

impl LogGroupName {
    /// Returns the group that a function writes to unless its `LoggingConfig` names another.
    pub fn of_function(name: &FunctionName) -> Self {
        Self(Arc::from(format!("/aws/lambda/{name}")))
    }
}

/// A version of a function: `$LATEST` or a published number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// The unpublished version, which updates change.
    Latest,
    /// A published, immutable version; counted from 1, never reused.
    Number(u64),
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("$LATEST"),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

/// What follows the name in an ARN or stands in `?Qualifier=`: a version or an alias.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Qualifier {
    /// `$LATEST` or a number.
    Version(Version),
    /// An alias: 1 to 128 of `[a-zA-Z0-9-_]`, not all digits.
    Alias(Arc<str>),
}

impl Qualifier {
    /// Reads `$LATEST`, a version number or the name of an alias.
    pub fn parse(value: &str) -> Result<Self, NameError> {
        let wrong = || NameError { what: "qualifier", value: value.to_owned() };
        if value == "$LATEST" {
            return Ok(Self::Version(Version::Latest));
        }
        let of_alias = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if value.is_empty() || value.len() > 128 || !value.bytes().all(of_alias) {
            return Err(wrong());
        }
        if value.bytes().all(|b| b.is_ascii_digit()) {
            return value.parse().map(|number| Self::Version(Version::Number(number))).map_err(|_| wrong());
        }
        Ok(Self::Alias(Arc::from(value)))
    }
}

impl fmt::Display for Qualifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => version.fmt(f),
            Self::Alias(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_name_has_1_to_64_characters_of_its_alphabet() {
        for good in ["a", "my-function_2", &"x".repeat(64)] {
            assert_eq!(FunctionName::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a/b", "a:b", "ä", "a.b", &"x".repeat(65)] {
            assert!(FunctionName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_qualifier_is_latest_a_number_or_an_alias() {
        assert_eq!(Qualifier::parse("$LATEST").unwrap(), Qualifier::Version(Version::Latest));
        assert_eq!(Qualifier::parse("7").unwrap(), Qualifier::Version(Version::Number(7)));
        assert_eq!(Qualifier::parse("live").unwrap(), Qualifier::Alias(Arc::from("live")));
        for bad in ["", "$latest", "a.b", "99999999999999999999999", &"x".repeat(129)] {
            assert!(Qualifier::parse(bad).is_err(), "{bad}");
        }
    }
}
