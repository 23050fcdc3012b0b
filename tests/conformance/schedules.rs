//! EventBridge Scheduler: schedules call functions when their time has come, also after a restart.

use std::sync::Arc;

use expect_test::expect;
use hearth_tests::{
    Folder, Function, Server, Settings, aws, eventually, lines_of, python, run_python, run_python_with_key,
};
use serde_json::{Value, json};

const SAYS: &str = "
import json
def handler(event, context):
    print('SAW', json.dumps(event))
";

fn arn(function: &Function<'_>) -> String {
    function.configuration()["FunctionArn"].as_str().unwrap().to_owned()
}

/// Waits until the function has seen so many events, and returns them.
fn seen(function: &Function<'_>, number: usize) -> Vec<Value> {
    let what = format!("{number} events");
    let events = function.logs_until(&what, |events| lines_of(events, "SAW ").len() >= number);
    lines_of(&events, "SAW ").into_iter().map(|line| serde_json::from_str(&line[4..]).unwrap()).collect()
}

/// Makes a schedule, without a signature.
fn create(server: &Server, name: &str, expression: &str, function: &Function<'_>, more: Value) {
    let mut body = json!({
        "ScheduleExpression": expression,
        "FlexibleTimeWindow": { "Mode": "OFF" },
        "Target": { "Arn": arn(function), "RoleArn": "arn:aws:iam::000000000000:role/calls" },
    });
    for (member, value) in more.as_object().unwrap() {
        match member.as_str() {
            "Input" => body["Target"]["Input"] = value.clone(),
            _ => body[member] = value.clone(),
        }
    }
    let made = server.http("POST", &format!("/schedules/{name}"), body.to_string().as_bytes());
    assert_eq!(made.status, 200, "{}", made.text());
}

fn names(server: &Server) -> Vec<String> {
    let list = server.http("GET", "/schedules", b"").json();
    let schedules = list["Schedules"].as_array().unwrap().iter();
    schedules.map(|schedule| schedule["Name"].as_str().unwrap().to_owned()).collect()
}

/// Returns the time that it will be then, as `date` shows it.
fn in_days(days: u32) -> String {
    let when = format!("+{days} days");
    let date = std::process::Command::new("date").args(["-u", "-d", &when, "+%FT%T"]).output().unwrap();
    String::from_utf8(date.stdout).unwrap().trim().to_owned()
}

/// A clock that is set ahead.
struct Ahead(Folder);

impl Ahead {
    fn new() -> Self {
        let ahead = Self(Folder::new());
        ahead.set_s(0);
        ahead
    }

    fn set_s(&self, seconds: u64) {
        // Renamed into place, so that no half of a number is read.
        let next = self.0.write("next", (seconds * 1_000).to_string());
        std::fs::rename(next, self.0.path().join("ahead")).unwrap();
    }

    fn settings(&self) -> Settings {
        let clock = format!("server::event_clock=return({})", self.0.path().join("ahead").display());
        Settings::new().without_walls().faults(&clock)
    }
}

#[test]
fn boto3_finds_the_schedules_and_errors_that_it_knows() {
    let server = Settings::new().without_walls().start();
    let function = server.create(python("called", SAYS));
    let seen = run_python(&server, "schedules.py", &[&arn(&function)]).json();
    expect![[r#"
        {
          "a deletion of nothing": "404 ResourceNotFoundException: Schedule nothing does not exist.",
          "a name that is taken": "409 ConflictException: Schedule again already exists.",
          "a queue for dead letters": "400 ValidationException: Target.DeadLetterConfig is not supported by Hearth yet",
          "a time that is over": "400 ValidationException: Invalid Schedule Expression at(2020-01-01T00:00:00). That time is over.",
          "an update of nothing": "404 ResourceNotFoundException: Schedule nothing does not exist.",
          "another account": "400 ValidationException: The function of Target.Arn has to be of the region us-east-1 and the account 000000000000: arn:aws:lambda:us-east-1:111111111111:function:called",
          "another service": "400 ValidationException: Provided Arn is not in correct format, or not of a Lambda function, which is all that Hearth calls: arn:aws:sqs:us-east-1:000000000000:q",
          "created": "arn:aws:scheduler:us-east-1:000000000000:schedule/jobs/nightly",
          "described": {
            "ActionAfterCompletion": "DELETE",
            "Arn": "arn:aws:scheduler:us-east-1:000000000000:schedule/jobs/nightly",
            "Description": "every night",
            "FlexibleTimeWindow": {
              "Mode": "OFF"
            },
            "GroupName": "jobs",
            "Name": "nightly",
            "ScheduleExpression": "cron(0 3 * * ? *)",
            "ScheduleExpressionTimezone": "Europe/Berlin",
            "StartDate": "2040-01-01T00:00:00+00:00",
            "State": "DISABLED",
            "Target": {
              "Arn": "arn:aws:lambda:us-east-1:000000000000:function:called",
              "RetryPolicy": {
                "MaximumEventAgeInSeconds": 86400,
                "MaximumRetryAttempts": 185
              },
              "RoleArn": "arn:aws:iam::000000000000:role/calls"
            }
          },
          "gone with its group": "404 ResourceNotFoundException: Schedule nightly does not exist.",
          "groups": [
            [
              "default",
              "ACTIVE"
            ],
            [
              "jobs",
              "ACTIVE"
            ]
          ],
          "left": 5,
          "no JSON": "400 ValidationException: Target.Input must be well-formed JSON of at most 256 KB.",
          "no cron": "400 ValidationException: Invalid Schedule Expression cron(0 3 * * * *). Exactly one of day-of-month and day-of-week of cron() is `?`.",
          "no expression": "400 ValidationException: Invalid Schedule Expression daily. An expression is rate(...), cron(...) or at(...).",
          "no such group": "404 ResourceNotFoundException: Schedule group nowhere does not exist.",
          "no such schedule": "404 ResourceNotFoundException: Schedule nothing does not exist.",
          "no time zone": "400 ValidationException: 1 validation error detected: Value 'Europe/Atlantis' at 'scheduleExpressionTimezone' failed to satisfy constraint: Member must be the name of a time zone",
          "no window": "400 ValidationException: 1 validation error detected: Value null at 'flexibleTimeWindow.maximumWindowInMinutes' failed to satisfy constraint: Member must not be null",
          "of a group": [
            [
              "nightly",
              true
            ]
          ],
          "pages": [
            [
              "page-0",
              "page-1"
            ],
            [
              "page-2",
              "page-3"
            ],
            [
              "page-4"
            ]
          ],
          "tags": "501 NotImplementedException: Hearth does not implement GET /tags/arn%3Aaws%3Ascheduler%3Aus-east-1%3A000000000000%3Aschedule-group%2Fjobs of EventBridge Scheduler yet",
          "the default group": "400 ValidationException: The default schedule group can't be deleted.",
          "the same request twice": 1,
          "updated": {
            "ActionAfterCompletion": "NONE",
            "Arn": "arn:aws:scheduler:us-east-1:000000000000:schedule/jobs/nightly",
            "FlexibleTimeWindow": {
              "MaximumWindowInMinutes": 5,
              "Mode": "FLEXIBLE"
            },
            "GroupName": "jobs",
            "Name": "nightly",
            "ScheduleExpression": "rate(2 days)",
            "ScheduleExpressionTimezone": "UTC",
            "StartDate": "2040-01-01T00:00:00+00:00",
            "State": "ENABLED",
            "Target": {
              "Arn": "arn:aws:lambda:us-east-1:000000000000:function:called",
              "RetryPolicy": {
                "MaximumEventAgeInSeconds": 86400,
                "MaximumRetryAttempts": 185
              },
              "RoleArn": "arn:aws:iam::000000000000:role/calls"
            }
          }
        }
    "#]].assert_eq(&format!("{seen:#}\n"));
}

#[test]
fn a_schedule_calls_its_function_with_the_event_of_aws_or_its_own() {
    let server = Settings::new().without_walls().start();
    let function = server.create(python("called", SAYS));
    create(&server, "plain", "rate(1 hour)", &function, json!({}));
    let event = seen(&function, 1).remove(0);
    assert_eq!(
        [&event["detail-type"], &event["source"], &event["detail"], &event["resources"][0]],
        [
            "Scheduled Event",
            "aws.scheduler",
            "{}",
            "arn:aws:scheduler:us-east-1:000000000000:schedule/default/plain"
        ]
    );
    let time = event["time"].as_str().unwrap();
    assert!(time.len() == 20 && time.ends_with('Z'), "{time}");

    let input = r#"{"at": "<aws.scheduler.scheduled-time>", "arn": "<aws.scheduler.schedule-arn>",
                    "attempt": <aws.scheduler.attempt-number>, "id": "<aws.scheduler.execution-id>"}"#;
    // Not JSON before the number is in its place.
    let refused = server.http(
        "POST",
        "/schedules/own",
        json!({
            "ScheduleExpression": "rate(1 hour)",
            "FlexibleTimeWindow": { "Mode": "OFF" },
            "Target": { "Arn": arn(&function), "RoleArn": "arn:aws:iam::000000000000:role/r", "Input": input },
        })
        .to_string()
        .as_bytes(),
    );
    assert_eq!(refused.status, 400, "{}", refused.text());
    let input = input.replace("<aws.scheduler.attempt-number>", "\"<aws.scheduler.attempt-number>\"");
    create(&server, "own", "rate(1 hour)", &function, json!({ "Input": input }));
    let events = seen(&function, 2);
    assert_eq!(events[1]["arn"], "arn:aws:scheduler:us-east-1:000000000000:schedule/default/own");
    assert_eq!(events[1]["attempt"], "1");
    assert_eq!(events[1]["at"].as_str().unwrap().len(), 20);
    assert!(events[1]["id"].as_str().unwrap().len() == 36);
}

#[test]
fn a_schedule_that_runs_once_goes_when_it_says_so_and_stays_when_not() {
    let ahead = Ahead::new();
    let server = ahead.settings().start();
    let function = server.create(python("called", SAYS));
    for (name, after) in [("stays", "NONE"), ("goes", "DELETE")] {
        let more = json!({ "ActionAfterCompletion": after, "Input": json!(name).to_string() });
        create(&server, name, &format!("at({})", in_days(10)), &function, more);
    }
    create(&server, "never", "rate(1 minute)", &function, json!({ "State": "DISABLED" }));
    assert_eq!(names(&server), ["goes", "never", "stays"]);
    ahead.set_s(10 * 86_400 + 60);
    let mut inputs = seen(&function, 2);
    inputs.sort_by_key(Value::to_string);
    assert_eq!(inputs, ["goes", "stays"]);
    eventually("one is gone", || (names(&server) == ["never", "stays"]).then_some(()));
}

#[test]
fn a_rate_goes_on_with_its_step_and_what_was_missed_is_one_call() {
    let ahead = Ahead::new();
    let data_dir = Arc::new(Folder::new());
    let server = ahead.settings().data_dir(&data_dir).start();
    let function = server.create(python("called", SAYS));
    create(&server, "every", "rate(5 minutes)", &function, json!({}));
    let mut times = vec![];
    for number in 1..4 {
        let events = seen(&function, number);
        times.push(events[number - 1]["time"].as_str().unwrap().to_owned());
        ahead.set_s(301 * number as u64);
    }
    let events = seen(&function, 4);
    times.push(events[3]["time"].as_str().unwrap().to_owned());
    let minutes = |time: &str| time[14..16].parse::<u32>().unwrap();
    for pair in times.windows(2) {
        assert_eq!((minutes(&pair[0]) + 5) % 60, minutes(&pair[1]), "{times:?}");
        assert_eq!(pair[0][17..], pair[1][17..], "{times:?}");
    }
    function.logs_with_reports(4);
    server.stop();

    // An hour later: eleven more were due.
    ahead.set_s(3_600 + 903);
    let server = ahead.settings().data_dir(&data_dir).start();
    let function = server.function("called");
    seen(&function, 5);
    ahead.set_s(3_600 + 903 + 310);
    let events = seen(&function, 6);
    assert_eq!(events.len(), 6, "{events:?}");
}

#[test]
fn a_schedule_outlives_a_server_that_is_killed_right_after_the_call_and_calls_again() {
    let ahead = Ahead::new();
    let data_dir = Arc::new(Folder::new());
    let clock = format!("server::event_clock=return({})", ahead.0.path().join("ahead").display());
    let server = Settings::new()
        .without_walls()
        .faults(&format!("{clock};schedules::called=kill(1)"))
        .data_dir(&data_dir)
        .start();
    let function = server.create(python("called", SAYS));
    let more = json!({ "Input": "\"once\"", "StartDate": format!("{}Z", in_days(1)) });
    create(&server, "every", "rate(1 day)", &function, more);
    ahead.set_s(86_460);
    server.ended();

    let server = ahead.settings().data_dir(&data_dir).start();
    let function = server.function("called");
    // The event was on disk, and the schedule did not know yet.
    let events = seen(&function, 2);
    assert!(events.iter().all(|event| event == "once"), "{events:?}");
    let described = server.http("GET", "/schedules/every", b"").json();
    assert_eq!(described["State"], "ENABLED");
}

#[test]
fn rights_of_the_scheduler_are_asked_for() {
    let server = Settings::new().without_walls().start();
    let function = server.create(python("called", SAYS));
    let arn = arn(&function);
    let listed = aws(&server, &["scheduler", "list-schedules"]).json();
    assert_eq!(listed, json!({ "Schedules": [] }));
    let add = |policy: &str| {
        let data_dir = server.data_dir().path().to_str().unwrap().to_owned();
        let added = hearth_tests::hearth(
            None,
            &["credentials", "add", policy, "--policy", policy, "--data-dir", &data_dir, "--output", "json"],
        );
        added.json()
    };
    let key = add("read-only");
    let key = (key["AccessKeyId"].as_str().unwrap(), key["SecretAccessKey"].as_str().unwrap());
    // From then on, whoever has no key is refused.
    eventually("the server knows the key", || {
        let finished = aws(&server, &["scheduler", "list-schedules"]);
        finished.stderr.contains("UnrecognizedClient").then_some(())
    });
    let refused = run_python_with_key(&server, key, "schedules.py", &[&arn]).stderr;
    assert!(
        refused.contains("AccessDenied") && refused.contains("scheduler:CreateScheduleGroup"),
        "{refused}"
    );
}
