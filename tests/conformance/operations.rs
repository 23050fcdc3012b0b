//! The operations on functions, versions, aliases, layers and policies, one after the other: an unmodified boto3 sends
//! each well, in each way that AWS documents an error of, and by page. Answers are compared whole: which members there
//! are, what they say, how times and revisions look. What boto3 hides, such as `null`, is looked at on the wire.
//!
//! The answers stand in `operations/*.json`. `UPDATE_EXPECT=1` writes them anew.

use std::os::unix::fs::PermissionsExt as _;
use std::{fs, path::Path};

use expect_test::{ExpectFile, expect_file};
use hearth_tests::{
    Folder, NewFunction, Package, Response, Server, Settings, eventually, provided_bootstrap, python,
    run_python,
};
use serde_json::{Value, json};

/// Runs a script of `tests/clients/` against a server of its own. Walls make no difference to what is asked here.
fn check(script: &str, expected: &ExpectFile) {
    let server = Settings::new().without_walls().start();
    let seen = run_python(&server, script, &[]).json();
    expected.assert_eq(&format!("{seen:#}\n"));
}

#[test]
fn boto3_creates_shows_lists_configures_and_deletes_functions() {
    check("functions.py", &expect_file!["operations/functions.json"]);
}

#[test]
fn boto3_updates_the_code_of_functions() {
    check("function_code.py", &expect_file!["operations/function_code.json"]);
}

#[test]
fn boto3_publishes_and_lists_versions() {
    check("function_versions.py", &expect_file!["operations/function_versions.json"]);
}

#[test]
fn boto3_makes_shows_lists_changes_and_deletes_aliases() {
    check("function_aliases.py", &expect_file!["operations/function_aliases.json"]);
}

#[test]
fn boto3_publishes_shows_lists_shares_and_deletes_layers() {
    check("layer_versions.py", &expect_file!["operations/layer_versions.json"]);
}

#[test]
fn boto3_adds_shows_and_removes_permissions() {
    check("permissions.py", &expect_file!["operations/permissions.json"]);
}

#[test]
fn boto3_sets_changes_and_clears_every_member_of_a_configuration() {
    check("configuration_fields.py", &expect_file!["operations/configuration_fields.json"]);
}

#[test]
fn packages_for_which_there_is_no_room_are_refused() {
    let server = Settings::new().without_walls().arguments(&["--code-storage-mb", "1"]).start();
    let seen = run_python(&server, "code_storage.py", &[]).json();
    let exceeded = "400 CodeStorageExceededException of User: Code storage limit exceeded.";
    let expected = json!({
        "limit": 1_048_576,
        "refused": { "create": exceeded, "layer": exceeded, "create and publish": exceeded },
        "what takes no room goes on": ["1", "InProgress"],
        "refused, too": { "publish": exceeded, "update and publish": exceeded, "dry run": exceeded },
        "usage": [1, true],
        "room again": "2",
    });
    assert_eq!(seen, expected);
}

/// What is kept without effect is kept for good, too.
#[test]
fn a_restart_keeps_every_member_of_a_configuration() {
    let folder = std::sync::Arc::new(Folder::new());
    let server = Settings::new().without_walls().data_dir(&folder).start();
    let s3 = "arn:aws:s3files:us-east-1:000000000000:file-system/fs-0123456789abcdef0/access-point/fsap-0123456789abcdef0";
    let new = python("f", "def handler(event, context): return 1\n")
        .with("VpcConfig", json!({ "SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"] }))
        .with("FileSystemConfigs", json!([{ "Arn": s3, "LocalMountPath": "/mnt/data", "S3FilesConfig": {} }]))
        .with("SnapStart", json!({ "ApplyOn": "PublishedVersions" }));
    let function = server.create(new);
    let published = server.http("POST", "/2015-03-31/functions/f/versions", b"{}");
    assert_eq!(published.status, 201, "{}", published.text());
    let version = |server: &Server| server.http("GET", "/2015-03-31/functions/f:1/configuration", b"").json();
    eventually("version 1 is Active", || (version(&server)["State"] == "Active").then_some(()));
    let before = [function.configuration(), version(&server)];
    assert_eq!(before[0]["FileSystemConfigs"][0]["S3FilesConfig"], json!({}));
    assert_eq!(before[1]["SnapStart"]["OptimizationStatus"], "On");
    assert!(server.stderr().contains("kept and has no effect"), "{}", server.stderr());
    server.stop();

    let server = Settings::new().without_walls().data_dir(&folder).start();
    // Which version of a runtime this host has is known once it was looked for.
    let without_runtime = |mut configuration: Value| {
        configuration["RuntimeVersionConfig"].take();
        configuration
    };
    let after = [server.function("f").configuration(), version(&server)];
    assert_eq!(after.map(without_runtime), before.map(without_runtime));
    assert_eq!(server.function("f").invoke("{}").success(), 1);
}

/// A Python that answers only once a file is there, so that functions are long in the making.
struct SlowPython {
    folder: Folder,
}

impl SlowPython {
    fn new() -> Self {
        let folder = Folder::new();
        let path = folder.path().join("python3.11");
        let script = format!(
            "#!/bin/sh\nuntil [ -e '{}' ]; do sleep 0.02; done\nexec python3.11 \"$@\"\n",
            folder.path().join("go").display()
        );
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder }
    }

    fn interpreter(&self) -> String {
        format!("python3.11={}", self.folder.path().join("python3.11").display())
    }

    fn go(&self) {
        fs::write(self.folder.path().join("go"), "").unwrap();
    }
}

/// The event of a [`greeter`].
const NAME: &str = r#"{"name": "there"}"#;
/// What it says to that.
const GREETING: &str = "Hello, there!";

/// A function that greets, and needs nothing of this host. As a Python function, it says `"new"`.
fn greeter(name: &str) -> NewFunction {
    let package = Package::new().program("bootstrap", provided_bootstrap());
    let package = package.file("main.py", "def handler(event, context): return 'new'\n");
    NewFunction::new(name, "provided.al2023", "main", package)
}

/// The exception, the status and the text.
fn outcome(response: &Response) -> String {
    let body = response.json();
    let message = body["Message"].as_str().or_else(|| body["message"].as_str()).unwrap_or_default();
    format!("{} {} {message}", response.status, response.header("x-amzn-ErrorType").unwrap_or("-"))
}

#[test]
fn what_is_being_made_cannot_be_changed_and_everything_else_is_allowed() {
    const F: &str = "/2015-03-31/functions/f";
    let slow = SlowPython::new();
    let server = Settings::new().without_walls().arguments(&["--interpreter", &slow.interpreter()]).start();
    let source = "def handler(event, context): return 'made'\n";
    let package = Package::new().file("app.py", source);
    let new = python("f", source).with("Publish", false).body();
    let created = server.http("POST", "/2015-03-31/functions", new.to_string().as_bytes());
    assert_eq!((created.status, &created.json()["State"]), (201, &json!("Pending")), "{}", created.text());
    let code = new["Code"].to_string();
    let send = |method: &str, path: &str, body: &str| server.http(method, path, body.as_bytes());
    let state = |server: &Server| server.http("GET", &format!("{F}/configuration"), b"").json();
    let pending = "409 ResourceConflictException The operation cannot be performed at this time. The function is \
                   currently in the following state: Pending";
    for (method, path, body) in [
        ("PUT", format!("{F}/configuration"), "{\"Timeout\": 9}"),
        ("PUT", format!("{F}/code"), &code),
        ("POST", format!("{F}/versions"), "{}"),
    ] {
        assert_eq!(outcome(&send(method, &path, body)), pending, "{method} {path}");
    }
    let permission = r#"{"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "*"}"#;
    let tags = "/2017-03-31/tags/arn:aws:lambda:us-east-1:000000000000:function:f";
    for (method, path, body, status) in [
        ("GET", F.to_owned(), "", 200),
        ("GET", "/2015-03-31/functions".to_owned(), "", 200),
        ("GET", format!("{F}/versions"), "", 200),
        ("GET", format!("{F}/aliases"), "", 200),
        ("POST", format!("{F}/policy"), permission, 201),
        ("POST", tags.to_owned(), r#"{"Tags": {"k": "v"}}"#, 204),
        (
            "PUT",
            "/2017-10-31/functions/f/concurrency".to_owned(),
            r#"{"ReservedConcurrentExecutions": 1}"#,
            200,
        ),
        ("POST", "/2021-10-31/functions/f/url".to_owned(), r#"{"AuthType": "NONE"}"#, 201),
        (
            "PUT",
            "/2019-09-25/functions/f/event-invoke-config".to_owned(),
            r#"{"MaximumRetryAttempts": 0}"#,
            200,
        ),
    ] {
        let answer = send(method, &path, body);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
    }
    assert_eq!(state(&server)["State"], "Pending", "nothing of this was too slow");
    slow.go();
    server.function("f").wait_until("State", "Active");
    assert_eq!(server.function("f").invoke("{}").success(), "made");
    assert_eq!(package.zip().len() as u64, state(&server)["CodeSize"].as_u64().unwrap());
}

#[test]
fn what_is_being_updated_cannot_be_changed_and_serves_what_was_there() {
    const F: &str = "/2015-03-31/functions/f";
    let slow = SlowPython::new();
    let server = Settings::new().without_walls().arguments(&["--interpreter", &slow.interpreter()]).start();
    let function = server.create(greeter("f"));
    assert_eq!(function.invoke(NAME).success()["message"], GREETING);
    let change = json!({ "Runtime": "python3.11", "Handler": "main.handler" });
    let updated = server.http("PUT", &format!("{F}/configuration"), change.to_string().as_bytes());
    let updated = updated.json();
    assert_eq!(
        (&updated["LastUpdateStatus"], &updated["LastUpdateStatusReasonCode"], &updated["State"]),
        (&json!("InProgress"), &json!("Creating"), &json!("Active"))
    );
    let in_progress = "409 ResourceConflictException The operation cannot be performed at this time. An update is in \
                       progress for resource: arn:aws:lambda:us-east-1:000000000000:function:f";
    let code = json!({ "S3Bucket": "no-such-bucket", "S3Key": "key" }).to_string();
    let zip = python("f", "").body()["Code"].to_string();
    for (method, path, body, expected) in [
        ("PUT", format!("{F}/configuration"), "{\"Timeout\": 9}", in_progress),
        ("PUT", format!("{F}/code"), &zip, in_progress),
        ("POST", format!("{F}/versions"), "{}", in_progress),
        // What is wrong in itself is said first.
        (
            "PUT",
            format!("{F}/code"),
            &code,
            "400 InvalidParameterValueException Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error \
             Message: The specified bucket does not exist",
        ),
    ] {
        assert_eq!(outcome(&server.http(method, &path, body.as_bytes())), expected, "{method} {path}");
    }
    assert_eq!(function.invoke(NAME).success()["message"], GREETING);
    assert_eq!(function.configuration()["LastUpdateStatus"], "InProgress", "nothing of this was too slow");
    slow.go();
    function.wait_until("LastUpdateStatus", "Successful");
    let after = function.configuration();
    assert_eq!(after["LastUpdateStatusReason"], Value::Null);
    assert_ne!(after["RevisionId"], updated["RevisionId"]);
    assert_eq!(function.invoke("{}").success(), "new");
}

#[test]
fn what_cannot_be_made_is_failed_and_says_why() {
    let folder = Folder::new();
    let broken = folder.path().join("python3.11");
    fs::write(&broken, "#!/bin/sh\nexit 3\n").unwrap();
    fs::set_permissions(&broken, fs::Permissions::from_mode(0o755)).unwrap();
    let interpreter = format!("python3.11={}", broken.display());
    let server = Settings::new().without_walls().arguments(&["--interpreter", &interpreter]).start();
    let new = python("f", "def handler(event, context): return 1\n").body();
    let created = server.http("POST", "/2015-03-31/functions", new.to_string().as_bytes()).json();
    let configuration = || server.http("GET", "/2015-03-31/functions/f/configuration", b"").json();
    eventually("f is Failed", || (configuration()["State"] == "Failed").then_some(()));
    let failed = configuration();
    assert_eq!(failed["StateReasonCode"], "InvalidRuntime");
    assert_eq!(failed["LastUpdateStatus"], Value::Null);
    assert!(failed["StateReason"].as_str().unwrap().contains("python3.11"), "{failed}");
    assert_ne!(failed["RevisionId"], created["RevisionId"]);
    let called = server.http("POST", "/2015-03-31/functions/f/invocations", b"{}");
    assert_eq!((called.status, called.header("x-amzn-ErrorType")), (409, Some("ResourceConflictException")));

    // A failed update leaves what was there.
    let function = server.create(greeter("g"));
    let change = json!({ "Runtime": "python3.11" }).to_string();
    let updated = server.http("PUT", "/2015-03-31/functions/g/configuration", change.as_bytes());
    assert_eq!(updated.json()["LastUpdateStatus"], "InProgress");
    let status = || function.configuration()["LastUpdateStatus"].clone();
    eventually("the update of g is Failed", || (status() == "Failed").then_some(()));
    let after = function.configuration();
    assert_eq!(
        (&after["State"], &after["LastUpdateStatusReasonCode"]),
        (&json!("Active"), &json!("InvalidRuntime"))
    );
    assert_eq!(function.invoke(NAME).success()["message"], GREETING);
}

/// As AWS writes them: every member of a configuration, `null` for what is not set. Clients cannot tell the difference,
/// but for those that look for a member.
#[test]
fn on_the_wire_a_configuration_has_all_of_its_members() {
    let server = Settings::new().without_walls().start();
    let new = python("f", "def handler(event, context): return 1\n").body();
    let created = server.http("POST", "/2015-03-31/functions", new.to_string().as_bytes());
    assert_eq!(created.header("Content-Type"), Some("application/json"));
    let created = created.json();
    let of_model = include_str!("operations/function_configuration.txt");
    let mut of_model: Vec<&str> = of_model.lines().collect();
    of_model.sort_unstable();
    let members = |of: &Value| of.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let nulls = |of: &Value| {
        let members = of.as_object().unwrap().iter();
        members.filter(|(_, value)| value.is_null()).map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(members(&created), of_model);
    server.function("f").wait_until("State", "Active");
    let shown = server.function("f").configuration();
    assert_eq!(members(&shown), of_model);
    let unset = [
        "AcceleratorConfig",
        "CapacityProviderConfig",
        "ConfigSha256",
        "DeadLetterConfig",
        "DurableConfig",
        "Environment",
        "FileSystemConfigs",
        "ImageConfigResponse",
        "KMSKeyArn",
        "LastUpdateStatusReason",
        "LastUpdateStatusReasonCode",
        "Layers",
        "MasterArn",
        "RuntimeConfig",
        "SigningJobArn",
        "SigningProfileVersionArn",
        "StateReason",
        "StateReasonCode",
        "TenancyConfig",
        "VpcConfig",
    ];
    assert_eq!(nulls(&shown), unset);
    assert_eq!(nulls(&shown["LoggingConfig"]), ["ApplicationLogLevel", "SystemLogLevel"]);
    assert_eq!(nulls(&shown["RuntimeVersionConfig"]), ["Error"]);
    let listed = server.http("GET", "/2015-03-31/functions", b"").json();
    let mut not_listed = [&unset[..], &["LastUpdateStatus", "RuntimeVersionConfig", "State"]].concat();
    not_listed.sort_unstable();
    assert_eq!(nulls(&listed["Functions"][0]), not_listed);
    assert_eq!(listed.get("NextMarker"), None);
    let got = server.http("GET", "/2015-03-31/functions/f", b"").json();
    assert_eq!(members(&got), ["Code", "Configuration"]);
    assert_eq!(got["Configuration"], shown);
    let variables = json!({ "Environment": { "Variables": { "KEY": "value" } } });
    server.function("f").update_configuration(&variables);
    let shown = server.function("f").configuration();
    assert_eq!(shown["Environment"], json!({ "Variables": { "KEY": "value" }, "Error": null }));

    // A deletion has no body; an error names its kind in a header.
    let deleted = server.http("DELETE", "/2015-03-31/functions/f", b"");
    assert_eq!((deleted.status, deleted.body.len()), (204, 0));
    assert_eq!(deleted.header("x-amzn-RequestId").map(str::len), Some(36));
    let gone = server.http("GET", "/2015-03-31/functions/f", b"");
    assert_eq!(gone.header("x-amzn-ErrorType"), Some("ResourceNotFoundException"));
    let text = "Function not found: arn:aws:lambda:us-east-1:000000000000:function:f";
    assert_eq!(gone.json(), json!({ "Type": "User", "Message": text }));
}

/// The pages of the documentation are part of what is promised.
#[test]
fn the_page_about_configurations_names_every_member() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let page = fs::read_to_string(page).unwrap();
    for member in include_str!("operations/function_configuration.txt").lines() {
        assert!(page.contains(&format!("`{member}`")), "docs/configuration.md says nothing of {member}");
    }
}
