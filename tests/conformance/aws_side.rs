//! What tools call in passing: S3, IAM, STS. The clients are boto3 and the AWS CLI; `tests/clients/s3_signatures.py` signs
//! by hand, in the ways of SDKs that are not here.

use std::fs;
use std::sync::Arc;

use expect_test::{Expect, expect};
use hearth_tests::{
    Folder, Package, Server, Settings, aws, eventually, hearth_with, run_python, run_python_with_key,
};
use serde_json::Value;

fn check(seen: &Value, expected: &Expect) {
    expected.assert_eq(&format!("{seen:#}\n"));
}

/// Makes a key in the data folder of a server, and waits until it counts.
fn key(server: &Server, name: &str, policy: &str) -> (String, String) {
    let data_dir = server.data_dir().path().to_str().unwrap().to_owned();
    let arguments =
        ["credentials", "add", name, "--policy", policy, "--data-dir", &data_dir, "--output", "json"];
    let added = hearth_with(&[], &arguments).json();
    let status = || server.http("GET", "/2015-03-31/functions/", b"").status;
    eventually("the server asks for a key", || (status() == 403).then_some(()));
    let text = |member: &str| added[member].as_str().unwrap().to_owned();
    (text("AccessKeyId"), text("SecretAccessKey"))
}

fn greeting(text: &str) -> Vec<u8> {
    Package::new().file("app.py", format!("def handler(event, context):\n    return {text:?}\n")).zip()
}

/// The names of all files with the bytes of objects.
fn blobs(folder: &Folder) -> Vec<String> {
    let entries = fs::read_dir(folder.path().join("s3/objects")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn boto3_finds_the_buckets_objects_lists_and_uploads_that_it_knows() {
    let server = Server::start();
    let folder = Folder::new();
    let seen = run_python(&server, "s3.py", &[folder.path().to_str().unwrap()]).json();
    check(
        &seen,
        &expect![[r#"
        {
          "a bucket that is full": "409 BucketNotEmpty",
          "a bucket with uploads": "409 BucketNotEmpty",
          "a key of the client": "501 NotImplemented",
          "a long key": "400 KeyTooLongError",
          "a name that is none": "400 InvalidBucketName",
          "a policy": "501 NotImplemented",
          "a public object": "400 AccessControlListNotSupported",
          "a range behind the end": "416 InvalidRange",
          "a version": "404 NoSuchVersion",
          "a wrong checksum": "400 BadDigest",
          "a wrong digest": "400 BadDigest",
          "abort": 204,
          "abort again": "404 NoSuchUpload",
          "an encryption that is none": "400 InvalidArgument",
          "another part": "400 InvalidPart",
          "buckets": [
            "first"
          ],
          "copy": [
            "hello, bucket",
            {
              "colour": "red"
            }
          ],
          "create": 200,
          "create again": "409 BucketAlreadyOwnedByYou",
          "delete": 204,
          "delete again": "404 NoSuchBucket",
          "delete what is not there": 204,
          "deleted": 1,
          "empty": "",
          "encrypted": [
            "AES256",
            "AES256",
            "AES256",
            "AES256",
            "AES256",
            "AES256",
            "AES256",
            "AES256"
          ],
          "encryption": "501 NotImplemented",
          "head": 200,
          "head of another": "404 404",
          "head of no key": "404 404",
          "if match": "412 PreconditionFailed",
          "if none match": "412 PreconditionFailed",
          "keys": [
            "a b/ü+&<>.txt"
          ],
          "listed parts": [
            1,
            2
          ],
          "location": null,
          "much metadata": "400 MetadataTooLarge",
          "no such bucket": "404 NoSuchBucket",
          "no such key": "404 NoSuchKey",
          "none of them is there": "404 404",
          "not encrypted": [
            null,
            null
          ],
          "not modified": "304 304",
          "object": [
            "hello, bucket",
            "text/plain",
            "no-cache",
            {
              "colour": "red"
            },
            13
          ],
          "of long ago": "403 AccessDenied",
          "older pages": [
            [
              "l/a",
              "l/b/1"
            ],
            [
              "l/b/2",
              "l/c/1"
            ],
            [
              "l/d"
            ]
          ],
          "pages": [
            [
              "l/a"
            ],
            [
              "l/b/"
            ],
            [
              "l/c/"
            ],
            [
              "l/d"
            ]
          ],
          "part 0": "400 InvalidArgument",
          "parts": "4",
          "parts out of order": "400 InvalidPartOrder",
          "presigned": "200 hello, bucket",
          "presigned and changed": "404 NoSuchKey",
          "presigned for another method": "204 ",
          "presigned put": "200 ",
          "put by url": "put by url",
          "range": "buc",
          "range head": "bytes 7-12/13",
          "small parts": "400 EntityTooSmall",
          "uploads": [
            "parts"
          ]
        }
    "#]],
    );
    eventually("the bytes of all objects are removed", || blobs(server.data_dir()).is_empty().then_some(()));
}

#[test]
fn boto3_makes_changes_and_deletes_roles_and_has_sessions_of_them() {
    let seen = run_python(&Server::start(), "iam.py", &[]).json();
    check(
        &seen,
        &expect![[r#"
            {
              "a policy of nobody": "404 NoSuchEntity: Policy arn:aws:iam::000000000000:policy/x does not exist or is not attachable.",
              "a role of nobody": "403 AccessDenied: User: arn:aws:iam::000000000000:root is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::000000000000:role/none",
              "a session policy": "400 ValidationError: Policy is not supported by Hearth yet",
              "a table": "501 NotImplementedException: Hearth does not implement DynamoDB_20120810.ListTables yet",
              "a topic": "501 NotImplemented: Hearth does not implement sns:ListTopics yet",
              "a user": "501 NotImplemented: Hearth does not implement iam:CreateUser yet",
              "an api": "501 NotImplementedException: Hearth does not implement the service apigateway yet",
              "arn": "arn:aws:iam::000000000000:role/service/worker",
              "attached": [
                {
                  "PolicyArn": "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
                  "PolicyName": "AWSLambdaBasicExecutionRole"
                }
              ],
              "changed": [
                7200,
                [
                  {
                    "Key": "more",
                    "Value": "1"
                  }
                ],
                "works & <plays>"
              ],
              "create again": "409 EntityAlreadyExists: Role with name Worker already exists.",
              "delete": 200,
              "delete again": "404 NoSuchEntity: The role with name worker cannot be found.",
              "delete with policies": "409 DeleteConflict: Cannot delete entity, must detach all policies first.",
              "detach again": "404 NoSuchEntity: Policy arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole was not found.",
              "functions": 0,
              "inline": [
                "inline"
              ],
              "instance profiles": 200,
              "no arn": "400 InvalidInput: ARN xxxxxxxxxxxxxxxxxxxx is not valid.",
              "no name": "400 ValidationError: The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-",
              "no policy": "400 MalformedPolicyDocument: This policy contains invalid Json",
              "no such role": "404 NoSuchEntity: The role with name none cannot be found.",
              "role": [
                "works & <plays>",
                [
                  {
                    "Key": "team",
                    "Value": "a&b"
                  }
                ],
                3600,
                "/service/"
              ],
              "roles": [
                [
                  "another"
                ],
                [
                  "worker"
                ]
              ],
              "too long": "400 ValidationError: The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
              "who": "arn:aws:sts::000000000000:assumed-role/worker/me"
            }
        "#]],
    );
}

#[test]
fn with_keys_every_way_to_sign_an_upload_is_verified_to_its_last_byte() {
    let server = Server::start();
    let (id, secret) = key(&server, "ada", "admin");
    let seen = run_python(&server, "s3_signatures.py", &[&id, &secret]).json();
    check(
        &seen,
        &expect![[r#"
        [
          [
            "a bucket",
            "200 "
          ],
          [
            "a hash",
            "200 "
          ],
          [
            "another body",
            "400 XAmzContentSHA256Mismatch"
          ],
          [
            "no hash",
            "200 "
          ],
          [
            "chunks",
            "200 "
          ],
          [
            "another chunk",
            "403 SignatureDoesNotMatch"
          ],
          [
            "fewer chunks",
            "400 IncompleteBody"
          ],
          [
            "chunks without signatures",
            "403 SignatureDoesNotMatch"
          ],
          [
            "a trailer",
            "200 "
          ],
          [
            "a wrong trailer",
            "400 BadDigest"
          ],
          [
            "unsigned chunks",
            "200 "
          ],
          [
            "a wrong checksum",
            "400 BadDigest"
          ],
          [
            "no trailer",
            "400 MalformedTrailerError"
          ],
          [
            "another secret",
            "403 SignatureDoesNotMatch"
          ],
          [
            "what was refused",
            "404 NoSuchKey"
          ]
        ]
    "#]],
    );
    // The same client as without keys: what it does is signed right, and presigned URLs are good for what they say alone.
    let folder = Folder::new();
    let path = folder.path().to_str().unwrap();
    let seen = run_python_with_key(&server, (&id, &secret), "s3.py", &[path]).json();
    let of_urls = [
        "presigned",
        "presigned and changed",
        "presigned for another method",
        "of long ago",
        "presigned put",
    ]
    .map(|name| format!("{name}: {}\n", seen[name].as_str().unwrap()));
    expect![[r#"
        presigned: 200 hello, bucket
        presigned and changed: 403 SignatureDoesNotMatch
        presigned for another method: 403 SignatureDoesNotMatch
        of long ago: 403 SignatureDoesNotMatch
        presigned put: 200 
    "#]]
    .assert_eq(&of_urls.concat());
}

#[test]
fn a_session_of_a_role_may_do_what_the_policies_of_the_role_say_and_no_more() {
    let server = Settings::new().start();
    let (id, secret) = key(&server, "ada", "admin");
    let mut seen = run_python_with_key(&server, (&id, &secret), "assumed_role.py", &[]).json();
    let keys = seen.as_object_mut().unwrap().remove("keys").unwrap();
    assert!(keys[0].as_str().unwrap().starts_with("ASIA"));
    check(
        &seen,
        &expect![[r#"
            {
              "another token": "403 UnrecognizedClientException",
              "assume": 200,
              "copy from mine": 200,
              "copy from other": "403 AccessDenied",
              "create": 200,
              "invoke": "403 AccessDeniedException",
              "list": 200,
              "list buckets": "403 AccessDenied",
              "list, without a policy": "403 AccessDeniedException",
              "no token": "403 UnrecognizedClientException",
              "put into mine": 200,
              "put into other": "403 AccessDenied",
              "upload": 200,
              "upload elsewhere": 200,
              "who": "arn:aws:sts::000000000000:assumed-role/worker/me"
            }
        "#]],
    );
    for policy in ["invoke-only", "read-only"] {
        let (id, secret) = key(&server, policy, policy);
        // A running server reads new keys twice a second.
        let seen = eventually("the key is known", || {
            let seen = run_python_with_key(&server, (&id, &secret), "assumed_role.py", &[]).json();
            (seen["create"] != "403 InvalidClientTokenId").then_some(seen)
        });
        assert_eq!(seen["create"], "403 AccessDenied", "{policy}: {seen}");
        assert_eq!(seen["assume"], "403 AccessDenied", "{policy}: {seen}");
        assert_eq!(seen["upload"], "403 AccessDenied", "{policy}: {seen}");
    }
}

#[test]
fn the_code_of_functions_and_layers_comes_from_a_bucket() {
    let server = Server::start();
    let folder = Folder::new();
    for text in ["one", "two"] {
        folder.write(&format!("{text}.zip"), greeting(text));
    }
    folder.write("not.zip", "this is no package");
    aws(&server, &["s3", "mb", "s3://code"]).success();
    aws(&server, &["s3", "cp", folder.path().to_str().unwrap(), "s3://code/packages/", "--recursive"])
        .success();
    let listed = aws(&server, &["s3", "ls", "s3://code/packages/"]).success();
    assert_eq!(listed.lines().count(), 3, "{listed}");

    let role = "arn:aws:iam::000000000000:role/worker";
    let create = |name: &str, code: &str| {
        aws(
            &server,
            &[
                "lambda",
                "create-function",
                "--function-name",
                name,
                "--runtime",
                "python3.11",
                "--handler",
                "app.handler",
                "--role",
                role,
                "--code",
                code,
            ],
        )
    };
    let created = create("greets", "S3Bucket=code,S3Key=packages/one.zip").json();
    assert_eq!(created["CodeSize"], greeting("one").len());
    aws(&server, &["lambda", "wait", "function-active-v2", "--function-name", "greets"]).success();
    assert_eq!(server.function("greets").invoke("{}").text(), "\"one\"");

    let update = |more: &[&str]| {
        let arguments =
            ["lambda", "update-function-code", "--function-name", "greets", "--s3-bucket", "code"];
        aws(&server, &[&arguments, more].concat())
    };
    let dry = update(&["--s3-key", "packages/two.zip", "--dry-run"]).json();
    assert_ne!(dry["CodeSha256"], created["CodeSha256"]);
    assert_eq!(server.function("greets").configuration()["CodeSha256"], created["CodeSha256"]);
    let published = update(&["--s3-key", "packages/two.zip", "--publish"]).json();
    assert_eq!(published["Version"], "1");
    aws(&server, &["lambda", "wait", "function-updated-v2", "--function-name", "greets"]).success();
    assert_eq!(server.function("greets").invoke("{}").text(), "\"two\"");
    let layer = aws(
        &server,
        &[
            "lambda",
            "publish-layer-version",
            "--layer-name",
            "shared",
            "--content",
            "S3Bucket=code,S3Key=packages/one.zip",
        ],
    );
    assert_eq!(layer.json()["Version"], 1);

    // Code that is deployed needs its bucket no more.
    aws(&server, &["s3", "rb", "s3://code", "--force"]).success();
    assert_eq!(server.function("greets").invoke("{}").text(), "\"two\"");

    aws(&server, &["s3", "mb", "s3://code"]).success();
    aws(&server, &["s3", "cp", folder.path().join("not.zip").to_str().unwrap(), "s3://code/not.zip"])
        .success();
    let refused = [
        create("no", "S3Bucket=none,S3Key=one.zip"),
        create("no", "S3Bucket=code,S3Key=one.zip"),
        create("no", "S3Bucket=code,S3Key=not.zip"),
        create("no", "S3Bucket=code,S3Key=not.zip,S3ObjectVersion=abc"),
        create("no", "S3Bucket=code"),
        update(&["--s3-key", "none.zip", "--dry-run"]),
        update(&["--s3-key", "none.zip", "--publish"]),
    ];
    let lines: String = refused.iter().map(|refused| refused.stderr.trim().to_owned() + "\n").collect();
    expect![[r#"
        An error occurred (InvalidParameterValueException) when calling the CreateFunction operation: Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does not exist
        An error occurred (InvalidParameterValueException) when calling the CreateFunction operation: Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.
        An error occurred (InvalidParameterValueException) when calling the CreateFunction operation: Could not unzip uploaded file. Please check your file, then try to upload again.
        An error occurred (InvalidParameterValueException) when calling the CreateFunction operation: Error occurred while GetObject. S3 Error Code: NoSuchVersion. S3 Error Message: The specified version does not exist.
        An error occurred (InvalidParameterValueException) when calling the CreateFunction operation: Please provide a source for function code.
        An error occurred (InvalidParameterValueException) when calling the UpdateFunctionCode operation: Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.
        An error occurred (InvalidParameterValueException) when calling the UpdateFunctionCode operation: Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.
    "#]].assert_eq(&lines);
    assert_eq!(server.function("greets").invoke("{}").text(), "\"two\"");
}

#[test]
fn objects_roles_and_uploads_in_progress_are_there_after_a_kill_and_nothing_else_is() {
    let folder = Arc::new(Folder::new());
    let server = Settings::new().data_dir(&folder).start();
    let api = |server: &Server, arguments: &[&str]| aws(server, &[&["s3api"], arguments].concat());
    let file = folder.write("file", "kept");
    let file = file.to_str().unwrap();
    api(&server, &["create-bucket", "--bucket", "bucket"]).success();
    for key in ["first", "second", "first"] {
        api(&server, &["put-object", "--bucket", "bucket", "--key", key, "--body", file]).success();
    }
    api(&server, &["delete-object", "--bucket", "bucket", "--key", "second"]).success();
    let upload = api(&server, &["create-multipart-upload", "--bucket", "bucket", "--key", "large"]).json();
    let id = upload["UploadId"].as_str().unwrap();
    let of_upload = ["--bucket", "bucket", "--key", "large", "--upload-id", id];
    let part = [&["upload-part", "--part-number", "1", "--body", file], &of_upload[..]].concat();
    let etag = api(&server, &part).json()["ETag"].as_str().unwrap().to_owned();
    let trust = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}}"#;
    aws(&server, &["iam", "create-role", "--role-name", "worker", "--assume-role-policy-document", trust])
        .success();
    server.kill();
    // What a crash in the middle of an upload leaves: bytes that nobody has a name for.
    fs::write(folder.path().join("s3/objects/nobody"), "lost").unwrap();
    fs::write(folder.path().join("s3/objects/nobody#1"), "half").unwrap();

    let server = Settings::new().data_dir(&folder).start();
    let keys = api(&server, &["list-objects-v2", "--bucket", "bucket", "--query", "Contents[].Key"]).json();
    assert_eq!(keys, serde_json::json!(["first"]));
    let back = folder.path().join("back");
    api(&server, &["get-object", "--bucket", "bucket", "--key", "first", back.to_str().unwrap()]).success();
    assert_eq!(fs::read_to_string(&back).unwrap(), "kept");
    let parts = format!("Parts=[{{PartNumber=1,ETag={}}}]", etag.trim_matches('"'));
    let complete = [&["complete-multipart-upload", "--multipart-upload", &parts], &of_upload[..]].concat();
    api(&server, &complete).success();
    api(&server, &["get-object", "--bucket", "bucket", "--key", "large", back.to_str().unwrap()]).success();
    assert_eq!(fs::read_to_string(&back).unwrap(), "kept");
    let role = aws(&server, &["iam", "get-role", "--role-name", "worker"]).json();
    assert_eq!(role["Role"]["AssumeRolePolicyDocument"], serde_json::from_str::<Value>(trust).unwrap());
    eventually("only the bytes of the two objects are left", || (blobs(&folder).len() == 2).then_some(()));
}

#[test]
fn an_upload_of_any_length_takes_little_memory_and_one_that_is_cut_off_leaves_nothing() {
    let server = Server::start();
    let folder = Folder::new();
    let large = folder.path().join("large");
    // A file without blocks, which reads as zeros.
    fs::File::create(&large).unwrap().set_len(200 << 20).unwrap();
    aws(&server, &["s3api", "create-bucket", "--bucket", "bucket"]).success();
    let before = server.resident_kib();
    let put =
        ["s3api", "put-object", "--bucket", "bucket", "--key", "large", "--body", large.to_str().unwrap()];
    aws(&server, &put).success();
    let back = folder.path().join("back");
    aws(&server, &["s3api", "get-object", "--bucket", "bucket", "--key", "large", back.to_str().unwrap()])
        .success();
    assert_eq!(fs::metadata(&back).unwrap().len(), 200 << 20);
    let more = server.resident_kib().saturating_sub(before);
    assert!(more < 64 << 10, "{more} KiB more after 200 MiB went in and out");

    let head =
        format!("PUT /bucket/half HTTP/1.1\r\nHost: s3.localhost\r\nContent-Length: {}\r\n\r\n", 8 << 20);
    let mut stream = std::net::TcpStream::connect(server.address()).unwrap();
    std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
    std::io::Write::write_all(&mut stream, &vec![0; 3 << 20]).unwrap();
    drop(stream);
    eventually("nothing of it is left", || (blobs(server.data_dir()).len() == 1).then_some(()));
    let keys = aws(&server, &["s3api", "list-objects-v2", "--bucket", "bucket", "--query", "Contents[].Key"]);
    assert_eq!(keys.json(), serde_json::json!(["large"]));
}
