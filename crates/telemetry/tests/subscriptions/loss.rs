//! Listeners that do not do their part: what is lost is bounded, counted, and nobody waits for it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use hearth_telemetry::SubscriptionApi;
use hearth_tests::{eventually, rounds};
use hearth_types::LogFormat;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::listener::{HttpListener, read_request};
use crate::{Environment, http, put, soon};

const WELL: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

fn is_dropped(event: &Value) -> bool {
    event["type"] == "platform.logsDropped"
}

#[tokio::test]
async fn a_batch_is_sent_again_until_the_listener_takes_it() {
    let answers = ["", "SSH-2.0-garbage\r\n\r\n", "HTTP/1.1 500 Oh\r\ncontent-length: 1\r\n\r\nx"];
    let mut listener = HttpListener::with_answers(&answers).await;
    let mut environment = Environment::text();
    environment.subscribe("watcher", SubscriptionApi::Telemetry, &soon(http(&["function"], listener.port)));
    environment.print("hello\n");
    let first = listener.request().await.events;
    for _ in answers {
        assert_eq!(listener.request().await.events, first);
    }
    environment.print("again\n");
    let next = listener.request().await.events;
    assert_eq!((next.len(), &next[0]["record"]), (1, &json!("again\n")));
}

#[tokio::test(flavor = "multi_thread")]
async fn case_061_a_closed_port_costs_its_events_and_they_are_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut environment = Environment::new(LogFormat::Json, None);
    environment.subscribe("absent", SubscriptionApi::Telemetry, &soon(http(&["function"], address.port())));
    environment.end_init();
    environment.print("lost\n");
    environment.print("lost, too\n");
    // The function's own log tells of it with the end of an invocation.
    let logged: Value = eventually("the loss is logged", || {
        environment.invoke("lost or late\n");
        let log = environment.log();
        let line = log.iter().find(|line| line.contains("\"platform.logsDropped\""))?;
        Some(serde_json::from_str(line).unwrap())
    });
    assert!(logged["record"]["droppedRecords"].as_u64().unwrap() >= 2, "{logged}");

    let mut listener = HttpListener::on(TcpListener::bind(address).await.unwrap(), vec![]);
    environment.print("found\n");
    let events = listener.events_until(is_dropped).await;
    let dropped = events.iter().find(|event| is_dropped(event)).unwrap();
    assert!(dropped["record"]["droppedRecords"].as_u64().unwrap() >= 2, "{dropped}");
    assert_eq!(
        dropped["record"]["reason"],
        "Some logs were dropped because the downstream consumer is slower than the logs production rate"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn case_061_a_subscriber_that_does_not_read_gets_a_bounded_buffer_and_the_count_of_the_rest() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut environment = Environment::text();
    let request = soon(http(&["function"], listener.local_addr().unwrap().port()));
    environment.subscribe("sleeper", SubscriptionApi::Telemetry, &request);
    environment.end_init();
    let line = |number: usize| format!("{number:0999}\n");
    environment.print(&line(0));
    let (first, _) = listener.accept().await.unwrap();
    // The listener has a connection and does not read. Meanwhile the function puts out far more than may wait.
    let lines = rounds(20_000, 500_000);
    let before = resident_bytes();
    let mut longest = Duration::ZERO;
    for number in 1..lines {
        let event = put(&line(number));
        let began = Instant::now();
        environment.telemetry.write(vec![event]);
        longest = longest.max(began.elapsed());
        if number % 1_000 == 0 {
            environment.telemetry.room_for_output().await;
        }
    }
    // Nobody waits for a subscriber: an attempt has 5 s.
    assert!(longest < Duration::from_secs(1), "a line took {longest:?}");
    // What waits to be written to the log is at most 16 MB, and as much again while it is written.
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "grown by {grown} bytes");

    // It wakes up, and hangs up on what it has let wait.
    drop(first);
    while timeout(Duration::ZERO, listener.accept()).await.is_ok() {}
    let (mut arrived, mut dropped) = (BTreeSet::new(), 0);
    while arrived.len() + dropped < lines {
        let (mut stream, _) = listener.accept().await.unwrap();
        let Some(received) = read_request(&mut stream).await else { continue };
        stream.write_all(WELL).await.unwrap();
        for event in received.events {
            if is_dropped(&event) {
                dropped += event["record"]["droppedRecords"].as_u64().unwrap() as usize;
            } else {
                arrived.insert(event["record"].as_str().unwrap().trim().parse::<usize>().unwrap());
            }
        }
    }
    assert_eq!(arrived.len() + dropped, lines, "each line arrived or was counted");
    let most = 3 * 262_144 / 1_000;
    assert!((200..most).contains(&arrived.len()), "{} lines waited", arrived.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn case_061_a_line_listener_that_does_not_read_harms_nobody_else() {
    let sleeper = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut awake = HttpListener::start().await;
    let mut environment = Environment::text();
    let mut request = soon(http(&["function"], 1));
    request["destination"] = json!({ "protocol": "TCP", "port": sleeper.local_addr().unwrap().port() });
    environment.subscribe("sleeper", SubscriptionApi::Telemetry, &request);
    environment.subscribe("awake", SubscriptionApi::Telemetry, &soon(http(&["function"], awake.port)));
    environment.end_init();
    let line = "x".repeat(50_000);
    for number in 0..rounds(400, 20_000) {
        environment.print(&format!("{number} {line}\n"));
        if number % 4 == 3 {
            // The other one takes what comes at its pace: nothing of it is lost.
            let prefix = format!("{number} ");
            let is_it =
                |event: &Value| event["record"].as_str().is_some_and(|line| line.starts_with(&prefix));
            let events = awake.events_until(is_it).await;
            assert!(!events.iter().any(is_dropped));
        }
    }
    assert!(awake.requests_so_far().is_empty());
}

/// Returns how much memory this process has.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}
