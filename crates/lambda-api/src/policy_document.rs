//! The resource policy of a function, version or alias as AWS writes it, and as PutResourcePolicy gets it.

use std::collections::BTreeSet;

use hearth_auth::policy::Document;
use hearth_functions::Statement;
use hearth_types::AccountId;
use serde::Serialize;
use serde_json::Value;

/// A policy.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PolicyDocument {
    version: &'static str,
    id: &'static str,
    statement: Vec<Written>,
}

impl PolicyDocument {
    /// Writes the policy of the function `arn`.
    pub(crate) fn of(arn: &str, statements: &[Statement]) -> Self {
        let statement = statements.iter().map(|statement| Written::of(arn, statement)).collect();
        Self { version: "2012-10-17", id: "default", statement }
    }
}

/// A statement, as it was added or as it was put.
#[derive(Serialize)]
#[serde(untagged)]
enum Written {
    Added(Box<StatementDocument>),
    Put(Value),
}

impl Written {
    fn of(arn: &str, statement: &Statement) -> Self {
        // It was JSON when it was put.
        let put = statement.document.as_ref().and_then(|document| serde_json::from_str(document).ok());
        put.map_or_else(|| Self::Added(Box::new(StatementDocument::of(arn, statement))), Self::Put)
    }
}

/// Reads a whole policy of the resource `arn`. An error says what is wrong with it.
///
/// What would not be heeded is refused: a condition that is not known here.
pub(crate) fn read(arn: &str, policy: &str) -> Result<Vec<Statement>, String> {
    let policy: Value = serde_json::from_str(policy).map_err(|error| format!("it is not JSON: {error}"))?;
    let policy = policy.as_object().ok_or("it is not a JSON object")?;
    only(policy.keys(), &["Version", "Id", "Statement"])?;
    match policy.get("Version").and_then(Value::as_str) {
        Some("2012-10-17" | "2008-10-17") => {}
        _ => return Err("its Version is not 2012-10-17".to_owned()),
    }
    if policy.get("Id").is_some_and(|id| !id.is_string()) {
        return Err("its Id is not a string".to_owned());
    }
    let statements = match policy.get("Statement") {
        Some(Value::Array(statements)) => statements.as_slice(),
        Some(statement @ Value::Object(_)) => std::slice::from_ref(statement),
        _ => return Err("it has no Statement".to_owned()),
    };
    if statements.is_empty() {
        return Err("it has no Statement".to_owned());
    }
    let read: Vec<Statement> =
        statements.iter().map(|statement| read_statement(arn, statement)).collect::<Result<_, _>>()?;
    let mut sids = BTreeSet::new();
    match read.iter().find(|statement| !statement.sid.is_empty() && !sids.insert(&statement.sid)) {
        Some(twice) => Err(format!("two statements have the Sid {}", twice.sid)),
        None => Ok(read),
    }
}

fn read_statement(arn: &str, statement: &Value) -> Result<Statement, String> {
    let members = statement.as_object().ok_or("a statement is not a JSON object")?;
    only(members.keys(), &["Sid", "Effect", "Principal", "Action", "Resource", "Condition"])?;
    let sid = match members.get("Sid") {
        None => "",
        Some(Value::String(sid)) if sid.len() <= 100 => sid,
        Some(_) => return Err("a Sid is not a string of at most 100 characters".to_owned()),
    };
    match members.get("Effect").and_then(Value::as_str) {
        Some("Allow" | "Deny") => {}
        _ => return Err("an Effect is neither Allow nor Deny".to_owned()),
    }
    let principals = match members.get("Principal") {
        Some(Value::String(everybody)) if everybody == "*" => vec!["*"],
        Some(Value::Object(kinds)) if !kinds.is_empty() => {
            only(kinds.keys(), &["AWS", "Service"])?;
            kinds
                .values()
                .map(texts)
                .collect::<Option<Vec<_>>>()
                .map(|kinds| kinds.concat())
                .unwrap_or_default()
        }
        _ => return Err("a statement has no Principal".to_owned()),
    };
    if principals.is_empty() || principals.iter().any(|principal| Principal::parse(principal).is_none()) {
        return Err("a Principal is invalid".to_owned());
    }
    let is_action = |action: &&str| {
        let operation = action.strip_prefix("lambda:").unwrap_or_default();
        **action == *"*"
            || (!operation.is_empty()
                && operation.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'*'))
    };
    match members.get("Action").and_then(texts) {
        Some(actions) if !actions.is_empty() && actions.iter().all(is_action) => {}
        _ => return Err("an Action is not one of lambda".to_owned()),
    }
    match members.get("Resource").and_then(texts) {
        Some(resources) if !resources.is_empty() && resources.iter().all(|resource| *resource == arn) => {}
        _ => return Err(format!("a Resource is not {arn}")),
    }
    if members.get("Condition").is_some_and(|condition| !condition.is_object()) {
        return Err("a Condition is not a JSON object".to_owned());
    }
    let mut document = Document::default();
    document.push_text(&statement.to_string()).map_err(|error| error.to_string())?;
    if let Some(unknown) = document.unknown_condition() {
        return Err(format!("Hearth does not know the condition {unknown} yet"));
    }
    Ok(Statement { sid: sid.to_owned(), document: Some(statement.to_string()), ..Statement::default() })
}

/// Returns one text or several.
fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(texts) => texts.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

fn only<'a>(members: impl Iterator<Item = &'a String>, known: &[&str]) -> Result<(), String> {
    let mut members = members;
    match members.find(|member| !known.contains(&member.as_str())) {
        Some(member) => Err(format!("it has a {member}, which is unknown here")),
        None => Ok(()),
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
