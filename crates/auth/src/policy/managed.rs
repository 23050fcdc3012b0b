//! Policies that AWS publishes and roles have attached, as far as they are about the services that are here.
//!
//! Source: the AWS Managed Policy Reference Guide, read 2026-11. Of services that are not here nothing is repeated.

use super::Document;

/// What stands before the name of a policy that AWS publishes.
const PREFIX: &str = "arn:aws:iam::aws:policy/";

/// What writing to a log takes.
const WRITES_LOGS: &[&str] = &["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"];
const SEES_LOGS: &[&str] = &["logs:Describe*", "logs:Get*", "logs:List*", "logs:FilterLogEvents"];
const SEES_METRICS: &[&str] = &["cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*"];
const EVERYTHING: &str = "*";

/// What a policy allows: actions on a resource, and the next.
type Allows = &'static [(&'static [&'static str], &'static str)];

/// The policies by their names, those of services with their path.
const POLICIES: &[(&str, Allows)] = &[
    ("AdministratorAccess", &[(&["*"], EVERYTHING)]),
    (
        "AWSLambda_FullAccess",
        &[
            (
                &[
                    "lambda:*",
                    "cloudwatch:GetMetricData",
                    "cloudwatch:ListMetrics",
                    "logs:DescribeLogGroups",
                    "iam:GetPolicy",
                    "iam:GetPolicyVersion",
                    "iam:GetRole",
                    "iam:GetRolePolicy",
                    "iam:ListAttachedRolePolicies",
                    "iam:ListRolePolicies",
                    "iam:ListRoles",
                ],
                EVERYTHING,
            ),
            (
                &["logs:DescribeLogStreams", "logs:GetLogEvents", "logs:FilterLogEvents"],
                "arn:aws:logs:*:*:log-group:/aws/lambda/*",
            ),
        ],
    ),
    (
        "AWSLambda_ReadOnlyAccess",
        &[
            (
                &[
                    "lambda:Get*",
                    "lambda:List*",
                    "cloudwatch:GetMetricData",
                    "cloudwatch:ListMetrics",
                    "logs:DescribeLogGroups",
                    "iam:GetPolicy",
                    "iam:GetPolicyVersion",
                    "iam:GetRole",
                    "iam:GetRolePolicy",
                    "iam:ListAttachedRolePolicies",
                    "iam:ListRolePolicies",
                    "iam:ListRoles",
                ],
                EVERYTHING,
            ),
            (
                &["logs:DescribeLogStreams", "logs:GetLogEvents", "logs:FilterLogEvents"],
                "arn:aws:logs:*:*:log-group:/aws/lambda/*",
            ),
        ],
    ),
    ("service-role/AWSLambdaRole", &[(&["lambda:InvokeFunction"], EVERYTHING)]),
    ("service-role/AWSLambdaBasicExecutionRole", &[(WRITES_LOGS, EVERYTHING)]),
    ("service-role/AWSLambdaVPCAccessExecutionRole", &[(WRITES_LOGS, EVERYTHING)]),
    ("service-role/AWSLambdaSQSQueueExecutionRole", &[(WRITES_LOGS, EVERYTHING)]),
    ("service-role/AWSLambdaDynamoDBExecutionRole", &[(WRITES_LOGS, EVERYTHING)]),
    ("service-role/AWSLambdaKinesisExecutionRole", &[(WRITES_LOGS, EVERYTHING)]),
    (
        "AWSLambdaExecute",
        &[(&["logs:*"], "arn:aws:logs:*:*:*"), (&["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::*")],
    ),
    ("AmazonS3FullAccess", &[(&["s3:*"], EVERYTHING)]),
    ("AmazonS3ReadOnlyAccess", &[(&["s3:Get*", "s3:List*", "s3:Describe*"], EVERYTHING)]),
    ("CloudWatchFullAccess", &[(&["cloudwatch:*", "logs:*"], EVERYTHING)]),
    ("CloudWatchFullAccessV2", &[(&["cloudwatch:*", "logs:*"], EVERYTHING)]),
    ("CloudWatchReadOnlyAccess", &[(SEES_METRICS, EVERYTHING), (SEES_LOGS, EVERYTHING)]),
    ("CloudWatchLogsFullAccess", &[(&["logs:*"], EVERYTHING)]),
    ("CloudWatchLogsReadOnlyAccess", &[(SEES_LOGS, EVERYTHING)]),
    ("IAMFullAccess", &[(&["iam:*"], EVERYTHING)]),
    ("IAMReadOnlyAccess", &[(&["iam:Get*", "iam:List*"], EVERYTHING)]),
    // All but IAM and the management of accounts.
    (
        "PowerUserAccess",
        &[(
            &["lambda:*", "logs:*", "cloudwatch:*", "s3:*", "sts:*", "hearth:*", "iam:ListRoles"],
            EVERYTHING,
        )],
    ),
];

/// Returns the policy with this ARN. `None` for one that is not known here: it allows nothing.
pub fn document(arn: &str) -> Option<Document> {
    let name = arn.strip_prefix(PREFIX)?;
    let (_, allows) = POLICIES.iter().find(|(known, _)| *known == name)?;
    Some(Document::that_allows(allows))
}

#[cfg(test)]
mod tests {
    use super::super::{Context, Said};
    use super::*;
    use crate::{Asked, Resource};

    #[test]
    fn what_the_policies_of_aws_allow() {
        let log = |group: &str| Resource::Named {
            arn: format!("arn:aws:logs:us-east-1:000000000000:log-group:{group}"),
        };
        let of_a_bucket = || Resource::Named { arn: "arn:aws:s3:::bucket/key".to_owned() };
        for (name, action, resource, expected) in [
            ("AdministratorAccess", "iam:CreateRole", Resource::Any, Said::Allows),
            ("AdministratorAccess", "hearth:Change", Resource::Any, Said::Allows),
            ("AWSLambda_FullAccess", "lambda:DeleteFunction", Resource::Any, Said::Allows),
            ("AWSLambda_FullAccess", "logs:GetLogEvents", log("/aws/lambda/f"), Said::Allows),
            ("AWSLambda_FullAccess", "logs:GetLogEvents", log("/other"), Said::Nothing),
            ("AWSLambda_FullAccess", "iam:CreateRole", Resource::Any, Said::Nothing),
            ("AWSLambda_ReadOnlyAccess", "lambda:GetFunction", Resource::Any, Said::Allows),
            ("AWSLambda_ReadOnlyAccess", "lambda:InvokeFunction", Resource::Any, Said::Nothing),
            ("service-role/AWSLambdaRole", "lambda:InvokeFunction", Resource::Any, Said::Allows),
            ("service-role/AWSLambdaRole", "lambda:GetFunction", Resource::Any, Said::Nothing),
            ("service-role/AWSLambdaBasicExecutionRole", "logs:PutLogEvents", log("/x"), Said::Allows),
            ("service-role/AWSLambdaBasicExecutionRole", "logs:DeleteLogGroup", log("/x"), Said::Nothing),
            ("AWSLambdaExecute", "s3:PutObject", of_a_bucket(), Said::Allows),
            ("AmazonS3ReadOnlyAccess", "s3:PutObject", of_a_bucket(), Said::Nothing),
            ("CloudWatchReadOnlyAccess", "cloudwatch:GetMetricData", Resource::Any, Said::Allows),
            ("AWSLambda_ReadOnlyAccess", "cloudwatch:ListMetrics", Resource::Any, Said::Allows),
            ("AWSLambda_ReadOnlyAccess", "cloudwatch:PutMetricData", Resource::Any, Said::Nothing),
            ("PowerUserAccess", "iam:CreateRole", Resource::Any, Said::Nothing),
        ] {
            let policy = document(&format!("{PREFIX}{name}")).expect(name);
            let asked = Asked { action: action.to_owned(), resource };
            assert_eq!(policy.of_identity(&asked, &Context::default()), expected, "{name} {action}");
        }
        assert_eq!(document("arn:aws:iam::aws:policy/AmazonSQSFullAccess"), None);
        assert_eq!(document("arn:aws:iam::000000000000:policy/AdministratorAccess"), None);
    }
}
