//! What arrives at `/`: services without paths. STS's GetCallerIdentity is answered; everything else is refused in the
//! shape of its own protocol, so that a client that was pointed at us by mistake shows what it had asked for.

use hearth_auth::Caller;
use hearth_aws_wire::{Body, BodyError, CredentialScope, ERROR_TYPE, Response, query_pairs, read_body};
use hearth_types::RequestId;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use serde_json::json;

use crate::error::ApiError;
use crate::{LambdaApi, sts};

/// How long a form may be. What we answer has two short members.
const FORM_BYTES_MAX: usize = 65_536;

pub(crate) async fn answer(
    api: &LambdaApi,
    request_id: RequestId,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    // Services of the JSON protocol, such as CloudWatch Logs, name their operation in a header.
    if let Some(target) = request.headers().get("x-amz-target") {
        return Ok(refuse_json(&plain(target.to_str().unwrap_or_default())));
    }
    let caller = request.extensions().get::<Caller>().cloned();
    let service = CredentialScope::of(request.headers()).map(|scope| plain(scope.service));
    // Those of the query protocol name it in a form, or in the query of a presigned GET.
    let action = match *request.method() {
        Method::GET => request.uri().query().and_then(action),
        Method::POST => action(&form(request).await?),
        _ => None,
    };
    match (action.as_deref(), service) {
        (None, _) => Err(ApiError::unknown_operation()),
        (Some("GetCallerIdentity"), _) => Ok(sts::get_caller_identity(api, request_id, caller)),
        (Some(action), None) => Ok(refuse_query(&plain(action), request_id)),
        (Some(action), Some(service)) => {
            Ok(refuse_query(&format!("{service}:{}", plain(action)), request_id))
        }
    }
}

async fn form(request: Request<Incoming>) -> Result<String, ApiError> {
    let body = read_body(request, FORM_BYTES_MAX).await.map_err(|error| match error {
        BodyError::TooLong { .. } => ApiError::unknown_operation(),
        BodyError::Incomplete(_) => ApiError::incomplete_body(),
        BodyError::TooSlow => ApiError::slow_body(),
    })?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}

fn action(query: &str) -> Option<String> {
    query_pairs(query).into_iter().find(|(key, _)| key == "Action").map(|(_, value)| value)
}

/// What can be repeated in any format: other characters are left out.
fn plain(name: &str) -> String {
    name.chars()
        .filter(|character| character.is_ascii_alphanumeric() || "._-".contains(*character))
        .take(128)
        .collect()
}

/// 501 of the JSON protocol.
fn refuse_json(target: &str) -> Response {
    let error_type = "NotImplementedException";
    let body = json!({ "__type": error_type, "message": format!("Hearth does not implement {target} yet") });
    respond(StatusCode::NOT_IMPLEMENTED, "application/x-amz-json-1.1", Some(error_type), body.to_string())
}

/// 501 of the query protocol.
fn refuse_query(action: &str, request_id: RequestId) -> Response {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>NotImplemented</Code><Message>Hearth does not implement \
         {action} yet</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    );
    respond(StatusCode::NOT_IMPLEMENTED, "text/xml", Some("NotImplemented"), body)
}

/// Returns a response in a format that is not Lambda's.
pub(crate) fn respond(
    status: StatusCode,
    content_type: &'static str,
    error_type: Option<&'static str>,
    body: String,
) -> Response {
    let mut response = http::Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Some(error_type) = error_type {
        headers.insert(ERROR_TYPE, HeaderValue::from_static(error_type));
    }
    response
}
