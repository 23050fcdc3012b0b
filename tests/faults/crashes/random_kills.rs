//! SIGKILL at random moments while events are accepted and run: every event that was answered with 202 ran, or its failure
//! is where it was to be told; and no event runs again that was not in flight.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use hearth_tests::{
    Connection, Folder, Notes, PYTHON_NOTES, Random, Server, Settings, eventually, python, rounds, within,
};
use serde_json::json;

/// How many clients send events.
const CLIENTS: usize = 4;
/// One of so many events fails.
const FAILS_EVERY: usize = 5;
/// How long all that is left may take to run.
const DRAIN_LIMIT: Duration = Duration::from_secs(300);

/// The events of a history: who was accepted, who will be the next.
#[derive(Default)]
struct Sent {
    next: AtomicUsize,
    accepted: Mutex<Vec<usize>>,
}

impl Sent {
    /// Sends events until the server has died, or `enough` are accepted.
    fn send(&self, address: SocketAddr, enough: usize) {
        let Ok(mut connection) = Connection::open(&address.to_string()) else { return };
        while self.accepted() < enough {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let payload =
                json!({ "number": number, "fails": number.is_multiple_of(FAILS_EVERY) }).to_string();
            let request = format!(
                "POST /2015-03-31/functions/noting/invocations HTTP/1.1\r\nHost: localhost\r\n\
                 X-Amz-Invocation-Type: Event\r\nContent-Length: {}\r\n\r\n{payload}",
                payload.len()
            );
            let Ok(answer) = connection.exchange(request.as_bytes()) else { return };
            assert!(answer.head.starts_with("HTTP/1.1 202 "), "{}", answer.head);
            self.accepted.lock().unwrap().push(number);
        }
    }

    fn accepted(&self) -> usize {
        self.accepted.lock().unwrap().len()
    }
}

/// Returns the ids of the events that are in the queue of a server that was killed. Its folder stays as it is.
fn queued_ids(data: &Folder) -> BTreeSet<String> {
    let copy = Folder::new();
    for file in ["hearth.db", "hearth.db-wal"] {
        if data.path().join(file).exists() {
            fs::copy(data.path().join(file), copy.path().join(file)).unwrap();
        }
    }
    let script = "import sqlite3, sys
for row in sqlite3.connect(sys.argv[1]).execute('SELECT request_id FROM events'): print(row[0])";
    let output =
        Command::new("python3").args(["-c", script]).arg(copy.path().join("hearth.db")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Makes the function that the events are for, and the one that hears of those that failed.
fn create_functions(server: &Server, notes: &Notes) {
    let noting = format!(
        "{PYTHON_NOTES}
note = notes_of({})
def handler(event, context):
    note(f'ran {{event[\"number\"]}} {{context.aws_request_id}}')
    if event['fails']: raise Exception('on purpose')
",
        notes.number()
    );
    server.create(python("noting", &noting).timeout(60));
    let hearing = format!(
        "{PYTHON_NOTES}
note = notes_of({})
def handler(event, context):
    note(f'heard {{event[\"requestPayload\"][\"number\"]}} {{context.aws_request_id}}')
",
        notes.number()
    );
    server.create(python("hearing", &hearing).timeout(60));
    let hearing = "arn:aws:lambda:us-east-1:000000000000:function:hearing";
    let config = json!({
        "MaximumRetryAttempts": 0, "DestinationConfig": { "OnFailure": { "Destination": hearing } },
    });
    let path = "/2019-09-25/functions/noting/event-invoke-config";
    assert_eq!(server.http("PUT", path, config.to_string().as_bytes()).status, 200);
}

/// Counts how often each event began to run, by its request id.
fn begun(lines: &[String]) -> BTreeMap<String, usize> {
    let mut begun = BTreeMap::new();
    for line in lines {
        *begun.entry(line.rsplit(' ').next().unwrap().to_owned()).or_default() += 1;
    }
    begun
}

/// The numbers of the events of which it was noted that they `ran`, or were `heard` of.
fn numbers(lines: &[String], word: &str) -> BTreeSet<usize> {
    let words = lines.iter().map(|line| line.split(' ').collect::<Vec<_>>());
    words.filter(|words| words[0] == word).map(|words| words[1].parse().unwrap()).collect()
}

#[test]
fn case_109_events_accepted_before_kills_at_random_moments_ran_or_are_in_their_destination() {
    let (kills, wanted) = (rounds(4, 50), rounds(400, 10_000));
    let (data, notes, sent) = (Arc::new(Folder::new()), Notes::new(), Sent::default());
    let mut random = Random::new(0);
    let server = Settings::new().data_dir(&data).start();
    create_functions(&server, &notes);
    server.stop();

    let (mut in_flight, mut noted) = (0, 0);
    for round in 1..=kills {
        let server = Settings::new().data_dir(&data).start();
        let address = server.address();
        let share = wanted / kills;
        // Around the share of this round, and then some microseconds, so that no step of an event is spared.
        let enough = (round - 1) * share + share / 2 + random.below(share as u64) as usize;
        let moment = Duration::from_micros(random.below(20_000));
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| sent.send(address, usize::MAX));
            }
            within(DRAIN_LIMIT, "so many events are accepted", || (sent.accepted() >= enough).then_some(()));
            let reached = Instant::now();
            while reached.elapsed() < moment {
                thread::yield_now();
            }
            server.kill();
        });
        // Of those that are still in the queue, who began to run on this server was in flight.
        let lines = notes.all();
        let begun = begun(&lines[noted..]);
        noted = lines.len();
        in_flight += queued_ids(&data).iter().filter(|id| begun.contains_key(*id)).count();
    }

    let server = Settings::new().data_dir(&data).start();
    sent.send(server.address(), wanted);
    within(DRAIN_LIMIT, "the queue is empty", || (server.hearth("events")["queued"] == 0).then_some(()));
    assert_eq!(server.hearth("events")["dropped"], json!({}));
    eventually("all have ended", || {
        let environments = ["noting", "hearing"].map(|name| server.environments(name)).concat();
        environments.iter().all(|environment| environment["state"] == "Ready").then_some(())
    });
    server.stop();

    let (lines, accepted) = (notes.all(), sent.accepted.lock().unwrap());
    let (ran, heard) = (numbers(&lines, "ran"), numbers(&lines, "heard"));
    let fails = |number: &&usize| number.is_multiple_of(FAILS_EVERY);
    let lost: Vec<&usize> = accepted.iter().filter(|number| !ran.contains(number)).collect();
    let untold: Vec<&usize> =
        accepted.iter().filter(fails).filter(|number| !heard.contains(number)).collect();
    let again: usize = begun(&lines).values().map(|times| times - 1).sum();
    eprintln!(
        "{kills} kills, {} events accepted, {} lost, {} failures heard of, {} not, {in_flight} in flight, {again} ran again",
        accepted.len(),
        lost.len(),
        heard.len(),
        untold.len()
    );
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert!(untold.is_empty(), "not in their destination: {untold:?}");
    assert!(again <= in_flight, "{again} attempts too many, and {in_flight} were in flight");
}
