//! What arrives at `/` in the query protocol: IAM and STS. GetCallerIdentity, and the refusal of other services at that
//! path, are `hearth-lambda-api`'s. Services with paths of their own that are not here are refused by name.

use hearth_auth::policy::Context;
use hearth_auth::{Asked, Identity, Protocol, Refusal};
use hearth_aws_wire::{CredentialScope, ErrorBody, MessageKey, REQUEST_ID, Response, WireError, read_ahead};
use hearth_iam::Form;
use hearth_types::RequestId;
use http::{HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;

use crate::front::Front;

/// How long a form may be: policies are in it, percent-encoded.
const FORM_BYTES_MAX: usize = 512 << 10;

/// The services whose requests have been told apart before, or are Hearth's own.
const OURS: [&str; 8] = ["lambda", "logs", "monitoring", "s3", "iam", "sts", "scheduler", "hearth"];

/// Returns the service that a request says it is signed for.
pub(crate) fn claimed_service<B>(request: &Request<B>) -> Option<&str> {
    CredentialScope::of(request.headers()).map(|scope| scope.service)
}

/// Returns the service that a request is for, when that is none of ours, and its path is none of Lambda's.
pub(crate) fn other_service<'a, B>(front: &Front, request: &'a Request<B>) -> Option<&'a str> {
    let claimed = claimed_service(request).filter(|service| !OURS.contains(service))?;
    (!front.api.has_operation(request.method(), request.uri())).then_some(claimed)
}

/// 501: a service that is not here.
pub(crate) fn refuse(service: &str) -> Response {
    let is_plain = |character: &char| character.is_ascii_alphanumeric() || "._-".contains(*character);
    let service: String = service.chars().filter(is_plain).take(64).collect();
    let message = format!("Hearth does not implement the service {service} yet");
    refusal(StatusCode::NOT_IMPLEMENTED, "NotImplementedException", message)
}

/// Refuses what a page of another site has made a browser send to a server without keys.
pub(crate) fn refuse_another_site() -> Response {
    let message =
        "a web page of another site has sent this, and no keys are configured that would tell who may";
    refusal(StatusCode::FORBIDDEN, "AccessDeniedException", message.to_owned())
}

fn refusal(status: StatusCode, error_type: &'static str, message: String) -> Response {
    let error = WireError {
        status,
        error_type,
        body: ErrorBody::Framework,
        key: MessageKey::Small,
        message,
        more: vec![],
    };
    let mut response = error.into_response();
    if let Ok(request_id) = HeaderValue::from_str(&RequestId::random().to_string()) {
        response.headers_mut().insert(REQUEST_ID, request_id);
    }
    response
}

/// Whether a request is in the query protocol.
fn is_query<B>(request: &Request<B>) -> bool {
    request.uri().path() == "/"
        && !request.headers().contains_key("x-amz-target")
        && matches!(*request.method(), Method::GET | Method::POST)
}

fn form<B>(request: &Request<B>, body: &[u8]) -> Form {
    match *request.method() {
        Method::GET => Form::parse(request.uri().query().unwrap_or("")),
        _ => Form::parse(&String::from_utf8_lossy(body)),
    }
}

/// Returns what a request with this body asks for, in which circumstances. `None` for what everybody may: to know who they
/// are.
pub(crate) fn asked<B>(front: &Front, request: &Request<B>, body: &[u8]) -> Option<(Asked, Context)> {
    if !is_query(request) {
        return None;
    }
    let form = form(request, body);
    Some((front.iam.asked(&form)?, hearth_iam::context(&form)))
}

/// Answers a request at `/`.
pub(crate) async fn answer(front: &Front, mut request: Request<Incoming>) -> Response {
    if !is_query(&request) {
        return front.api.answer(request).await;
    }
    let body = match read_ahead(&mut request, FORM_BYTES_MAX).await {
        Ok(body) => body,
        Err(error) => return Refusal::of_body(&error, FORM_BYTES_MAX).into_response(Protocol::Query),
    };
    let form = form(&request, &body);
    let identity = request.extensions().get::<Identity>().cloned();
    if identity.is_none() {
        // Nobody has to be known. Who claims to be the session of a role is shown as it, until it is over.
        let id = CredentialScope::of(request.headers()).map(|scope| scope.access_key_id);
        let claimed = id.map(|id| front.iam.sessions().claimed(id, front.clock.epoch_ms()));
        match claimed {
            Some(Err(hearth_iam::Expired)) => return Refusal::expired_token().into_response(Protocol::Query),
            Some(Ok(Some(caller))) => drop(request.extensions_mut().insert(caller)),
            Some(Ok(None)) | None => {}
        }
    }
    let Some(action) = form.action().filter(|action| hearth_iam::is_ours(action)).map(str::to_owned) else {
        return front.api.answer(request).await;
    };
    let request_id = RequestId::random();
    let mut response = front.iam.answer(request_id, &action, form, identity).await;
    if let Ok(value) = HeaderValue::from_str(&request_id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}
