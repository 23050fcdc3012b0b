//! ARNs of functions, and the five ways in which a request may name a function.

use std::fmt;

use crate::{AccountId, FunctionName, Qualifier, Region};

/// A text that is not an ARN, or not one of a function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` does not name a function")]
pub struct ArnError(pub String);

/// Any ARN, split at its first five colons. Used where only partition, service or account matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arn<'a> {
    /// `aws`, `aws-cn`, …
    pub partition: &'a str,
    /// `lambda`, `iam`, …
    pub service: &'a str,
    /// May be empty, as for IAM.
    pub region: &'a str,
    /// May be empty, as for S3.
    pub account: &'a str,
    /// All that follows.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Splits `value`; `None` when it is no ARN.
    pub fn parse(value: &'a str) -> Option<Self> {
        let mut parts = value.splitn(6, ':');
        if parts.next()? != "arn" {
            return None;
        }
        Some(Self {
            partition: parts.next()?,
            service: parts.next()?,
            region: parts.next()?,
            account: parts.next()?,
            resource: parts.next()?,
        })
    }
}

/// The ARN of a function, with or without a qualifier.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FunctionArn {
    /// Where the function lives.
    pub region: Region,
    /// Whose function it is.
    pub account: AccountId,
    /// Its bare name.
    pub name: FunctionName,
    /// The version or alias, when one was asked for.
    pub qualifier: Option<Qualifier>,
}

impl FunctionArn {
    /// Returns the same ARN with `qualifier` instead of its own.
    pub fn with_qualifier(&self, qualifier: Option<Qualifier>) -> Self {
        Self { qualifier, ..self.clone() }
    }

    /// Writes it without its qualifier.
    pub(crate) fn write_unqualified(&self, to: &mut impl fmt::Write) -> fmt::Result {
        for part in ["arn:aws:lambda:", self.region.as_str(), ":", self.account.as_str(), ":function:"] {
            to.write_str(part)?;
        }
        to.write_str(self.name.as_str())
    }
}

impl fmt::Display for FunctionArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_unqualified(f)?;
        match &self.qualifier {
            Some(qualifier) => write!(f, ":{qualifier}"),
            None => Ok(()),
        }
    }
}

/// A function as a request names it: what was left out of a partial ARN is `None` here.
///
/// Accepted: `FN`, `FN:QUALIFIER`, `function:FN[:Q]`, `ACCOUNT:function:FN[:Q]`, `REGION:ACCOUNT:function:FN[:Q]`
/// and the full ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionReference {
    /// The region, when the reference has one.
    pub region: Option<Region>,
    /// The account, when the reference has one.
    pub account: Option<AccountId>,
    /// The bare name.
    pub name: FunctionName,
    /// The version or alias, when the reference has one.
    pub qualifier: Option<Qualifier>,
}

impl FunctionReference {
    /// Reads any of the accepted forms.
    pub fn parse(value: &str) -> Result<Self, ArnError> {
        Self::parse_parts(value).ok_or_else(|| ArnError(value.to_owned()))
    }

    fn parse_parts(value: &str) -> Option<Self> {
        let mut parts: Vec<&str> = value.split(':').collect();
        let mut from = 0;
        if parts.first() == Some(&"arn") {
            if parts.len() < 7 || !parts[1].starts_with("aws") || parts[2] != "lambda" {
                return None;
            }
            parts.drain(..3);
            // Region and account are there, whatever they are called.
            from = 2;
        }
        let before = match parts.iter().skip(from).position(|part| *part == "function").map(|at| at + from) {
            // `function` is also a valid name: `function` and `function:PROD` have nothing behind that could be a name.
            Some(at) if parts.len() > at + 1 && at <= 2 => {
                let before: Vec<&str> = parts.drain(..=at).collect();
                before[..at].to_vec()
            }
            _ => Vec::new(),
        };
        let (region, account) = match before[..] {
            [] => (None, None),
            [account] => (None, Some(AccountId::new(account).ok()?)),
            [region, account] => (Some(Region::new(region).ok()?), Some(AccountId::new(account).ok()?)),
            _ => return None,
        };
        let (name, qualifier) = match parts[..] {
            [name] => (name, None),
            [name, qualifier] => (name, Some(Qualifier::parse(qualifier).ok()?)),
            _ => return None,
        };
        Some(Self { region, account, name: FunctionName::new(name).ok()?, qualifier })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, region: Option<&str>, account: Option<&str>, name: &str, qualifier: Option<&str>) {
        let reference = FunctionReference::parse(value).expect(value);
        assert_eq!(reference.region.as_ref().map(Region::as_str), region, "{value}");
        assert_eq!(reference.account.as_ref().map(AccountId::as_str), account, "{value}");
        assert_eq!(reference.name.as_str(), name, "{value}");
        assert_eq!(reference.qualifier.map(|q| q.to_string()).as_deref(), qualifier, "{value}");
    }

    #[test]
    fn every_documented_form_names_the_function() {
        check("f", None, None, "f", None);
        check("f:live", None, None, "f", Some("live"));
        check("f:$LATEST", None, None, "f", Some("$LATEST"));
        check("function:f", None, None, "f", None);
        check("000000000000:function:f:3", None, Some("000000000000"), "f", Some("3"));
        check("us-east-1:000000000000:function:f", Some("us-east-1"), Some("000000000000"), "f", None);
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:f:live";
        check(arn, Some("eu-west-1"), Some("123456789012"), "f", Some("live"));
    }

    #[test]
    fn what_names_no_function_is_refused() {
        for bad in [
            "",
            ":",
            "f:",
            "a b",
            "arn:aws:s3:us-east-1:000000000000:function:f",
            "1:function:f",
            "arn:aws:lambda:us-east-1:000000000000:layer:f",
            "f:live:more",
            "a:b:c:function:f",
        ] {
            assert!(FunctionReference::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_arn_reads_as_it_prints() {
        for text in [
            "arn:aws:lambda:us-east-1:000000000000:function:f:7",
            "arn:aws:lambda:us-east-1:000000000000:function:function:function",
            "arn:aws:lambda:function:000000000000:function:f",
        ] {
            let reference = FunctionReference::parse(text).expect(text);
            let arn = FunctionArn {
                region: reference.region.unwrap(),
                account: reference.account.unwrap(),
                name: reference.name,
                qualifier: reference.qualifier,
            };
            assert_eq!(arn.to_string(), text);
        }
    }
}
