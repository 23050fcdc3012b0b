//! Internal extensions: code of the runtime's own process that registers.

use std::time::{Duration, Instant};

use expect_test::expect;
use hearth_tests::{
    NewFunction, Package, Server, eventually, example_extension, is_alive, lines_of, number_after, on_host,
    python, said,
};

/// A thread of the function's process that registers as `inner` and follows its events.
const INNER: &str = r#"
import http.client, json, os, signal, sys, threading, time
HOST = os.environ["AWS_LAMBDA_RUNTIME_API"]
def ask(method, path, headers, body=None):
    connection = http.client.HTTPConnection(HOST)
    connection.request(method, "/2020-01-01/extension" + path, body, headers)
    response = connection.getresponse()
    return response, response.read().decode()
def register(*events, name="inner"):
    return ask("POST", "/register", {"Lambda-Extension-Name": name}, json.dumps({"events": events}))
print("inner: SHUTDOWN answers", *register("INVOKE", "SHUTDOWN")[1:])
response, text = register("INVOKE")
print("inner: registered", text)
def follow(identifier):
    while True:
        _, text = ask("GET", "/event/next", {"Lambda-Extension-Identifier": identifier})
        os.write(1, f"inner: {json.loads(text)['eventType']} {json.loads(text)['requestId']}\n".encode())
identifier = response.getheader("Lambda-Extension-Identifier")
threading.Thread(target=follow, args=[identifier], daemon=True).start()
signal.signal(signal.SIGTERM, lambda *_: os.write(1, b"inner: SIGTERM\n"))
def handler(event, context):
    if event.get("register"):
        return register("INVOKE", name=event["register"])[1].strip()
    return os.getpid()
"#;

#[test]
fn a_thread_of_the_function_registers_gets_its_invocations_and_cannot_ask_for_the_end() {
    let server = Server::start();
    let function = server.create(python("threaded", INNER));
    let first = function.invoke("{}");
    function.wait_until_all_are_ready();
    let second = function.invoke("{}");
    assert_eq!(first.success(), second.success(), "one process");
    let events = function.logs_with_reports(2);
    assert_eq!(
        said(&events, "inner"),
        [
            r#"SHUTDOWN answers {"errorMessage":"SHUTDOWN: ShutdownEventNotSupportedForInternalExtension","errorType":"Extension.InvalidEventType"}"#,
            r#"registered {"functionName":"threaded","functionVersion":"$LATEST","handler":"app.handler"}"#,
            &format!("INVOKE {}", first.request_id()),
            &format!("INVOKE {}", second.request_id()),
        ]
    );
    expect![[r#"
        EXTENSION	Name: inner	State: Ready	Events: [INVOKE]
    "#]]
    .assert_eq(&lines_of(&events, "EXTENSION").concat());
    function.wait_until_all_are_ready();
    let closed = function.invoke(r#"{"register": "late"}"#).success();
    assert_eq!(
        closed,
        r#"{"errorMessage":"Extension registration closed already","errorType":"Extension.RegistrationClosed"}"#
    );
}

#[test]
fn a_runtime_with_an_internal_extension_has_half_a_second_after_its_sigterm() {
    let server = Server::start();
    let function = server.create(python("stubborn", INNER));
    let pid = on_host(function.invoke("{}").success().as_u64().unwrap());
    function.wait_until_all_are_ready();
    let started = Instant::now();
    function.delete();
    let gone = eventually("it is gone", || (!is_alive(pid)).then(|| started.elapsed()));
    let expected = Duration::from_millis(450)..Duration::from_millis(800);
    assert!(expected.contains(&gone), "killed after {gone:?}");
    let events =
        server.logs_until("stubborn", "SIGTERM", |events| said(events, "inner").contains(&"SIGTERM"));
    assert_eq!(said(&events, "inner").iter().filter(|line| **line == "SIGTERM").count(), 1);
}

#[test]
fn awss_rust_runtime_is_told_to_end_and_puts_things_in_order() {
    let server = Server::start();
    let package = Package::new().program("bootstrap", example_extension("graceful"));
    let function = server.create(NewFunction::new("graceful", "provided.al2023", "main", package));
    let answer = function.invoke(r#""an event""#).success();
    assert_eq!(answer["event"], "an event");
    let pid = on_host(answer["pid"].as_u64().unwrap());
    let events = function.logs_with_reports(1);
    expect![[r#"
        EXTENSION	Name: _lambda-rust-runtime-no-op-graceful-shutdown-helper	State: Ready	Events: []
    "#]]
    .assert_eq(&lines_of(&events, "EXTENSION").concat());
    function.wait_until_all_are_ready();
    let started_ms = epoch_ms();
    let started = Instant::now();
    function.delete();
    let gone = eventually("it is gone", || (!is_alive(pid)).then(|| started.elapsed()));
    assert!(gone < Duration::from_millis(500), "gone only after {gone:?}");
    let events = server.logs_until("graceful", "the last words of the runtime", |events| {
        !lines_of(events, "[runtime] Graceful shutdown completed").is_empty()
    });
    let last: Vec<&str> = events.iter().rev().take(4).map(|event| event.message.as_str()).collect();
    assert_eq!(last[0], "[runtime] Graceful shutdown completed\n", "{events:#?}");
    let in_order = number_after(last[1], "put in order at ");
    assert!((0.0..500.0).contains(&(in_order - started_ms)), "{in_order} - {started_ms}");
    assert_eq!(last[2..], ["[runtime] Graceful shutdown in progress ...\n", "[runtime] SIGTERM received\n"]);
}

fn epoch_ms() -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_millis() as f64
}
