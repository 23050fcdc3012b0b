//! CloudWatch Logs Insights as clients see it. What queries answer is in a table of the crate.

use expect_test::expect;
use hearth_tests::{Server, aws, eventually, python, run_python};
use serde_json::json;

use crate::cloudwatch_logs::check;

const CALLS: usize = 3;

/// A function that prints how many items it was given.
const ITEMS: &str = "
def handler(event, context):
    print(f\"hello {event['name']}: {event['items']} items\")
";
/// A function that warns.
const WARNS: &str = "
import logging
def handler(event, context):
    logging.getLogger().warning('low')
";

#[test]
fn boto3_asks_about_the_logs_of_real_functions_and_hears_what_stands_there() {
    let server = Server::start();
    let items = server.create(python("items", ITEMS));
    let warns = server.create(python("warns", WARNS).with("LoggingConfig", json!({ "LogFormat": "JSON" })));
    for number in 0..CALLS {
        let name = ["ann", "bob"][number % 2];
        items.invoke(json!({ "name": name, "items": number + 1 }).to_string()).success();
        warns.invoke("{}").success();
    }
    items.logs_with_reports(CALLS);
    warns.logs_until("three platform reports", |events| {
        events.iter().filter(|event| event.message.contains("platform.report")).count() == CALLS
    });
    let seen = run_python(&server, "logs_insights.py", &["items", "warns", &CALLS.to_string()]).json();
    check(
        &seen,
        &expect![[r#"
        {
          "JSON: calls, cold ones": [
            {
              "calls": "3",
              "cold": "1"
            }
          ],
          "JSON: its keys": [
            {
              "calls": "3",
              "message": "low",
              "warnings": "3"
            }
          ],
          "JSON: metrics": [
            {
              "mb": "128",
              "record.status": "success"
            }
          ],
          "a record": [
            "@billedDuration",
            "@duration",
            "@ingestionTime",
            "@initDuration",
            "@log",
            "@logStream",
            "@maxMemoryUsed",
            "@memorySize",
            "@message",
            "@ptr",
            "@requestId",
            "@timestamp",
            "@type"
          ],
          "all queries, 7 on a page": [
            true
          ],
          "as reported": [
            true,
            true,
            true
          ],
          "by ARN": [
            {
              "ended": "3"
            }
          ],
          "by its kind": [
            {
              "@type": "END",
              "lines": "3"
            },
            {
              "@type": "REPORT",
              "lines": "3"
            },
            {
              "@type": "START",
              "lines": "3"
            }
          ],
          "calls, cold ones": [
            "3",
            "1",
            "true"
          ],
          "durations as in REPORT lines": true,
          "failures": [
            "400 MalformedQueryException: unexpected symbol found fetch at line 1 and position 18: a command is expected {'startCharOffset': 18, 'endCharOffset': 23}",
            "400 MalformedQueryException: this is no regular expression, or it is too large at line 1 and position 21 {'startCharOffset': 21, 'endCharOffset': 24}",
            "400 ResourceNotFoundException: Log group '/none' does not exist for account ID '000000000000' (Service: AWSLogs; Status Code: 400; Error Code: ResourceNotFoundException)",
            "400 InvalidParameterException: Exactly one of logGroupName, logGroupNames and logGroupIdentifiers has to name log groups.",
            "400 InvalidParameterException: Exactly one of logGroupName, logGroupNames and logGroupIdentifiers has to name log groups.",
            "400 InvalidParameterException: The start time of a query is not after its end time.",
            "400 InvalidParameterException: 1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000",
            "501 NotImplementedException: Hearth does not implement queries of logs in SQL or PPL yet",
            "400 ResourceNotFoundException: The specified query does not exist.",
            "400 InvalidParameterException: The specified nextToken is invalid.",
            "400 ResourceNotFoundException: The specified query does not exist.",
            "400 InvalidParameterException: The specified query is not running.",
            "400 InvalidParameterException: The specified logRecordPointer is invalid."
          ],
          "fields of the group": [
            100,
            true
          ],
          "figures": [
            3.0,
            true,
            true
          ],
          "in no time": [],
          "its message": true,
          "limit of the request": [
            2,
            3
          ],
          "lines of an hour": true,
          "memory": [
            "128000000"
          ],
          "of both": [
            {
              "@log": "000000000000:/aws/lambda/items",
              "calls": "3"
            },
            {
              "@log": "000000000000:/aws/lambda/warns",
              "calls": "3"
            }
          ],
          "pages": [
            2,
            2,
            1
          ],
          "request ids": true,
          "the last query": [
            true,
            "fields @message | limit 5",
            "/aws/lambda/items",
            true
          ],
          "the newest lines first": [
            "REPORT",
            "END",
            "hello",
            "START"
          ],
          "what the function prints": [
            {
              "all": "4",
              "who": "ann"
            },
            {
              "all": "2",
              "who": "bob"
            }
          ]
        }
    "#]],
    );
}

#[test]
fn queries_are_bounded_in_number_and_can_be_stopped() {
    let server = Server::start();
    check(
        &run_python(&server, "logs_queries_stopped.py", &[]).json(),
        &expect![[r#"
        {
          "a query afterwards": [
            "Complete",
            [
              [
                {
                  "field": "n",
                  "value": "100000"
                }
              ]
            ]
          ],
          "again": "InvalidParameterException",
          "and say so": true,
          "described": true,
          "most were stopped": true,
          "one more": "LimitExceededException",
          "while it waits": [
            true,
            []
          ]
        }
    "#]],
    );
}

#[test]
fn the_aws_cli_starts_a_query_and_gets_its_results() {
    let server = Server::start();
    let function = server.create(python("items", ITEMS));
    function.invoke(r#"{"name": "cli", "items": 7}"#).success();
    function.logs_with_reports(1);
    let query = "filter @type in ['START', 'REPORT'] | stats count(*) as n by @type | sort @type";
    let group = ["--log-group-name", "/aws/lambda/items", "--query-string", query];
    let times = ["--start-time", "1", "--end-time", "9999999999"];
    let started = aws(&server, &[&["logs", "start-query"], &group[..], &times].concat()).json();
    let id = started["queryId"].as_str().unwrap();
    let answer = eventually("the query is complete", || {
        let answer = aws(&server, &["logs", "get-query-results", "--query-id", id]).json();
        (answer["status"] == "Complete").then_some(answer)
    });
    let of_row = |kind: &str| json!([{ "field": "@type", "value": kind }, { "field": "n", "value": "1" }]);
    assert_eq!(answer["results"], json!([of_row("REPORT"), of_row("START")]));
}
