//! SIGKILL between the end of an event and its arrival at a queue: whatever was answered with 202 arrives there.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;

use hearth_tests::{Folder, Moto, Server, Settings, eventually, python, rounds, run_python, try_http};
use serde_json::{Value, json};

/// The moments of a message, each of which may be the server's last.
const POINTS: [&str; 6] = [
    "events::ran",
    "store::commit",
    "events::handed_over",
    "deliveries::begin",
    "deliveries::delivered",
    "deliveries::finished",
];
/// How often the last moment is passed before it is the last, at most.
const PASSINGS_MAX: usize = 5;

/// Sends an event. `None` when the server has died instead of answering.
fn send(server: &Server, number: usize) -> Option<()> {
    let path = "/2015-03-31/functions/works/invocations";
    let payload = json!({ "number": number }).to_string();
    let headers = [("X-Amz-Invocation-Type", "Event")];
    let answer = try_http(server.address(), "POST", path, &headers, payload.as_bytes()).ok()?;
    assert_eq!(answer.status, 202, "{}", answer.text());
    Some(())
}

#[test]
fn case_109_the_end_of_every_accepted_event_arrives_wherever_the_server_was_killed() {
    let (moto, data) = (Moto::start(), Arc::new(Folder::new()));
    let settings = || Settings::new().data_dir(&data).aws_endpoint(&moto.url());
    let server = settings().start();
    let url = moto.url();
    let arns = run_python(&server, "destinations.py", &[&url, "make"]).json();
    let works = python("works", "def handler(event, context): return event['number']\n");
    server.create(works);
    let config = json!({ "DestinationConfig": { "OnSuccess": { "Destination": arns["reports"] } } });
    let path = "/2019-09-25/functions/works/event-invoke-config";
    assert_eq!(server.http("PUT", path, config.to_string().as_bytes()).status, 200);
    server.stop();

    let (mut sent, mut accepted, mut kills) = (0, Vec::new(), 0);
    for round in 0..rounds(18, 1_000) {
        let point = POINTS[round % POINTS.len()];
        let last = 1 + round / POINTS.len() % PASSINGS_MAX;
        let faults = format!("{point}=kill({last})");
        let status = match settings().faults(&faults).try_start() {
            Err(ended) => ended.status,
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

    let server = settings().start();
    let nothing_left = json!({ "queued": 0, "deliveries": 0, "dropped": {} });
    eventually("everything is delivered", || (server.hearth("events") == nothing_left).then_some(()));
    let messages = run_python(&server, "destinations.py", &[&url, "all", "reports"]).json();
    let mut arrived: BTreeMap<u64, usize> = BTreeMap::new();
    for message in messages.as_array().unwrap() {
        let number = |value: &Value| value.as_u64().unwrap();
        *arrived.entry(number(&message["body"]["requestPayload"]["number"])).or_default() += 1;
    }
    let lost: Vec<&usize> =
        accepted.iter().filter(|number| !arrived.contains_key(&(**number as u64))).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), accepted.len());
    let again: usize = arrived.values().map(|times| times - 1).sum();
    eprintln!("{kills} kills, {} events accepted, {again} messages too many", accepted.len());
}
