//! How many threads serve: nothing that a client sees depends on it.

use std::collections::BTreeSet;
use std::{fs, thread};

use hearth_tests::{Gate, PYTHON_WAIT, Server, Settings, python};
use serde_json::json;

/// How many calls run at once.
const CALLS: usize = 6;
/// More than a server has threads for files, which go by the same name.
const MANY: usize = 40;

/// Counts the threads that may be serving.
fn threads_of(server: &Server) -> usize {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    // One that has just ended has no name.
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).unwrap_or_default();
    tasks.map(|task| name(task.unwrap())).filter(|name| name == "hearth\n").count()
}

#[test]
fn one_thread_serves_as_many_calls_at_once_as_several_do() {
    let source = format!(
        "{PYTHON_WAIT}
def handler(event, context):
    wait_at(event['gate'])
    return event['call']
"
    );
    for threads in [1, MANY] {
        let server = Settings::new().variable("HEARTH_THREADS", &threads.to_string()).start();
        assert_eq!(threads_of(&server) >= MANY, threads == MANY);
        let function = server.create(python("at-once", &source).timeout(60));
        let gate = Gate::new();
        let answers: BTreeSet<String> = thread::scope(|scope| {
            let call = |call: usize| {
                let payload = json!({ "gate": gate.number(), "call": call }).to_string();
                let function = &function;
                scope.spawn(move || function.invoke(payload).success().to_string())
            };
            let calls: Vec<_> = (0..CALLS).map(call).collect();
            gate.wait_for(CALLS);
            gate.open();
            calls.into_iter().map(|call| call.join().unwrap()).collect()
        });
        assert_eq!(answers.len(), CALLS, "{threads} threads: {answers:?}");
        function.wait_until_all_are_ready();
        // The permits are back, and the environments warm: one call after another finds one.
        for call in 0..CALLS {
            let answer = function.invoke(json!({ "gate": gate.number(), "call": call }).to_string());
            assert_eq!(answer.success().to_string(), call.to_string());
        }
        assert_eq!(function.environments().len(), CALLS, "{threads} threads");
    }
}
