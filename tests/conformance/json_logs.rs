//! Functions whose `LoggingConfig` says JSON: every event of their log group is one record of JSON, with the request id
//! and the level, and so is the tail that a caller asks for.

use hearth_tests::{
    Call, Function, NewFunction, Server, aws, aws_follow, eventually, needs_aws_cli_2, needs_node, node,
    python,
};
use serde_json::{Value, json};

/// The format JSON, in a log group that two functions share.
fn in_json(new: NewFunction) -> NewFunction {
    new.with("LoggingConfig", json!({ "LogFormat": "JSON", "LogGroup": "/shop/orders" }))
}

/// Waits until the group has so many reports; returns all its events as the AWS CLI shows them.
fn records(server: &Server, reports: usize) -> Vec<Value> {
    let arguments = ["logs", "filter-log-events", "--log-group-name", "/shop/orders", "--output", "json"];
    eventually(&format!("{reports} reports in the group"), || {
        let groups = aws(server, &["logs", "describe-log-groups", "--output", "json"]).json();
        if groups["logGroups"].as_array().is_none_or(Vec::is_empty) {
            return None;
        }
        let answer = aws(server, &arguments).json();
        let records: Vec<Value> = answer["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| {
                let message = event["message"].as_str().unwrap();
                serde_json::from_str(message).unwrap_or_else(|error| panic!("not JSON ({error}): {message}"))
            })
            .collect();
        let seen = records.iter().filter(|record| record["type"] == "platform.report").count();
        (seen >= reports).then_some(records)
    })
}

/// Shows a record without its times: the platform's by its type, a function's by its level and message.
fn shown(record: &Value, request_id: &str) -> String {
    if let Some(kind) = record["type"].as_str() {
        assert!(record["time"].as_str().unwrap().ends_with('Z'), "{record}");
        let id = record["record"]["requestId"].as_str();
        assert!(id.is_none_or(|id| id == request_id), "{record}");
        return kind.to_owned();
    }
    assert!(record["timestamp"].as_str().unwrap().ends_with('Z'), "{record}");
    let whose = match record["requestId"].as_str() {
        Some(id) if id == request_id => "",
        _ => " (no request)",
    };
    let mut record = record.clone();
    // A stack names the lines of this test's folder; that it is one is all there is to see.
    let of_message = record["message"]["stackTrace"].is_array();
    let error = if of_message { record["message"].take() } else { record.clone() };
    let mut message = record["message"].to_string();
    if let Some(kind) = error["errorType"].as_str() {
        assert!(!error["stackTrace"].as_array().unwrap().is_empty(), "{error}");
        let words = record["message"].as_str().and_then(|text| text.split("    at ").next());
        message = format!("{words:?}, {kind}: {}", error["errorMessage"]);
    }
    format!("{} {message}{whose}", record["level"].as_str().unwrap())
}

fn check(server: &Server, function: &Function<'_>, expected: &[&str]) -> Vec<Value> {
    let configuration = function.configuration();
    assert_eq!(
        configuration["LoggingConfig"],
        json!({
            "LogFormat": "JSON", "LogGroup": "/shop/orders",
            "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO",
        })
    );
    let answer = function.invoke("{}");
    let records = records(server, 1);
    let shown: Vec<String> = records.iter().map(|record| shown(record, &answer.request_id())).collect();
    // Tests of the platform's own records are elsewhere: here only the order of a function's between them counts.
    let others = ["platform.initStart", "platform.runtimeDone"];
    let shown: Vec<&str> = shown.iter().map(String::as_str).filter(|line| !others.contains(line)).collect();
    assert_eq!(shown, expected);
    records
}

#[test]
fn python_logs_records_of_json_in_a_group_of_its_own() {
    let server = Server::start();
    let source = "
import logging
logger = logging.getLogger('shop')
logger.error('loading')
def handler(event, context):
    logger.debug('below the level')
    logger.info('ordered %s', 'é', extra={'order': 7})
    logger.warning({'as': ['an', 'object']})
    print('{\"level\": \"INFO\", \"timestamp\": \"2026-01-31T10:00:00Z\", \"message\": \"by hand\"}')
    raise ValueError('two\\nlines')
";
    let function = server.create(in_json(python("orders", source)));
    let records = check(
        &server,
        &function,
        &[
            r#"ERROR "loading" (no request)"#,
            "platform.start",
            r#"INFO "ordered é""#,
            r#"WARNING {"as":["an","object"]}"#,
            r#"INFO "by hand" (no request)"#,
            r#"ERROR None, ValueError: "two\nlines""#,
            "platform.report",
        ],
    );
    let of = |name: &str, value: &str| records.iter().find(|record| record[name] == value).unwrap();
    assert_eq!(
        (&of("message", "ordered é")["order"], &of("message", "ordered é")["logger"]),
        (&json!(7), &json!("shop"))
    );
    let error = of("errorType", "ValueError");
    assert!(error["stackTrace"][0].as_str().unwrap().contains("in handler"), "{error}");
    assert_eq!(of("type", "platform.start")["record"]["version"], "$LATEST");
}

#[test]
fn node_logs_records_of_json_in_a_group_of_its_own() {
    if !needs_node() {
        return;
    }
    let server = Server::start();
    let source = "
export const handler = async () => {
  console.debug('below the level');
  console.log('ordered %s', 'é');
  console.warn({ as: ['an', 'object'] });
  console.info(process.env.AWS_LAMBDA_LOG_GROUP_NAME, process.env.AWS_LAMBDA_LOG_FORMAT, process.env.AWS_LAMBDA_LOG_LEVEL);
  console.error('two\\nlines', new RangeError('far'));
  throw new TypeError('boom');
};\n";
    let function = server.create(in_json(node("orders", source)));
    check(
        &server,
        &function,
        &[
            "platform.start",
            r#"INFO "ordered é""#,
            r#"WARN {"as":["an","object"]}"#,
            r#"INFO "/shop/orders JSON INFO""#,
            r#"ERROR Some("two\nlines RangeError: far\n"), RangeError: "far""#,
            r#"ERROR None, TypeError: "boom""#,
            "platform.report",
        ],
    );
}

/// The records of a tail: each line is one.
fn tail_of(function: &Function<'_>, lines: u32) -> (Vec<Value>, usize) {
    let payload = json!({ "lines": lines }).to_string();
    let headers = [("X-Amz-Log-Type", "Tail")];
    let answer = function.call(&Call { headers: &headers, payload: payload.as_bytes(), ..Call::default() });
    answer.success();
    let tail = answer.log_tail();
    let records = tail
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON ({error}): {line}")))
        .collect();
    (records, tail.len())
}

#[test]
fn the_tail_in_json_is_the_latest_whole_records_that_fit() {
    let server = Server::start();
    let source = "
import logging
logger = logging.getLogger()
def handler(event, context):
    for number in range(event['lines']):
        logger.info('line %04d', number)
";
    let function = server.create(in_json(python("talking", source)));
    let (short, _) = tail_of(&function, 1);
    let types: Vec<&Value> = short.iter().map(|record| &record["type"]).collect();
    assert_eq!(types[types.len() - 3..], [&json!("platform.start"), &Value::Null, &json!("platform.report")]);

    let (long, bytes) = tail_of(&function, 1_000);
    let last = long.len() - 1;
    assert_eq!(long[last]["type"], "platform.report");
    // The latest, none left out between them, and as many as fit.
    let first = 1_000 - last;
    let messages: Vec<&Value> = long[..last].iter().map(|record| &record["message"]).collect();
    let expected: Vec<Value> = (first..1_000).map(|number| json!(format!("line {number:04}"))).collect();
    assert!(messages.iter().copied().eq(&expected), "{messages:?}");
    // Python writes a blank behind each `:` and `,`, which this does not count.
    let one = serde_json::to_string(&long[0]).unwrap().len() + 20;
    assert!(bytes <= 4_096 && bytes + one > 4_096, "{bytes} bytes, one has about {one}");
}

#[test]
fn the_aws_cli_tails_records_of_json() {
    if !needs_aws_cli_2() {
        return;
    }
    let server = Server::start();
    let source =
        "import logging\ndef handler(event, context):\n    logging.error('seen', extra={'order': 7})\n";
    let function = server.create(in_json(python("followed", source)));
    let answer = function.invoke("{}");
    records(&server, 1);
    let mut tail = aws_follow(&server, &["logs", "tail", "/shop/orders", "--follow", "--format", "short"]);
    let seen = eventually("the report in the tail", || {
        Some(tail.stdout()).filter(|seen| seen.contains("platform.report"))
    });
    let record = seen.lines().filter_map(|line| line.split_once(' ')).find(|(_, line)| line.contains("seen"));
    let record: Value = serde_json::from_str(record.unwrap().1).unwrap();
    assert_eq!(record["requestId"], answer.request_id());
    assert_eq!((&record["order"], &record["level"]), (&json!(7), &json!("ERROR")));
}
