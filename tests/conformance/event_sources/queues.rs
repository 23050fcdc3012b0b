//! Queues of SQS: messages exactly as from AWS, filters, windows, groups, and what becomes of what fails.

use hearth_tests::eventually;
use serde_json::{Value, json};

use super::{Bench, FAILS_ON_BAD, REPORTS_BAD, TELLS, steady};

#[test]
fn a_message_of_a_queue_comes_exactly_as_from_aws_and_is_deleted_when_it_is_worked_off() {
    let bench = Bench::start(TELLS);
    let queue = bench.make(&["queue", "q"]);
    bench.map(&queue, json!({}));
    let attribute = json!({ "a": { "DataType": "String", "StringValue": "x" } });
    let entries = json!([{ "MessageBody": "text", "MessageAttributes": attribute }]);
    bench.at(&["send", "q", &entries.to_string()]);
    let event: Value = serde_json::from_str(&bench.told(1)[0]).unwrap();
    let expected = json!({ "Records": [{
        "messageId": "…",
        "receiptHandle": "…",
        "body": "text",
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "…",
            "SenderId": "…",
            "ApproximateFirstReceiveTimestamp": "…",
        },
        "messageAttributes": { "a": {
            "stringValue": "x", "stringListValues": [], "binaryListValues": [], "dataType": "String",
        } },
        "md5OfMessageAttributes": event["Records"][0]["md5OfMessageAttributes"],
        "md5OfBody": "1cb251ec0d568de6a929b520c4aed8d1",
        "eventSource": "aws:sqs",
        "eventSourceARN": queue,
        "awsRegion": "us-east-1",
    }] });
    assert_eq!(steady(event), expected);
    bench.until_empty("q");
}

#[test]
fn messages_that_a_function_fails_on_come_again_and_those_that_it_does_not_report_are_gone() {
    let bench = Bench::start(REPORTS_BAD);
    let letters = bench.make(&["queue", "letters"]);
    let redrive = json!({ "deadLetterTargetArn": letters, "maxReceiveCount": 2 }).to_string();
    // Long enough for a call on a busy machine, so that nothing comes again while it runs.
    let attributes = json!({ "VisibilityTimeout": "6", "RedrivePolicy": redrive });
    let queue = bench.make(&["queue", "q", &attributes.to_string()]);
    let reports = json!({ "FunctionResponseTypes": ["ReportBatchItemFailures"] });
    let mapped = bench.map(&queue, reports);
    assert_eq!(mapped["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    bench.send("q", &["one", "bad", "two"]);
    // The bad one comes twice, then SQS gives it up.
    eventually("the bad one is given up", || (bench.at(&["left", "letters"]) == json!([1, 0])).then_some(()));
    bench.until_empty("q");
    let words = bench.notes.lines().join(" ");
    let mut words: Vec<&str> = words.split(' ').collect();
    words.sort_unstable();
    assert_eq!(words, ["bad", "bad", "one", "two"]);
}

#[test]
fn messages_that_no_filter_wants_are_deleted_unseen() {
    let bench = Bench::start(FAILS_ON_BAD);
    let queue = bench.make(&["queue", "q"]);
    let filters = json!([
        { "Pattern": r#"{"body":{"price":[{"numeric":[">",100]}]}}"# },
        { "Pattern": r#"{"body":[{"prefix":"urgent"}]}"# },
    ]);
    bench.map(&queue, json!({ "FilterCriteria": { "Filters": filters } }));
    bench.send("q", &["bad", r#"{"price":5}"#, r#"{"price":500}"#, "urgent"]);
    bench.until_empty("q");
    let words = bench.notes.lines().join(" ");
    let mut words: Vec<&str> = words.split(' ').collect();
    words.sort_unstable();
    assert_eq!(words, ["urgent", r#"{"price":500}"#]);
}

#[test]
fn a_window_gathers_a_batch_until_it_is_full() {
    let bench = Bench::start(FAILS_ON_BAD);
    let queue = bench.make(&["queue", "q"]);
    bench.map(&queue, json!({ "BatchSize": 25, "MaximumBatchingWindowInSeconds": 20 }));
    let texts: Vec<String> = (0..25).map(|number| number.to_string()).collect();
    bench.send("q", &texts.iter().map(String::as_str).collect::<Vec<_>>());
    let line = bench.told(1).remove(0);
    assert_eq!(line.split(' ').count(), 25, "{line}");
    bench.until_empty("q");
}

#[test]
fn of_a_fifo_queue_each_group_comes_in_its_order_also_after_a_failure() {
    let bench = Bench::start(
        "
failed = set()
def handler(event, context):
    for record in event['Records']:
        text = record['body']
        if text == 'a1' and text not in failed:
            failed.add(text)
            raise Exception('on purpose')
        note(text)
",
    );
    let attributes = json!({
        "FifoQueue": "true", "ContentBasedDeduplication": "true", "VisibilityTimeout": "6",
    });
    let queue = bench.make(&["queue", "q.fifo", &attributes.to_string()]);
    let entry = |text: &str| json!({ "MessageBody": text, "MessageGroupId": &text[..1] });
    let entries: Vec<Value> = ["a1", "b1", "a2", "b2", "a3"].map(entry).to_vec();
    bench.at(&["send", "q.fifo", &json!(entries).to_string()]);
    bench.map(&queue, json!({ "BatchSize": 1 }));
    bench.until_empty("q.fifo");
    let lines = bench.notes.lines();
    let of = |group: &str| -> Vec<&String> { lines.iter().filter(|line| line.starts_with(group)).collect() };
    assert_eq!(of("a"), ["a1", "a2", "a3"]);
    assert_eq!(of("b"), ["b1", "b2"]);
}

#[test]
fn a_throttled_function_loses_no_message() {
    let bench = Bench::start(FAILS_ON_BAD);
    let queue = bench.make(&["queue", "q", r#"{"VisibilityTimeout":"6"}"#]);
    let reserve = |number: u32| {
        let body = json!({ "ReservedConcurrentExecutions": number }).to_string();
        let path = "/2017-10-31/functions/worker/concurrency";
        assert_eq!(bench.server.http("PUT", path, body.as_bytes()).status, 200);
    };
    reserve(0);
    bench.map(&queue, json!({ "BatchSize": 1 }));
    bench.send("q", &["one", "two", "three"]);
    eventually("a batch goes back", || {
        bench.server.stderr().contains("the function could not run").then_some(())
    });
    assert!(bench.notes.lines().is_empty());
    reserve(1);
    bench.until_empty("q");
    let mut lines = bench.notes.lines();
    lines.sort_unstable();
    assert_eq!(lines, ["one", "three", "two"]);
}
