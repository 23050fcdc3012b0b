//! Who may call the server: keys that `hearth credentials` makes, signatures, and policies. The clients are botocore and
//! boto3, which sign; `tests/clients/signatures.py` breaks what they have signed.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use expect_test::{Expect, expect};
use hearth_tests::{
    Folder, Package, Server, Settings, eventually, hearth_with, needs_node, python, run_node_with_key,
    run_python, run_python_with_key,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const LIST: &str = "/2015-03-31/functions/";

/// A key of a server.
struct Key {
    id: String,
    secret: String,
}

/// Makes a key in the data folder of a server, which may be running.
fn add(folder: &Folder, name: &str, policy: &str) -> Key {
    let data_dir = folder.path().to_str().unwrap();
    let added = hearth_with(
        &[],
        &["credentials", "add", name, "--policy", policy, "--data-dir", data_dir, "--output", "json"],
    )
    .json();
    let text = |member: &str| added[member].as_str().unwrap().to_owned();
    Key { id: text("AccessKeyId"), secret: text("SecretAccessKey") }
}

/// A server with a function, and with keys from then on.
fn guarded(policies: &[&str]) -> (Server, Vec<Key>) {
    let server = Server::start();
    server.create(python("echo", "def handler(event, context):\n    return event\n"));
    let keys = policies.iter().map(|policy| add(server.data_dir(), policy, policy)).collect();
    eventually("the server asks for a key", || (server.http("GET", LIST, b"").status == 403).then_some(()));
    (server, keys)
}

fn check(seen: &Value, expected: &Expect) {
    let mut text = String::new();
    for answer in seen.as_array().unwrap() {
        let [status, error_type, message] = [0, 1, 2].map(|at| match &answer[at] {
            Value::String(text) => text.clone(),
            Value::Null => "-".to_owned(),
            other => other.to_string(),
        });
        text += &format!("{status} {error_type} {message}\n");
    }
    expected.assert_eq(&text);
}

#[test]
fn case_092_093_094_095_096_097_098_099_only_what_is_signed_right_is_answered() {
    let (server, keys) = guarded(&["admin"]);
    let Key { id, secret } = &keys[0];
    let seen = run_python(&server, "signatures.py", &[id, secret]).json();
    check(
        &seen["92"],
        &expect![[r#"
        403 MissingAuthenticationTokenException Missing Authentication Token
        403 MissingAuthenticationTokenException Missing Authentication Token
        403 MissingAuthenticationTokenException Missing Authentication Token
        403 MissingAuthenticationTokenException Missing Authentication Token
        400 MissingAuthenticationTokenException Missing Authentication Token
        403 MissingAuthenticationToken Missing Authentication Token
        403 MissingAuthenticationTokenException Missing Authentication Token
        403 MissingAuthenticationTokenException Missing Authentication Token
        200 - 
    "#]],
    );
    check(
        &seen["93"],
        &expect![[r#"
        200 - 
        403 InvalidSignatureException The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.
        403 InvalidSignatureException The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.
        403 InvalidSignatureException The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.
        403 InvalidSignatureException The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.
        403 InvalidSignatureException The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.
        403 InvalidSignatureException The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.
        403 InvalidSignatureException The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.
        403 InvalidSignatureException The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.
        403 InvalidSignatureException 'x-amz-log-type' must be a 'SignedHeader' in the AWS Authorization.
    "#]],
    );
    check(
        &seen["94"],
        &expect![[r#"
        403 UnrecognizedClientException The security token included in the request is invalid.
        403 InvalidClientTokenId The security token included in the request is invalid.
        400 UnrecognizedClientException The security token included in the request is invalid.
    "#]],
    );
    check(
        &seen["95"],
        &expect![[r#"
        200 - 
        200 - 
        403 InvalidSignatureException Signature expired: TIME is now earlier than TIME (TIME - 5 min.)
        403 InvalidSignatureException Signature not yet current: TIME is still later than TIME (TIME + 5 min.)
    "#]],
    );
    check(
        &seen["96"],
        &expect![[r#"
        200 - 
        200 - 
        403 InvalidSignatureException Signature expired: TIME is now earlier than TIME (TIME - 5 min.)
    "#]],
    );
    check(
        &seen["97"],
        &expect![[r#"
        403 InvalidSignatureException Credential should be scoped to a valid region.
        403 InvalidSignatureException Credential should be scoped to correct service: 'lambda'.
        400 InvalidSignatureException Credential should be scoped to correct service: 'logs'.
        403 InvalidSignatureException Credential should be scoped to correct service: 'hearth'.
        403 InvalidSignatureException Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: DAY != DAY, from 'TIME'.
    "#]],
    );
    check(
        &seen["99"],
        &expect![[r#"
        403 InvalidSignatureException The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.
        403 InvalidSignatureException The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.
        403 InvalidSignatureException The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.
        403 InvalidSignatureException The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.
        403 InvalidSignatureException The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.
        200 - 
        400 ValidationException 1 validation error detected: Value 'arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Aecho' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_\\.]+)(:(\\$LATEST(\\.PUBLISHED)?|[a-zA-Z0-9-_]+))?
        200 - 
        403 InvalidSignatureException The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.
    "#]],
    );
    check(
        &seen["presigned"],
        &expect![[r#"
        200 - 
        403 InvalidSignatureException The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.
        403 InvalidSignatureException Signature expired: TIME is now earlier than TIME
        403 InvalidSignatureException The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.
        403 InvalidSignatureException The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.
    "#]],
    );
    check(
        &seen["services"],
        &expect![[r#"
        200 - 
        200 - 
        200 - 
    "#]],
    );
    let malformed = seen["98"].as_object().unwrap();
    let all: u64 = malformed.values().map(|count| count.as_u64().unwrap()).sum();
    assert!(all >= 200, "{malformed:?}");
    assert!(malformed.keys().all(|status| status.starts_with('4')), "{malformed:?}");
    let stderr = server.stop();
    assert!(!stderr.contains(secret.as_str()) && !stderr.contains("ERROR"), "{stderr}");
}

#[test]
fn a_key_may_do_what_its_policy_says() {
    let (server, keys) = guarded(&["admin", "invoke-only", "read-only"]);
    let table: Vec<Value> =
        keys.iter().map(|key| run_python(&server, "policies.py", &[&key.id, &key.secret]).json()).collect();
    expect![[r#"
        [
          {
            "CreateLogGroup": "ok",
            "DescribeLogGroups": "ok",
            "GetFunctionConfiguration": "ok",
            "Invoke": "ok",
            "ListFunctions": "ok",
            "TagResource": "ok",
            "who": "arn:aws:iam::000000000000:user/admin"
          },
          {
            "CreateLogGroup": "AccessDeniedException",
            "DescribeLogGroups": "AccessDeniedException",
            "GetFunctionConfiguration": "AccessDeniedException",
            "Invoke": "ok",
            "ListFunctions": "AccessDeniedException",
            "TagResource": "AccessDeniedException",
            "who": "arn:aws:iam::000000000000:user/invoke-only"
          },
          {
            "CreateLogGroup": "AccessDeniedException",
            "DescribeLogGroups": "ok",
            "GetFunctionConfiguration": "ok",
            "Invoke": "AccessDeniedException",
            "ListFunctions": "ok",
            "TagResource": "AccessDeniedException",
            "who": "arn:aws:iam::000000000000:user/read-only"
          }
        ]
    "#]]
    .assert_eq(&format!("{:#}\n", json!(table)));
}

/// Packages that answer differently, the first of them an upload of megabytes.
fn packages(file: &str, source: impl Fn(&str) -> String) -> (Folder, [String; 2]) {
    let folder = Folder::new();
    // What cannot be compressed: digests of numbers.
    let ballast: Vec<u8> = (0_u32..50_000).flat_map(|number| Sha256::digest(number.to_le_bytes())).collect();
    let package = |code: &str| Package::new().file(file, source(code)).file("ballast", ballast.clone());
    let paths = ["one", "two"]
        .map(|code| folder.write(&format!("{code}.zip"), package(code).zip()).to_str().unwrap().to_owned());
    (folder, paths)
}

#[test]
fn boto3_and_the_javascript_sdk_drive_a_whole_life_with_a_key_and_nothing_without() {
    let (server, keys) = guarded(&["admin"]);
    let key = (&*keys[0].id, &*keys[0].secret);
    let source = |code: &str| {
        format!("def handler(event, context):\n    return {{'code': '{code}', 'hello': event['name']}}\n")
    };
    let (_folder, [first, second]) = packages("app.py", source);
    let arguments = ["python3.11", "app.handler", &first, &second];
    let seen = run_python_with_key(&server, key, "lifecycle.py", &arguments).json();
    assert_eq!(seen["after"]["Payload"]["code"], "two", "{seen:#}");
    assert_eq!(seen["deleted"], 204, "{seen:#}");
    let refused = run_python(&server, "lifecycle.py", &arguments);
    assert!(refused.stderr.contains("UnrecognizedClientException"), "{}", refused.stderr);
    if !needs_node() {
        return;
    }
    let seen = run_node_with_key(&server, key, "lifecycle.js", &arguments).json();
    assert_eq!(seen["after"]["Payload"]["code"], "two", "{seen:#}");
    assert_eq!(seen["deleted"], 204, "{seen:#}");
}

#[test]
fn the_command_line_signs_and_a_server_that_has_asked_for_keys_never_opens_again() {
    let (server, keys) = guarded(&["admin"]);
    let Key { id, secret } = &keys[0];
    let url = server.url();
    let without = [("HEARTH_ENDPOINT", &*url)];
    let with = [without[0], ("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret)];
    for arguments in
        [&["functions"][..], &["environments"], &["logs", "echo"], &["invoke", "echo"], &["timeline", "echo"]]
    {
        let refused = hearth_with(&without, arguments);
        assert_eq!(refused.status.code(), Some(5), "{arguments:?} {}", refused.stderr);
        assert!(refused.stderr.contains("hint: this server asks for a key"), "{}", refused.stderr);
        hearth_with(&with, arguments).success();
    }
    let data_dir = server.data_dir().path().to_str().unwrap().to_owned();
    let credentials = |arguments: &[&str]| {
        hearth_with(&[], &[&["credentials"], arguments, &["--data-dir", &data_dir]].concat())
    };
    let listed = credentials(&["list"]).success();
    assert!(
        listed.contains(id.as_str()) && listed.contains("admin") && !listed.contains(secret.as_str()),
        "{listed}"
    );
    let unknown = credentials(&["remove", "AKIANOBODY"]);
    assert!(
        unknown.stderr.contains("error: cannot remove the key: there is no key `AKIANOBODY`"),
        "{}",
        unknown.stderr
    );
    credentials(&["remove", id]).success();
    eventually("the removed key is refused", || {
        (!hearth_with(&with, &["functions"]).status.success()).then_some(())
    });
    assert_eq!(server.http("GET", LIST, b"").status, 403, "without any key, too");
    assert_eq!(server.http("GET", "/_hearth/health", b"").status, 200);
}

#[test]
fn case_084_where_nothing_isolates_a_function_a_key_keeps_it_from_the_outer_listener() {
    let server = Settings::new().without_walls().start();
    let source = "
import http.client
def handler(event, context):
    seen = []
    for method, path, body in event['requests']:
        connection = http.client.HTTPConnection(event['host'], timeout=20)
        connection.request(method, path, body)
        seen.append(connection.getresponse().status)
        connection.close()
    return seen
";
    let function = server.create(python("curious", source).timeout(30));
    let key = add(server.data_dir(), "ada", "admin");
    eventually("the server asks for a key", || (server.http("GET", LIST, b"").status == 403).then_some(()));
    let event = json!({ "host": server.address().to_string(), "requests": [
        ["GET", LIST, ""], ["POST", "/2015-03-31/functions", "{}"], ["DELETE", "/2015-03-31/functions/curious", ""],
        ["GET", "/_hearth/environments", ""],
    ] });
    let url = server.url();
    let environment =
        [("HEARTH_ENDPOINT", &*url), ("AWS_ACCESS_KEY_ID", &key.id), ("AWS_SECRET_ACCESS_KEY", &key.secret)];
    let answer = hearth_with(&environment, &["invoke", function.name(), "--payload", &event.to_string()]);
    assert_eq!(answer.json(), json!([403, 403, 403, 403]));
}

#[test]
fn case_100_beyond_loopback_nobody_is_served_without_a_key() {
    let folder = Folder::new();
    let started = |arguments: &[&str]| {
        let mut command = Settings::new().arguments(arguments).command("0.0.0.0:0", folder.path());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if !line.is_empty() {
            child.kill().unwrap();
        }
        let output = child.wait_with_output().unwrap();
        (line, output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (line, code, stderr) = started(&[]);
    assert_eq!((&*line, code), ("", Some(3)), "{stderr}");
    assert!(
        stderr.contains("0.0.0.0:0 can be reached from other machines, and there are no keys"),
        "{stderr}"
    );
    assert!(stderr.contains("hint: make a key with `hearth credentials add NAME`"), "{stderr}");
    let (line, _, stderr) = started(&["--allow-unauthenticated"]);
    assert!(line.starts_with("hearth is ready"), "{stderr}");
    assert!(stderr.contains("whoever reaches this address may do everything"), "{stderr}");
    add(&folder, "ada", "admin");
    let (line, _, stderr) = started(&[]);
    assert!(line.starts_with("hearth is ready"), "{stderr}");
}

#[test]
fn a_server_does_not_start_with_keys_that_others_may_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = std::sync::Arc::new(Folder::new());
    let key = add(&folder, "ada", "admin");
    let file = folder.path().join("credentials.json");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let ended = Settings::new().data_dir(&folder).try_start().unwrap_err();
    assert_eq!(ended.status.code(), Some(3));
    assert!(ended.stderr.contains("can be read by others than their owner (mode 640)"), "{}", ended.stderr);
    std::fs::write(&file, format!("[{{\"secret_access_key\": \"{}\"", key.secret)).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let ended = Settings::new().data_dir(&folder).try_start().unwrap_err();
    assert!(ended.stderr.contains("is not a list of keys (line 1"), "{}", ended.stderr);
    assert!(!ended.stderr.contains(&key.secret), "{}", ended.stderr);
}
