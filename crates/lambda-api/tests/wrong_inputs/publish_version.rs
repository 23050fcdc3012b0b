//! PublishVersion, ListVersionsByFunction, and what is asked of single versions.

use serde_json::{Value, json};

use crate::refusal::*;
use crate::support::Api;
use crate::{FUNCTION_NAME, FUNCTIONS};

const NOT_OF_A_VERSION: &str = "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. \
                                Please specify either a function name or an unqualified function ARN.";

/// `f`, with version 1.
async fn published() -> Api {
    let api = Api::start().await.with_function().await;
    let path = format!("{FUNCTIONS}/f/versions");
    assert_eq!(api.json("POST", &path, json!({ "Description": "first" })).await.status, 201);
    api
}

async fn versions(api: &Api) -> Vec<Value> {
    let all = api.get(&format!("{FUNCTIONS}/f/versions")).await.value();
    all["Versions"].as_array().unwrap().iter().map(|version| version["FunctionArn"].clone()).collect()
}

#[tokio::test]
async fn case_013_a_wrong_publication_publishes_nothing() {
    let api = published().await;
    let update = json!({ "ZipFile": "emlwMg==" });
    assert_eq!(api.json("PUT", &format!("{FUNCTIONS}/f/code"), update).await.status, 200);
    api.settled("f").await;
    let before = versions(&api).await;
    let current = api.get(&format!("{FUNCTIONS}/f/configuration")).await.value()["CodeSha256"].clone();
    let mismatch = |sha256: &str| {
        invalid_parameter(&format!(
            "CodeSHA256 ({sha256}) is different from current CodeSHA256 in $LATEST ({}). Please try again with the \
             CodeSHA256 in $LATEST.",
            current.as_str().unwrap()
        ))
    };
    let zeros = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    for (name, body, refusal) in [
        ("f", json!({ "CodeSha256": zeros }), mismatch(zeros)),
        ("f", json!({ "CodeSha256": "ä" }), mismatch("ä")),
        ("f", json!({ "CodeSha256": 7 }), wrong_type("NUMBER_VALUE", "a String")),
        (
            "f",
            json!({ "Description": "x".repeat(257) }),
            broken(&"x".repeat(257), "description", length_at_most(256)),
        ),
        ("f", json!({ "Description": ["x"] }), wrong_type("START_ARRAY", "a String")),
        ("f", json!({ "PublishTo": "LATEST_PUBLISHED" }), unsupported("PublishTo")),
        ("f", json!({ "PublishTo": "moon" }), broken("moon", "publishTo", one_of("LATEST_PUBLISHED"))),
        ("g", json!({}), function_not_found("g")),
        ("a%20b", json!({}), broken("a b", "functionName", pattern(FUNCTION_NAME))),
        ("f:1", json!({}), invalid_parameter(NOT_OF_A_VERSION)),
        ("f:live", json!({}), invalid_parameter(NOT_OF_A_VERSION)),
        ("arn:aws:lambda:eu-west-1:000000000000:function:f", json!({}), unreachable_region("eu-west-1")),
        ("123456789012:function:f", json!({}), denied("PublishVersion")),
    ] {
        let answer = api.json("POST", &format!("{FUNCTIONS}/{name}/versions"), body.clone()).await;
        refusal.check(&format!("{name} {body}"), &answer);
    }
    let stale = api.json("POST", &format!("{FUNCTIONS}/f/versions"), json!({ "RevisionId": "old" })).await;
    assert_eq!(
        stale.outcome(),
        "412 PreconditionFailedException: The Revision Id provided does not match the latest Revision Id. Call the \
         GetFunction/GetAlias API to retrieve the latest Revision Id"
    );
    let no_json = api.send("POST", &format!("{FUNCTIONS}/f/versions"), &[], b"{").await;
    assert_eq!((no_json.status, no_json.header("x-amzn-errortype")), (400, Some("SerializationException")));
    assert_eq!(versions(&api).await, before, "nothing has changed");
}

#[tokio::test]
async fn a_version_is_asked_for_in_the_name_or_beside_it() {
    let api = published().await;
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:f:1";
    for name in ["f:1", "f?Qualifier=1", "f:1?Qualifier=1", arn, "function:f:1"] {
        let found = api.get(&format!("{FUNCTIONS}/{name}")).await.value();
        let configuration = &found["Configuration"];
        assert_eq!(
            (&configuration["FunctionArn"], &configuration["Version"]),
            (&json!(arn), &json!("1")),
            "{name}"
        );
        assert_eq!(
            (&configuration["Description"], &configuration["State"]),
            (&json!("first"), &json!("Active"))
        );
    }
    assert_eq!(versions(&api).await, [&arn.replace(":1", ":$LATEST"), arn]);
    let mismatch = invalid_parameter(
        "The derived qualifier from the function name does not match the specified qualifier.",
    );
    for (name, refusal) in [
        ("f:1?Qualifier=$LATEST", mismatch.clone()),
        ("f:1?Qualifier=2", mismatch),
        ("f:2", function_not_found("f:2")),
        ("f:0", function_not_found("f:0")),
        ("f?Qualifier=18446744073709551615", function_not_found("f:18446744073709551615")),
        ("f?Qualifier=18446744073709551616", function_not_found("f:18446744073709551616")),
    ] {
        refusal.check(name, &api.get(&format!("{FUNCTIONS}/{name}")).await);
    }
    for (name, status) in [("f:1", 200), ("f:2", 404)] {
        let answer = api.json("POST", &format!("{FUNCTIONS}/{name}/invocations"), json!({})).await;
        assert_eq!(answer.status, status, "{name}");
        assert_eq!(answer.header("x-amz-executed-version"), (status == 200).then_some("1"));
    }
    for name in ["f:1", "f:2"] {
        let answer =
            api.json("PUT", &format!("{FUNCTIONS}/{name}/configuration"), json!({ "Timeout": 4 })).await;
        invalid_parameter(NOT_OF_A_VERSION).check(name, &answer);
    }
    // A version that is gone already is no error.
    for _ in 0..2 {
        assert_eq!(api.send("DELETE", &format!("{FUNCTIONS}/f?Qualifier=1"), &[], b"").await.status, 204);
    }
    function_not_found("f:1").check("deleted", &api.get(&format!("{FUNCTIONS}/f:1")).await);
    assert_eq!(api.get(&format!("{FUNCTIONS}/f")).await.status, 200);
}

#[tokio::test]
async fn case_016_a_wrong_page_of_versions_is_refused() {
    let api = published().await;
    let bad_marker = || invalid_parameter("The provided marker is invalid. Please provide a valid marker.");
    for (query, refusal) in [
        ("MaxItems=0", broken("0", "maxItems", at_least(1))),
        ("MaxItems=10001", broken("10001", "maxItems", at_most(10_000))),
        ("MaxItems=many", wrong_type("STRING_VALUE", "an Integer")),
        ("Marker=%25", bad_marker()),
        // Base64 of `live` and of `-1`.
        ("Marker=bGl2ZQ", bad_marker()),
        ("Marker=LTE", bad_marker()),
        ("Marker=%FF", unreadable("The value of Marker in the query is not UTF-8")),
    ] {
        refusal.check(query, &api.get(&format!("{FUNCTIONS}/f/versions?{query}")).await);
    }
    function_not_found("g").check("g", &api.get(&format!("{FUNCTIONS}/g/versions")).await);
    let first = api.get(&format!("{FUNCTIONS}/f/versions?MaxItems=1")).await.value();
    let marker = first["NextMarker"].as_str().unwrap();
    let rest = api.get(&format!("{FUNCTIONS}/f/versions?MaxItems=1&Marker={marker}")).await.value();
    assert_eq!((&rest["Versions"][0]["Version"], rest.get("NextMarker")), (&json!("1"), None));
    assert_eq!(rest["Versions"][0]["State"], Value::Null, "lists do not tell states");
    let all = api.get(&format!("{FUNCTIONS}?FunctionVersion=ALL&MaxItems=1")).await.value();
    let marker = all["NextMarker"].as_str().unwrap();
    let rest = api.get(&format!("{FUNCTIONS}?FunctionVersion=ALL&Marker={marker}")).await.value();
    assert_eq!(rest["Functions"][0]["Version"], "1");
}
