//! Records of a stream that a function fails on: split, tried again, and reported to the mapping's OnFailure destination.

use hearth_tests::{Folder, Moto, Notes, Settings, run_python};
use serde_json::{Value, json};

use super::{Bench, FAILS_ON_BAD, REPORTS_BAD, worker};

#[test]
fn records_that_a_function_fails_on_are_split_tried_again_and_reported() {
    let bench = Bench::start(FAILS_ON_BAD);
    let stream = bench.make(&["stream", "s"]);
    bench.make(&["queue", "lost"]);
    let lost = "arn:aws:sqs:us-east-1:123456789012:lost";
    bench.put("s", &[("k", "one"), ("k", "two"), ("k", "bad"), ("k", "three")]);
    let more = json!({
        "StartingPosition": "TRIM_HORIZON",
        "BisectBatchOnFunctionError": true,
        "MaximumRetryAttempts": 1,
        "DestinationConfig": { "OnFailure": { "Destination": lost } },
    });
    bench.map(&stream, more);
    let mut report = bench.read("lost", 1).remove(0)["body"].clone();
    let lines = bench.told(6);
    assert_eq!(lines, ["one two bad three", "one two", "bad three", "bad", "bad", "three"]);
    assert!(report["timestamp"].as_str().is_some_and(|at| at.len() == 24 && at.ends_with('Z')));
    let info = report["KinesisBatchInfo"].clone();
    assert_eq!(info["approximateArrivalOfFirstRecord"], info["approximateArrivalOfLastRecord"]);
    assert_eq!(info["startSequenceNumber"], info["endSequenceNumber"]);
    report["timestamp"].take();
    report["requestContext"]["requestId"].take();
    let expected = json!({
        "requestContext": {
            "requestId": null,
            "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:worker",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 4,
        },
        "responseContext": {
            "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled",
        },
        "version": "1.0",
        "timestamp": null,
        "KinesisBatchInfo": {
            "shardId": "shardId-000000000000",
            "startSequenceNumber": info["startSequenceNumber"],
            "endSequenceNumber": info["endSequenceNumber"],
            "approximateArrivalOfFirstRecord": info["approximateArrivalOfFirstRecord"],
            "approximateArrivalOfLastRecord": info["approximateArrivalOfLastRecord"],
            "batchSize": 1,
            "streamArn": stream,
        },
    });
    assert_eq!(report, expected);
}

#[test]
fn a_bucket_gets_the_records_that_are_given_up_as_well() {
    let bench = Bench::start(REPORTS_BAD);
    let stream = bench.make(&["stream", "s"]);
    let lost = bench.make(&["bucket", "lost"]);
    bench.put("s", &[("k", "one"), ("k", "bad"), ("k", "two")]);
    let more = json!({
        "StartingPosition": "TRIM_HORIZON",
        "MaximumRetryAttempts": 0,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "DestinationConfig": { "OnFailure": { "Destination": lost } },
    });
    let uuid = bench.map(&stream, more)["UUID"].as_str().unwrap().to_owned();
    let url = bench.moto.url();
    let object = run_python(&bench.server, "destinations.py", &[&url, "objects", "lost"]).json();
    let key = object["key"].as_str().unwrap();
    assert!(key.starts_with(&format!("aws/lambda/{uuid}/shardId-000000000000/2")), "{key}");
    let body = &object["body"];
    assert_eq!(body["requestContext"]["condition"], "RetryAttemptsExhausted");
    assert_eq!(body["KinesisBatchInfo"]["batchSize"], 2, "what was before the bad one is done");
    let payload: Value = serde_json::from_str(body["payload"].as_str().unwrap()).unwrap();
    assert_eq!(payload["Records"][0]["kinesis"]["data"], "YmFk");
    assert_eq!(bench.told(1), ["one bad two"]);
}

#[test]
fn records_that_are_too_old_are_given_up_unseen() {
    let (moto, notes, ahead) = (Moto::start(), Notes::new(), Folder::new());
    let ahead = ahead.path().join("ahead");
    std::fs::write(&ahead, "120000").unwrap();
    let clock = format!("server::event_clock=return({})", ahead.display());
    let server = Settings::new().aws_endpoint(&moto.url()).faults(&clock).start();
    server.create(worker(&notes, FAILS_ON_BAD));
    let bench = Bench { moto, server, notes };
    let stream = bench.make(&["stream", "s"]);
    bench.make(&["queue", "lost"]);
    bench.put("s", &[("k", "one"), ("k", "two")]);
    let more = json!({
        "StartingPosition": "TRIM_HORIZON",
        "MaximumRecordAgeInSeconds": 60,
        "DestinationConfig": { "OnFailure": { "Destination": "arn:aws:sqs:us-east-1:123456789012:lost" } },
    });
    bench.map(&stream, more);
    let report = bench.read("lost", 1).remove(0)["body"].clone();
    assert_eq!(report["requestContext"]["condition"], "RecordAgeExceeded");
    assert_eq!(report["requestContext"]["approximateInvokeCount"], 0);
    assert_eq!(report["KinesisBatchInfo"]["batchSize"], 2);
    assert!(report.get("responseContext").is_none(), "{report}");
    // What comes later, as that clock sees it, is worked off.
    std::fs::write(&ahead, "0").unwrap();
    bench.put("s", &[("k", "three")]);
    assert_eq!(bench.told(1), ["three"]);
}
