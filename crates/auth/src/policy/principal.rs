//! Who calls, and whom a statement is about.

use serde_json::Value;

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who<'a> {
    /// Nobody has signed: whoever calls a function URL that asks for no signature.
    Anybody,
    /// A user, or a session of a role.
    Caller {
        /// `arn:aws:iam::…:user/…` or `arn:aws:sts::…:assumed-role/…`.
        arn: &'a str,
        /// The account of the caller.
        account: &'a str,
        /// The role that a session is of.
        role_arn: Option<&'a str>,
    },
    /// A service of AWS on somebody's behalf, such as `events.amazonaws.com`.
    Service(&'a str),
}

/// In which way a statement is about a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Meant {
    /// It is not.
    No,
    /// It is about the whole account, which decides by its own policies who of it may.
    AsAccount,
    /// It is about this caller, or about everybody.
    ByName,
}

/// Whom a statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Principal {
    Everybody,
    /// All of an account.
    Account(String),
    /// One user, role, or session of a role.
    Arn(String),
    Service(String),
    /// Kinds of callers that there are none of here: identity providers, canonical users.
    Stranger,
}

impl Principal {
    /// Reads the `Principal` of a statement.
    pub(super) fn read(value: &Value) -> Option<Vec<Self>> {
        match value {
            Value::String(everybody) if everybody == "*" => Some(vec![Self::Everybody]),
            Value::Object(kinds) if !kinds.is_empty() => {
                let mut all = vec![];
                for (kind, names) in kinds {
                    let names = super::document::texts(names)?;
                    all.extend(names.into_iter().map(|name| Self::of(kind, name)));
                }
                Some(all)
            }
            _ => None,
        }
    }

    fn of(kind: &str, name: &str) -> Self {
        match kind {
            "AWS" => Self::of_aws(name),
            "Service" => Self::Service(name.to_ascii_lowercase()),
            _ => Self::Stranger,
        }
    }

    /// Reads an account, an ARN or `*`.
    fn of_aws(name: &str) -> Self {
        let is_account = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        if name == "*" {
            return Self::Everybody;
        }
        if is_account(name) {
            return Self::Account(name.to_owned());
        }
        let parts: Vec<&str> = name.splitn(6, ':').collect();
        match parts[..] {
            ["arn", _, "iam", "", account, "root"] if is_account(account) => {
                Self::Account(account.to_owned())
            }
            _ => Self::Arn(name.to_owned()),
        }
    }

    pub(super) fn means(&self, who: &Who<'_>) -> Meant {
        let by_name = |is: bool| if is { Meant::ByName } else { Meant::No };
        match (self, who) {
            (Self::Everybody, _) => Meant::ByName,
            (Self::Service(name), Who::Service(service)) => by_name(name == service),
            (Self::Account(id), Who::Caller { account, .. }) if id == account => Meant::AsAccount,
            (Self::Arn(name), Who::Caller { arn, role_arn, .. }) => {
                by_name(name == arn || role_arn.is_some_and(|role| name == role))
            }
            (Self::Service(_) | Self::Account(_) | Self::Arn(_) | Self::Stranger, _) => Meant::No,
        }
    }
}
