//! Extensions that are still there when all should end.

use std::time::{Duration, Instant};

use hearth_tests::{Server, eventually, is_alive, number_after, on_host, python, running, said, scripted};
use serde_json::json;

use super::{assert_others_work, with_extension};

#[test]
fn case_060_an_extension_that_ignores_the_end_is_killed_after_two_seconds_with_its_children() {
    let server = Server::start();
    let steps = json!([
        { "ignore": "SIGTERM" }, { "child": "31536060" }, { "register": ["SHUTDOWN"] }, { "next": 1 }, { "hang": true },
    ]);
    let source = "
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def handler(event, context): return os.getpid()
";
    let layer = server.publish_extensions(&[("bad", scripted(&steps))]);
    let function = server.create(python("ignoring", source).with("Layers", json!([layer])));
    let runtime = on_host(function.invoke("{}").success().as_u64().unwrap());
    let events = function.logs_with_reports(1);
    let extension = on_host(number_after(said(&events, "bad")[0], "pid ") as u64);
    function.wait_until_all_are_ready();

    let started = Instant::now();
    function.delete();
    let answered = started.elapsed();
    assert!(answered < Duration::from_secs(3), "deleting took {answered:?}");
    let gone = eventually("the extension is gone", || (!is_alive(extension)).then(|| started.elapsed()));
    assert!((Duration::from_millis(1_950)..Duration::from_millis(2_400)).contains(&gone), "{gone:?}");
    assert!(!is_alive(runtime));
    eventually("its child is gone", || (running("31536060") == 0).then_some(()));
    assert_others_work(&server);
}

#[test]
fn a_server_ends_in_time_although_an_extension_does_not() {
    let server = Server::start();
    let steps =
        json!([{ "ignore": "SIGTERM" }, { "register": ["SHUTDOWN"] }, { "next": 1 }, { "hang": true }]);
    let function = server.create(with_extension(&server, "last", &steps));
    function.invoke("{}").success();
    let started = Instant::now();
    server.stop();
    let elapsed = started.elapsed();
    assert!(elapsed < Duration::from_secs(4), "the server took {elapsed:?}");
}

#[test]
fn a_server_that_is_killed_takes_extensions_and_their_children_along() {
    let server = Server::start();
    let steps = json!([
        { "ignore": "SIGTERM" }, { "child": "31536109" }, { "register": ["SHUTDOWN"] }, { "next": 1 }, { "hang": true },
    ]);
    let function = server.create(with_extension(&server, "orphans", &steps));
    function.invoke("{}").success();
    let runtime = function.environments()[0]["pid"].as_u64().unwrap();
    let extension = on_host(number_after(said(&function.logs_with_reports(1), "bad")[0], "pid ") as u64);
    assert_eq!(running("31536109"), 1);
    server.kill();
    for (what, pid) in [("runtime", runtime), ("extension", extension)] {
        eventually(&format!("the {what} is gone"), || (!is_alive(pid)).then_some(()));
    }
    eventually("the child is gone", || (running("31536109") == 0).then_some(()));
}
