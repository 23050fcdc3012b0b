//! The resource policy of a function as AWS writes it.

use hearth_functions::Statement;
use hearth_types::AccountId;
use serde::Serialize;

/// A policy.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PolicyDocument {
    version: &'static str,
    id: &'static str,
    statement: Vec<StatementDocument>,
}

impl PolicyDocument {
    /// Writes the policy of the function `arn`.
    pub(crate) fn of(arn: &str, statements: &[Statement]) -> Self {
        let statement = statements.iter().map(|statement| StatementDocument::of(arn, statement)).collect();
        Self { version: "2012-10-17", id: "default", statement }
    }
}

/// A statement of a policy.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct StatementDocument {
    sid: String,
    effect: &'static str,
    principal: Principal,
    action: String,
    resource: String,
    #[serde(skip_serializing_if = "Condition::is_empty")]
    condition: Condition,
}

impl StatementDocument {
    /// Writes a statement of the function `arn`.
    pub(crate) fn of(arn: &str, statement: &Statement) -> Self {
        let statement = statement.clone();
        Self {
            sid: statement.sid,
            effect: "Allow",
            // It was one when the statement was added.
            principal: Principal::parse(&statement.principal).unwrap_or(Principal::Aws(statement.principal)),
            action: statement.action,
            resource: arn.to_owned(),
            condition: Condition {
                string_equals: StringEquals {
                    organization: statement.principal_org_id,
                    account: statement.source_account,
                    function_url_auth_type: statement.function_url_auth_type,
                    event_source_token: statement.event_source_token,
                },
                bool: Bool {
                    invoked_via_function_url: statement.invoked_via_function_url.map(|is| is.to_string()),
                },
                arn_like: ArnLike { source: statement.source_arn },
            },
        }
    }
}

/// Whom a statement allows something.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) enum Principal {
    /// An account, user or role.
    #[serde(rename = "AWS")]
    Aws(String),
    /// A service of AWS.
    Service(String),
    /// Anybody.
    #[serde(untagged)]
    Everybody(&'static str),
}

impl Principal {
    /// Reads a principal as AddPermission gets it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
        let is_of_account = |arn: &str| {
            let parts: Vec<&str> = arn.splitn(6, ':').collect();
            matches!(&*parts, ["arn", partition, "iam" | "sts", "", account, name]
                if partition.starts_with("aws") && AccountId::new(account).is_ok() && !name.is_empty())
        };
        match text {
            "*" => Some(Self::Everybody("*")),
            account if AccountId::new(account).is_ok() => {
                Some(Self::Aws(format!("arn:aws:iam::{account}:root")))
            }
            arn if is_of_account(arn) => Some(Self::Aws(arn.to_owned())),
            service if service.contains('.') && service.bytes().all(is_word) => {
                Some(Self::Service(service.to_owned()))
            }
            _ => None,
        }
    }
}

#[derive(Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Condition {
    #[serde(skip_serializing_if = "is_default")]
    string_equals: StringEquals,
    #[serde(skip_serializing_if = "is_default")]
    bool: Bool,
    #[serde(skip_serializing_if = "is_default")]
    arn_like: ArnLike,
}

impl Condition {
    fn is_empty(&self) -> bool {
        is_default(self)
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[derive(Default, PartialEq, Serialize)]
struct StringEquals {
    #[serde(rename = "aws:PrincipalOrgID", skip_serializing_if = "Option::is_none")]
    organization: Option<String>,
    #[serde(rename = "AWS:SourceAccount", skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(rename = "lambda:FunctionUrlAuthType", skip_serializing_if = "Option::is_none")]
    function_url_auth_type: Option<String>,
    #[serde(rename = "lambda:EventSourceToken", skip_serializing_if = "Option::is_none")]
    event_source_token: Option<String>,
}

#[derive(Default, PartialEq, Serialize)]
struct Bool {
    #[serde(rename = "lambda:InvokedViaFunctionUrl", skip_serializing_if = "Option::is_none")]
    invoked_via_function_url: Option<String>,
}

#[derive(Default, PartialEq, Serialize)]
struct ArnLike {
    #[serde(rename = "AWS:SourceArn", skip_serializing_if = "Option::is_none")]
    source: Option<String>,
}
