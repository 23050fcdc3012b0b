//! A disk that is full, or that fails to sync: nothing is acknowledged that is not kept, and what needs no disk goes on.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use hearth_tests::{
    Folder, Function, Mounted, NewFunction, Server, Settings, eventually, http, lines_of, python,
};
use serde_json::json;

fn function(name: &str) -> NewFunction {
    python(
        name,
        "
print('loaded')
def handler(event, context):
    if isinstance(event, str): print('event', event)
    return event
",
    )
}

/// Creates a function and returns status, error type and message.
fn create(server: &Server, new: &NewFunction) -> (u16, String, String) {
    let response = server.http("POST", "/2015-03-31/functions", new.body().to_string().as_bytes());
    let kind = response.header("x-amzn-ErrorType").unwrap_or_default().to_owned();
    (response.status, kind, response.text())
}

fn names(server: &Server) -> Vec<String> {
    let list = server.http("GET", "/2015-03-31/functions", b"").json();
    let functions = list["Functions"].as_array().unwrap();
    functions.iter().map(|it| it["FunctionName"].as_str().unwrap().to_owned()).collect()
}

/// Sends an event and returns status and error type.
fn send_event(server: &Server, name: &str, event: &str) -> (u16, String) {
    let headers = [("X-Amz-Invocation-Type", "Event")];
    let path = format!("/2015-03-31/functions/{name}/invocations");
    let answer = http(server.address(), "POST", &path, &headers, event.as_bytes());
    (answer.status, answer.header("x-amzn-ErrorType").unwrap_or_default().to_owned())
}

/// Waits until no event is left, and returns which the function had.
fn events_of(function: &Function<'_>, number: usize) -> Vec<String> {
    eventually("the queue is empty", || (function.server().hearth("events")["queued"] == 0).then_some(()));
    let log = function.logs_until("the events", |log| lines_of(log, "event ").len() >= number);
    lines_of(&log, "event ").into_iter().map(|line| line.trim_end().to_owned()).collect()
}

/// Writes until there is no room.
fn fill(file: &Path) {
    let mut file = fs::File::create(file).unwrap();
    for block in [1 << 20, 4_096, 1] {
        let bytes = vec![0; block];
        while file.write(&bytes).is_ok_and(|written| written > 0) {}
    }
}

#[test]
fn case_112_a_full_disk_refuses_changes_serves_the_rest_and_is_got_over_without_a_restart() {
    let Some(disk) = Mounted::in_memory(24 << 20) else { return };
    let data = disk.path().join("data");
    let server = Settings::new().data_path(&data).start();
    let kept = server.create(function("kept"));
    assert_eq!(kept.invoke("1").success(), 1);

    let ballast = disk.path().join("ballast");
    fill(&ballast);
    for attempt in 0..3 {
        let (status, kind, body) = create(&server, &function(&format!("refused-{attempt}")));
        assert_eq!((status, kind.as_str()), (500, "ServiceException"), "{body}");
        assert!(
            !body.contains("disk") && !body.contains('/'),
            "what is wrong with us is for our log: {body}"
        );
    }
    let path = "/2015-03-31/functions/kept";
    let body = json!({ "Description": "changed" }).to_string();
    assert_eq!(server.http("PUT", &format!("{path}/configuration"), body.as_bytes()).status, 500);
    assert_eq!(names(&server), ["kept"], "reads go on");
    assert_eq!(kept.configuration()["Description"], "");
    for number in 0..20 {
        assert_eq!(kept.invoke(number.to_string()).success(), number, "warm calls go on");
    }
    assert!(server.stderr().contains("cannot write logs"), "{}", server.stderr());
    // What cannot be kept is not acknowledged. (What has room in the blocks that the database has already may be.)
    let large = format!("\"{}\"", "refused".repeat(20_000));
    assert_eq!(send_event(&server, "kept", &large), (500, "ServiceException".to_owned()));

    fs::remove_file(&ballast).unwrap();
    let created = server.create(function("created"));
    assert_eq!(created.invoke("2").success(), 2);
    kept.update_configuration(&json!({ "Description": "changed" }));
    created.logs_with_reports(1);
    assert_eq!(send_event(&server, "kept", "\"accepted\"").0, 202);
    assert_eq!(events_of(&kept, 1), ["event accepted"], "what was refused never runs");
    server.stop();

    let server = Settings::new().data_path(&data).start();
    assert_eq!(names(&server), ["created", "kept"]);
    assert_eq!(server.function("kept").configuration()["Description"], "changed");
    assert_eq!(server.function("kept").invoke("3").success(), 3);
    drop(server);
}

#[test]
fn case_115_after_a_sync_that_failed_nothing_is_acknowledged_until_a_restart() {
    let data = Arc::new(Folder::new());
    // A creation commits twice: when it is accepted, and when it has settled.
    let server = Settings::new().data_dir(&data).faults("store::commit=2*off->1*return(fsync)").start();
    let before = server.create(function("before"));
    for attempt in 0..3 {
        let (status, kind, body) = create(&server, &function(&format!("refused-{attempt}")));
        assert_eq!((status, kind.as_str()), (500, "ServiceException"), "{body}");
    }
    let delete = server.http("DELETE", "/2015-03-31/functions/before", b"");
    assert_eq!(delete.status, 500, "later success could not be believed: {}", delete.text());
    assert_eq!(send_event(&server, "before", "\"refused\""), (500, "ServiceException".to_owned()));
    assert_eq!(before.invoke("1").success(), 1, "what needs no disk goes on");
    assert!(server.stderr().contains("the disk failed to keep a change"), "{}", server.stderr());
    server.stop();

    let server = Settings::new().data_dir(&data).start();
    assert_eq!(names(&server), ["before"]);
    server.create(function("after"));
    assert_eq!(send_event(&server, "before", "\"accepted\"").0, 202);
    assert_eq!(events_of(&server.function("before"), 1), ["event accepted"], "what was refused never runs");
}

#[test]
fn case_115_a_package_that_could_not_be_kept_is_no_function() {
    let data = Arc::new(Folder::new());
    let server = Settings::new().data_dir(&data).faults("objects::put=1*return->off").start();
    let (status, kind, body) = create(&server, &function("refused"));
    assert_eq!((status, kind.as_str()), (500, "ServiceException"), "{body}");
    assert!(names(&server).is_empty());
    let trees = || fs::read_dir(data.path().join("trees")).unwrap().count();
    eventually("its tree is gone", || (trees() == 0).then_some(()));
    let function = server.create(function("refused"));
    assert_eq!(function.invoke("1").success(), 1, "the name is free");
}

#[test]
fn a_server_whose_disk_is_full_at_the_start_says_so() {
    let Some(disk) = Mounted::in_memory(1 << 20) else { return };
    fill(&disk.path().join("ballast"));
    let data = disk.path().join("data");
    let mut command = Settings::new().command("127.0.0.1:0", &data);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    eventually("the server gives up", || child.try_wait().unwrap());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains(&data.display().to_string()) && stderr.contains("hint: "), "{stderr}");
}
