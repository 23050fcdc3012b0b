//! What a request asks for, as policies name it.

use std::fmt;

use hearth_types::{FunctionName, LogGroupName};

/// An action on a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Such as `lambda:InvokeFunction`.
    pub action: String,
    /// On what.
    pub resource: Resource,
}

/// What an action is about. Prints as its ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// Nothing in particular, or what cannot be told from the request: `*`.
    Any,
    /// A function of this account.
    Function {
        /// As it was named.
        arn: String,
        /// Its bare name.
        name: FunctionName,
    },
    /// A log group of this account.
    LogGroup {
        /// Its ARN.
        arn: String,
        /// Its name.
        name: LogGroupName,
    },
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Function { arn, .. } | Self::LogGroup { arn, .. } => f.write_str(arn),
        }
    }
}
