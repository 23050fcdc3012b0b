//! Queues and streams of a template.

use std::fs;

use hearth_tests::{Moto, Server, Settings, lines_of, run_python};
use serde_json::{Value, json};

use super::{Project, check_nothing_changed, function_names, get, pairs};

const FED: &str = "
Transform: AWS::Serverless-2016-10-31
Resources:
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: app.handler
      CodeUri: src
      AutoPublishAlias: live
      Events:
        Jobs:
          Type: SQS
          Properties: {Queue: 'JOBS', BatchSize: 1}
        Clicks:
          Type: Kinesis
          Properties: {Stream: 'CLICKS', StartingPosition: TRIM_HORIZON}
  Rows:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: !Ref Worker
      EventSourceArn: 'ROWS'
      StartingPosition: LATEST
      FilterCriteria: {Filters: [{Pattern: '{\"eventName\": [\"INSERT\"]}'}]}
      Tags: [{Key: team, Value: web}]
";

/// Everything of the mappings that does not change by being looked at, in the order of their sources.
fn mappings(server: &Server) -> Vec<Value> {
    let list = get(server, "/2015-03-31/event-source-mappings");
    let mut mappings = list["EventSourceMappings"].as_array().unwrap().clone();
    for mapping in &mut mappings {
        let arn = hearth_tests::encode(mapping["EventSourceMappingArn"].as_str().unwrap());
        mapping["Tags"] = get(server, &format!("/2017-03-31/tags/{arn}"))["Tags"].clone();
        for changing in ["LastModified", "LastProcessingResult", "StateTransitionReason"] {
            mapping.as_object_mut().unwrap().remove(changing);
        }
    }
    mappings.sort_by_key(|mapping| mapping["EventSourceArn"].to_string());
    mappings
}

/// A server with an endpoint for sources, and a project that maps three of them.
struct Fed {
    moto: Moto,
    server: Server,
    project: Project,
}

impl Fed {
    fn new() -> Self {
        let moto = Moto::start();
        let server = Settings::new().without_walls().aws_endpoint(&moto.url()).start();
        let mut fed = Self { moto, server, project: Project::of("") };
        let mut template = FED.to_owned();
        for (word, source) in [("JOBS", "queue"), ("CLICKS", "stream"), ("ROWS", "table")] {
            template = template.replace(word, &fed.make(source, &word.to_lowercase()));
        }
        fed.project = Project::of(&template);
        let source = "def handler(event, context): print('SAW', event['Records'][0].get('body'))\n";
        fed.project.write("src/app.py", source);
        fed
    }

    fn make(&self, kind: &str, name: &str) -> String {
        let made = run_python(&self.server, "event_sources.py", &[&self.moto.url(), kind, name]).json();
        made.as_str().unwrap().to_owned()
    }
}

#[test]
fn queues_and_streams_feed_a_function_as_the_template_says_and_only_what_changes_is_changed() {
    let fed = Fed::new();
    let (server, project) = (&fed.server, &fed.project);
    let names =
        ["shop-Worker", "jobs -> shop-Worker:live", "clicks -> shop-Worker:live", "rows -> shop-Worker"];
    assert_eq!(project.deploy(server, &[]), pairs(names.map(|name| (name, "create"))));
    let made = mappings(server);
    let seen: Vec<_> = made.iter().map(|of| json!([of["State"], of["BatchSize"], of["Tags"]])).collect();
    let tags = |id: &str| json!({ "hearth:stack": "shop", "hearth:logical-id": id });
    let mut rows = tags("Rows");
    rows["team"] = "web".into();
    let enabled = "Enabled";
    let wanted = [
        json!([enabled, 100, rows]),
        json!([enabled, 100, tags("WorkerClicks")]),
        json!([enabled, 1, tags("WorkerJobs")]),
    ];
    assert_eq!(seen, wanted);
    let send =
        [fed.moto.url(), "send".into(), "jobs".into(), json!([{ "MessageBody": "a job" }]).to_string()];
    run_python(server, "event_sources.py", &send.each_ref().map(String::as_str)).success();
    let function = server.function("shop-Worker");
    function.logs_until("it is fed", |events| !lines_of(events, "SAW a job").is_empty());

    assert_eq!(project.deploy(server, &[]), pairs(names.map(|name| (name, "no change"))));
    assert_eq!(mappings(server), made);

    // One is changed and stays the same mapping; also when it is to lead to another alias.
    project.change("template.yaml", "BatchSize: 1}", "BatchSize: 2, Enabled: false}");
    let wanted = names.map(|name| (name, if name.starts_with("jobs") { "update" } else { "no change" }));
    assert_eq!(project.deploy(server, &[]), pairs(wanted));
    let changed = mappings(server);
    assert_eq!(changed[..2], made[..2]);
    assert_eq!(
        json!([changed[2]["UUID"], changed[2]["State"], changed[2]["BatchSize"]]),
        json!([made[2]["UUID"], "Disabled", 2])
    );
    project.change("template.yaml", "AutoPublishAlias: live", "AutoPublishAlias: main");
    let moved = pairs([
        ("shop-Worker", "update"),
        ("jobs -> shop-Worker:main", "update"),
        ("clicks -> shop-Worker:main", "update"),
        ("rows -> shop-Worker", "no change"),
    ]);
    assert_eq!(project.deploy(server, &[]), moved);
    let uuids = |of: &[Value]| of.iter().map(|of| of["UUID"].clone()).collect::<Vec<_>>();
    assert_eq!(uuids(&mappings(server)), uuids(&made));

    // Back to what is said of nothing.
    project.change("template.yaml", ", BatchSize: 2, Enabled: false", "");
    let filter = "      FilterCriteria: {Filters: [{Pattern: '{\"eventName\": [\"INSERT\"]}'}]}\n";
    project.change("template.yaml", filter, "");
    let wanted = ["no change", "update", "no change", "update"];
    let actions: Vec<_> = project.deploy(server, &[]).into_iter().map(|(_, action)| action).collect();
    assert_eq!(actions, wanted);
    let now = mappings(server);
    assert_eq!(
        json!([now[0]["FilterCriteria"], now[2]["BatchSize"], now[2]["State"]]),
        json!([null, 10, enabled])
    );
}

#[test]
fn mappings_are_taken_back_and_go_with_their_events() {
    let fed = Fed::new();
    let (server, project) = (&fed.server, &fed.project);
    project.deploy(server, &[]);
    let before = mappings(server);
    let good = fs::read_to_string(project.path("template.yaml")).unwrap();

    // A change, a new one, then what the server refuses.
    let other = fed.make("queue", "other");
    project.change("template.yaml", "BatchSize: 1}", "BatchSize: 2}");
    let more = "        Clicks:\n          Type: Kinesis\n          Properties: {TumblingWindowInSeconds: 30, ParallelizationFactor: 2, ";
    let clicks = "        Clicks:\n          Type: Kinesis\n          Properties: {";
    let new = format!("        Other: {{Type: SQS, Properties: {{Queue: '{other}'}}}}\n");
    project.change("template.yaml", clicks, &format!("{new}{more}"));
    project.change("template.yaml", "Value: web", "Value: other");
    let said = [
        "taken back: event source mapping `jobs -> shop-Worker:live`",
        "taken back: event source mapping `other -> shop-Worker:live`, which was new",
        "cannot update event source mapping `clicks -> shop-Worker:live`",
        "ParallelizationFactor must be 1 with TumblingWindowInSeconds",
    ];
    check_nothing_changed(server, project, &["--yes"], 5, &said);
    assert_eq!(mappings(server), before);

    // A stream is not read from elsewhere all of a sudden.
    project.write("template.yaml", &good.replace("TRIM_HORIZON", "LATEST"));
    let said = ["`WorkerClicks`: `StartingPosition` is \"TRIM_HORIZON\" and cannot become \"LATEST\""];
    check_nothing_changed(server, project, &["--yes"], 1, &said);
    assert_eq!(mappings(server), before);

    // One goes with its event, and one that somebody made by hand stays.
    let by_hand = json!({ "FunctionName": "shop-Worker", "EventSourceArn": other }).to_string();
    run_python(server, "event_sources.py", &[&fed.moto.url(), "map", &by_hand]).success();
    let (head, rest) = good.split_once("        Clicks:").unwrap();
    let (_, rows) = rest.split_once("  Rows:").unwrap();
    project.write("template.yaml", &format!("{head}  Rows:{rows}"));
    let wanted = pairs([
        ("shop-Worker", "no change"),
        ("jobs -> shop-Worker:live", "no change"),
        ("rows -> shop-Worker", "no change"),
        ("clicks -> shop-Worker:live", "delete"),
    ]);
    assert_eq!(project.deploy(server, &[]), wanted);
    let sources = || {
        let mappings = mappings(server);
        let name =
            |of: &Value| of["EventSourceArn"].as_str().unwrap().split([':', '/']).nth(5).unwrap().to_owned();
        mappings.iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(sources(), ["table", "jobs", "other"]);

    // Another source is another mapping.
    let jobs = fed.make("queue", "jobs");
    let two = fed.make("queue", "two");
    project.change("template.yaml", &jobs, &two);
    let wanted = pairs([
        ("shop-Worker", "no change"),
        ("two -> shop-Worker:live", "create"),
        ("rows -> shop-Worker", "no change"),
        ("jobs -> shop-Worker:live", "delete"),
    ]);
    assert_eq!(project.deploy(server, &[]), wanted);
    assert_eq!(sources(), ["table", "other", "two"]);

    // A function that stays keeps its mappings, and one that is pruned takes them along.
    let one = "Resources:\n  F: {Type: AWS::Serverless::Function, Properties: {Runtime: python3.11, Handler: app.handler, CodeUri: src}}\n";
    project.write("template.yaml", one);
    let mut left: Vec<String> = Vec::new();
    for (name, action) in project.deploy(server, &[]) {
        if action == "not in the template" {
            left.push(name);
        }
    }
    left.sort();
    assert_eq!(left, ["rows -> shop-Worker", "shop-Worker", "two -> shop-Worker:live"]);
    assert_eq!(sources(), ["table", "other", "two"]);
    project.deploy(server, &["--prune"]);
    assert_eq!(sources(), ["other"]);
}

#[test]
fn a_server_that_polls_nothing_refuses_a_mapping_and_all_is_taken_back() {
    let server = Settings::new().without_walls().start();
    let template = FED.replace("JOBS", "arn:aws:sqs:us-east-1:000000000000:jobs");
    let (template, _) = template.split_once("        Clicks:").unwrap();
    let project = Project::of(template);
    let said = [
        "cannot create event source mapping `jobs -> shop-Worker:live` (what was done before it is taken back): ",
        "it was started without `--aws-endpoint`",
        "taken back: function `shop-Worker`, which was new",
    ];
    check_nothing_changed(&server, &project, &["--yes"], 5, &said);
    assert_eq!(function_names(&server), [""; 0]);
}
