//! CloudWatch Logs and wrong input: AWS's exceptions with their texts, and nothing that is our fault.

use expect_test::expect;
use hearth_tests::{Server, http, run_python};
use serde_json::json;

use crate::cloudwatch_logs::{ask, check};

#[test]
fn boto3_raises_the_exceptions_of_cloudwatch_logs_with_their_texts() {
    let server = Server::start();
    check(
        &run_python(&server, "logs_errors.py", &[]).json(),
        &expect![[r#"
        {
          "a batch of two days": "400 InvalidParameterException: The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
          "a batch that is too large": "400 InvalidParameterException: Upload too large: 1048577 bytes exceeds limit of 1048576",
          "a group of another region": "400 ResourceNotFoundException: The specified log group does not exist.",
          "a group that is not": "400 ResourceNotFoundException: The specified log group does not exist.",
          "a group that is not, to delete": "400 ResourceNotFoundException: The specified log group does not exist.",
          "a group that is there": "400 ResourceAlreadyExistsException: The specified log group already exists",
          "a key": "501 ClientError(NotImplementedException): Hearth does not implement log groups that are encrypted with a key yet",
          "a large limit": "400 InvalidParameterException: 1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000",
          "a long name": "400 InvalidParameterException: 1 validation error detected: Value '<513>' at 'logGroupName' failed to satisfy constraint: Member must have length less than or equal to 512",
          "a name of another type": "400 ClientError(SerializationException): NUMBER_VALUE can not be converted to a String",
          "a negative time and a limit": "400 InvalidParameterException: 2 validation errors detected: Value '-1' at 'startTime' failed to satisfy constraint: Member must have value greater than or equal to 0; Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1",
          "a page that is too large": "400 InvalidParameterException: 1 validation error detected: Value '51' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 50",
          "a pattern for JSON that is none": "400 InvalidParameterException: Invalid filter pattern",
          "a prefix by time": "400 InvalidParameterException: Cannot order by LastEventTime with a logStreamNamePrefix.",
          "a protected group": "400 ValidationException: The log group is protected: switch its deletion protection off first",
          "a retention of no group": "400 ResourceNotFoundException: The specified log group does not exist.",
          "a small limit": "400 InvalidParameterException: 1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1",
          "a stream of a group that is not": "400 ResourceNotFoundException: The specified log group does not exist.",
          "a stream that is not": "400 ResourceNotFoundException: The specified log stream does not exist.",
          "a stream that is not, to delete": "400 ResourceNotFoundException: The specified log stream does not exist.",
          "a stream that is not, to filter": "400 ResourceNotFoundException: The specified log stream does not exist.",
          "a stream that is not, to put to": "400 ResourceNotFoundException: The specified log stream does not exist.",
          "a stream that is there": "400 ResourceAlreadyExistsException: The specified log stream already exists",
          "a token behind the end": "400 InvalidParameterException: The specified nextToken is invalid.",
          "a wrong class": "400 InvalidParameterException: 1 validation error detected: Value 'GOLD' at 'logGroupClass' failed to satisfy constraint: Member must satisfy enum value set: [STANDARD, INFREQUENT_ACCESS, DELIVERY, ESSENTIALS]",
          "a wrong name": "400 InvalidParameterException: 1 validation error detected: Value 'a b:c' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+",
          "a wrong name of a stream": "400 InvalidParameterException: 1 validation error detected: Value 'a:b' at 'logStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [^:*]*",
          "a wrong order": "400 InvalidParameterException: 1 validation error detected: Value 'Size' at 'orderBy' failed to satisfy constraint: Member must satisfy enum value set: [LogStreamName, LastEventTime]",
          "a wrong pattern": "400 InvalidParameterException: Invalid filter pattern",
          "a wrong retention": "400 InvalidParameterException: 1 validation error detected: Value '2' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]",
          "a wrong token": "400 InvalidParameterException: The specified nextToken is invalid.",
          "a wrong token of a stream": "400 InvalidParameterException: The specified nextToken is invalid.",
          "a wrong token of groups": "400 InvalidParameterException: The specified nextToken is invalid.",
          "a wrong token of streams": "400 InvalidParameterException: The specified nextToken is invalid.",
          "an empty name": "400 InvalidParameterException: 1 validation error detected: Value '' at 'logGroupName' failed to satisfy constraint: Member must have length greater than or equal to 1",
          "an event without a message": "400 InvalidParameterException: 2 validation errors detected: Value '' at 'logEvents.1.member.message' failed to satisfy constraint: Member must have length greater than or equal to 1; Value null at 'logEvents.2.member.message' failed to satisfy constraint: Member must not be null",
          "an operation that is not there yet": "501 ClientError(NotImplementedException): Hearth does not implement the operation PutMetricFilter of CloudWatch Logs yet",
          "events out of order": "400 InvalidParameterException: Log events in a single PutLogEvents request must be in chronological order.",
          "name and identifier": "400 ValidationException: LogGroup name and LogGroup ARN are mutually exclusive parameters.",
          "names and a prefix": "400 InvalidParameterException: logStreamNames and logStreamNamePrefix are mutually exclusive parameters.",
          "neither name nor identifier": "400 InvalidParameterException: LogGroup name or LogGroup ARN must be specified.",
          "no events": "400 InvalidParameterException: 1 validation error detected: Value '[]' at 'logEvents' failed to satisfy constraint: Member must have length greater than or equal to 1",
          "no name": "400 InvalidParameterException: 1 validation error detected: Value null at 'logGroupName' failed to satisfy constraint: Member must not be null",
          "prefix and pattern": "400 InvalidParameterException: LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
          "tags of no group": "400 ResourceNotFoundException: The specified log group does not exist.",
          "too many events": "gEvents' failed to satisfy constraint: Member must have length less than or equal to 10000",
          "wrong names": "400 InvalidParameterException: 1 validation error detected: Value '[a:b]' at 'logStreamNames' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 512, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [^:*]*, Member must not be null]",
          "wrong tags": "400 InvalidParameterException: 1 validation error detected: Value '{\"a;b\":\"c\"}' at 'tags' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: ^([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+)$]"
        }
    "#]],
    );
}

#[test]
fn an_error_has_its_type_in_body_and_header_and_an_unknown_operation_its_name() {
    let server = Server::start();
    let mut table = String::new();
    for (operation, body) in [
        ("GetLogEvents", r#"{"logGroupName":"none","logStreamName":"s"}"#),
        ("GetLogEvents", "{"),
        ("GetLogEvents", "[]"),
        ("DescribeLogGroups", ""),
        ("GetLogEvents", ""),
        ("StartLiveTail", "{}"),
        ("PutMetricFilter", "{}"),
        ("Nonsense<script>", "{}"),
        ("", "{}"),
    ] {
        let target = format!("Logs_20140328.{operation}");
        let answer = http(server.address(), "POST", "/", &[("X-Amz-Target", &target)], body.as_bytes());
        assert!(answer.header("x-amzn-RequestId").is_some_and(|id| id.len() == 36));
        let error_type = answer.header("x-amzn-ErrorType").unwrap_or("-");
        table += &format!("{} {error_type} {}\n", answer.status, answer.text());
    }
    expect![[r#"
        400 ResourceNotFoundException {"__type":"ResourceNotFoundException","message":"The specified log group does not exist."}
        400 SerializationException {"__type":"SerializationException","message":"Could not parse request body into json: EOF while parsing an object at line 1 column 1"}
        400 SerializationException {"__type":"SerializationException","message":"The request body is not a JSON object"}
        200 - {"logGroups":[]}
        400 InvalidParameterException {"__type":"InvalidParameterException","message":"1 validation error detected: Value null at 'logStreamName' failed to satisfy constraint: Member must not be null"}
        400 InvalidParameterException {"__type":"InvalidParameterException","message":"1 validation error detected: Value null at 'logGroupIdentifiers' failed to satisfy constraint: Member must not be null"}
        501 NotImplementedException {"__type":"NotImplementedException","message":"Hearth does not implement the operation PutMetricFilter of CloudWatch Logs yet"}
        400 UnknownOperationException {"__type":"UnknownOperationException","message":"CloudWatch Logs has no operation Nonsensescript"}
        400 UnknownOperationException {"__type":"UnknownOperationException","message":"CloudWatch Logs has no operation "}
    "#]].assert_eq(&table);
}

#[test]
fn whatever_a_client_sends_is_its_own_fault() {
    let server = Server::start();
    ask(&server, "CreateLogGroup", &json!({ "logGroupName": "g" }));
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1e300),
        json!(18_446_744_073_709_551_615_u64),
        json!(""),
        json!("../../etc"),
        json!("arn:aws:logs:us-east-1:000000000000:log-group"),
        json!("f/\u{0}/s"),
        json!("x".repeat(100_000)),
        json!([]),
        json!([[], null, {}]),
        json!({ "": null }),
        json!({ "a": { "b": [] } }),
    ];
    let members = [
        "logGroupName",
        "logGroupIdentifier",
        "logStreamName",
        "logStreamNames",
        "logStreamNamePrefix",
        "nextToken",
        "limit",
        "startTime",
        "endTime",
        "filterPattern",
        "logEvents",
        "tags",
        "tagKeys",
        "resourceArn",
        "orderBy",
        "descending",
        "retentionInDays",
        "logGroupNamePrefix",
        "logGroupIdentifiers",
        "deletionProtectionEnabled",
        "logGroupNames",
        "queryString",
        "queryId",
        "maxResults",
        "maxItems",
        "status",
        "time",
        "logRecordPointer",
        "logEventMessages",
    ];
    for operation in [
        "CreateLogGroup",
        "CreateLogStream",
        "DeleteLogStream",
        "DescribeLogGroups",
        "DescribeLogStreams",
        "ListLogGroups",
        "PutLogEvents",
        "GetLogEvents",
        "FilterLogEvents",
        "PutRetentionPolicy",
        "TagResource",
        "UntagResource",
        "ListTagsForResource",
        "TagLogGroup",
        "UntagLogGroup",
        "PutLogGroupDeletionProtection",
        "TestMetricFilter",
        "StartQuery",
        "GetQueryResults",
        "StopQuery",
        "DescribeQueries",
        "GetLogRecord",
        "GetLogGroupFields",
    ] {
        let target = format!("Logs_20140328.{operation}");
        let send = |body: &[u8]| http(server.address(), "POST", "/", &[("X-Amz-Target", &target)], body);
        let check = |body: &str| {
            let answer = send(body.as_bytes());
            assert!([200, 400].contains(&answer.status), "{operation} {body:.200}: {}", answer.text());
        };
        for member in members {
            for value in &values {
                let mut input =
                    json!({ "logGroupName": "g", "logStreamName": "s", "queryString": "fields a" });
                (input["startTime"], input["endTime"]) = (json!(1), json!(2));
                input[member] = value.clone();
                check(&input.to_string());
            }
        }
        for body in ["\u{0}", "[", &"[".repeat(100_000), "{\"a\":}", "7", "\"", "{}{}"] {
            check(body);
        }
        assert_eq!(send(&vec![b' '; 9 << 20]).status, 413);
    }
    let many = format!(
        "{{\"logGroupName\":\"g\",\"logStreamName\":\"s\",\"logEvents\":[{}0]}}",
        "0,".repeat(4_000_000)
    );
    let headers = [("X-Amz-Target", "Logs_20140328.PutLogEvents")];
    let answer = http(server.address(), "POST", "/", &headers, many.as_bytes());
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_eq!(server.hearth("health")["status"], "ready");
}
