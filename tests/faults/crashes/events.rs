//! SIGKILL while asynchronous events are accepted, run and removed: whatever was answered with 202 runs.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;

use hearth_tests::{Folder, Notes, PYTHON_NOTES, Server, Settings, eventually, python, rounds, try_http};
use serde_json::json;

/// The moments of an event, each of which may be the server's last.
const POINTS: [&str; 8] = [
    "events::accept",
    "store::commit",
    "store::committed",
    "events::accepted",
    "events::begin",
    "events::ran",
    "events::handed_over",
    "events::finished",
];
/// How often the last moment is passed before it is the last, at most.
const PASSINGS_MAX: usize = 7;

/// Notes the number of each event.
fn noting(notes: &Notes) -> hearth_tests::NewFunction {
    let source = format!(
        "{PYTHON_NOTES}
note = notes_of({})
def handler(event, context): note(event['number'])
",
        notes.number()
    );
    python("noting", &source).timeout(60)
}

/// Sends an event. `None` when the server has died instead of answering.
fn send(server: &Server, number: usize) -> Option<()> {
    let path = "/2015-03-31/functions/noting/invocations";
    let payload = json!({ "number": number }).to_string();
    let headers = [("X-Amz-Invocation-Type", "Event")];
    let answer = try_http(server.address(), "POST", path, &headers, payload.as_bytes()).ok()?;
    assert_eq!(answer.status, 202, "{}", answer.text());
    Some(())
}

#[test]
fn case_109_every_event_that_was_accepted_runs_wherever_the_server_was_killed() {
    let data = Arc::new(Folder::new());
    let (notes, heard) = (Notes::new(), Notes::new());
    let server = Settings::new().data_dir(&data).start();
    server.create(noting(&notes));
    // Its success is reported to another function, which notes what it hears of.
    let source = format!(
        "{PYTHON_NOTES}
note = notes_of({})
def handler(event, context): note(event['requestPayload']['number'])
",
        heard.number()
    );
    server.create(python("hearing", &source));
    let hearing = "arn:aws:lambda:us-east-1:000000000000:function:hearing";
    let config = json!({ "DestinationConfig": { "OnSuccess": { "Destination": hearing } } }).to_string();
    let path = "/2019-09-25/functions/noting/event-invoke-config";
    assert_eq!(server.http("PUT", path, config.as_bytes()).status, 200);
    server.stop();

    let (mut sent, mut accepted, mut kills) = (0, Vec::new(), 0);
    for round in 0..rounds(24, 1_000) {
        let point = POINTS[round % POINTS.len()];
        let last = 1 + round / POINTS.len() % PASSINGS_MAX;
        let faults = format!("{point}=kill({last})");
        let status = match Settings::new().data_dir(&data).faults(&faults).try_start() {
            Err(ended) => {
                eprintln!("{faults} at the start: {}", ended.stderr);
                ended.status
            }
            Ok(server) => {
                loop {
                    sent += 1;
                    match send(&server, sent) {
                        Some(()) => accepted.push(sent),
                        None => break,
                    }
                }
                server.ended().status
            }
        };
        assert_eq!(status.signal(), Some(9), "{faults} ended it with {status}");
        kills += 1;
    }

    let server = Settings::new().data_dir(&data).start();
    eventually("the queue is empty", || (server.hearth("events")["queued"] == 0).then_some(()));
    assert_eq!(server.hearth("events")["dropped"], json!({}));
    server.stop();
    for (what, notes) in [("ran", notes), ("heard of", heard)] {
        let mut ran: BTreeMap<usize, usize> = BTreeMap::new();
        for number in notes.all() {
            *ran.entry(number.parse().unwrap()).or_default() += 1;
        }
        let lost: Vec<usize> = accepted.iter().copied().filter(|number| !ran.contains_key(number)).collect();
        assert!(lost.is_empty(), "{what}: {} of {} events are lost: {lost:?}", lost.len(), accepted.len());
        let again: usize = ran.values().map(|times| times - 1).sum();
        eprintln!("{what}: {kills} kills, {} events accepted, {again} attempts too many", accepted.len());
    }
}
