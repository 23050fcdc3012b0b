//! The `Condition` of a statement, and the circumstances that it is about.
//!
//! Source: "IAM JSON policy elements: Condition operators" and "AWS global condition context keys", read 2026-11.

use serde_json::Value;

use super::pattern::{has_variable, matches, matches_arn};

/// What is known of a call besides who, what and on what. Each has one value or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// `aws:PrincipalArn`: of a session, its role.
    PrincipalArn,
    /// `aws:PrincipalAccount`.
    PrincipalAccount,
    /// `aws:PrincipalOrgID`.
    PrincipalOrgId,
    /// `aws:PrincipalType`: `User`, `AssumedRole` or `Anonymous`.
    PrincipalType,
    /// `aws:PrincipalIsAWSService`.
    PrincipalIsAwsService,
    /// `aws:PrincipalServiceName`.
    PrincipalServiceName,
    /// `aws:userid`.
    UserId,
    /// `aws:SourceArn`: on whose behalf a service calls.
    SourceArn,
    /// `aws:SourceAccount`: as above.
    SourceAccount,
    /// `aws:SecureTransport`.
    SecureTransport,
    /// `lambda:EventSourceToken`: what an Alexa skill sends along.
    EventSourceToken,
    /// `lambda:FunctionUrlAuthType`: of the URL that is called.
    FunctionUrlAuthType,
    /// `lambda:InvokedViaFunctionUrl`.
    InvokedViaFunctionUrl,
    /// `sts:ExternalId`.
    ExternalId,
    /// `sts:RoleSessionName`.
    RoleSessionName,
}

/// Keys under their names, in lower case: AWS's know no case.
const KEYS: [(&str, Key); 15] = [
    ("aws:principalarn", Key::PrincipalArn),
    ("aws:principalaccount", Key::PrincipalAccount),
    ("aws:principalorgid", Key::PrincipalOrgId),
    ("aws:principaltype", Key::PrincipalType),
    ("aws:principalisawsservice", Key::PrincipalIsAwsService),
    ("aws:principalservicename", Key::PrincipalServiceName),
    ("aws:userid", Key::UserId),
    ("aws:sourcearn", Key::SourceArn),
    ("aws:sourceaccount", Key::SourceAccount),
    ("aws:securetransport", Key::SecureTransport),
    ("lambda:eventsourcetoken", Key::EventSourceToken),
    ("lambda:functionurlauthtype", Key::FunctionUrlAuthType),
    ("lambda:invokedviafunctionurl", Key::InvokedViaFunctionUrl),
    ("sts:externalid", Key::ExternalId),
    ("sts:rolesessionname", Key::RoleSessionName),
];

/// The circumstances of a call.
#[derive(Debug, Clone, Default)]
pub struct Context(Vec<(Key, String)>);

impl Context {
    /// Adds what is known.
    #[must_use]
    pub fn with(mut self, key: Key, value: impl Into<String>) -> Self {
        self.0.push((key, value.into()));
        self
    }

    /// Adds what is known, if it is.
    #[must_use]
    pub fn with_some(self, key: Key, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    fn get(&self, key: Key) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == key).map(|(_, value)| value.as_str())
    }
}

/// Whether a condition is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Met {
    Yes,
    No,
    /// It asks for what is not known here.
    Unknown,
}

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    Equal,
    EqualIgnoringCase,
    Like,
    Arn,
    Bool,
    Null,
}

/// An operator on a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    /// What it is written as, for messages.
    name: String,
    /// `None` when it is not known here.
    compare: Option<Compare>,
    is_negated: bool,
    /// What it says of a key that has no value.
    without_value: bool,
    key: Option<Key>,
    values: Vec<String>,
}

impl Condition {
    /// Reads the `Condition` of a statement.
    pub(super) fn read(value: &Value) -> Option<Vec<Self>> {
        let mut all = vec![];
        for (operator, keys) in value.as_object()? {
            for (key, values) in keys.as_object()? {
                all.push(Self::one(operator, key, texts_of_condition(values)?));
            }
        }
        Some(all)
    }

    /// Makes a condition of an operator, a key and values.
    pub(super) fn one(operator: &str, key: &str, values: Vec<String>) -> Self {
        let name = format!("{operator} of {key}");
        let lower = operator.to_ascii_lowercase();
        let (for_all, rest) = match lower.split_once(':') {
            Some(("forallvalues", rest)) => (true, rest),
            Some(("foranyvalue", rest)) => (false, rest),
            _ => (false, &*lower),
        };
        let (if_exists, rest) = match rest.strip_suffix("ifexists") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let (compare, is_negated) = match rest {
            "stringequals" => (Some(Compare::Equal), false),
            "stringnotequals" => (Some(Compare::Equal), true),
            "stringequalsignorecase" => (Some(Compare::EqualIgnoringCase), false),
            "stringnotequalsignorecase" => (Some(Compare::EqualIgnoringCase), true),
            "stringlike" => (Some(Compare::Like), false),
            "stringnotlike" => (Some(Compare::Like), true),
            "arnequals" | "arnlike" => (Some(Compare::Arn), false),
            "arnnotequals" | "arnnotlike" => (Some(Compare::Arn), true),
            "bool" => (Some(Compare::Bool), false),
            "null" => (Some(Compare::Null), false),
            _ => (None, false),
        };
        let lower_key = key.to_ascii_lowercase();
        let key = KEYS.iter().find(|(name, _)| *name == lower_key).map(|(_, key)| *key);
        // What is not equal, a key without a value is not; of no values, all are whatever is asked.
        let without_value = if_exists || is_negated || for_all;
        Self { name, compare, is_negated, without_value, key, values }
    }

    /// Returns what is not understood of it.
    pub(super) fn unknown(&self) -> Option<&str> {
        let is_known = self.compare.is_some()
            && self.key.is_some()
            && !self.values.iter().any(|text| has_variable(text));
        (!is_known).then_some(self.name.as_str())
    }

    pub(super) fn is_met(&self, context: &Context) -> Met {
        let (Some(compare), Some(key), None) = (self.compare, self.key, self.unknown()) else {
            return Met::Unknown;
        };
        let value = context.get(key);
        let is_met = match (compare, value) {
            (Compare::Null, value) => {
                let is_null = if value.is_none() { "true" } else { "false" };
                self.values.iter().any(|asked| asked.eq_ignore_ascii_case(is_null))
            }
            (_, None) => self.without_value,
            (_, Some(value)) => {
                let is_one = self.values.iter().any(|asked| match compare {
                    Compare::Equal => asked == value,
                    Compare::EqualIgnoringCase | Compare::Bool | Compare::Null => {
                        asked.eq_ignore_ascii_case(value)
                    }
                    Compare::Like => matches(asked.as_bytes(), value.as_bytes()),
                    Compare::Arn => matches_arn(asked, value),
                });
                is_one != self.is_negated
            }
        };
        if is_met { Met::Yes } else { Met::No }
    }
}

/// Returns one text or several; conditions may have booleans and numbers in their place.
fn texts_of_condition(value: &Value) -> Option<Vec<String>> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    };
    match value {
        Value::Array(values) => values.iter().map(text).collect(),
        one => Some(vec![text(one)?]),
    }
}
