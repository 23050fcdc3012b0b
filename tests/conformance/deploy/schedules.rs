//! Schedules of a template.

use hearth_tests::{Server, lines_of};
use serde_json::{Value, json};

use super::{Project, check_nothing_changed, get, pairs};

const TICKS: &str = "
Transform: AWS::Serverless-2016-10-31
Resources:
  Tick:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: app.handler
      CodeUri: src
      AutoPublishAlias: live
      Events:
        Every:
          Type: Schedule
          Properties: {Schedule: rate(1 hour)}
        Nightly:
          Type: ScheduleV2
          Properties: {ScheduleExpression: cron(0 3 * * ? *), ScheduleExpressionTimezone: Europe/Berlin}
";

fn schedules(server: &Server) -> Vec<(String, String)> {
    let list = get(server, "/schedules");
    let schedules = list["Schedules"].as_array().unwrap().iter();
    let of = |schedule: &Value| {
        let (name, group) = (schedule["Name"].as_str().unwrap(), schedule["GroupName"].as_str().unwrap());
        let described = get(server, &format!("/schedules/{name}?groupName={group}"));
        (format!("{group}/{name}"), described["ScheduleExpression"].as_str().unwrap().to_owned())
    };
    schedules.map(of).collect()
}

#[test]
fn schedules_of_a_function_are_deployed_call_it_and_go_with_their_events() {
    let server = Server::start();
    let project = Project::of(TICKS);
    project.write(
        "src/app.py",
        "def handler(event, context): print('SAW', event['source'], context.invoked_function_arn)\n",
    );
    let created =
        pairs([("shop-Tick", "create"), ("shop-TickEvery", "create"), ("shop-TickNightly", "create")]);
    assert_eq!(project.deploy(&server, &[]), created);
    let both = [("shop/shop-TickEvery", "rate(1 hour)"), ("shop/shop-TickNightly", "cron(0 3 * * ? *)")];
    assert_eq!(schedules(&server), pairs(both));
    let function = server.function("shop-Tick");
    let events = function.logs_until("it is called", |events| !lines_of(events, "SAW ").is_empty());
    assert_eq!(
        lines_of(&events, "SAW ")[0].trim_end(),
        "SAW aws.events arn:aws:lambda:us-east-1:000000000000:function:shop-Tick:live"
    );
    let kept = pairs([
        ("shop-Tick", "no change"),
        ("shop-TickEvery", "no change"),
        ("shop-TickNightly", "no change"),
    ]);
    assert_eq!(project.deploy(&server, &[]), kept);

    // One changes, and when what comes after it fails it is as it was.
    project.change("template.yaml", "rate(1 hour)", "rate(2 hours)");
    project.change("template.yaml", "Europe/Berlin", "Europe/Atlantis");
    let failed = project.run(&server, &["--yes"]);
    let text = format!("{}{}", failed.stdout, failed.stderr);
    assert!(!failed.status.success() && text.contains("Atlantis"), "{text}");
    assert!(text.contains("taken back: schedule `shop-TickEvery`"), "{text}");
    assert_eq!(schedules(&server), pairs(both));

    // One goes with its event, and one that somebody made by hand stays.
    let own = json!({
        "ScheduleExpression": "rate(1 day)",
        "FlexibleTimeWindow": { "Mode": "OFF" },
        "Target": {
            "Arn": "arn:aws:lambda:us-east-1:000000000000:function:shop-Tick",
            "RoleArn": "arn:aws:iam::000000000000:role/r",
        },
    });
    assert_eq!(server.http("POST", "/schedules/by-hand", own.to_string().as_bytes()).status, 200);
    let (template, _) = TICKS.split_once("        Nightly:").unwrap();
    project.write("template.yaml", template);
    let wanted =
        pairs([("shop-Tick", "no change"), ("shop-TickEvery", "no change"), ("shop-TickNightly", "delete")]);
    assert_eq!(project.deploy(&server, &[]), wanted);
    let left = pairs([("default/by-hand", "rate(1 day)"), ("shop/shop-TickEvery", "rate(1 hour)")]);
    assert_eq!(schedules(&server), left);

    // A function that stays keeps its schedules, and one that is pruned takes them along.
    let other = "Resources:\n  F: {Type: AWS::Serverless::Function, Properties: {Runtime: python3.11, Handler: app.handler, CodeUri: src}}\n";
    project.write("template.yaml", other);
    let wanted = pairs([
        ("shop-F", "create"),
        ("shop-Tick", "not in the template"),
        ("shop-TickEvery", "not in the template"),
    ]);
    assert_eq!(project.deploy(&server, &[]), wanted);
    let wanted = pairs([("shop-F", "no change"), ("shop-Tick", "delete"), ("shop-TickEvery", "delete")]);
    assert_eq!(project.deploy(&server, &["--prune"]), wanted);
    assert_eq!(schedules(&server), pairs([("default/by-hand", "rate(1 day)")]));
}

#[test]
fn an_expression_that_is_none_is_told_with_its_line_before_anything_changes() {
    let server = Server::start();
    let project = Project::of(&TICKS.replace("rate(1 hour)", "rate(1 week)"));
    check_nothing_changed(
        &server,
        &project,
        &["--yes"],
        1,
        &["template.yaml:14: `TickEvery`: `rate(1 week)` is no schedule: The unit of rate() is minute,"],
    );
}
