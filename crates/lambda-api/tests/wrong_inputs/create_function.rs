//! CreateFunction.

use serde_json::{Value, json};

use crate::refusal::*;
use crate::support::{Api, World, new_function};
use crate::{ANY_ARN, FUNCTION_NAME, FUNCTIONS, LAYER, ROLE};

/// Sends the least request with `change` made.
async fn check(api: &Api, rows: Vec<(Value, Refusal)>) {
    for (change, refusal) in rows {
        let answer = api.create(change.clone()).await;
        let what: String = change.to_string().chars().take(200).collect();
        refusal.check(&what, &answer);
    }
    let functions = api.get(FUNCTIONS).await.value();
    assert_eq!(functions["Functions"], json!([]), "nothing was made");
}

#[tokio::test]
async fn case_003_004_a_wrong_name_makes_nothing() {
    let api = Api::start().await;
    let long = |length| json!({ "FunctionName": "x".repeat(length) });
    let of_65_to_140 = |length: usize| {
        let item = item(&"x".repeat(length), "functionName", length_at_most(64));
        invalid_parameter(&format!("1 validation error detected: {item}"))
    };
    let arn = |region: &str, account: &str| json!({ "FunctionName": format!("arn:aws:lambda:{region}:{account}:function:f") });
    let unlike = |name: &str| broken(name, "functionName", pattern(FUNCTION_NAME));
    let not_of_a_version = invalid_parameter(
        "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. \
         Please specify either a function name or an unqualified function ARN.",
    );
    check(
        &api,
        vec![
            (long(65), of_65_to_140(65)),
            (long(140), of_65_to_140(140)),
            (long(141), broken(&"x".repeat(141), "functionName", length_at_most(140))),
            (json!({ "FunctionName": "a b" }), unlike("a b")),
            (json!({ "FunctionName": "a/b" }), unlike("a/b")),
            (json!({ "FunctionName": "f:" }), unlike("f:")),
            (json!({ "FunctionName": "ä" }), unlike("ä")),
            (json!({ "FunctionName": "a.b" }), unlike("a.b")),
            (json!({ "FunctionName": "f\r\nX-Forged: 1" }), unlike("f\r\nX-Forged: 1")),
            (
                json!({ "FunctionName": "" }),
                validation(&[
                    item("", "functionName", length_at_least(1)),
                    item("", "functionName", pattern(FUNCTION_NAME)),
                ]),
            ),
            (json!({ "FunctionName": null }), validation(&[missing("functionName")])),
            (json!({ "FunctionName": 7 }), wrong_type("NUMBER_VALUE", "a String")),
            (json!({ "FunctionName": "f:live" }), not_of_a_version),
            (arn("eu-west-1", "000000000000"), unreachable_region("eu-west-1")),
            (arn("us-east-1", "123456789012"), denied("CreateFunction")),
            (arn("US-EAST-1", "000000000000"), unlike("arn:aws:lambda:US-EAST-1:000000000000:function:f")),
        ],
    )
    .await;
}

#[tokio::test]
async fn case_005_a_wrong_runtime_makes_nothing() {
    let api = Api::start().await;
    let unknown = |runtime: &str| {
        let head = "failed to satisfy constraint: Member must satisfy enum value set: [";
        invalid_parameter(&format!("Value {runtime} at 'runtime' {head}")).and_so_on()
    };
    let retired = |runtime: &str| {
        invalid_parameter(&format!(
            "The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda functions. We \
             recommend you use a supported runtime while creating or updating functions."
        ))
    };
    let mut rows = vec![
        (
            json!({ "Runtime": "java21" }),
            invalid_parameter("The runtime parameter of java21 is not supported by Hearth.").and_so_on(),
        ),
        (
            json!({ "Runtime": null }),
            invalid_parameter(
                "Runtime is mandatory parameter for functions created with deployment packages.",
            ),
        ),
    ];
    for runtime in ["python9.9", "PYTHON3.9", "non-existent-runtime", ""] {
        rows.push((json!({ "Runtime": runtime }), unknown(runtime)));
    }
    for runtime in
        ["python3.7", "python2.7", "nodejs", "nodejs8.10", "nodejs16.x", "go1.x", "provided", "dotnetcore3.1"]
    {
        rows.push((json!({ "Runtime": runtime }), retired(runtime)));
    }
    check(&api, rows).await;
    let text = api.create(json!({ "Runtime": "python9.9" })).await.value()["message"].clone();
    assert!(text.as_str().unwrap().ends_with("] or be a valid ARN"), "{text}");
}

#[tokio::test]
async fn case_006_a_number_out_of_range_makes_nothing() {
    let api = Api::start().await;
    let memory = |value: i64| json!({ "MemorySize": value });
    let too_small = |value: i64| broken(&value.to_string(), "memorySize", at_least(128));
    let storage = |value: i64| json!({ "EphemeralStorage": { "Size": value } });
    check(
        &api,
        vec![
            (memory(-1), too_small(-1)),
            (memory(0), too_small(0)),
            (memory(127), too_small(127)),
            // The service's bound; the model's is 32768, for managed instances.
            (memory(10_241), broken("10241", "memorySize", at_most(10_240))),
            (memory(32_769), broken("32769", "memorySize", at_most(32_768))),
            (
                json!({ "MemorySize": 9_223_372_036_854_775_808_u64 }),
                broken("9223372036854775808", "memorySize", at_most(32_768)),
            ),
            (json!({ "Timeout": 0 }), broken("0", "timeout", at_least(1))),
            (json!({ "Timeout": 901 }), broken("901", "timeout", at_most(900))),
            (json!({ "Timeout": 5_401 }), broken("5401", "timeout", at_most(5_400))),
            (storage(511), broken("511", "ephemeralStorage.size", at_least(512))),
            (storage(10_241), broken("10241", "ephemeralStorage.size", at_most(10_240))),
            (json!({ "EphemeralStorage": {} }), validation(&[missing("ephemeralStorage.size")])),
            (json!({ "MemorySize": 128.5 }), wrong_type("NUMBER_VALUE", "an Integer")),
        ],
    )
    .await;
}

#[tokio::test]
async fn case_007_wrong_variables_make_nothing_and_are_not_repeated() {
    let api = Api::start().await;
    let variables = |name: &str, value: &str| json!({ "Environment": { "Variables": { name: value } } });
    let head = "Lambda was unable to configure your environment variables because the environment variables you have \
                provided";
    let reserved = |names: &str| {
        invalid_parameter(&format!(
            "{head} contains reserved keys that are currently not supported for modification. Reserved keys used in this \
             request: {names}"
        ))
    };
    // No quoted value behind `Value`: variables are secrets.
    let bad_name = || {
        validation(&["Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: \
                      [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]"
            .to_owned()])
    };
    let long = "x".repeat(4_087);
    check(
        &api,
        vec![
            (
                variables("KEY", &long),
                invalid_parameter(&format!("{head} exceeded the 4KB limit. String measured: {{\"KEY\":\"{long}\"}}")),
            ),
            (variables("AWS_REGION", "x"), reserved("AWS_REGION")),
            (
                json!({ "Environment": { "Variables": { "AWS_LAMBDA_RUNTIME_API": "", "AWS_ACCESS_KEY_ID": "" } } }),
                reserved("AWS_ACCESS_KEY_ID, AWS_LAMBDA_RUNTIME_API"),
            ),
            (variables("A", "x"), bad_name()),
            (variables("_HANDLER", "x"), bad_name()),
            (variables("1A", "x"), bad_name()),
            (variables("A-B", "x"), bad_name()),
            (variables("A=B", "x"), bad_name()),
            (variables("A\0B", "x"), bad_name()),
            (variables("ÄB", "x"), bad_name()),
            // Case 8: what no process can be given. The text behind the head is Hearth's.
            (variables("KEY", "a\0b"), invalid_parameter(&format!("{head} contain a NUL character"))),
            (json!({ "Environment": { "Variables": { "KEY": 1 } } }), wrong_type("NUMBER_VALUE", "a String")),
        ],
    )
    .await;
}

#[tokio::test]
async fn every_variable_that_functions_are_given_is_reserved() {
    let api = Api::start().await;
    for name in [
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_MAX_CONCURRENCY",
        "AWS_LAMBDA_METADATA_API",
        "AWS_LAMBDA_METADATA_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SECRET_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    ] {
        let refused = api.create(json!({ "Environment": { "Variables": { name: "x" } } })).await;
        let message = refused.value()["message"].as_str().unwrap_or_default().to_owned();
        assert!(
            message.ends_with(&format!("Reserved keys used in this request: {name}")),
            "{name}: {message}"
        );
    }
    // Defaults that the owner may replace.
    let variables: serde_json::Map<String, Value> = [
        "TZ",
        "PATH",
        "LANG",
        "LD_LIBRARY_PATH",
        "PYTHONPATH",
        "NODE_PATH",
        "AWS_LAMBDA_LOG_LEVEL",
        "AWS_XRAY_CONTEXT_MISSING",
        "AWS_LAMBDA_EXEC_WRAPPER",
    ]
    .into_iter()
    .map(|name| (name.to_owned(), Value::from("x")))
    .collect();
    assert_eq!(api.create(json!({ "Environment": { "Variables": variables } })).await.status, 201);
}

#[tokio::test]
async fn a_handler_a_role_and_other_texts_are_checked_as_the_model_has_them() {
    let api = Api::start().await;
    let tags = |key: &str, value: &str| json!({ "Tags": { key: value } });
    let tag_key = r"Map keys must satisfy constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: ([\p{L}\p{Z}\p{N}_.:/=+\-@]*)]";
    let tag_value = r"Map value must satisfy constraint: [Member must have length less than or equal to 256, Member must have length greater than or equal to 0, Member must satisfy regular expression pattern: ([\p{L}\p{Z}\p{N}_.:/=+\-@]*), Member must not be null]";
    let many_tags: Value = (0..51)
        .map(|number| (format!("k{number}"), Value::from("v")))
        .collect::<serde_json::Map<_, _>>()
        .into();
    check(
        &api,
        vec![
            (json!({ "Handler": "x".repeat(129) }), broken(&"x".repeat(129), "handler", length_at_most(128))),
            (json!({ "Handler": "a b" }), broken("a b", "handler", pattern(r"[^\s]+"))),
            (json!({ "Handler": "" }), broken("", "handler", pattern(r"[^\s]+"))),
            (
                json!({ "Handler": null }),
                invalid_parameter("Handler is mandatory parameter for functions created with deployment packages."),
            ),
            (json!({ "Role": "r1" }), broken("r1", "role", pattern(ROLE))),
            (json!({ "Role": null }), validation(&[missing("role")])),
            (json!({ "Description": "🔥".repeat(129) }), broken(&"🔥".repeat(129), "description", length_at_most(256))),
            (json!({ "KMSKeyArn": "key" }), broken("key", "kMSKeyArn", pattern(ANY_ARN))),
            (
                json!({ "DeadLetterConfig": { "TargetArn": "queue" } }),
                broken("queue", "deadLetterConfig.targetArn", pattern(ANY_ARN)),
            ),
            (json!({ "TracingConfig": { "Mode": "On" } }), broken("On", "tracingConfig.mode", one_of("Active, PassThrough"))),
            (json!({ "PackageType": "Tar" }), broken("Tar", "packageType", one_of("Zip, Image"))),
            (
                json!({ "LoggingConfig": { "LogGroup": "a b" } }),
                broken("a b", "loggingConfig.logGroup", pattern(r"[\.\-_/#A-Za-z0-9]+")),
            ),
            (
                json!({ "LoggingConfig": { "LogFormat": "Text", "SystemLogLevel": "WARN" } }),
                invalid_parameter(
                    "LogLevel is not supported when LogFormat is set to \"Text\". Remove LogLevel from your request or \
                     change the LogFormat to \"JSON\" and try again.",
                ),
            ),
            (tags("k", "a\r\nb"), broken("{k=a\r\nb}", "tags", tag_value)),
            (tags("🔥", "v"), broken("{🔥=v}", "tags", tag_key)),
            (tags("", "v"), broken("{=v}", "tags", tag_key)),
            (tags("k", "\u{1b}[31m"), broken("{k=\u{1b}[31m}", "tags", tag_value)),
            (json!({ "Tags": many_tags }), invalid_parameter("Number of tags exceeds resource tag limit.")),
        ],
    )
    .await;
}

#[tokio::test]
async fn lists_are_checked_with_their_elements() {
    let api = Api::start().await;
    let subnets: Vec<&str> = vec!["subnet-1"; 17];
    let subnets_shown = format!("[{}]", subnets.join(", "));
    check(
        &api,
        vec![
            (
                json!({ "Architectures": ["X86_64"] }),
                broken("[X86_64]", "architectures", elements(&[one_of("x86_64, arm64")])),
            ),
            (
                json!({ "Architectures": ["x86_64", "arm64"] }),
                broken("[x86_64, arm64]", "architectures", length_at_most(1)),
            ),
            (json!({ "Architectures": [] }), broken("[]", "architectures", length_at_least(1))),
            (
                json!({ "Layers": ["l", "m"] }),
                broken(
                    "[l, m]",
                    "layers",
                    elements(&[length_at_most(2_048), length_at_least(1), pattern(LAYER)]),
                ),
            ),
            (
                json!({ "VpcConfig": { "SubnetIds": subnets } }),
                broken(&subnets_shown, "vpcConfig.subnetIds", length_at_most(16)),
            ),
            (
                json!({ "VpcConfig": { "SecurityGroupIds": ["sg-1"] } }),
                invalid_parameter("SubnetIds and SecurityIds must coexist or be both empty list."),
            ),
            (
                json!({ "FileSystemConfigs": [{}] }),
                validation(&[
                    missing("fileSystemConfigs.1.member.arn"),
                    missing("fileSystemConfigs.1.member.localMountPath"),
                ]),
            ),
            (json!({ "Layers": "l" }), wrong_type("STRING_VALUE", "a List")),
            (json!({ "Architectures": ["arm64"] }), unsupported("Architectures arm64 on a host of x86_64")),
        ],
    )
    .await;
}

#[tokio::test]
async fn all_that_is_wrong_is_said_at_once_in_the_order_of_the_model() {
    let api = Api::start().await;
    check(
        &api,
        vec![
            (
                json!({ "Code": null, "Role": null, "FunctionName": null }),
                validation(&[missing("functionName"), missing("role"), missing("code")]),
            ),
            (
                json!({
                    "MemorySize": 0, "Handler": "a b", "Role": "r1", "FunctionName": "a b", "Timeout": 0,
                    "LoggingConfig": { "LogFormat": "XML" }, "EphemeralStorage": { "Size": 1 }
                }),
                validation(&[
                    item("a b", "functionName", pattern(FUNCTION_NAME)),
                    item("r1", "role", pattern(ROLE)),
                    item("a b", "handler", pattern(r"[^\s]+")),
                    item("0", "timeout", at_least(1)),
                    item("0", "memorySize", at_least(128)),
                    item("1", "ephemeralStorage.size", at_least(512)),
                    item("XML", "loggingConfig.logFormat", one_of("JSON, Text")),
                ]),
            ),
            // Types are read before constraints are looked at.
            (json!({ "Role": "r1", "Timeout": "long" }), wrong_type("STRING_VALUE", "an Integer")),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_package_is_refused_in_the_words_of_aws() {
    let api = Api::start().await;
    let code = |code: Value| json!({ "Code": code });
    check(
        &api,
        vec![
            (
                code(json!({ "ZipFile": "bm8gemlw" })),
                invalid_parameter(
                    "Could not unzip uploaded file. Please check your file, then try to upload again.",
                ),
            ),
            (
                code(json!({ "ZipFile": "Ym9tYg==" })),
                invalid_parameter("Unzipped size must be smaller than 262144000 bytes"),
            ),
            (code(json!({ "ZipFile": "%%%" })), unreadable("The value of ZipFile is not base64")),
            (code(json!({ "ZipFile": 7 })), wrong_type("NUMBER_VALUE", "a Blob")),
            (code(json!({})), invalid_parameter("Please provide a source for function code.")),
            (
                code(json!({ "S3Bucket": "b.", "S3Key": "" })),
                validation(&[
                    item("b.", "code.s3Bucket", length_at_least(3)),
                    item("b.", "code.s3Bucket", pattern(r"[0-9A-Za-z\.\-_]*(?<!\.)")),
                    item("", "code.s3Key", length_at_least(1)),
                ]),
            ),
            (code(json!({ "S3Bucket": "bucket", "S3Key": "key" })), no_such_bucket()),
            (code(json!("zip")), wrong_type("STRING_VALUE", "a Structure")),
        ],
    )
    .await;
}

#[tokio::test]
async fn case_001_a_body_that_is_no_json_makes_nothing() {
    let api = Api::start().await;
    let deep = format!("{{\"Tags\":{}", "[".repeat(100_000));
    let number = new_function().to_string().replacen('{', "{\"Timeout\":1e400,", 1);
    for (what, body, refusal) in [
        ("a word", &b"xyz"[..], no_json()),
        ("cut off", b"{\"FunctionName\": \"f\"", no_json()),
        ("two objects", b"{} {}", no_json()),
        ("NaN", b"{\"Timeout\": NaN}", no_json()),
        ("not UTF-8", b"{\"FunctionName\": \"\xff\"}", no_json()),
        ("half a surrogate", b"{\"FunctionName\": \"\\ud800\"}", no_json()),
        ("a byte order mark", b"\xef\xbb\xbf{}", no_json()),
        ("NUL", b"\0", no_json()),
        ("a comma too many", b"{\"Timeout\": 3,}", no_json()),
        ("deeper than anything", deep.as_bytes(), no_json()),
        ("a number beyond every number", number.as_bytes(), no_json()),
        ("a list", b"[]", unreadable("The request body is not a JSON object")),
        ("a text", b"\"f\"", unreadable("The request body is not a JSON object")),
        ("nothing", b"", no_json()),
        ("blanks", b" \r\n", no_json()),
        ("an empty object", b"{}", validation(&[missing("functionName"), missing("role"), missing("code")])),
    ] {
        refusal.check(what, &api.send("POST", FUNCTIONS, &[], body).await);
    }
    assert_eq!(api.get(FUNCTIONS).await.value()["Functions"], json!([]), "nothing was made");

    // Of two members with one name the last one counts, as for every parser that AWS's clients use.
    let twice = new_function().to_string().replacen('{', "{\"FunctionName\":\"first\",", 1);
    let created = api.send("POST", FUNCTIONS, &[], twice.as_bytes()).await;
    assert_eq!((created.status, &created.value()["FunctionName"]), (201, &json!("f")));
}

#[tokio::test]
async fn case_010_a_name_that_is_taken_is_refused() {
    let api = Api::start_in(World { settles: false, ..World::default() }).await;
    assert_eq!(api.create(json!({})).await.status, 201);
    let taken = conflict("Function already exist: f");
    taken.check("while it is Pending", &api.create(json!({})).await);
    api.settle();
    api.settled("f").await;
    taken.check("by name", &api.create(json!({ "Timeout": 9 })).await);
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
    taken.check("by ARN", &api.create(json!({ "FunctionName": arn })).await);
    assert_eq!(
        api.get(&format!("{FUNCTIONS}/f/configuration")).await.value()["Timeout"],
        3,
        "nothing changed"
    );
}
