//! Errors as REST-JSON carries them: a status, a type in a header, a JSON body with a message.

use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value};

use crate::{ERROR_TYPE, Response, json_response};

/// How the member with the text is spelled: it differs from exception to exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKey {
    /// `message`
    Small,
    /// `Message`
    Capital,
}

/// Whether a `Type` stands in the body, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorBody {
    /// `"Type":"User"`: an exception of the model that is the caller's fault.
    User,
    /// `"Type":"Service"`: an exception of the model that is ours.
    Service,
    /// None: an error of the framework, before any operation.
    Framework,
}

/// One error, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireError {
    /// The HTTP status.
    pub status: StatusCode,
    /// The exception, such as `ResourceNotFoundException`.
    pub error_type: &'static str,
    /// What the body says about fault.
    pub body: ErrorBody,
    /// How the member with the text is spelled.
    pub key: MessageKey,
    /// The text.
    pub message: String,
    /// More members, such as `Reason`.
    pub more: Vec<(&'static str, String)>,
}

impl WireError {
    /// Returns the response.
    pub fn into_response(self) -> Response {
        let mut body = Map::new();
        let mut set = |key: &str, value: String| body.insert(key.to_owned(), Value::String(value));
        for (key, value) in self.more {
            set(key, value);
        }
        match self.body {
            ErrorBody::User => drop(set("Type", "User".to_owned())),
            ErrorBody::Service => drop(set("Type", "Service".to_owned())),
            ErrorBody::Framework => {}
        }
        let key = match self.key {
            MessageKey::Small => "message",
            MessageKey::Capital => "Message",
        };
        set(key, self.message);
        let mut response = json_response(self.status, Value::Object(body).to_string());
        response.headers_mut().insert(ERROR_TYPE, HeaderValue::from_static(self.error_type));
        response
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn an_error_has_its_type_in_the_header_and_its_text_in_the_body() {
        let response = WireError {
            status: StatusCode::TOO_MANY_REQUESTS,
            error_type: "TooManyRequestsException",
            body: ErrorBody::User,
            key: MessageKey::Small,
            message: "Rate \"Exceeded\".".to_owned(),
            more: vec![("Reason", "ConcurrentInvocationLimitExceeded".to_owned())],
        }
        .into_response();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["x-amzn-errortype"], "TooManyRequestsException");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(
            body,
            r#"{"Reason":"ConcurrentInvocationLimitExceeded","Type":"User","message":"Rate \"Exceeded\"."}"#
        );
    }
}
