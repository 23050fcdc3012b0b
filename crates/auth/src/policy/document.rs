//! A policy, read.

use serde_json::{Map, Value};

use super::condition::{Condition, Context, Met};
use super::pattern::{has_variable, matches};
use super::principal::{Meant, Principal, Who};
use crate::asked::{Asked, Resource};

/// A text that is no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DocumentError(String);

/// What a policy says about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Said {
    /// Nothing: it is not allowed.
    Nothing,
    /// The account of the caller may, and has to allow it by policies of its own. Only policies of resources say so.
    AllowsAccount,
    /// It is allowed.
    Allows,
    /// It is denied, whatever else allows it.
    Denies,
}

/// A policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    statements: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Statement {
    denies: bool,
    /// `None` in a policy of an identity.
    principals: Option<Listed<Principal>>,
    /// In lower case: AWS's actions know no case.
    actions: Listed<String>,
    /// `None` in a policy that says who may assume a role: it is about the role.
    resources: Option<Listed<String>>,
    conditions: Vec<Condition>,
}

/// What is listed, or all but that: `Action` or `NotAction`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listed<T> {
    is_not: bool,
    items: Vec<T>,
}

/// What AddPermission and AddLayerVersionPermission add: a statement in their words.
#[derive(Debug, Clone, Default)]
pub struct Grant<'a> {
    /// `*`, an account, an ARN or a service.
    pub principal: &'a str,
    /// `lambda:` and an operation, or `*`.
    pub action: &'a str,
    /// The ARN that it is about.
    pub resource: String,
    /// `AWS:SourceArn`, in which `*` stands for anything.
    pub source_arn: Option<&'a str>,
    /// `AWS:SourceAccount`.
    pub source_account: Option<&'a str>,
    /// `lambda:EventSourceToken`.
    pub event_source_token: Option<&'a str>,
    /// `lambda:FunctionUrlAuthType`.
    pub function_url_auth_type: Option<&'a str>,
    /// `lambda:InvokedViaFunctionUrl`.
    pub invoked_via_function_url: Option<bool>,
    /// `aws:PrincipalOrgID`.
    pub principal_org_id: Option<&'a str>,
}

impl Document {
    /// Reads a policy.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        let value: Value =
            serde_json::from_str(text).map_err(|error| DocumentError(format!("it is not JSON: {error}")))?;
        match value.get("Statement") {
            Some(Value::Array(statements)) => {
                let statements = statements.iter().map(Statement::read).collect::<Result<_, _>>()?;
                Ok(Self { statements })
            }
            Some(statement @ Value::Object(_)) => Ok(Self { statements: vec![Statement::read(statement)?] }),
            _ => Err(DocumentError("it has no Statement".to_owned())),
        }
    }

    /// A policy that denies everything: what stands for one that was kept and cannot be read.
    pub fn that_denies_everything() -> Self {
        let any = || Listed { is_not: false, items: vec!["*".to_owned()] };
        let everybody = Listed { is_not: false, items: vec![Principal::Everybody] };
        let (principals, resources) = (Some(everybody), Some(any()));
        Self {
            statements: vec![Statement {
                denies: true,
                principals,
                actions: any(),
                resources,
                conditions: vec![],
            }],
        }
    }

    /// A policy of an identity that allows actions on resources.
    pub(super) fn that_allows(allows: &[(&[&str], &str)]) -> Self {
        let listed = |items: Vec<String>| Listed { is_not: false, items };
        let statement = |(actions, resource): &(&[&str], &str)| Statement {
            denies: false,
            principals: None,
            actions: listed(actions.iter().map(|action| action.to_ascii_lowercase()).collect()),
            resources: Some(listed(vec![(*resource).to_owned()])),
            conditions: vec![],
        };
        Self { statements: allows.iter().map(statement).collect() }
    }

    /// Adds a statement as it stands in a policy.
    pub fn push_text(&mut self, statement: &str) -> Result<(), DocumentError> {
        let value: Value = serde_json::from_str(statement)
            .map_err(|error| DocumentError(format!("it is not JSON: {error}")))?;
        self.statements.push(Statement::read(&value)?);
        Ok(())
    }

    /// Adds what was granted.
    pub fn push_grant(&mut self, grant: Grant<'_>) {
        let is_service = grant.principal.contains('.') && !grant.principal.starts_with("arn:");
        let kind = if is_service { "Service" } else { "AWS" };
        let principals = match grant.principal {
            "*" => vec![Principal::Everybody],
            name => Principal::read(&serde_json::json!({ kind: name })).unwrap_or_default(),
        };
        let via_url = grant.invoked_via_function_url.map(|via| via.to_string());
        let conditions = [
            ("ArnLike", "aws:SourceArn", grant.source_arn),
            ("StringEquals", "aws:SourceAccount", grant.source_account),
            ("StringEquals", "lambda:EventSourceToken", grant.event_source_token),
            ("StringEquals", "lambda:FunctionUrlAuthType", grant.function_url_auth_type),
            ("Bool", "lambda:InvokedViaFunctionUrl", via_url.as_deref()),
            ("StringEquals", "aws:PrincipalOrgID", grant.principal_org_id),
        ];
        let conditions = conditions.into_iter().filter_map(|(operator, key, value)| {
            value.map(|value| Condition::one(operator, key, vec![value.to_owned()]))
        });
        self.statements.push(Statement {
            denies: false,
            principals: Some(Listed { is_not: false, items: principals }),
            actions: Listed { is_not: false, items: vec![grant.action.to_ascii_lowercase()] },
            resources: Some(Listed { is_not: false, items: vec![grant.resource] }),
            conditions: conditions.collect(),
        });
    }

    /// Returns a condition that is not understood here, as its statement writes it.
    pub fn unknown_condition(&self) -> Option<&str> {
        self.statements.iter().flat_map(|statement| &statement.conditions).find_map(Condition::unknown)
    }

    /// Returns what a policy of an identity says about what the identity asks for.
    pub fn of_identity(&self, asked: &Asked, context: &Context) -> Said {
        let said = self.statements.iter().map(|statement| statement.says(asked, context, Meant::ByName));
        said.max().unwrap_or(Said::Nothing)
    }

    /// Returns what a policy of the resource that is asked for says about somebody.
    pub fn of_resource(&self, who: &Who<'_>, asked: &Asked, context: &Context) -> Said {
        let said =
            self.statements.iter().map(|statement| statement.says(asked, context, statement.meant(who)));
        said.max().unwrap_or(Said::Nothing)
    }
}

impl Statement {
    fn read(value: &Value) -> Result<Self, DocumentError> {
        let wrong = |member: &str| DocumentError(format!("a statement has no {member} that can be read"));
        let members = value.as_object().ok_or_else(|| wrong("members"))?;
        let denies = match members.get("Effect").and_then(Value::as_str) {
            Some("Allow") => false,
            Some("Deny") => true,
            _ => return Err(wrong("Effect")),
        };
        let read_texts = |value: &Value| -> Option<Vec<String>> {
            texts(value).map(|texts| texts.into_iter().map(str::to_owned).collect())
        };
        let mut actions = listed(members, "Action", "NotAction", read_texts)
            .map_err(|()| wrong("Action"))?
            .ok_or_else(|| wrong("Action"))?;
        actions.items.iter_mut().for_each(|action| action.make_ascii_lowercase());
        let resources =
            listed(members, "Resource", "NotResource", read_texts).map_err(|()| wrong("Resource"))?;
        let principals =
            listed(members, "Principal", "NotPrincipal", Principal::read).map_err(|()| wrong("Principal"))?;
        let conditions = match members.get("Condition") {
            None => vec![],
            Some(condition) => Condition::read(condition).ok_or_else(|| wrong("Condition"))?,
        };
        Ok(Self { denies, principals, actions, resources, conditions })
    }

    /// In which way this is about somebody.
    fn meant(&self, who: &Who<'_>) -> Meant {
        let Some(principals) = &self.principals else { return Meant::No };
        let meant = principals.items.iter().map(|principal| principal.means(who)).max().unwrap_or(Meant::No);
        match (principals.is_not, meant) {
            (false, meant) => meant,
            // AWS has it for statements that deny alone.
            (true, Meant::No) if self.denies => Meant::ByName,
            (true, _) => Meant::No,
        }
    }

    fn says(&self, asked: &Asked, context: &Context, meant: Meant) -> Said {
        if meant == Meant::No || !self.is_about(asked) {
            return Said::Nothing;
        }
        let mut is_known = true;
        for condition in &self.conditions {
            match condition.is_met(context) {
                Met::Yes => {}
                Met::No => return Said::Nothing,
                Met::Unknown => is_known = false,
            }
        }
        match (self.denies, is_known, meant) {
            (true, ..) => Said::Denies,
            (false, false, _) => Said::Nothing,
            (false, true, Meant::AsAccount) => Said::AllowsAccount,
            (false, true, _) => Said::Allows,
        }
    }

    fn is_about(&self, asked: &Asked) -> bool {
        let action = asked.action.to_ascii_lowercase();
        let is_listed = self.actions.items.iter().any(|it| matches(it.as_bytes(), action.as_bytes()));
        if is_listed == self.actions.is_not {
            return false;
        }
        let Some(resources) = &self.resources else { return true };
        // What cannot be told, or means something else for each caller, gives no right and takes one.
        if asked.resource == Resource::Untold && self.denies {
            return true;
        }
        if resources.items.iter().any(|pattern| has_variable(pattern)) {
            return self.denies;
        }
        if asked.resource == Resource::Untold && resources.is_not {
            return false;
        }
        let arn = asked.resource.to_string();
        let is_listed = resources.items.iter().any(|pattern| matches(pattern.as_bytes(), arn.as_bytes()));
        is_listed != resources.is_not
    }
}

/// Reads a member that has an opposite. `Err` when it cannot be read, or both are there.
fn listed<T>(
    members: &Map<String, Value>,
    name: &str,
    opposite: &str,
    read: impl Fn(&Value) -> Option<Vec<T>>,
) -> Result<Option<Listed<T>>, ()> {
    let (value, is_not) = match (members.get(name), members.get(opposite)) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(()),
        (Some(value), None) => (value, false),
        (None, Some(value)) => (value, true),
    };
    let items = read(value).filter(|items| !items.is_empty()).ok_or(())?;
    Ok(Some(Listed { is_not, items }))
}

/// Returns one text or several.
pub(super) fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(texts) => texts.iter().map(Value::as_str).collect(),
        _ => None,
    }
}
