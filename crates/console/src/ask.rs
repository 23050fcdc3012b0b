//! The port through which the console gets all that it shows: requests to the server's own APIs, made as the viewer. What
//! the viewer's key may not do, the console cannot do for them.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::Value;

/// On whose behalf something is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Viewer {
    /// Whoever reaches a server that has no keys.
    Anybody,
    /// Who has signed in with this key.
    Key {
        /// The id of the key.
        access_key_id: String,
        /// The name of its owner, as AWS writes it.
        arn: String,
    },
}

/// An answer, complete.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The server is ending, or the exchange broke.
    #[error("the server did not answer")]
    Broken,
    /// The answer is longer than a page can use.
    #[error("the answer is too long")]
    TooLong,
    /// It did not come in time.
    #[error("the answer did not come in time")]
    TooSlow,
}

/// What the console needs of the server.
pub trait Ask: Send + Sync {
    /// Whether whoever calls the server has to have a key.
    fn asks_for_keys(&self) -> bool;

    /// Returns whose key this is; `None` when there is no such key, or the secret is another.
    fn verify(&self, access_key_id: &str, secret: &str) -> Option<Viewer>;

    /// Whether a key that was verified is still one.
    fn is_known(&self, access_key_id: &str) -> bool;

    /// Sends a request as `viewer`.
    fn ask<'a>(
        &'a self,
        viewer: &'a Viewer,
        request: Request<Bytes>,
    ) -> BoxFuture<'a, Result<Answer, AskError>>;

    /// Returns the wall clock, in milliseconds since 1970.
    fn now_epoch_ms(&self) -> i64;
}

/// Why something cannot be shown.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    /// What the API answered with; 502 where it did not answer.
    pub(crate) status: StatusCode,
    /// What it said.
    pub(crate) message: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// Whether the viewer may not, rather than that something is wrong.
    pub(crate) fn is_of_rights(&self) -> bool {
        matches!(self.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
            || self.message.starts_with("AccessDenied")
    }
}

impl From<AskError> for Problem {
    fn from(error: AskError) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, error.to_string())
    }
}

impl Answer {
    /// Returns the body of an answer that says yes, as JSON.
    pub(crate) fn json(self) -> Result<Value, Problem> {
        let value: Value = serde_json::from_slice(&self.body).unwrap_or(Value::Null);
        if self.status.is_success() {
            return Ok(value);
        }
        let text = |name: &str| value[name].as_str();
        let kind = self.headers.get("x-amzn-errortype").and_then(|kind| kind.to_str().ok());
        let message = text("message").or(text("Message")).unwrap_or("the server refused");
        Err(Problem::new(
            self.status,
            match kind.or(text("__type")) {
                Some(kind) => format!("{kind}: {message}"),
                None => message.to_owned(),
            },
        ))
    }
}

/// The API as one viewer sees it.
pub(crate) struct Api<'a> {
    pub(crate) ask: &'a dyn Ask,
    pub(crate) viewer: &'a Viewer,
}

impl Api<'_> {
    /// Sends a request, as it is.
    pub(crate) async fn send(&self, request: Request<Bytes>) -> Result<Answer, Problem> {
        Ok(self.ask.ask(self.viewer, request).await?)
    }

    /// Gets JSON. The path is percent-encoded already.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Problem> {
        let request = Request::builder().method(Method::GET).uri(path).body(Bytes::new());
        let request = request.map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "no such address"))?;
        self.send(request).await?.json()
    }

    /// Calls an operation of CloudWatch Logs.
    pub(crate) async fn logs(&self, operation: &str, input: &Value) -> Result<Value, Problem> {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/")
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("Logs_20140328.{operation}"))
            .body(Bytes::from(input.to_string()));
        let request = request.map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "no such operation"))?;
        self.send(request).await?.json()
    }
}
