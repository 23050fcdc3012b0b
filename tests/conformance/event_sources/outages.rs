//! What becomes of mapped sources when the endpoint is away, was never set, or the server stops.

use hearth_tests::{Call, Folder, Moto, Settings, eventually};
use serde_json::json;

use super::{Bench, FAILS_ON_BAD, TELLS};

#[test]
fn without_an_endpoint_nothing_can_be_mapped_and_what_is_mapped_waits() {
    let bench = Bench::start(TELLS);
    // What a server asked for last, moto may hide though nobody waits for the answer any more: not for long.
    let queue = bench.make(&["queue", "q", r#"{"VisibilityTimeout":"6"}"#]);
    let uuid = bench.map(&queue, json!({}))["UUID"].as_str().unwrap().to_owned();
    let Bench { moto, server, notes } = bench;
    let data = server.data_dir().clone();
    server.stop();
    let server = Settings::new().data_dir(&data).start();
    let path = format!("/2015-03-31/event-source-mappings/{uuid}");
    assert_eq!(server.http("GET", &path, b"").json()["EventSourceArn"], queue.as_str());
    let mapping = json!({ "FunctionName": "worker", "EventSourceArn": queue.replace(":q", ":p") });
    let answer = server.http("POST", "/2015-03-31/event-source-mappings", mapping.to_string().as_bytes());
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("--aws-endpoint"), "{}", answer.text());
    assert!(server.stop().contains("no `aws-endpoint` is set"));
    let server = Settings::new().data_dir(&data).aws_endpoint(&moto.url()).start();
    let bench = Bench { moto, server, notes };
    bench.send("q", &["hello"]);
    bench.told(1);
}

#[test]
fn an_endpoint_that_is_away_is_polled_again_when_it_is_back() {
    let bench = Bench::start(FAILS_ON_BAD);
    let queue = bench.make(&["queue", "q"]);
    let uuid = bench.map(&queue, json!({}))["UUID"].as_str().unwrap().to_owned();
    let Bench { moto, server, notes } = bench;
    let port = moto.port();
    drop(moto);
    eventually("the server says so", || {
        server.stderr().contains("an event source cannot be polled").then_some(())
    });
    let moto = Moto::start_at(port);
    let bench = Bench { moto, server, notes };
    bench.make(&["queue", "q"]);
    bench.send("q", &["again"]);
    assert_eq!(bench.told(1), ["again"]);
    bench.until_empty("q");
    assert_eq!(bench.at(&["remove", &uuid]), true);
}

#[test]
fn a_server_that_stops_finishes_what_it_has_begun_and_takes_nothing_more() {
    let bench = Bench::start(
        "
import time
def handler(event, context):
    note('begun')
    time.sleep(1)
    note('done')
",
    );
    let queue = bench.make(&["queue", "q", r#"{"VisibilityTimeout":"30"}"#]);
    bench.map(&queue, json!({ "BatchSize": 1 }));
    bench.send("q", &["one"]);
    assert_eq!(bench.told(1), ["begun"]);
    let Bench { moto, server, notes } = bench;
    let data: std::sync::Arc<Folder> = server.data_dir().clone();
    server.stop();
    assert_eq!(notes.all(), ["begun", "done"]);
    let server = Settings::new().data_dir(&data).aws_endpoint(&moto.url()).start();
    let bench = Bench { moto, server, notes };
    bench.until_empty("q");
    assert_eq!(bench.notes.lines(), ["begun", "done"], "it was deleted");
    let answer = bench.server.function("worker").call(&Call { payload: b"{}", ..Call::default() });
    assert_eq!(answer.status(), 200);
}
