//! Errors as S3 tells them. Source: "Error responses" in the S3 API reference, read 2026-11.

use hearth_aws_wire::{Body, BodyError, ERROR_TYPE, Response};
use hearth_store::StoreError;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};

use crate::xml;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct S3Error {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// Further elements.
    more: Vec<(&'static str, String)>,
}

impl S3Error {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, code, message: message.into(), more: vec![] }
    }

    fn with(mut self, name: &'static str, text: &str) -> Self {
        self.more.push((name, text.to_owned()));
        self
    }

    pub(crate) fn no_such_bucket(bucket: &str) -> Self {
        Self::new(404, "NoSuchBucket", "The specified bucket does not exist").with("BucketName", bucket)
    }

    pub(crate) fn no_such_key(key: &str) -> Self {
        Self::new(404, "NoSuchKey", "The specified key does not exist.").with("Key", key)
    }

    pub(crate) fn no_such_upload(id: &str) -> Self {
        Self::new(
            404,
            "NoSuchUpload",
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or \
             completed.",
        )
        .with("UploadId", id)
    }

    pub(crate) fn invalid_argument(name: &str, message: impl Into<String>) -> Self {
        Self::new(400, "InvalidArgument", message).with("ArgumentName", name)
    }

    pub(crate) fn precondition_failed(condition: &str) -> Self {
        let message = "At least one of the pre-conditions you specified did not hold";
        Self::new(412, "PreconditionFailed", message).with("Condition", condition)
    }

    pub(crate) fn malformed_xml() -> Self {
        Self::new(
            400,
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        )
    }

    pub(crate) fn not_implemented(what: &str) -> Self {
        let message = format!("Hearth's S3 does not implement {what} yet");
        Self::new(501, "NotImplemented", message)
    }

    pub(crate) fn too_large() -> Self {
        Self::new(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
    }

    pub(crate) fn incomplete() -> Self {
        Self::new(
            400,
            "IncompleteBody",
            "You did not provide the number of bytes specified by the Content-Length HTTP header",
        )
    }

    pub(crate) fn slow_down() -> Self {
        Self::new(503, "SlowDown", "Please reduce your request rate.")
    }

    /// 500: ours. The detail goes to our log.
    pub(crate) fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "S3 cannot do what it was asked for");
        Self::new(500, "InternalError", "We encountered an internal error. Please try again.")
    }

    pub(crate) fn store(error: &StoreError) -> Self {
        Self::internal(error)
    }

    pub(crate) fn of_body(error: &BodyError) -> Self {
        match error {
            BodyError::TooLong { .. } => Self::too_large(),
            BodyError::Incomplete(_) => Self::incomplete(),
            BodyError::TooSlow => Self::new(
                400,
                "RequestTimeout",
                "Your socket connection to the server was not read from or written to within the timeout period.",
            ),
        }
    }

    pub(crate) fn into_response(self, resource: &str, request_id: &str) -> Response {
        // Without a body, for there is nothing to say that is not in the head.
        let body = if self.status == StatusCode::NOT_MODIFIED {
            String::new()
        } else {
            let more: String = self
                .more
                .iter()
                .map(|(name, text)| format!("<{name}>{}</{name}>", xml::escaped(text)))
                .collect();
            format!(
                "{}<Error><Code>{}</Code><Message>{}</Message>{more}<Resource>{}</Resource>\
                 <RequestId>{request_id}</RequestId></Error>",
                xml::DECLARATION,
                self.code,
                xml::escaped(&self.message),
                xml::escaped(resource)
            )
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        headers.insert(ERROR_TYPE, HeaderValue::from_static(self.code));
        response
    }
}
