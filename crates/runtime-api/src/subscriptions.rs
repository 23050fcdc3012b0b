//! The Telemetry API (`PUT /2022-07-01/telemetry`) and the Logs API that came before it (`PUT /2020-08-15/logs`). What is
//! subscribed to, and how it is delivered, is a matter of the crate `telemetry`.

use bytes::Bytes;
use hearth_environment::{Rejection, RuntimeConnection};
use hearth_telemetry::{Subscription, SubscriptionApi};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;

use crate::body::{self, Body};
use crate::extensions::{self, BODY_BYTES_MAX, Refusal};
use crate::reply;

/// Finds the interface that a path belongs to.
pub(crate) fn api_of(path: &str) -> Option<SubscriptionApi> {
    match path {
        "/2022-07-01/telemetry" => Some(SubscriptionApi::Telemetry),
        "/2020-08-15/logs" => Some(SubscriptionApi::Logs),
        _ => None,
    }
}

/// Answers a request. `runtime_api_port` is our own: nobody else can listen there.
pub(crate) async fn answer(
    connection: &RuntimeConnection,
    api: SubscriptionApi,
    runtime_api_port: u16,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Rejection> {
    let id = match extensions::identifier(request.headers()) {
        Ok(id) => id,
        Err(refusal) => {
            body::discard(request).await;
            return refusal.reply();
        }
    };
    if let Err(rejection) = connection.begin_subscription(id, api) {
        body::discard(request).await;
        return refused(rejection);
    }
    let payload = match body::read(request, BODY_BYTES_MAX).await {
        Body::Whole { payload, .. } => payload,
        Body::TooLarge => {
            let error_type = match api {
                SubscriptionApi::Telemetry => "ValidationError",
                SubscriptionApi::Logs => "Logs.ValidationError",
            };
            let message = format!("request body should be at most {BODY_BYTES_MAX} bytes");
            return Ok(reply::error_of(StatusCode::BAD_REQUEST, error_type, &message));
        }
        Body::Truncated => return Err(Rejection::Truncated),
    };
    match Subscription::parse(api, &payload, runtime_api_port) {
        Ok(subscription) => match connection.subscribe(id, subscription) {
            Ok(()) => Ok(reply::json_of(StatusCode::OK, &"OK")),
            Err(rejection) => refused(rejection),
        },
        Err(error) => Ok(reply::error_of(StatusCode::BAD_REQUEST, error.error_type, &error.message)),
    }
}

fn refused(rejection: Rejection) -> Result<Response<Full<Bytes>>, Rejection> {
    match extensions::unknown_identifier(rejection) {
        refusal @ Refusal::Wrong { .. } => refusal.reply(),
        Refusal::Refused(rejection) => Err(rejection),
    }
}
