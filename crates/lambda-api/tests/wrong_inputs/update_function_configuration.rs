//! UpdateFunctionConfiguration.

use serde_json::{Value, json};

use crate::refusal::*;
use crate::support::Api;
use crate::{ANY_ARN, FUNCTION_NAME, FUNCTIONS, LAYER, ROLE};

#[tokio::test]
async fn a_wrong_configuration_changes_nothing() {
    let api = Api::start().await.with_function().await;
    let before = api.get(&format!("{FUNCTIONS}/f")).await.value()["Configuration"].clone();
    let unlike = |name: &str| broken(name, "functionName", pattern(FUNCTION_NAME));
    let layer = "arn:aws:lambda:us-east-1:000000000000:layer:l:1";
    let access_point = "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-00000000000000000";
    let head = "Lambda was unable to configure your environment variables because the environment variables you have \
                provided";
    let variables = |name: &str, value: &str| json!({ "Environment": { "Variables": { name: value } } });
    let rows: Vec<(&str, Value, Refusal)> = vec![
        ("g", json!({ "Timeout": 9 }), function_not_found("g")),
        ("g", json!({ "Layers": [layer] }), function_not_found("g")),
        ("a%20b", json!({ "Timeout": 9 }), unlike("a b")),
        ("f%3A", json!({}), unlike("f:")),
        ("arn:aws:lambda:eu-west-1:000000000000:function:f", json!({}), unreachable_region("eu-west-1")),
        ("123456789012:function:f", json!({}), denied("UpdateFunctionConfiguration")),
        ("f", json!({ "Timeout": 0 }), broken("0", "timeout", at_least(1))),
        ("f", json!({ "Timeout": 901 }), broken("901", "timeout", at_most(900))),
        ("f", json!({ "Timeout": "9" }), wrong_type("STRING_VALUE", "an Integer")),
        ("f", json!({ "MemorySize": 127 }), broken("127", "memorySize", at_least(128))),
        ("f", json!({ "MemorySize": 10_241 }), broken("10241", "memorySize", at_most(10_240))),
        ("f", json!({ "EphemeralStorage": { "Size": 511 } }), broken("511", "ephemeralStorage.size", at_least(512))),
        (
            "f",
            json!({ "EphemeralStorage": { "Size": 10_241 } }),
            broken("10241", "ephemeralStorage.size", at_most(10_240)),
        ),
        ("f", json!({ "Handler": "a b" }), broken("a b", "handler", pattern(r"[^\s]+"))),
        ("f", json!({ "Handler": "x".repeat(129) }), broken(&"x".repeat(129), "handler", length_at_most(128))),
        ("f", json!({ "Role": "r1" }), broken("r1", "role", pattern(ROLE))),
        ("f", json!({ "Description": "x".repeat(257) }), broken(&"x".repeat(257), "description", length_at_most(256))),
        ("f", json!({ "KMSKeyArn": "key" }), broken("key", "kMSKeyArn", pattern(ANY_ARN))),
        (
            "f",
            json!({ "Runtime": "python9.9" }),
            invalid_parameter(
                "Value python9.9 at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [",
            )
            .and_so_on(),
        ),
        (
            "f",
            json!({ "Runtime": "python3.7" }),
            invalid_parameter(
                "The runtime parameter of python3.7 is no longer supported for creating or updating AWS Lambda \
                 functions. We recommend you use a supported runtime while creating or updating functions.",
            ),
        ),
        (
            "f",
            variables("AWS_REGION", "x"),
            invalid_parameter(&format!(
                "{head} contains reserved keys that are currently not supported for modification. Reserved keys used in \
                 this request: AWS_REGION"
            )),
        ),
        ("f", variables("KEY", "a\0b"), invalid_parameter(&format!("{head} contain a NUL character"))),
        (
            "f",
            variables("KEY", &"x".repeat(4_087)),
            invalid_parameter(&format!(
                "{head} exceeded the 4KB limit. String measured: {{\"KEY\":\"{}\"}}",
                "x".repeat(4_087)
            )),
        ),
        (
            "f",
            json!({ "LoggingConfig": { "LogFormat": "Text", "ApplicationLogLevel": "INFO" } }),
            invalid_parameter(
                "LogLevel is not supported when LogFormat is set to \"Text\". Remove LogLevel from your request or \
                 change the LogFormat to \"JSON\" and try again.",
            ),
        ),
        (
            "f",
            json!({ "LoggingConfig": { "SystemLogLevel": "TRACE" } }),
            broken("TRACE", "loggingConfig.systemLogLevel", one_of("DEBUG, INFO, WARN")),
        ),
        (
            "f",
            json!({ "Layers": [layer, "l"] }),
            broken(
                &format!("[{layer}, l]"),
                "layers",
                elements(&[length_at_most(2_048), length_at_least(1), pattern(LAYER)]),
            ),
        ),
        (
            "f",
            json!({ "Layers": [layer] }),
            invalid_parameter(&format!("Layer version {layer} does not exist.")),
        ),
        (
            "f",
            json!({ "VpcConfig": { "SubnetIds": ["subnet-1"] } }),
            invalid_parameter("SubnetIds and SecurityIds must coexist or be both empty list."),
        ),
        (
            "f",
            json!({ "FileSystemConfigs": [{ "Arn": access_point, "LocalMountPath": "/mnt/data" }] }),
            invalid_parameter(&format!(
                "Function must be configured to execute in a VPC to reference access point {access_point}. Please update \
                 the function configuration to include VPC subnets and security groups."
            )),
        ),
        ("g", json!({ "VpcConfig": {} }), function_not_found("g")),
        ("g", json!({ "FileSystemConfigs": [] }), function_not_found("g")),
        (
            "f",
            json!({ "SnapStart": { "ApplyOn": "Always" } }),
            broken("Always", "snapStart.applyOn", one_of("PublishedVersions, None")),
        ),
        ("f", json!({ "Timeout": 9, "RevisionId": "old" }), old_revision()),
        // The name in the path and the body are one input, in the order of the model.
        (
            "a%20b",
            json!({ "MemorySize": 0, "Role": "r1" }),
            validation(&[
                item("a b", "functionName", pattern(FUNCTION_NAME)),
                item("r1", "role", pattern(ROLE)),
                item("0", "memorySize", at_least(128)),
            ]),
        ),
    ];
    for (name, body, refusal) in rows {
        let path = format!("{FUNCTIONS}/{name}/configuration");
        refusal.check(&format!("{path} {body}"), &api.json("PUT", &path, body.clone()).await);
    }
    let path = format!("{FUNCTIONS}/f/configuration");
    for (what, body, refusal) in [
        ("a word", &b"xyz"[..], no_json()),
        ("not UTF-8", b"{\"Description\": \"\xff\"}", no_json()),
        ("a list", b"[]", unreadable("The request body is not a JSON object")),
    ] {
        refusal.check(what, &api.send("PUT", &path, &[], body).await);
    }
    let after = api.get(&format!("{FUNCTIONS}/f")).await.value()["Configuration"].clone();
    assert_eq!(after, before, "nothing changed");
}
