//! Calls that go wrong: a function that answers rubbish or too much, never comes up, or whose caller hangs up.
//!
//! The plain ways in which a call fails, with their logs, are in `tests/conformance/`: `outcomes.rs` and `init.rs`.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use hearth_tests::{
    Call, Function, Gate, PYTHON_WAIT, Server, bootstrap, eventually, needs_node, node, python, rounds,
};
use serde_json::{Value, json};

/// A runtime of our own, which answers every event with the bytes that `answer` makes of it.
fn runtime_that_answers(answer: &str) -> String {
    format!(
        "#!/usr/bin/env python3
import http.client, json, os
api = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
path = '/2018-06-01/runtime/invocation/'
while True:
    api.request('GET', path + 'next')
    event = api.getresponse()
    payload = json.loads(event.read())
    api.request('POST', path + event.headers['Lambda-Runtime-Aws-Request-Id'] + '/response', {answer})
    api.getresponse().read()
"
    )
}

fn error_of(function: &Function<'_>, payload: &str) -> Value {
    serde_json::from_str(&function.invoke(payload).function_error()).unwrap()
}

#[test]
fn case_038_a_response_of_100_megabytes_is_refused_in_little_memory_and_keeps_the_environment() {
    let server = Server::start();
    let source = "
import os
def handler(event, context):
    return [os.environ['AWS_LAMBDA_LOG_STREAM_NAME'], os.getpid()] if not event.get('megabytes') else 'x' * (event['megabytes'] << 20)
";
    let function = server.create(python("huge", source).timeout(60).with("MemorySize", 1_024));
    let pid = function.invoke("{}").success();
    let before = server.resident_kib();
    for _ in 0..2 {
        function.wait_until_all_are_ready();
        assert_eq!(
            error_of(&function, r#"{"megabytes": 100}"#),
            json!({
                "errorType": "Function.ResponseSizeTooLarge",
                "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
            })
        );
    }
    let peak = peak_kib(&server);
    assert!(peak < before + 64 * 1_024, "from {before} KiB to {peak} KiB at its peak");
    function.wait_until_all_are_ready();
    assert_eq!(function.invoke("{}").success(), pid, "the environment goes on");
}

/// The largest resident memory that the server ever had.
fn peak_kib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn case_039_an_answer_that_is_no_json_is_a_marshal_error_and_keeps_the_environment() {
    let server = Server::start();
    let source = "
import os
cycle = []
cycle.append(cycle)
answers = {'set': {1, 2}, 'bytes': b'x', 'cycle': cycle, 'object': object(), 'key': {(1, 2): 3}}
def handler(event, context):
    return answers[event] if isinstance(event, str) else [os.environ['AWS_LAMBDA_LOG_STREAM_NAME'], os.getpid()]
";
    let function = server.create(python("unserialisable", source));
    let pid = function.invoke("{}").success();
    for (answer, message) in [
        ("set", "Unable to marshal response: Object of type set is not JSON serializable"),
        ("object", "Unable to marshal response: Object of type object is not JSON serializable"),
        ("cycle", "Unable to marshal response: Circular reference detected"),
        ("key", "Unable to marshal response: keys must be str, int, float, bool or None, not tuple"),
    ] {
        let error = error_of(&function, &json!(answer).to_string());
        assert_eq!(error["errorType"], "Runtime.MarshalError", "{answer}: {error}");
        assert_eq!(error["errorMessage"], message, "{answer}");
        assert!(error["stackTrace"].is_array() && error["requestId"] == "<id>", "{answer}: {error}");
    }
    // As with AWS's runtime client: bytes are an answer that is ready, of whatever kind.
    let answer = function.invoke(r#""bytes""#);
    assert_eq!((answer.0.header("X-Amz-Function-Error"), answer.text().as_str()), (None, "x"));
    assert_eq!(function.invoke("{}").success(), pid);
}

#[test]
fn case_039_not_a_number_is_what_the_runtime_client_makes_of_it() {
    // As on AWS: Python's client writes `NaN`, which is no JSON, and Node.js writes `null`.
    let server = Server::start();
    let function = server.create(python("nan", "def handler(event, context): return float('nan')\n"));
    let answer = function.invoke("{}");
    assert_eq!((answer.0.header("X-Amz-Function-Error"), answer.text().as_str()), (None, "NaN"));
    if needs_node() {
        let function = server.create(node("nan-node", "export const handler = async () => NaN;\n"));
        assert_eq!(function.invoke("{}").success(), Value::Null);
    }
}

#[test]
fn case_039_a_node_answer_that_cannot_be_written_is_an_error_and_keeps_the_environment() {
    if !needs_node() {
        return;
    }
    let server = Server::start();
    let source = "
const cycle = {}; cycle.self = cycle;
export const handler = async (event) => {
  switch (event) {
    case 'cycle': return cycle;
    case 'bigint': return 1n;
    case 'throw': throw new TypeError('thrown');
    default: return process.pid;
  }
};\n";
    let function = server.create(node("unwritable", source));
    let pid = function.invoke("{}").success();
    for (event, kind, message) in [
        ("cycle", "Error", "Unable to stringify response body"),
        ("bigint", "Error", "Unable to stringify response body"),
        ("throw", "TypeError", "thrown"),
    ] {
        let error = error_of(&function, &json!(event).to_string());
        assert_eq!((&error["errorType"], &error["errorMessage"]), (&json!(kind), &json!(message)), "{event}");
        assert!(error["trace"].is_array(), "{event}: {error}");
    }
    assert_eq!(function.invoke("{}").success(), pid);
}

#[test]
fn case_043_an_import_of_a_minute_is_cut_at_10_seconds_repeated_and_cut_by_the_time_out() {
    let server = Server::start();
    let source = "import time\ntime.sleep(60)\ndef handler(event, context): return 'done'\n";
    let function = server.create(python("stuck", source).timeout(2));
    for attempt in 0..2 {
        let started = Instant::now();
        let error = error_of(&function, "{}");
        let elapsed = started.elapsed();
        assert_eq!(error["errorType"], "Sandbox.Timedout", "{error}");
        let message = error["errorMessage"].as_str().unwrap();
        assert!(message.ends_with("Error: Task timed out after 2.00 seconds"), "{message}");
        // The first call waits for an Init of its own; later ones only repeat it inside.
        let limit = if attempt == 0 { 13 } else { 4 };
        assert!(elapsed < Duration::from_secs(limit), "attempt {attempt}: {elapsed:?}");
        function.wait_until_all_are_ready();
    }
}

#[test]
fn case_044_callers_that_hang_up_leave_calls_that_end_and_environments_that_go_on() {
    let server = Server::start();
    let source = format!(
        "{PYTHON_WAIT}
import os
calls = 0
def handler(event, context):
    global calls
    if 'gate' in event:
        wait_at(event['gate'])
        calls += 1
    return [os.getpid(), calls]
"
    );
    let function = server.create(python("abandoned", &source).timeout(60));
    let pid = function.invoke("{}").success()[0].clone();
    let held = || std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count();
    function.wait_until_all_are_ready();
    let hang_ups = rounds(100, 1_000);
    let mut before = 0;
    for hang_up in 1..=hang_ups {
        // By now what is kept ready for further environments is complete again.
        if hang_up == 20 {
            before = held();
        }
        let gate = Gate::new();
        let body = json!({ "gate": gate.number() }).to_string();
        let mut caller = TcpStream::connect(server.address()).unwrap();
        let path = "/2015-03-31/functions/abandoned/invocations";
        write!(caller, "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len())
            .unwrap();
        gate.wait_for(1);
        drop(caller);
        gate.open();
        function.wait_until_all_are_ready();
        if hang_up % 50 == 0 {
            assert_eq!(function.invoke("{}").success(), json!([pid, hang_up]), "every call ran to its end");
            function.wait_until_all_are_ready();
        }
    }
    assert_eq!(function.environments().len(), 1);
    eventually("every descriptor is given back", || (held() <= before).then_some(()));
    let reports = function.logs_with_reports(hang_ups);
    assert!(reports.iter().all(|event| !event.message.contains("Status: ")), "each ended normally");
}

#[test]
fn case_044_a_caller_that_hangs_up_in_the_middle_of_its_request_calls_nothing() {
    let server = Server::start();
    let function = server.create(python("uncalled", "def handler(event, context): return 1\n"));
    for _ in 0..20 {
        let mut caller = TcpStream::connect(server.address()).unwrap();
        let path = "/2015-03-31/functions/uncalled/invocations";
        write!(caller, "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{{\"half\": ").unwrap();
        caller.shutdown(std::net::Shutdown::Write).unwrap();
        let mut rest = String::new();
        let _ = caller.read_to_string(&mut rest);
        assert!(!rest.starts_with("HTTP/1.1 200"), "{rest}");
    }
    assert!(function.environments().is_empty(), "nothing was started for them");
    assert_eq!(function.invoke("{}").success(), 1);
}

#[test]
fn case_045_bytes_of_a_custom_runtime_that_are_no_json_reach_the_caller_unchanged() {
    let server = Server::start();
    let source = runtime_that_answers("bytes(payload['bytes'])");
    let function = server.create(bootstrap("raw", source));
    for bytes in [&b""[..], b"plain text", b"{\"half\": ", b"\x00\xff\xfe\x80", "ü\r\n\0".as_bytes()] {
        let payload = json!({ "bytes": bytes }).to_string();
        let answer = function.call(&Call { payload: payload.as_bytes(), ..Call::default() });
        assert_eq!(answer.status(), 200, "{}", answer.text());
        assert_eq!(answer.0.header("X-Amz-Function-Error"), None);
        assert_eq!(answer.0.body, bytes);
    }
}
