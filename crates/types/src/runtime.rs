//! Runtime identifiers: the ones that AWS's service model knows, and what stands behind each.

use std::fmt;

/// An identifier that the service model does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a runtime identifier")]
pub struct UnknownRuntime(pub String);

/// A runtime identifier such as `nodejs22.x`. Known to the model; whether this host can run it is another question.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Runtime(&'static str);

/// What runs the handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RuntimeFamily {
    /// Node.js of this major version.
    NodeJs {
        /// `22` for `nodejs22.x`.
        major: u32,
    },
    /// CPython 3 of this minor version.
    Python {
        /// `11` for `python3.11`.
        minor: u32,
    },
    /// The function's own `bootstrap`.
    Provided,
    /// A runtime that AWS has, or had, and Hearth does not run.
    Other,
}

/// Every identifier of the model (`Runtime` enumeration of the Lambda API 2015-03-31, read 2026-11), in its order.
const KNOWN: &[&str] = &[
    "nodejs",
    "nodejs4.3",
    "nodejs6.10",
    "nodejs8.10",
    "nodejs10.x",
    "nodejs12.x",
    "nodejs14.x",
    "nodejs16.x",
    "nodejs18.x",
    "nodejs20.x",
    "nodejs22.x",
    "nodejs24.x",
    "java8",
    "java8.al2",
    "java11",
    "java17",
    "java21",
    "java25",
    "python2.7",
    "python3.6",
    "python3.7",
    "python3.8",
    "python3.9",
    "python3.10",
    "python3.11",
    "python3.12",
    "python3.13",
    "python3.14",
    "dotnetcore1.0",
    "dotnetcore2.0",
    "dotnetcore2.1",
    "dotnetcore3.1",
    "dotnet6",
    "dotnet8",
    "dotnet10",
    "nodejs4.3-edge",
    "go1.x",
    "ruby2.5",
    "ruby2.7",
    "ruby3.2",
    "ruby3.3",
    "ruby3.4",
    "ruby4.0",
    "provided",
    "provided.al2",
    "provided.al2023",
    "nodejs26.x",
    "python3.15",
    "java8.al2023",
    "java11.al2023",
    "java17.al2023",
    "custom",
];

impl Runtime {
    /// Finds `value` among the identifiers of the model; upper and lower case differ.
    pub fn parse(value: &str) -> Result<Self, UnknownRuntime> {
        match KNOWN.iter().find(|known| **known == value) {
            Some(known) => Ok(Self(known)),
            None => Err(UnknownRuntime(value.to_owned())),
        }
    }

    /// Every identifier, in the order of the model.
    pub fn all() -> impl Iterator<Item = Self> {
        KNOWN.iter().map(|known| Self(known))
    }

    /// Returns the identifier.
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// Returns what runs the handler.
    pub fn family(self) -> RuntimeFamily {
        if let Some(version) = self.0.strip_prefix("nodejs").and_then(|rest| rest.strip_suffix(".x"))
            && let Ok(major) = version.parse()
        {
            return RuntimeFamily::NodeJs { major };
        }
        if let Some(Ok(minor)) = self.0.strip_prefix("python3.").map(str::parse) {
            return RuntimeFamily::Python { minor };
        }
        match self.0 {
            "provided.al2" | "provided.al2023" => RuntimeFamily::Provided,
            _ => RuntimeFamily::Other,
        }
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_says_its_family() {
        let family = |id: &str| Runtime::parse(id).unwrap().family();
        assert_eq!(family("nodejs20.x"), RuntimeFamily::NodeJs { major: 20 });
        assert_eq!(family("python3.11"), RuntimeFamily::Python { minor: 11 });
        assert_eq!(family("provided.al2023"), RuntimeFamily::Provided);
        for other in ["nodejs", "nodejs4.3-edge", "nodejs8.10", "python2.7", "java21", "provided", "go1.x"] {
            assert_eq!(family(other), RuntimeFamily::Other, "{other}");
        }
        assert!(Runtime::parse("PYTHON3.11").is_err());
    }
}
