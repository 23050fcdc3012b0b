//! Function URLs: an HTTP request becomes an event of payload format 2.0, and what the function answers a response.
//!
//! ```text
//!   whose URL? -> preflight -> who may call -> event -> invoke -> response
//! ```
//!
//! A URL is reached by its host name, `ID.lambda-url.REGION.localhost`, which browsers and curl resolve to this machine by
//! themselves, or by the path `/_hearth/url/ID/…` for whoever cannot. How URLs are made is told in `lambda-api`.
//!
//! Who may call is told in [`caller`]: URLs have doors of their own, and do not ask as the APIs do.

mod address;
mod answer;
mod caller;
mod cors;
mod event;
mod prelude;
mod refusal;
mod streamed;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use hearth_auth::{Credential, Refusal};
use hearth_aws_wire::{BodyError, REQUEST_ID, Response, read_body};
use hearth_functions::{AuthType, Clock, FunctionUrl, Functions, InvokeMode};
use hearth_invoke::{BegunResponse, Fact, InvokeRequest, Invoker};
use hearth_types::limits::SYNC_PAYLOAD_BYTES_MAX;
use hearth_types::{AccountId, FunctionName, Qualifier, RequestId, TraceHeader};
use http::{HeaderName, HeaderValue, Method, Request};
use hyper::body::Incoming;

pub use address::Address;
pub use caller::{Keys, Policies};

/// The header with the trace of a request.
const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Answers requests to the URLs of functions.
pub struct FunctionUrls {
    functions: Arc<Functions>,
    invoker: Arc<Invoker>,
    clock: Arc<dyn Clock>,
    keys: Keys,
}

impl FunctionUrls {
    /// Puts URLs in front of functions.
    pub fn new(functions: Arc<Functions>, invoker: Arc<Invoker>, clock: Arc<dyn Clock>, keys: Keys) -> Self {
        Self { functions, invoker, clock, keys }
    }

    /// Answers a request to `address`, which came from `source`.
    pub async fn answer(
        &self,
        address: Address,
        source: Option<SocketAddr>,
        request: Request<Incoming>,
    ) -> Response {
        let request_id = RequestId::random();
        let epoch_ms = self.clock.epoch_ms();
        let trace = request.headers().get(TRACE_ID).and_then(|value| value.to_str().ok());
        let trace =
            trace.and_then(TraceHeader::from_caller).unwrap_or_else(|| TraceHeader::generate(epoch_ms));
        let call = Call { address, source, request_id, trace: trace.clone(), epoch_ms };
        let mut response = match self.functions.url_of_id(&call.address.id) {
            Some((name, url)) => self.counted(name, &url, call, request).await,
            None => refusal::no_such_url(),
        };
        for (name, value) in [(REQUEST_ID, request_id.to_string()), (TRACE_ID, trace.as_str().to_owned())] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }

    /// Answers, and has the answer counted.
    async fn counted(
        &self,
        name: FunctionName,
        url: &FunctionUrl,
        call: Call,
        request: Request<Incoming>,
    ) -> Response {
        let began = Instant::now();
        let response = self.answer_for(name.clone(), url, call, request).await;
        let qualifier = url.alias.clone().map(Qualifier::Alias);
        let fact = Fact::UrlAnswered { status: response.status().as_u16(), latency: began.elapsed() };
        self.invoker.count(&name, qualifier.as_ref(), fact);
        response
    }

    async fn answer_for(
        &self,
        name: FunctionName,
        url: &FunctionUrl,
        call: Call,
        request: Request<Incoming>,
    ) -> Response {
        let origin = request.headers().get(http::header::ORIGIN).cloned();
        if let (Some(cors), Some(origin)) = (&url.cors, &origin)
            && request.method() == Method::OPTIONS
        {
            return cors::preflight(cors, origin);
        }
        let mut response = self.invoke(name, url, call, request).await;
        if let Some(cors) = &url.cors {
            cors::add(cors, origin.as_ref(), response.headers_mut());
        }
        response
    }

    async fn invoke(
        &self,
        name: FunctionName,
        url: &FunctionUrl,
        call: Call,
        request: Request<Incoming>,
    ) -> Response {
        let (head, body) = request.into_parts();
        let keys_are_required = (self.keys.are_required)();
        let settings = self.functions.settings();
        let (region, owner) = (&settings.region, &settings.account);
        // The URL of an alias asks the policy of the alias, as on AWS.
        let alias = url.alias.clone().map(Qualifier::Alias);
        let claim = match url.auth_type {
            AuthType::None if keys_are_required => {
                let policy = (self.keys.policies)(&name, alias.as_ref());
                if !caller::lets_everybody_in(policy.as_ref(), name.clone(), url, (region, owner)) {
                    return refusal::forbidden();
                }
                None
            }
            AuthType::None => None,
            // Nobody can be known.
            AuthType::AwsIam if !keys_are_required => return refusal::forbidden(),
            AuthType::AwsIam => match caller::claim(&self.keys, region, call.epoch_ms, &head) {
                Ok(claim) => Some(claim),
                Err(refusal) => return refused(&refusal),
            },
        };
        let read = Request::from_parts(head.clone(), body);
        let body = match read_body(read, SYNC_PAYLOAD_BYTES_MAX).await {
            Ok(body) => body,
            Err(BodyError::TooLong { .. }) => return refusal::too_large(),
            Err(BodyError::Incomplete(_)) => return refusal::incomplete(),
            Err(BodyError::TooSlow) => return refusal::too_slow(),
        };
        let verify = |claim| {
            let policy = (self.keys.policies)(&name, alias.as_ref());
            caller::verified(claim, &body, name.clone(), url, policy, (region, owner))
        };
        let credential = match claim.map(verify).transpose() {
            Ok(credential) => credential,
            Err(refusal) => return refused(&refusal),
        };
        let signer = credential
            .as_deref()
            .map(|credential| Signer { credential, account: &credential.identity.account });
        let payload = event::of(&call, region, signer.as_ref(), &head, &body);
        let invocation = InvokeRequest {
            request_id: call.request_id,
            qualifier: url.alias.clone().map(Qualifier::Alias),
            payload,
            content_type: None,
            client_context: None,
            trace: Some(call.trace),
            wants_log_tail: false,
        };
        let begun = match self.invoker.invoke_streaming(&name, invocation).await {
            Ok(begun) => begun,
            Err(error) => return refusal::of(&error),
        };
        match (begun, url.invoke_mode) {
            (BegunResponse::Whole(response), _) if response.function_error => {
                refusal::function_failed(&response.payload)
            }
            (BegunResponse::Whole(response), InvokeMode::Buffered) => answer::of_payload(&response.payload),
            // What it answers at once goes out as it is: payload format 2.0 is for buffered responses.
            (BegunResponse::Whole(response), InvokeMode::ResponseStream) => {
                answer::of_bytes(response.payload)
            }
            (BegunResponse::Streamed(response), InvokeMode::Buffered) => streamed::collected(response).await,
            (BegunResponse::Streamed(response), InvokeMode::ResponseStream) => {
                streamed::begun(response).await
            }
        }
    }
}

/// Callers are told only that they may not; why is for the operator.
fn refused(refusal: &Refusal) -> Response {
    tracing::debug!(reason = refusal.message(), "a call of a function URL was refused");
    refusal::forbidden()
}

/// Who has signed a call.
pub(crate) struct Signer<'a> {
    pub(crate) credential: &'a Credential,
    /// Whose account it is.
    pub(crate) account: &'a AccountId,
}

/// One call of a URL, besides its HTTP.
pub(crate) struct Call {
    pub(crate) address: Address,
    /// Where it came from, if that is known.
    pub(crate) source: Option<SocketAddr>,
    pub(crate) request_id: RequestId,
    pub(crate) trace: TraceHeader,
    /// When it came, in milliseconds since 1970.
    pub(crate) epoch_ms: i64,
}
