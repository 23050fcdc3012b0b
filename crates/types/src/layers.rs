//! Names of layers, and the ARNs of their versions.

use std::fmt;

use crate::{AccountId, Arn, LayerName, Region};

/// The ARN of a version of a layer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LayerVersionArn {
    /// Where the layer lives.
    pub region: Region,
    /// Whose layer it is.
    pub account: AccountId,
    /// Its bare name.
    pub name: LayerName,
    /// Which version: counted from 1, never given twice.
    pub version: u64,
}

impl LayerVersionArn {
    /// Reads `arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION`; `None` for anything else.
    pub fn parse(value: &str) -> Option<Self> {
        let arn = Arn::parse(value).filter(|arn| arn.service == "lambda")?;
        let (name, version) = arn.resource.strip_prefix("layer:")?.split_once(':')?;
        // `u64` would read a sign, too.
        let version = version.bytes().all(|byte| byte.is_ascii_digit()).then(|| version.parse().ok())??;
        Some(Self {
            region: Region::new(arn.region).ok()?,
            account: AccountId::new(arn.account).ok()?,
            name: LayerName::new(name).ok()?,
            version,
        })
    }

    /// Returns the ARN of the layer, without the version.
    pub fn layer(&self) -> String {
        format!("arn:aws:lambda:{}:{}:layer:{}", self.region, self.account, self.name)
    }
}

impl fmt::Display for LayerVersionArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arn:aws:lambda:{}:{}:layer:{}:{}", self.region, self.account, self.name, self.version)
    }
}

/// A layer as a request names it: its bare name or its ARN without a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerReference {
    /// Region and account, when the reference is an ARN.
    pub owner: Option<(Region, AccountId)>,
    /// The bare name.
    pub name: LayerName,
}

impl LayerReference {
    /// Reads a name or an ARN; `None` for anything else.
    pub fn parse(value: &str) -> Option<Self> {
        if let Ok(name) = LayerName::new(value) {
            return Some(Self { owner: None, name });
        }
        let arn = Arn::parse(value).filter(|arn| arn.service == "lambda")?;
        let name = LayerName::new(arn.resource.strip_prefix("layer:")?).ok()?;
        Some(Self { owner: Some((Region::new(arn.region).ok()?, AccountId::new(arn.account).ok()?)), name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arn_of_a_layer_version_reads_as_it_prints() {
        let text = "arn:aws:lambda:eu-west-1:123456789012:layer:my-layer_2:42";
        let arn = LayerVersionArn::parse(text).unwrap();
        assert_eq!((arn.name.as_str(), arn.version, arn.region.as_str()), ("my-layer_2", 42, "eu-west-1"));
        assert_eq!(arn.to_string(), text);
        assert_eq!(arn.layer(), "arn:aws:lambda:eu-west-1:123456789012:layer:my-layer_2");
        for bad in [
            "arn:aws:lambda:eu-west-1:123456789012:layer:l",
            "arn:aws:lambda:eu-west-1:123456789012:layer:l:+1",
            "arn:aws:lambda:eu-west-1:123456789012:layer:l:1:2",
            "arn:aws:lambda:eu-west-1:123456789012:layer:l:99999999999999999999",
            "arn:aws:lambda:eu-west-1:1:layer:l:1",
            "arn:aws:lambda:eu-west-1:123456789012:function:l:1",
            "arn:aws:s3:eu-west-1:123456789012:layer:l:1",
            "arn:aws:lambda:::awslayer:AmazonLinux1803",
            "l:1",
            "",
        ] {
            assert_eq!(LayerVersionArn::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_layer_is_named_by_name_or_arn() {
        assert_eq!(LayerReference::parse("l").unwrap().owner, None);
        let owned = LayerReference::parse("arn:aws:lambda:us-east-1:000000000000:layer:l").unwrap();
        assert_eq!((owned.name.as_str(), owned.owner.is_some()), ("l", true));
        for bad in ["", "a b", "arn:aws:lambda:us-east-1:000000000000:layer:l:1", &"x".repeat(141)] {
            assert_eq!(LayerReference::parse(bad), None, "{bad}");
        }
    }
}
