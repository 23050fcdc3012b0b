//! What arrives at `/` in the query protocol: IAM and STS. GetCallerIdentity, and the refusal of all other services, are
//! `hearth-lambda-api`'s.

use hearth_auth::{Asked, Identity, Protocol, Refusal};
use hearth_aws_wire::{CredentialScope, REQUEST_ID, Response, read_ahead};
use hearth_iam::Form;
use hearth_types::RequestId;
use http::{HeaderValue, Method, Request};
use hyper::body::Incoming;

use crate::Front;

/// How long a form may be: policies are in it, percent-encoded.
const FORM_BYTES_MAX: usize = 512 << 10;

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

/// Returns what a request with this body asks for. `None` for what everybody may: to know who they are.
pub(crate) fn asked<B>(request: &Request<B>, body: &[u8]) -> Option<Asked> {
    if !is_query(request) {
        return None;
    }
    hearth_iam::asked(form(request, body).action()?)
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
    let Some(action) = form.action().filter(|action| hearth_iam::asked(action).is_some()).map(str::to_owned)
    else {
        return front.api.answer(request).await;
    };
    let request_id = RequestId::random();
    let mut response = front.iam.answer(request_id, &action, form, identity).await;
    if let Ok(value) = HeaderValue::from_str(&request_id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}
