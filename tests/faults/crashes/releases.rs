//! Data folders of other releases: an older one is taken over with all that is in it, a newer one is refused as it is.
//!
//! `folder_of_schema_3` was written by the release that brought layers, before versions, policies, URLs and events. It is what
//! that release left: nothing in it was made by hand.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use hearth_tests::{Folder, Server, Settings, eventually, python, repository};
use serde_json::{Value, json};

/// Where SQLite keeps `user_version`, with which a database says how many steps its schema has taken.
const SCHEMA_VERSION: std::ops::Range<usize> = 60..64;

fn schema_version(data: &Folder) -> u32 {
    let bytes = fs::read(data.path().join("hearth.db")).unwrap();
    u32::from_be_bytes(bytes[SCHEMA_VERSION].try_into().unwrap())
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy(&path, &target),
            false => assert!(fs::copy(&path, &target).is_ok(), "{}", path.display()),
        }
    }
}

/// Checks that all is there that the older release was told.
fn check_all(server: &Server) {
    let list = server.http("GET", "/2015-03-31/functions", b"").json();
    let names: Vec<&Value> =
        list["Functions"].as_array().unwrap().iter().map(|it| &it["FunctionName"]).collect();
    assert_eq!(names, ["kept", "plain"]);
    let kept = server.function("kept");
    kept.wait_until("State", "Active");
    let answer = kept.invoke("[1]").success();
    assert_eq!(answer, json!(["hello", "old", [1]]), "its code, its layer and its variables");
    let configuration = kept.configuration();
    let shown = [
        "Description",
        "Timeout",
        "MemorySize",
        "EphemeralStorage",
        "LoggingConfig",
        "Layers",
        "CodeSha256",
        "Version",
    ]
    .map(|member| configuration[member].clone());
    let layer = json!({ "Arn": "arn:aws:lambda:us-east-1:000000000000:layer:words:1", "CodeSize": 156 });
    let logging = json!({
        "LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "SystemLogLevel": "INFO", "LogGroup": "/aws/lambda/kept",
    });
    let expected = json!([
        "of an old release",
        9,
        256,
        { "Size": 600 },
        logging,
        [layer],
        "JNuvd2wPGh7rj1SBOnPMahPF2DuSRoZNxYFDm6ryHAg=",
        "$LATEST",
    ]);
    assert_eq!(json!(shown), expected);
    let tags = server.http("GET", "/2015-03-31/functions/kept", b"").json()["Tags"].clone();
    assert_eq!(tags, json!({ "team": "blue" }));
    assert_eq!(server.function("plain").invoke("{}").success(), "plain");
    let layer = server.http("GET", "/2018-10-31/layers/words/versions/1", b"").json();
    assert_eq!(layer["Description"], "of an old release");
    let events = kept.logs_until("the report of the call that the old release ran", |events| {
        events.iter().any(|event| event.message.contains("deffacf1-f2ad-445f-8c88-8fbe5f876ffe"))
    });
    assert!(!events.is_empty());
}

#[test]
fn case_126_a_data_folder_of_an_older_release_is_taken_over() {
    let data = Arc::new(Folder::new());
    copy(&repository().join("tests/faults/crashes/folder_of_schema_3"), data.path());
    assert_eq!(schema_version(&data), 3);
    let server = Settings::new().data_dir(&data).start();
    check_all(&server);
    // What the older release did not know works on what it left.
    let send = |method: &str, path: &str, body: Value| {
        let answer = server.http(method, path, body.to_string().as_bytes());
        assert!((200..300).contains(&answer.status), "{path}: {}", answer.text());
        answer
    };
    let version = send("POST", "/2015-03-31/functions/kept/versions", json!({})).json();
    assert_eq!(version["Version"], "1");
    let alias = json!({ "Name": "live", "FunctionVersion": "1" });
    send("POST", "/2015-03-31/functions/kept/aliases", alias);
    let statement = json!({ "StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "*" });
    send("POST", "/2015-03-31/functions/kept/policy", statement);
    let retries = json!({ "MaximumRetryAttempts": 0 });
    send("PUT", "/2019-09-25/functions/kept/event-invoke-config", retries);
    server.stop();
    // It is a folder of this release now.
    let upgraded = schema_version(&data);
    let fresh = Server::start();
    let of_this_release = fresh.data_dir().clone();
    fresh.stop();
    assert_eq!(upgraded, schema_version(&of_this_release));
    let server = Settings::new().data_dir(&data).start();
    check_all(&server);
    let alias = server.http("GET", "/2015-03-31/functions/kept/aliases/live", b"").json();
    assert_eq!(alias["FunctionVersion"], "1");
}

#[test]
fn case_126_a_data_folder_of_a_newer_release_is_refused_and_left_as_it_is() {
    let server = Server::start();
    server.create(python("newer", "def handler(event, context): return 'newer'\n"));
    let data = server.data_dir().clone();
    server.stop();
    let file = data.path().join("hearth.db");
    let whole = fs::read(&file).unwrap();
    let known = schema_version(&data);
    let mut newer = whole.clone();
    newer[SCHEMA_VERSION].copy_from_slice(&(known + 1).to_be_bytes());
    fs::write(&file, &newer).unwrap();

    let mut command = Settings::new().command("127.0.0.1:0", data.path());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let status = eventually("the server gives up", || child.try_wait().unwrap());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(status.code(), Some(3), "{stderr}");
    let errors: Vec<&str> = stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{stderr}");
    let expected =
        format!("`{}` has schema version {}, and this release knows {known}", file.display(), known + 1);
    assert!(errors[0].contains(&expected), "{stderr}");
    assert!(stderr.lines().any(|line| line.starts_with("hint: ")), "{stderr}");
    assert!(fs::read(&file).unwrap() == newer, "not a byte is changed");

    // The newer release still finds everything.
    fs::write(&file, &whole).unwrap();
    let server = Settings::new().data_dir(&data).start();
    assert_eq!(server.function("newer").invoke("{}").success(), "newer");
}
