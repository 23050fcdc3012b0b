//! What a request asks for, as policies name it.

use std::borrow::Cow;
use std::fmt;

use hearth_types::{AccountId, FunctionName, LayerVersionArn, LogGroupName, Qualifier, Region, Version};

/// An action on a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Such as `lambda:InvokeFunction`.
    pub action: String,
    /// On what.
    pub resource: Resource,
}

impl Asked {
    /// Returns this as the policy of the resource is about it: that of `$LATEST` is the function's.
    pub(crate) fn of_policy(&self) -> Cow<'_, Self> {
        let latest = Qualifier::Version(Version::Latest);
        match &self.resource {
            Resource::Function { arn, region, account, name, qualifier } if *qualifier == Some(latest) => {
                let arn = arn.strip_suffix(":$LATEST").unwrap_or(arn).to_owned();
                let (region, account, name) = (region.clone(), account.clone(), name.clone());
                let resource = Resource::Function { arn, region, account, name, qualifier: None };
                Cow::Owned(Self { action: self.action.clone(), resource })
            }
            _ => Cow::Borrowed(self),
        }
    }
}

/// What an action is about. Prints as its ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// Nothing in particular: `*`.
    Any,
    /// Something, and the request does not tell at once what. Prints as `*`; what denies anything denies it, and only what
    /// allows everything allows it.
    Untold,
    /// A function, or a version or alias of it.
    Function {
        /// As it was named.
        arn: String,
        /// Its region.
        region: Region,
        /// Whose it is.
        account: AccountId,
        /// Its bare name.
        name: FunctionName,
        /// The version or alias.
        qualifier: Option<Qualifier>,
    },
    /// A version of a layer.
    LayerVersion(LayerVersionArn),
    /// A log group of this account.
    LogGroup {
        /// Its ARN.
        arn: String,
        /// Its name.
        name: LogGroupName,
    },
    /// A role.
    Role {
        /// Its ARN.
        arn: String,
    },
    /// Anything else that has an ARN, and no policy of its own here.
    Named {
        /// Its ARN.
        arn: String,
    },
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any | Self::Untold => f.write_str("*"),
            Self::LayerVersion(arn) => arn.fmt(f),
            Self::Function { arn, .. }
            | Self::LogGroup { arn, .. }
            | Self::Role { arn }
            | Self::Named { arn } => f.write_str(arn),
        }
    }
}
