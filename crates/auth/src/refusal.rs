//! Why a request is refused, in AWS's words and in the shape of the protocol that it came in.
//!
//! Sources: recorded answers for the texts, "Common Errors" of the API references for names and statuses, read 2026-11.

use hearth_aws_wire::{Body, BodyError, ERROR_TYPE, ErrorBody, MessageKey, REQUEST_ID, Response, WireError};
use hearth_types::RequestId;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde_json::json;

use crate::asked::Asked;

/// In which shape an error is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Lambda's, and Hearth's own.
    RestJson,
    /// That of CloudWatch Logs: all that is the caller's fault is a 400.
    Json11,
    /// STS's and IAM's: XML.
    Query,
    /// S3's: XML without an envelope, and codes of its own.
    S3,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    kind: Kind,
    message: String,
}

/// Why somebody may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    NotByIdentity,
    NotByResource,
    DeniedByIdentity,
    DeniedByResource,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    MissingToken,
    Incomplete,
    InvalidSignature,
    /// Of a presigned URL.
    ExpiredSignature,
    UnknownClient,
    ExpiredToken,
    AccessDenied,
    TooLarge,
    BrokenBody,
    SlowBody,
}

impl Refusal {
    /// Nobody has signed it.
    pub(crate) fn missing_token() -> Self {
        Self { kind: Kind::MissingToken, message: "Missing Authentication Token".to_owned() }
    }

    /// There is a signature, and parts of it are not there or cannot be read. What it says is not repeated.
    pub(crate) fn incomplete(message: impl Into<String>) -> Self {
        Self { kind: Kind::Incomplete, message: message.into() }
    }

    /// The signature is for something else.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self { kind: Kind::InvalidSignature, message: message.into() }
    }

    /// The signature is not that of this request.
    pub(crate) fn mismatch() -> Self {
        Self::invalid(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
             Key and signing method. Consult the service documentation for details.",
        )
    }

    /// Nobody has such a key, or its token is another one.
    pub(crate) fn unknown_client() -> Self {
        let message = "The security token included in the request is invalid.".to_owned();
        Self { kind: Kind::UnknownClient, message }
    }

    /// A presigned URL was good until a while ago.
    pub(crate) fn expired(message: impl Into<String>) -> Self {
        Self { kind: Kind::ExpiredSignature, message: message.into() }
    }

    /// The key was temporary, and its time is over.
    pub fn expired_token() -> Self {
        let message = "The security token included in the request is expired".to_owned();
        Self { kind: Kind::ExpiredToken, message }
    }

    /// The caller is known, and may not do that.
    pub(crate) fn access_denied(arn: &str, asked: &Asked, why: Why) -> Self {
        let Asked { action, resource } = asked;
        let because = match why {
            Why::NotByIdentity => format!("because no identity-based policy allows the {action} action"),
            Why::NotByResource => format!("because no resource-based policy allows the {action} action"),
            Why::DeniedByIdentity => "with an explicit deny in an identity-based policy".to_owned(),
            Why::DeniedByResource => "with an explicit deny in a resource-based policy".to_owned(),
        };
        let message =
            format!("User: {arn} is not authorized to perform: {action} on resource: {resource} {because}");
        Self { kind: Kind::AccessDenied, message }
    }

    /// The body that was signed cannot be read.
    pub fn of_body(error: &BodyError, bytes_max: usize) -> Self {
        let (kind, message) = match error {
            BodyError::TooLong { .. } => {
                (Kind::TooLarge, format!("Request must be smaller than {bytes_max} bytes"))
            }
            BodyError::Incomplete(_) => (Kind::BrokenBody, "The request body is not complete".to_owned()),
            BodyError::TooSlow => (Kind::SlowBody, "The request body did not arrive in time".to_owned()),
        };
        Self { kind, message }
    }

    /// Returns the exception, such as `InvalidSignatureException`.
    pub fn error_type(&self) -> &'static str {
        self.names().0
    }

    /// Returns the text.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The name in the JSON protocols, and in the query protocol.
    fn names(&self) -> (&'static str, &'static str) {
        match self.kind {
            Kind::MissingToken => ("MissingAuthenticationTokenException", "MissingAuthenticationToken"),
            Kind::Incomplete => ("IncompleteSignatureException", "IncompleteSignature"),
            Kind::InvalidSignature | Kind::ExpiredSignature => {
                ("InvalidSignatureException", "SignatureDoesNotMatch")
            }
            Kind::UnknownClient => ("UnrecognizedClientException", "InvalidClientTokenId"),
            Kind::ExpiredToken => ("ExpiredTokenException", "ExpiredToken"),
            Kind::AccessDenied => ("AccessDeniedException", "AccessDenied"),
            Kind::TooLarge => ("RequestEntityTooLargeException", "RequestEntityTooLarge"),
            Kind::BrokenBody => ("SerializationException", "MalformedInput"),
            Kind::SlowBody => ("RequestTimeoutException", "RequestTimeout"),
        }
    }

    /// The name in S3's protocol. Source: "Error responses" in the S3 API reference, read 2026-11.
    fn code_of_s3(&self) -> &'static str {
        match self.kind {
            Kind::MissingToken | Kind::AccessDenied | Kind::ExpiredSignature => "AccessDenied",
            Kind::Incomplete => "AuthorizationHeaderMalformed",
            Kind::InvalidSignature => "SignatureDoesNotMatch",
            Kind::UnknownClient => "InvalidAccessKeyId",
            Kind::ExpiredToken => "ExpiredToken",
            Kind::TooLarge => "EntityTooLarge",
            Kind::BrokenBody => "IncompleteBody",
            Kind::SlowBody => "RequestTimeout",
        }
    }

    fn status(&self, protocol: Protocol) -> StatusCode {
        match (self.kind, protocol) {
            (Kind::Incomplete | Kind::ExpiredToken | Kind::TooLarge | Kind::SlowBody, Protocol::S3) => {
                StatusCode::BAD_REQUEST
            }
            (Kind::TooLarge, _) => StatusCode::PAYLOAD_TOO_LARGE,
            (Kind::SlowBody, _) => StatusCode::REQUEST_TIMEOUT,
            (Kind::BrokenBody, _) | (_, Protocol::Json11) => StatusCode::BAD_REQUEST,
            (
                Kind::MissingToken
                | Kind::Incomplete
                | Kind::InvalidSignature
                | Kind::ExpiredSignature
                | Kind::UnknownClient
                | Kind::ExpiredToken
                | Kind::AccessDenied,
                Protocol::RestJson | Protocol::Query | Protocol::S3,
            ) => StatusCode::FORBIDDEN,
        }
    }

    /// Returns the answer.
    pub fn into_response(self, protocol: Protocol) -> Response {
        let (request_id, status) = (RequestId::random().to_string(), self.status(protocol));
        let (error_type, code) = self.names();
        let mut response = match protocol {
            Protocol::RestJson => {
                let key = match self.kind {
                    Kind::AccessDenied => MessageKey::Capital,
                    _ => MessageKey::Small,
                };
                let body = ErrorBody::Framework;
                WireError { status, error_type, body, key, message: self.message, more: vec![] }
                    .into_response()
            }
            Protocol::Json11 => {
                let key = if self.kind == Kind::AccessDenied { "Message" } else { "message" };
                let body = json!({ "__type": error_type, key: self.message }).to_string();
                shaped(status, "application/x-amz-json-1.1", error_type, body)
            }
            Protocol::S3 => {
                let (code, message) = (self.code_of_s3(), escaped(&self.message));
                let body = format!(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>\
                     <RequestId>{request_id}</RequestId></Error>"
                );
                shaped(status, "application/xml", code, body)
            }
            Protocol::Query => {
                let message = escaped(&self.message);
                let body = format!(
                    "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
                     <Code>{code}</Code><Message>{message}</Message></Error><RequestId>{request_id}</RequestId>\
                     </ErrorResponse>"
                );
                shaped(status, "text/xml", code, body)
            }
        };
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        response
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn shaped(
    status: StatusCode,
    content_type: &'static str,
    error_type: &'static str,
    body: String,
) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(ERROR_TYPE, HeaderValue::from_static(error_type));
    response
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::Resource;

    #[tokio::test]
    async fn every_protocol_has_its_own_shape() {
        let mut table = String::new();
        let asked = Asked { action: "lambda:ListFunctions".to_owned(), resource: Resource::Any };
        let denied = Refusal::access_denied("arn:aws:iam::1:user/<ada>", &asked, Why::NotByIdentity);
        for refusal in [Refusal::missing_token(), denied] {
            for protocol in [Protocol::RestJson, Protocol::Json11, Protocol::Query] {
                let mut response = refusal.clone().into_response(protocol);
                let request_id = response.headers_mut().remove(REQUEST_ID).unwrap();
                let (head, body) = response.into_parts();
                let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
                let body = body.replace(request_id.to_str().unwrap(), "ID");
                let [error_type, content_type] =
                    ["x-amzn-errortype", "content-type"].map(|name| head.headers[name].to_str().unwrap());
                table += &format!("{} {error_type} {content_type}\n{body}\n", head.status.as_u16());
            }
        }
        expect![[r#"
            403 MissingAuthenticationTokenException application/json
            {"message":"Missing Authentication Token"}
            400 MissingAuthenticationTokenException application/x-amz-json-1.1
            {"__type":"MissingAuthenticationTokenException","message":"Missing Authentication Token"}
            403 MissingAuthenticationToken text/xml
            <ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>MissingAuthenticationToken</Code><Message>Missing Authentication Token</Message></Error><RequestId>ID</RequestId></ErrorResponse>
            403 AccessDeniedException application/json
            {"Message":"User: arn:aws:iam::1:user/<ada> is not authorized to perform: lambda:ListFunctions on resource: * because no identity-based policy allows the lambda:ListFunctions action"}
            400 AccessDeniedException application/x-amz-json-1.1
            {"Message":"User: arn:aws:iam::1:user/<ada> is not authorized to perform: lambda:ListFunctions on resource: * because no identity-based policy allows the lambda:ListFunctions action","__type":"AccessDeniedException"}
            403 AccessDenied text/xml
            <ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: arn:aws:iam::1:user/&lt;ada&gt; is not authorized to perform: lambda:ListFunctions on resource: * because no identity-based policy allows the lambda:ListFunctions action</Message></Error><RequestId>ID</RequestId></ErrorResponse>
        "#]].assert_eq(&table);
    }
}
