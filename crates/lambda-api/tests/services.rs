//! Services of AWS that call functions: they may what the policy of the function, version or alias lets them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use hearth_lambda_api::{ServiceCall, may_invoke};
use hearth_types::{FunctionName, Qualifier};
use serde_json::json;
use support::Api;

const RULE: &str = "arn:aws:events:us-east-1:000000000000:rule/nightly";

#[tokio::test]
async fn a_service_may_invoke_what_a_policy_lets_it() {
    let api = Api::start().await;
    api.create(json!({})).await;
    let path = "/2015-03-31/functions/f/policy";
    assert_eq!(api.json("POST", "/2015-03-31/functions/f/versions", json!({})).await.status, 201);
    let name = FunctionName::new("f").unwrap();
    let may = |qualifier: Option<&str>, service, source_arn| {
        let qualifier = qualifier.map(|qualifier| Qualifier::parse(qualifier).unwrap());
        let call = ServiceCall { service, source_arn, ..ServiceCall::default() };
        may_invoke(api.functions(), &name, qualifier.as_ref(), &call)
    };
    let events = "events.amazonaws.com";
    assert!(!may(None, events, Some(RULE)), "there is no policy");
    let granted = api
        .json(
            "POST",
            path,
            json!({
                "StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": events,
                "SourceArn": "arn:aws:events:us-east-1:000000000000:rule/*",
            }),
        )
        .await;
    assert_eq!(granted.status, 201, "{}", granted.text());
    assert!(may(None, events, Some(RULE)));
    assert!(
        may(Some("$LATEST"), events, Some(RULE)),
        "the policy of the function is that of its latest version"
    );
    assert!(!may(Some("1"), events, Some(RULE)), "a version has its own");
    assert!(!may(Some("live"), events, Some(RULE)), "there is no such alias");
    assert!(!may(None, events, None));
    assert!(!may(None, events, Some("arn:aws:events:us-east-1:111111111111:rule/nightly")));
    assert!(!may(None, "s3.amazonaws.com", Some(RULE)));
    let call = ServiceCall { service: events, source_arn: Some(RULE), ..ServiceCall::default() };
    assert!(!may_invoke(api.functions(), &FunctionName::new("g").unwrap(), None, &call));
}
