//! What the console needs of the server: to ask its APIs as whoever looks, and to know their keys.
//!
//! A request of the console goes through the same door as one from outside, over a connection in memory, signed with the
//! viewer's own key: there is no second way past the guard.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hearth_auth::{Credentials, ToSign, authorization};
use hearth_aws_wire::{Response, ServerSettings, serve_connection};
use hearth_console::{Answer, Ask, AskError, Console, Viewer};
use hearth_function_url::Address;
use hearth_telemetry::Clock;
use hearth_types::Region;
use http::{HeaderValue, Request, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use subtle::ConstantTimeEq as _;

use crate::credentials::KnownCredentials;
use crate::front::{HEARTH, Outside};

/// The longest answer that a page is made from: a hundred thousand invocations are 60 MB.
const ANSWER_BYTES_MAX: usize = 96 << 20;
/// How long an answer may take: the longest call, with its Init.
const LIMIT: Duration = Duration::from_secs(960);
/// What the connection in memory holds.
const PIPE_BYTES: usize = 256 << 10;

/// Asks as a viewer.
pub(crate) struct AsViewer {
    pub(crate) outside: Arc<Outside>,
    pub(crate) credentials: Arc<KnownCredentials>,
    pub(crate) region: Region,
    pub(crate) clock: Clock,
}

impl Ask for AsViewer {
    fn asks_for_keys(&self) -> bool {
        self.credentials.are_required()
    }

    fn verify(&self, access_key_id: &str, secret: &str) -> Option<Viewer> {
        let credential = self.credentials.find(access_key_id)?;
        let is_right: bool = credential.secret_access_key.expose().as_bytes().ct_eq(secret.as_bytes()).into();
        is_right.then(|| Viewer::Key {
            access_key_id: credential.access_key_id.clone(),
            arn: credential.identity.caller.arn.clone(),
        })
    }

    fn is_known(&self, access_key_id: &str) -> bool {
        self.credentials.find(access_key_id).is_some()
    }

    fn ask<'a>(
        &'a self,
        viewer: &'a Viewer,
        mut request: Request<Bytes>,
    ) -> BoxFuture<'a, Result<Answer, AskError>> {
        async move {
            request.headers_mut().insert(header::HOST, HeaderValue::from_static("localhost"));
            if let Viewer::Key { access_key_id, .. } = viewer {
                // A key that is gone signs nothing: the guard says what it says to everybody without one.
                if let Some(credential) = self.credentials.find(access_key_id) {
                    let service = service(&request);
                    let (parts, body) = request.into_parts();
                    let (method, uri, mut headers) = (parts.method, parts.uri, parts.headers);
                    authorization(
                        ToSign { method: &method, uri: &uri, headers: &mut headers, body: &body },
                        (access_key_id, credential.secret_access_key.expose(), None),
                        (self.region.as_str(), service),
                        self.clock.epoch_ms(),
                    );
                    request = Request::new(body);
                    (*request.method_mut(), *request.uri_mut()) = (method, uri);
                    *request.headers_mut() = headers;
                }
            }
            tokio::time::timeout(LIMIT, self.exchange(request)).await.map_err(|_| AskError::TooSlow)?
        }
        .boxed()
    }

    fn now_epoch_ms(&self) -> i64 {
        self.clock.epoch_ms()
    }
}

impl AsViewer {
    /// Sends a request through the door, and waits for all of its answer. All of it ends when nobody waits any more.
    async fn exchange(&self, request: Request<Bytes>) -> Result<Answer, AskError> {
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        let outside = self.outside.clone();
        let answer = move |request| {
            let outside = outside.clone();
            async move { outside.answer(request).await }
        };
        let settings = ServerSettings { write_timeout: LIMIT, ..ServerSettings::default() };
        let serving = serve_connection(theirs, &settings, answer);
        let asking = async {
            let (mut sender, connection) =
                http1::handshake(TokioIo::new(ours)).await.map_err(|_| AskError::Broken)?;
            let answered = async move {
                let response = sender.send_request(request.map(Full::new)).await;
                let (head, body) = response.map_err(|_| AskError::Broken)?.into_parts();
                let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
                let body = body.map_err(|error| match error.is::<http_body_util::LengthLimitError>() {
                    true => AskError::TooLong,
                    false => AskError::Broken,
                })?;
                Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() })
            };
            tokio::pin!(answered, connection);
            tokio::select! {
                answer = &mut answered => answer,
                // What has been read by then is still to be taken.
                _ = &mut connection => answered.await,
            }
        };
        tokio::pin!(serving, asking);
        tokio::select! {
            answer = &mut asking => answer,
            () = &mut serving => asking.await,
        }
    }
}

/// The service that a request of the console is for.
fn service(request: &Request<Bytes>) -> &'static str {
    match request.uri().path() {
        "/" => "logs",
        path if path.starts_with(HEARTH) => "hearth",
        _ => "lambda",
    }
}

/// Everything behind the listener: the console, and the APIs.
pub(crate) struct Entrance {
    pub(crate) outside: Arc<Outside>,
    pub(crate) console: Console,
}

impl Entrance {
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response {
        // What is under the address of a function is the function's.
        let is_of_a_function = || Address::of_host(request.headers(), request.uri()).is_some();
        if Console::is_asked(&request) && !is_of_a_function() {
            return Box::pin(self.console.answer(request)).await;
        }
        self.outside.answer(request).await
    }
}
