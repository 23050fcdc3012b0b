//! The Extensions API: `/2020-01-01/extension/…`. Source: Lambda Developer Guide, "Extensions API", and AWS's open runtime
//! interface emulator, read 2026-11.

use bytes::Bytes;
use hearth_environment::{ExtensionRejection, ExtensionReport, Notification, Rejection, RuntimeConnection};
use hearth_types::{ExtensionId, ExtensionName};
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::body::{self, Body};
use crate::reply;

/// By which an extension says who it is, once it has registered.
pub(crate) const IDENTIFIER: HeaderName = HeaderName::from_static("lambda-extension-identifier");
const NAME: HeaderName = HeaderName::from_static("lambda-extension-name");
const ACCEPT_FEATURE: HeaderName = HeaderName::from_static("lambda-extension-accept-feature");
const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-extension-function-error-type");
const EVENT_IDENTIFIER: HeaderName = HeaderName::from_static("lambda-extension-event-identifier");
/// Largest body of a registration, a report or a subscription. Ours: all of them are short, and an environment may have
/// many open at once.
pub(crate) const BODY_BYTES_MAX: usize = 256 << 10;

/// A path of the Extensions API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExtensionRoute {
    Register,
    Next,
    Report(ExtensionReport),
}

impl ExtensionRoute {
    /// Finds the route of what follows `/2020-01-01/extension/`.
    pub(crate) fn of(rest: &str) -> Option<Self> {
        Some(match rest {
            "register" => Self::Register,
            "event/next" => Self::Next,
            "init/error" => Self::Report(ExtensionReport::InitError),
            "exit/error" => Self::Report(ExtensionReport::ExitError),
            _ => return None,
        })
    }

    pub(crate) fn method(self) -> Method {
        match self {
            Self::Next => Method::GET,
            Self::Register | Self::Report(_) => Method::POST,
        }
    }
}

/// Answers a request of an extension.
pub(crate) async fn answer(
    connection: &RuntimeConnection,
    route: ExtensionRoute,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Rejection> {
    let answered = match route {
        ExtensionRoute::Register => register(connection, request).await,
        ExtensionRoute::Next => next(connection, request.headers()).await,
        ExtensionRoute::Report(report) => take_report(connection, report, request).await,
    };
    answered.or_else(Refusal::reply)
}

/// Why a request is refused: by us, or by the environment.
pub(crate) enum Refusal {
    /// What it sends is wrong.
    Wrong {
        /// Such as `Extension.MissingExtensionIdentifier`.
        error_type: &'static str,
        /// What is wrong.
        message: String,
    },
    /// The environment refuses.
    Refused(Rejection),
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self::Refused(rejection)
    }
}

impl Refusal {
    fn wrong(error_type: &'static str, message: impl Into<String>) -> Self {
        Self::Wrong { error_type, message: message.into() }
    }

    /// Makes the reply. Whoever is being killed gets none.
    pub(crate) fn reply(self) -> Result<Response<Full<Bytes>>, Rejection> {
        match self {
            Self::Wrong { error_type, message } => {
                Ok(reply::error_of(StatusCode::FORBIDDEN, error_type, &message))
            }
            Self::Refused(rejection) => Err(rejection),
        }
    }
}

type Answered = Result<Response<Full<Bytes>>, Refusal>;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Registration {
    events: Option<Vec<String>>,
    configuration_keys: Option<Vec<serde_json::Value>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Registered<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
    function_name: &'a str,
    function_version: String,
    handler: &'a str,
}

async fn register(connection: &RuntimeConnection, request: Request<Incoming>) -> Answered {
    let name = text(request.headers(), &NAME).filter(|name| !name.is_empty());
    let wants_account = text(request.headers(), &ACCEPT_FEATURE)
        .is_some_and(|features| features.split(',').any(|feature| feature.trim() == "accountId"));
    let name = match name.map(ExtensionName::new) {
        Some(Some(name)) => name,
        unusable => {
            body::discard(request).await;
            let message = if unusable.is_none() { "Empty extension name" } else { "Invalid extension name" };
            return Err(Refusal::wrong("Extension.InvalidExtensionName", message));
        }
    };
    let invalid = |message: String| Refusal::Wrong { error_type: "InvalidRequestFormat", message };
    let payload = match body::read(request, BODY_BYTES_MAX).await {
        Body::Whole { payload, .. } => payload,
        Body::TooLarge => return Err(invalid("request body is too large".to_owned())),
        Body::Truncated => return Err(Refusal::Refused(Rejection::Truncated)),
    };
    let Registration { events, configuration_keys } =
        object(&payload).map_err(|error| invalid(json_problem(&payload, &error)))?;
    if configuration_keys.is_some_and(|keys| !keys.is_empty()) {
        let message = "configurationKeys are deprecated; use environment variables instead";
        return Err(invalid(message.to_owned()));
    }
    let id = connection.register_extension(name, events.unwrap_or_default())?;
    let function = connection.function();
    let registered = Registered {
        account_id: wants_account.then(|| function.account.as_str()),
        function_name: function.name.as_str(),
        function_version: function.version.to_string(),
        handler: &function.handler,
    };
    let mut response = reply::json_of(StatusCode::OK, &registered);
    insert_id(&mut response, IDENTIFIER, &id.to_string());
    Ok(response)
}

#[derive(Serialize)]
#[serde(tag = "eventType", rename_all = "UPPERCASE", rename_all_fields = "camelCase")]
enum Event {
    Invoke { deadline_ms: i64, request_id: String, invoked_function_arn: String, tracing: Tracing },
    Shutdown { shutdown_reason: &'static str, deadline_ms: i64 },
}

#[derive(Serialize)]
struct Tracing {
    #[serde(rename = "type")]
    kind: &'static str,
    value: String,
}

async fn next(connection: &RuntimeConnection, headers: &HeaderMap) -> Answered {
    let id = identifier(headers)?;
    let notification = connection.next_event(id)?.event().await?;
    Ok(match notification {
        Notification::Invoke { deadline_epoch_ms, request_id, invoked_function_arn, trace } => {
            let event = Event::Invoke {
                deadline_ms: deadline_epoch_ms,
                request_id: request_id.to_string(),
                invoked_function_arn,
                tracing: Tracing { kind: "X-Amzn-Trace-Id", value: trace.as_str().to_owned() },
            };
            let mut response = reply::json_of(StatusCode::OK, &event);
            insert_id(&mut response, EVENT_IDENTIFIER, &Uuid::new_v4().to_string());
            response
        }
        Notification::Shutdown { reason, deadline_epoch_ms } => {
            let shutdown_reason = reason.as_str();
            reply::json_of(
                StatusCode::OK,
                &Event::Shutdown { shutdown_reason, deadline_ms: deadline_epoch_ms },
            )
        }
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReportBody {
    error_message: Option<String>,
}

async fn take_report(
    connection: &RuntimeConnection,
    report: ExtensionReport,
    request: Request<Incoming>,
) -> Answered {
    let checked = identifier(request.headers()).and_then(|id| {
        let missing =
            || Refusal::wrong("Extension.MissingHeader", "Lambda-Extension-Function-Error-Type not found");
        let error_type = text(request.headers(), &ERROR_TYPE).filter(|value| !value.is_empty());
        Ok((id, error_type.ok_or_else(missing)?.to_owned()))
    });
    let (id, error_type) = match checked {
        Ok(checked) => checked,
        Err(refusal) => {
            body::discard(request).await;
            return Err(refusal);
        }
    };
    let error_type =
        if is_error_type(&error_type) { error_type } else { report.generic_error_type().to_owned() };
    // The body is optional, and nothing has to be in it.
    let message = match body::read(request, BODY_BYTES_MAX).await {
        Body::Whole { payload, .. } => {
            serde_json::from_slice(&payload).ok().and_then(|body: ReportBody| body.error_message)
        }
        Body::TooLarge => None,
        Body::Truncated => return Err(Refusal::Refused(Rejection::Truncated)),
    };
    match connection.report_of_extension(id, report, error_type, message) {
        Ok(()) => Ok(reply::accepted()),
        Err(rejection) => Err(unknown_identifier(rejection)),
    }
}

/// Reads who sends a request.
pub(crate) fn identifier(headers: &HeaderMap) -> Result<ExtensionId, Refusal> {
    let Some(value) = headers.get(IDENTIFIER).filter(|value| !value.is_empty()) else {
        let message = "Missing Lambda-Extension-Identifier header";
        return Err(Refusal::wrong("Extension.MissingExtensionIdentifier", message));
    };
    value.to_str().ok().and_then(ExtensionId::parse).ok_or_else(|| {
        Refusal::wrong("Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier")
    })
}

/// Only `event/next` names the id that nobody has.
pub(crate) fn unknown_identifier(rejection: Rejection) -> Refusal {
    match rejection {
        Rejection::Extension(unknown @ ExtensionRejection::Unknown(_)) => {
            Refusal::wrong(unknown.error_type(), "Unknown Lambda-Extension-Identifier")
        }
        rejection => Refusal::Refused(rejection),
    }
}

/// Whether it is `Extension.` and a word in letters that begins with a capital one.
fn is_error_type(value: &str) -> bool {
    let Some(reason) = value.strip_prefix("Extension.") else { return false };
    reason.len() > 1
        && reason.starts_with(|letter: char| letter.is_ascii_uppercase())
        && reason.chars().all(|letter| letter.is_ascii_alphabetic())
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Reads a JSON object. By itself serde would take an array for the members in their order.
fn object<T: DeserializeOwned>(payload: &[u8]) -> Result<T, serde_json::Error> {
    let members = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(payload)?;
    serde_json::from_value(members.into())
}

/// Says why a body is no JSON of the right shape. AWS prints what its parser says, which is another one than ours.
pub(crate) fn json_problem(payload: &[u8], error: &serde_json::Error) -> String {
    if payload.is_empty() { "unexpected end of JSON input".to_owned() } else { error.to_string() }
}

fn insert_id(response: &mut Response<Full<Bytes>>, name: HeaderName, id: &str) {
    if let Ok(id) = HeaderValue::from_str(id) {
        response.headers_mut().insert(name, id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_documented_paths_are_routes() {
        assert_eq!(ExtensionRoute::of("register"), Some(ExtensionRoute::Register));
        assert_eq!(ExtensionRoute::of("event/next"), Some(ExtensionRoute::Next));
        for unknown in ["", "event/", "event/next/", "init", "exit/error/x"] {
            assert_eq!(ExtensionRoute::of(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn only_an_object_registers() {
        let registers = |body: &str| object::<Registration>(body.as_bytes()).is_ok();
        assert!(registers("{}") && registers(r#"{"events":["INVOKE"],"more":1}"#));
        for other in ["", "[]", r#"[["INVOKE"]]"#, "1", r#"{"events":"INVOKE"}"#, r#"{"events":[1]}"#] {
            assert!(!registers(other), "{other}");
        }
    }

    #[test]
    fn an_error_type_of_another_shape_is_not_kept() {
        assert!(is_error_type("Extension.UnknownReason"));
        for other in
            ["", "Extension.", "Extension.X", "Extension.lower", "Extension.Two Words", "Runtime.Error"]
        {
            assert!(!is_error_type(other), "{other}");
        }
    }

    #[test]
    fn events_read_as_on_aws() {
        let invoke = Event::Invoke {
            deadline_ms: 1_580_000_000_000,
            request_id: "8476a536-e9f4-41e8-9739-2dfe598c3fcd".to_owned(),
            invoked_function_arn: "arn:aws:lambda:us-east-1:123456789012:function:f".to_owned(),
            tracing: Tracing { kind: "X-Amzn-Trace-Id", value: "Root=1".to_owned() },
        };
        assert_eq!(
            serde_json::to_string(&invoke).unwrap(),
            r#"{"eventType":"INVOKE","deadlineMs":1580000000000,"requestId":"8476a536-e9f4-41e8-9739-2dfe598c3fcd","invokedFunctionArn":"arn:aws:lambda:us-east-1:123456789012:function:f","tracing":{"type":"X-Amzn-Trace-Id","value":"Root=1"}}"#
        );
        let shutdown = Event::Shutdown { shutdown_reason: "spindown", deadline_ms: 1_580_000_000_000 };
        assert_eq!(
            serde_json::to_string(&shutdown).unwrap(),
            r#"{"eventType":"SHUTDOWN","shutdownReason":"spindown","deadlineMs":1580000000000}"#
        );
    }
}
