//! Errors as IAM and STS tell them. Sources: "Errors" of each operation in the IAM API reference, recorded answers for
//! texts, read 2026-11.

use hearth_aws_wire::{ERROR_TYPE, Response};
use hearth_store::StoreError;
use hearth_types::RequestId;
use http::StatusCode;
use http::header::HeaderValue;

use crate::{respond, xml};

/// Why an operation is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IamError {
    /// The caller's fault: status, code, text.
    Caller(StatusCode, &'static str, String),
    /// Ours. The detail is in our log.
    Failed,
}

impl IamError {
    /// 400: a parameter is missing or wrong.
    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::Caller(StatusCode::BAD_REQUEST, "ValidationError", message.into())
    }

    /// 400: a parameter breaks a constraint.
    pub(crate) fn constraint(value: &str, member: &str, constraint: &str) -> Self {
        let value: String = value.chars().filter(|c| !c.is_control()).take(256).collect();
        Self::validation(format!(
            "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
        ))
    }

    /// 400: a parameter is missing.
    pub(crate) fn missing(member: &str) -> Self {
        let mut letters = member.chars();
        let member: String =
            letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect();
        Self::validation(format!(
            "1 validation error detected: Value at '{member}' failed to satisfy constraint: Member must not be null"
        ))
    }

    /// 404.
    pub(crate) fn no_such_entity(message: impl Into<String>) -> Self {
        Self::Caller(StatusCode::NOT_FOUND, "NoSuchEntity", message.into())
    }

    /// 404: the role.
    pub(crate) fn no_such_role(name: &str) -> Self {
        Self::no_such_entity(format!("The role with name {name} cannot be found."))
    }

    /// 409: the name is taken.
    pub(crate) fn exists(name: &str) -> Self {
        let message = format!("Role with name {name} already exists.");
        Self::Caller(StatusCode::CONFLICT, "EntityAlreadyExists", message)
    }

    /// 409: something has to go first.
    pub(crate) fn delete_conflict(message: &str) -> Self {
        Self::Caller(StatusCode::CONFLICT, "DeleteConflict", message.to_owned())
    }

    /// 409: no room for one more.
    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Self::Caller(StatusCode::CONFLICT, "LimitExceeded", message.into())
    }

    /// 400: a policy is none.
    pub(crate) fn malformed_policy(message: impl Into<String>) -> Self {
        Self::Caller(StatusCode::BAD_REQUEST, "MalformedPolicyDocument", message.into())
    }

    /// 400: something else is wrong with a parameter.
    pub(crate) fn invalid_input(message: impl Into<String>) -> Self {
        Self::Caller(StatusCode::BAD_REQUEST, "InvalidInput", message.into())
    }

    /// 403.
    pub(crate) fn access_denied(message: impl Into<String>) -> Self {
        Self::Caller(StatusCode::FORBIDDEN, "AccessDenied", message.into())
    }

    /// 501.
    pub(crate) fn not_implemented(what: &str) -> Self {
        let message = format!("Hearth does not implement {what} yet");
        Self::Caller(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message)
    }

    /// 500: the store refuses.
    pub(crate) fn store(error: &StoreError) -> Self {
        tracing::error!(error = error as &dyn std::error::Error, "a role cannot be kept");
        Self::Failed
    }

    pub(crate) fn into_response(self, namespace: &str, request_id: RequestId) -> Response {
        let (status, code, message, fault) = match self {
            Self::Caller(status, code, message) => (status, code, message, "Sender"),
            Self::Failed => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "ServiceFailure",
                "The request processing has failed because of an unknown error, exception or failure."
                    .to_owned(),
                "Receiver",
            ),
        };
        let body = format!(
            "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{fault}</Type><Code>{code}</Code><Message>{}</Message>\
             </Error><RequestId>{request_id}</RequestId></ErrorResponse>",
            xml::escaped(&message)
        );
        let mut response = respond(status, body);
        response.headers_mut().insert(ERROR_TYPE, HeaderValue::from_static(code));
        response
    }
}
