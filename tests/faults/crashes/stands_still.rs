//! A service that is stopped for a while, as by SIGSTOP or by a host that sleeps, and then goes on: what ran meanwhile is heard
//! first, and nothing that only looks late is killed.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use hearth_tests::{
    Call, Function, Gate, LogEvent, PYTHON_WAIT, Server, eventually, lines_of, python, reports, rounds,
};
use serde_json::{Value, json};

/// The time-out of the functions. The service stands still for longer.
const TIMEOUT_SECONDS: u32 = 5;

/// A function that waits at the gate of its event, says which call it is, and hangs if it is told to.
fn function(name: &str) -> hearth_tests::NewFunction {
    let source = format!(
        "{PYTHON_WAIT}
import time
def handler(event, context):
    if 'gate' in event: wait_at(event['gate'])
    print('CALL', event['number'])
    if 'hang' in event: time.sleep(600)
    return event['number']
"
    );
    python(name, &source).timeout(TIMEOUT_SECONDS)
}

fn ids(function: &Function<'_>) -> Vec<Value> {
    let mut ids: Vec<String> =
        function.environments().iter().map(|environment| environment["id"].to_string()).collect();
    ids.sort();
    ids.into_iter().map(Value::from).collect()
}

/// Counts how often each call ran.
fn ran(events: &[LogEvent]) -> BTreeMap<String, usize> {
    let mut ran = BTreeMap::new();
    for line in lines_of(events, "CALL ") {
        *ran.entry(line["CALL ".len()..].trim_end().to_owned()).or_default() += 1;
    }
    ran
}

#[test]
fn case_124_a_service_that_stood_still_answers_every_call_once_and_kills_nothing() {
    let server = Server::start();
    let [late, quiet, hanging] = ["late", "quiet", "hanging"].map(|name| server.create(function(name)));
    // Four environments that are warm, and one that waits.
    let gate = Gate::new();
    let at = |gate: &Gate, number: u32| json!({ "gate": gate.number(), "number": number }).to_string();
    thread::scope(|scope| {
        for number in 0..4 {
            let (late, event) = (&late, at(&gate, number));
            scope.spawn(move || assert_eq!(late.invoke(event).success(), number));
        }
        gate.wait_for(4);
        gate.open();
    });
    assert_eq!(quiet.invoke(json!({ "number": 0 }).to_string()).success(), 0);
    late.wait_until_all_are_ready();
    let before = (ids(&late), ids(&quiet));
    assert_eq!((before.0.len(), before.1.len()), (4, 1));

    // Three callers wait, and an event runs; one call never ends.
    let (gate, hung) = (Gate::new(), Gate::new());
    thread::scope(|scope| {
        let callers: Vec<_> = (10..13)
            .map(|number| {
                let (late, event) = (&late, at(&gate, number));
                scope.spawn(move || (number, late.invoke(event).success()))
            })
            .collect();
        let headers = &[("X-Amz-Invocation-Type", "Event")];
        let event = at(&gate, 13);
        let accepted = late.call(&Call { headers, payload: event.as_bytes(), ..Call::default() });
        assert_eq!(accepted.status(), 202, "{}", accepted.text());
        let never = json!({ "gate": hung.number(), "number": 14, "hang": true }).to_string();
        let hangs = scope.spawn(|| hanging.invoke(never).function_error());
        gate.wait_for(4);
        hung.wait_for(1);

        let still = server.stand_still();
        // They answer in time, while nobody listens; and somebody calls.
        gate.open();
        hung.open();
        let calls = scope.spawn(|| quiet.invoke(json!({ "number": 15 }).to_string()).success());
        still.for_at_least(Duration::from_secs(rounds(TIMEOUT_SECONDS as usize + 2, 60) as u64));

        for caller in callers {
            let (number, answer) = caller.join().unwrap();
            assert_eq!(answer, number, "each caller has the answer to its own call");
        }
        assert_eq!(calls.join().unwrap(), 15);
        let error = hangs.join().unwrap();
        assert!(error.contains("Task timed out after 5.00 seconds"), "{error}");
    });

    late.wait_until_all_are_ready();
    quiet.wait_until_all_are_ready();
    assert_eq!((ids(&late), ids(&quiet)), before, "no environment was killed or added");
    let once = |numbers: &[u32]| numbers.iter().map(|number| (number.to_string(), 1)).collect();
    let events = late.logs_with_reports(8);
    assert_eq!(ran(&events), once(&[0, 1, 10, 11, 12, 13, 2, 3]));
    assert_eq!(reports(&events).len(), 8);
    assert!(!events.iter().any(|event| event.message.contains("timed out")), "{events:?}");
    assert_eq!(ran(&quiet.logs_with_reports(2)), once(&[0, 15]));
    assert_eq!(ran(&hanging.logs_with_reports(1)), once(&[14]), "what timed out is not tried again");
    // Everything goes on.
    eventually("the environment that timed out is there again", || {
        let answer = hanging.call(&Call { payload: b"{\"number\": 16}", ..Call::default() });
        (answer.status() == 200).then(|| assert_eq!(answer.success(), 16))
    });
    assert_eq!(late.invoke(json!({ "number": 17 }).to_string()).success(), 17);
}
