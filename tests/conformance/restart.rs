//! Starting and ending a server: what is kept, what is finished first, and what is refused.

use std::process::Stdio;
use std::sync::Arc;

use hearth_tests::{Folder, Gate, NewFunction, PYTHON_WAIT, Server, Settings, python, reports, try_http};
use serde_json::json;

fn greeting() -> NewFunction {
    let source = "import os\ndef handler(event, context): return os.environ['GREETING']\n";
    python("greeting", source)
        .with("Environment", json!({ "Variables": { "GREETING": "hello" } }))
        .with("Description", "kept")
        .with("Tags", json!({ "team": "blue" }))
}

#[test]
fn functions_and_logs_are_kept_over_a_restart() {
    let data_dir = Arc::new(Folder::new());
    let first = Settings::new().data_dir(&data_dir).start();
    let function = first.create(greeting());
    assert_eq!(function.invoke("{}").success(), "hello");
    let configuration = function.configuration();
    let logs = function.logs_with_reports(1);
    first.stop();

    let second = Settings::new().data_dir(&data_dir).start();
    let function = second.function("greeting");
    assert_eq!(function.configuration(), configuration);
    assert_eq!(second.logs("greeting"), logs);
    assert_eq!(function.invoke("{}").success(), "hello");
    let both = function.logs_with_reports(2);
    assert!(both[logs.len()].message.starts_with("INIT_START "), "{both:?}");
    assert_eq!(both[..logs.len()], logs[..], "new lines come after the old ones");
    assert!(reports(&both)[1].contains("\tInit Duration: "));
    let get = second.http("GET", "/2015-03-31/functions/greeting", b"").json();
    assert_eq!(get["Tags"], json!({ "team": "blue" }));
}

#[test]
fn a_created_function_survives_a_server_that_is_killed() {
    let data_dir = Arc::new(Folder::new());
    let mut command = Settings::new().command("127.0.0.1:0", data_dir.path());
    let mut killed = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let address = ready_address(&mut killed);
    let body = greeting().body().to_string();
    let created = hearth_tests::http(address, "POST", "/2015-03-31/functions", &[], body.as_bytes());
    assert_eq!(created.status, 201, "{}", created.text());
    killed.kill().unwrap();
    killed.wait().unwrap();

    let server = Settings::new().data_dir(&data_dir).start();
    let function = server.function("greeting");
    function.wait_until("State", "Active");
    assert_eq!(function.configuration()["CodeSha256"], created.json()["CodeSha256"]);
    assert_eq!(function.invoke("{}").success(), "hello");
}

fn ready_address(child: &mut std::process::Child) -> std::net::SocketAddr {
    use std::io::BufRead as _;
    let mut line = String::new();
    std::io::BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    line.trim().strip_prefix("hearth is ready at http://").unwrap().parse().unwrap()
}

#[test]
fn sigterm_lets_a_call_in_flight_finish_and_takes_no_new_one() {
    let server = Server::start();
    let source = format!(
        "{PYTHON_WAIT}\ndef handler(event, context):\n    wait_at(event['gate'])\n    return 'done'\n"
    );
    let function = server.create(python("slow", &source).timeout(60));
    let gate = Gate::new();
    let payload = json!({ "gate": gate.number() }).to_string();
    std::thread::scope(|scope| {
        let call = scope.spawn(|| function.invoke(&payload));
        gate.wait_for(1);
        server.terminate();
        let path = "/2015-03-31/functions/slow/invocations";
        hearth_tests::eventually("a new call is refused", || {
            match try_http(server.address(), "POST", path, &[], b"{}") {
                Ok(answer) if answer.status == 200 => None,
                Ok(answer) => {
                    assert!(answer.status >= 500, "{}", answer.text());
                    Some(())
                }
                Err(_) => Some(()),
            }
        });
        gate.open();
        assert_eq!(call.join().unwrap().success(), "done");
    });
    server.stop();
}

#[test]
fn a_data_folder_may_be_named_relative_to_the_working_directory() {
    let server = Settings::new().relative_data_dir().start();
    let function = server.create(python("relative", "def handler(event, context): return 'found'\n"));
    assert_eq!(function.invoke("{}").success(), "found");
}
