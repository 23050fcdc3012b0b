//! StartLiveTail as clients see it.

use expect_test::expect;
use hearth_tests::{Server, aws_1_follow, eventually, hearth_with, python, run_python, run_python_with_key};
use serde_json::json;

use crate::cloudwatch_logs::check;

const HELLO: &str = "
def handler(event, context):
    print('hello', event['name'])
";

#[test]
fn boto3_follows_functions_and_shippers_live() {
    let server = Server::start();
    server.create(python("live", HELLO));
    check(
        &run_python(&server, "logs_live_tail.py", &["live"]).json(),
        &expect![[r#"
        {
          "a call": [
            "START",
            "hello",
            "END",
            "REPORT"
          ],
          "a session": {
            "logEventFilterPattern": "",
            "logGroupIdentifiers": [
              "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/live"
            ],
            "logStreamNamePrefixes": [],
            "logStreamNames": []
          },
          "an event": {
            "ingestionTime": "int",
            "logGroupIdentifier": "str",
            "logStreamName": "str",
            "message": "str",
            "timestamp": "int"
          },
          "by JSON, of two streams": [
            "{\"in\":\"one\"}",
            "{\"in\":\"two\"}"
          ],
          "by a prefix": [
            "one {\"in\":\"one\"}",
            "one ERROR",
            "other {\"in\":\"other\"}",
            "other ERROR"
          ],
          "by a term": [
            "ERROR",
            "ERROR",
            "ERROR"
          ],
          "failures": [
            "InvalidParameterException: A log group has to be named by its ARN, which does not end with `:*`: /live/app",
            "InvalidParameterException: A log group has to be named by its ARN, which does not end with `:*`: arn:aws:logs:us-east-1:000000000000:log-group:/live/app:*",
            "ResourceNotFoundException: The specified log group does not exist.",
            "InvalidParameterException: logStreamNames and logStreamNamePrefixes are mutually exclusive parameters.",
            "InvalidParameterException: logStreamNames and logStreamNamePrefixes can be specified with a single log group only.",
            "InvalidParameterException: Invalid filter pattern"
          ],
          "its ids": [
            36,
            36
          ],
          "of the group": true,
          "of two groups": 9,
          "of very many": [
            500,
            true
          ],
          "one too many": "LimitExceededException: Too many live tails are open at once.",
          "sampled": false,
          "then nothing": [],
          "when they are gone": "no error"
        }
    "#]],
    );
}

#[test]
fn the_aws_cli_prints_what_a_function_logs_from_now_on_and_a_server_that_stops_ends_it() {
    let server = Server::start();
    let function = server.create(python("live", HELLO));
    function.invoke(r#"{"name": "before"}"#).success();
    let before = function.logs_with_reports(1);
    let arn = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/live";
    let mut tail = aws_1_follow(
        &server,
        &["logs", "start-live-tail", "--log-group-identifiers", arn, "--log-event-filter-pattern", "hello"],
        ("AWS_DISABLE_HOST_PREFIX_INJECTION", "true"),
    );
    // It says nothing when it has begun.
    let seen = eventually("a line of a call", || {
        function.invoke(r#"{"name": "live"}"#).success();
        Some(tail.stdout()).filter(|seen| seen.contains("hello live"))
    });
    assert!(before.iter().any(|event| event.message == "hello before\n"));
    assert!(seen.lines().all(|line| line.is_empty() || line == "hello live"), "{seen}");
    // A live tail goes on for hours; the server does not, and does not cut it off either.
    server.stop();
    let (status, printed) = tail.ended();
    assert!(status.success(), "{status}");
    assert!(printed.lines().all(|line| line.is_empty() || line == "hello live"), "{printed}");
}

#[test]
fn a_live_tail_that_is_signed_for_the_host_with_the_prefix_of_the_model_is_answered() {
    let server = Server::start();
    let data_dir = server.data_dir().path().to_str().unwrap();
    let added = hearth_with(
        &[],
        &["credentials", "add", "tail", "--policy", "admin", "--data-dir", data_dir, "--output", "json"],
    )
    .json();
    let functions = "/2015-03-31/functions/";
    eventually("the server asks for a key", || {
        (server.http("GET", functions, b"").status == 403).then_some(())
    });
    let key = (added["AccessKeyId"].as_str().unwrap(), added["SecretAccessKey"].as_str().unwrap());
    let seen = run_python_with_key(&server, key, "logs_live_tail_host.py", &[]).json();
    assert_eq!(seen, json!(["signed"]));
}
