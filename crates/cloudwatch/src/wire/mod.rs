//! The three protocols that clients speak to CloudWatch: CBOR (`rpc-v2-cbor`, SDKs of today), JSON 1.0, and forms answered in XML
//! (`query`, older SDKs and the AWS CLI). A request becomes one tree in all of them, and an answer is written from one.

mod cbor;
mod json;
mod output;
mod query;

use hearth_aws_wire::{Body, CredentialScope, ERROR_TYPE, REQUEST_ID, Response};
use hearth_types::RequestId;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request};

use crate::error::ApiError;
use crate::input::Input;

pub(crate) use output::Output;

/// The service that signatures are for.
pub(crate) const SERVICE: &str = "monitoring";
/// What the names of the operations stand behind in `X-Amz-Target`.
const TARGET: &str = "GraniteServiceVersion20100801.";
/// The same in the path of the CBOR protocol.
const PATH: &str = "/service/GraniteServiceVersion20100801/operation/";
/// Says which protocol of Smithy's is spoken.
const SMITHY_PROTOCOL: HeaderName = HeaderName::from_static("smithy-protocol");
/// The code and the fault of an error as the query protocol has them, for SDKs that speak another one.
const QUERY_ERROR: HeaderName = HeaderName::from_static("x-amzn-query-error");

/// How a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Cbor,
    Json,
    Query,
}

impl Protocol {
    /// Returns how a request speaks, if it is one to CloudWatch.
    pub(crate) fn of<B>(request: &Request<B>) -> Option<Self> {
        let (path, headers) = (request.uri().path(), request.headers());
        if path.starts_with(PATH) {
            return (request.method() == Method::POST).then_some(Self::Cbor);
        }
        if path != "/" {
            return None;
        }
        if target(headers).is_some() {
            return (request.method() == Method::POST).then_some(Self::Json);
        }
        // A form says in its body what it is about: before that is read, the signature tells.
        let is_signed_for_it = || CredentialScope::of(headers).is_some_and(|scope| scope.service == SERVICE);
        let is_form = !headers.contains_key("x-amz-target") && is_signed_for_it();
        (is_form && matches!(*request.method(), Method::GET | Method::POST)).then_some(Self::Query)
    }

    /// Reads a request: the name of its operation, and its input.
    pub(crate) fn read<B>(self, request: &Request<B>, body: &[u8]) -> Result<(String, Input), ApiError> {
        match self {
            Self::Cbor => {
                let name = request.uri().path().strip_prefix(PATH).unwrap_or_default();
                Ok((name.to_owned(), Input::strict(cbor::read(body)?)))
            }
            Self::Json => {
                let name = target(request.headers()).unwrap_or_default();
                Ok((name.to_owned(), Input::strict(json::read(body)?)))
            }
            Self::Query => {
                let form = match *request.method() {
                    Method::GET => request.uri().query().unwrap_or("").as_bytes(),
                    _ => body,
                };
                let (name, members) = query::read(form)?;
                Ok((name, Input::loose(members)))
            }
        }
    }

    /// Writes the answer of an operation.
    pub(crate) fn answer(self, operation: &str, answer: Result<Output, ApiError>) -> Response {
        let request_id = RequestId::random().to_string();
        let error = match answer {
            Ok(output) => {
                let body = match self {
                    Self::Cbor => cbor::write(&output),
                    Self::Json => json::write(&output),
                    Self::Query => query::write(operation, &output, &request_id),
                };
                return self.response(body, &request_id);
            }
            Err(error) => error,
        };
        let is_ours = error.status.is_server_error();
        let body = match self {
            Self::Cbor | Self::Json => {
                let members = vec![
                    ("__type", Output::Text(format!("com.amazonaws.cloudwatch#{}", error.shape))),
                    ("message", Output::Text(error.message.clone())),
                ];
                let body = Output::Members(members);
                if self == Self::Cbor { cbor::write(&body) } else { json::write(&body) }
            }
            Self::Query => query::write_error(&error, is_ours, &request_id),
        };
        let mut response = self.response(body, &request_id);
        *response.status_mut() = error.status;
        let fault = if is_ours { "Receiver" } else { "Sender" };
        for (name, value) in [(ERROR_TYPE, error.shape), (QUERY_ERROR, format!("{};{fault}", error.code))] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }

    fn response(self, body: Vec<u8>, request_id: &str) -> Response {
        let mut response = Response::new(Body::new(body.into()));
        let headers = response.headers_mut();
        let content_type = match self {
            Self::Cbor => "application/cbor",
            Self::Json => "application/x-amz-json-1.0",
            Self::Query => "text/xml",
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if self == Self::Cbor {
            headers.insert(SMITHY_PROTOCOL, HeaderValue::from_static("rpc-v2-cbor"));
        }
        if let Ok(value) = HeaderValue::from_str(request_id) {
            headers.insert(REQUEST_ID, value);
        }
        response
    }
}

fn target(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-amz-target")?.to_str().ok()?.strip_prefix(TARGET)
}
