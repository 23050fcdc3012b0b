//! boto3, the AWS CLI and the AWS SDK for JavaScript, unmodified, with only the endpoint set.

use expect_test::{Expect, expect};
use hearth_tests::{
    Folder, Package, Server, aws, needs_node, provided_bootstrap, python, run_node, run_python,
};
use serde_json::{Value, json};

/// The runtimes that every client drives, each with its handler and two packages that answer differently.
fn packages(runtime: &str) -> (&'static str, Package, Package) {
    match runtime {
        "nodejs20.x" => {
            let source = |code| {
                format!(
                    "export const handler = async (event) => ({{ code: \"{code}\", hello: event.name }});\n"
                )
            };
            let package = |code| Package::new().file("index.mjs", source(code));
            ("index.handler", package("one"), package("two"))
        }
        "python3.11" => {
            let source = |code| {
                format!(
                    "def handler(event, context):\n    return {{'code': '{code}', 'hello': event['name']}}\n"
                )
            };
            let package = |code| Package::new().file("pkg/app.py", source(code));
            ("pkg/app.handler", package("one"), package("two"))
        }
        "provided.al2023" => {
            // The same program twice: that the second package is used shows in its new environment.
            let package =
                |code: &str| Package::new().program("bootstrap", provided_bootstrap()).file("code.txt", code);
            ("main", package("one"), package("two"))
        }
        other => unreachable!("{other}"),
    }
}

/// Writes the two packages of `runtime` to files, and hands their names to `drive`.
fn with_packages(runtime: &str, drive: impl FnOnce(&[&str])) {
    let (handler, first, second) = packages(runtime);
    let folder = Folder::new();
    let first = folder.write("first.zip", first.zip());
    let second = folder.write("second.zip", second.zip());
    drive(&[runtime, handler, first.to_str().unwrap(), second.to_str().unwrap()]);
}

fn check(seen: &Value, expected: &Expect) {
    expected.assert_eq(&format!("{seen:#}\n"));
}

/// What the function of a runtime answers, when it has the code `code`.
fn payload(runtime: &str, code: &str, name: &str) -> Value {
    match runtime {
        "provided.al2023" => json!({ "message": format!("Hello, {name}!"), "invocations": 1 }),
        _ => json!({ "code": code, "hello": name }),
    }
}

/// Checks what a client has seen in the whole life of a function.
fn check_life(runtime: &str, name: &str, gone: &str, mut seen: Value) {
    let answer = |code| {
        let payload = payload(runtime, code, name);
        json!({ "StatusCode": 200, "ExecutedVersion": "$LATEST", "FunctionError": null, "Payload": payload })
    };
    let [before, after] = ["before", "after"].map(|when| take_log_stream(&mut seen[when]["Payload"]));
    assert!(before.is_none() || before != after, "new code runs in a new environment");
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:lifecycle";
    assert_eq!(
        seen,
        json!({
            "created": ["Pending", "Creating", arn],
            "before": answer("one"),
            "updated": "InProgress",
            "code changed": true,
            "after": answer("two"),
            "deleted": 204,
            "gone": format!("{gone}Function not found: {arn}"),
        })
    );
}

fn take_log_stream(payload: &mut Value) -> Option<Value> {
    payload.as_object_mut().unwrap().remove("logStream")
}

fn boto3_drives(runtime: &str) {
    let server = Server::start();
    with_packages(runtime, |arguments| {
        let seen = run_python(&server, "lifecycle.py", arguments).json();
        check_life(runtime, "boto3", "", seen);
    });
}

fn the_javascript_sdk_drives(runtime: &str) {
    if !needs_node() {
        return;
    }
    let server = Server::start();
    with_packages(runtime, |arguments| {
        let seen = run_node(&server, "lifecycle.js", arguments).json();
        check_life(runtime, "js", "ResourceNotFoundException: ", seen);
    });
}

fn the_aws_cli_drives(runtime: &str) {
    let server = Server::start();
    with_packages(runtime, |arguments| {
        let [runtime, handler, first, second] = arguments else { unreachable!() };
        let folder = Folder::new();
        let output = folder.path().join("output.json");
        let output = output.to_str().unwrap();
        let call = || {
            let payload = json!({ "name": "cli" }).to_string();
            let invoke = ["lambda", "invoke", "--function-name", "lifecycle", "--payload", &payload, output];
            let answer = aws(&server, &invoke).json();
            assert_eq!(answer, json!({ "StatusCode": 200, "ExecutedVersion": "$LATEST" }));
            let mut payload: Value = serde_json::from_slice(&std::fs::read(output).unwrap()).unwrap();
            let log_stream = take_log_stream(&mut payload);
            (payload, log_stream)
        };

        let zip_file = format!("fileb://{first}");
        let role = "arn:aws:iam::000000000000:role/lambda";
        let create = ["lambda", "create-function", "--function-name", "lifecycle", "--runtime", runtime];
        let code = ["--handler", handler, "--role", role, "--zip-file", &zip_file];
        let created = aws(&server, &[&create[..], &code[..]].concat()).json();
        assert_eq!(created["State"], "Pending");
        aws(&server, &["lambda", "wait", "function-active-v2", "--function-name", "lifecycle"]).success();
        let (before, first_stream) = call();
        assert_eq!(before, payload(runtime, "one", "cli"));

        let zip_file = format!("fileb://{second}");
        let update =
            ["lambda", "update-function-code", "--function-name", "lifecycle", "--zip-file", &zip_file];
        let updated = aws(&server, &update).json();
        assert_eq!(updated["LastUpdateStatus"], "InProgress");
        aws(&server, &["lambda", "wait", "function-updated-v2", "--function-name", "lifecycle"]).success();
        let (after, second_stream) = call();
        assert_eq!(after, payload(runtime, "two", "cli"));
        assert!(
            first_stream.is_none() || first_stream != second_stream,
            "new code runs in a new environment"
        );

        aws(&server, &["lambda", "delete-function", "--function-name", "lifecycle"]).success();
        let gone = aws(&server, &["lambda", "get-function", "--function-name", "lifecycle"]);
        assert!(!gone.status.success());
        assert!(gone.stderr.contains("(ResourceNotFoundException)"), "{}", gone.stderr);
    });
}

#[test]
fn boto3_drives_the_life_of_a_node_function() {
    if needs_node() {
        boto3_drives("nodejs20.x");
    }
}

#[test]
fn boto3_drives_the_life_of_a_python_function() {
    boto3_drives("python3.11");
}

#[test]
fn boto3_drives_the_life_of_a_function_on_the_official_rust_runtime_client() {
    boto3_drives("provided.al2023");
}

#[test]
fn the_aws_cli_drives_the_life_of_a_node_function() {
    if needs_node() {
        the_aws_cli_drives("nodejs20.x");
    }
}

#[test]
fn the_aws_cli_drives_the_life_of_a_python_function() {
    the_aws_cli_drives("python3.11");
}

#[test]
fn the_aws_cli_drives_the_life_of_a_function_on_the_official_rust_runtime_client() {
    the_aws_cli_drives("provided.al2023");
}

#[test]
fn the_javascript_sdk_drives_the_life_of_a_node_function() {
    the_javascript_sdk_drives("nodejs20.x");
}

#[test]
fn the_javascript_sdk_drives_the_life_of_a_python_function() {
    the_javascript_sdk_drives("python3.11");
}

#[test]
fn the_javascript_sdk_drives_the_life_of_a_function_on_the_official_rust_runtime_client() {
    the_javascript_sdk_drives("provided.al2023");
}

#[test]
fn the_aws_cli_learns_who_it_is_from_sts() {
    let server = Server::start();
    let identity = aws(&server, &["sts", "get-caller-identity"]).json();
    assert_eq!(identity["Account"], "000000000000");
    let arn = identity["Arn"].as_str().unwrap();
    assert!(
        arn.starts_with("arn:aws:iam::000000000000:") || arn.starts_with("arn:aws:sts::000000000000:"),
        "{arn}"
    );
    assert!(!identity["UserId"].as_str().unwrap().is_empty());
}

#[test]
fn the_paginator_of_boto3_sees_every_function_once_in_pages_of_50() {
    let server = Server::start();
    for number in 0..60 {
        let new = python(&format!("function-{number:02}"), "def handler(event, context): pass\n");
        let response = server.http("POST", "/2015-03-31/functions", new.body().to_string().as_bytes());
        assert_eq!(response.status, 201, "{}", response.text());
    }
    let seen = run_python(&server, "pages.py", &[]).json();
    let names: Vec<String> = (0..60).map(|number| format!("function-{number:02}")).collect();
    assert_eq!(seen, json!({ "pages": [50, 10], "names": names }));
}

#[test]
fn boto3_raises_the_exceptions_of_aws_with_their_texts() {
    let server = Server::start();
    server.create(python("errors", "def handler(event, context): return 1\n"));
    check(
        &run_python(&server, "errors.py", &[]).json(),
        &expect![[r#"
            {
              "a deletion of the latest version": "400 InvalidParameterValueException: $LATEST version cannot be deleted without deleting the function.",
              "a function of another account": "403 ClientError(AccessDeniedException): User: arn:aws:iam::000000000000:root is not authorized to perform: lambda:GetFunction",
              "a function of another region": "404 ResourceNotFoundException: Functions from 'eu-west-1' are not reachable in this region ('us-east-1')",
              "a function that is not there": "404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:nope",
              "a function that is there already": "409 ResourceConflictException: Function already exist: errors",
              "a long name": "400 InvalidParameterValueException: 1 validation error detected: Value 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' at 'functionName' failed to satisfy constraint: Member must have length less than or equal to 64",
              "a missing member": "400 ClientError(ValidationException): 1 validation error detected: Value null at 'role' failed to satisfy constraint: Member must not be null",
              "a package that is no zip": "400 InvalidParameterValueException: Could not unzip uploaded file. Please check your file, then try to upload again.",
              "a payload of another type": "415 UnsupportedMediaTypeException: The content type of the request body is not JSON: application/xml",
              "a payload that is not JSON": "400 InvalidRequestContentException: Could not parse request body into json: Could not parse pay",
              "a payload that is too large": "413 RequestTooLargeException: 6291457 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)",
              "a reserved variable": "400 InvalidParameterValueException: Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: AWS_REGION",
              "a retired runtime": "400 InvalidParameterValueException: The runtime parameter of python3.7 is no longer supported for creating or updating AWS Lambda functions. We recommend you use a supported runtime while creating or updating functions.",
              "a version that is not there": "404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:errors:42",
              "a wrong marker": "400 InvalidParameterValueException: The provided marker is invalid. Please provide a valid marker.",
              "a wrong name": "400 ClientError(ValidationException): 1 validation error detected: Value 'a b' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression",
              "a wrong page": "400 ClientError(ValidationException): 1 validation error detected: Value '0' at 'maxItems' failed to satisfy constraint: Member must have value greater than or equal to 1",
              "a wrong type": "400 ClientError(SerializationException): STRING_VALUE can not be converted to an Integer",
              "an old revision": "412 PreconditionFailedException: The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id",
              "an operation that is not there yet": "501 ClientError(NotImplementedException): Hearth does not implement ListCapacityProviders yet",
              "an unknown runtime": "400 InvalidParameterValueException: Value python9.9 at 'runtime' failed to satisfy constraint: Member must satisfy enum value set",
              "two qualifiers": "400 InvalidParameterValueException: The derived qualifier from the function name does not match the specified qualifier.",
              "two wrong members": "400 ClientError(ValidationException): 2 validation errors detected: Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 1; Value '1' at 'memorySize' failed to satisfy constraint: Member must have value greater than or equal to 128"
            }
        "#]],
    );
}
