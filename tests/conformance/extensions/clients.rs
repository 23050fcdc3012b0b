//! Extensions on AWS's client for Rust, and one in bash.

use hearth_tests::{Server, bash_extension, example_extension, python, said};
use serde_json::json;

const ECHO: &str = "def handler(event, context): return context.invoked_function_arn\n";

#[test]
fn awss_rust_client_reads_every_event() {
    let server = Server::start();
    let layer = server.publish_extensions(&[("by-aws", example_extension("events"))]);
    let function = server.create(python("read", ECHO).with("Layers", json!([layer])));
    let first = function.invoke("{}");
    let arn = first.success();
    function.wait_until_all_are_ready();
    let second = function.invoke("{}");
    assert_eq!(second.success(), arn);
    function.logs_with_reports(2);
    function.delete();
    let events = function.logs_until("SHUTDOWN", |events| said(events, "by-aws").len() == 4);
    let lines = said(&events, "by-aws");
    assert_eq!(lines[0], "registered with read $LATEST app.handler");
    for (line, answer) in [(lines[1], &first), (lines[2], &second)] {
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(words[..3], ["INVOKE", &answer.request_id(), arn.as_str().unwrap()]);
        assert_eq!(words[4], "X-Amzn-Trace-Id");
    }
    assert!(lines[3].starts_with("SHUTDOWN spindown "), "{lines:?}");
}

#[test]
fn a_shell_script_is_an_extension_as_well() {
    let server = Server::start();
    let layer = server.publish_extensions(&[("in-bash", bash_extension())]);
    let function = server.create(python("scripted", ECHO).with("Layers", json!([layer])));
    let answer = function.invoke("{}");
    answer.success();
    function.logs_with_reports(1);
    function.delete();
    let events = function.logs_until("SHUTDOWN", |events| said(events, "in-bash").len() == 3);
    let lines = said(&events, "in-bash");
    assert_eq!(lines[0], "registered");
    let event = |line: &str| -> serde_json::Value { serde_json::from_str(line).unwrap() };
    assert_eq!(event(lines[1])["requestId"], answer.request_id());
    assert_eq!(event(lines[2])["shutdownReason"], "spindown");
}
