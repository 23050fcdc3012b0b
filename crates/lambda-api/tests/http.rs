//! The operations as a client sees them on the wire.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use expect_test::expect;
use serde_json::{Value, json};
use support::{Api, World, new_function};

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
          "Architectures": [
            "x86_64"
          ],
          "CodeSha256": "Bp4U3Sn92awvVLMIWbiGVJ3N4FGLZUtD71dxPIIRqIk=",
          "CodeSize": 8,
          "Description": "",
          "EphemeralStorage": {
            "Size": 512
          },
          "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
          "FunctionName": "f",
          "Handler": "app.handler",
          "LastModified": "2024-01-31T12:00:00.000+0000",
          "LoggingConfig": {
            "LogFormat": "Text",
            "LogGroup": "/aws/lambda/f"
          },
          "MemorySize": 128,
          "PackageType": "Zip",
          "RevisionId": null,
          "Role": "arn:aws:iam::000000000000:role/r",
          "Runtime": "python3.11",
          "RuntimeVersionConfig": {
            "RuntimeVersionArn": "arn:aws:lambda:us-east-1::runtime:python3.11"
          },
          "SnapStart": {
            "ApplyOn": "None",
            "OptimizationStatus": "Off"
          },
          "State": "Pending",
          "StateReason": "The function is being created.",
          "StateReasonCode": "Creating",
          "Timeout": 3,
          "TracingConfig": {
            "Mode": "PassThrough"
          },
          "Version": "$LATEST"
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
    assert_eq!(active.get("StateReason"), None);
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
            "Architectures": ["x86_64"], "CodeSigningConfigArn": null,
        }))
        .await;
    assert_eq!(created.status, 201, "{}", created.text());
    let created = created.value();
    for absent in ["Environment", "Layers", "DeadLetterConfig", "KMSKeyArn"] {
        assert_eq!(created.get(absent), None, "{absent}");
    }
}

#[tokio::test]
async fn an_empty_network_is_shown_from_when_it_was_sent() {
    let api = Api::start().await.with_function().await;
    assert_eq!(api.get(CONFIGURATION).await.value().get("VpcConfig"), None);
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
    let layer = "arn:aws:lambda:us-east-1:000000000000:layer:l:1";
    let key = "arn:aws:kms:us-east-1:000000000000:key/k";
    let access_point = "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-00000000000000000";
    let signing = "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-00000000000000000";
    for change in [
        json!({ "Publish": true }),
        json!({ "Layers": [layer] }),
        json!({ "VpcConfig": { "SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"] } }),
        json!({ "FileSystemConfigs": [{ "Arn": access_point, "LocalMountPath": "/mnt/a" }] }),
        json!({ "PackageType": "Image" }),
        json!({ "ImageConfig": { "Command": ["a"] } }),
        json!({ "Code": { "ImageUri": "000000000000.dkr.ecr.us-east-1.amazonaws.com/i:1" } }),
        json!({ "Code": { "S3Bucket": "bucket", "S3Key": "key" } }),
        json!({ "Code": { "ZipFile": "emlw", "SourceKMSKeyArn": key } }),
        json!({ "SnapStart": { "ApplyOn": "PublishedVersions" } }),
        json!({ "CodeSigningConfigArn": signing }),
        json!({ "TenancyConfig": { "TenantIsolationMode": "PER_TENANT" } }),
        json!({ "DurableConfig": { "ExecutionTimeout": 60 } }),
        json!({ "Architectures": ["arm64"] }),
    ] {
        seen += &(api.create(change).await.outcome() + "\n");
    }
    expect![[r#"
        400 InvalidParameterValueException: Publish is not supported by Hearth yet
        400 InvalidParameterValueException: Layers is not supported by Hearth yet
        400 InvalidParameterValueException: VpcConfig is not supported by Hearth yet
        400 InvalidParameterValueException: FileSystemConfigs is not supported by Hearth yet
        400 InvalidParameterValueException: PackageType Image is not supported by Hearth yet
        400 InvalidParameterValueException: ImageConfig is not supported by Hearth yet
        400 InvalidParameterValueException: Code.ImageUri is not supported by Hearth yet
        400 InvalidParameterValueException: Code.S3Bucket (send the package as Code.ZipFile) is not supported by Hearth yet
        400 InvalidParameterValueException: Code.SourceKMSKeyArn is not supported by Hearth yet
        400 InvalidParameterValueException: SnapStart is not supported by Hearth yet
        400 InvalidParameterValueException: CodeSigningConfigArn is not supported by Hearth yet
        400 InvalidParameterValueException: TenancyConfig is not supported by Hearth yet
        400 InvalidParameterValueException: DurableConfig is not supported by Hearth yet
        400 InvalidParameterValueException: Architectures arm64 on a host of x86_64 is not supported by Hearth yet
    "#]]
    .assert_eq(&seen);
    assert_eq!(api.get(FUNCTIONS).await.value()["Functions"], json!([]));
}

#[tokio::test]
async fn a_bad_create_is_refused_in_the_words_of_aws_and_makes_nothing() {
    let api = Api::start().await;
    let mut seen = String::new();
    for change in [
        json!({ "FunctionName": "x".repeat(65) }),
        json!({ "FunctionName": "a b" }),
        json!({ "FunctionName": "f:live" }),
        json!({ "FunctionName": "arn:aws:lambda:eu-west-1:000000000000:function:f" }),
        json!({ "FunctionName": "arn:aws:lambda:us-east-1:123456789012:function:f" }),
        json!({ "Handler": "a b" }),
        json!({ "Handler": null }),
        json!({ "Runtime": null }),
        json!({ "Runtime": "java21" }),
        json!({ "Timeout": 901 }),
        json!({ "MemorySize": 127 }),
        json!({ "MemorySize": 10_241 }),
        json!({ "MemorySize": "big" }),
        json!({ "EphemeralStorage": { "Size": 511 } }),
        json!({ "Role": "r", "Timeout": 0, "MemorySize": -1 }),
        json!({ "Environment": { "Variables": { "A B": "" } } }),
        json!({ "Environment": { "Variables": { "AWS_REGION": "" } } }),
        json!({ "LoggingConfig": { "LogFormat": "Text", "SystemLogLevel": "WARN" } }),
        json!({ "Code": {} }),
        json!({ "Code": { "ZipFile": "%%%" } }),
        json!({ "Code": { "ZipFile": "bm8gemlw" } }),
        json!({ "Code": { "ZipFile": "Ym9tYg==" } }),
    ] {
        seen += &(api.create(change).await.outcome() + "\n");
    }
    expect![[r#"
        400 InvalidParameterValueException: 1 validation error detected: Value 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' at 'functionName' failed to satisfy constraint: Member must have length less than or equal to 64
        400 ValidationException: 1 validation error detected: Value 'a b' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?
        400 InvalidParameterValueException: This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify either a function name or an unqualified function ARN.
        404 ResourceNotFoundException: Functions from 'eu-west-1' are not reachable in this region ('us-east-1')
        403 AccessDeniedException: User: arn:aws:iam::000000000000:root is not authorized to perform: lambda:CreateFunction on resource: arn:aws:lambda:us-east-1:123456789012:function:f because no resource-based policy allows the lambda:CreateFunction action
        400 ValidationException: 1 validation error detected: Value 'a b' at 'handler' failed to satisfy constraint: Member must satisfy regular expression pattern: [^\s]+
        400 InvalidParameterValueException: Handler is mandatory parameter for functions created with deployment packages.
        400 InvalidParameterValueException: Runtime is mandatory parameter for functions created with deployment packages.
        400 InvalidParameterValueException: The runtime parameter of java21 is not supported by Hearth. We recommend you use a supported runtime (nodejs*, python3.*, provided.al2, provided.al2023) while creating or updating functions.
        400 ValidationException: 1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900
        400 ValidationException: 1 validation error detected: Value '127' at 'memorySize' failed to satisfy constraint: Member must have value greater than or equal to 128
        400 ValidationException: 1 validation error detected: Value '10241' at 'memorySize' failed to satisfy constraint: Member must have value less than or equal to 10240
        400 SerializationException: STRING_VALUE can not be converted to an Integer
        400 ValidationException: 1 validation error detected: Value '511' at 'ephemeralStorage.size' failed to satisfy constraint: Member must have value greater than or equal to 512
        400 ValidationException: 3 validation errors detected: Value 'r' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+; Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 1; Value '-1' at 'memorySize' failed to satisfy constraint: Member must have value greater than or equal to 128
        400 ValidationException: 1 validation error detected: Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]
        400 InvalidParameterValueException: Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: AWS_REGION
        400 InvalidParameterValueException: LogLevel is not supported when LogFormat is set to "Text". Remove LogLevel from your request or change the LogFormat to "JSON" and try again.
        400 InvalidParameterValueException: Please provide a source for function code.
        400 SerializationException: The value of ZipFile is not base64
        400 InvalidParameterValueException: Could not unzip uploaded file. Please check your file, then try to upload again.
        400 InvalidParameterValueException: Unzipped size must be smaller than 262144000 bytes
    "#]].assert_eq(&seen);
    for (length, expected) in [
        (64, "201"),
        (140, "400 InvalidParameterValueException: less than or equal to 64"),
        (141, "400 ValidationException: less than or equal to 140"),
    ] {
        let outcome = api.create(json!({ "FunctionName": "x".repeat(length) })).await.outcome();
        let (head, end) = expected.split_once(": ").unwrap_or((expected, expected));
        assert!(outcome.starts_with(head) && outcome.ends_with(end), "{length}: {outcome}");
    }
    assert_eq!(api.send("DELETE", &format!("{FUNCTIONS}/{}", "x".repeat(64)), &[], b"").await.status, 204);
    let unknown = api.create(json!({ "Runtime": "non-existent-runtime" })).await.outcome();
    let head = "400 InvalidParameterValueException: Value non-existent-runtime at 'runtime' failed to satisfy constraint: \
                Member must satisfy enum value set: [nodejs, ";
    assert!(unknown.starts_with(head) && unknown.ends_with("] or be a valid ARN"), "{unknown}");
    let no_json = api.send("POST", FUNCTIONS, &[], b"xyz").await;
    assert_eq!((no_json.status, no_json.header("x-amzn-errortype")), (400, Some("SerializationException")));
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
        "g",
        "f:42",
        "f?Qualifier=live",
        "f?Qualifier=",
        "f:$LATEST?Qualifier=42",
        "arn:aws:lambda:ap-southeast-1:000000000000:function:f",
        "arn:aws:lambda:us-east-1:123456789012:function:f",
        "123456789012:function:f",
        "f%2Fg",
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
        g -> 404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:g
        f:42 -> 404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:42
        f?Qualifier=live -> 404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:live
        f?Qualifier= -> 400 ValidationException: 2 validation errors detected: Value '' at 'qualifier' failed to satisfy constraint: Member must have length greater than or equal to 1; Value '' at 'qualifier' failed to satisfy constraint: Member must satisfy regular expression pattern: \$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+
        f:$LATEST?Qualifier=42 -> 400 InvalidParameterValueException: The derived qualifier from the function name does not match the specified qualifier.
        arn:aws:lambda:ap-southeast-1:000000000000:function:f -> 404 ResourceNotFoundException: Functions from 'ap-southeast-1' are not reachable in this region ('us-east-1')
        arn:aws:lambda:us-east-1:123456789012:function:f -> 403 AccessDeniedException: User: arn:aws:iam::000000000000:root is not authorized to perform: lambda:GetFunction on resource: arn:aws:lambda:us-east-1:123456789012:function:f because no resource-based policy allows the lambda:GetFunction action
        123456789012:function:f -> 403 AccessDeniedException: User: arn:aws:iam::000000000000:root is not authorized to perform: lambda:GetFunction on resource: arn:aws:lambda:us-east-1:123456789012:function:f because no resource-based policy allows the lambda:GetFunction action
        f%2Fg -> 400 ValidationException: 1 validation error detected: Value 'f/g' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?
    "#]].assert_eq(&seen);
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
    assert_eq!(updated.get("KMSKeyArn"), None);
    api.settled("f").await;
    let cleared = json!({ "Environment": { "Variables": {} }, "Description": "" });
    let updated = api.json("PUT", CONFIGURATION, cleared).await.value();
    assert_eq!((&updated["Environment"]["Variables"], &updated["Description"]), (&json!({}), &json!("")));
}

#[tokio::test]
async fn of_the_versions_of_a_function_only_the_latest_can_be_changed() {
    let api = Api::start().await.with_function().await;
    let refused = "400 InvalidParameterValueException: This operation is permitted on Lambda functions only. Aliases and \
                   versions do not support this operation. Please specify either a function name or an unqualified \
                   function ARN.";
    for (reference, expected) in [("f:3", refused), ("f:live", refused), ("f:$LATEST", "200")] {
        for (end, body) in [
            ("configuration", json!({ "Description": reference })),
            ("code", json!({ "ZipFile": "emlwIG9mIGY=" })),
        ] {
            let answer = api.json("PUT", &format!("{FUNCTIONS}/{reference}/{end}"), body).await;
            assert_eq!(answer.outcome(), expected, "{reference} {end}");
            api.settled("f").await;
        }
    }
    assert_eq!(api.get(CONFIGURATION).await.value()["Description"], "f:$LATEST");
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
        json!({ "ZipFile": "emlwMg==", "Publish": true }),
        json!({}),
    ] {
        seen += &(api.json("PUT", CODE, body).await.outcome() + "\n");
    }
    expect![[r#"
        412 PreconditionFailedException: The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id
        400 InvalidParameterValueException: Could not unzip uploaded file. Please check your file, then try to upload again.
        400 InvalidParameterValueException: Please don't provide ImageUri when updating a function with packageType Zip.
        400 InvalidParameterValueException: S3Bucket (send the package as ZipFile) is not supported by Hearth yet
        400 InvalidParameterValueException: S3Bucket (send the package as ZipFile) is not supported by Hearth yet
        400 InvalidParameterValueException: Publish is not supported by Hearth yet
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
            assert_eq!(functions[0].get(absent), None, "{absent}");
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
async fn a_bad_invocation_is_refused_in_the_words_of_aws() {
    let api = Api::start().await.with_function().await;
    let context = "x".repeat(3_584);
    let mut seen = String::new();
    for (path, header, body) in [
        (INVOKE, ("X-Amz-Invocation-Type", "Event"), "{}"),
        (INVOKE, ("X-Amz-Invocation-Type", "Tail"), "{}"),
        (INVOKE, ("X-Amz-Log-Type", "Head"), "{}"),
        (INVOKE, ("X-Amz-Client-Context", "%"), "{}"),
        (INVOKE, ("X-Amz-Client-Context", &context), "{}"),
        (INVOKE, ("X-Amz-Tenant-Id", "blue"), "{}"),
        (INVOKE, ("X-Amz-Durable-Execution-Name", "e"), "{}"),
        (INVOKE, ("X-Other", ""), "{\"open\": "),
        (INVOKE, ("X-Other", ""), "\"break\""),
        ("/2015-03-31/functions/g/invocations", ("X-Other", ""), "{}"),
        ("/2015-03-31/functions/123456789012:function:f/invocations", ("X-Other", ""), "{}"),
    ] {
        seen += &(api.send("POST", path, &[header], body.as_bytes()).await.outcome() + "\n");
    }
    expect![[r#"
        501 NotImplementedException: Hearth does not implement InvocationType Event yet
        400 ValidationException: 1 validation error detected: Value 'Tail' at 'invocationType' failed to satisfy constraint: Member must satisfy enum value set: [Event, RequestResponse, DryRun]
        400 ValidationException: 1 validation error detected: Value 'Head' at 'logType' failed to satisfy constraint: Member must satisfy enum value set: [None, Tail]
        400 InvalidRequestContentException: Client context must be a valid Base64-encoded JSON object.
        400 InvalidRequestContentException: Client context must be no more than 3583 bytes.
        400 InvalidParameterValueException: TenantId is not supported by Hearth yet
        400 InvalidParameterValueException: DurableExecutionName is not supported by Hearth yet
        400 InvalidRequestContentException: Could not parse request body into json: Could not parse payload into json: Unexpected end-of-input
         at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 9]
        500 ServiceException: The AWS Lambda service encountered an internal error.
        404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:g
        403 AccessDeniedException: User: arn:aws:iam::000000000000:root is not authorized to perform: lambda:InvokeFunction on resource: arn:aws:lambda:us-east-1:123456789012:function:f because no resource-based policy allows the lambda:InvokeFunction action
    "#]].assert_eq(&seen);
    let payload = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    assert_eq!(api.send("POST", INVOKE, &[], payload(6_291_456).as_bytes()).await.status, 200);
    assert_eq!(
        api.send("POST", INVOKE, &[], payload(6_291_457).as_bytes()).await.outcome(),
        "413 RequestTooLargeException: 6291457 byte payload is too large for the RequestResponse invocation type (limit \
         6291456 bytes)"
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
async fn what_is_not_there_yet_is_named() {
    let api = Api::start().await.with_function().await;
    let publish = api.json("POST", &format!("{F}/versions"), json!({})).await;
    assert_eq!(
        publish.outcome(),
        "501 NotImplementedException: Hearth does not implement PublishVersion yet"
    );
    let layers = api.get("/2018-10-31/layers?find=LayerVersion&Arn=a").await;
    assert_eq!(
        layers.outcome(),
        "501 NotImplementedException: Hearth does not implement GetLayerVersionByArn yet"
    );
    assert_eq!(
        api.get("/bucket/key").await.outcome().split(':').next(),
        Some("404 UnknownOperationException")
    );
    assert_eq!(api.send("PATCH", F, &[], b"").await.status, 405);
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

#[tokio::test]
async fn a_name_that_is_taken_is_refused() {
    let api = Api::start().await.with_function().await;
    let again = api.json("POST", &format!("{FUNCTIONS}/"), new_function()).await;
    assert_eq!(again.outcome(), "409 ResourceConflictException: Function already exist: f");
}
