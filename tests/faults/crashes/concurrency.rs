//! SIGKILL while concurrency is reserved or provisioned: what was asked for is wholly there afterwards, or wholly absent.

use std::sync::Arc;

use hearth_tests::{Folder, Server, Settings, eventually, python, try_http};
use serde_json::{Value, json};

const RESERVED: &str = "/2017-10-31/functions/counted/concurrency";
const PROVISIONED: &str = "/2019-09-30/functions/counted/provisioned-concurrency?Qualifier=1";

/// The moments of a change, and whether what was asked for is there when one of them was the server's last.
const POINTS: [(&str, bool); 3] =
    [("store::commit", false), ("store::committed", true), ("functions::concurrency", true)];

fn reserve(count: u32) -> Value {
    json!({ "ReservedConcurrentExecutions": count })
}

fn provision(count: u32) -> Value {
    json!({ "ProvisionedConcurrentExecutions": count })
}

fn put(server: &Server, path: &str, body: &Value) {
    let answer = server.http("PUT", path, body.to_string().as_bytes());
    assert!(answer.status < 300, "{path}: {}", answer.text());
}

/// What is reserved, and what is provisioned once it is there.
fn has(server: &Server) -> (Value, Value) {
    let get = |path: &str| server.http("GET", path, b"").json();
    let reserved = get("/2019-09-30/functions/counted/concurrency")["ReservedConcurrentExecutions"].clone();
    let provisioned = eventually("what is provisioned is there", || {
        let now = get(PROVISIONED);
        (now["Status"] == "READY").then(|| now["AllocatedProvisionedConcurrentExecutions"].clone())
    });
    (reserved, provisioned)
}

#[test]
fn case_110_concurrency_that_was_asked_for_is_there_or_not_wherever_the_server_was_killed() {
    let data = Arc::new(Folder::new());
    let server = Settings::new().data_dir(&data).start();
    let function = python("counted", "def handler(event, context): return 1\n").with("Publish", true);
    server.create(function);
    put(&server, RESERVED, &reserve(5));
    put(&server, PROVISIONED, &provision(1));
    server.stop();
    let (mut reserved, mut provisioned) = (5, 1);
    for (point, is_kept) in POINTS {
        for path in [RESERVED, PROVISIONED] {
            let server = Settings::new().data_dir(&data).faults(&format!("{point}=kill(1)")).start();
            let body = match path {
                RESERVED => reserve(reserved + 1),
                _ => provision(provisioned + 1),
            };
            let sent = try_http(server.address(), "PUT", path, &[], body.to_string().as_bytes());
            assert!(sent.is_err(), "{point}: nothing is answered");
            server.ended();
            *(if path == RESERVED { &mut reserved } else { &mut provisioned }) += u32::from(is_kept);
            let server = Settings::new().data_dir(&data).start();
            assert_eq!(has(&server), (json!(reserved), json!(provisioned)), "{point}, {path}");
            server.stop();
        }
    }
    // The server dies in the middle of provisioning, too, and nobody has to ask again.
    let server = Settings::new().data_dir(&data).start();
    put(&server, PROVISIONED, &provision(4));
    server.kill();
    let server = Settings::new().data_dir(&data).start();
    assert_eq!(has(&server), (json!(reserved), json!(4)));
}
