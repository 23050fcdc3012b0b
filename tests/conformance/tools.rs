//! The tools that people already have, unmodified, pointed at Hearth by an endpoint: the AWS CLI, the AWS SAM CLI and osls.
//! The SDKs are in `clients.rs`, and the streaming call of the one for JavaScript in `streaming.rs`.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hearth_tests::{
    Finished, Folder, Package, Server, Settings, aws, hearth, needs_node, needs_osls, needs_sam, osls,
    python, sam,
};
use serde_json::{Value, json};

const ROLE: &str = "arn:aws:iam::000000000000:role/walk";

/// Answers with the file of its layer and its event.
const WALKS: &str = "
def handler(event, context):
    print('walking')
    return {'layer': open('/opt/word.txt').read(), 'name': event.get('name', 'nobody')}
";

/// One command of `aws lambda`.
fn lambda(server: &Server, arguments: &[&str]) -> Finished {
    aws(server, &[&["lambda"], arguments].concat())
}

fn wait_for(server: &Server, state: &str, more: &[&str]) {
    lambda(server, &[&["wait", state, "--function-name", "walk"], more].concat()).success();
}

#[test]
fn the_aws_cli_walks_through_the_life_of_a_function() {
    // A layer lies over `/opt`, which needs walls.
    let server = Server::start();
    let folder = Folder::new();
    let zip =
        |name: &str, package: Package| format!("fileb://{}", folder.write(name, package.zip()).display());
    let layer = zip("layer.zip", Package::new().file("word.txt", "word"));
    let first = zip("first.zip", Package::new().file("app.py", WALKS));
    let second = zip("second.zip", Package::new().file("app.py", WALKS.replace("walking", "running")));
    let output = folder.path().join("out.json");
    let output = output.to_str().unwrap();

    let layer = ["--layer-name", "words", "--zip-file", &layer, "--compatible-runtimes", "python3.11"];
    let layer = lambda(&server, &[&["publish-layer-version"], &layer[..]].concat()).json();
    let layer_arn = layer["LayerVersionArn"].as_str().unwrap();
    let create = ["create-function", "--function-name", "walk", "--runtime", "python3.11", "--role", ROLE];
    let code =
        ["--handler", "app.handler", "--zip-file", &first, "--layers", layer_arn, "--tags", "team=web"];
    let created = lambda(&server, &[&create[..], &code[..]].concat()).json();
    let arn = created["FunctionArn"].as_str().unwrap().to_owned();
    wait_for(&server, "function-exists", &[]);
    wait_for(&server, "function-active-v2", &[]);

    let invoke = |more: &[&str]| {
        let call = ["invoke", "--function-name", "walk", "--payload", r#"{"name":"cli"}"#];
        let told = lambda(&server, &[&call[..], more, &[output]].concat()).json();
        let answer: Value = serde_json::from_slice(&std::fs::read(output).unwrap()).unwrap();
        (told, answer)
    };
    let (told, answer) = invoke(&["--log-type", "Tail"]);
    assert_eq!(answer, json!({ "layer": "word", "name": "cli" }));
    let log = String::from_utf8(STANDARD.decode(told["LogResult"].as_str().unwrap()).unwrap()).unwrap();
    assert!(log.contains("walking\n") && log.contains("REPORT RequestId: "), "{log}");

    let published = lambda(&server, &["publish-version", "--function-name", "walk"]).json();
    assert_eq!(published["Version"], "1");
    wait_for(&server, "published-version-active", &["--qualifier", "1"]);
    let alias = ["create-alias", "--function-name", "walk", "--name", "live", "--function-version", "1"];
    let alias = lambda(&server, &alias).json();
    assert_eq!(alias["AliasArn"], format!("{arn}:live"));
    let code = ["update-function-code", "--function-name", "walk", "--zip-file", &second];
    lambda(&server, &code).success();
    wait_for(&server, "function-updated-v2", &[]);
    lambda(&server, &["update-function-configuration", "--function-name", "walk", "--timeout", "9"])
        .success();
    wait_for(&server, "function-updated", &[]);
    assert_eq!(invoke(&["--qualifier", "live"]).0["ExecutedVersion"], "1");
    assert_eq!(invoke(&[]).0["ExecutedVersion"], "$LATEST");
    lambda(&server, &["publish-version", "--function-name", "walk"]).success();
    let alias = ["update-alias", "--function-name", "walk", "--name", "live", "--function-version", "2"];
    lambda(&server, &alias).success();
    assert_eq!(invoke(&["--qualifier", "live"]).0["ExecutedVersion"], "2");

    let url = ["create-function-url-config", "--function-name", "walk", "--qualifier", "live"];
    let url = lambda(&server, &[&url[..], &["--auth-type", "NONE"]].concat()).json();
    let curl = Command::new("curl").args(["-sS", url["FunctionUrl"].as_str().unwrap()]).output();
    let curl = curl.expect("curl is there");
    let answer: Value =
        serde_json::from_slice(&curl.stdout).unwrap_or_else(|error| panic!("{error}: {curl:?}"));
    assert_eq!(answer, json!({ "layer": "word", "name": "nobody" }));

    lambda(&server, &["tag-resource", "--resource", &arn, "--tags", "stage=test"]).success();
    lambda(&server, &["untag-resource", "--resource", &arn, "--tag-keys", "team"]).success();
    let tags = lambda(&server, &["list-tags", "--resource", &arn]).json();
    assert_eq!(tags, json!({ "Tags": { "stage": "test" } }));
    lambda(&server, &["delete-function", "--function-name", "walk"]).success();
    let gone = lambda(&server, &["get-function", "--function-name", "walk"]);
    assert!(gone.stderr.contains("(ResourceNotFoundException)"), "{}", gone.stderr);
}

const GREETS: &str = "
def handler(event, context):
    print('greeting')
    return 'Hello, ' + event['name']
";

/// A server with a function that greets, and a folder for a tool.
fn with_greeter() -> (Server, Folder) {
    let server = Settings::new().without_walls().start();
    server.create(python("greeter", GREETS));
    (server, Folder::new())
}

#[test]
fn the_sam_cli_invokes_functions_and_shows_their_logs() {
    if !needs_sam() {
        return;
    }
    let (server, folder) = with_greeter();
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:greeter";
    let run = |arguments: &[&str]| sam(&server, folder.path(), arguments);
    let invoke = ["remote", "invoke", arn, "--event", r#"{"name":"sam"}"#];
    let invoked = run(&invoke);
    assert!(invoked.stderr.contains("greeting") && invoked.stderr.contains("REPORT "), "{invoked:?}");
    assert_eq!(invoked.success().trim(), "\"Hello, sam\"");
    let told = run(&[&invoke[..], &["--output", "json"]].concat()).json();
    assert_eq!(told["ExecutedVersion"], "$LATEST");
    let shown = run(&["logs", "--cw-log-group", "/aws/lambda/greeter"]).success();
    assert!(shown.contains("greeting") && shown.contains("REPORT RequestId: "), "{shown}");
}

#[test]
fn what_the_sam_cli_packages_into_a_bucket_is_deployed() {
    if !needs_sam() {
        return;
    }
    let server = Settings::new().without_walls().start();
    let folder = Folder::new();
    aws(&server, &["s3", "mb", "s3://code"]).success();
    let template = "
Transform: AWS::Serverless-2016-10-31
Resources:
  Greeter:
    Type: AWS::Serverless::Function
    Properties: {Runtime: python3.11, Handler: app.handler, CodeUri: src}
";
    folder.write("template.yaml", template);
    std::fs::create_dir(folder.path().join("src")).unwrap();
    folder.write("src/app.py", GREETS);
    let package = ["package", "--s3-bucket", "code", "--output-template-file", "packaged.yaml"];
    sam(&server, folder.path(), &package).success();
    let packaged = folder.path().join("packaged.yaml");
    let deploy = ["deploy", "--stack-name", "shop", "-t", packaged.to_str().unwrap(), "--yes"];
    hearth(Some(&server), &deploy).success();
    let greeting = server.function("shop-Greeter").invoke(r#"{"name":"sam"}"#);
    assert_eq!(greeting.success(), "Hello, sam");
}

#[test]
fn the_sam_cli_hears_at_once_that_there_is_no_cloudformation() {
    if !needs_sam() {
        return;
    }
    let (server, folder) = with_greeter();
    folder.write("template.yaml", "Transform: AWS::Serverless-2016-10-31\nResources: {}\n");
    let deploy = ["deploy", "--stack-name", "shop", "--resolve-s3", "--no-confirm-changeset"];
    let refused = sam(&server, folder.path(), &deploy);
    let text = format!("{}{}", refused.stdout, refused.stderr);
    assert!(!refused.status.success(), "{text}");
    assert!(text.contains("Hearth does not implement cloudformation:"), "{text}");
}

#[test]
fn osls_invokes_functions_and_hears_at_once_that_there_is_no_cloudformation() {
    if !needs_node() || !needs_osls() {
        return;
    }
    let (server, folder) = with_greeter();
    let service = "
service: shop
provider: {name: aws, runtime: python3.11, region: us-east-1}
functions:
  greeter: {handler: app.handler, name: greeter}
";
    folder.write("serverless.yml", service);
    folder.write("app.py", GREETS);
    let run = |arguments: &[&str]| osls(&server, folder.path(), arguments);
    let invoked = run(&["invoke", "-f", "greeter", "--data", r#"{"name":"osls"}"#, "--log"]).success();
    assert!(invoked.starts_with("\"Hello, osls\"") && invoked.contains("greeting"), "{invoked}");
    let refused = run(&["deploy"]);
    let text = format!("{}{}", refused.stdout, refused.stderr);
    assert!(!refused.status.success(), "{text}");
    assert!(text.contains("Hearth does not implement cloudformation:"), "{text}");
}
