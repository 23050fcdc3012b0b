//! STS GetCallerIdentity: `aws sts get-caller-identity`, and what many tools ask before anything else. The query protocol:
//! a form in, XML out.

use hearth_aws_wire::{Body, ERROR_TYPE, Response, query_pairs};
use hearth_types::RequestId;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, StatusCode};
use hyper::body::Incoming;

use crate::error::ApiError;
use crate::{LambdaApi, input};

pub(crate) async fn answer(
    api: &LambdaApi,
    request_id: RequestId,
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    // Services of the JSON protocol, such as CloudWatch Logs, name their operation in a header.
    if let Some(target) = request.headers().get("x-amz-target") {
        let target = target.to_str().unwrap_or("this target").to_owned();
        return Err(ApiError::not_implemented(&target));
    }
    let body = input::body("GetCallerIdentity", request).await?;
    let form = std::str::from_utf8(&body).unwrap_or_default();
    let action = query_pairs(form).into_iter().find(|(key, _)| key == "Action").map(|(_, value)| value);
    match action.as_deref() {
        Some("GetCallerIdentity") => {
            let account = &api.functions.settings().account;
            Ok(xml(
                StatusCode::OK,
                format!(
                    "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
                     <GetCallerIdentityResult><Arn>arn:aws:iam::{account}:root</Arn><UserId>{account}</UserId>\
                     <Account>{account}</Account></GetCallerIdentityResult>\
                     <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\
                     </GetCallerIdentityResponse>"
                ),
            ))
        }
        Some(action) => {
            let action: String = action.chars().filter(char::is_ascii_alphanumeric).take(128).collect();
            let mut response = xml(
                StatusCode::NOT_IMPLEMENTED,
                format!(
                    "<ErrorResponse><Error><Type>Sender</Type><Code>NotImplemented</Code><Message>Hearth does not \
                     implement {action} yet</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
                ),
            );
            response.headers_mut().insert(ERROR_TYPE, HeaderValue::from_static("NotImplemented"));
            Ok(response)
        }
        None => Err(ApiError::unknown_operation()),
    }
}

fn xml(status: StatusCode, body: String) -> Response {
    let mut response = http::Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    response
}
