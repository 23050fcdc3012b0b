//! The texts of AWS for broken constraints. Those of operations that Hearth does not have yet are here, too: their
//! constraints are generated all the same. What AWS was seen to answer is marked "recorded".

use expect_test::{Expect, expect};
use serde_json::json;

use super::*;
use crate::generated::operations::OPERATIONS;

/// What is said about `input` of an operation.
fn of(operation: &str, input: &Value) -> String {
    let operation =
        OPERATIONS.iter().find(|known| known.name == operation).expect("an operation of the model");
    match check(operation.input, input) {
        Ok(()) => "ok".to_owned(),
        Err(error) => format!("{}: {}", error.error_type(), error.message()),
    }
}

/// The least input of CreateFunction, with `change` made.
fn of_create(change: Value) -> String {
    let mut input = json!({
        "FunctionName": "f", "Role": "arn:aws:iam::000000000000:role/r", "Code": { "ZipFile": "" }
    });
    for (key, value) in change.as_object().unwrap() {
        input[key] = value.clone();
    }
    of("CreateFunction", &input)
}

/// One broken constraint of an operation, without its head.
fn one(operation: &str, input: Value) -> String {
    let text = of(operation, &input);
    let head = "ValidationException: 1 validation error detected: ";
    text.strip_prefix(head).unwrap_or_else(|| panic!("not one violation: {text}")).to_owned()
}

#[test]
fn texts_are_those_of_aws() {
    assert_eq!(of_create(json!({})), "ok");
    // Recorded.
    assert_eq!(
        of_create(json!({ "Role": "r1" })),
        "ValidationException: 1 validation error detected: Value 'r1' at 'role' failed to satisfy constraint: \
         Member must satisfy regular expression pattern: \
         arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+"
    );
    // Recorded.
    assert_eq!(
        of_create(json!({ "Architectures": ["X86_64"] })),
        "ValidationException: 1 validation error detected: Value '[X86_64]' at 'architectures' failed to satisfy \
         constraint: Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], \
         Member must not be null]"
    );
    // Recorded.
    assert_eq!(
        of_create(json!({ "Architectures": ["x86_64", "arm64"] })),
        "ValidationException: 1 validation error detected: Value '[x86_64, arm64]' at 'architectures' failed to \
         satisfy constraint: Member must have length less than or equal to 1"
    );
    assert_eq!(
        of_create(json!({ "Role": null, "Timeout": 0 })),
        "ValidationException: 2 validation errors detected: Value null at 'role' failed to satisfy constraint: \
         Member must not be null; Value '0' at 'timeout' failed to satisfy constraint: \
         Member must have value greater than or equal to 1"
    );
}

#[test]
fn operations_that_are_not_there_yet_have_the_recorded_texts_too() {
    let f = "f";
    let rows = [
        one("CreateAlias", json!({ "FunctionName": f, "Name": "2024", "FunctionVersion": "1" })),
        one(
            "AddLayerVersionPermission",
            json!({ "LayerName": "l", "VersionNumber": 1, "StatementId": "s", "Action": "*", "Principal": "*" }),
        ),
        one(
            "PutProvisionedConcurrencyConfig",
            json!({ "FunctionName": f, "Qualifier": "1", "ProvisionedConcurrentExecutions": 0 }),
        ),
        one(
            "CreateAlias",
            json!({
                "FunctionName": f, "Name": "live", "FunctionVersion": "1",
                "RoutingConfig": { "AdditionalVersionWeights": { "$LATEST": 0.5 } }
            }),
        ),
        one("UntagResource", json!({ "Resource": "arn:aws:lambda:us-east-1:000000000000:function:f" })),
        one("CreateFunctionUrlConfig", json!({ "FunctionName": f, "Qualifier": "1", "AuthType": "NONE" })),
    ];
    expect![[r#"
        Value '2024' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)
        Value '*' at 'action' failed to satisfy constraint: Member must satisfy regular expression pattern: lambda:GetLayerVersion
        Value '0' at 'provisionedConcurrentExecutions' failed to satisfy constraint: Member must have value greater than or equal to 1
        Value '{$LATEST=0.5}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+]
        Value null at 'tagKeys' failed to satisfy constraint: Member must not be null
        Value '1' at 'qualifier' failed to satisfy constraint: Member must satisfy regular expression pattern: ((?!^\d+$)^[0-9a-zA-Z-_]+$)"#]]
    .assert_eq(&rows.join("\n"));
}

#[test]
fn words_stand_in_the_order_in_which_aws_was_seen_to_list_them() {
    let order = |text: String| text.split("enum value set: ").nth(1).unwrap().to_owned();
    let mapping = |change: &str| json!({ "FunctionName": "f", "StartingPosition": change });
    for (text, expected) in [
        (
            one("PutFunctionRecursionConfig", json!({ "FunctionName": "f", "RecursiveLoop": "x" })),
            "[Terminate, Allow]",
        ),
        (
            one(
                "CreateFunctionUrlConfig",
                json!({ "FunctionName": "f", "AuthType": "NONE", "InvokeMode": "x" }),
            ),
            "[RESPONSE_STREAM, BUFFERED]",
        ),
        (one("CreateEventSourceMapping", mapping("x")), "[LATEST, AT_TIMESTAMP, TRIM_HORIZON]"),
        (one("ListFunctions", json!({ "FunctionVersion": "x" })), "[ALL]"),
        (
            one("UpdateFunctionCode", json!({ "FunctionName": "f", "Architectures": ["x"] })),
            "[x86_64, arm64], Member must not be null]",
        ),
        (
            one(
                "UpdateFunctionConfiguration",
                json!({ "FunctionName": "f", "SnapStart": { "ApplyOn": "x" } }),
            ),
            "[PublishedVersions, None]",
        ),
    ] {
        assert_eq!(order(text), expected);
    }
}

/// One table of bounds for numbers, lists and maps.
#[test]
fn bounds_hold_in_every_operation() {
    let check = |rows: &[(&str, Value)], expected: Expect| {
        let texts: Vec<String> =
            rows.iter().map(|(operation, input)| one(operation, input.clone())).collect();
        expected.assert_eq(&texts.join("\n"));
    };
    let weights = |weight: Value| {
        json!({
            "FunctionName": "f", "Name": "live", "FunctionVersion": "1",
            "RoutingConfig": { "AdditionalVersionWeights": { "1": weight } }
        })
    };
    let invoke_config = |member: &str, value: i64| json!({ "FunctionName": "f", member: value });
    check(
        &[
            ("CreateAlias", weights(json!(2))),
            ("CreateAlias", weights(json!(-1))),
            ("PutFunctionEventInvokeConfig", invoke_config("MaximumEventAgeInSeconds", 59)),
            ("PutFunctionEventInvokeConfig", invoke_config("MaximumEventAgeInSeconds", 21_601)),
            ("PutFunctionEventInvokeConfig", invoke_config("MaximumRetryAttempts", 3)),
            ("PutFunctionConcurrency", invoke_config("ReservedConcurrentExecutions", -1)),
            ("ListLayers", json!({ "MaxItems": 51 })),
        ],
        expect![[r#"
            Value '{1=2.0}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0, Member must not be null]
            Value '{1=-1.0}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0, Member must not be null]
            Value '59' at 'maximumEventAgeInSeconds' failed to satisfy constraint: Member must have value greater than or equal to 60
            Value '21601' at 'maximumEventAgeInSeconds' failed to satisfy constraint: Member must have value less than or equal to 21600
            Value '3' at 'maximumRetryAttempts' failed to satisfy constraint: Member must have value less than or equal to 2
            Value '-1' at 'reservedConcurrentExecutions' failed to satisfy constraint: Member must have value greater than or equal to 0
            Value '51' at 'maxItems' failed to satisfy constraint: Member must have value less than or equal to 50"#]],
    );
}

#[test]
fn an_element_is_named_by_its_place_and_cannot_be_null() {
    let arn = "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-00000000000000000";
    assert_eq!(
        one(
            "UpdateFunctionConfiguration",
            json!({ "FunctionName": "f", "FileSystemConfigs": [{ "Arn": arn }] })
        ),
        "Value null at 'fileSystemConfigs.1.member.localMountPath' failed to satisfy constraint: Member must not be null"
    );
    let layers =
        |layers: Value| one("UpdateFunctionConfiguration", json!({ "FunctionName": "f", "Layers": layers }));
    let constraints = "Member must satisfy constraint: [Member must have length less than or equal to 2048, Member must \
                       have length greater than or equal to 1, Member must satisfy regular expression pattern: ";
    let text = layers(json!(["l"]));
    assert!(text.starts_with("Value '[l]' at 'layers' failed to satisfy constraint: "), "{text}");
    assert!(text.contains(constraints) && text.ends_with(", Member must not be null]"), "{text}");
    assert!(layers(json!([null])).starts_with("Value '[null]' at 'layers'"));
}

#[test]
fn values_that_are_secret_are_not_shown() {
    // Recorded in 2018, with nothing behind `Value`.
    assert_eq!(
        of_create(json!({ "Environment": { "Variables": { "A-B": "hush" } } })),
        "ValidationException: 1 validation error detected: Value at 'environment.variables' failed to satisfy \
         constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: \
         [a-zA-Z]([a-zA-Z0-9_])+]"
    );
    assert_eq!(
        of_create(json!({ "Environment": { "Variables": { "AB": null } } })),
        "ValidationException: 1 validation error detected: Value at 'environment.variables' failed to satisfy \
         constraint: Map value must satisfy constraint: [Member must not be null]"
    );
}

#[test]
fn a_wrong_type_is_a_serialization_error() {
    for (change, expected) in [
        (json!({ "MemorySize": "big" }), "STRING_VALUE can not be converted to an Integer"),
        (json!({ "MemorySize": 128.5 }), "NUMBER_VALUE can not be converted to an Integer"),
        (json!({ "MemorySize": true }), "TRUE_VALUE can not be converted to an Integer"),
        (json!({ "MemorySize": [128] }), "START_ARRAY can not be converted to an Integer"),
        (
            json!({ "Environment": { "Variables": { "A": 1 } } }),
            "NUMBER_VALUE can not be converted to a String",
        ),
        (json!({ "Environment": [] }), "START_ARRAY can not be converted to a Structure"),
        (json!({ "Layers": "l" }), "STRING_VALUE can not be converted to a List"),
        (json!({ "Tags": "t" }), "STRING_VALUE can not be converted to a Map"),
        (json!({ "Publish": "true" }), "STRING_VALUE can not be converted to a Boolean"),
        (json!({ "Code": { "ZipFile": {} } }), "START_OBJECT can not be converted to a Blob"),
    ] {
        assert_eq!(of_create(change), format!("SerializationException: {expected}"));
    }
}

#[test]
fn a_number_of_any_size_is_out_of_range_and_no_other_error() {
    for number in ["9223372036854775808", "18446744073709551616", "1e99"] {
        let input: Value = serde_json::from_str(&format!("{{\"MemorySize\": {number}}}")).unwrap();
        let text = of_create(input);
        assert!(text.ends_with("at 'memorySize' failed to satisfy constraint: Member must have value less than or equal to 32768"), "{text}");
    }
    assert!(of_create(json!({ "MemorySize": -1e30 })).ends_with("greater than or equal to 128"));
}

#[test]
fn bounds_of_a_query_are_checked() {
    assert_eq!(
        one("ListFunctions", json!({ "MaxItems": 0 })),
        "Value '0' at 'maxItems' failed to satisfy constraint: Member must have value greater than or equal to 1"
    );
}

#[test]
fn an_answer_stays_small_whatever_was_sent() {
    let many: Vec<Value> = (0..10_000).map(|_| json!({})).collect();
    let text = of("UpdateFunctionConfiguration", &json!({ "FunctionName": "f", "FileSystemConfigs": many }));
    assert!(text.starts_with("ValidationException: 20001 validation errors detected: "), "{}", &text[..80]);
    assert!(text.len() < 64_000, "{}", text.len());
    let text = of_create(json!({ "FunctionName": "ä".repeat(10_000_000) }));
    assert!(text.len() < 20_000, "{}", text.len());
    assert!(text.contains("ä…' at 'functionName' failed to satisfy constraint: Member must have length"));
}
