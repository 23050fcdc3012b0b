//! The life of what `hearth deploy` deploys, as other tools see it.

use hearth_tests::{Folder, Package, Server, Settings, aws, eventually, hearth};
use serde_json::json;

use super::{Project, check_nothing_changed, pairs};

#[test]
fn a_function_lives_its_life_in_the_words_of_the_aws_cli() {
    let server = Server::start();
    let folder = Folder::new();
    let package =
        Package::new().file("app.py", "import os\ndef handler(event, context): return os.environ['KEY']\n");
    let zip = folder.write("f.zip", package.zip());
    let zip = format!("fileb://{}", zip.display());
    let functions = |arguments: &[&str]| {
        hearth(Some(&server), &[&["functions"], arguments, &["--output", "json"]].concat())
    };
    let created = functions(&[
        "create",
        "--function-name",
        "f",
        "--runtime",
        "python3.11",
        "--handler",
        "app.handler",
        "--role",
        "arn:aws:iam::000000000000:role/r",
        "--zip-file",
        &zip,
        "--environment",
        "Variables={KEY=1,OTHER=2}",
        "--tags",
        "team=web",
    ])
    .json();
    assert_eq!(
        (&created["State"], &created["Role"]),
        (&json!("Active"), &json!("arn:aws:iam::000000000000:role/r"))
    );
    assert_eq!(functions(&["get", "f"]).json()["Tags"], json!({ "team": "web" }));
    let updated = functions(&[
        "update-configuration",
        "--function-name",
        "f",
        "--memory-size",
        "256",
        "--environment",
        "Variables={KEY=2}",
    ]);
    assert_eq!(updated.json()["MemorySize"], 256);
    let published = functions(&["publish-version", "--function-name", "f", "--description", "one"]).json();
    assert_eq!((&published["Version"], &published["Description"]), (&json!("1"), &json!("one")));

    folder.write("app.py", "def handler(event, context): return event\n");
    let source = folder.path().join("app.py");
    let updated = functions(&["update-code", "--function-name", "f", "--zip-file", source.to_str().unwrap()]);
    assert_eq!(updated.json()["LastUpdateStatus"], "Successful");
    let invoke = |arguments: &[&str]| {
        hearth(Some(&server), &[&["invoke", "--function-name", "f"], arguments].concat())
    };
    assert_eq!(invoke(&["--payload", "5"]).success(), "5\n");
    assert_eq!(invoke(&["--qualifier", "1"]).success(), "\"2\"\n");
    assert!(invoke(&["--log-type", "Tail"]).stderr.contains("REPORT RequestId: "));
    assert_eq!(invoke(&["--invocation-type", "DryRun"]).success(), "");
    assert_eq!(invoke(&["--invocation-type", "Event"]).success(), "");

    functions(&["delete", "--function-name", "f"]).success();
    assert_eq!(functions(&["list"]).json(), json!({ "Functions": [] }));
    let gone = functions(&["get", "f"]);
    assert_eq!(gone.status.code(), Some(5), "{}", gone.stderr);
    assert!(gone.stderr.contains("cannot show `f`: Function not found"), "{}", gone.stderr);
}

#[test]
fn code_in_a_bucket_of_the_server_is_deployed_and_its_changes_are_seen() {
    let server = Server::start();
    let template = "
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties: {Runtime: python3.11, Handler: app.handler, CodeUri: 's3://code/the code/f.zip', Layers: [!Ref L]}
  L:
    Type: AWS::Lambda::LayerVersion
    Properties: {LayerName: words, Content: {S3Bucket: code, S3Key: l.zip}}
";
    let project = Project::of(template);
    let folder = Folder::new();
    let put = |key: &str, package: Package| {
        let zip = folder.write("package.zip", package.zip());
        // As `sam package` does.
        let to = format!("s3://code/{key}");
        aws(&server, &["s3", "cp", zip.to_str().unwrap(), &to, "--sse", "AES256"]).success();
    };
    aws(&server, &["s3", "mb", "s3://code"]).success();
    put("l.zip", Package::new().file("python/word.py", "WORD = 'one'"));
    check_nothing_changed(
        &server,
        &project,
        &["--yes"],
        1,
        &["template.yaml:5: `F`: cannot get `s3://code/the code/f.zip` from the server: NoSuchKey"],
    );
    put(
        "the code/f.zip",
        Package::new().file("app.py", "import word\ndef handler(e, c): return word.WORD\n"),
    );
    assert_eq!(project.deploy(&server, &[]), pairs([("words", "create"), ("shop-F", "create")]));
    assert_eq!(server.function("shop-F").invoke("{}").success(), "one");
    assert_eq!(project.deploy(&server, &[]), pairs([("words", "no change"), ("shop-F", "no change")]));

    put("the code/f.zip", Package::new().file("app.py", "def handler(e, c): return 'two'\n"));
    assert_eq!(project.deploy(&server, &[]), pairs([("words", "no change"), ("shop-F", "update")]));
    assert_eq!(server.function("shop-F").invoke("{}").success(), "two");

    // With keys, its requests to S3 are signed.
    let data_dir = server.data_dir().path().to_str().unwrap().to_owned();
    let add = ["credentials", "add", "deploys", "--data-dir", &data_dir, "--output", "json"];
    let key = hearth(None, &add).json();
    let endpoint = server.url();
    let environment = [
        ("HEARTH_ENDPOINT", endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", key["AccessKeyId"].as_str().unwrap()),
        ("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"].as_str().unwrap()),
    ];
    let template = project.path("template.yaml");
    let deploy = ["deploy", "--stack-name", "shop", "-t", template.to_str().unwrap(), "--yes"];
    let done = eventually("the server knows the key", || {
        let done = hearth_tests::hearth_with(&environment, &deploy);
        (!done.stderr.contains("UnrecognizedClientException")).then_some(done)
    });
    assert!(done.success().contains("Nothing changes"));
}

#[test]
fn what_a_server_keeps_of_a_function_is_deployed_and_taken_away_again() {
    let server = Settings::new().without_walls().start();
    let plain = "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties:\n      Runtime: python3.11\n      Handler: app.handler\n      CodeUri: src\n";
    let kept = "      VpcConfig: {SubnetIds: [subnet-1], SecurityGroupIds: [sg-1]}
      SnapStart: {ApplyOn: PublishedVersions}
      FileSystemConfigs:
        - {Arn: 'arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-01234567890123456', LocalMountPath: /mnt/data}
";
    let project = Project::of(&format!("{plain}{kept}"));
    let shown = project.run(&server, &["--yes"]).success();
    assert!(
        shown.contains("note: `F`: the server keeps and shows `VpcConfig`, which has no effect on it"),
        "{shown}"
    );
    assert_eq!(project.deploy(&server, &[]), pairs([("shop-F", "no change")]));
    let seen = || {
        let of = server.function("shop-F").configuration();
        json!([
            of["VpcConfig"]["SubnetIds"],
            of["SnapStart"]["ApplyOn"],
            of["FileSystemConfigs"][0]["LocalMountPath"]
        ])
    };
    assert_eq!(seen(), json!([["subnet-1"], "PublishedVersions", "/mnt/data"]));
    project.write("template.yaml", plain);
    assert_eq!(project.deploy(&server, &[]), pairs([("shop-F", "update")]));
    assert_eq!(seen(), json!([[], "None", null]));
    assert_eq!(project.deploy(&server, &[]), pairs([("shop-F", "no change")]));

    // Whether it is durable is said when it is made, or never.
    let durable = "      DurableConfig: {ExecutionTimeout: 60}\n";
    project.write("template.yaml", &format!("{plain}{durable}"));
    check_nothing_changed(
        &server,
        &project,
        &["--yes"],
        1,
        &["function `shop-F` is not durable, and the template has"],
    );
    project.change("template.yaml", "  F:\n", "  G:\n");
    assert_eq!(project.deploy(&server, &["--prune"]), pairs([("shop-G", "create"), ("shop-F", "delete")]));
    project.change("template.yaml", "ExecutionTimeout: 60", "ExecutionTimeout: 90, RetentionPeriodInDays: 3");
    assert_eq!(project.deploy(&server, &[]), pairs([("shop-G", "update")]));
    let config = server.function("shop-G").configuration()["DurableConfig"].clone();
    assert_eq!(json!([config["ExecutionTimeout"], config["RetentionPeriodInDays"]]), json!([90, 3]));
    assert_eq!(project.deploy(&server, &[]), pairs([("shop-G", "no change")]));
    project.change("template.yaml", "  G:\n", "  G: # not durable any more\n");
    project.change(
        "template.yaml",
        "      DurableConfig: {ExecutionTimeout: 90, RetentionPeriodInDays: 3}\n",
        "",
    );
    check_nothing_changed(
        &server,
        &project,
        &["--yes"],
        1,
        &["function `shop-G` is durable, and the template has no"],
    );
}
