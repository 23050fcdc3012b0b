//! STS GetCallerIdentity: `aws sts get-caller-identity`, and what many tools ask before anything else. XML, as every
//! answer of the query protocol.

use hearth_auth::Caller;
use hearth_aws_wire::Response;
use hearth_types::{Arn, RequestId};
use http::StatusCode;

use crate::LambdaApi;
use crate::other_services::respond;

/// Who is not known, because nobody has to be, is the account's root user.
pub(crate) fn get_caller_identity(
    api: &LambdaApi,
    request_id: RequestId,
    caller: Option<Caller>,
) -> Response {
    let ours = &api.functions.settings().account;
    let caller = caller
        .unwrap_or_else(|| Caller { arn: format!("arn:aws:iam::{ours}:root"), user_id: ours.to_string() });
    let Caller { arn, user_id } = caller;
    let account = Arn::parse(&arn).map_or(ours.as_str(), |arn| arn.account);
    let body = format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <GetCallerIdentityResult><Arn>{arn}</Arn><UserId>{user_id}</UserId>\
         <Account>{account}</Account></GetCallerIdentityResult>\
         <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\
         </GetCallerIdentityResponse>"
    );
    respond(StatusCode::OK, "text/xml", None, body)
}
