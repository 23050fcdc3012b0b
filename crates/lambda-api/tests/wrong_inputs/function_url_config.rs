//! CreateFunctionUrlConfig, GetFunctionUrlConfig, UpdateFunctionUrlConfig, DeleteFunctionUrlConfig and
//! ListFunctionUrlConfigs.

use serde_json::{Value, json};

use crate::refusal::*;
use crate::support::{Answer, Api};

const QUALIFIER: &str = r"((?!^\d+$)^[0-9a-zA-Z-_]+$)";
/// The model's pattern of `FunctionUrlFunctionName`: no version.
const NAME: &str = r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]{1,64})(:((?!\d+$)[0-9a-zA-Z-_]+))?";

fn path(end: &str) -> String {
    format!("/2021-10-31/functions/{end}")
}

async fn create(api: &Api, end: &str, body: Value) -> Answer {
    api.json("POST", &path(end), body).await
}

#[tokio::test]
async fn a_wrong_url_is_refused_and_nothing_changes() {
    let api = Api::start().await.with_function().await;
    let none = json!({ "AuthType": "NONE" });
    let with = |cors: Value| json!({ "AuthType": "NONE", "Cors": cors });
    for (end, body, refusal) in [
        ("f/url", json!({}), validation(&[missing("authType")])),
        ("f/url", json!({ "AuthType": "ALL" }), broken("ALL", "authType", one_of("NONE, AWS_IAM"))),
        ("f/url", json!({ "AuthType": 1 }), wrong_type("NUMBER_VALUE", "a String")),
        (
            "f/url",
            json!({ "AuthType": "NONE", "InvokeMode": "SLOW" }),
            broken("SLOW", "invokeMode", one_of("RESPONSE_STREAM, BUFFERED")),
        ),
        ("f/url", with(json!({ "MaxAge": -1 })), broken("-1", "cors.maxAge", at_least(0))),
        ("f/url", with(json!({ "MaxAge": 86_401 })), broken("86401", "cors.maxAge", at_most(86_400))),
        ("f/url", with(json!({ "AllowCredentials": "yes" })), wrong_type("STRING_VALUE", "a Boolean")),
        ("f/url?Qualifier=1", none.clone(), broken("1", "qualifier", pattern(QUALIFIER))),
        ("f/url?Qualifier=%24LATEST", none.clone(), broken("$LATEST", "qualifier", pattern(QUALIFIER))),
        ("f/url?Qualifier=live", none.clone(), not_found("Function does not exist")),
        ("f:1/url", none.clone(), broken("f:1", "functionName", pattern(NAME))),
        ("nope/url", none.clone(), not_found("Function does not exist")),
    ] {
        let answer = create(&api, end, body.clone()).await;
        refusal.check(&format!("POST {end} {body}"), &answer);
    }
    let absent = not_found("The resource you requested does not exist.");
    for (method, end) in
        [("GET", "f/url"), ("PUT", "f/url"), ("DELETE", "f/url"), ("GET", "f/url?Qualifier=live")]
    {
        absent.check(&format!("{method} {end}"), &api.json(method, &path(end), json!({})).await);
    }
    for (method, end) in
        [("GET", "nope/url"), ("PUT", "nope/url"), ("DELETE", "nope/url"), ("GET", "nope/urls")]
    {
        let answer = api.json(method, &path(end), json!({})).await;
        not_found("Function does not exist").check(&format!("{method} {end}"), &answer);
    }
    assert_eq!(api.get(&path("f/urls")).await.text(), r#"{"FunctionUrlConfigs":[]}"#);
}

#[tokio::test]
async fn a_url_is_there_once_and_a_wrong_change_leaves_it_as_it_is() {
    let api = Api::start().await.with_function().await;
    assert_eq!(create(&api, "f/url", json!({ "AuthType": "NONE" })).await.status, 201);
    let before = api.get(&path("f/url")).await.text().to_owned();
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
    conflict(&format!(
        "Failed to create function url config for [functionArn = {arn}]. Error message:  FunctionUrlConfig exists for \
         this Lambda function"
    ))
    .check("twice", &create(&api, "f/url", json!({ "AuthType": "AWS_IAM" })).await);
    for body in [json!({ "AuthType": "ALL" }), json!({ "Cors": { "MaxAge": "long" } }), json!([])] {
        let answer = api.json("PUT", &path("f/url"), body.clone()).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
    }
    assert_eq!(api.get(&path("f/url")).await.text(), before);
    let unknown = api.get(&path("f/urls?Marker=x")).await;
    assert_eq!(unknown.status, 400, "{}", unknown.text());
}
