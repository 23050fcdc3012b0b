//! A queue of many events over a restart, and events that cannot run for a long time: all of them drain, in memory that
//! does not grow with their number.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hearth_tests::{
    Call, Connection, Folder, Gate, Notes, PYTHON_NOTES, PYTHON_WAIT, Server, Settings, eventually, python,
    rounds, try_within, within,
};
use serde_json::{Value, json};

/// How many clients send events.
const CLIENTS: usize = 4;
/// How long all events may take to run.
const DRAIN_LIMIT: Duration = Duration::from_secs(3_600);
/// The longest time between two attempts of an event that is throttled.
const BACKOFF_MAX_MS: u64 = 300_000;
/// An event that is older is dropped.
const AGE_MAX_MS: u64 = 21_600_000;
/// When none has run for so long, all that are left back off.
const NOTHING_RUNS: Duration = Duration::from_millis(500);

/// Notes the number of each event; first it waits at a gate when it is told to.
fn noting(name: &str, notes: &Notes) -> hearth_tests::NewFunction {
    let source = format!(
        "{PYTHON_WAIT}{PYTHON_NOTES}
note = notes_of({})
def handler(event, context):
    if event.get('gate'): wait_at(event['gate'])
    note(event['number'])
",
        notes.number()
    );
    python(name, &source).timeout(600)
}

fn request(function: &str, event: &Value) -> String {
    let payload = event.to_string();
    format!(
        "POST /2015-03-31/functions/{function}/invocations HTTP/1.1\r\nHost: localhost\r\n\
         X-Amz-Invocation-Type: Event\r\nContent-Length: {}\r\n\r\n{payload}",
        payload.len()
    )
}

/// Sends events of all numbers up to `count`, but for the first.
fn send_others(address: SocketAddr, function: &str, count: usize) {
    let next = AtomicUsize::new(2);
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut connection = Connection::open(&address.to_string()).unwrap();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number > count {
                        return;
                    }
                    let request = request(function, &json!({ "number": number }));
                    let answer = connection.exchange(request.as_bytes()).unwrap();
                    assert!(answer.head.starts_with("HTTP/1.1 202 "), "{}", answer.head);
                }
            });
        }
    });
}

fn send_first(server: &Server, function: &str, gate: &Gate) {
    let event = json!({ "number": 1, "gate": gate.number() });
    let mut connection = Connection::open(&server.address().to_string()).unwrap();
    let answer = connection.exchange(request(function, &event).as_bytes()).unwrap();
    assert!(answer.head.starts_with("HTTP/1.1 202 "), "{}", answer.head);
    gate.wait_for(1);
}

fn queued(server: &Server) -> u64 {
    server.hearth("events")["queued"].as_u64().unwrap()
}

fn sorted(notes: &Notes) -> Vec<usize> {
    let mut numbers: Vec<usize> = notes.all().iter().map(|number| number.parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn case_109_123_a_long_queue_is_there_after_a_kill_and_drains_in_bounded_memory() {
    let count = rounds(2_000, 100_000);
    let (data, notes, gate) = (Arc::new(Folder::new()), Notes::new(), Gate::new());
    let server = Settings::new().data_dir(&data).arguments(&["--concurrency", "1"]).start();
    server.create(noting("noting", &notes));
    send_first(&server, "noting", &gate);
    let before = server.resident_kib();
    let started = Instant::now();
    send_others(server.address(), "noting", count);
    let accepting = started.elapsed();
    assert_eq!(queued(&server), count as u64);
    let full = server.resident_kib();
    server.kill();
    gate.open();
    assert_eq!(notes.all(), Vec::<String>::new(), "none has run to its end");

    let started = Instant::now();
    let server = Settings::new().data_dir(&data).start();
    let ready = started.elapsed();
    let mut peak = server.resident_kib();
    within(DRAIN_LIMIT, "the queue is empty", || {
        peak = peak.max(server.resident_kib());
        (queued(&server) == 0).then_some(())
    });
    let draining = started.elapsed();
    assert_eq!(server.hearth("events")["dropped"], json!({}));
    let after = server.resident_kib();
    server.stop();
    assert_eq!(sorted(&notes), (1..=count).collect::<Vec<_>>(), "each of them once");
    eprintln!(
        "{count} events: accepted in {accepting:.1?}, ready again after {ready:.1?}, drained after {draining:.1?}; \
         resident: {before} KiB without them, {full} KiB with them, after the restart {peak} KiB at most, {after} KiB at the end"
    );
    assert!(full < before + 64 * 1_024, "from {before} KiB to {full} KiB");
    assert!(peak < before + 64 * 1_024, "from {before} KiB to {peak} KiB");
}

#[test]
fn case_123_throttled_events_wait_for_hours_hold_nobody_up_and_all_run_when_there_is_room() {
    // Besides the one that runs, 64 wait for it to end, and the others back off.
    let count = rounds(200, 1_000);
    let (folder, notes, quick, gate) = (Folder::new(), Notes::new(), Notes::new(), Gate::new());
    let ahead = folder.write("ahead", "0");
    let set_ahead = |ms: u64| {
        // Renamed into place, so that no half of a number is read.
        std::fs::rename(folder.write("next", ms.to_string()), &ahead).unwrap();
    };
    let server = Settings::new().faults(&format!("server::event_clock=return({})", ahead.display())).start();
    server.create(noting("throttled", &notes));
    let other = server.create(noting("other", &quick));
    let path = "/2017-10-31/functions/throttled/concurrency";
    assert_eq!(server.http("PUT", path, b"{\"ReservedConcurrentExecutions\":1}").status, 200);
    send_first(&server, "throttled", &gate);
    send_others(server.address(), "throttled", count);
    let before = server.resident_kib();

    // Three hours go by, and each time somebody else's event runs at once.
    let mut now = 0;
    for number in 0..12_usize {
        now += 15 * 60_000;
        set_ahead(now);
        let payload = json!({ "number": number }).to_string();
        let headers = &[("X-Amz-Invocation-Type", "Event")];
        let sent = other.call(&Call { headers, payload: payload.as_bytes(), ..Call::default() });
        assert_eq!(sent.status(), 202);
        eventually("the other event has run", || (quick.lines().len() == number + 1).then_some(()));
    }
    eventually("only those that are throttled wait", || (queued(&server) == count as u64).then_some(()));
    assert_eq!(notes.lines(), Vec::<String>::new());

    // As soon as there is room, each of them is looked at again after five minutes at most; 64 of them run then.
    gate.open();
    let mut ran = 0;
    while ran < count {
        let more = || Some(notes.lines().len()).filter(|now| *now > ran);
        match try_within(NOTHING_RUNS, more) {
            Some(more) => ran = more,
            None => {
                now += BACKOFF_MAX_MS;
                set_ahead(now);
            }
        }
        assert!(now < AGE_MAX_MS, "{ran} of {count} have run");
    }
    eventually("the queue is empty", || (queued(&server) == 0).then_some(()));
    assert_eq!(server.hearth("events")["dropped"], json!({}));
    let after = server.resident_kib();
    eprintln!(
        "{count} events: all had run {} minutes after they were accepted; resident: {before} KiB, later {after} KiB",
        now / 60_000
    );
    server.stop();
    assert_eq!(sorted(&notes), (1..=count).collect::<Vec<_>>(), "each of them once");
}
