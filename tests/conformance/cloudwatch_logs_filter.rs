//! Filter patterns of CloudWatch Logs as clients send them. All cases of the language are in a table of the crate.

use expect_test::expect;
use hearth_tests::{Server, aws, python, run_python};

use crate::cloudwatch_logs::check;

#[test]
fn boto3_finds_events_by_terms_json_fields_and_regular_expressions() {
    let server = Server::start();
    check(
        &run_python(&server, "logs_filter.py", &[]).json(),
        &expect![[r#"
        {
          "found": {
            "": [
              0,
              1,
              2,
              3,
              4,
              5
            ],
            "%[0-9]{4} ms$%": [
              0
            ],
            "%a% %b% %c%": "InvalidParameterException: Invalid filter pattern",
            "-ERROR -WARN -GET": [
              2,
              3
            ],
            "?ERROR ?WARN": [
              0,
              1
            ],
            "[..., status = 2* || status = 4*, bytes]": [
              4,
              5
            ],
            "[a, b": "InvalidParameterException: Invalid filter pattern",
            "[ip, id, user = a*, ...]": [
              5
            ],
            "[ip, id, user, time, request, status = 4*, bytes > 1000]": [
              4
            ],
            "{ $.level = ": "InvalidParameterException: Invalid filter pattern",
            "{ $.level = \"err*\" }": [
              2
            ],
            "{ $.request.ms > 100 && $.odd_key NOT EXISTS }": [
              3
            ],
            "{ $.request.path = %^/[ab]$% }": [
              2,
              3
            ],
            "{ $.tags[1] = \"y\" }": [
              2
            ],
            "{ $[\"odd.key\"] IS TRUE || $.user IS NULL }": [
              2,
              3
            ]
          },
          "newest first": [
            3,
            2
          ],
          "tested": [
            [
              5,
              {
                "$bytes": "1534",
                "$ip": "127.0.0.1",
                "$request": "GET /index.html HTTP/1.0",
                "$status": "404"
              }
            ]
          ]
        }
    "#]],
    );
}

#[test]
fn the_aws_cli_filters_the_json_log_of_a_function() {
    let server = Server::start();
    let function = server.create(python(
        "structured",
        "
import json
def handler(event, context):
    for ms in (5, 50, 500):
        print(json.dumps({'level': 'warn' if ms > 100 else 'info', 'ms': ms, 'at': {'id': context.aws_request_id}}))
",
    ));
    let called = function.invoke("{}");
    let request_id = called.request_id().to_owned();
    called.success();
    function.logs_with_reports(1);
    let filtered = |pattern: &str| {
        let group = ["logs", "filter-log-events", "--log-group-name", "/aws/lambda/structured"];
        let answer = aws(&server, &[&group[..], &["--filter-pattern", pattern]].concat()).json();
        let events = answer["events"].as_array().unwrap().clone();
        events.iter().map(|event| event["message"].as_str().unwrap().trim().to_owned()).collect::<Vec<_>>()
    };
    let found = filtered(&format!("{{ $.ms >= 50 && $.at.id = \"{request_id}\" && $.level = w* }}"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with(r#"{"level": "warn", "ms": 500"#), "{found:?}");
    let found = filtered("[type = REPORT, ...]");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(filtered(r"%^(START|END) RequestId: [0-9a-f\-]{36}%").len(), 2);
}
