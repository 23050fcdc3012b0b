//! HTTP as AWS's services frame it: request ids, error envelopes, bodies with limits, paths with encoded labels, and the
//! server loop below them. Knows no operation.

mod body;
mod credential;
mod error;
mod event_stream;
mod framing;
mod path;
mod refusal;
mod response_body;
mod room;
mod server;
mod stream;
pub mod xml;

pub use body::{BodyError, BodyPieces, drop_body, read_ahead, read_body};
pub use credential::CredentialScope;
pub use error::{ErrorBody, MessageKey, WireError};
pub use event_stream::{EVENT_STREAM, event, exception};
pub use path::{decode, path_segments, query_pairs};
pub use response_body::{Body, CutOff};
#[doc(hidden)]
pub use server::serve_connection;
pub use server::{Peer, Server, ServerSettings, listen};

/// A response.
pub type Response = http::Response<Body>;

/// The header with the id of a request.
pub const REQUEST_ID: http::HeaderName = http::HeaderName::from_static("x-amzn-requestid");
/// The header with the type of an error.
pub const ERROR_TYPE: http::HeaderName = http::HeaderName::from_static("x-amzn-errortype");

/// Returns a response with a JSON body.
pub fn json_response(status: http::StatusCode, body: impl Into<bytes::Bytes>) -> Response {
    let mut response = http::Response::new(Body::new(body.into()));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}
