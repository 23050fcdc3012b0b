//! The operations on code signing configurations.

use serde_json::{Value, json};

use crate::FUNCTIONS;
use crate::refusal::*;
use crate::support::{Answer, Api};

const CONFIGS: &str = "/2020-04-22/code-signing-configs";
const NOBODY: &str = "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdef0";
const PROFILE: &str = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/0123456789";

fn config(policy: &str) -> Value {
    json!({
        "AllowedPublishers": { "SigningProfileVersionArns": [PROFILE] },
        "CodeSigningPolicies": { "UntrustedArtifactOnDeployment": policy },
    })
}

async fn create(api: &Api, body: Value) -> String {
    let answer = api.json("POST", CONFIGS, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.value()["CodeSigningConfig"]["CodeSigningConfigArn"].as_str().unwrap().to_owned()
}

async fn delete(api: &Api, path: &str) -> Answer {
    api.send("DELETE", path, &[], b"").await
}

/// Error type, status and message of a refusal.
fn shown(answer: &Answer) -> String {
    let value = answer.value();
    let message = value["message"].as_str().or(value["Message"].as_str()).unwrap_or_default();
    format!("{} {}: {message}", answer.status, answer.header("x-amzn-errortype").unwrap_or_default())
}

const UNSIGNED: &str = "400 CodeVerificationFailedException: The code signing policy of the function is Enforce, and Hearth \
                        cannot verify signatures: it takes all code as unsigned. Set UntrustedArtifactOnDeployment to Warn, \
                        or take the code signing configuration from the function.";

#[tokio::test]
async fn a_wrong_configuration_is_not_kept() {
    let api = Api::start().await;
    for (body, starts) in [
        (json!({}), "400 ValidationException"),
        (json!({ "AllowedPublishers": {} }), "400 ValidationException"),
        (json!({ "AllowedPublishers": { "SigningProfileVersionArns": [] } }), "400 ValidationException"),
        (
            json!({ "AllowedPublishers": { "SigningProfileVersionArns": vec![PROFILE; 21] } }),
            "400 ValidationException",
        ),
        (json!({ "AllowedPublishers": { "SigningProfileVersionArns": ["p"] } }), "400 ValidationException"),
        (json!({ "AllowedPublishers": [PROFILE] }), "400 SerializationException"),
        (config("Refuse"), "400 ValidationException"),
        (config("warn"), "400 ValidationException"),
        (
            json!({ "AllowedPublishers": { "SigningProfileVersionArns": [PROFILE] }, "Tags": { "aws:a": "b" } }),
            "400 InvalidParameterValueException: The tag key aws:a is not allowed",
        ),
        (
            json!({
                "AllowedPublishers": { "SigningProfileVersionArns": [PROFILE] }, "Description": "x".repeat(257),
            }),
            "400 ValidationException",
        ),
    ] {
        let answer = api.json("POST", CONFIGS, body.clone()).await;
        assert!(shown(&answer).starts_with(starts), "{body}: {}", shown(&answer));
    }
    assert_eq!(api.get(CONFIGS).await.value(), json!({ "CodeSigningConfigs": [] }), "nothing is kept");
}

#[tokio::test]
async fn a_configuration_that_is_missing_or_in_use_says_so() {
    let api = Api::start().await.with_function().await;
    api.settled("f").await;
    let missing = no_code_signing_config;
    let elsewhere = NOBODY.replace("us-east-1", "eu-west-1");
    for arn in [NOBODY, &elsewhere] {
        let path = format!("{CONFIGS}/{arn}");
        missing(arn).check("get", &api.get(&path).await);
        missing(arn).check("update", &api.json("PUT", &path, json!({})).await);
        missing(arn).check("delete", &delete(&api, &path).await);
        missing(arn).check("functions", &api.get(&format!("{path}/functions")).await);
        let of_function = "/2020-06-30/functions/f/code-signing-config";
        let answer = api.json("PUT", of_function, json!({ "CodeSigningConfigArn": arn })).await;
        assert_eq!(
            shown(&answer),
            format!(
                "404 CodeSigningConfigNotFoundException: The code signing configuration cannot be found. Check that the \
                 provided configuration is not deleted: {arn}."
            )
        );
    }
    let none = "/2020-06-30/functions/f/code-signing-config";
    assert_eq!(api.get(none).await.value(), json!({ "FunctionName": "f" }), "none is no error");
    function_not_found("g").check("g", &api.get("/2020-06-30/functions/g/code-signing-config").await);
    let malformed = api.get(&format!("{CONFIGS}/csc-1")).await;
    assert!(shown(&malformed).starts_with("400 ValidationException"), "{}", shown(&malformed));

    let arn = create(&api, config("Warn")).await;
    let attach = json!({ "CodeSigningConfigArn": arn });
    let attached = api.json("PUT", none, attach).await;
    assert_eq!(attached.value(), json!({ "CodeSigningConfigArn": arn, "FunctionName": "f" }));
    assert_eq!(api.get(none).await.value(), attached.value());
    let users = api.get(&format!("{CONFIGS}/{arn}/functions")).await.value();
    assert_eq!(users, json!({ "FunctionArns": ["arn:aws:lambda:us-east-1:000000000000:function:f"] }));
    conflict("The code signing configuration cannot be deleted: it is attached to 1 functions")
        .check("in use", &delete(&api, &format!("{CONFIGS}/{arn}")).await);
    assert_eq!(delete(&api, none).await.status, 204);
    assert_eq!(delete(&api, &format!("{CONFIGS}/{arn}")).await.status, 204);
    missing(&arn).check("gone", &api.get(&format!("{CONFIGS}/{arn}")).await);
}

#[tokio::test]
async fn enforce_refuses_every_deployment_and_warn_none() {
    let api = Api::start().await;
    let enforce = create(&api, config("Enforce")).await;
    let refused = api.create(json!({ "CodeSigningConfigArn": enforce })).await;
    assert_eq!(shown(&refused), UNSIGNED);
    function_not_found("f").check("nothing is made", &api.get(&format!("{FUNCTIONS}/f")).await);

    let warn = create(&api, config("Warn")).await;
    assert_eq!(api.create(json!({ "CodeSigningConfigArn": warn })).await.status, 201);
    api.settled("f").await;
    let of_function = "/2020-06-30/functions/f/code-signing-config";
    assert_eq!(api.get(of_function).await.value()["CodeSigningConfigArn"], warn);
    let zip = api.get(&format!("{FUNCTIONS}/f")).await.value()["Configuration"]["CodeSha256"].clone();
    // The configuration of the function becomes stricter, and so does what it takes.
    let path = format!("{CONFIGS}/{warn}");
    let stricter = json!({ "CodeSigningPolicies": { "UntrustedArtifactOnDeployment": "Enforce" } });
    let updated = api.json("PUT", &path, stricter).await.value();
    let updated = &updated["CodeSigningConfig"];
    assert_eq!(updated["CodeSigningPolicies"]["UntrustedArtifactOnDeployment"], "Enforce");
    assert_eq!(updated["AllowedPublishers"]["SigningProfileVersionArns"], json!([PROFILE]), "it stays");
    let code = json!({ "ZipFile": "UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==" });
    let refused = api.json("PUT", &format!("{FUNCTIONS}/f/code"), code).await;
    assert_eq!(shown(&refused), UNSIGNED);
    let after = api.get(&format!("{FUNCTIONS}/f")).await.value()["Configuration"]["CodeSha256"].clone();
    assert_eq!(after, zip, "the code stays");
    let timeout = api.json("PUT", &format!("{FUNCTIONS}/f/configuration"), json!({ "Timeout": 9 })).await;
    assert_eq!(timeout.status, 200, "what brings no code goes on");
}
