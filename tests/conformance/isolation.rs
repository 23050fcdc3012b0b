//! What a function sees of the host, and what it can leave behind, in the `process` backend.

use hearth_tests::{Function, NewFunction, Server, Settings, eventually, is_alive, needs_node, node, python};
use serde_json::{Value, json};

/// Values that break whoever passes variables through a shell, a file of lines, or a text encoding.
fn awkward_variables() -> Value {
    json!({
        "NEWLINES": "first\nsecond\n",
        "QUOTES": "it's \"quoted\" \\ and `ticked`",
        "EMOJI": "ünïcode 😀 \u{202e}",
        "COMMAND": "$(id) ${HOME} %PATH%",
        "BLANKS": "  before and after \t ",
        "EMPTY": "",
        "EQUALS": "a=b=c",
    })
}

fn sees_its_variables(new: NewFunction) {
    let server = Server::start();
    let variables = awkward_variables();
    let function = server.create(new.with("Environment", json!({ "Variables": variables })));
    assert_eq!(function.configuration()["Environment"]["Variables"], variables);
    let names: Vec<&String> = variables.as_object().unwrap().keys().collect();
    assert_eq!(function.invoke(json!(names).to_string()).success(), variables);
}

#[test]
fn environment_variables_reach_a_python_function_byte_for_byte() {
    let source = "
import os
def handler(event, context):
    return {name: os.environb[name.encode()].decode() for name in event}
";
    sees_its_variables(python("variables", source));
}

#[test]
fn environment_variables_reach_a_node_function_byte_for_byte() {
    if needs_node() {
        let source = "export const handler = async (names) =>
            Object.fromEntries(names.map((name) => [name, process.env[name]]));\n";
        sees_its_variables(node("variables", source));
    }
}

#[test]
fn nothing_of_the_servers_own_environment_reaches_a_function() {
    let server = Settings::new()
        .variable("CANARY_OF_THE_HOST", "a-secret-of-the-host")
        .variable("AWS_PROFILE", "a-secret-of-the-host")
        .variable("HEARTH_REGION", "us-east-1")
        .start();
    let source = "
import os
def handler(event, context):
    own = dict(os.environ)
    with open('/proc/self/environ') as environ:
        at_start = environ.read().split('\\0')
    return [own, at_start]
";
    let function = server.create(python("curious", source));
    let seen = function.invoke("{}").success();
    assert!(!seen.to_string().contains("a-secret-of-the-host"), "{seen:#}");
    let names: Vec<&str> = seen[0].as_object().unwrap().keys().map(String::as_str).collect();
    let unknown: Vec<&&str> = names.iter().filter(|name| !DOCUMENTED.contains(name)).collect();
    assert!(unknown.is_empty(), "not in AWS's documentation: {unknown:?}");
    let missing: Vec<&&str> = REQUIRED.iter().filter(|name| !names.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// What every function finds. Source: Lambda Developer Guide, "Defined runtime environment variables".
const REQUIRED: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "LANG",
    "PATH",
    "TZ",
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
];

/// What a function may find besides, and `TMPDIR`: in the `process` backend `/tmp` is the host's.
const DOCUMENTED: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_FORMAT",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_LEVEL",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_XRAY_CONTEXT_MISSING",
    "AWS_XRAY_DAEMON_ADDRESS",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "LANG",
    "LC_CTYPE",
    "LD_LIBRARY_PATH",
    "PATH",
    "PWD",
    "PYTHONPATH",
    "SHLVL",
    "TMPDIR",
    "TZ",
    "_AWS_XRAY_DAEMON_ADDRESS",
    "_AWS_XRAY_DAEMON_PORT",
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
];

/// Lists its descriptors, without the one that lists them.
const DESCRIPTORS: &str = "
import os
def handler(event, context):
    found = {}
    for fd in os.listdir('/proc/self/fd'):
        try:
            found[fd] = os.readlink('/proc/self/fd/' + fd)
        except FileNotFoundError:
            pass
    return found
";

#[test]
fn a_function_inherits_no_descriptor_but_its_streams_and_its_log() {
    let server = Server::start();
    // The second function starts while the server holds the pipes and sockets of the first.
    server.create(python("first", DESCRIPTORS)).invoke("{}");
    let function = server.create(python("second", DESCRIPTORS));
    let found = function.invoke("{}").success();
    let found = found.as_object().unwrap();
    for (fd, target) in found {
        let target = target.as_str().unwrap();
        let expected =
            target.starts_with("pipe:[") || target.starts_with("socket:[") || target == "/dev/null";
        assert!(expected, "descriptor {fd} is {target}: {found:?}");
    }
    // Standard streams, the log, and the connection to the Runtime API.
    assert!(found.len() <= 5, "{found:?}");
}

/// Starts a process in a session of its own, which outlives its parent unless somebody cares.
const RUNAWAY: &str = "
import subprocess
def handler(event, context):
    child = subprocess.Popen(['sleep', '600'], start_new_session=True)
    return child.pid
";

fn runaway_of(function: &Function<'_>) -> u64 {
    let pid = function.invoke("{}").success().as_u64().unwrap();
    assert!(is_alive(pid));
    pid
}

#[test]
fn a_process_that_left_the_group_dies_with_its_environment() {
    let server = Server::start();
    let function = server.create(python("runaway", RUNAWAY));
    let pid = runaway_of(&function);
    function.delete();
    eventually("the child of a deleted function is gone", || (!is_alive(pid)).then_some(()));
}

#[test]
fn a_process_that_left_the_group_dies_with_the_server() {
    let server = Server::start();
    let function = server.create(python("runaway", RUNAWAY));
    let pid = runaway_of(&function);
    server.stop();
    assert!(!is_alive(pid));
}
