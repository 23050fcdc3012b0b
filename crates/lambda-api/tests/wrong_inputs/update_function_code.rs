//! UpdateFunctionCode.

use serde_json::{Value, json};

use crate::refusal::*;
use crate::support::{Api, World};
use crate::{ANY_ARN, FUNCTION_NAME, FUNCTIONS};

const CODE: &str = "/2015-03-31/functions/f/code";

/// Sends rows to a settled function, which they must not change.
async fn check(api: &Api, rows: Vec<(&str, Value, Refusal)>) {
    let before = api.get(&format!("{FUNCTIONS}/f")).await.value()["Configuration"].clone();
    for (name, body, refusal) in rows {
        let path = format!("{FUNCTIONS}/{name}/code");
        refusal.check(&format!("{path} {body}"), &api.json("PUT", &path, body.clone()).await);
    }
    let after = api.get(&format!("{FUNCTIONS}/f")).await.value()["Configuration"].clone();
    assert_eq!(after, before, "nothing changed");
}

#[tokio::test]
async fn wrong_code_changes_nothing() {
    let api = Api::start().await.with_function().await;
    let zip = || json!({ "ZipFile": "emlwMg==" });
    let with = |member: &str, value: Value| json!({ "ZipFile": "emlwMg==", member: value });
    let unlike = |name: &str| broken(name, "functionName", pattern(FUNCTION_NAME));
    let not_of_a_version = || {
        invalid_parameter(
            "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. \
             Please specify either a function name or an unqualified function ARN.",
        )
    };
    let rows = vec![
        ("g", zip(), function_not_found("g")),
        ("a%20b", zip(), unlike("a b")),
        ("a.b", zip(), unlike("a.b")),
        ("f:42", zip(), not_of_a_version()),
        ("f:live", zip(), not_of_a_version()),
        ("arn:aws:lambda:eu-west-1:000000000000:function:f", zip(), unreachable_region("eu-west-1")),
        ("123456789012:function:f", zip(), denied("UpdateFunctionCode")),
        ("f", with("RevisionId", json!("old")), old_revision()),
        ("f", with("RevisionId", json!("")), old_revision()),
        ("f", with("RevisionId", json!(7)), wrong_type("NUMBER_VALUE", "a String")),
        (
            "f",
            json!({ "ZipFile": "bm8gemlw" }),
            invalid_parameter(
                "Could not unzip uploaded file. Please check your file, then try to upload again.",
            ),
        ),
        (
            "f",
            json!({ "ZipFile": "bm8gemlw", "DryRun": true }),
            invalid_parameter(
                "Could not unzip uploaded file. Please check your file, then try to upload again.",
            ),
        ),
        (
            "f",
            json!({ "ZipFile": "Ym9tYg==" }),
            invalid_parameter("Unzipped size must be smaller than 262144000 bytes"),
        ),
        ("f", json!({ "ZipFile": "%%%" }), unreadable("The value of ZipFile is not base64")),
        ("f", json!({}), invalid_parameter("Please provide a source for function code.")),
        (
            "f",
            json!({ "ImageUri": "000000000000.dkr.ecr.us-east-1.amazonaws.com/i:1" }),
            invalid_parameter("Please don't provide ImageUri when updating a function with packageType Zip."),
        ),
        ("f", json!({ "S3Bucket": "b", "S3Key": "k" }), broken("b", "s3Bucket", length_at_least(3))),
        ("f", with("Publish", json!("true")), wrong_type("STRING_VALUE", "a Boolean")),
        ("f", with("PublishTo", json!("x")), broken("x", "publishTo", one_of("LATEST_PUBLISHED"))),
        (
            "f",
            with("Architectures", json!(["arm64"])),
            unsupported("Architectures arm64 on a host of x86_64"),
        ),
        (
            "f",
            with("Architectures", json!(["X86_64"])),
            broken("[X86_64]", "architectures", elements(&[one_of("x86_64, arm64")])),
        ),
        ("f", with("SourceKMSKeyArn", json!("key")), broken("key", "sourceKMSKeyArn", pattern(ANY_ARN))),
        // The name in the path and the body are one input.
        (
            "a%20b",
            with("Architectures", json!([])),
            validation(&[
                item("a b", "functionName", pattern(FUNCTION_NAME)),
                item("[]", "architectures", length_at_least(1)),
            ]),
        ),
    ];
    check(&api, rows).await;
    // The name counts as the path has it, whatever the body says.
    let elsewhere = api.json("PUT", CODE, with("FunctionName", json!("g"))).await;
    assert_eq!((elsewhere.status, &elsewhere.value()["FunctionName"]), (200, &json!("f")));
}

#[tokio::test]
async fn a_body_that_is_no_json_changes_no_code() {
    let api = Api::start().await.with_function().await;
    for (what, body, refusal) in [
        ("a word", &b"xyz"[..], no_json()),
        ("cut off", b"{\"ZipFile\": \"emlw", no_json()),
        ("not UTF-8", b"{\"ZipFile\": \"\xff\"}", no_json()),
        ("a list", b"[1]", unreadable("The request body is not a JSON object")),
        ("nothing", b"", invalid_parameter("Please provide a source for function code.")),
    ] {
        refusal.check(what, &api.send("PUT", CODE, &[], body).await);
    }
}

#[tokio::test]
async fn a_larger_request_than_aws_takes_changes_no_code() {
    let api = Api::start().await.with_function().await;
    entity_too_large("Request must be smaller than 70167211 bytes for the UpdateFunctionCode operation")
        .check("a large request", &api.send("PUT", CODE, &[], &vec![b' '; 70_167_212]).await);
}

#[tokio::test]
async fn case_014_nothing_is_updated_while_it_is_made_or_updated() {
    let api = Api::start_in(World { settles: false, ..World::default() }).await;
    assert_eq!(api.create(json!({})).await.status, 201);
    let configuration = format!("{FUNCTIONS}/f/configuration");
    let both = async |what: &str, refusal: &Refusal| {
        let code = json!({ "ZipFile": "emlwMg==" });
        refusal.check(&format!("{what}: code"), &api.json("PUT", CODE, code).await);
        let change = json!({ "Timeout": 9 });
        refusal.check(&format!("{what}: configuration"), &api.json("PUT", &configuration, change).await);
    };
    let head = "The operation cannot be performed at this time.";
    let pending = format!("{head} The function is currently in the following state: Pending");
    both("Pending", &conflict(&pending)).await;
    api.settle();
    api.settled("f").await;

    api.unsettle();
    assert_eq!(api.json("PUT", &configuration, json!({ "Timeout": 5 })).await.status, 200);
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
    let in_progress = format!("{head} An update is in progress for resource: {arn}");
    both("InProgress", &conflict(&in_progress)).await;
    // What is wrong in itself is said first.
    let old = api.json("PUT", &configuration, json!({ "Timeout": 9, "RevisionId": "old" })).await;
    old_revision().check("an old revision meanwhile", &old);
    // Everything else goes on.
    assert_eq!(api.send("POST", &format!("{FUNCTIONS}/f/invocations"), &[], b"{}").await.status, 200);
    api.settle();
    api.settled("f").await;
    let after = api.get(&configuration).await.value();
    assert_eq!((&after["Timeout"], &after["LastUpdateStatus"]), (&json!(5), &json!("Successful")));
}

#[tokio::test]
async fn case_013_an_old_revision_changes_nothing_and_the_latest_does() {
    let api = Api::start().await.with_function().await;
    let configuration = format!("{FUNCTIONS}/f/configuration");
    let latest = async || api.get(&configuration).await.value()["RevisionId"].clone();
    let first = latest().await;
    let change = json!({ "Timeout": 9, "RevisionId": first });
    assert_eq!(api.json("PUT", &configuration, change.clone()).await.status, 200);
    api.settled("f").await;
    old_revision().check("configuration", &api.json("PUT", &configuration, change).await);
    let code = |revision: Value| json!({ "ZipFile": "emlwMg==", "RevisionId": revision });
    old_revision().check("code", &api.json("PUT", CODE, code(first.clone())).await);
    let dry = json!({ "ZipFile": "emlwMg==", "RevisionId": first, "DryRun": true });
    old_revision().check("a dry run", &api.json("PUT", CODE, dry).await);
    assert_eq!(api.json("PUT", CODE, code(latest().await)).await.status, 200);
}
