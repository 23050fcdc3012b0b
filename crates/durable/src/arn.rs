//! The ARN of a durable execution: `FUNCTION-ARN:VERSION/durable-execution/NAME/ID`.

use std::fmt;

use hearth_types::{AccountId, FunctionName, Region};

/// The ARN of a durable execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DurableExecutionArn {
    /// The region.
    pub region: Region,
    /// The account.
    pub account: AccountId,
    /// The function.
    pub function: FunctionName,
    /// `$LATEST` or the number of the version that runs.
    pub version: String,
    /// The name of the execution.
    pub name: String,
    /// Its id.
    pub id: String,
}

impl DurableExecutionArn {
    /// Reads an ARN; `None` when it is none of a durable execution.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(7, ':');
        let (arn, _partition, service) = (parts.next()?, parts.next()?, parts.next()?);
        let (region, account, kind) = (parts.next()?, parts.next()?, parts.next()?);
        if (arn, service, kind) != ("arn", "lambda", "function") {
            return None;
        }
        let mut parts = parts.next()?.split('/');
        let (function, version) = parts.next()?.split_once(':')?;
        let (kind, name, id) = (parts.next()?, parts.next()?, parts.next()?);
        if kind != "durable-execution" || parts.next().is_some() {
            return None;
        }
        Some(Self {
            region: Region::new(region).ok()?,
            account: AccountId::new(account).ok()?,
            function: FunctionName::new(function).ok()?,
            version: version.to_owned(),
            name: name.to_owned(),
            id: id.to_owned(),
        })
    }
}

impl fmt::Display for DurableExecutionArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { region, account, function, version, name, id } = self;
        write!(
            f,
            "arn:aws:lambda:{region}:{account}:function:{function}:{version}/durable-execution/{name}/{id}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_reads_as_it_prints() {
        let text = "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST/durable-execution/order-1/0a-b";
        assert_eq!(DurableExecutionArn::parse(text).unwrap().to_string(), text);
        for odd in ["", "f", &text.replace("durable-execution", "x"), &format!("{text}/x"), &text[..70]] {
            assert_eq!(DurableExecutionArn::parse(odd), None, "{odd}");
        }
    }
}
