//! What somebody may do: patterns of actions, as in the statements of AWS's identity policies.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::asked::{Asked, Resource};
use crate::credential::Own;
use crate::policy::matches;

/// What stands behind an action that is allowed on what belongs to the function itself.
const ON_OWN: &str = "on own";
/// The services that have actions here.
const SERVICES: [&str; 8] = ["lambda", "logs", "cloudwatch", "hearth", "s3", "iam", "sts", "scheduler"];

/// One allowance: `lambda:InvokeFunction`, `lambda:Get*`, `logs:PutLogEvents on own`, `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    /// In lower case: AWS's actions know no case.
    action: String,
    on_own: bool,
}

/// A text that is no right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a right such as `lambda:InvokeFunction`, `lambda:Get*` or `logs:PutLogEvents on own`")]
pub struct RightError(String);

impl FromStr for Right {
    type Err = RightError;

    fn from_str(text: &str) -> Result<Self, RightError> {
        let wrong = || RightError(text.chars().take(128).collect());
        let (action, on_own) = match text.trim().split_once(char::is_whitespace) {
            None => (text.trim(), false),
            Some((action, rest)) if rest.trim() == ON_OWN => (action, true),
            Some(_) => return Err(wrong()),
        };
        let is_pattern = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"*?".contains(&byte))
        };
        let action = action.to_ascii_lowercase();
        let is_known = match action.split_once(':') {
            None => action == "*",
            Some((service, name)) => SERVICES.contains(&service) && is_pattern(name),
        };
        if is_known { Ok(Self { action, on_own }) } else { Err(wrong()) }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.action)?;
        if self.on_own { write!(f, " {ON_OWN}") } else { Ok(()) }
    }
}

impl Right {
    /// Returns the rights that these texts say.
    ///
    /// # Panics
    /// When one of them is none: for texts of our own.
    fn all_of(texts: &[&str]) -> Arc<[Self]> {
        texts.iter().map(|text| text.parse().expect("our own rights are well-formed")).collect()
    }

    /// Everything.
    pub fn admin() -> Arc<[Self]> {
        Self::all_of(&["*"])
    }

    /// Calling functions, and nothing else.
    pub fn invoke_only() -> Arc<[Self]> {
        Self::all_of(&["lambda:InvokeFunction", "lambda:InvokeAsync", "lambda:InvokeFunctionUrl"])
    }

    /// Seeing everything, and changing nothing. Source of the patterns: AWS's managed policies `AWSLambda_ReadOnlyAccess`,
    /// `CloudWatchReadOnlyAccess` and `CloudWatchLogsReadOnlyAccess`, read 2026-11.
    pub fn read_only() -> Arc<[Self]> {
        Self::all_of(&[
            "lambda:Get*",
            "lambda:List*",
            "logs:Describe*",
            "logs:Get*",
            "logs:List*",
            "logs:FilterLogEvents",
            "cloudwatch:Describe*",
            "cloudwatch:Get*",
            "cloudwatch:List*",
            "hearth:Get*",
            "iam:Get*",
            "iam:List*",
            "s3:Get*",
            "s3:List*",
            "scheduler:Get*",
            "scheduler:List*",
        ])
    }

    /// What functions may do unless a setting says otherwise: call functions, write to their own log, and make checkpoints
    /// of their own durable executions.
    pub fn of_functions() -> Arc<[Self]> {
        Self::all_of(&[
            "lambda:InvokeFunction",
            "lambda:CheckpointDurableExecution on own",
            "lambda:GetDurableExecutionState on own",
            "logs:CreateLogStream on own",
            "logs:PutLogEvents on own",
        ])
    }

    /// Whether this allows what is asked for to somebody who owns `own`.
    pub(crate) fn allows(&self, asked: &Asked, own: Option<&Own>) -> bool {
        let is_own = || match (&asked.resource, own) {
            (Resource::Function { name, .. }, Some(own)) => *name == own.function,
            (Resource::LogGroup { name, .. }, Some(own)) => *name == own.log_group,
            (
                Resource::Any
                | Resource::Untold
                | Resource::LayerVersion(_)
                | Resource::Role { .. }
                | Resource::Named { .. },
                _,
            )
            | (_, None) => false,
        };
        matches(self.action.as_bytes(), asked.action.to_ascii_lowercase().as_bytes())
            && (!self.on_own || is_own())
    }
}

#[cfg(test)]
mod tests {
    use hearth_types::{AccountId, FunctionName, LogGroupName, Region};

    use super::*;

    fn function(name: &str) -> Resource {
        Resource::Function {
            arn: format!("arn:…:function:{name}"),
            region: Region::new("us-east-1").unwrap(),
            account: AccountId::new("000000000000").unwrap(),
            name: FunctionName::new(name).unwrap(),
            qualifier: None,
        }
    }

    fn log_group(name: &str) -> Resource {
        Resource::LogGroup {
            arn: format!("arn:…:log-group:{name}"), name: LogGroupName::new(name).unwrap()
        }
    }

    fn allowed(rights: &[Right], action: &str, resource: Resource) -> bool {
        let own = Own {
            function: FunctionName::new("mine").unwrap(),
            log_group: LogGroupName::new("/aws/lambda/mine").unwrap(),
        };
        let asked = Asked { action: action.to_owned(), resource };
        rights.iter().any(|right| right.allows(&asked, Some(&own)))
    }

    #[test]
    fn who_has_which_right() {
        let roles = [Right::admin(), Right::invoke_only(), Right::read_only(), Right::of_functions()];
        for (action, resource, expected) in [
            ("lambda:InvokeFunction", function("other"), [true, true, false, true]),
            ("lambda:InvokeAsync", function("other"), [true, true, false, false]),
            ("lambda:GetFunction", function("mine"), [true, false, true, false]),
            ("lambda:ListFunctions", Resource::Any, [true, false, true, false]),
            ("lambda:DeleteFunction", function("mine"), [true, false, false, false]),
            ("lambda:CheckpointDurableExecution", function("mine"), [true, false, false, true]),
            ("lambda:CheckpointDurableExecution", function("other"), [true, false, false, false]),
            ("lambda:GetDurableExecutionState", function("mine"), [true, false, true, true]),
            ("lambda:StopDurableExecution", function("mine"), [true, false, false, false]),
            ("logs:PutLogEvents", log_group("/aws/lambda/mine"), [true, false, false, true]),
            ("logs:PutLogEvents", log_group("/aws/lambda/other"), [true, false, false, false]),
            ("logs:CreateLogStream", log_group("/aws/lambda/mine"), [true, false, false, true]),
            ("logs:CreateLogGroup", log_group("/aws/lambda/mine"), [true, false, false, false]),
            ("logs:FilterLogEvents", Resource::Any, [true, false, true, false]),
            ("cloudwatch:GetMetricData", Resource::Any, [true, false, true, false]),
            ("cloudwatch:PutMetricData", Resource::Any, [true, false, false, false]),
            ("hearth:GetEnvironments", Resource::Any, [true, false, true, false]),
            ("hearth:InstallRuntimes", Resource::Any, [true, false, false, false]),
        ] {
            let seen = roles.each_ref().map(|rights| allowed(rights, action, resource.clone()));
            assert_eq!(seen, expected, "{action} on {resource}");
        }
    }

    #[test]
    fn what_is_no_right_is_refused() {
        for text in ["*", "lambda:*", "Lambda:get*", " logs:PutLogEvents  on own ", "lambda:Get?unction"] {
            assert!(text.parse::<Right>().is_ok(), "{text}");
        }
        for text in [
            "",
            "lambda",
            "lambda:",
            "ec2:GetObject",
            "lambda:Get Function",
            "logs:* on others",
            "*:*",
            "lambda:a/b",
        ] {
            assert!(text.parse::<Right>().is_err(), "{text}");
        }
    }
}
