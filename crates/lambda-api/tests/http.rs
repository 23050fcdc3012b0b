//! The operations as a client sees them on the wire.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use expect_test::expect;
use serde_json::{Value, json};
use support::{Api, World};

const FUNCTIONS: &str = "/2015-03-31/functions";
const F: &str = "/2015-03-31/functions/f";
const INVOKE: &str = "/2015-03-31/functions/f/invocations";
const CODE: &str = "/2015-03-31/functions/f/code";
const CONFIGURATION: &str = "/2015-03-31/functions/f/configuration";

/// Shows a description with what differs from run to run left out.
fn shown(mut description: Value) -> String {
    let revision_id = description["RevisionId"].take();
    assert_eq!(revision_id.as_str().map(str::len), Some(36), "a revision id is a UUID");
    serde_json::to_string_pretty(&description).unwrap() + "\n"
}

#[tokio::test]
async fn a_new_function_has_the_defaults_of_aws_and_is_pending_until_it_settles() {
    let api = Api::start_in(World { settles: false, ..World::default() }).await;
    let created = api.create(json!({})).await;
    assert_eq!(created.status, 201);
    expect![[r#"
        {
          "AcceleratorConfig": null,
          "Architectures": [
            "x86_64"
          ],
          "CapacityProviderConfig": null,
          "CodeSha256": "Bp4U3Sn92awvVLMIWbiGVJ3N4FGLZUtD71dxPIIRqIk=",
          "CodeSize": 8,
          "ConfigSha256": null,
          "DeadLetterConfig": null,
          "Description": "",
          "DurableConfig": null,
          "Environment": null,
          "EphemeralStorage": {
            "Size": 512
          },
          "FileSystemConfigs": null,
          "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
          "FunctionName": "f",
          "Handler": "app.handler",
          "ImageConfigResponse": null,
          "KMSKeyArn": null,
          "LastModified": "2024-01-31T12:00:00.000+0000",
          "LastUpdateStatus": null,
          "LastUpdateStatusReason": null,
          "LastUpdateStatusReasonCode": null,
          "Layers": null,
          "LoggingConfig": {
            "ApplicationLogLevel": null,
            "LogFormat": "Text",
            "LogGroup": "/aws/lambda/f",
            "SystemLogLevel": null
          },
          "MasterArn": null,
          "MemorySize": 128,
          "PackageType": "Zip",
          "RevisionId": null,
          "Role": "arn:aws:iam::000000000000:role/r",
          "Runtime": "python3.11",
          "RuntimeConfig": null,
          "RuntimeVersionConfig": {
            "Error": null,
            "RuntimeVersionArn": "arn:aws:lambda:us-east-1::runtime:python3.11"
          },
          "SigningJobArn": null,
          "SigningProfileVersionArn": null,
          "SnapStart": {
            "ApplyOn": "None",
            "OptimizationStatus": "Off"
          },
          "State": "Pending",
          "StateReason": "The function is being created.",
          "StateReasonCode": "Creating",
          "TenancyConfig": null,
          "Timeout": 3,
          "TracingConfig": {
            "Mode": "PassThrough"
          },
          "Version": "$LATEST",
          "VpcConfig": null
        }
    "#]]
    .assert_eq(&shown(created.value()));
    let changed = api.json("PUT", CONFIGURATION, json!({ "Timeout": 5 })).await;
    assert_eq!(
        changed.outcome(),
        "409 ResourceConflictException: The operation cannot be performed at this time. The function is currently in the \
         following state: Pending"
    );
    api.settle();
    api.settled("f").await;
    let active = api.get(CONFIGURATION).await.value();
    assert_eq!((&active["State"], &active["LastUpdateStatus"]), (&json!("Active"), &json!("Successful")));
    assert_eq!(active["StateReason"], Value::Null);
    assert_ne!(active["RevisionId"], created.value()["RevisionId"]);
}

#[tokio::test]
async fn what_a_function_is_given_is_shown_again() {
    let api = Api::start().await;
    let given = json!({
        "Description": "d", "Timeout": 900, "MemorySize": 10_240, "EphemeralStorage": { "Size": 1_024 },
        "Environment": { "Variables": { "KEY": "ü" } }, "TracingConfig": { "Mode": "Active" },
        "DeadLetterConfig": { "TargetArn": "arn:aws:sqs:us-east-1:000000000000:dlq" },
        "KMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/k",
        "LoggingConfig": { "LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "LogGroup": "/mine" },
    });
    assert_eq!(api.create(given.clone()).await.status, 201);
    let mut expected = given;
    expected["LoggingConfig"]["SystemLogLevel"] = json!("INFO");
    expected["Environment"]["Error"] = Value::Null;
    let shown = api.get(F).await.value();
    for (member, value) in expected.as_object().unwrap() {
        assert_eq!(&shown["Configuration"][member], value, "{member}");
    }
    assert_eq!(shown.get("Tags"), None, "there are none");
}

#[tokio::test]
async fn empty_forms_that_tools_send_along_mean_nothing() {
    let api = Api::start().await;
    let created = api
        .create(json!({
            "Publish": false, "Layers": [], "VpcConfig": { "SubnetIds": [], "SecurityGroupIds": [] },
            "SnapStart": { "ApplyOn": "None" }, "DeadLetterConfig": {}, "KMSKeyArn": "", "FileSystemConfigs": [],
            "Tags": {}, "TracingConfig": { "Mode": "PassThrough" }, "PackageType": "Zip", "Environment": null,
            "Architectures": ["x86_64"], "CodeSigningConfigArn": null, "ImageConfig": {},
        }))
        .await;
    assert_eq!(created.status, 201, "{}", created.text());
    let created = created.value();
    for absent in ["Environment", "Layers", "DeadLetterConfig", "KMSKeyArn", "FileSystemConfigs"] {
        assert_eq!(created[absent], Value::Null, "{absent}");
    }
}

#[tokio::test]
async fn an_empty_network_is_shown_from_when_it_was_sent() {
    let api = Api::start().await.with_function().await;
    assert_eq!(api.get(CONFIGURATION).await.value()["VpcConfig"], Value::Null);
    let updated = api.json("PUT", CONFIGURATION, json!({ "VpcConfig": {} })).await;
    assert_eq!(updated.status, 200, "{}", updated.text());
    api.settled("f").await;
    assert_eq!(api.json("PUT", CONFIGURATION, json!({ "Timeout": 4 })).await.status, 200);
    api.settled("f").await;
    let empty =
        json!({ "SubnetIds": [], "SecurityGroupIds": [], "VpcId": "", "Ipv6AllowedForDualStack": false });
    assert_eq!(api.get(CONFIGURATION).await.value()["VpcConfig"], empty);
    let created = api.create(json!({ "FunctionName": "g", "VpcConfig": { "SubnetIds": [] } })).await.value();
    assert_eq!(created["VpcConfig"], empty);
    let listed = api.get(FUNCTIONS).await.value();
    assert_eq!(listed["Functions"][1]["VpcConfig"], empty);
}

#[tokio::test]
async fn what_cannot_be_honoured_is_refused_and_makes_nothing() {
    let api = Api::start().await;
    let mut seen = String::new();
    let key = "arn:aws:kms:us-east-1:000000000000:key/k";
    for change in [
        json!({ "PublishTo": "LATEST_PUBLISHED" }),
        json!({ "Layers": ["arn:aws:lambda:::awslayer:AmazonLinux1803"] }),
        json!({ "PackageType": "Image" }),
        json!({ "ImageConfig": { "Command": ["a"] } }),
        json!({ "Code": { "ImageUri": "000000000000.dkr.ecr.us-east-1.amazonaws.com/i:1" } }),
        json!({ "Code": { "S3Bucket": "bucket", "S3Key": "key" } }),
        json!({ "Code": { "ZipFile": "emlw", "SourceKMSKeyArn": key } }),
        json!({ "TenancyConfig": { "TenantIsolationMode": "PER_TENANT" } }),
        json!({ "DurableConfig": { "ExecutionTimeout": 60 } }),
        json!({ "Architectures": ["arm64"] }),
    ] {
        seen += &(api.create(change).await.outcome() + "\n");
    }
    expect![[r#"
        400 InvalidParameterValueException: PublishTo is not supported by Hearth yet
        400 InvalidParameterValueException: Layers that AWS publishes (arn:aws:lambda:::awslayer:AmazonLinux1803) are not supported by Hearth yet
        400 InvalidParameterValueException: PackageType Image is not supported by Hearth yet
        400 InvalidParameterValueException: ImageConfig is not supported by Hearth yet
        400 InvalidParameterValueException: Code.ImageUri is not supported by Hearth yet
        400 InvalidParameterValueException: Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does not exist
        400 InvalidParameterValueException: Code.SourceKMSKeyArn is not supported by Hearth yet
        400 InvalidParameterValueException: TenancyConfig is not supported by Hearth yet
        400 InvalidParameterValueException: DurableConfig is not supported by Hearth yet
        400 InvalidParameterValueException: Architectures arm64 on a host of x86_64 is not supported by Hearth yet
    "#]]
    .assert_eq(&seen);
    assert_eq!(api.get(FUNCTIONS).await.value()["Functions"], json!([]));
}

#[tokio::test]
async fn a_zip_of_more_than_fifty_megabytes_and_a_larger_request_are_refused() {
    let api = Api::start().await;
    let encoded = |bytes: usize| json!({ "Code": { "ZipFile": "emlw".repeat(bytes / 3) } });
    let largest = api.create(encoded(52_428_800)).await;
    assert_eq!(largest.status, 201, "{}", largest.text());
    assert_eq!(
        api.create(encoded(52_428_804)).await.outcome(),
        "413 RequestEntityTooLargeException: Zipped size must be smaller than 52428800 bytes"
    );
    assert_eq!(
        api.send("POST", FUNCTIONS, &[], &vec![b' '; 70_167_212]).await.outcome(),
        "413 RequestEntityTooLargeException: Request must be smaller than 70167211 bytes for the CreateFunction operation"
    );
}

#[tokio::test]
async fn a_function_is_found_by_every_form_of_its_name() {
    let api = Api::start().await.with_function().await;
    let mut seen = String::new();
    for reference in [
        "f",
        "f:$LATEST",
        "f?Qualifier=$LATEST",
        "f:$LATEST?Qualifier=%24LATEST",
        "function:f",
        "000000000000:function:f",
        "us-east-1:000000000000:function:f",
        "arn:aws:lambda:us-east-1:000000000000:function:f",
        "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af",
        "f/",
    ] {
        let answer = api.get(&format!("{FUNCTIONS}/{reference}")).await;
        let found = match answer.status {
            200 => answer.value()["Configuration"]["FunctionArn"].as_str().unwrap().to_owned(),
            _ => answer.outcome(),
        };
        seen += &format!("{reference} -> {found}\n");
    }
    expect![[r#"
        f -> arn:aws:lambda:us-east-1:000000000000:function:f
        f:$LATEST -> arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST
        f?Qualifier=$LATEST -> arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST
        f:$LATEST?Qualifier=%24LATEST -> arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST
        function:f -> arn:aws:lambda:us-east-1:000000000000:function:f
        000000000000:function:f -> arn:aws:lambda:us-east-1:000000000000:function:f
        us-east-1:000000000000:function:f -> arn:aws:lambda:us-east-1:000000000000:function:f
        arn:aws:lambda:us-east-1:000000000000:function:f -> arn:aws:lambda:us-east-1:000000000000:function:f
        arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af -> arn:aws:lambda:us-east-1:000000000000:function:f
        f/ -> arn:aws:lambda:us-east-1:000000000000:function:f
    "#]].assert_eq(&seen);
}

#[tokio::test]
async fn the_longest_name_has_64_characters() {
    let api = Api::start().await;
    let name = "x".repeat(64);
    assert_eq!(api.create(json!({ "FunctionName": name })).await.status, 201);
    assert_eq!(api.send("DELETE", &format!("{FUNCTIONS}/{name}"), &[], b"").await.status, 204);
}

#[tokio::test]
async fn the_latest_version_is_the_function_itself() {
    let api = Api::start().await.with_function().await;
    for (end, body) in [
        ("configuration", json!({ "Description": "by its version" })),
        ("code", json!({ "ZipFile": "emlwIG9mIGY=" })),
    ] {
        let answer = api.json("PUT", &format!("{FUNCTIONS}/f:$LATEST/{end}"), body).await;
        assert_eq!(answer.status, 200, "{end}: {}", answer.text());
        api.settled("f").await;
    }
    assert_eq!(api.get(CONFIGURATION).await.value()["Description"], "by its version");
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_an_empty_value_clears() {
    let api = Api::start().await;
    let key = "arn:aws:kms:us-east-1:000000000000:key/k";
    let given =
        json!({ "KMSKeyArn": key, "Environment": { "Variables": { "KEY": "v" } }, "Description": "d" });
    assert_eq!(api.create(given).await.status, 201);
    api.settled("f").await;
    let updated = api.json("PUT", CONFIGURATION, json!({ "Timeout": 9, "KMSKeyArn": "" })).await.value();
    assert_eq!(updated["LastUpdateStatus"], "InProgress");
    assert_eq!(updated["LastUpdateStatusReasonCode"], "Creating");
    assert_eq!((&updated["Timeout"], &updated["Description"]), (&json!(9), &json!("d")));
    assert_eq!(updated["Environment"]["Variables"]["KEY"], "v");
    assert_eq!(updated["KMSKeyArn"], Value::Null);
    api.settled("f").await;
    let cleared = json!({ "Environment": { "Variables": {} }, "Description": "" });
    let updated = api.json("PUT", CONFIGURATION, cleared).await.value();
    assert_eq!((&updated["Environment"]["Variables"], &updated["Description"]), (&json!({}), &json!("")));
}

#[tokio::test]
async fn levels_of_logs_come_and_go_with_the_format_json() {
    let api = Api::start().await.with_function().await;
    let mut table = String::new();
    for change in [
        json!({ "LogFormat": "JSON" }),
        json!({ "ApplicationLogLevel": "FATAL", "LogGroup": "/shop/orders.2_b#c-d" }),
        json!({ "SystemLogLevel": "WARN" }),
        json!({}),
        json!({ "LogFormat": "Text", "ApplicationLogLevel": "INFO" }),
        json!({ "LogGroup": "x".repeat(513) }),
        json!({ "LogFormat": "Text" }),
        json!({ "SystemLogLevel": "INFO" }),
        json!({ "LogFormat": "JSON", "SystemLogLevel": "DEBUG" }),
    ] {
        let answer = api.json("PUT", CONFIGURATION, json!({ "LoggingConfig": change })).await;
        let listed = api.get(FUNCTIONS).await.value()["Functions"][0]["LoggingConfig"].take();
        let got = api.get(F).await.value()["Configuration"]["LoggingConfig"].take();
        assert_eq!(got, listed);
        if answer.status == 200 {
            assert_eq!(answer.value()["LoggingConfig"], got);
            table += &format!("{got}\n");
            api.settled("f").await;
        } else {
            table += &format!("{}, and still {got}\n", answer.outcome().replace(&"x".repeat(513), "<513>"));
        }
    }
    expect![[r#"
        {"ApplicationLogLevel":"INFO","LogFormat":"JSON","LogGroup":"/aws/lambda/f","SystemLogLevel":"INFO"}
        {"ApplicationLogLevel":"FATAL","LogFormat":"JSON","LogGroup":"/shop/orders.2_b#c-d","SystemLogLevel":"INFO"}
        {"ApplicationLogLevel":"FATAL","LogFormat":"JSON","LogGroup":"/shop/orders.2_b#c-d","SystemLogLevel":"WARN"}
        {"ApplicationLogLevel":"FATAL","LogFormat":"JSON","LogGroup":"/shop/orders.2_b#c-d","SystemLogLevel":"WARN"}
        400 InvalidParameterValueException: LogLevel is not supported when LogFormat is set to "Text". Remove LogLevel from your request or change the LogFormat to "JSON" and try again., and still {"ApplicationLogLevel":"FATAL","LogFormat":"JSON","LogGroup":"/shop/orders.2_b#c-d","SystemLogLevel":"WARN"}
        400 ValidationException: 1 validation error detected: Value '<513>' at 'loggingConfig.logGroup' failed to satisfy constraint: Member must have length less than or equal to 512, and still {"ApplicationLogLevel":"FATAL","LogFormat":"JSON","LogGroup":"/shop/orders.2_b#c-d","SystemLogLevel":"WARN"}
        {"ApplicationLogLevel":null,"LogFormat":"Text","LogGroup":"/shop/orders.2_b#c-d","SystemLogLevel":null}
        400 InvalidParameterValueException: LogLevel is not supported when LogFormat is set to "Text". Remove LogLevel from your request or change the LogFormat to "JSON" and try again., and still {"ApplicationLogLevel":null,"LogFormat":"Text","LogGroup":"/shop/orders.2_b#c-d","SystemLogLevel":null}
        {"ApplicationLogLevel":"INFO","LogFormat":"JSON","LogGroup":"/shop/orders.2_b#c-d","SystemLogLevel":"DEBUG"}
    "#]].assert_eq(&table);
}

#[tokio::test]
async fn new_code_is_checked_and_can_be_tried_without_a_change() {
    let api = Api::start().await.with_function().await;
    let before = api.get(CONFIGURATION).await.value();
    let dry = api.json("PUT", CODE, json!({ "ZipFile": "emlwMg==", "DryRun": true })).await.value();
    assert_ne!(dry["CodeSha256"], before["CodeSha256"]);
    assert_eq!(api.get(CONFIGURATION).await.value(), before);
    let mut seen = String::new();
    for body in [
        json!({ "ZipFile": "emlwMg==", "RevisionId": "old" }),
        json!({ "ZipFile": "bm8gemlw" }),
        json!({ "ImageUri": "000000000000.dkr.ecr.us-east-1.amazonaws.com/i:1" }),
        json!({ "S3Bucket": "bucket", "S3Key": "key" }),
        json!({ "ZipFile": "emlwMg==", "S3ObjectVersion": "v" }),
        json!({ "ZipFile": "emlwMg==", "PublishTo": "LATEST_PUBLISHED" }),
        json!({}),
    ] {
        seen += &(api.json("PUT", CODE, body).await.outcome() + "\n");
    }
    expect![[r#"
        412 PreconditionFailedException: The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id
        400 InvalidParameterValueException: Could not unzip uploaded file. Please check your file, then try to upload again.
        400 InvalidParameterValueException: Please don't provide ImageUri when updating a function with packageType Zip.
        400 InvalidParameterValueException: Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does not exist
        400 InvalidParameterValueException: Please do not provide other FunctionCode parameters when providing a ZipFile.
        400 InvalidParameterValueException: PublishTo is not supported by Hearth yet
        400 InvalidParameterValueException: Please provide a source for function code.
    "#]].assert_eq(&seen);
    assert_eq!(api.get(CONFIGURATION).await.value(), before);
}

#[tokio::test]
async fn the_location_of_the_code_is_good_for_ten_minutes_and_only_as_it_was_given() {
    let api = Api::start().await.with_function().await;
    let function = api.get(F).await.value();
    assert_eq!(function["Code"]["RepositoryType"], "S3");
    let location = function["Code"]["Location"].as_str().unwrap();
    let path = location.strip_prefix("http://lambda.test").expect("the host that the client used");
    assert!(path.starts_with("/_hearth/code/"), "{path}");
    let code = api.get(path).await;
    assert_eq!((code.status, code.header("content-type")), (200, Some("application/zip")));
    assert_eq!(code.body, b"zip of f");
    let last = if path.ends_with('0') { '1' } else { '0' };
    for forged in [
        format!("{}{last}", &path[..path.len() - 1]),
        path.replacen(".17", ".18", 1),
        path[..path.len() - 1].to_owned(),
        "/_hearth/code/x".to_owned(),
    ] {
        assert_eq!(api.get(&forged).await.status, 403, "{forged}");
    }
    api.pass_ms(600_000);
    assert_eq!(api.get(path).await.status, 200);
    api.pass_ms(1);
    assert_eq!(api.get(path).await.status, 403);
    let again = api.get(F).await.value();
    let location = again["Code"]["Location"].as_str().unwrap().to_owned();
    api.lose_packages();
    assert_eq!(api.get(location.strip_prefix("http://lambda.test").unwrap()).await.status, 404);
}

#[tokio::test]
async fn functions_are_listed_by_name_fifty_on_a_page_and_without_their_states() {
    let api = Api::start().await;
    for number in 0..52 {
        assert_eq!(api.create(json!({ "FunctionName": format!("f{number:02}") })).await.status, 201);
    }
    let mut names = Vec::new();
    let mut pages = Vec::new();
    let mut query = "MaxItems=10000".to_owned();
    loop {
        let page = api.get(&format!("{FUNCTIONS}?{query}")).await.value();
        let functions = page["Functions"].as_array().unwrap();
        pages.push(functions.len());
        names.extend(functions.iter().map(|function| function["FunctionName"].as_str().unwrap().to_owned()));
        for absent in ["State", "LastUpdateStatus", "RuntimeVersionConfig"] {
            assert_eq!(functions[0][absent], Value::Null, "{absent}");
        }
        match page["NextMarker"].as_str() {
            Some(marker) => query = format!("Marker={marker}"),
            None => break,
        }
    }
    assert_eq!(pages, [50, 2]);
    assert!(names.is_sorted() && names.len() == 52, "{names:?}");
    assert_eq!(
        api.get(&format!("{FUNCTIONS}/?MaxItems=3")).await.value()["Functions"][2]["FunctionName"],
        "f02"
    );
    for (query, expected) in [
        ("Marker=%25", "400 InvalidParameterValueException"),
        ("MaxItems=0", "400 ValidationException"),
        ("MaxItems=many", "400 SerializationException"),
        ("FunctionVersion=1", "400 ValidationException"),
    ] {
        let outcome = api.get(&format!("{FUNCTIONS}?{query}")).await.outcome();
        assert_eq!(outcome.split(": ").next(), Some(expected), "{query}");
    }
}

#[tokio::test]
async fn a_deleted_function_is_gone_and_its_latest_version_alone_cannot_be() {
    let api = Api::start().await.with_function().await;
    let delete = async |reference: &str| {
        api.send("DELETE", &format!("{FUNCTIONS}/{reference}"), &[], b"").await.outcome()
    };
    assert_eq!(
        delete("f:$LATEST").await,
        "400 InvalidParameterValueException: $LATEST version cannot be deleted without deleting the function."
    );
    assert_eq!(
        delete("f?Qualifier=live").await,
        "400 InvalidParameterValueException: Deletion of aliases is not currently supported."
    );
    assert_eq!(delete("f").await, "204");
    let gone =
        "404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:f";
    assert_eq!(delete("f").await, gone);
    assert_eq!(delete("f:7").await, gone);
    assert_eq!(api.get(F).await.outcome(), gone);
}

#[tokio::test]
async fn an_invocation_carries_its_headers_both_ways() {
    let api = Api::start().await.with_function().await;
    let headers = [
        ("X-Amz-Log-Type", "Tail"),
        ("X-Amz-Client-Context", "eyJhIjoxfQ=="),
        ("X-Amzn-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700"),
    ];
    let answer = api.send("POST", INVOKE, &headers, b"[1]").await;
    assert_eq!(answer.status, 200);
    let id = answer.header("x-amzn-requestid").unwrap();
    assert_eq!(answer.value(), json!({ "request_id": id, "event": [1], "client_context": "{\"a\":1}" }));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("x-amz-executed-version"), Some("$LATEST"));
    assert_eq!(answer.header("x-amz-log-result"), Some("RU5ECg=="));
    assert_eq!(answer.header("x-amzn-trace-id"), Some("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700"));
    assert_eq!(answer.header("x-amzn-remapped-content-length"), Some("0"));
    assert_eq!(answer.header("x-amz-function-error"), None);

    let failed = api.send("POST", INVOKE, &[], b"\"fail\"").await;
    assert_eq!((failed.status, failed.header("x-amz-function-error")), (200, Some("Unhandled")));
    assert_eq!(failed.header("x-amz-log-result"), None);

    let empty = api.send("POST", INVOKE, &[], b"").await;
    assert_eq!(empty.value()["event"], json!({}));

    let dry_run = api.send("POST", INVOKE, &[("X-Amz-Invocation-Type", "DryRun")], b"{}").await;
    assert_eq!((dry_run.status, dry_run.text()), (204, ""));
}

#[tokio::test]
async fn a_payload_may_have_six_megabytes() {
    let api = Api::start().await.with_function().await;
    let payload = format!("\"{}\"", "x".repeat(6_291_454));
    assert_eq!(api.send("POST", INVOKE, &[], payload.as_bytes()).await.status, 200);
}

#[tokio::test]
async fn what_is_our_fault_tells_nothing_of_the_server() {
    let api = Api::start().await.with_function().await;
    let broken = api.send("POST", INVOKE, &[], b"\"break\"").await;
    assert_eq!((broken.status, broken.header("x-amzn-errortype")), (500, Some("ServiceException")));
    assert_eq!(
        broken.text(),
        r#"{"Message":"The AWS Lambda service encountered an internal error.","Type":"Service"}"#
    );
}

#[tokio::test]
async fn a_throttled_invocation_says_whose_limit_it_was() {
    let api = Api::start_in(World { concurrency: 0, ..World::default() }).await.with_function().await;
    let answer = api.send("POST", INVOKE, &[], b"{}").await;
    assert_eq!((answer.status, answer.header("x-amzn-errortype")), (429, Some("TooManyRequestsException")));
    assert_eq!(
        answer.text(),
        r#"{"Reason":"ConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}"#
    );
}

#[tokio::test]
async fn other_services_are_refused_in_the_shape_of_their_protocol() {
    let api = Api::start().await;
    let logs = api.send("POST", "/", &[("X-Amz-Target", "Logs_20140328.DescribeLogGroups")], b"{}").await;
    assert_eq!((logs.status, logs.header("content-type")), (501, Some("application/x-amz-json-1.1")));
    assert_eq!(
        logs.text(),
        r#"{"__type":"NotImplementedException","message":"Hearth does not implement Logs_20140328.DescribeLogGroups yet"}"#
    );
    let credential = "AWS4-HMAC-SHA256 Credential=AKID/20240131/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0";
    let iam = api.send("POST", "/", &[("Authorization", credential)], b"Action=ListRoles&Version=1").await;
    assert_eq!((iam.status, iam.header("content-type")), (501, Some("text/xml")));
    assert!(
        iam.text().contains("<Message>Hearth does not implement iam:ListRoles yet</Message>"),
        "{}",
        iam.text()
    );
    let hostile = api.send("POST", "/", &[], b"Action=%3C%2FMessage%3E").await;
    assert!(hostile.text().contains("does not implement Message yet"), "{}", hostile.text());
    assert_eq!(api.send("POST", "/", &[], b"").await.status, 404);
}

#[tokio::test]
async fn the_caller_is_the_root_user_of_the_account() {
    let api = Api::start().await;
    let form = "Action=GetCallerIdentity&Version=2011-06-15";
    for answer in [api.send("POST", "/", &[], form.as_bytes()).await, api.get(&format!("/?{form}")).await] {
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/xml")));
        for part in [
            "<Account>000000000000</Account>",
            "<Arn>arn:aws:iam::000000000000:root</Arn>",
            "<UserId>000000000000</UserId>",
        ] {
            assert!(answer.text().contains(part), "{part}: {}", answer.text());
        }
    }
}
