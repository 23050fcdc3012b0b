//! A server that is killed, or told to stop, while calls are running.

use std::fs;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use hearth_tests::{
    Call, Folder, Gate, LIMIT, PYTHON_WAIT, Server, Settings, eventually, hearth_binary, processes_of,
    python, rounds, try_http, try_within, within,
};
use serde_json::json;

/// A function that starts a child of its own, and waits at a gate when it is told to.
fn waiting() -> hearth_tests::NewFunction {
    let source = format!(
        "{PYTHON_WAIT}
import subprocess
child = subprocess.Popen(['sleep', '600'], start_new_session=True)
def handler(event, context):
    if 'gate' in event: wait_at(event['gate'])
    return 'done'
"
    );
    python("waiting", &source).timeout(60)
}

#[test]
fn case_108_a_server_killed_during_a_call_leaves_no_process_and_no_function_is_lost() {
    let (data, programs) = (Arc::new(Folder::new()), Folder::new());
    let program = programs.path().join("hearth");
    fs::copy(hearth_binary(), &program).unwrap();
    let start = || Settings::new().program(program.clone()).data_dir(&data).start();
    let server = start();
    server.create(waiting());
    server.stop();
    let mut ready_after = Vec::new();
    for _ in 0..rounds(5, 500) {
        let started = Instant::now();
        let server = start();
        ready_after.push(started.elapsed());
        assert_eq!(server.function("waiting").invoke("{}").success(), "done");
        let gate = Gate::new();
        let (address, payload) = (server.address(), json!({ "gate": gate.number() }).to_string());
        let path = "/2015-03-31/functions/waiting/invocations";
        let call = thread::spawn(move || try_http(address, "POST", path, &[], payload.as_bytes()));
        gate.wait_for(1);
        assert!(processes_of(data.path()).len() >= 2, "a runtime and its child");
        server.kill();
        let answer = call.join().unwrap();
        assert!(answer.is_err(), "the caller sees a closed connection, not {answer:?}");
        within(Duration::from_secs(5), "no process is left", || {
            [data.path(), programs.path()].map(processes_of).concat().is_empty().then_some(())
        });
    }
    // The median: what else runs on this machine may delay any single one.
    ready_after.sort_unstable();
    let ready = ready_after[ready_after.len() / 2];
    assert!(ready < Duration::from_secs(2), "ready only after {ready:?}");
    let server = start();
    let found = eventually("it says what it found", || {
        let stderr = server.stderr();
        stderr.lines().find(|line| line.contains("the last server did not end in order")).map(str::to_owned)
    });
    assert!(found.contains("environments=1"), "{found}");
    assert_eq!(fs::read_dir(data.path().join("run")).unwrap().count(), 0, "and has removed it");
    assert_eq!(server.function("waiting").invoke("{}").success(), "done");
    server.stop();
    let stderr = start().stop();
    assert!(!stderr.contains("did not end in order"), "an end in order is none: {stderr}");
}

#[test]
fn case_111_sigterm_under_load_lets_every_call_finish_and_ends_with_0() {
    let server = Server::start();
    let function = server.create(waiting());
    let gate = Gate::new();
    let payload = json!({ "gate": gate.number() }).to_string();
    thread::scope(|scope| {
        let calls: Vec<_> = (0..8).map(|_| scope.spawn(|| function.invoke(&payload))).collect();
        gate.wait_for(8);
        server.terminate();
        eventually("no new call is taken", || {
            let path = "/2015-03-31/functions/waiting/invocations";
            match try_http(server.address(), "POST", path, &[], b"{}") {
                Ok(answer) => (answer.status >= 500).then_some(()),
                Err(_) => Some(()),
            }
        });
        gate.open();
        for call in calls {
            assert_eq!(call.join().unwrap().success(), "done");
        }
    });
    let started = Instant::now();
    let data = server.data_dir().clone();
    // Panics unless the exit code is 0.
    server.stop();
    assert!(started.elapsed() < Duration::from_secs(30));
    assert!(processes_of(data.path()).is_empty(), "no process is left");
}

/// Counts what a server holds: its descriptors, mounts in its data folder, processes, and folders of environments.
fn held(server: &Server) -> [usize; 4] {
    let process = format!("/proc/{}", server.pid());
    let count = |path: String| fs::read_dir(path).unwrap().count();
    let data = server.data_dir().path().display().to_string();
    let mounts = fs::read_to_string(format!("{process}/mountinfo")).unwrap();
    [
        count(format!("{process}/fd")),
        mounts.lines().filter(|mount| mount.contains(&data)).count(),
        processes_of(server.data_dir().path()).len(),
        count(server.data_dir().path().join("run").display().to_string()),
    ]
}

#[test]
fn case_134_a_thousand_functions_that_come_and_go_leave_nothing_behind() {
    let server = Server::start();
    let source = "#!/bin/sh
exec python3 -S -c '
import http.client, os
api = http.client.HTTPConnection(os.environ[\"AWS_LAMBDA_RUNTIME_API\"])
while True:
    api.request(\"GET\", \"/2018-06-01/runtime/invocation/next\")
    event = api.getresponse(); event.read()
    path = \"/2018-06-01/runtime/invocation/\" + event.headers[\"Lambda-Runtime-Aws-Request-Id\"]
    api.request(\"POST\", path + \"/response\", \"1\"); api.getresponse().read()
'
";
    let cycle = |number: usize| {
        let name = format!("passing-{number}");
        let function = server.create(hearth_tests::bootstrap(&name, format!("{source}# {number}\n")));
        assert_eq!(function.invoke("{}").success(), 1);
        function.delete();
        assert_eq!(function.call(&Call::default()).status(), 404);
    };
    // What is opened once and then used by all, such as the logs that are kept open, is there after the first ones.
    let warm_up = 100;
    (0..warm_up).for_each(cycle);
    let at_rest = eventually("the first ones are gone", || {
        let environments = fs::read_dir(server.data_dir().path().join("run")).unwrap().count();
        (environments == 0).then(|| held(&server))
    });
    let memory_before = server.resident_kib();
    thread::scope(|scope| {
        for half in 0..2 {
            let numbers = (warm_up..warm_up + rounds(1_000, 10_000)).filter(move |number| number % 2 == half);
            scope.spawn(|| numbers.for_each(cycle));
        }
    });
    let mut now = held(&server);
    let same = try_within(LIMIT, || {
        now = held(&server);
        (now == at_rest).then_some(())
    });
    assert!(same.is_some(), "descriptors, mounts, processes, folders: {at_rest:?}, then {now:?}");
    let memory = server.resident_kib();
    // What is kept on purpose for each function is its log, the record of its last calls, and what was counted of them.
    eprintln!("resident: {memory_before} KiB, later {memory} KiB");
    assert!(memory < memory_before + 8 * 1_024, "from {memory_before} KiB to {memory} KiB");
}
