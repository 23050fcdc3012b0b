//! Streams of Kinesis and DynamoDB: records exactly as from AWS, where they begin, in which order they come, and windows.

use std::collections::BTreeMap;

use hearth_tests::{Server, Settings, eventually, run_python};
use serde_json::{Value, json};

use super::{Bench, FAILS_ON_BAD, TELLS, steady};

#[test]
fn a_record_of_kinesis_comes_exactly_as_from_aws_and_a_restart_goes_on_behind_it() {
    let bench = Bench::start(TELLS);
    let stream = bench.make(&["stream", "s"]);
    bench.put("s", &[("k", "old")]);
    let mapped = bench.map(&stream, json!({ "StartingPosition": "LATEST" }));
    assert_eq!(mapped["LastProcessingResult"], "No records processed");
    bench.put("s", &[("k", "new")]);
    let event: Value = serde_json::from_str(&bench.told(1)[0]).unwrap();
    let record = &event["Records"][0];
    let sequence_number = record["kinesis"]["sequenceNumber"].as_str().unwrap();
    assert_eq!(record["eventID"], format!("shardId-000000000000:{sequence_number}"));
    assert!(record["kinesis"]["approximateArrivalTimestamp"].as_f64().unwrap() > 1.7e9);
    let expected = json!({ "Records": [{
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "k",
            "sequenceNumber": sequence_number,
            "data": "bmV3",
            "approximateArrivalTimestamp": "…",
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": "…",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::000000000000:role/lambda",
        "awsRegion": "us-east-1",
        "eventSourceARN": stream,
    }] });
    assert_eq!(steady(event.clone()), expected);
    let Bench { moto, server, notes } = bench;
    let data = server.data_dir().clone();
    server.stop();
    let server = Settings::new().data_dir(&data).aws_endpoint(&moto.url()).start();
    let bench = Bench { moto, server, notes };
    bench.put("s", &[("k", "newer")]);
    let lines = bench.told(2);
    assert_eq!(lines.len(), 2, "nothing comes again: {lines:?}");
    assert!(lines[1].contains("bmV3ZXI="), "{}", lines[1]);
    let uuid = mapped["UUID"].as_str().unwrap();
    let path = format!("/2015-03-31/event-source-mappings/{uuid}");
    eventually("it says that it went well", || {
        (bench.server.http("GET", &path, b"").json()["LastProcessingResult"] == "OK").then_some(())
    });
}

#[test]
fn changes_of_a_table_come_exactly_as_from_aws() {
    let bench = Bench::start(TELLS);
    let table = bench.make(&["table", "t"]);
    let filter = json!({ "Filters": [{ "Pattern": r#"{"eventName":["INSERT","REMOVE"]}"# }] });
    bench.map(&table, json!({ "StartingPosition": "LATEST", "FilterCriteria": filter }));
    let item = |value: &str| json!({ "id": { "S": "1" }, "n": { "N": value } });
    let steps = json!([["put", item("1")], ["put", item("2")], ["delete", { "id": { "S": "1" } }]]);
    bench.at(&["items", "t", &steps.to_string()]);
    let records: Vec<Value> = eventually("both have come", || {
        let events = bench.notes.lines();
        let events = events.iter().map(|line| steady(serde_json::from_str(line).unwrap()));
        let records: Vec<Value> =
            events.flat_map(|event| event["Records"].as_array().unwrap().clone()).collect();
        (records.len() >= 2).then_some(records)
    });
    let record = |name: &str, record: &Value, images: Value| {
        let mut dynamodb = json!({
            "ApproximateCreationDateTime": "…",
            "Keys": { "id": { "S": "1" } },
            "SequenceNumber": record["dynamodb"]["SequenceNumber"],
            "SizeBytes": record["dynamodb"]["SizeBytes"],
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        });
        dynamodb.as_object_mut().unwrap().extend(images.as_object().unwrap().clone());
        json!({
            "eventID": "…",
            "eventName": name,
            "eventVersion": record["eventVersion"],
            "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1",
            "dynamodb": dynamodb,
            "eventSourceARN": table,
        })
    };
    assert_eq!(records.len(), 2, "{records:?}");
    assert_eq!(records[0], record("INSERT", &records[0], json!({ "NewImage": item("1") })));
    assert_eq!(records[1], record("REMOVE", &records[1], json!({ "OldImage": item("2") })));
}

#[test]
fn latest_is_where_the_stream_was_when_it_was_mapped_also_after_a_kill() {
    let bench = Bench::start(FAILS_ON_BAD);
    let stream = bench.make(&["stream", "s"]);
    bench.put("s", &[("k", "old")]);
    bench.map(&stream, json!({ "StartingPosition": "LATEST" }));
    let Bench { moto, server, notes } = bench;
    let data = server.data_dir().clone();
    server.kill();
    let away = Server::start();
    run_python(&away, "event_sources.py", &[&moto.url(), "put", "s", r#"[["k","meanwhile"]]"#]).success();
    let server = Settings::new().data_dir(&data).aws_endpoint(&moto.url()).start();
    let bench = Bench { moto, server, notes };
    assert_eq!(bench.told(1), ["meanwhile"]);
}

#[test]
fn several_batches_of_a_shard_run_at_once_and_each_key_keeps_its_order() {
    let bench = Bench::start(
        "
import time
def handler(event, context):
    note(json.dumps([time.time_ns(), [text for _, text in texts(event)]]))
",
    );
    let stream = bench.make(&["stream", "s"]);
    let records: Vec<(String, String)> =
        (0..40).map(|number| (format!("k{}", number % 4), format!("k{}-{number:02}", number % 4))).collect();
    let records: Vec<(&str, &str)> =
        records.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
    bench.put("s", &records);
    let more = json!({ "StartingPosition": "TRIM_HORIZON", "BatchSize": 3, "ParallelizationFactor": 4 });
    bench.map(&stream, more);
    let mut batches: Vec<(u64, Vec<String>)> = eventually("everything has come", || {
        let lines = bench.notes.lines();
        let batches: Vec<(u64, Vec<String>)> = lines
            .iter()
            .map(|line| {
                let line: Value = serde_json::from_str(line).unwrap();
                let texts = line[1].as_array().unwrap();
                let texts = texts.iter().map(|text| text.as_str().unwrap().to_owned()).collect();
                (line[0].as_u64().unwrap(), texts)
            })
            .collect();
        let number: usize = batches.iter().map(|(_, texts)| texts.len()).sum();
        assert!(number <= 40 && batches.iter().all(|(_, texts)| texts.len() <= 3), "{batches:?}");
        (number == 40).then_some(batches)
    });
    batches.sort_unstable();
    let mut of_keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for text in batches.into_iter().flat_map(|(_, texts)| texts) {
        of_keys.entry(text[..2].to_owned()).or_default().push(text);
    }
    for texts in of_keys.values() {
        assert!(texts.is_sorted(), "{texts:?}");
    }
    assert!(bench.server.environments("worker").len() > 1, "more than one ran");
}

#[test]
fn a_tumbling_window_carries_its_state_to_a_last_call() {
    let bench = Bench::start(
        "
def handler(event, context):
    count = event['state'].get('count', 0) + len(event['Records'])
    if event['isFinalInvokeForWindow']:
        keys = sorted(key for key in event if key != 'Records')
        note(json.dumps([count, event['isWindowTerminatedEarly'], event['shardId'], keys]))
    return {'state': {'count': count}}
",
    );
    let stream = bench.make(&["stream", "s"]);
    let texts: Vec<(&str, &str)> = (0..7).map(|_| ("k", "x")).collect();
    bench.put("s", &texts);
    let more = json!({ "StartingPosition": "TRIM_HORIZON", "BatchSize": 2, "TumblingWindowInSeconds": 3 });
    bench.map(&stream, more);
    let mut sum = 0;
    let lines = eventually("all windows have ended", || {
        let lines = bench.notes.lines();
        let counts =
            lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()[0].as_u64().unwrap());
        sum = counts.sum();
        (sum >= 7).then_some(lines)
    });
    assert_eq!(sum, 7, "{lines:?}");
    let keys =
        ["eventSourceARN", "isFinalInvokeForWindow", "isWindowTerminatedEarly", "shardId", "state", "window"];
    let last: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!((&last[1], &last[2], &last[3]), (&json!(false), &json!("shardId-000000000000"), &json!(keys)));
}
