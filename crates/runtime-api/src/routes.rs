//! The table of paths, and what each does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hearth_environment::machine::RuntimeAnswer;
use hearth_environment::{AnswerKind, Rejection, RuntimeConnection};
use hearth_telemetry::SubscriptionApi;
use hearth_telemetry::imports::ImportCollector;
use hearth_types::RequestId;
use hearth_types::limits::RESPONSE_PAYLOAD_BYTES_MAX;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::sync::Semaphore;

use crate::body::{self, Body};
use crate::extensions::{self, ExtensionRoute};
use crate::{error_type, imports, reply, subscriptions};

/// By which a runtime client of Hearth says when it began to load the function's code, in nanoseconds of the monotonic
/// clock of this host.
const FUNCTION_INIT_START: &str = "hearth-function-init-start";

/// One connection of a runtime, and what it shares with the other ones of its environment.
#[derive(Clone)]
pub(crate) struct Visitor {
    connection: RuntimeConnection,
    reports: Arc<Reports>,
    /// Where it has been visited.
    port: u16,
    /// Where the runtime client may tell what it imports.
    imports: Option<Arc<ImportCollector>>,
}

/// Lets one report of a failed Init be read at a time. The first one ends the Init, so the others are not worth keeping;
/// responses need no such limit, because only one of them can be the answer to the running invocation.
pub(crate) struct Reports(Semaphore);

impl Default for Reports {
    fn default() -> Self {
        Self(Semaphore::new(1))
    }
}

impl Visitor {
    pub(crate) fn new(
        connection: RuntimeConnection,
        reports: Arc<Reports>,
        port: u16,
        imports: Option<Arc<ImportCollector>>,
    ) -> Self {
        Self { connection, reports, port, imports }
    }

    /// Answers one request.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        if path == imports::PATH
            && request.method() == Method::POST
            && let Some(stream) = self.imports.as_ref().and_then(ImportCollector::open)
        {
            return Box::pin(imports::take(stream, request)).await;
        }
        let Some(route) = Route::of(path) else { return reply::not_found() };
        if request.method() != route.method() {
            return reply::method_not_allowed();
        }
        let connection = &self.connection;
        // What few requests need is apart: the HTTP library moves the future of every answer about.
        let answered = match route {
            Route::Ping => Ok(reply::pong()),
            Route::Next => next(connection, request.headers()).await,
            Route::InitError => Box::pin(self.init_error(request)).await,
            Route::RestoreNext => restore_next(connection, request.headers()).await,
            // As on AWS, only for whoever is restored. It ends the restore as it would end Init.
            Route::RestoreError if connection.is_restored() => Box::pin(self.init_error(request)).await,
            Route::RestoreError => Ok(reply::not_found()),
            Route::Response(id) => response(connection, id, request).await,
            Route::Error(id) => Box::pin(error(connection, id, request)).await,
            Route::Extension(route) => Box::pin(extensions::answer(connection, route, request)).await,
            Route::Subscription(api) => {
                Box::pin(subscriptions::answer(connection, api, self.port, request)).await
            }
        };
        match answered {
            Ok(response) => response,
            // It is being killed. Whatever we said, it could only write about it to the log.
            Err(Rejection::Ending) => std::future::pending().await,
            Err(rejection) => reply::rejected(rejection),
        }
    }

    async fn init_error(&self, request: Request<Incoming>) -> Answered {
        let _turn = self.reports.0.acquire().await.expect("nobody closes the semaphore");
        if let Err(rejection) = self.connection.begin_init_error() {
            body::discard(request).await;
            return Err(rejection);
        }
        let function_init_started = function_init_started(request.headers());
        let error_type = error_type::of(request.headers());
        let payload = match body::read(request, RESPONSE_PAYLOAD_BYTES_MAX).await {
            Body::Whole { payload, .. } => payload,
            Body::TooLarge => error_type::payload_of_unreadable_report(&error_type),
            Body::Truncated => return Err(Rejection::Truncated),
        };
        self.connection.init_error(function_init_started, error_type, payload)?;
        Ok(reply::accepted())
    }
}

type Answered = Result<Response<Full<Bytes>>, Rejection>;

enum Route {
    Ping,
    Next,
    InitError,
    RestoreNext,
    RestoreError,
    /// `None`: what stands in the path is no id of ours.
    Response(Option<RequestId>),
    Error(Option<RequestId>),
    Extension(ExtensionRoute),
    Subscription(SubscriptionApi),
}

impl Route {
    fn of(path: &str) -> Option<Self> {
        if let Some(rest) = path.strip_prefix("/2020-01-01/extension/") {
            return ExtensionRoute::of(rest).map(Self::Extension);
        }
        if let Some(api) = subscriptions::api_of(path) {
            return Some(Self::Subscription(api));
        }
        let rest = path.strip_prefix("/2018-06-01/")?;
        if rest == "ping" {
            return Some(Self::Ping);
        }
        let rest = rest.strip_prefix("runtime/")?;
        match rest {
            "invocation/next" => return Some(Self::Next),
            "init/error" => return Some(Self::InitError),
            "restore/next" => return Some(Self::RestoreNext),
            "restore/error" => return Some(Self::RestoreError),
            _ => {}
        }
        let (id, verb) = rest.strip_prefix("invocation/")?.split_once('/')?;
        match verb {
            "response" => Some(Self::Response(RequestId::parse(id))),
            "error" => Some(Self::Error(RequestId::parse(id))),
            _ => None,
        }
    }

    fn method(&self) -> Method {
        match self {
            Self::Ping | Self::Next | Self::RestoreNext => Method::GET,
            Self::InitError | Self::RestoreError | Self::Response(_) | Self::Error(_) => Method::POST,
            Self::Extension(route) => route.method(),
            Self::Subscription(_) => Method::PUT,
        }
    }
}

async fn next(connection: &RuntimeConnection, headers: &HeaderMap) -> Answered {
    connection.next(function_init_started(headers))?.event().await.map(reply::event)
}

/// Waits forever: whoever is restored from the snapshot that is taken now finds itself on a connection that has ended.
async fn restore_next(connection: &RuntimeConnection, headers: &HeaderMap) -> Answered {
    match connection.restore_next(function_init_started(headers)).await {
        Some(parked) => parked?.event().await.map(reply::event),
        None => Ok(reply::not_found()),
    }
}

async fn response(
    connection: &RuntimeConnection,
    id: Option<RequestId>,
    request: Request<Incoming>,
) -> Answered {
    let open = match connection.begin_answer(id, AnswerKind::Response) {
        Ok(open) => open,
        Err(rejection) => {
            Box::pin(body::discard(request)).await;
            return Err(rejection);
        }
    };
    let content_type = request.headers().get(http::header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mode = request.headers().get("lambda-runtime-function-response-mode");
    let answer = match mode.map(http::HeaderValue::as_bytes) {
        Some(b"streaming") if let Some(sender) = open.stream(content_type) => {
            Box::pin(body::stream(request, sender)).await
        }
        // Who wants the response whole gets a streamed one whole.
        None | Some(b"" | b"streaming") => match body::read(request, RESPONSE_PAYLOAD_BYTES_MAX).await {
            Body::Whole { payload, trailers } => match trailers.as_ref().and_then(error_type::of_trailers) {
                Some((error_type, payload)) => RuntimeAnswer::Error { error_type, payload },
                None => RuntimeAnswer::Response(payload),
            },
            Body::TooLarge => RuntimeAnswer::TooLarge,
            Body::Truncated => RuntimeAnswer::Truncated,
        },
        Some(_) => {
            Box::pin(body::discard(request)).await;
            RuntimeAnswer::InvalidResponseMode
        }
    };
    open.finish(answer)?;
    Ok(reply::accepted())
}

async fn error(
    connection: &RuntimeConnection,
    id: Option<RequestId>,
    request: Request<Incoming>,
) -> Answered {
    let open = match connection.begin_answer(id, AnswerKind::FunctionError) {
        Ok(open) => open,
        Err(rejection) => {
            body::discard(request).await;
            return Err(rejection);
        }
    };
    // What the runtime has for X-Ray (the header `Lambda-Runtime-Function-XRay-Error-Cause`, or `errorCause` in the body)
    // is for nobody here: there is no X-Ray.
    let error_type = error_type::of(request.headers());
    let has_cause = error_type::has_cause(request.headers());
    let answer = match body::read(request, RESPONSE_PAYLOAD_BYTES_MAX).await {
        Body::Whole { payload, .. } => {
            let payload = if has_cause { error_type::without_cause(&payload) } else { payload };
            RuntimeAnswer::Error { error_type, payload }
        }
        Body::TooLarge => RuntimeAnswer::TooLarge,
        Body::Truncated => RuntimeAnswer::Truncated,
    };
    open.finish(answer)?;
    Ok(reply::accepted())
}

/// Reads when function init began. A runtime can claim what it likes; at worst its own timeline is wrong, and a time
/// in the future or long ago is not believed.
fn function_init_started(headers: &HeaderMap) -> Option<Instant> {
    let nanoseconds: u64 = headers.get(FUNCTION_INIT_START)?.to_str().ok()?.parse().ok()?;
    let clock = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).ok()?;
    let now = Duration::new(clock.tv_sec().try_into().ok()?, clock.tv_nsec().try_into().ok()?);
    let ago = now.checked_sub(Duration::from_nanos(nanoseconds))?;
    (ago < Duration::from_secs(1_000)).then(|| Instant::now().checked_sub(ago))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_documented_paths_are_routes() {
        assert!(matches!(Route::of("/2018-06-01/runtime/invocation/next"), Some(Route::Next)));
        assert!(matches!(Route::of("/2018-06-01/runtime/init/error"), Some(Route::InitError)));
        let id = "8476a536-e9f4-41e8-9739-2dfe598c3fcd";
        let response = Route::of(&format!("/2018-06-01/runtime/invocation/{id}/response"));
        assert!(matches!(response, Some(Route::Response(Some(_)))));
        assert!(matches!(Route::of("/2018-06-01/runtime/invocation/x/error"), Some(Route::Error(None))));
        for unknown in [
            "/",
            "/2018-06-01/runtime/restore/",
            "/2018-06-01/runtime/invocation/x/y/response",
            "/2018-06-01/runtime/invocation/",
            "/2018-06-01/runtime/invocation/next/",
        ] {
            assert!(Route::of(unknown).is_none(), "{unknown}");
        }
    }
}
