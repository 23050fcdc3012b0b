//! STS GetCallerIdentity: `aws sts get-caller-identity`, and what many tools ask before anything else. XML, as every
//! answer of the query protocol.

use hearth_aws_wire::Response;
use hearth_types::RequestId;
use http::StatusCode;

use crate::LambdaApi;
use crate::other_services::respond;

/// Everybody is the account's root user: signatures are not checked yet.
pub(crate) fn get_caller_identity(api: &LambdaApi, request_id: RequestId) -> Response {
    let account = &api.functions.settings().account;
    let body = format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <GetCallerIdentityResult><Arn>arn:aws:iam::{account}:root</Arn><UserId>{account}</UserId>\
         <Account>{account}</Account></GetCallerIdentityResult>\
         <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\
         </GetCallerIdentityResponse>"
    );
    respond(StatusCode::OK, "text/xml", None, body)
}
