//! SIGKILL while queues and streams are polled: every message and every record is worked off, and what was mapped stays so.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;

use hearth_tests::{
    Folder, Moto, Notes, PYTHON_NOTES, Server, Settings, eventually, python, rounds, run_python,
};
use serde_json::{Value, json};

/// The moments of a poller, each of which may be the server's last.
const POINTS: [&str; 5] = [
    "event_sources::call",
    "event_sources::called",
    "event_sources::deleted",
    "event_sources::position_kept",
    "store::commit",
];
/// How often the last moment is passed before it is the last, at most.
const PASSINGS_MAX: usize = 3;

fn worker(notes: &Notes) -> hearth_tests::NewFunction {
    let source = format!(
        "{PYTHON_NOTES}
import base64
note = notes_of({})
def handler(event, context):
    for record in event['Records']:
        note(record['body'] if 'body' in record else base64.b64decode(record['kinesis']['data']).decode())
",
        notes.number()
    );
    python("worker", &source).timeout(10)
}

fn at(server: &Server, moto: &Moto, arguments: &[&str]) -> Value {
    run_python(server, "event_sources.py", &[&[moto.url().as_str()], arguments].concat()).json()
}

fn each_is_worked_off_wherever_the_server_was_killed(source: &[&str], mapping: Value, points: &[&str]) {
    let (moto, notes, data) = (Moto::start(), Notes::new(), Arc::new(Folder::new()));
    // A server that is not killed is who the clients are told of.
    let bystander = Server::start();
    let settings = || Settings::new().data_dir(&data).aws_endpoint(&moto.url());
    let server = settings().start();
    server.create(worker(&notes));
    let arn = at(&server, &moto, source);
    let mut mapping = mapping;
    mapping["EventSourceArn"] = arn;
    mapping["FunctionName"] = "worker".into();
    at(&server, &moto, &["map", &mapping.to_string()]);
    server.stop();

    let (mut sent, mut kills) = (BTreeSet::new(), 0);
    for round in 0..rounds(points.len() * 2, 300) {
        let texts: Vec<String> = (0..4).map(|number| format!("{round}-{number}")).collect();
        let (what, entries) = match source[0] {
            "queue" => ("send", texts.iter().map(|text| json!({ "MessageBody": text })).collect::<Vec<_>>()),
            _ => ("put", texts.iter().map(|text| json!([format!("k{text}"), text])).collect()),
        };
        at(&bystander, &moto, &[what, "source", &json!(entries).to_string()]);
        sent.extend(texts);
        let point = points[round % points.len()];
        let last = 1 + round / points.len() % PASSINGS_MAX;
        let faults = format!("{point}=kill({last})");
        match settings().faults(&faults).try_start() {
            Err(ended) => {
                assert_eq!(ended.status.signal(), Some(9), "{faults}: {}", ended.stderr);
                kills += 1;
            }
            // It may have nothing to do that often.
            Ok(server) => {
                let is_dead = eventually("it is killed, or has nothing to do", || {
                    if !hearth_tests::is_alive(server.pid().into()) {
                        return Some(true);
                    }
                    let told: BTreeSet<String> = notes.lines().into_iter().collect();
                    sent.is_subset(&told).then_some(false)
                });
                if is_dead {
                    let ended = server.ended();
                    assert_eq!(ended.status.signal(), Some(9), "{faults}: {}", ended.stderr);
                    kills += 1;
                } else {
                    server.kill();
                }
            }
        }
    }

    let server = settings().start();
    eventually("everything has been worked off", || {
        let told: BTreeSet<String> = notes.lines().into_iter().collect();
        sent.is_subset(&told).then_some(())
    });
    let lines = notes.lines();
    let again = lines.len() - lines.iter().collect::<BTreeSet<_>>().len();
    eprintln!("{kills} kills, {} records, {again} came again", sent.len());
    assert!(kills > 0);
    if source[0] == "queue" {
        eventually("the queue is empty", || {
            (at(&server, &moto, &["left", "source"]) == json!([0, 0])).then_some(())
        });
    }
}

#[test]
fn every_message_is_worked_off_wherever_the_server_was_killed() {
    let source = ["queue", "source", r#"{"VisibilityTimeout":"2"}"#];
    let points = [POINTS[0], POINTS[1], POINTS[2]];
    each_is_worked_off_wherever_the_server_was_killed(&source, json!({ "BatchSize": 2 }), &points);
}

#[test]
fn every_record_is_worked_off_wherever_the_server_was_killed() {
    let mapping = json!({ "StartingPosition": "TRIM_HORIZON", "BatchSize": 3 });
    let points = [POINTS[0], POINTS[1], POINTS[3], POINTS[4]];
    each_is_worked_off_wherever_the_server_was_killed(&["stream", "source"], mapping, &points);
}

#[test]
fn a_mapping_that_was_answered_is_there_after_a_kill_and_one_that_was_deleted_goes() {
    let (moto, data) = (Moto::start(), Arc::new(Folder::new()));
    let bystander = Server::start();
    let arn = at(&bystander, &moto, &["queue", "source"]);
    let settings = || Settings::new().data_dir(&data).aws_endpoint(&moto.url());
    let server = settings().start();
    server.create(python("worker", "def handler(event, context): pass"));
    let body = json!({ "FunctionName": "worker", "EventSourceArn": arn }).to_string();
    let path = "/2015-03-31/event-source-mappings";
    let made = server.http("POST", path, body.as_bytes()).json();
    server.kill();
    let server = settings().start();
    let one = format!("{path}/{}", made["UUID"].as_str().unwrap());
    eventually("it is polled", || (server.http("GET", &one, b"").json()["State"] == "Enabled").then_some(()));
    assert_eq!(server.http("DELETE", &one, b"").json()["State"], "Deleting");
    server.kill();
    let server = settings().start();
    eventually("it is gone", || (server.http("GET", &one, b"").status == 404).then_some(()));
}
