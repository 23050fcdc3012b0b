//! Many clients at once on one function: one wins, every answer is one of the right ones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use hearth_tests::{
    Call, Function, Gate, Notes, PYTHON_NOTES, PYTHON_WAIT, Server, encode, eventually, python, rounds,
};
use serde_json::{Value, json};

#[test]
fn case_128_of_twenty_creations_of_one_name_at_once_one_wins() {
    let server = Server::start();
    for round in 0..rounds(5, 200) {
        let name = format!("wanted-{round}");
        let together = Barrier::new(20);
        let answers: Vec<(u16, u64, String)> = thread::scope(|scope| {
            let clients: Vec<_> = (0..20)
                .map(|client| {
                    let (server, name, together) = (&server, &name, &together);
                    scope.spawn(move || {
                        let new = python(name, &format!("def handler(event, context): return {client}\n"));
                        let body = new.body().to_string();
                        together.wait();
                        let answer = server.http("POST", "/2015-03-31/functions", body.as_bytes());
                        (answer.status, client, answer.text())
                    })
                })
                .collect();
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        let mut by_status: BTreeMap<u16, usize> = BTreeMap::new();
        for (status, _, _) in &answers {
            *by_status.entry(*status).or_default() += 1;
        }
        assert_eq!(by_status, BTreeMap::from([(201, 1), (409, 19)]), "{answers:?}");
        for (_, _, text) in answers.iter().filter(|(status, ..)| *status == 409) {
            assert!(text.contains(&format!("Function already exist: {name}")), "{text}");
        }
        let (_, winner, _) = answers.iter().find(|(status, ..)| *status == 201).unwrap();
        let function = server.function(&name);
        function.wait_until("State", "Active");
        assert_eq!(function.invoke("{}").success(), *winner, "it runs the code of the one that won");
    }
    // What the others had sent is not kept: one package a function.
    let trees = || std::fs::read_dir(server.data_dir().path().join("trees")).unwrap().count();
    eventually("their packages are gone", || (trees() <= 20).then_some(()));
}

#[test]
fn case_132_what_was_queued_for_a_deleted_function_never_runs_on_the_next_one_of_its_name() {
    let server = Server::start();
    let (gate, notes) = (Gate::new(), Notes::new());
    let noting = |generation: &str| {
        let source = format!(
            "{PYTHON_WAIT}{PYTHON_NOTES}
note = notes_of({})
def handler(event, context):
    note('{generation} ' + event['from'])
    if 'gate' in event: wait_at(event['gate'])
",
            notes.number()
        );
        python("again", &source).timeout(60)
    };
    let send = |function: &Function<'_>, event: &Value| {
        let (headers, payload) = (&[("X-Amz-Invocation-Type", "Event")], event.to_string());
        let answer = function.call(&Call { headers, payload: payload.as_bytes(), ..Call::default() });
        assert_eq!(answer.status(), 202, "{}", answer.text());
    };
    // One runs, some wait for it to end, the others back off.
    let old = server.create(noting("old"));
    let path = "/2017-10-31/functions/again/concurrency";
    assert_eq!(server.http("PUT", path, b"{\"ReservedConcurrentExecutions\":1}").status, 200);
    for _ in 0..100 {
        send(&old, &json!({ "from": "old", "gate": gate.number() }));
    }
    gate.wait_for(1);
    old.delete();
    let new = server.create(noting("new"));
    assert_eq!(server.http("PUT", path, b"{\"ReservedConcurrentExecutions\":1}").status, 200);
    send(&new, &json!({ "from": "new" }));
    gate.open();
    eventually("the queue is empty", || (server.hearth("events")["queued"] == 0).then_some(()));
    assert_eq!(server.hearth("events")["dropped"], json!({ "FunctionDeleted": 100 }));
    assert_eq!(new.invoke("{\"from\":\"me\"}").status(), 200);
    server.stop();
    let mut lines = notes.all();
    lines.sort_unstable();
    assert_eq!(lines, ["new me", "new new", "old old"]);
}

#[test]
fn case_130_versions_published_by_many_while_the_function_changes_have_all_numbers_once() {
    let changes = rounds(8, 300);
    let server = Server::start();
    let function = server.create(python("published", "def handler(event, context): return 1\n").timeout(1));
    let (together, done) = (Barrier::new(51), AtomicBool::new(false));
    let given: BTreeSet<u64> = thread::scope(|scope| {
        let publishers: Vec<_> = (0..50)
            .map(|_| {
                scope.spawn(|| {
                    let mut given = BTreeSet::new();
                    together.wait();
                    loop {
                        // Whoever begins when all changes are made publishes the last of them.
                        let is_last = done.load(Ordering::SeqCst);
                        let answer = server.http("POST", "/2015-03-31/functions/published/versions", b"{}");
                        match answer.status {
                            201 => given.extend(version(&answer.json())),
                            // The function is changing.
                            status => assert_eq!(status, 409, "{}", answer.text()),
                        }
                        if is_last && answer.status == 201 {
                            return given;
                        }
                    }
                })
            })
            .collect();
        // Whatever happens here, the publishers must end.
        let changing = thread::Builder::new().spawn_scoped(scope, || {
            together.wait();
            for change in 0..changes {
                function.update_configuration(&json!({ "Timeout": 2 + change }));
            }
        });
        let changed = changing.unwrap().join();
        done.store(true, Ordering::SeqCst);
        changed.unwrap();
        publishers.into_iter().flat_map(|publisher| publisher.join().unwrap()).collect()
    });
    let (mut listed, mut timeouts, mut marker) = (Vec::new(), BTreeSet::new(), String::new());
    loop {
        let page =
            server.http("GET", &format!("/2015-03-31/functions/published/versions{marker}"), b"").json();
        for one in page["Versions"].as_array().unwrap().iter().filter(|one| one["Version"] != "$LATEST") {
            listed.extend(version(one));
            assert!(timeouts.insert(one["Timeout"].as_u64().unwrap()), "published twice: {one}");
        }
        let Some(next) = page["NextMarker"].as_str() else { break };
        marker = format!("?Marker={}", encode(next));
    }
    let numbers: Vec<u64> = (1..=listed.len() as u64).collect();
    assert_eq!(listed, numbers, "no gap");
    assert_eq!(given, numbers.into_iter().collect(), "whoever was given a number finds it in the list");
    assert!(timeouts.contains(&(changes as u64 + 1)), "the last change is published: {timeouts:?}");
}

fn version(published: &Value) -> Option<u64> {
    published["Version"].as_str()?.parse().ok()
}
