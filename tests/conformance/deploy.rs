//! `hearth deploy`: a server becomes what a template says, and stays what it was when that does not work.

mod event_sources;
mod life;
mod schedules;

use std::fs;
use std::path::{Path, PathBuf};

use hearth_tests::{Finished, Folder, Server, hearth, python, repository};
use serde_json::{Value, json};

/// A copy of the example that may be changed.
struct Project(Folder);

impl Project {
    fn example() -> Self {
        let project = Self(Folder::new());
        copy(&repository().join("examples/sam"), project.0.path());
        project
    }

    /// A project of one template, with the folder `src` for its functions.
    fn of(template: &str) -> Self {
        let project = Self(Folder::new());
        project.write("src/app.py", "def handler(event, context): return 'ok'\n");
        project.write("template.yaml", template);
        project
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), content).unwrap();
    }

    fn change(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(self.path(name), text.replace(from, to)).unwrap();
    }

    fn run(&self, server: &Server, flags: &[&str]) -> Finished {
        let template = self.path("template.yaml");
        let arguments = ["deploy", "--stack-name", "shop", "-t", template.to_str().unwrap()];
        hearth(Some(server), &[&arguments, flags].concat())
    }

    /// Deploys it and returns each resource's action by its name.
    fn deploy(&self, server: &Server, flags: &[&str]) -> Vec<(String, String)> {
        let report = self.run(server, &[&["--yes", "--output", "json"], flags].concat()).json();
        actions(&report)
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn actions(report: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let resources = report["Resources"].as_array().unwrap().iter();
    resources.map(|resource| (text(&resource["Name"]), text(&resource["Action"]))).collect()
}

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
    pairs.into_iter().map(|(name, action)| (name.to_owned(), action.to_owned())).collect()
}

fn get(server: &Server, path: &str) -> Value {
    let response = server.http("GET", path, b"");
    assert_eq!(response.status, 200, "{path}: {}", response.text());
    response.json()
}

/// Everything of the stack that somebody could see, without what changes by being looked at.
fn everything(server: &Server) -> Value {
    let functions = get(server, "/2015-03-31/functions")["Functions"].as_array().unwrap().clone();
    let functions: Vec<Value> = functions
        .iter()
        .map(|function| {
            let name = function["FunctionName"].as_str().unwrap();
            let of = |rest: &str| get(server, &format!("/2015-03-31/functions/{name}{rest}"));
            let mut document = of("");
            let configuration = document["Configuration"].as_object_mut().unwrap();
            configuration.remove("LastModified");
            configuration.remove("RevisionId");
            let mut aliases = of("/aliases")["Aliases"].clone();
            for alias in aliases.as_array_mut().unwrap() {
                alias.as_object_mut().unwrap().remove("RevisionId");
            }
            let versions: Vec<Value> = of("/versions")["Versions"]
                .as_array()
                .unwrap()
                .iter()
                .map(|version| json!([version["Version"], version["CodeSha256"], version["MemorySize"]]))
                .collect();
            json!({
                "configuration": document["Configuration"],
                "tags": document["Tags"],
                "aliases": aliases,
                "versions": versions,
            })
        })
        .collect();
    json!({ "functions": functions, "layers": get(server, "/2018-10-31/layers") })
}

fn function_names(server: &Server) -> Vec<String> {
    let list = get(server, "/2015-03-31/functions");
    let functions = list["Functions"].as_array().unwrap().iter();
    functions.map(|function| function["FunctionName"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_template_is_deployed_and_the_second_time_nothing_changes() {
    let server = Server::start();
    let project = Project::example();
    let shown = project.run(&server, &["--dry-run"]).success();
    assert!(shown.contains("create  function Greeter  shop-Greeter"), "{shown}");
    assert_eq!(function_names(&server), [""; 0], "--dry-run changes nothing");

    let created = pairs([("shop-words", "create"), ("shop-Greeter", "create"), ("shop-Counter", "create")]);
    assert_eq!(project.deploy(&server, &[]), created);
    let greeter = server.function("shop-Greeter");
    assert_eq!(greeter.invoke(r#"{"name":"you"}"#).success(), "Hello, you");
    let counted = server.function("shop-Counter").invoke("{}").success();
    assert_eq!(counted["greeter"], "arn:aws:lambda:us-east-1:000000000000:function:shop-Greeter");
    let live = hearth(Some(&server), &["invoke", "shop-Greeter", "--qualifier", "live", "--output", "json"]);
    assert_eq!(live.json()["ExecutedVersion"], "1");
    let tags = get(&server, "/2015-03-31/functions/shop-Counter")["Tags"].clone();
    assert_eq!(tags, json!({ "stage": "test", "hearth:stack": "shop", "hearth:logical-id": "Counter" }));
    let config = get(&server, "/2019-09-25/functions/shop-Counter/event-invoke-config");
    assert_eq!(config["MaximumRetryAttempts"], 1);

    let before = everything(&server);
    let kept =
        pairs([("shop-words", "no change"), ("shop-Greeter", "no change"), ("shop-Counter", "no change")]);
    assert_eq!(project.deploy(&server, &[]), kept);
    let text = project.run(&server, &[]).success();
    assert!(text.contains("Nothing changes: the server has what the template says."), "{text}");
    assert_eq!(everything(&server), before);
}

#[test]
fn only_what_has_changed_is_deployed() {
    let server = Server::start();
    let project = Project::example();
    project.deploy(&server, &[]);

    // One function's code: a version is published, and its alias leads there.
    project.change("greeter/app.py", "GREETING']}, ", "GREETING']}! ");
    let wanted =
        pairs([("shop-words", "no change"), ("shop-Greeter", "update"), ("shop-Counter", "no change")]);
    assert_eq!(project.deploy(&server, &[]), wanted);
    assert_eq!(server.function("shop-Greeter").invoke("{}").success(), "Hello! world");
    let alias = get(&server, "/2015-03-31/functions/shop-Greeter/aliases/live");
    assert_eq!(alias["FunctionVersion"], "2");

    // The layer: both functions get its new version.
    project.change("words/python/words.py", "\"world\"", "\"layer 2\"");
    let wanted = pairs([("shop-words", "update"), ("shop-Greeter", "update"), ("shop-Counter", "update")]);
    assert_eq!(project.deploy(&server, &[]), wanted);
    assert_eq!(server.function("shop-Counter").invoke("{}").success()["name"], "layer 2");

    // A parameter.
    let flags = ["--parameter-overrides", "Greeting=Good day", "Stage=production"];
    let shown = project.run(&server, &[&flags[..], &["--yes"]].concat()).success();
    assert!(shown.contains("MemorySize 128 -> 512") && !shown.contains("Good day"), "{shown}");
    assert_eq!(server.function("shop-Greeter").invoke("{}").success(), "Good day! layer 2");
    let tags = get(&server, "/2015-03-31/functions/shop-Counter")["Tags"].clone();
    assert_eq!(tags["stage"], "production");

    // What is named and not installed is noted.
    project.write("counter/requirements.txt", "requests");
    let shown = project.run(&server, &[&flags[..], &["--dry-run"]].concat()).success();
    assert!(shown.contains("note: `Counter` has a requirements.txt: Hearth installs nothing"), "{shown}");
    fs::remove_file(project.path("counter/requirements.txt")).unwrap();

    // What the template says no longer is taken away.
    project.change("template.yaml", "      EventInvokeConfig:\n        MaximumRetryAttempts: 1\n", "");
    project.change("template.yaml", "      Tags:\n        stage: !Ref Stage\n", "");
    let wanted =
        pairs([("shop-words", "no change"), ("shop-Greeter", "no change"), ("shop-Counter", "update")]);
    assert_eq!(project.deploy(&server, &flags), wanted);
    let path = "/2019-09-25/functions/shop-Counter/event-invoke-config";
    assert_eq!(server.http("GET", path, b"").status, 404);
    let tags = get(&server, "/2015-03-31/functions/shop-Counter")["Tags"].clone();
    assert_eq!(tags, json!({ "hearth:stack": "shop", "hearth:logical-id": "Counter" }));
}

/// A deployment that fails leaves everything as it was, and says so.
#[track_caller]
fn check_nothing_changed(server: &Server, project: &Project, flags: &[&str], code: i32, said: &[&str]) {
    let before = everything(server);
    let finished = project.run(server, flags);
    let text = format!("{}{}", finished.stdout, finished.stderr);
    assert_eq!(finished.status.code(), Some(code), "{text}");
    for said in said {
        assert!(text.contains(said), "no `{said}` in:\n{text}");
    }
    assert_eq!(everything(server), before, "{text}");
}

#[test]
fn a_template_that_is_wrong_or_asks_for_too_much_changes_nothing() {
    let server = Server::start();
    let project = Project::example();
    project.deploy(&server, &[]);
    project.change("greeter/app.py", "GREETING", "NOTHING");

    let good = fs::read_to_string(project.path("template.yaml")).unwrap();
    let with = |from: &str, to: &str| project.write("template.yaml", &good.replacen(from, to, 1));
    with("Timeout: 5", "Timeout: soon");
    check_nothing_changed(
        &server,
        &project,
        &["--yes"],
        1,
        &["template.yaml:22: `Timeout` has to be a whole number, not `soon`", "nothing has changed"],
    );
    with("counter/", "nowhere/");
    check_nothing_changed(&server, &project, &["--yes"], 1, &["template.yaml:", "nowhere", "cannot read"]);
    with("Resources:\n", "Resources:\n  Table: {Type: AWS::DynamoDB::Table}\n");
    check_nothing_changed(
        &server,
        &project,
        &["--yes"],
        1,
        &["template.yaml:28: unsupported: `Table`: AWS::DynamoDB::Table is not built", "--skip-unsupported"],
    );
    project.write("template.yaml", &good);
    check_nothing_changed(&server, &project, &[], 2, &["somebody has to agree", "--yes agrees"]);
    check_nothing_changed(
        &server,
        &project,
        &["--yes", "--parameter-overrides", "Stage=nowhere"],
        1,
        &["template.yaml:10: parameter `Stage`: `nowhere` is none of its `AllowedValues`"],
    );
    let other = server.create(python("taken", "def handler(event, context): return 1\n"));
    let arn = other.configuration()["FunctionArn"].as_str().unwrap().to_owned();
    let tags = json!({ "Tags": { "hearth:stack": "another" } }).to_string();
    let path = format!("/2017-03-31/tags/{}", hearth_tests::encode(&arn));
    assert_eq!(server.http("POST", &path, tags.as_bytes()).status, 204);
    with("CodeUri: counter/", "CodeUri: counter/\n      FunctionName: taken");
    let said = ["function `taken` is of the stack `another`"];
    check_nothing_changed(&server, &project, &["--yes"], 1, &said);

    with("Resources:\n", "Resources:\n  Table: {Type: AWS::DynamoDB::Table}\n");
    let wanted =
        pairs([("shop-words", "no change"), ("shop-Greeter", "update"), ("shop-Counter", "no change")]);
    assert_eq!(project.deploy(&server, &["--skip-unsupported"]), wanted);
}

#[test]
fn when_a_change_fails_those_before_it_are_taken_back() {
    let server = Server::start();
    let project = Project::example();
    project.deploy(&server, &[]);
    // A new layer version, code, configuration, tags and an alias that moves; then a runtime that nobody has.
    project.change("words/python/words.py", "world", "other");
    project.change("greeter/app.py", "GREETING']}, ", "GREETING']}! ");
    project.change(
        "template.yaml",
        "      AutoPublishAlias: live",
        "      AutoPublishAlias: live\n      Tags: {new: tag}",
    );
    project.change("template.yaml", "MaximumRetryAttempts: 1", "MaximumRetryAttempts: 0");
    let wrong = "
  Added:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: greeter/}
  Zzz:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: greeter/, Runtime: cobol85}

Outputs:";
    project.change("template.yaml", "\nOutputs:", wrong);
    check_nothing_changed(
        &server,
        &project,
        &["--yes", "--parameter-overrides", "Stage=production"],
        5,
        &[
            "taken back: function `shop-Added`, which was new",
            "taken back: configuration of `shop-Greeter`",
            "taken back: code of `shop-Greeter`",
            "taken back: alias live of `shop-Greeter`",
            "taken back: EventInvokeConfig of `shop-Counter`",
            "taken back: version 2 of layer `shop-words`",
            "cannot create function `shop-Zzz` (what was done before it is taken back): Value cobol85 at 'runtime'",
        ],
    );
    assert_eq!(server.function("shop-Greeter").invoke("{}").success(), "Hello, world");
    let config = get(&server, "/2019-09-25/functions/shop-Counter/event-invoke-config");
    assert_eq!(config["MaximumRetryAttempts"], 1);
}

#[test]
fn functions_that_the_template_has_no_longer_are_deleted_only_when_asked_for() {
    let server = Server::start();
    let one = "  F: {Type: AWS::Serverless::Function, Properties: {Runtime: python3.11, Handler: app.handler, CodeUri: src}}\n";
    let project = Project::of(&format!("Resources:\n{one}{}", one.replace("  F:", "  G:")));
    // What was made by hand, and by no stack, becomes this stack's.
    server.create(python("shop-G", "def handler(event, context): return 'by hand'\n"));
    let shown = project.run(&server, &["--dry-run"]).success();
    assert!(shown.contains("taken over: no stack made it"), "{shown}");
    assert_eq!(project.deploy(&server, &[]), pairs([("shop-F", "create"), ("shop-G", "update")]));
    assert_eq!(server.function("shop-G").invoke("{}").success(), "ok");
    server.create(python("by-hand", "def handler(event, context): return 1\n"));

    project.write("template.yaml", &format!("Resources:\n{one}"));
    let left = pairs([("shop-F", "no change"), ("shop-G", "not in the template")]);
    assert_eq!(project.deploy(&server, &[]), left);
    assert_eq!(function_names(&server), ["by-hand", "shop-F", "shop-G"]);
    let pruned = pairs([("shop-F", "no change"), ("shop-G", "delete")]);
    assert_eq!(project.deploy(&server, &["--prune"]), pruned);
    assert_eq!(function_names(&server), ["by-hand", "shop-F"]);
    assert_eq!(project.deploy(&server, &["--prune"]), pairs([("shop-F", "no change")]));
}
