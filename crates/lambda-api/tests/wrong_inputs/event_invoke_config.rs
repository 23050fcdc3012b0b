//! What the operations on event invoke configs refuse, and that nothing is changed then.

use serde_json::{Value, json};

use crate::refusal::*;
use crate::support::{Answer, Api};
use crate::{NAMESPACED, QUALIFIER};

const CONFIG: &str = "/2019-09-25/functions/f/event-invoke-config";
const F: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

async fn send(api: &Api, method: &str, path: &str, body: Value) -> Answer {
    api.send(method, path, &[], if body.is_null() { String::new() } else { body.to_string() }.as_bytes())
        .await
}

async fn config(api: &Api) -> Value {
    let answer = send(api, "GET", CONFIG, Value::Null).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.value()
}

fn no_config(end: &str) -> Refusal {
    not_found(&format!("The function {F}{end} doesn't have an EventInvokeConfig"))
}

#[tokio::test]
async fn case_006_numbers_and_destinations_out_of_range_change_nothing() {
    let api = Api::start().await.with_function().await;
    let put = json!({ "MaximumRetryAttempts": 1, "MaximumEventAgeInSeconds": 60 });
    assert_eq!(send(&api, "PUT", CONFIG, put).await.status, 200);
    let before = config(&api).await;
    let invalid = |success: &str, failure: &str| {
        invalid_parameter(&format!(
            "The provided destination config DestinationConfig(onSuccess={success}, onFailure={failure}) is invalid."
        ))
    };
    let bucket = "arn:aws:s3:::bucket";
    let g = "arn:aws:lambda:us-east-1:000000000000:function:g";
    let to = |kind: &str, arn: &str| json!({ "DestinationConfig": { kind: { "Destination": arn } } });
    for (body, refusal) in [
        (json!({ "MaximumRetryAttempts": -1 }), broken("-1", "maximumRetryAttempts", at_least(0))),
        (json!({ "MaximumRetryAttempts": 3 }), broken("3", "maximumRetryAttempts", at_most(2))),
        (json!({ "MaximumEventAgeInSeconds": 59 }), broken("59", "maximumEventAgeInSeconds", at_least(60))),
        (
            json!({ "MaximumEventAgeInSeconds": 21_601 }),
            broken("21601", "maximumEventAgeInSeconds", at_most(21_600)),
        ),
        (
            json!({}),
            invalid_parameter("You must specify at least one of error handling or destination setting."),
        ),
        (
            to("OnFailure", F),
            invalid_parameter("You can't specify the function as a destination for itself."),
        ),
        (to("OnSuccess", g), invalid_parameter(&format!("The destination ARN {g} is invalid."))),
        (to("OnSuccess", bucket), invalid(&format!("OnSuccess(destination={bucket})"), "null")),
        (
            to("OnFailure", "arn:aws:iam::000000000000:role/r"),
            invalid("null", "OnFailure(destination=arn:aws:iam::000000000000:role/r)"),
        ),
    ] {
        for method in ["PUT", "POST"] {
            refusal.check(&format!("{method} {body}"), &send(&api, method, CONFIG, body.clone()).await);
        }
    }
    assert_eq!(config(&api).await, before, "nothing changed");
}

#[tokio::test]
async fn functions_qualifiers_and_configs_that_are_not_there_are_refused() {
    let api = Api::start().await.with_function().await;
    let set = json!({ "MaximumRetryAttempts": 1 });
    let no_function = || not_found("The function doesn't exist.");
    for (path, refusal) in [
        ("/2019-09-25/functions/g/event-invoke-config", no_function()),
        ("/2019-09-25/functions/f/event-invoke-config?Qualifier=7", no_function()),
        ("/2019-09-25/functions/f:live/event-invoke-config", no_function()),
        (
            "/2019-09-25/functions/a%20b/event-invoke-config",
            broken("a b", "functionName", pattern(NAMESPACED)),
        ),
        (
            "/2019-09-25/functions/f/event-invoke-config?Qualifier=a%20b",
            broken("a b", "qualifier", pattern(QUALIFIER)),
        ),
    ] {
        for method in ["PUT", "POST"] {
            refusal.check(&format!("{method} {path}"), &send(&api, method, path, set.clone()).await);
        }
    }
    for (method, path, end) in [
        ("GET", CONFIG.to_owned(), ":$LATEST"),
        ("POST", CONFIG.to_owned(), ":$LATEST"),
        ("DELETE", CONFIG.to_owned(), ":$LATEST"),
        ("GET", format!("{CONFIG}?Qualifier=live"), ":live"),
    ] {
        let body = if method == "POST" { set.clone() } else { Value::Null };
        no_config(end).check(&format!("{method} {path}"), &send(&api, method, &path, body).await);
    }
    let list = send(&api, "GET", "/2019-09-25/functions/g/event-invoke-config/list", Value::Null).await;
    no_function().check("list", &list);
}

#[tokio::test]
async fn put_replaces_and_update_merges() {
    let api = Api::start().await.with_function().await;
    let queue = "arn:aws:sqs:us-east-1:000000000000:q";
    let put = json!({
        "MaximumRetryAttempts": 0,
        "DestinationConfig": { "OnFailure": { "Destination": queue } },
    });
    let put = send(&api, "PUT", CONFIG, put).await.value();
    let expected = json!({
        "LastModified": 1_706_702_400.0,
        "FunctionArn": format!("{F}:$LATEST"),
        "MaximumRetryAttempts": 0,
        "DestinationConfig": { "OnSuccess": {}, "OnFailure": { "Destination": queue } },
    });
    assert_eq!(put, expected);
    let updated = send(&api, "POST", CONFIG, json!({ "MaximumEventAgeInSeconds": 100 })).await.value();
    let mut expected = expected;
    expected["MaximumEventAgeInSeconds"] = 100.into();
    assert_eq!(updated, expected);
    let list = send(&api, "GET", &format!("{CONFIG}/list"), Value::Null).await.value();
    assert_eq!(list, json!({ "FunctionEventInvokeConfigs": [expected] }));
    let without = json!({ "DestinationConfig": { "OnFailure": {} } });
    let updated = send(&api, "POST", CONFIG, without).await.value();
    assert_eq!(updated["DestinationConfig"], json!({ "OnSuccess": {}, "OnFailure": {} }));
    let replaced = send(&api, "PUT", CONFIG, json!({ "MaximumRetryAttempts": 2 })).await.value();
    assert_eq!(replaced.get("MaximumEventAgeInSeconds"), None, "{replaced}");
    assert_eq!(send(&api, "DELETE", CONFIG, Value::Null).await.status, 204);
    no_config(":$LATEST").check("deleted", &send(&api, "GET", CONFIG, Value::Null).await);
}
