//! CloudWatch Logs as clients see it: the AWS CLI and boto3, unmodified, on what functions and log shippers write.

use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use expect_test::{Expect, expect};
use hearth_tests::{
    Folder, Server, Settings, aws, aws_follow, eventually, http, needs_aws_cli_2, python, run_python, streams,
};
use serde_json::{Value, json};

const HELLO: &str = "
def handler(event, context):
    print('hello', event['name'])
";

pub(crate) fn check(seen: &Value, expected: &Expect) {
    expected.assert_eq(&format!("{seen:#}\n"));
}

/// Asks CloudWatch Logs without a client in between.
pub(crate) fn ask(server: &Server, operation: &str, input: &Value) -> Value {
    let target = format!("Logs_20140328.{operation}");
    let headers = [("X-Amz-Target", target.as_str()), ("Content-Type", "application/x-amz-json-1.1")];
    let answer = http(server.address(), "POST", "/", &headers, input.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{operation}: {}", answer.text());
    assert_eq!(answer.header("Content-Type"), Some("application/x-amz-json-1.1"));
    if answer.body.is_empty() { Value::Null } else { serde_json::from_slice(&answer.body).unwrap() }
}

fn messages(answer: &Value) -> Vec<&str> {
    answer["events"].as_array().unwrap().iter().map(|event| event["message"].as_str().unwrap()).collect()
}

#[test]
fn the_aws_cli_tails_a_function_that_is_called_meanwhile() {
    if !needs_aws_cli_2() {
        return;
    }
    let server = Server::start();
    let function = server.create(python("followed", HELLO));
    function.invoke(r#"{"name": "first"}"#).success();
    function.logs_with_reports(1);
    let mut tail =
        aws_follow(&server, &["logs", "tail", "/aws/lambda/followed", "--follow", "--format", "short"]);
    let mut has = |text: &str, number| {
        eventually(&format!("{number} times `{text}`"), || {
            let seen = tail.stdout();
            (seen.matches(text).count() >= number).then_some(seen)
        })
    };
    has("REPORT RequestId", 1);
    let second = function.invoke(r#"{"name": "second"}"#);
    let seen = has("REPORT RequestId", 2);
    // Everything once and in order: the time, and then the line.
    let lines: Vec<&str> =
        seen.lines().filter_map(|line| line.split_once(' ')).map(|(_, line)| line).collect();
    let begins: Vec<&str> = lines.iter().map(|line| line.split([' ', ':']).next().unwrap()).collect();
    assert_eq!(
        begins,
        ["INIT_START", "START", "hello", "END", "REPORT", "START", "hello", "END", "REPORT"],
        "{seen}"
    );
    assert_eq!((lines[2], lines[6]), ("hello first", "hello second"));
    assert_eq!(lines[5], format!("START RequestId: {} Version: $LATEST", second.request_id()));
}

#[test]
fn the_aws_cli_describes_and_filters_what_a_function_wrote() {
    let server = Server::start();
    let function = server.create(python("written", HELLO));
    function.invoke(r#"{"name": "cli"}"#).success();
    let events = function.logs_with_reports(1);
    let stream = streams(&events)[0];
    let group = "/aws/lambda/written";

    let groups = aws(&server, &["logs", "describe-log-groups"]).json();
    assert_eq!(groups["logGroups"][0]["logGroupName"], group);
    assert_eq!(groups["logGroups"].as_array().unwrap().len(), 1, "its first line made the group");
    let of_group = ["--log-group-name", group];
    let streams = aws(&server, &[&["logs", "describe-log-streams"], &of_group[..]].concat()).json();
    let described = &streams["logStreams"][0];
    assert_eq!(described["logStreamName"], stream);
    assert_eq!(described["firstEventTimestamp"], events[0].timestamp_ms);
    assert_eq!(described["lastEventTimestamp"], events.last().unwrap().timestamp_ms);

    let get = ["--log-stream-name", stream, "--start-from-head"];
    let got = aws(&server, &[&["logs", "get-log-events"], &of_group[..], &get].concat()).json();
    let written: Vec<&str> = events.iter().map(|event| event.message.as_str()).collect();
    assert_eq!(messages(&got), written);

    let filter = ["--filter-pattern", "?\"hello cli\" ?REPORT -END"];
    let found = aws(&server, &[&["logs", "filter-log-events"], &of_group[..], &filter].concat()).json();
    let found = messages(&found);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0], "hello cli\n");
    assert!(found[1].starts_with("REPORT RequestId: "), "{found:?}");
}

#[test]
fn a_log_shipper_puts_events_with_boto3_and_reads_them_back() {
    let server = Server::start();
    check(
        &run_python(&server, "logs_shipper.py", &[]).json(),
        &expect![[r#"
        {
          "51 tags": "A resource can have no more than 50 tags",
          "a batch": "all taken",
          "an empty stream": [
            "arn",
            "creationTime",
            "logStreamName",
            "storedBytes",
            "uploadSequenceToken"
          ],
          "an event": {
            "ingestionTime": "int",
            "message": "str",
            "timestamp": "int"
          },
          "another, with any sequence token": "all taken",
          "came now": true,
          "events left": [],
          "expired": {
            "expiredLogEventEndIndex": 1
          },
          "forwards": [
            1500,
            503,
            0
          ],
          "forwards again": true,
          "found": [
            "line 0007"
          ],
          "groups left": [],
          "in time": [
            "line 0000",
            "line 0001"
          ],
          "it has bytes": true,
          "kept for good": true,
          "newest first": [
            "later",
            "now"
          ],
          "out of time": {
            "tooNewLogEventStartIndex": 3,
            "tooOldLogEventEndIndex": 1
          },
          "streams left": [],
          "tags": {
            "stage": "test"
          },
          "tags of the group": {
            "cost": "7"
          },
          "the end": [
            "line 1999",
            "ü 日本語 \u0000 \"quoted\"\n",
            "now"
          ],
          "the end repeats its token": true,
          "the event that was found": [
            "eventId",
            "ingestionTime",
            "logStreamName",
            "message",
            "timestamp"
          ],
          "the group": {
            "arn": "arn:aws:logs:us-east-1:000000000000:log-group:/shipped/app:*",
            "logGroupArn": "arn:aws:logs:us-east-1:000000000000:log-group:/shipped/app",
            "logGroupClass": "STANDARD",
            "retentionInDays": 1
          },
          "the last two": [
            "old",
            "now"
          ],
          "the stream": {
            "arn": "arn:aws:logs:us-east-1:000000000000:log-group:/shipped/app:log-stream:host-1/app.log",
            "first": -72000000,
            "last": 0,
            "storedBytes": 0
          },
          "the two before": [
            "line 1999",
            "ü 日本語 \u0000 \"quoted\"\n"
          ],
          "then": [
            "ü 日本語 \u0000 \"quoted\"\n",
            "old"
          ],
          "what came since": [
            "later"
          ]
        }
    "#]],
    );
}

#[test]
fn the_paginators_of_boto3_see_every_group_stream_and_event_once() {
    let server = Server::start();
    check(
        &run_python(&server, "logs_pages.py", &[]).json(),
        &expect![[r#"
            {
              "all events, 1000 on a page": {
                "different": 2800,
                "pages": [
                  1000,
                  1000,
                  800
                ],
                "streams": 28
              },
              "all groups": {
                "different": 60,
                "ends": [
                  "many/000",
                  "many/059"
                ],
                "pages": [
                  50,
                  10
                ]
              },
              "all streams": {
                "different": 55,
                "ends": [
                  "stream-000",
                  "stream-054"
                ],
                "pages": [
                  50,
                  5
                ]
              },
              "events of a moment": {
                "different": 200,
                "pages": [
                  200
                ],
                "streams": 2
              },
              "events of streams by prefix": {
                "different": 500,
                "pages": [
                  500
                ],
                "streams": 5
              },
              "events of two streams": {
                "different": 200,
                "pages": [
                  200
                ],
                "streams": 2
              },
              "events that match": {
                "different": 2,
                "pages": [
                  2
                ],
                "streams": 2
              },
              "groups by pattern": {
                "different": 10,
                "ends": [
                  "many/000",
                  "many/009"
                ],
                "pages": [
                  10
                ]
              },
              "groups by prefix, 7 on a page": {
                "different": 10,
                "ends": [
                  "many/010",
                  "many/019"
                ],
                "pages": [
                  7,
                  3
                ]
              },
              "names of groups": {
                "different": 60,
                "ends": [
                  "arn:aws:logs:us-east-1:000000000000:log-group:many/000",
                  "arn:aws:logs:us-east-1:000000000000:log-group:many/059"
                ],
                "pages": [
                  40,
                  20
                ]
              },
              "no groups": {
                "different": 0,
                "ends": [],
                "pages": [
                  0
                ]
              },
              "streams backwards": {
                "different": 55,
                "ends": [
                  "stream-054",
                  "stream-000"
                ],
                "pages": [
                  50,
                  5
                ]
              },
              "streams by prefix": {
                "different": 10,
                "ends": [
                  "stream-010",
                  "stream-019"
                ],
                "pages": [
                  10
                ]
              },
              "streams by time": {
                "different": 55,
                "ends": [
                  "stream-000",
                  "stream-001"
                ],
                "pages": [
                  20,
                  20,
                  15
                ]
              }
            }
        "#]],
    );
}

#[test]
fn a_restart_keeps_groups_streams_retention_tags_and_events() {
    let first = Server::start();
    let data = first.data_dir().clone();
    let function = first.create(python("kept", HELLO));
    function.invoke(r#"{"name": "before"}"#).success();
    function.logs_with_reports(1);
    let group = json!({ "logGroupName": "/aws/lambda/kept" });
    let with = |more: Value| {
        let mut input = group.clone();
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    assert_eq!(ask(&first, "PutRetentionPolicy", &with(json!({ "retentionInDays": 7 }))), Value::Null);
    ask(&first, "TagLogGroup", &with(json!({ "tags": { "team": "blue" } })));
    ask(&first, "CreateLogStream", &with(json!({ "logStreamName": "empty" })));
    let seen = |server: &Server| {
        let operations = ["DescribeLogGroups", "ListTagsLogGroup", "DescribeLogStreams", "FilterLogEvents"];
        operations.map(|operation| {
            let input = if operation == "DescribeLogGroups" { json!({}) } else { group.clone() };
            ask(server, operation, &input)
        })
    };
    let before = seen(&first);
    assert_eq!(before[0]["logGroups"][0]["retentionInDays"], 7);
    assert_eq!(before[1]["tags"]["team"], "blue");
    assert_eq!(before[2]["logStreams"].as_array().unwrap().len(), 2);
    assert_eq!(before[3]["events"].as_array().unwrap().len(), 5);
    // A token of before is a token of afterwards.
    let page = ask(&first, "FilterLogEvents", &with(json!({ "limit": 3 })));
    first.stop();

    let second = Settings::new().data_dir(&data).start();
    assert_eq!(seen(&second), before);
    let rest = ask(&second, "FilterLogEvents", &with(json!({ "nextToken": page["nextToken"] })));
    assert_eq!(messages(&rest), messages(&before[3])[3..]);
}

#[test]
fn a_deleted_group_comes_back_with_the_next_line_of_its_function() {
    let server = Server::start();
    let function = server.create(python("deleted", HELLO));
    function.invoke(r#"{"name": "old"}"#).success();
    function.logs_with_reports(1);
    let group = json!({ "logGroupName": "/aws/lambda/deleted" });
    let of_groups = || ask(&server, "DescribeLogGroups", &json!({}))["logGroups"].as_array().unwrap().len();
    assert_eq!(of_groups(), 1);
    ask(&server, "DeleteLogGroup", &group);
    assert_eq!(of_groups(), 0);
    let folder = server.data_dir().path().join("logs");
    assert!(fs::read_dir(folder).unwrap().next().is_none(), "its files are gone");

    function.invoke(r#"{"name": "new"}"#).success();
    let answer = eventually("the REPORT of the second call", || {
        let found = (of_groups() == 1).then(|| ask(&server, "FilterLogEvents", &group))?;
        messages(&found).iter().any(|message| message.starts_with("REPORT")).then_some(found)
    });
    let begins: Vec<&str> =
        messages(&answer).iter().map(|line| line.split([' ', ':']).next().unwrap()).collect();
    assert_eq!(begins, ["START", "hello", "END", "REPORT"]);
    assert_eq!(messages(&answer)[1], "hello new\n");
}

#[test]
fn a_group_larger_than_memory_may_hold_is_read_in_pages_from_any_time() {
    const SEGMENTS: usize = 6;
    const LINES: usize = 80_000;
    let data = Arc::new(Folder::new());
    let folder = data.path().join("logs/large");
    fs::create_dir_all(&folder).unwrap();
    let now = now_ms();
    // A line each ten milliseconds until now, a stream for a thousand of them.
    let time = |number: usize| now - 10 * (SEGMENTS * LINES - number) as i64;
    for segment in 0..SEGMENTS {
        let mut text = String::new();
        for number in segment * LINES..(segment + 1) * LINES {
            let (time, stream) = (time(number), number / 1_000);
            let message = format!("line {number:06} {}", "x".repeat(120));
            writeln!(text, "{{\"t\":{time},\"s\":\"stream-{stream:04}\",\"m\":\"{message}\"}}").unwrap();
        }
        fs::write(folder.join(format!("{:012}.jsonl", segment + 1)), text).unwrap();
    }
    let server = Settings::new().data_dir(&data).start();
    let before = server.resident_kib();
    let group = json!({ "logGroupName": "large" });
    let ask = |operation: &str, more: Value| {
        let mut input = group.clone();
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ask(&server, operation, &input)
    };
    // What `tail` wants: the last second of 80 minutes.
    let last = ask("FilterLogEvents", json!({ "startTime": time(SEGMENTS * LINES - 100) }));
    let last = messages(&last);
    assert_eq!((last.len(), &last[0][..11], &last[99][..11]), (100, "line 479900", "line 479999"));
    // A line somewhere: pages without events go before it, and no page reads it all.
    let mut pages = 0;
    let mut token = Value::Null;
    let found = loop {
        let page = ask("FilterLogEvents", json!({ "filterPattern": "\"line 450000\"", "nextToken": token }));
        pages += 1;
        token = page["nextToken"].clone();
        if !messages(&page).is_empty() {
            break page;
        }
        assert!(token.is_string(), "it is there");
    };
    assert_eq!(&messages(&found)[0][..11], "line 450000");
    assert!(pages > 1, "{pages} pages");
    let streams =
        ask("DescribeLogStreams", json!({ "orderBy": "LastEventTime", "descending": true, "limit": 2 }));
    assert_eq!(streams["logStreams"][0]["logStreamName"], "stream-0479");
    assert_eq!(streams["logStreams"][1]["firstEventTimestamp"], time(478_000));
    let middle = ask("GetLogEvents", json!({ "logStreamName": "stream-0200", "limit": 1 }));
    assert_eq!(&messages(&middle)[0][..11], "line 200999");
    let more_kib = server.resident_kib().saturating_sub(before);
    assert!(more_kib < 48 << 10, "{more_kib} KiB for reading {} MB", SEGMENTS * LINES * 200 / 1_000_000);
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}
