//! The texts of AWS for broken constraints. Those of operations that Hearth does not have yet are here, too: their
//! constraints are generated all the same. What AWS was seen to answer is marked "recorded".

use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::generated::Operation;
use crate::generated::operations::OPERATIONS;
use crate::generated::shapes::{
    AddLayerVersionPermissionRequest, CreateFunctionRequest, ListFunctionsRequest, ListLayerVersionsRequest,
    ListLayersRequest, PublishLayerVersionRequest, UpdateFunctionCodeRequest,
    UpdateFunctionConfigurationRequest,
};

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
fn case_006_bounds_hold_in_every_operation() {
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

/// Any JSON, with numbers and texts at which something changes.
fn any_json() -> impl Strategy<Value = Value> {
    let number = prop_oneof![any::<i64>(), -2..3_i64, 120..140_i64, Just(i64::MAX)].prop_map(Value::from);
    let real = prop_oneof![any::<f64>(), -2.0..2.0].prop_map(Value::from);
    let text =
        prop_oneof!["[a-z0-9:$ -]{0,12}", any::<String>(), Just("x".repeat(300))].prop_map(Value::from);
    let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), number, real, text];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let members = proptest::collection::vec(("[A-Za-z_]{0,4}", inner.clone()), 0..4);
        prop_oneof![
            proptest::collection::vec(inner, 0..4).prop_map(Value::from),
            members.prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A value that the model may allow for `shape`, or almost.
fn like(shape: &'static Shape, depth: u32) -> BoxedStrategy<Value> {
    let right = match shape {
        Shape::String { words, .. } if !words.is_empty() => {
            proptest::sample::select(*words).prop_map(Value::from).boxed()
        }
        Shape::String { .. } => prop_oneof![
            "[a-z]{1,9}",
            Just("arn:aws:iam::000000000000:role/r".to_owned()),
            Just("us-east-1".to_owned()),
        ]
        .prop_map(Value::from)
        .boxed(),
        Shape::Blob => Just(Value::from("emlw")).boxed(),
        Shape::Integer { min, max } => {
            let (min, max) = (min.unwrap_or(-5), max.unwrap_or(5));
            prop_oneof![8 => min..=max, 1 => Just(min - 1), 1 => Just(max + 1)].prop_map(Value::from).boxed()
        }
        Shape::Double { .. } => (0.0..3.0).prop_map(Value::from).boxed(),
        Shape::Boolean => any::<bool>().prop_map(Value::from).boxed(),
        Shape::List { member, .. } if depth > 0 => {
            proptest::collection::vec(like(member, depth - 1), 0..3).prop_map(Value::from).boxed()
        }
        Shape::Map { value, .. } if depth > 0 => {
            let members = proptest::collection::vec(("[A-Z]{2,4}", like(value, depth - 1)), 0..3);
            members.prop_map(|members| Value::Object(members.into_iter().collect())).boxed()
        }
        Shape::Structure(members) if depth > 0 => {
            let each: Vec<_> = members
                .iter()
                .map(|member| {
                    let often = if member.required { 0.95 } else { 0.2 };
                    proptest::option::weighted(often, like(member.shape, depth - 1))
                        .prop_map(|value| (member.name.to_owned(), value))
                })
                .collect();
            each.prop_map(|members| {
                let given = members.into_iter().filter_map(|(name, value)| Some((name, value?)));
                Value::Object(given.collect())
            })
            .boxed()
        }
        Shape::List { .. } | Shape::Map { .. } | Shape::Structure(_) => any_json().boxed(),
    };
    prop_oneof![40 => right, 1 => any_json()].boxed()
}

/// The input of an operation of which one can be chosen, right or almost.
fn inputs(is_wanted: fn(&str) -> bool) -> impl Strategy<Value = (&'static Operation, Value)> {
    let operations: Vec<_> = OPERATIONS.iter().filter(|operation| is_wanted(operation.name)).collect();
    let chosen = proptest::sample::select(operations);
    chosen.prop_flat_map(|operation| (Just(operation), like(operation.input, 4)))
}

/// Reads the input of an operation as its type.
fn reader(operation: &str) -> Option<fn(Value) -> Result<(), String>> {
    fn read<T: serde::de::DeserializeOwned>(input: Value) -> Result<(), String> {
        serde_json::from_value::<T>(input).map(drop).map_err(|error| error.to_string())
    }
    Some(match operation {
        "CreateFunction" => read::<CreateFunctionRequest>,
        "AddLayerVersionPermission" => read::<AddLayerVersionPermissionRequest>,
        "ListFunctions" => read::<ListFunctionsRequest>,
        "ListLayerVersions" => read::<ListLayerVersionsRequest>,
        "ListLayers" => read::<ListLayersRequest>,
        "PublishLayerVersion" => read::<PublishLayerVersionRequest>,
        "UpdateFunctionCode" => read::<UpdateFunctionCodeRequest>,
        "UpdateFunctionConfiguration" => read::<UpdateFunctionConfigurationRequest>,
        _ => return None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    #[test]
    fn whatever_is_sent_to_any_operation_is_taken_or_refused_with_a_400((operation, input) in inputs(|_| true)) {
        if let Err(error) = check(operation.input, &input) {
            let kind = error.error_type();
            prop_assert!(["ValidationException", "SerializationException"].contains(&kind), "{kind}");
            prop_assert!(!error.message().is_empty());
        }
    }

    #[test]
    fn what_satisfies_the_model_can_be_read((operation, input) in inputs(|name| reader(name).is_some())) {
        let read = reader(operation.name).unwrap();
        if input.is_object() && check(operation.input, &input).is_ok() {
            prop_assert_eq!(read(input), Ok(()));
        }
    }
}
