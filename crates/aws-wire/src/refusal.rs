//! What a client is told whose request cannot even be read: an error in AWS's shape, with a request id, and the end of the
//! connection.

use bytes::Bytes;
use hearth_types::RequestId;
use http::StatusCode;

/// Why a request is refused before it is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: StatusCode,
    error_type: &'static str,
    message: &'static str,
}

impl Refusal {
    pub(crate) const MALFORMED_HEAD: Self = Self::bad_request("The request is not HTTP/1.1");
    pub(crate) const TARGET_FORM: Self =
        Self::bad_request("The request must name a path. This server is not a proxy");
    pub(crate) const ESCAPE: Self = Self::bad_request("The path has an incomplete percent-encoding");
    pub(crate) const HOST: Self = Self::bad_request("The request must have one Host header");
    pub(crate) const FRAMING: Self = Self::bad_request(
        "The length of the request body is not clear: send one Content-Length, or Transfer-Encoding: chunked",
    );
    pub(crate) const TARGET_TOO_LONG: Self = Self {
        status: StatusCode::URI_TOO_LONG,
        error_type: "RequestUriTooLongException",
        message: "The path with its query must be no longer than 16384 bytes",
    };
    pub(crate) const HEAD_TOO_LARGE: Self = Self {
        status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        error_type: "RequestHeaderFieldsTooLargeException",
        message: "The request must have no more than 100 headers, and they must be no longer than 65536 bytes together",
    };
    pub(crate) const EXPECTATION: Self = Self {
        status: StatusCode::EXPECTATION_FAILED,
        error_type: "ExpectationFailedException",
        message: "The only expectation that is met is 100-continue",
    };
    pub(crate) const VERSION: Self = Self {
        status: StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        error_type: "HttpVersionNotSupportedException",
        message: "This server speaks HTTP/1.1",
    };
    pub(crate) const TIMED_OUT: Self = Self {
        status: StatusCode::REQUEST_TIMEOUT,
        error_type: "RequestTimeoutException",
        message: "The headers of the request did not arrive in time",
    };

    const fn bad_request(message: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error_type: "BadRequestException", message }
    }

    /// Returns the whole answer, as it is sent.
    pub(crate) fn into_bytes(self) -> Bytes {
        let Self { status, error_type, message } = self;
        let body = serde_json::json!({ "message": message }).to_string();
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nx-amzn-errortype: {error_type}\r\n\
             x-amzn-requestid: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            RequestId::random(),
            body.len(),
        );
        Bytes::from(answer)
    }
}
