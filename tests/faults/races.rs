//! Many clients at once on one function: one wins, every answer is one of the right ones.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::thread;

use hearth_tests::{Server, python, rounds};

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
    hearth_tests::eventually("their packages are gone", || (trees() <= 20).then_some(()));
}
