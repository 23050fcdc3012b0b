//! Queues, topics, buses and buckets hear of the end of asynchronous events: what arrives there, exactly, read with boto3.

use hearth_tests::{Call, Function, Moto, Server, Settings, TlsFront, eventually, python, run_python};
use serde_json::{Value, json};

const WORKS: &str = "def handler(event, context): return event['number'] + 1\n";
const FAILS: &str =
    "def handler(event, context): raise Exception('on purpose ' + 'x' * event.get('size', 0))\n";

fn send(function: &Function<'_>, event: &Value) -> String {
    let payload = event.to_string();
    let headers = &[("X-Amz-Invocation-Type", "Event")];
    let answer = function.call(&Call { headers, payload: payload.as_bytes(), ..Call::default() });
    assert_eq!(answer.status(), 202, "{}", answer.text());
    answer.request_id()
}

fn configure(server: &Server, function: &str, kind: &str, destination: &str) {
    let config =
        json!({ "MaximumRetryAttempts": 0, "DestinationConfig": { kind: { "Destination": destination } } });
    let path = format!("/2019-09-25/functions/{function}/event-invoke-config");
    let answer = server.http("PUT", &path, config.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn at(server: &Server, moto: &Moto, arguments: &[&str]) -> Value {
    run_python(server, "destinations.py", &[&[moto.url().as_str()], arguments].concat()).json()
}

fn messages(server: &Server, moto: &Moto, queue: &str, number: usize) -> Vec<Value> {
    let read = at(server, moto, &["read", queue, &number.to_string()]);
    let read = read.as_array().unwrap().clone();
    assert_eq!(read.len(), number, "{read:?}");
    read
}

/// Takes out of a record what differs each time, having looked at it.
fn steady(mut record: Value) -> Value {
    let timestamp = record["timestamp"].take();
    let timestamp = timestamp.as_str().unwrap();
    assert!(timestamp.len() == 24 && timestamp.ends_with('Z'), "{timestamp}");
    if let Some(response) = record["responsePayload"].as_object_mut() {
        response.remove("requestId");
        response.remove("stackTrace");
    }
    record
}

fn record(name: &str, condition: &str, id: &str, number: u32) -> Value {
    let mut record = json!({
        "version": "1.0",
        "timestamp": null,
        "requestContext": {
            "requestId": id,
            "functionArn": format!("arn:aws:lambda:us-east-1:000000000000:function:{name}:$LATEST"),
            "condition": condition,
            "approximateInvokeCount": 1,
        },
        "requestPayload": { "number": number },
        "responseContext": { "statusCode": 200, "executedVersion": "$LATEST" },
        "responsePayload": number + 1,
    });
    if condition != "Success" {
        record["responseContext"]["functionError"] = "Unhandled".into();
        record["responsePayload"] = json!({ "errorMessage": "on purpose ", "errorType": "Exception" });
    }
    record
}

fn events(server: &Server) -> Value {
    server.hearth("events")
}

#[test]
fn every_kind_of_destination_and_dead_letter_queue_gets_exactly_what_aws_sends() {
    let moto = Moto::start();
    let server = Settings::new().aws_endpoint(&moto.url()).start();
    let arns = at(&server, &moto, &["make"]);
    let arn = |name: &str| arns[name].as_str().unwrap();
    let dead_letters = |name: &str| json!({ "TargetArn": arn(name) });

    let to_queue = server.create(python("to-queue", WORKS));
    let to_bus = server.create(python("to-bus", WORKS));
    let to_topic = server.create(python("to-topic", FAILS).with("DeadLetterConfig", dead_letters("letters")));
    let to_bucket =
        server.create(python("to-bucket", FAILS).with("DeadLetterConfig", dead_letters("letters-topic")));
    configure(&server, "to-queue", "OnSuccess", arn("reports"));
    configure(&server, "to-bus", "OnSuccess", arn("bus"));
    configure(&server, "to-topic", "OnFailure", arn("topic"));
    configure(&server, "to-bucket", "OnFailure", arn("bucket"));
    let ids: Vec<String> = [&to_queue, &to_bus, &to_topic, &to_bucket]
        .iter()
        .zip(1..)
        .map(|(function, number)| send(function, &json!({ "number": number })))
        .collect();

    let report = messages(&server, &moto, "reports", 1).remove(0);
    assert_eq!(report["attributes"], json!({}));
    assert_eq!(steady(report["body"].clone()), record("to-queue", "Success", &ids[0], 1));

    let event = messages(&server, &moto, "from-bus", 1).remove(0);
    let body = &event["body"];
    assert_eq!(body["source"], "lambda");
    assert_eq!(body["detail-type"], "Lambda Function Invocation Result - Success");
    let resources = [arn("bus"), "arn:aws:lambda:us-east-1:000000000000:function:to-bus:$LATEST"];
    assert_eq!(body["resources"], json!(resources));
    assert_eq!(steady(body["detail"].clone()), record("to-bus", "Success", &ids[1], 2));

    let notification = messages(&server, &moto, "from-topic", 1).remove(0);
    let message: Value = serde_json::from_str(notification["body"]["Message"].as_str().unwrap()).unwrap();
    assert_eq!(steady(message), record("to-topic", "RetriesExhausted", &ids[2], 3));

    let letter = messages(&server, &moto, "letters", 1).remove(0);
    let attributes = |id: &str| {
        json!({
            "RequestID": ["String", id],
            "ErrorCode": ["Number", "200"],
            "ErrorMessage": ["String", "on purpose "],
        })
    };
    assert_eq!(letter, json!({ "body": { "number": 3 }, "attributes": attributes(&ids[2]) }));

    let letter = messages(&server, &moto, "from-letters-topic", 1).remove(0);
    assert_eq!(letter["body"]["Message"], "{\"number\":4}");
    let sent = attributes(&ids[3]);
    for (name, of_topic) in letter["body"]["MessageAttributes"].as_object().unwrap() {
        assert_eq!(json!([of_topic["Type"], of_topic["Value"]]), sent[name], "{name}");
    }
    assert_eq!(letter["body"]["MessageAttributes"].as_object().unwrap().len(), 3);

    let object = at(&server, &moto, &["objects", "bucket"]);
    assert_eq!(object["number"], 1);
    let key = object["key"].as_str().unwrap();
    assert!(key.starts_with("aws/lambda/async/to-bucket/2") && key.ends_with(&ids[3]), "{key}");
    assert_eq!(steady(object["body"].clone()), record("to-bucket", "RetriesExhausted", &ids[3], 4));

    let nothing_left = json!({ "queued": 0, "deliveries": 0, "dropped": {} });
    eventually("nothing is left", || (events(&server) == nothing_left).then_some(()));
}

#[test]
fn an_error_message_of_a_dead_letter_is_cut_at_a_kilobyte() {
    let moto = Moto::start();
    let server = Settings::new().aws_endpoint(&moto.url()).start();
    let arns = at(&server, &moto, &["make"]);
    let letters = json!({ "TargetArn": arns["letters"] });
    let fails = server.create(python("fails", FAILS).with("DeadLetterConfig", letters));
    let config = json!({ "MaximumRetryAttempts": 0 }).to_string();
    let path = "/2019-09-25/functions/fails/event-invoke-config";
    assert_eq!(server.http("PUT", path, config.as_bytes()).status, 200);
    send(&fails, &json!({ "size": 2_000 }));
    let letter = messages(&server, &moto, "letters", 1).remove(0);
    assert_eq!(letter["attributes"]["ErrorMessage"][1].as_str().unwrap().len(), 1_024);
}

#[test]
fn case_127_a_queue_that_is_missing_and_a_record_that_is_too_large_are_counted_and_logged() {
    let moto = Moto::start();
    let server = Settings::new().aws_endpoint(&moto.url()).start();
    let queue = |name: &str| format!("arn:aws:sqs:us-east-1:123456789012:{name}");
    let missing = json!({ "TargetArn": queue("no-letters") });
    let fails = server.create(python("fails", FAILS).with("DeadLetterConfig", missing));
    configure(&server, "fails", "OnFailure", &queue("no-reports"));
    let large = server.create(python("large", "def handler(event, context): return 'x' * 2_000_000\n"));
    configure(&server, "large", "OnSuccess", &queue("no-reports"));
    send(&fails, &json!({}));
    send(&large, &json!({}));
    let dropped = json!({ "DeadLetterDeliveryFailed": 1, "DestinationDeliveryFailed": 2 });
    let expected = json!({ "queued": 0, "deliveries": 0, "dropped": dropped });
    eventually("they are counted", || (events(&server) == expected).then_some(()));
    let log = server.stop();
    let refusals = log.matches("its destination refuses the message").count();
    assert_eq!(refusals, 3, "{log}");
    assert!(log.contains("no-letters") && log.contains("no-reports"), "{log}");
    assert!(log.contains("NonExistentQueue") || log.contains("QueueDoesNotExist"), "{log}");
}

#[test]
fn case_127_a_message_waits_for_an_endpoint_that_is_away_also_over_a_restart() {
    let moto = Moto::start();
    let (port, url) = (moto.port(), moto.url());
    drop(moto);
    let server = Settings::new().aws_endpoint(&url).start();
    let works = server.create(python("works", WORKS));
    configure(&server, "works", "OnSuccess", "arn:aws:sqs:us-east-1:123456789012:reports");
    let id = send(&works, &json!({ "number": 1 }));
    eventually("it is tried again", || {
        let waits = json!({ "queued": 0, "deliveries": 1, "dropped": {} });
        (events(&server) == waits && server.stderr().contains("and is tried again")).then_some(())
    });
    let data = server.data_dir().clone();
    server.kill();

    // Without an endpoint it waits, and the log says so.
    let server = Settings::new().data_dir(&data).start();
    assert_eq!(events(&server)["deliveries"], 1);
    let moto = Moto::start_at(port);
    at(&server, &moto, &["make"]);
    assert!(server.stop().contains("no `aws-endpoint` is set to bring them to"));

    let server = Settings::new().data_dir(&data).aws_endpoint(&url).start();
    let report = messages(&server, &moto, "reports", 1).remove(0);
    assert_eq!(steady(report["body"].clone()), record("works", "Success", &id, 1));
    let nothing_left = json!({ "queued": 0, "deliveries": 0, "dropped": {} });
    eventually("nothing is left", || (events(&server) == nothing_left).then_some(()));
}

#[test]
fn without_an_endpoint_the_end_of_an_event_is_counted_at_once() {
    let server = Server::start();
    let works = server.create(python("works", WORKS));
    configure(&server, "works", "OnSuccess", "arn:aws:sqs:us-east-1:123456789012:reports");
    send(&works, &json!({ "number": 1 }));
    let expected = json!({ "queued": 0, "deliveries": 0, "dropped": { "DestinationDeliveryFailed": 1 } });
    eventually("it is counted", || (events(&server) == expected).then_some(()));
    assert!(server.stop().contains("no `aws-endpoint` is set"));
}

#[test]
fn an_endpoint_may_want_tls_and_is_believed_only_with_a_certificate_of_a_trusted_authority() {
    let moto = Moto::start();
    let front = TlsFront::start(moto.port());
    let authority = front.authority();
    let trusting = Settings::new().without_walls().aws_endpoint(&front.url());
    let server = trusting.variable("SSL_CERT_FILE", authority.to_str().unwrap()).start();
    let arns = at(&server, &moto, &["make"]);
    let queue = arns["reports"].as_str().unwrap();
    let function = server.create(python("works", WORKS));
    configure(&server, "works", "OnSuccess", queue);
    let id = send(&function, &json!({ "number": 1 }));
    let message = messages(&server, &moto, "reports", 1).remove(0);
    assert_eq!(steady(message["body"].clone()), record("works", "Success", &id, 1));

    // A stranger's certificate: nothing is sent, and the message waits.
    let server = Settings::new().without_walls().aws_endpoint(&front.url()).start();
    let function = server.create(python("works", WORKS));
    configure(&server, "works", "OnSuccess", queue);
    send(&function, &json!({ "number": 2 }));
    eventually("it is told", || server.stderr().contains("invalid peer certificate").then_some(()));
    assert_eq!(events(&server)["deliveries"], 1);
}
